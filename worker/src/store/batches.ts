// Which batches were applied, as sorted closed ranges.
import type { BatchRange } from "../wire/messages.ts";

export function hasBatch(applied: readonly BatchRange[], seq: number): boolean {
  return applied.some(([from, to]) => from <= seq && seq <= to);
}

/** The ranges with one more batch, neighbours merged. */
export function withBatch(applied: readonly BatchRange[], seq: number): BatchRange[] {
  const sorted = [...applied, [seq, seq] as const].sort(([a], [b]) => a - b);
  const merged: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** What is missing of the batches 0 to count-1. */
export function missingBatches(applied: readonly BatchRange[], count: number): BatchRange[] {
  const missing: BatchRange[] = [];
  let next = 0;
  for (const [from, to] of applied) {
    if (from >= count) break;
    if (from > next) missing.push([next, from - 1]);
    next = to + 1;
  }
  if (next < count) missing.push([next, count - 1]);
  return missing;
}
