/// <reference path="./wasm.d.ts" />
// One instance of SQLite per isolate, made when the first file is opened.
import authorizerModule from "./authorizer.wasm?module";
import progressModule from "./progress.wasm?module";
import sqliteModule from "@sqlite.org/sqlite-wasm/sqlite3.wasm?module";
import { authorize } from "./authorizer.ts";
import { hostImports } from "./host.ts";
import { countSteps } from "./steps.ts";
import { encodeText, LinearMemory, type Pointer } from "./memory.ts";

/**
 * The C functions that we call, as the WebAssembly build exports them (int64 is bigint, pointers are
 * numbers).
 */
interface SqliteExports {
  __wasm_call_ctors(): void;
  __indirect_function_table: WebAssembly.Table;
  sqlite3_initialize(): number;
  sqlite3_malloc64(size: bigint): Pointer;
  sqlite3_free(at: Pointer): void;
  sqlite3_open_v2(name: Pointer, out: Pointer, flags: number, vfs: Pointer): number;
  sqlite3_close_v2(db: Pointer): number;
  sqlite3_errmsg(db: Pointer): Pointer;
  sqlite3_errstr(code: number): Pointer;
  sqlite3_extended_errcode(db: Pointer): number;
  sqlite3_error_offset(db: Pointer): number;
  sqlite3_limit(db: Pointer, id: number, value: number): number;
  sqlite3_overload_function(db: Pointer, name: Pointer, arguments_: number): number;
  sqlite3_drop_modules(db: Pointer, keep: Pointer): number;
  sqlite3__wasm_db_config_ip(db: Pointer, option: number, value: number, out: Pointer): number;
  sqlite3_set_authorizer(db: Pointer, callback: Pointer, argument: Pointer): number;
  sqlite3_progress_handler(db: Pointer, steps: number, callback: Pointer, argument: Pointer): void;
  sqlite3_deserialize(
    db: Pointer,
    schema: Pointer,
    data: Pointer,
    size: bigint,
    room: bigint,
    flags: number,
  ): number;
  sqlite3_serialize(db: Pointer, schema: Pointer, size: Pointer, flags: number): Pointer;
  sqlite3_file_control(db: Pointer, schema: Pointer, operation: number, argument: Pointer): number;
  sqlite3_total_changes64(db: Pointer): bigint;
  sqlite3session_create(db: Pointer, schema: Pointer, out: Pointer): number;
  sqlite3session_attach(session: Pointer, table: Pointer): number;
  sqlite3session_changeset(session: Pointer, size: Pointer, out: Pointer): number;
  sqlite3session_delete(session: Pointer): void;
  sqlite3changeset_start(out: Pointer, size: number, changes: Pointer): number;
  sqlite3changeset_next(at: Pointer): number;
  sqlite3changeset_op(
    at: Pointer,
    table: Pointer,
    columns: Pointer,
    operation: Pointer,
    indirect: Pointer,
  ): number;
  sqlite3changeset_new(at: Pointer, column: number, out: Pointer): number;
  sqlite3changeset_old(at: Pointer, column: number, out: Pointer): number;
  sqlite3changeset_finalize(at: Pointer): number;
  sqlite3_value_type(value: Pointer): number;
  sqlite3_value_int64(value: Pointer): bigint;
  sqlite3_value_double(value: Pointer): number;
  sqlite3_value_text(value: Pointer): Pointer;
  sqlite3_value_blob(value: Pointer): Pointer;
  sqlite3_value_bytes(value: Pointer): number;
  sqlite3_prepare_v3(
    db: Pointer,
    sql: Pointer,
    bytes: number,
    flags: number,
    out: Pointer,
    tail: Pointer,
  ): number;
  sqlite3_finalize(statement: Pointer): number;
  sqlite3_step(statement: Pointer): number;
  sqlite3_bind_parameter_count(statement: Pointer): number;
  sqlite3_bind_null(statement: Pointer, index: number): number;
  sqlite3_bind_double(statement: Pointer, index: number, value: number): number;
  sqlite3_bind_text(
    statement: Pointer,
    index: number,
    text: Pointer,
    bytes: number,
    destructor: number,
  ): number;
  sqlite3_bind_blob(
    statement: Pointer,
    index: number,
    blob: Pointer,
    bytes: number,
    destructor: number,
  ): number;
  sqlite3_column_count(statement: Pointer): number;
  sqlite3_column_name(statement: Pointer, index: number): Pointer;
  sqlite3_column_type(statement: Pointer, index: number): number;
  sqlite3_column_int64(statement: Pointer, index: number): bigint;
  sqlite3_column_double(statement: Pointer, index: number): number;
  sqlite3_column_text(statement: Pointer, index: number): Pointer;
  sqlite3_column_blob(statement: Pointer, index: number): Pointer;
  sqlite3_column_bytes(statement: Pointer, index: number): number;
}

/** SQLite with the memory it lives in. Calls are synchronous: one file at a time is open in it. */
export interface Sqlite {
  c: SqliteExports;
  memory: LinearMemory;
  /** Function pointer for sqlite3_set_authorizer. */
  authorizer: Pointer;
  /** Function pointer for sqlite3_progress_handler. */
  progress: Pointer;
}

/**
 * What the official build declares for its imported memory (Emscripten's INITIAL_MEMORY and MAXIMUM_MEMORY,
 * in pages).
 */
const MEMORY = { initial: 128, maximum: 32_768 };

/**
 * Memory never shrinks, so an instance that a large file has blown up is given back rather than kept for the
 * isolate's life.
 */
const KEEP_BELOW_BYTES = 48 * 1024 * 1024;

let instance: Sqlite | undefined;

/** The isolate's SQLite. */
export function sqlite(): Sqlite {
  return (instance ??= instantiate());
}

/** Call when a file has been closed: lets a large instance go. */
export function releaseLargeSqlite(): void {
  if (instance && instance.memory.size > KEEP_BELOW_BYTES) instance = undefined;
}

/** Forgets the instance: after a WebAssembly trap its memory cannot be trusted. */
export function discardSqlite(): void {
  instance = undefined;
}

function instantiate(): Sqlite {
  const memory = new LinearMemory(new WebAssembly.Memory(MEMORY));
  const wasm = new WebAssembly.Instance(sqliteModule, hostImports(sqliteModule, memory));
  const c = wasm.exports as unknown as SqliteExports;
  c.__wasm_call_ctors();
  const code = c.sqlite3_initialize();
  if (code !== 0) throw new Error(`start SQLite: ${memory.cString(c.sqlite3_errstr(code))}`);
  return { c, memory, authorizer: installAuthorizer(c, memory), progress: installProgress(c) };
}

/**
 * Puts `authorize` where C can call it. A table takes only WebAssembly functions, and Workers may not compile
 * one at run time: authorizer.wasm is the smallest module that hands its import (host.authorize, six i32 to
 * i32) out again as an export. The module progress.wasm does the same with host.progress, i32 to i32.
 */
function installAuthorizer(c: SqliteExports, memory: LinearMemory): Pointer {
  const text = (at: Pointer): string | null => (at === 0 ? null : memory.cString(at));
  const host = {
    authorize: (_argument: Pointer, action: number, first: Pointer, second: Pointer, schema: Pointer) =>
      authorize({ action, first: text(first), second: text(second), schema: text(schema) }),
  };
  return install(c, new WebAssembly.Instance(authorizerModule, { host }).exports.authorize);
}

function installProgress(c: SqliteExports): Pointer {
  return install(
    c,
    new WebAssembly.Instance(progressModule, { host: { progress: countSteps } }).exports.progress,
  );
}

function install(c: SqliteExports, callback: unknown): Pointer {
  const index = c.__indirect_function_table.grow(1);
  c.__indirect_function_table.set(index, callback);
  return index;
}

/** Runs `use` with a copy of `bytes` in SQLite's memory. An empty array gets an address too. */
export function withBytes<T>({ c, memory }: Sqlite, bytes: Uint8Array, use: (at: Pointer) => T): T {
  const at = allocate(c, bytes.byteLength);
  try {
    memory.write(at, bytes);
    return use(at);
  } finally {
    c.sqlite3_free(at);
  }
}

/** Runs `use` with a NUL-terminated text in SQLite's memory. */
export function withText<T>(lib: Sqlite, text: string, use: (at: Pointer) => T): T {
  return withBytes(lib, encodeText(`${text}\0`), use);
}

/** Memory of SQLite's own allocator. Throws when there is none left. */
export function allocate(c: SqliteExports, size: number): Pointer {
  const at = c.sqlite3_malloc64(BigInt(Math.max(size, 1)));
  if (at === 0) throw new Error(`allocate ${size} bytes for SQLite: out of memory`);
  return at;
}
