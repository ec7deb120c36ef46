import type { Sql } from "./sql.ts";
import type { StatementResult } from "./types.ts";

/** Finds out whether anything was written since it was made. */
export class ChangeWatch {
  readonly #sql: Sql;
  readonly #before: string;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#before = fingerprint(sql);
  }

  changed(results: readonly StatementResult[] = []): boolean {
    return results.some(({ rowsWritten }) => rowsWritten > 0) || fingerprint(this.#sql) !== this.#before;
  }
}

// rowsWritten alone misses DROP TABLE, total_changes() misses every change of the schema.
function fingerprint(sql: Sql): string {
  // Row by row: all CREATE texts in one string may be over what SQLite in production takes, 2 MB.
  const schema = "SELECT concat_ws(' ', type, name, rootpage, sql) FROM sqlite_schema";
  const [changes] = [...sql.exec("SELECT total_changes()").raw()];
  return [changes, ...sql.exec(schema).raw()].join(";");
}
