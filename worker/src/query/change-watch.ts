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
  const schema = "SELECT group_concat(concat_ws(' ', type, name, rootpage, sql), ';') FROM sqlite_schema";
  return sql.exec(`SELECT total_changes(), (${schema})`).raw()[Symbol.iterator]().next().value?.join(";") ?? "";
}
