// Gathers what one write transaction changes, while it runs.
import type { BoundStatement } from "../query/parameters.ts";
import type { ChangeRecorder, TableChange } from "../query/change-log.ts";
import type { StatementResult } from "../query/types.ts";
import type { Binding } from "../state/sql-text.ts";
import type { Effects } from "./effects.ts";
import { keyOf, keyedShape, returningKeys } from "./keys.ts";
import { LIVE_LIMITS } from "./protocol.ts";

/** The keys of one table as far as they are known. */
type Keys = Map<string, TableChange["keys"] extends readonly (infer Key)[] | null ? Key : never>;

/** What the transaction has changed so far. */
export class Recorder implements ChangeRecorder {
  readonly #sql: SqlStorage;
  readonly #effects: Effects;
  /** null for a table of which only the name is known. */
  readonly #tables = new Map<string, Keys | null>();
  #everything = false;

  constructor(sql: SqlStorage, effects: Effects) {
    this.#sql = sql;
    this.#effects = effects;
  }

  /**
   * Runs a writing statement, if it can be run so that it names the rows that it changes. Otherwise the
   * caller runs it, and the tables are noted all the same.
   */
  run(statement: BoundStatement): StatementResult | undefined {
    const text = statement.sql();
    if (/^explain\b/i.test(text)) return undefined;
    const { tables, alone } = this.#effects.of(text, statement.bindings());
    if (tables === null) {
      this.noteEverything();
      return undefined;
    }
    const [table] = tables;
    const keyed =
      alone && tables.length === 1 && table !== undefined ? this.#runKeyed(table, statement) : undefined;
    if (keyed === undefined) this.#noteTables(tables);
    return keyed;
  }

  /** Notes the tables that a statement writes, before it runs. */
  note(text: string, bindings: readonly Binding[]): void {
    const { tables } = this.#effects.of(text, bindings);
    if (tables === null) this.noteEverything();
    else this.#noteTables(tables);
  }

  #noteTables(tables: readonly string[]): void {
    for (const table of tables) this.#tables.set(table, null);
  }

  noteEverything(): void {
    this.#everything = true;
    this.#effects.forget();
  }

  /** null: everything may have changed. */
  changes(): readonly TableChange[] | null {
    if (this.#everything) return null;
    const changes = [...this.#tables].map(([table, keys]) => ({ table, keys: keys && [...keys.values()] }));
    if (JSON.stringify(changes).length <= LIVE_LIMITS.entryBytes) return changes;
    const named = changes.map(({ table }) => ({ table, keys: null }));
    return JSON.stringify(named).length <= LIVE_LIMITS.entryBytes ? named : null;
  }

  #runKeyed(table: string, statement: BoundStatement): StatementResult | undefined {
    const shape = this.#replaces(table) ? undefined : keyedShape(this.#sql, table);
    const text = shape && returningKeys(statement, shape);
    if (text === undefined) return undefined;
    const cursor = this.#sql.exec(text, ...statement.bindings());
    for (const row of cursor.raw()) this.#noteKey(table, keyOf(row));
    return { columns: [], rows: [], rowsRead: cursor.rowsRead, rowsWritten: cursor.rowsWritten };
  }

  #noteKey(table: string, key: ReturnType<typeof keyOf>): void {
    const known = this.#tables.get(table);
    if (known === null) return;
    const keys: Keys = known ?? new Map();
    keys.set(JSON.stringify(key), key);
    this.#tables.set(table, keys.size > LIVE_LIMITS.keys ? null : keys);
  }

  // ON CONFLICT REPLACE in the declaration removes rows that no clause returns.
  #replaces(table: string): boolean {
    const [row] = this.#sql.exec<{ sql: string }>(
      "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?",
      table,
    );
    return /\breplace\b/i.test(row?.sql ?? "");
  }
}
