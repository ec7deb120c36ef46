// A text of several statements is one entry to D1: they run in order, and the last one's rows are its result.
import { isTokenClosed, splitStatements } from "../query/statement.ts";
import { type Token, textOf, tokenize } from "../query/tokens.ts";
import type { QueryStatement, StatementResult } from "../query/types.ts";
import { LIMITS } from "../wire/limits.ts";
import { bytesOf } from "../query/offset.ts";
import { NO_STATEMENT } from "./errors.ts";

/** To D1, a text goes on behind a semicolon with whatever is no space. A comment alone is no statement then. */
const NONE: QueryStatement = { sql: NO_STATEMENT };

/** The statements of an entry; the parameters are the last one's. */
export function statementsOf(entry: QueryStatement): readonly QueryStatement[] {
  const { params = [] } = entry;
  const sql = withoutSpace(entry.sql);
  if (isOne(sql)) return [{ sql, params }];
  const text = closed(beforeNul(sql));
  const all = splitStatements(text);
  const last = all.pop();
  if (last === undefined) return [NONE];
  const behind = tokenize(text.slice(last.at(-1)?.end));
  const semicolon = behind.findIndex(({ type }) => type === "semicolon");
  if (sql.includes("\0") || (semicolon >= 0 && semicolon < behind.length - 1))
    return [...withoutValues([...all, last]), NONE];
  return [...withoutValues(all), { sql: textOf([...last, ...behind]), params }];
}

/**
 * An offset in a statement of an entry as D1 tells it: it counts from behind the statement before, and the
 * space there.
 */
export function offsetInEntry(entry: QueryStatement, index: number, offset: number): number {
  const sql = withoutSpace(entry.sql);
  if (isOne(sql)) return offset;
  const open = beforeNul(sql);
  const text = closed(open);
  const all = splitStatements(text);
  const from = index === 0 ? 0 : beginBehind(text, all[index - 1]?.at(-1)?.end ?? 0);
  const told = offset + bytesOf(text.slice(from, all[index]?.[0]?.start));
  // `closed` has put a space between the two.
  const operator = text === open || text.endsWith("*/") ? Infinity : bytesOf(text.slice(from, -1));
  return told >= operator ? told - 1 : told;
}

/** Where D1 goes on to read: behind the next semicolon, and space. */
function beginBehind(text: string, end: number): number {
  const semicolon = tokenize(text.slice(end)).find(({ type }) => type === "semicolon");
  let at = end + (semicolon?.end ?? 0);
  while (isSpace(text[at])) at++;
  return at;
}

function isOne(sql: string): boolean {
  return isPlain(sql) || sql.length > LIMITS.statementBytes;
}

function beforeNul(sql: string): string {
  const [before = ""] = sql.split("\0", 1);
  return before;
}

/** Whether nothing stands behind the first semicolon, and no comment may be open. Most are. */
function isPlain(sql: string): boolean {
  const semicolon = sql.indexOf(";");
  return !sql.includes("/*") && !sql.includes("\0") && (semicolon < 0 || semicolon === sql.length - 1);
}

/** Without what is space to SQLite behind the last semicolon. */
function withoutSpace(sql: string): string {
  let end = sql.length;
  while (isSpace(sql[end - 1])) end--;
  return sql[end - 1] === ";" ? sql.slice(0, end) : sql;
}

function isSpace(character: string | undefined): boolean {
  return " \t\n\v\f\r".includes(character ?? "none");
}

/** A comment ends where the text does. But where nothing is in it, SQLite takes it for two operators. */
function closed(text: string): string {
  const last = tokenize(text).at(-1);
  if (last?.type !== "comment" || isTokenClosed(last.text)) return text;
  return last.text === "/*" ? `${text.slice(0, last.start)}/ *` : `${text}*/`;
}

/** One that has parameters fails for want of their values, when its turn comes. */
function withoutValues(statements: readonly (readonly Token[])[]): QueryStatement[] {
  return statements.map((tokens) => ({ sql: textOf(tokens) }));
}

/** What the statements of an entry gave together: D1 counts rows read and written of the last one. */
export function joined(results: readonly StatementResult[]): StatementResult {
  const last = results.at(-1);
  if (last === undefined) throw new Error("an answer without a result");
  if (results.length === 1) return last;
  return {
    ...last,
    changes: results.reduce((sum, { changes = 0 }) => sum + changes, 0),
    changed: results.some(({ changed }) => changed),
    changedDb: results.some(({ changedDb }) => changedDb),
  };
}
