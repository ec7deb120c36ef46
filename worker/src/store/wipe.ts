// Deletes what is the user's. It costs CPU time for each page, even where a whole table goes, and a request has
// 30 seconds of it. So the content of a large object is given up first, in the transaction of the message, and
// deleted afterwards in bounded steps: until then nothing reads it, since the phase says that there is none.
import {
  type TableShape,
  hasTable,
  isPlatformName,
  isSqliteName,
  tableShape,
  userTables,
} from "./catalog.ts";
import type { StoreContext } from "../state/context.ts";
import { setForeignKeys } from "../state/pragmas.ts";
import { ROW, balanced, quoteName, rowColumn } from "../state/sql-text.ts";
import { keyOrder, notBeyond } from "./keyset.ts";
import { exactColumns, exactValue } from "./row-reader.ts";

/** What a request may delete, in bytes. */
export interface WipeBounds {
  /** Of a database that goes at once. Row by row takes longer, and each row is billed as one written. */
  readonly wholeBytes: number;
  /** Of rows, in a request and in a step. */
  readonly requestBytes: number;
  readonly stepBytes: number;
  /** What a row costs beside its bytes, in the table and in each index. */
  readonly rowBytes: number;
}

/** A database of 1.17 GB went in 5.9 seconds. */
export const WIPE_BOUNDS: WipeBounds = {
  wholeBytes: 1024 * 1024 * 1024,
  requestBytes: 256 * 1024 * 1024,
  stepBytes: 8 * 1024 * 1024,
  rowBytes: 512,
};

const FIRST_GUESS_ROWS = 64;
const MAX_KEY = 50;

/**
 * Gives up everything that is the user's and forgets what we knew about it. Runs inside the caller's
 * transaction, with foreign keys off: dropping a parent table would otherwise fail. What is too large for one
 * request is left to `clearRest`. deleteAll() is no way: it would take the claim counter along.
 */
export function wipe({ sql, books }: StoreContext, bounds: WipeBounds = WIPE_BOUNDS): void {
  books.wipe();
  books.hasRest = sql.databaseSize > bounds.wholeBytes;
  if (!books.hasRest) dropEverything(sql);
}

/**
 * Goes on with deleting what a wipe gave up, as far as one request may: `books.hasRest` says whether that was
 * enough.
 */
export async function clearRest(store: StoreContext, bounds: WipeBounds = WIPE_BOUNDS): Promise<void> {
  const { storage, books } = store;
  for (let spent = 0; books.hasRest && spent < bounds.requestBytes;) {
    await setForeignKeys(storage, false);
    spent += storage.transactionSync(() => (books.hasRest ? clearStep(store, bounds) : 0));
    await scheduler.wait(0);
  }
}

// One step; what it cost, in bytes.
function clearStep({ sql, books }: StoreContext, bounds: WipeBounds): number {
  // SQLite deletes a virtual table as a whole only: what it keeps its rows in is not ours to change.
  const tables = dropAround(sql);
  if (tables.length === 0 || sql.databaseSize <= bounds.wholeBytes) {
    dropEverything(sql);
    books.hasRest = false;
    return bounds.requestBytes;
  }
  let spent = 0;
  for (const name of tables) {
    spent += emptyTable(sql, name, { ...bounds, stepBytes: bounds.stepBytes - spent });
    if (spent >= bounds.stepBytes) return spent;
    dropTable(sql, name);
  }
  return Math.max(1, spent);
}

// Deletes rows until none is left, or the step's bytes are spent; what that cost.
function emptyTable(sql: SqlStorage, name: string, { stepBytes, rowBytes }: WipeBounds): number {
  const shape = tableShape(sql, name);
  // A result has at most 100 columns, and a key that is read exactly takes two for each of its own.
  if (shape === undefined || shape.key.length > MAX_KEY) return 0;
  const each = rowBytes * (1 + countIndexes(sql, name));
  let spent = 0;
  for (let rows = FIRST_GUESS_ROWS; spent < stepBytes;) {
    const next = measure(sql, shape, rows);
    if (next.rows === 0) break;
    const cost = next.bytes + next.rows * each;
    if (cost > stepBytes - spent && rows > 1) {
      if (spent > 0) return stepBytes;
      rows >>= 1;
      continue;
    }
    deleteFirst(sql, shape, next.rows);
    spent += cost;
    rows *= 2;
  }
  return spent;
}

// SQLite does not read long values for their lengths.
function measure(sql: SqlStorage, shape: TableShape, limit: number): { rows: number; bytes: number } {
  const lengths = shape.columns.map((name) => `ifnull(octet_length(${rowColumn(name)}), 0)`);
  const rows = `SELECT ${balanced(lengths, "+")} AS b ${firstRows(shape)} LIMIT ?`;
  const [row] = sql.exec(`SELECT count(*), sum(b) FROM (${rows})`, limit).raw();
  return { rows: Number(row?.[0] ?? 0), bytes: Number(row?.[1] ?? 0) };
}

// By the last key among them: SQLite then goes along the index of the keys.
function deleteFirst(sql: SqlStorage, shape: TableShape, rows: number): void {
  const columns = shape.key.map(({ name }) => exactColumns(rowColumn(name)));
  const query = `SELECT ${columns.join(", ")} ${firstRows(shape)} LIMIT 1 OFFSET ?`;
  const row =
    sql
      .exec(query, rows - 1)
      .raw()
      .next().value ?? [];
  const last = shape.key.map((_, index) => exactValue(row[2 * index], row[2 * index + 1]));
  const where = notBeyond(shape, last);
  sql.exec(`DELETE FROM ${quoteName(shape.name)} AS ${ROW} WHERE ${where.sql}`, ...where.bindings);
}

function firstRows(shape: TableShape): string {
  return `FROM ${quoteName(shape.name)} AS ${ROW} ORDER BY ${keyOrder(shape)}`;
}

function countIndexes(sql: SqlStorage, table: string): number {
  const query = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?";
  return Number(sql.exec(query, table).raw().next().value?.[0] ?? 0);
}

// Drops what is around the ordinary tables, and names these.
function dropAround(sql: SqlStorage): string[] {
  dropAll(sql, "trigger");
  dropAll(sql, "view");
  const tables = userTables(sql);
  for (const { name } of tables.filter(({ type }) => type === "virtual")) dropTable(sql, name);
  return tables.filter(({ type }) => type === "table").map(({ name }) => name);
}

function dropEverything(sql: SqlStorage): void {
  for (const name of dropAround(sql)) dropTable(sql, name);
  if (hasTable(sql, "sqlite_sequence")) sql.exec("DELETE FROM sqlite_sequence");
  if (hasTable(sql, "sqlite_stat1")) sql.exec("DROP TABLE sqlite_stat1");
}

function dropAll(sql: SqlStorage, type: "trigger" | "view"): void {
  const rows = [...sql.exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = ?", type)];
  for (const { name } of rows) {
    if (!isSqliteName(name) && !isPlatformName(name)) sql.exec(`DROP ${type} ${quoteName(name)}`);
  }
}

function dropTable(sql: SqlStorage, name: string): void {
  sql.exec(`DROP TABLE IF EXISTS ${quoteName(name)}`);
}
