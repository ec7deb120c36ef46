// The copies of reference tables that a store with cold rows has (docs/split.md): they are read-only, since the
// rows of the file count.
import { WireError } from "../wire/errors.ts";
import type { TableChange } from "./change-log.ts";
import type { StatementResult } from "./types.ts";

/** The reference tables that the receipt of a split names. */
export function copiesIn(receipt: unknown): readonly string[] {
  const named =
    typeof receipt === "object" && receipt !== null && "reference" in receipt ? receipt.reference : undefined;
  return Array.isArray(named) ? named.filter((name) => typeof name === "string") : [];
}

/**
 * Refuses a transaction that wrote to a copy; null: it changed the schema, or nobody can tell.
 * @throws WireError sql-error
 */
export function demandCopiesUntouched(
  copies: readonly string[],
  changes: readonly TableChange[] | null,
): void {
  const written = changes?.find(({ table }) => copies.some((name) => fold(name) === fold(table)));
  if (written === undefined) return;
  throw new WireError(
    "sql-error",
    `table ${written.table} is a reference table, and the cold half has a read-only copy of it: write it in scope hot`,
  );
}

/** Notes on a result whether it was read from copies alone. */
export function withCopied(copies: readonly string[], result: StatementResult): StatementResult {
  const { reads } = result;
  const isCopy = (table: string): boolean => copies.some((name) => fold(name) === fold(table));
  return reads && reads.length > 0 && reads.every(isCopy) ? { ...result, copied: true } : result;
}

function fold(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
