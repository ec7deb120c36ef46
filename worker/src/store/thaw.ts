// What the application wants back among the hot rows of a split user (docs/split.md, "Back from the archive"). The store keeps the rows' keys, until an
// operator's command brings the rows home: content moves between the sides under a claim only.
import { BoundStatement } from "../query/parameters.ts";
import { demandServing, queryRule } from "../query/execute.ts";
import { parseStatement } from "../query/statement.ts";
import type { ParsedThaw } from "../query/thaw-request.ts";
import { WireError, badRequest, messageOf } from "../wire/errors.ts";
import { type Key, emitWireValue } from "../wire/values.ts";
import type { KeptThaw } from "./bookkeeping.ts";
import type { StoreContext } from "./context.ts";
import { isSqliteName, type TableShape } from "./catalog.ts";
import { demandTable } from "./export.ts";
import { demandPhase } from "./guard.ts";
import { exactColumns, exactValue } from "./row-reader.ts";
import { quoteName } from "./sql-text.ts";

/** Rows that one request may ask for. */
export const MAX_THAW_ROWS = 1000;

// One value of the key-value side takes 2 MB, and one answer has to carry all that wait.
const MAX_THAW_BYTES = 64 * 1024;
const MAX_WAITING = 100;

/**
 * Notes the cold rows for which the request's expression is true.
 * @returns how many they are
 * @throws WireError not-active, not-split, not-found, sql-error, bad-request, too-large or overloaded
 */
export function noteThaw(store: StoreContext, request: ParsedThaw): number {
  const { storage, books } = store;
  return storage.transactionSync(() => {
    demandServing(books, queryRule(books, "cold", "write"));
    const thaw = rowsOf(store, request);
    if (thaw.keys.length > 0) keep(store, thaw);
    return thaw.keys.length;
  });
}

/** All that wait, in the order in which they came. @throws WireError wrong-phase */
export function waitingThaws({ books }: StoreContext): { thaws: readonly KeptThaw[] } {
  demandPhase(books.state, "export");
  return { thaws: books.thaws() };
}

function rowsOf({ sql }: StoreContext, request: ParsedThaw): KeptThaw {
  if (isSqliteName(request.table)) throw new WireError("not-found", `${request.table} is SQLite's own table`);
  const shape = demandTable(sql, request.table);
  const keys = readKeys(sql, shape, request);
  if (keys.length > MAX_THAW_ROWS) {
    throw badRequest("where", `at most ${MAX_THAW_ROWS} rows in one request, and more are meant`);
  }
  return { table: shape.name, keys: keys.map((key) => key.map(emitWireValue)) };
}

function readKeys(sql: SqlStorage, shape: TableShape, { where, params }: ParsedThaw): Key[] {
  const columns = shape.key.map(({ name }) => exactColumns(quoteName(name))).join(", ");
  // The expression may end in a comment.
  const text = `SELECT ${columns} FROM ${quoteName(shape.name)} WHERE (${where}\n) LIMIT ${MAX_THAW_ROWS + 1}`;
  const { kind, tokens } = parseStatement(text);
  if (kind !== "rows") throw badRequest("where", "one SQL expression over the table's columns");
  const bound = new BoundStatement(tokens, params);
  try {
    return [...sql.exec(bound.sql(), ...bound.bindings()).raw()].map(keyOf);
  } catch (cause) {
    throw new WireError("sql-error", messageOf(cause), undefined, { cause });
  }
}

function keyOf(row: readonly unknown[]): Key {
  return Array.from({ length: row.length / 2 }, (_, index) => exactValue(row[2 * index], row[2 * index + 1]));
}

function keep({ books }: StoreContext, thaw: KeptThaw): void {
  const bytes = JSON.stringify(thaw).length;
  if (bytes > MAX_THAW_BYTES) {
    throw new WireError(
      "too-large",
      `the rows' keys take ${bytes} bytes, and a request ${MAX_THAW_BYTES}: ask for fewer`,
    );
  }
  if (books.thawsWaiting >= MAX_WAITING) {
    throw new WireError("overloaded", `${MAX_WAITING} requests to thaw wait for \`dbmigrate thaw --requested\``);
  }
  books.keepThaw(thaw);
}
