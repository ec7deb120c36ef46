// What an answer to a hostile request may hold, measured by itself and not by the code that counts.
import type { StatementResult } from "../src/query/types.ts";
import { QUERY_LIMITS } from "../src/wire/limits.ts";

export interface Size {
  readonly rows: number;
  readonly bytes: number;
}

/** Of all results: 8 bytes for each value, and the characters of texts, of BLOBs in base64, and of the names of columns. */
export function sizeOf(results: readonly StatementResult[]): Size {
  let rows = 0;
  let bytes = 0;
  for (const result of results) {
    rows += result.rows.length;
    for (const name of result.columns) bytes += name.length;
    for (const row of result.rows) for (const value of row) bytes += 8 + lengthOf(value);
  }
  return { rows, bytes };
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  const blob = typeof value === "object" && value !== null && "blob" in value ? value.blob : "";
  return typeof blob === "string" ? blob.length : 0;
}

/** "" or what is over the limits. */
export function overBudget({ rows, bytes }: Size, limits: ResultLimits = QUERY_LIMITS): string {
  if (rows > limits.resultRows) return `${rows} rows`;
  return bytes > limits.resultBytes ? `${bytes} bytes` : "";
}

interface ResultLimits {
  readonly resultRows: number;
  readonly resultBytes: number;
}

/** How requests of each kind ended, and the most work of one. */
export class Figures {
  readonly #kinds = new Map<string, { answered: number; refused: Map<string, number>; most: number }>();

  add(kind: string, ended: string, work: number): void {
    const known = this.#kinds.get(kind) ?? { answered: 0, refused: new Map<string, number>(), most: 0 };
    if (ended === "answer") known.answered++;
    else known.refused.set(ended, (known.refused.get(ended) ?? 0) + 1);
    known.most = Math.max(known.most, work);
    this.#kinds.set(kind, known);
  }

  table(work: string): string {
    const rows = [...this.#kinds].map(([kind, { answered, refused, most }]) => {
      const ends = [...refused].map(([end, count]) => `${count} ${end}`).join(", ");
      return `| ${kind} | ${answered} | ${ends} | ${most} |`;
    });
    return [`| hostile requests | answered | refused | most ${work} |`, "|---|---|---|---|", ...rows].join(
      "\n",
    );
  }
}
