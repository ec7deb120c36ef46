// Foreign keys that are checked when a transaction ends. A Durable Object checks them behind our back, when
// the event is over: it would throw everything away, and nobody would be told what for. So they are looked at
// while an answer can still say it.
import { tableFunction } from "../state/sql-text.ts";
import { messageOf, WireError } from "../wire/errors.ts";
import type { Sql } from "./sql.ts";

/** By table; NaN, which is more than nothing and less than nothing, where SQLite cannot tell. */
type Violations = ReadonlyMap<string, number>;

/** Counts the rows that break a deferred foreign key, of the tables that declare one. */
export class DeferredKeys {
  readonly #sql: Sql;
  readonly #keys: string;
  readonly #before: Violations;

  /** @param keys a word of the tables' texts: REFERENCES looks at every key */
  constructor(sql: Sql, keys: "DEFERRED" | "REFERENCES" = "DEFERRED") {
    this.#sql = sql;
    this.#keys = keys;
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
    const tables = this.#sql.exec(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%${this.#keys}%'`,
    );
    const check = `SELECT count(*) AS n FROM ${tableFunction("pragma_foreign_key_check")}(?)`;
    return new Map([...tables.raw()].map(([name]) => [String(name), this.#countIn(String(name), check)]));
  }

  // SQLite cannot check a key to a parent without a unique column. It refuses by itself each write that
  // touches such a key, and no other.
  #countIn(table: string, check: string): number {
    try {
      const [[count] = []] = [...this.#sql.exec(check, table).raw()];
      return Number(count);
    } catch (error) {
      if (!messageOf(error).includes("foreign key mismatch")) throw error;
      return NaN;
    }
  }
}
