// Runs a program on a D1 and on both sides, and tells where they differ.
import { isDeepStrictEqual } from "node:util";
import { alike, isError, lastRowId, outcome, type Place } from "./outcome.ts";
import type { Step } from "./program.ts";

export interface Difference {
  readonly index: number;
  readonly side: string;
  readonly step: string;
  readonly wanted: unknown;
  readonly got: unknown;
}

export async function differencesOf(
  steps: readonly Step[],
  d1: Place,
  sides: Readonly<Record<"file" | "object", Place>>,
): Promise<{ differences: Difference[]; answered: number }> {
  const differences: Difference[] = [];
  let answered = 0;
  for (const [index, step] of steps.entries()) {
    const earlier = await lastRowId(d1);
    const wanted = await outcome(step.run, d1);
    if (!isError(wanted)) answered++;
    for (const side of ["file", "object"] as const) {
      const got = alike(side, await outcome(step.run, sides[side]), wanted, earlier);
      if (!isSame(got, wanted)) differences.push({ index, side, step: step.text, wanted, got });
    }
  }
  return { differences, answered };
}

/**
 * D1 keeps statements that it has read. Where the schema has changed since, it counts the values first, and
 * here the text is read first.
 */
function isSame(got: unknown, wanted: unknown): boolean {
  if (isError(got) && isError(wanted) && wanted[2].includes("Wrong number of parameter")) return true;
  return isDeepStrictEqual(got, wanted);
}
