// A call of the application's method over a file.
import { type CallRequest, runCall } from "../logic/call.ts";
import type { LogicHome } from "../logic/home.ts";
import type { LogicClasses } from "../logic/registry.ts";
import type { Binding } from "../query/parameters.ts";
import type { SqlCursor } from "../query/sql.ts";
import type { FileDatabase } from "./database.ts";
import { DEFAULT_MAX_FILE_BYTES, type FileWork, type Watch, workOnFile } from "./engine.ts";
import { FileSql } from "./file-sql.ts";

/**
 * Runs a method on a database file, in one transaction. `file` is not changed; an empty one is an empty
 * database.
 * @throws WireError as runCall and runOnFile do
 */
export function callOnFile(
  file: Uint8Array,
  call: CallRequest,
  classes: LogicClasses,
  maxBytes = DEFAULT_MAX_FILE_BYTES,
  watch?: Watch,
): FileWork<unknown> {
  return workOnFile(file, { mode: call.mode, maxBytes, watch }, (db) => {
    db.begin();
    const value = runCall(classes, call, new FileHome(db));
    db.commit();
    return value;
  });
}

class FileHome implements LogicHome {
  readonly #sql: FileSql;

  constructor(private readonly db: FileDatabase) {
    this.#sql = new FileSql(db);
  }

  get databaseSize(): number {
    return this.#sql.databaseSize;
  }

  get userVersion(): number {
    return this.#sql.userVersion;
  }

  exec(query: string, bindings: readonly Binding[]): SqlCursor {
    return this.#sql.execText(query, bindings);
  }

  transactionSync<T>(work: () => T): T {
    return this.db.nested(work);
  }
}
