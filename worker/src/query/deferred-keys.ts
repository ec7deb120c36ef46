// Foreign keys that are checked when a transaction ends. A Durable Object checks them behind our back, when the event is over: it would throw
// everything away, and nobody would be told what for. So they are looked at while an answer can still say it.
import { tableFunction } from "../store/sql-text.ts";
import { WireError } from "../wire/errors.ts";

/** Counts the rows that break a deferred foreign key, of the tables that declare one. */
export class DeferredKeys {
  readonly #sql: SqlStorage;
  readonly #before: number;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#before = this.#violations();
  }

  /** Rows that broke a key before do not count: they came with the user's file. @throws WireError sql-error */
  check(): void {
    if (this.#violations() <= this.#before) return;
    throw new WireError(
      "sql-error",
      "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
    );
  }

  #violations(): number {
    const tables = this.#sql.exec<{ name: string }>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%DEFERRED%'",
    );
    const check = `SELECT count(*) AS n FROM ${tableFunction("pragma_foreign_key_check")}(?)`;
    return [...tables].reduce((sum, { name }) => sum + this.#sql.exec<{ n: number }>(check, name).one().n, 0);
  }
}
