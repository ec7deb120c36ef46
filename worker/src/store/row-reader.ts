// Reads rows in key order as cells and reals (docs/wire-format.md, section 3.1), many rows per query.
import { encodeCell, realCells } from "../wire/cells.ts";
import { messageOf } from "../wire/errors.ts";
import { LIMITS } from "../wire/limits.ts";
import type { ExactValue, Key } from "../wire/values.ts";
import type { TableShape } from "./catalog.ts";
import { all, equalTo, keyOrder, notBeyond, runsAfter } from "./keyset.ts";
import { type Binding, type BoundExpression, ROW, quoteName, rowColumn } from "../state/sql-text.ts";

/** Some consecutive rows. */
export interface Chunk {
  readonly rows: number;
  readonly cells: readonly Uint8Array[];
  /** 8 bytes for each REAL, little-endian. */
  readonly reals: Uint8Array;
  /** Key of the last row; null when there are no rows. */
  readonly last: Key | null;
}

// The cells of a chunk are one SQLite string, and production takes none over 2,000,000 bytes.
const TARGET_BYTES = 512 * 1024;
// Who wants little gets little from the first query on, also of rows that are long.
const FIRST_GUESS_ROWS = 64;
const FIRST_GUESS_ROW_BYTES = 1024;
const MAX_ROWS = 2048;
// concat() takes 127 arguments.
const CONCAT_ARGUMENTS = 100;
// A query names each column about ten times, and SQLite takes a text of 100,000 bytes.
const LONG_NAMES = 4000;
// Two result columns per value, and a result has at most 100.
const EXACT_VALUES_PER_QUERY = 50;

const noRows: Chunk = { rows: 0, cells: [], reals: new Uint8Array(0), last: null };

/** Reads one table. It learns from each chunk how many rows to ask for in the next. */
export class RowReader {
  readonly shape: TableShape;
  readonly #sql: SqlStorage;
  readonly #read: Source;
  readonly #rowCells: string;
  /** The key, where it is the rowid, which grows from row to row. */
  readonly #rowid: string | undefined;
  readonly #columns: readonly string[];
  /** Where REALs were so far, by the place among the columns. */
  readonly #withReals = new Set<number>();
  readonly #target: number;
  #guess: number;

  /** @param most about how many bytes the caller has use for at once */
  constructor(sql: SqlStorage, shape: TableShape, most = TARGET_BYTES) {
    this.#sql = sql;
    this.shape = shape;
    this.#target = Math.min(most, TARGET_BYTES);
    this.#guess = Math.min(FIRST_GUESS_ROWS, Math.max(1, Math.floor(this.#target / FIRST_GUESS_ROW_BYTES)));
    this.#read = sourceOf(shape);
    this.#columns = rowColumns(this.#read.shape);
    this.#rowCells = concatenation(
      this.#columns.map((column, index) => cellExpression(column, shape.types[index] ?? "")),
    );
    const [key] = this.#read.shape.key;
    if (key?.collation === null && !key.descending) this.#rowid = rowColumn(key.name);
  }

  /**
   * The next rows with `after` < key <= `upto`: at most `limit` (at least 1), and no more than make a chunk
   * of bounded size. No rows means that there are none.
   */
  next(after: Key | null, upto: Key | null, limit: number): Chunk {
    const end = notBeyond(this.#read.shape, upto);
    for (const run of runsAfter(this.#read.shape, after)) {
      const chunk = this.#readRun(all([run, end]), limit);
      if (chunk.rows > 0) return chunk;
    }
    return noRows;
  }

  /** The row with this key, if it is there. */
  at(key: Key): Chunk {
    return this.#readRun(equalTo(this.#read.shape, key), 1);
  }

  #readRun(where: BoundExpression, limit: number): Chunk {
    for (let rows = Math.min(this.#guess, limit); ; rows = rows >> 1) {
      try {
        return this.#readRows(where, rows);
      } catch (error) {
        if (!isTooBig(error)) throw error;
        if (rows === 1) return this.#readLongRow(where);
        this.#guess = rows >> 1;
      }
    }
  }

  #readRows(where: BoundExpression, limit: number): Chunk {
    const columns = [`${this.#rowCells} AS r`, `${this.#rowid ?? "NULL"} AS k`];
    const totals = "CAST(group_concat(r, '') AS BLOB), count(*), CAST(max(k) AS TEXT)";
    const query = `SELECT ${totals} FROM (${this.#select(columns, where, limit)})`;
    const [row] = this.#sql.exec(query, ...where.bindings).raw();
    const rows = Number(row?.[1] ?? 0);
    if (rows === 0) return noRows;
    const cells = new Uint8Array(row?.[0] as ArrayBuffer);
    this.#adapt(cells.length, rows);
    const reals = this.#readReals(where, limit, realCells(cells, this.#columns.length));
    return { rows, cells: [cells], reals, last: this.#lastKey(row?.[2], where, rows) };
  }

  #adapt(bytes: number, rows: number): void {
    const wanted = Math.floor((this.#target * rows) / Math.max(bytes, 1));
    this.#guess = Math.min(MAX_ROWS, Math.max(1, wanted), this.#guess * 8);
  }

  // `counts`: of the REALs in each column.
  #readReals(where: BoundExpression, limit: number, counts: readonly number[]): Uint8Array {
    const count = counts.reduce((sum, some) => sum + some, 0);
    if (count === 0) return new Uint8Array(0);
    counts.forEach((some, column) => some > 0 && this.#withReals.add(column));
    const holding = this.#columns.filter((_, column) => this.#withReals.has(column));
    const values = holding.map((column) => `CASE WHEN ${isReal(column)} THEN ${column} END`);
    const view = new DataView(new ArrayBuffer(count * 8));
    let found = 0;
    for (const row of this.#sql.exec(this.#select(values, where, limit), ...where.bindings).raw()) {
      for (const value of row) {
        if (typeof value !== "number") continue;
        if (found < count) view.setFloat64(found * 8, value, true);
        found++;
      }
    }
    if (found !== count)
      throw new Error(`table ${this.shape.name}: ${found} REALs were read back of ${count}`);
    return new Uint8Array(view.buffer);
  }

  // A rowid is the largest of its chunk. Other keys are read back, which walks over the chunk's rows once
  // more.
  #lastKey(largest: unknown, where: BoundExpression, rows: number): Key {
    if (this.#rowid === undefined) return this.#readKey(where, rows - 1);
    return [{ class: "integer", decimal: String(largest) }];
  }

  #readKey(where: BoundExpression, offset: number): Key {
    return this.#readExact(
      this.#read.shape.key.map(({ name }) => rowColumn(name)),
      where,
      offset,
    );
  }

  // A row with cells that are too long for one string.
  #readLongRow(where: BoundExpression): Chunk {
    const values = this.#readExact(this.#columns, where, 0);
    if (values.length === 0) return noRows;
    const numbers = values.flatMap((value) => (value.class === "real" ? [value.number] : []));
    const reals = new DataView(new ArrayBuffer(numbers.length * 8));
    numbers.forEach((number, index) => reals.setFloat64(index * 8, number, true));
    return {
      rows: 1,
      cells: values.flatMap(encodeCell),
      reals: new Uint8Array(reals.buffer),
      last: this.#readKey(where, 0),
    };
  }

  // Some columns of one row, exactly; nothing when there is no such row.
  #readExact(columns: readonly string[], where: BoundExpression, offset: number): ExactValue[] {
    const values: ExactValue[] = [];
    for (let at = 0; at < columns.length; at += EXACT_VALUES_PER_QUERY) {
      const some = columns.slice(at, at + EXACT_VALUES_PER_QUERY);
      const query = this.#select(some.map(exactColumns), where, 1, offset);
      const [row] = this.#sql.exec(query, ...where.bindings).raw();
      for (let i = 0; row !== undefined && i < row.length; i += 2)
        values.push(exactValue(row[i], row[i + 1]));
    }
    return values;
  }

  #select(expressions: readonly string[], where: BoundExpression, limit: number, offset = 0): string {
    const from = `SELECT ${expressions.join(", ")} FROM ${this.#read.from} AS ${ROW} WHERE ${where.sql}`;
    return `${from} ORDER BY ${keyOrder(this.#read.shape)} LIMIT ${limit} OFFSET ${offset}`;
  }
}

/** What rows are read from, and its columns. */
interface Source {
  readonly from: string;
  readonly shape: TableShape;
}

// Columns with long names under short ones, where a result has room for them and a rowid. SQLite merges the inner SELECT with the outer one, so that the same
// index orders the rows.
function sourceOf(shape: TableShape): Source {
  const table = quoteName(shape.name);
  const fits = shape.columns.length <= LIMITS.columns;
  if (!fits || shape.columns.join("").length < LONG_NAMES) return { from: table, shape };
  const short = new Map(shape.columns.map((name, index) => [name, `c${index}`]));
  const named = (name: string) => short.get(name) ?? name;
  const columns = shape.columns.map((name) => `${rowColumn(name)} AS ${named(name)}`);
  return {
    from: `(SELECT ${columns.join(", ")} FROM ${table} AS ${ROW})`,
    shape: {
      ...shape,
      columns: shape.columns.map(named),
      key: shape.key.map((column) => ({ ...column, name: named(column.name) })),
    },
  };
}

function rowColumns(shape: TableShape): string[] {
  return shape.columns.map(rowColumn);
}

// SQLite asks for one storage class after the other, so the likely one comes first.
function cellExpression(column: string, type: string): string {
  const bytes = `octet_length(${column})`;
  // concat() writes all parts into one buffer, where || makes a new string of each two.
  const cells = {
    text: `concat('T', ${bytes}, ':', ${column})`,
    integer: `concat('I', ${column}, ';')`,
    real: "'R'",
    null: "'N'",
  };
  const order = likelyFirst(type).map((storage) => ` WHEN '${storage}' THEN ${cells[storage]}`);
  return `CASE typeof(${column})${order.join("")} ELSE 'B' || ${bytes} || ':' || ${column} END`;
}

function likelyFirst(type: string): readonly ("text" | "integer" | "real" | "null")[] {
  if (/int/i.test(type)) return ["integer", "null", "text", "real"];
  if (/real|floa|doub/i.test(type)) return ["real", "null", "integer", "text"];
  return ["text", "null", "integer", "real"];
}

function isReal(column: string): string {
  return `(typeof(${column})='real')`;
}

function concatenation(parts: readonly string[]): string {
  if (parts.length <= CONCAT_ARGUMENTS) return `concat(${parts.join(", ")})`;
  return `concat(${concatenation(parts.slice(0, CONCAT_ARGUMENTS))}, ${concatenation(parts.slice(CONCAT_ARGUMENTS))})`;
}

/** Two result columns that show a value exactly, for `exactValue`. */
export function exactColumns(column: string): string {
  const value = `CASE typeof(${column}) WHEN 'integer' THEN CAST(${column} AS TEXT) WHEN 'real' THEN ${column}`;
  return `typeof(${column}), ${value} ELSE CAST(${column} AS BLOB) END`;
}

/** The value that two result columns of `exactColumns` show. */
export function exactValue(storageClass: unknown, value: unknown): ExactValue {
  if (storageClass === "integer") return { class: "integer", decimal: String(value) };
  if (storageClass === "real") return { class: "real", number: Number(value) };
  if (storageClass === "text" || storageClass === "blob") {
    return { class: storageClass, bytes: new Uint8Array(value as Extract<Binding, ArrayBuffer>) };
  }
  return { class: "null" };
}

function isTooBig(error: unknown): boolean {
  return /SQLITE_TOOBIG|SQLITE_NOMEM|too big/.test(messageOf(error));
}
