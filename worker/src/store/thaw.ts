// What the application wants back among the hot rows of a split user (docs/split.md, "Back from the
// archive"). The store notes the rows' primary keys, until an operator's command has brought the rows home:
// content moves between the sides under a claim only. A rowid that no column shows would be no name for a
// row: a merge may renumber it.
import { BoundStatement } from "../query/parameters.ts";
import { demandServing, queryRule } from "../query/execute.ts";
import { parseStatement } from "../query/statement.ts";
import type { ParsedThaw } from "../query/thaw-request.ts";
import { WireError, badRequest, messageOf } from "../wire/errors.ts";
import { emitWireValue } from "../wire/values.ts";
import type { KeptKey, KeptThaw } from "../state/bookkeeping.ts";
import { type DeclaredKey, declaredKey } from "./catalog.ts";
import type { StoreContext } from "../state/context.ts";
import { exactColumns, exactValue } from "./row-reader.ts";
import { quoteName } from "../state/sql-text.ts";

/** Rows that one request may ask for. */
const MAX_THAW_ROWS = 1000;

// All notes are one value of the key-value side, which takes 2 MB.
const MAX_NOTES_BYTES = 1_000_000;

// Each key column takes two result columns, and a result has at most 100.
const MAX_KEY_COLUMNS = 50;

/**
 * Notes the cold rows for which the request's expression is true.
 * @returns how many they are
 * @throws WireError not-active, not-split, not-found, sql-error, bad-request or too-large
 */
export function noteThaw(store: StoreContext, request: ParsedThaw): number {
  const { storage, books, sql } = store;
  return storage.transactionSync(() => {
    demandServing(books, queryRule(books, "cold", "write"));
    const key = demandKey(sql, request.table);
    const keys = readKeys(sql, key, request);
    const { notes, added } = withKeys(books.thaws, { ...key, keys });
    if (added === 0) return keys.length;
    const bytes = JSON.stringify(notes).length;
    if (bytes > MAX_NOTES_BYTES) {
      const room = `notes take ${MAX_NOTES_BYTES} bytes, and with these rows they would take ${bytes}`;
      throw new WireError("too-large", `${room}: \`dbmigrate thaw --requested\` brings home what is noted`);
    }
    books.noteThaws(notes, books.thawRows + added);
    return keys.length;
  });
}

function demandKey(sql: SqlStorage, table: string): DeclaredKey {
  const key = declaredKey(sql, table);
  if (key === undefined)
    throw new WireError("not-found", `no table ${table.slice(0, 200)} of the user`, { table });
  if (key.columns.length === 0 || key.columns.length > MAX_KEY_COLUMNS) {
    throw badRequest(
      "table",
      `one with a primary key of at most ${MAX_KEY_COLUMNS} columns, by which rows can be named`,
    );
  }
  return key;
}

function readKeys(
  sql: SqlStorage,
  { table, columns }: DeclaredKey,
  { where, params }: ParsedThaw,
): KeptKey[] {
  const names = columns.map((name) => exactColumns(quoteName(name))).join(", ");
  // The expression may end in a comment.
  const text = `SELECT ${names} FROM ${quoteName(table)} WHERE (${where}\n) LIMIT ${MAX_THAW_ROWS + 1}`;
  const bound = new BoundStatement(parseStatement(text).tokens, params);
  const keys: KeptKey[] = [];
  let bytes = 0;
  for (const row of rowsOf(sql, bound)) {
    const key = keyOf(table, row);
    bytes += JSON.stringify(key).length;
    if (keys.push(key) > MAX_THAW_ROWS || bytes > MAX_NOTES_BYTES) {
      throw badRequest(
        "where",
        `an expression for at most ${MAX_THAW_ROWS} rows with keys of at most ${MAX_NOTES_BYTES} bytes together`,
      );
    }
  }
  return keys;
}

function* rowsOf(sql: SqlStorage, bound: BoundStatement): Generator<readonly unknown[]> {
  try {
    yield* sql.exec(bound.sql(), ...bound.bindings()).raw();
  } catch (cause) {
    throw new WireError("sql-error", messageOf(cause), undefined, { cause });
  }
}

function keyOf(table: string, row: readonly unknown[]): KeptKey {
  const values = Array.from({ length: row.length / 2 }, (_, index) =>
    exactValue(row[2 * index], row[2 * index + 1]),
  );
  if (values.some((value) => value.class === "null")) {
    throw badRequest("where", `rows that can be named: one of table ${table} has NULL in its primary key`);
  }
  return values.map(emitWireValue);
}

/** The notes with more keys of a table; those that are noted already are not noted again. */
function withKeys(notes: readonly KeptThaw[], more: KeptThaw): { notes: readonly KeptThaw[]; added: number } {
  const same = (note: KeptThaw) => note.table === more.table && String(note.columns) === String(more.columns);
  const before = notes.find(same)?.keys ?? [];
  const known = new Set(before.map((key) => JSON.stringify(key)));
  const added = more.keys.filter((key) => !known.has(JSON.stringify(key)));
  const merged = { ...more, keys: [...before, ...added] };
  return { notes: [...notes.filter((note) => !same(note)), merged], added: added.length };
}
