// A text of several statements is one entry to D1: they run in order, and the last one's rows are its result.
import { splitStatements } from "../query/statement.ts";
import { textOf } from "../query/tokens.ts";
import type { QueryStatement, StatementResult } from "../query/types.ts";
import { LIMITS } from "../wire/limits.ts";
import { severalWithParameters } from "./errors.ts";

/** The statements of an entry; the parameters are the last one's. @throws Error as D1 does */
export function statementsOf(entry: QueryStatement): readonly QueryStatement[] {
  const { sql, params = [] } = entry;
  // Most texts need no second look. What cannot be read is refused by the side, which says why.
  if (!/;\s*[^;\s]/.test(sql) || sql.length > LIMITS.statementBytes || sql.includes("\0")) return [entry];
  const all = splitStatements(sql);
  const last = all.at(-1);
  if (last === undefined || all.length === 1) return [entry];
  if (all.slice(0, -1).some((tokens) => tokens.some(({ type }) => type === "parameter")))
    throw severalWithParameters();
  return [...all.slice(0, -1).map((tokens) => ({ sql: textOf(tokens) })), { sql: textOf(last), params }];
}

/** What the statements of an entry gave together. */
export function joined(results: readonly StatementResult[]): StatementResult {
  const last = results.at(-1);
  if (last === undefined) throw new Error("an answer without a result");
  if (results.length === 1) return last;
  const total = (of: (result: StatementResult) => number) => results.reduce((sum, one) => sum + of(one), 0);
  const { lastRowId } = results.findLast(({ changes = 0 }) => changes > 0) ?? last;
  return {
    ...last,
    rowsRead: total(({ rowsRead }) => rowsRead),
    rowsWritten: total(({ rowsWritten }) => rowsWritten),
    changes: total(({ changes = 0 }) => changes),
    changed: results.some(({ changed }) => changed),
    ...(lastRowId !== undefined && { lastRowId }),
  };
}
