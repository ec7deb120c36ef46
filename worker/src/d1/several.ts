// A text of several statements is one entry to D1: they run in order, and the last one's rows are its result.
import { isTokenClosed, splitStatements } from "../query/statement.ts";
import { type Token, textOf, tokenize } from "../query/tokens.ts";
import type { QueryStatement, StatementResult } from "../query/types.ts";
import { LIMITS } from "../wire/limits.ts";
import { NO_STATEMENT, severalWithParameters } from "./errors.ts";

/** To D1, a text goes on behind a semicolon with whatever is no space. A comment alone is no statement then. */
const NONE: QueryStatement = { sql: NO_STATEMENT };

/** The statements of an entry; the parameters are the last one's. @throws Error as D1 does */
export function statementsOf(entry: QueryStatement): readonly QueryStatement[] {
  const { params = [] } = entry;
  const sql = withoutSpace(entry.sql);
  if (isPlain(sql) || sql.length > LIMITS.statementBytes) return [{ sql, params }];
  const [beforeNul = ""] = sql.split("\0", 1);
  const text = closed(beforeNul);
  const all = splitStatements(text);
  const last = all.pop();
  if (last === undefined) return [NONE];
  const behind = tokenize(text.slice(last.at(-1)?.end));
  const semicolon = behind.findIndex(({ type }) => type === "semicolon");
  if (sql.includes("\0") || (semicolon >= 0 && semicolon < behind.length - 1))
    return [...withoutParameters([...all, last]), NONE];
  return [...withoutParameters(all), { sql: textOf([...last, ...behind]), params }];
}

/** Whether nothing stands behind the first semicolon, and no comment may be open. Most are. */
function isPlain(sql: string): boolean {
  const semicolon = sql.indexOf(";");
  return !sql.includes("/*") && !sql.includes("\0") && (semicolon < 0 || semicolon === sql.length - 1);
}

/** Without what is space to SQLite behind the last semicolon. */
function withoutSpace(sql: string): string {
  let end = sql.length;
  while (" \t\n\v\f\r".includes(sql[end - 1] ?? "none")) end--;
  return sql[end - 1] === ";" ? sql.slice(0, end) : sql;
}

/** A comment ends where the text does. But where nothing is in it, SQLite takes it for two operators. */
function closed(text: string): string {
  const last = tokenize(text).at(-1);
  if (last?.type !== "comment" || isTokenClosed(last.text)) return text;
  return last.text === "/*" ? `${text.slice(0, last.start)}/ *` : `${text}*/`;
}

function withoutParameters(statements: readonly (readonly Token[])[]): QueryStatement[] {
  if (statements.some((tokens) => tokens.some(({ type }) => type === "parameter")))
    throw severalWithParameters();
  return statements.map((tokens) => ({ sql: textOf(tokens) }));
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
