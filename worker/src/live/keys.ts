// The keys of the rows that a statement changes: the statement is asked to return them.
import { type KeyColumn, type TableShape, tableShape } from "../store/catalog.ts";
import { LIMITS } from "../wire/limits.ts";
import { quoteName } from "../state/sql-text.ts";
import type { BoundStatement } from "../query/parameters.ts";
import { type Token, isKeyword, isSignificant } from "../query/tokens.ts";
import type { ResultValue } from "../query/types.ts";
import { emitBlob, emitInteger, emitReal } from "../query/values.ts";

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

/**
 * The statement with a RETURNING clause for the key of its table, or undefined where that would not name
 * every row that changes: it replaces rows, changes keys, or has a form that takes no such clause at its end.
 */
export function returningKeys(statement: BoundStatement, shape: TableShape): string | undefined {
  const words = statement.tokens.filter(isSignificant);
  const verb = words[0];
  if (!["INSERT", "UPDATE", "DELETE"].some((keyword) => isKeyword(verb, keyword))) return undefined;
  if (words.some((token) => isKeyword(token, "RETURNING") || isKeyword(token, "REPLACE"))) return undefined;
  if (!isKeyword(verb, "INSERT") && words.some((token) => isKeyword(token, "LIMIT"))) return undefined;
  // SQLite empties a table at once, which no clause may hold up.
  if (isKeyword(verb, "DELETE") && !words.some((token) => isKeyword(token, "WHERE"))) return undefined;
  if (mayChangeKey(words, shape)) return undefined;
  const cells = shape.key.map(({ name }) => exactCells(quoteName(name)));
  const text = `${statement.sql()} RETURNING ${cells.join(", ")}`;
  return new TextEncoder().encode(text).length <= LIMITS.statementBytes ? text : undefined;
}

// Rather too careful: the key's name anywhere between a SET and the WHERE that ends its assignments is
// enough.
function mayChangeKey(words: readonly Token[], shape: TableShape): boolean {
  const names = new Set([...ROWID_NAMES, ...shape.key.map(({ name }: KeyColumn) => name.toLowerCase())]);
  let depth = 0;
  let assigning = false;
  for (const token of words) {
    if (token.type === "open") depth++;
    if (token.type === "close") depth--;
    if (isKeyword(token, "SET")) assigning = true;
    else if (depth === 0 && isKeyword(token, "WHERE")) assigning = false;
    else if (assigning && names.has(plainName(token.text))) return true;
  }
  return false;
}

function plainName(text: string): string {
  return text
    .replace(/^["'`[]|["'`\]]$/g, "")
    .replaceAll('""', '"')
    .toLowerCase();
}

// An INTEGER comes as text: as a number it would lose bits.
function exactCells(column: string): string {
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
