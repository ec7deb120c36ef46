// The application's schema in a file: its header says the version, so nothing is opened that needs nothing.
import { applySchema, isBehind, wantsNoForeignKeys } from "../schema/apply.ts";
import type { Schema } from "../schema/schema.ts";
import { DEFAULT_MAX_FILE_BYTES, workOnFile } from "./engine.ts";
import { FileSql } from "./file-sql.ts";

/** Offset of PRAGMA user_version in the header, a big-endian i32 (sqlite.org/fileformat2.html, section 1.3). */
const USER_VERSION = 60;
const HEADER_BYTES = 100;

/** The version of a file; that of an empty one is 0. */
export function fileVersion(file: Uint8Array): number {
  if (file.byteLength < HEADER_BYTES) return 0;
  return new DataView(file.buffer, file.byteOffset).getInt32(USER_VERSION);
}

/** Whether the file lacks migrations. */
export function isFileBehind(schema: Schema, file: Uint8Array): boolean {
  return isBehind(schema, fileVersion(file));
}

/**
 * The file with all migrations, in one transaction. `file` is not changed.
 * @throws WireError schema-failed, and as runOnFile does
 */
export function withSchema(schema: Schema, file: Uint8Array, maxBytes = DEFAULT_MAX_FILE_BYTES): Uint8Array {
  const foreignKeys = !wantsNoForeignKeys(schema, fileVersion(file));
  const { changed } = workOnFile(file, { mode: "write", maxBytes, foreignKeys }, (db) => {
    const sql = new FileSql(db);
    db.begin();
    applySchema(schema, {
      sql,
      get userVersion() {
        return sql.userVersion;
      },
      set userVersion(version) {
        sql.userVersion = version;
      },
    });
    db.commit();
  });
  return changed ?? file;
}
