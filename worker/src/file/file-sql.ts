// exec() of a Durable Object's SqlStorage, on an open file: the same bindings, the same values, the same
// words in errors.
import type { Binding } from "../query/parameters.ts";
import { ResultBudget } from "../query/budget.ts";
import type { Cell, Sql, SqlCursor } from "../query/sql.ts";
import { splitStatements } from "../query/statement.ts";
import { textOf } from "../query/tokens.ts";
import { messageOf, WireError } from "../wire/errors.ts";
import { asOurselves } from "./authorizer.ts";
import type { FileDatabase } from "./database.ts";
import { withCode } from "./codes.ts";
import { textLimit, withOwnLimits } from "./limits.ts";
import { decodeText, encodeText, type Pointer } from "./memory.ts";
import { refuseReservedRename } from "./reserved.ts";
import { withBytes } from "./sqlite.ts";

/** What sqlite3_step answers while there are rows, and at the end. */
const ROW = 100;
const DONE = 101;
/** SQLITE_TOOBIG. */
const TOO_BIG = 18;
/** Storage classes, as sqlite3_column_type answers them; the fifth is NULL. */
const CLASS = { INTEGER: 1, REAL: 2, TEXT: 3, BLOB: 4 } as const;
/** Tells SQLite to copy what is bound, so that our copy can be freed at once. */
const TRANSIENT = -1;

/** A row of more than 99 columns is read as two (src/query/read-exact.ts). */
const MOST_ROWS_FOR_ONE = 2;

/** Runs statements on a file, each to its end. */
export class FileSql implements Sql {
  private pageSize: number | undefined;

  constructor(private readonly db: FileDatabase) {}

  /** `rowsRead` counts the rows returned and `rowsWritten` the rows changed: files are not billed by row. */
  exec(query: string, ...bindings: Binding[]): SqlCursor {
    return this.tried(() => this.run(query, bindings));
  }

  /** Reads a statement and runs nothing. EXPLAIN would take functions that there are not. */
  compile(query: string): void {
    this.tried(() => this.withPrepared(query, () => undefined));
  }

  private tried<T>(run: () => T): T {
    try {
      return run();
    } catch (cause) {
      if (cause instanceof WireError) throw cause;
      throw new WireError("internal", `run a statement on the file: ${messageOf(cause)}`, undefined, {
        cause,
      });
    }
  }

  /**
   * Runs all statements of a text; the bindings are the last one's. @throws WireError as exec does
   */
  execText(query: string, bindings: readonly Binding[]): SqlCursor {
    const statements = splitStatements(query);
    for (const tokens of statements) refuseReservedRename(tokens);
    const last = statements.pop();
    for (const tokens of statements) this.exec(textOf(tokens));
    return this.tried(() => this.run(last === undefined ? query : textOf(last), bindings, true));
  }

  /** Bytes of the pages in use, as an object counts them. Its first page is there from the beginning. */
  get databaseSize(): number {
    this.pageSize ??= this.number("PRAGMA page_size");
    const used = this.number("PRAGMA page_count") - this.number("PRAGMA freelist_count");
    return Math.max(used, 1) * this.pageSize;
  }

  /** What PRAGMA user_version says. */
  get userVersion(): number {
    return this.number("PRAGMA user_version");
  }

  set userVersion(version: number) {
    asOurselves(() => this.exec(`PRAGMA user_version = ${version}`));
  }

  private number(sql: string): number {
    const [[value] = []] = asOurselves(() => this.exec(sql)).raw();
    return Number(value);
  }

  private run(query: string, bindings: readonly Binding[], exactly = false): SqlCursor {
    return this.withPrepared(query, (prepared) => {
      const count = this.db.lib.c.sqlite3_bind_parameter_count(prepared);
      if (exactly && bindings.length !== count) throw wrongBindings();
      bindings.forEach((binding, i) => this.db.check(this.bind(prepared, i + 1, binding)));
      const changedBefore = this.db.totalChanges();
      const columnNames = this.columnNames(prepared);
      const run = (): Cell[][] => this.allRows(prepared, columnNames.length);
      const rows = /^ALTER\b/i.test(query) ? this.alter(run) : run();
      const rowsWritten = Number(this.db.totalChanges() - changedBefore);
      return { columnNames, rowsRead: rows.length, rowsWritten, raw: () => rows };
    });
  }

  /**
   * ALTER reads the whole schema again, and another object of the file may be over a limit. Its own text was
   * under them, and what it makes has to be, too.
   */
  private alter(run: () => Cell[][]): Cell[][] {
    const before = new Set(this.longTexts());
    const rows = withOwnLimits(this.db.lib, this.db.handle, run);
    if (this.longTexts().some((text) => !before.has(text)))
      throw new WireError("sql-error", withCode("string or blob too big", TOO_BIG));
    return rows;
  }

  /** Texts of the schema that no statement could have. */
  private longTexts(): string[] {
    const most = textLimit(this.db.lib, this.db.handle);
    const sql = "SELECT sql FROM main.sqlite_schema WHERE octet_length(sql) > CAST(? AS INTEGER)";
    return [...this.run(sql, [most]).raw()].map(([text]) => String(text));
  }

  /** Prepares the only statement of a text, and finalizes it afterwards. */
  private withPrepared<T>(sql: string, use: (prepared: Pointer) => T): T {
    const { lib } = this.db;
    if (sql.includes("\0")) throw new WireError("sql-error", "the SQL text holds a NUL character");
    const text = encodeText(`${sql}\0`);
    return withBytes(lib, text, (at) => {
      const end = at + text.byteLength - 1;
      const first = this.prepare(at, end);
      try {
        if (first.prepared === 0) throw new WireError("sql-error", "the text holds no statement");
        this.refuseSecondStatement(first.tail, end);
        return use(first.prepared);
      } finally {
        lib.c.sqlite3_finalize(first.prepared);
      }
    });
  }

  /** Prepares the first statement of a text; `prepared` is 0 when there is none, `tail` is where it ended. */
  private prepare(at: Pointer, end: Pointer): { prepared: Pointer; tail: Pointer } {
    const { lib, handle } = this.db;
    return withBytes(lib, new Uint8Array(8), (out) => {
      this.db.check(lib.c.sqlite3_prepare_v3(handle, at, end - at, 0, out, out + 4));
      return { prepared: lib.memory.readInt32(out), tail: lib.memory.readInt32(out + 4) };
    });
  }

  private refuseSecondStatement(tail: Pointer, end: Pointer): void {
    const { prepared } = this.prepare(tail, end);
    if (prepared === 0) return;
    this.db.lib.c.sqlite3_finalize(prepared);
    throw new WireError("sql-error", "one entry holds one statement, and this one holds more");
  }

  private bind(prepared: Pointer, index: number, binding: Binding): number {
    const { lib } = this.db;
    const { c } = lib;
    if (binding === null) return c.sqlite3_bind_null(prepared, index);
    if (typeof binding === "number") return c.sqlite3_bind_double(prepared, index, binding);
    if (typeof binding === "string") {
      const bytes = encodeText(binding);
      return withBytes(lib, bytes, (at) =>
        c.sqlite3_bind_text(prepared, index, at, bytes.byteLength, TRANSIENT),
      );
    }
    const bytes = new Uint8Array(binding);
    return withBytes(lib, bytes, (at) =>
      c.sqlite3_bind_blob(prepared, index, at, bytes.byteLength, TRANSIENT),
    );
  }

  private columnNames(prepared: Pointer): string[] {
    const { c, memory } = this.db.lib;
    return Array.from({ length: c.sqlite3_column_count(prepared) }, (_, i) =>
      memory.cString(c.sqlite3_column_name(prepared, i)),
    );
  }

  private allRows(prepared: Pointer, columns: number): Cell[][] {
    const rows: Cell[][] = [];
    const budget = new ResultBudget();
    for (;;) {
      const code = this.db.lib.c.sqlite3_step(prepared);
      if (code === DONE) return rows;
      if (code !== ROW) this.db.check(code);
      const row = Array.from({ length: columns }, (_, i) => this.cell(prepared, i));
      budget.take(row, MOST_ROWS_FOR_ONE);
      rows.push(row);
    }
  }

  private cell(prepared: Pointer, index: number): Cell {
    const { c } = this.db.lib;
    switch (c.sqlite3_column_type(prepared, index)) {
      case CLASS.INTEGER:
        return Number(c.sqlite3_column_int64(prepared, index));
      case CLASS.REAL:
        return c.sqlite3_column_double(prepared, index);
      case CLASS.TEXT:
        // The pointer first: asking for UTF-8 may convert, and the length is that of what was asked for.
        return decodeText(this.bytes(prepared, index, c.sqlite3_column_text(prepared, index)));
      case CLASS.BLOB:
        return this.bytes(prepared, index, c.sqlite3_column_blob(prepared, index)).slice().buffer;
      default:
        return null;
    }
  }

  private bytes(prepared: Pointer, index: number, at: Pointer): Uint8Array<ArrayBuffer> {
    const length = this.db.lib.c.sqlite3_column_bytes(prepared, index);
    if (at === 0 && length > 0) throw new Error("read a value: SQLite ran out of memory");
    return this.db.lib.memory.view(at, length) as Uint8Array<ArrayBuffer>;
  }
}

/** As a Durable Object says it. */
function wrongBindings(): WireError {
  return new WireError("sql-error", "Wrong number of parameter bindings for SQL query.");
}
