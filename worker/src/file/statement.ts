// One statement on an open file: parameters in, rows out, every value exact.
import type { ParsedStatement } from "../query/request.ts";
import type { ResultValue, StatementResult } from "../query/types.ts";
import { emitBlob, emitInteger, emitReal } from "../query/values.ts";
import { WireError } from "../wire/errors.ts";
import type { FileDatabase } from "./database.ts";
import { decodeText, encodeText, type Pointer } from "./memory.ts";
import { bindParameters } from "./parameters.ts";
import { withBytes } from "./sqlite.ts";

/** What sqlite3_step answers while there are rows, and at the end. */
const ROW = 100;
const DONE = 101;
/** Storage classes, as sqlite3_column_type answers them; the fifth is NULL. */
const CLASS = { INTEGER: 1, REAL: 2, TEXT: 3, BLOB: 4 } as const;

/**
 * Runs one statement to its end.
 * `rowsRead` counts the rows returned and `rowsWritten` the rows changed: files are not billed by row.
 * @throws WireError sql-error, or what the file or the machine is to blame for
 */
export function runStatement(db: FileDatabase, statement: ParsedStatement): StatementResult {
  return withPrepared(db, statement.sql, (prepared) => {
    bindParameters(db, prepared, statement.params);
    const changedBefore = db.totalChanges();
    const columns = columnNames(db, prepared);
    const rows = allRows(db, prepared, columns.length);
    return { columns, rows, rowsRead: rows.length, rowsWritten: Number(db.totalChanges() - changedBefore) };
  });
}

/** Prepares the only statement of a text, and finalizes it afterwards. */
function withPrepared<T>(db: FileDatabase, sql: string, use: (prepared: Pointer) => T): T {
  if (sql.includes("\0")) throw new WireError("sql-error", "the SQL text holds a NUL character");
  const text = encodeText(`${sql}\0`);
  return withBytes(db.lib, text, (at) => {
    const end = at + text.byteLength - 1;
    const first = prepare(db, at, end);
    try {
      if (first.prepared === 0) throw new WireError("sql-error", "the text holds no statement");
      refuseSecondStatement(db, first.tail, end);
      return use(first.prepared);
    } finally {
      db.lib.c.sqlite3_finalize(first.prepared);
    }
  });
}

/** Prepares the first statement of a text; `prepared` is 0 when there is none, `tail` is where it ended. */
function prepare(db: FileDatabase, at: Pointer, end: Pointer): { prepared: Pointer; tail: Pointer } {
  const { lib } = db;
  return withBytes(lib, new Uint8Array(8), (out) => {
    db.check(lib.c.sqlite3_prepare_v3(db.handle, at, end - at, 0, out, out + 4));
    return { prepared: lib.memory.readInt32(out), tail: lib.memory.readInt32(out + 4) };
  });
}

function refuseSecondStatement(db: FileDatabase, tail: Pointer, end: Pointer): void {
  const { prepared } = prepare(db, tail, end);
  if (prepared === 0) return;
  db.lib.c.sqlite3_finalize(prepared);
  throw new WireError("sql-error", "one entry holds one statement, and this one holds more");
}

function columnNames({ lib: { c, memory } }: FileDatabase, prepared: Pointer): string[] {
  return Array.from({ length: c.sqlite3_column_count(prepared) }, (_, i) =>
    memory.cString(c.sqlite3_column_name(prepared, i)),
  );
}

function allRows(db: FileDatabase, prepared: Pointer, columns: number): ResultValue[][] {
  const rows: ResultValue[][] = [];
  for (;;) {
    const code = db.lib.c.sqlite3_step(prepared);
    if (code === DONE) return rows;
    if (code !== ROW) db.check(code);
    rows.push(Array.from({ length: columns }, (_, i) => columnValue(db, prepared, i)));
  }
}

function columnValue(db: FileDatabase, prepared: Pointer, index: number): ResultValue {
  const { c, memory } = db.lib;
  switch (c.sqlite3_column_type(prepared, index)) {
    case CLASS.INTEGER:
      return emitInteger(c.sqlite3_column_int64(prepared, index));
    case CLASS.REAL:
      return emitReal(c.sqlite3_column_double(prepared, index));
    case CLASS.TEXT:
      // The pointer first: asking for UTF-8 may convert, and the length is that of what was asked for.
      return decodeText(columnBytes(c.sqlite3_column_text(prepared, index)));
    case CLASS.BLOB:
      return emitBlob(columnBytes(c.sqlite3_column_blob(prepared, index)));
    default:
      return null;
  }

  function columnBytes(at: Pointer): Uint8Array {
    const length = c.sqlite3_column_bytes(prepared, index);
    if (at === 0 && length > 0) throw new Error("read a value: SQLite ran out of memory");
    return memory.view(at, length);
  }
}
