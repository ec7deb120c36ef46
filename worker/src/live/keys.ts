// The keys of the rows that a statement changes: the statement is asked to return them.
import { type TableShape, asciiLower, tableShape } from "../store/catalog.ts";
import { LIMITS } from "../wire/limits.ts";
import { quoteName, tableFunction } from "../state/sql-text.ts";
import type { BoundStatement } from "../query/parameters.ts";
import { countBeforeVerb, findOutside } from "../query/statement.ts";
import { type Token, isKeyword, isSignificant, tokenize } from "../query/tokens.ts";
import type { ResultValue } from "../query/types.ts";
import { emitBlob, emitInteger, emitReal } from "../query/values.ts";
import { assignsKey } from "./names.ts";

/** Names by which a statement can speak of a rowid. */
const ROWID_NAMES = ["rowid", "_rowid_", "oid"];

/** A result has at most 100 columns, and a key column takes two. */
const MOST_KEY_COLUMNS = LIMITS.columns / 2;

/**
 * The shape of a table with keys that can be told. It is undefined for one without such keys, or with columns
 * of every name of the rowid.
 */
export function keyedShape(sql: SqlStorage, table: string): TableShape | undefined {
  try {
    const shape = tableShape(sql, table);
    return shape !== undefined && shape.key.length <= MOST_KEY_COLUMNS ? shape : undefined;
  } catch {
    return undefined;
  }
}

/** A statement that returns the key of each row that it changes. */
export interface KeyedStatement {
  readonly statement: BoundStatement;
  /** How many of the columns at the end of each row are of the key. */
  readonly cells: number;
  /** Whether the statement returns something by itself. */
  readonly returns: boolean;
}

/**
 * The statement with a RETURNING clause for the key of its table, or undefined where that would not name
 * every row that changes: it replaces rows, changes keys, or has a form that takes no such clause at its end.
 * @param replaceNamesKey whether a row that REPLACE removes has the key of the one that comes
 */
export function returningKeys(
  statement: BoundStatement,
  shape: TableShape,
  replaceNamesKey: boolean,
): KeyedStatement | undefined {
  const all = statement.tokens.filter(isSignificant);
  const words = all.slice(countBeforeVerb(all));
  const [verb] = words;
  const replaces = isKeyword(verb, "REPLACE") || words.some(isReplace);
  if (!VERBS.some((keyword) => isKeyword(verb, keyword)) || (replaces && !replaceNamesKey)) return undefined;
  const outside = (keyword: string): boolean => findOutside(words, (token) => isKeyword(token, keyword)) >= 0;
  if (!isInsert(verb) && outside("LIMIT")) return undefined;
  // SQLite empties a table at once, which no clause may hold up.
  if (isKeyword(verb, "DELETE") && !outside("WHERE")) return undefined;
  const names = new Set([...ROWID_NAMES, ...shape.key.map(({ name }) => asciiLower(name))]);
  if (assignsKey(words, names)) return undefined;
  const returns = outside("RETURNING");
  const cells = shape.key.map(({ name }) => exactCells(quoteName(name)));
  const keyed = statement.followedBy(`${returns ? "," : " RETURNING"} ${cells.join(", ")}`);
  if (new TextEncoder().encode(keyed.sql()).length > LIMITS.statementBytes) return undefined;
  return { statement: keyed, cells: cells.length * 2, returns };
}

const VERBS = ["INSERT", "REPLACE", "UPDATE", "DELETE"];

function isInsert(verb: Token | undefined): boolean {
  return isKeyword(verb, "INSERT") || isKeyword(verb, "REPLACE");
}

/** The conflict clause, and not the function. */
function isReplace(token: Token, index: number, words: readonly Token[]): boolean {
  return isKeyword(token, "REPLACE") && words[index + 1]?.type !== "open";
}

/**
 * Whether the declaration of a table says ON CONFLICT REPLACE, for any of its constraints: what that removes, no
 * clause returns.
 */
export function declaresReplace(sql: SqlStorage, table: string): boolean {
  const [row] = sql.exec<{ sql: string }>(
    "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?",
    table,
  );
  const words = tokenize(row?.sql ?? "").filter(isSignificant);
  return words.some((token, index) => isKeyword(token, "CONFLICT") && isKeyword(words[index + 1], "REPLACE"));
}

/** Whether rows of the table can only conflict by the key that is told. */
export function conflictsByKeyOnly(sql: SqlStorage, table: string): boolean {
  const indexes = sql.exec<{ origin: string; wr: number }>(
    `SELECT i.origin, t.wr FROM ${tableFunction("pragma_index_list")}(?1) i, ${tableFunction("pragma_table_list")}(?1) t WHERE i."unique" = 1 AND t.schema = 'main'`,
    table,
  );
  return [...indexes].every(({ origin, wr }) => origin === "pk" && wr === 1);
}

// An INTEGER comes as text: as a number it would lose bits.
export function exactCells(column: string): string {
  return `typeof(${column}), CASE typeof(${column}) WHEN 'integer' THEN CAST(${column} AS TEXT) ELSE ${column} END`;
}

/** The key in a row that RETURNING gave. */
export function keyOf(row: readonly (SqlStorageValue | undefined)[]): ResultValue[] {
  const key: ResultValue[] = [];
  for (let at = 0; at < row.length; at += 2) key.push(keyValue(row[at], row[at + 1]));
  return key;
}

function keyValue(type: SqlStorageValue | undefined, value: SqlStorageValue | undefined): ResultValue {
  if (value === null || value === undefined) return null;
  if (value instanceof ArrayBuffer) return emitBlob(new Uint8Array(value));
  if (type === "integer") return emitInteger(BigInt(value));
  return type === "real" ? emitReal(Number(value)) : String(value);
}

/** The same of a row that was read exactly. */
export function keyOfExact(row: readonly ResultValue[]): ResultValue[] {
  const key: ResultValue[] = [];
  for (let at = 0; at < row.length; at += 2) {
    const value = row[at + 1] ?? null;
    key.push(row[at] === "integer" ? emitInteger(BigInt(String(value))) : value);
  }
  return key;
}
