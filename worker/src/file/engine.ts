// The R2 path's database engine: a file's bytes and a request in, an answer and, if something changed, new
// bytes out.
import { Buffer } from "node:buffer";
import type { ParsedRequest } from "../query/request.ts";
import { withCounts } from "../query/counts.ts";
import { withReads } from "../query/reads.ts";
import { bindStatement, type RunnableStatement, runStatement } from "../query/statements.ts";
import { ExactReader } from "../query/read-exact.ts";
import type { StatementResult } from "../query/types.ts";
import { isUserVersion, userVersionResult } from "../query/user-version.ts";
import { WireError } from "../wire/errors.ts";
import { leniently } from "./authorizer.ts";
import { FileDatabase, type FileRules, type OpenOptions, type Watch, writeInRead } from "./database.ts";
import { FileSql } from "./file-sql.ts";
import { refuseUtf16, withWalFlagsOf } from "./image.ts";
import { refuseReservedRename } from "./reserved.ts";
import { discardSqlite, releaseLargeSqlite } from "./sqlite.ts";
import type { Written } from "./written.ts";

export type { Watch } from "./database.ts";

/**
 * What an isolate of 128 MB has room for: the object as R2 delivers it, SQLite's copy with room to grow, and
 * the copy to save.
 */
export const DEFAULT_MAX_FILE_BYTES = 32 * 1024 * 1024;

export interface FileRun {
  readonly results: readonly StatementResult[];
  /** The whole file to save; null when the request changed nothing. */
  readonly changed: Uint8Array | null;
  /** Where the request is watched. */
  readonly written?: Written | undefined;
}

/**
 * Runs a request on a database file, all statements in one transaction. `file` is not changed; an empty one
 * is an empty database.
 * @throws WireError sql-error, write-in-read, too-costly, too-large (over `maxBytes`, now or by this request), internal (damaged, UTF-16)
 */
export function runOnFile(
  file: Uint8Array,
  request: ParsedRequest,
  maxBytes = DEFAULT_MAX_FILE_BYTES,
  steps?: number,
  rules: FileRules = "store",
  watch?: Watch,
): FileRun {
  const options = { mode: request.mode, maxBytes, rules, watch, ...(steps !== undefined && { steps }) };
  const { value, ...work } = workOnFile(file, options, (db) => inTransaction(db, request, rules));
  return { results: value, ...work };
}

/** What some work on a file gave, and the whole file to save; null when the work changed nothing. */
export interface FileWork<T> {
  readonly value: T;
  readonly changed: Uint8Array | null;
  /** Where the work is watched. */
  readonly written?: Written | undefined;
}

/** Opens a file for some work. @throws WireError as above, and what `work` throws */
export function workOnFile<T>(
  file: Uint8Array,
  options: OpenOptions,
  work: (db: FileDatabase) => T,
): FileWork<T> {
  refuseTooLarge(file.byteLength, options.maxBytes);
  refuseUtf16(file);
  const run = (): FileWork<T> => withDatabase(file, options, (db) => watched(file, db, options, work));
  try {
    return options.rules === "sqlite" ? leniently(run) : run();
  } catch (error) {
    // A trap or an exhausted stack leaves its memory in an unknown state, whatever was wrapped around it.
    if (!isOurs(error)) discardSqlite();
    throw error;
  } finally {
    releaseLargeSqlite();
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof WireError && (error.cause === undefined || isOurs(error.cause));
}

/** @throws WireError too-large */
export function refuseTooLarge(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new WireError(
    "too-large",
    `open the database file: it has ${bytes} bytes, and this Worker opens files of up to ${maxBytes} in memory: ` +
      "move the user into a Durable Object, or raise maxFileBytes",
    { bytes, maxBytes },
  );
}

function watched<T>(
  file: Uint8Array,
  db: FileDatabase,
  options: OpenOptions,
  work: (db: FileDatabase) => T,
): FileWork<T> {
  const watch = options.mode === "read" ? undefined : options.watch?.(db);
  if (watch === undefined) return done(file, db, options, work(db));
  try {
    const value = work(db);
    const written = watch.written();
    return { ...done(file, db, options, value), written };
  } finally {
    watch.end();
  }
}

function done<T>(file: Uint8Array, db: FileDatabase, { mode }: OpenOptions, value: T): FileWork<T> {
  const changed = changedImage(file, db.image());
  // As in a Durable Object: what counts is whether something was written, not whether a statement could have.
  if (mode === "read" && (db.totalChanges() > 0n || changed !== null)) throw writeInRead();
  return { value, changed };
}

function withDatabase<T>(file: Uint8Array, options: OpenOptions, use: (db: FileDatabase) => T): T {
  const db = FileDatabase.open(file, options);
  try {
    return use(db);
  } finally {
    db.close();
  }
}

/** A statement that fails ends the request; closing the database then drops what was not committed. */
function inTransaction(
  db: FileDatabase,
  { statements, counts, reads }: ParsedRequest,
  rules: FileRules,
): StatementResult[] {
  const bound = statements.map(bindStatement);
  db.begin();
  const sql = new FileSql(db);
  const reader = new ExactReader(sql, [], true);
  const run = (statement: RunnableStatement, index: number) => {
    const result = runStatement(reader, statement, index, ({ tokens }) => {
      if (rules === "store") refuseReservedRename(tokens);
      return isUserVersion(tokens) ? userVersionResult(sql.userVersion) : undefined;
    });
    const counted = { ...result, rowsRead: result.rows.length };
    return reads ? withReads(sql, statement, counted) : counted;
  };
  const results = bound.map((statement, index) =>
    counts ? withCounts(sql, () => run(statement, index)) : run(statement, index),
  );
  db.commit();
  return results;
}

/** What to save: null when the database is byte for byte what it was. */
function changedImage(file: Uint8Array, view: Uint8Array): Uint8Array | null {
  const image = withWalFlagsOf(file, view);
  if (asBuffer(image).equals(asBuffer(file))) return null;
  return image === view ? view.slice() : image;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
