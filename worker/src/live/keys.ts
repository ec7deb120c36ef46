// The keys of the rows that a statement changes: the statement is asked to return them.
import type { KeyColumn, TableShape } from "../store/catalog.ts";
import { quoteName } from "../store/sql-text.ts";
import type { BoundStatement } from "../query/parameters.ts";
import { type Token, isKeyword, isSignificant } from "../query/tokens.ts";
import type { ResultValue } from "../query/types.ts";
import { emitBlob, emitInteger, emitReal } from "../query/values.ts";

/** Names by which a statement can speak of a rowid. */
const ROWID_NAMES = ["rowid", "_rowid_", "oid"];

/**
 * The statement with a RETURNING clause for the key of its table, or undefined where that would not name every row that changes: it replaces
 * rows, changes keys, or has a form that takes no such clause at its end.
 */
export function returningKeys(statement: BoundStatement, shape: TableShape): string | undefined {
  const words = statement.tokens.filter(isSignificant);
  const verb = words[0];
  if (!["INSERT", "UPDATE", "DELETE"].some((keyword) => isKeyword(verb, keyword))) return undefined;
  if (words.some((token) => isKeyword(token, "RETURNING") || isKeyword(token, "REPLACE"))) return undefined;
  if (!isKeyword(verb, "INSERT") && words.some((token) => isKeyword(token, "LIMIT"))) return undefined;
  if (mayChangeKey(words, shape)) return undefined;
  const cells = shape.key.map(({ name }) => exactCells(quoteName(name)));
  return `${statement.sql()} RETURNING ${cells.join(", ")}`;
}

// Rather too careful: the key's name anywhere behind SET, before WHERE, is enough.
function mayChangeKey(words: readonly Token[], shape: TableShape): boolean {
  const names = new Set([...ROWID_NAMES, ...shape.key.map(({ name }: KeyColumn) => name.toLowerCase())]);
  const set = words.findIndex((token) => isKeyword(token, "SET"));
  if (set < 0) return false;
  const where = words.findIndex((token, index) => index > set && isKeyword(token, "WHERE"));
  return words.slice(set, where < 0 ? words.length : where).some((token) => names.has(plainName(token.text)));
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
