// Foreign keys that are checked when a transaction ends. A Durable Object checks them behind our back, when
// the event is over: it would throw everything away, and nobody would be told what for. So they are looked at
// while an answer can still say it.
import { tableFunction } from "../state/sql-text.ts";
import { messageOf, WireError } from "../wire/errors.ts";

/** By table; NaN, which is more than nothing and less than nothing, where SQLite cannot tell. */
type Violations = ReadonlyMap<string, number>;

/** Counts the rows that break a deferred foreign key, of the tables that declare one. */
export class DeferredKeys {
  readonly #sql: SqlStorage;
  readonly #before: Violations;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#before = this.#violations();
  }

  /**
   * Rows that broke a key before do not count: they came with the user's file. @throws WireError sql-error
   */
  check(): void {
    const now = this.#violations();
    const more = [...now].some(([table, count]) => count > (this.#before.get(table) ?? 0));
    if (!more) return;
    throw new WireError(
      "sql-error",
      "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
    );
  }

  #violations(): Violations {
    const tables = this.#sql.exec<{ name: string }>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%DEFERRED%'",
    );
    const check = `SELECT count(*) AS n FROM ${tableFunction("pragma_foreign_key_check")}(?)`;
    return new Map([...tables].map(({ name }) => [name, this.#countIn(name, check)]));
  }

  // SQLite cannot check a key to a parent without a unique column. It refuses by itself each write that
  // touches such a key, and no other.
  #countIn(table: string, check: string): number {
    try {
      return this.#sql.exec<{ n: number }>(check, table).one().n;
    } catch (error) {
      if (!messageOf(error).includes("foreign key mismatch")) throw error;
      return NaN;
    }
  }
}
