// Gathers what one write transaction changes, while it runs.
import type { BoundStatement } from "../query/parameters.ts";
import type { ChangeRecorder, TableChange } from "../query/change-log.ts";
import type { ResultValue, StatementResult } from "../query/types.ts";
import type { Binding } from "../state/sql-text.ts";
import type { Effects } from "./effects.ts";
import type { ExactReader } from "../query/read-exact.ts";
import { messageOf } from "../wire/errors.ts";
import { type Cascade, cascadeOf } from "./cascades.ts";
import { keyOf, keyOfExact, type KeyedStatement, returningKeys } from "./keys.ts";
import { LIVE_LIMITS } from "./protocol.ts";
import { watchExec } from "./watch-exec.ts";

/** The keys of one table as far as they are known. */
type Keys = Map<string, TableChange["keys"] extends readonly (infer Key)[] | null ? Key : never>;

interface Ran {
  readonly keys: readonly (readonly ResultValue[])[];
  readonly result: StatementResult;
}

/** What the transaction has changed so far. */
export class Recorder implements ChangeRecorder {
  readonly #sql: SqlStorage;
  readonly #effects: Effects;
  readonly #reader: ExactReader;
  /** null for a table known only by its name. */
  readonly #tables = new Map<string, Keys | null>();
  #everything = false;

  constructor(sql: SqlStorage, effects: Effects, reader: ExactReader) {
    this.#sql = sql;
    this.#reader = reader;
    this.#effects = effects;
  }

  /**
   * Runs a writing statement, if it can be run so that it names the rows that it changes. Otherwise the
   * caller runs it, and the tables are noted all the same.
   */
  run(statement: BoundStatement): StatementResult | undefined {
    const text = statement.sql();
    if (/^explain\b/i.test(text)) return undefined;
    const { tables, base, others } = this.#effects.of(text, statement.bindings());
    if (tables === null) {
      this.noteEverything();
      return undefined;
    }
    const keyed = base === undefined ? undefined : this.#keyed(base, statement);
    if (base === undefined || keyed === undefined) {
      this.#noteTables(tables);
      return undefined;
    }
    return this.#runKeyed(base, others, statement, keyed);
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

  watching(sql: SqlStorage): SqlStorage {
    return watchExec(sql, this);
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

  #keyed(table: string, statement: BoundStatement): KeyedStatement | undefined {
    const facts = this.#effects.keysOf(table);
    return facts && returningKeys(statement, facts.shape, facts.conflictsByKeyOnly);
  }

  #runKeyed(
    base: string,
    others: readonly string[],
    statement: BoundStatement,
    keyed: KeyedStatement,
  ): StatementResult | undefined {
    const cascade = others.length > 0 ? cascadeOf(this.#sql, statement, base, others) : undefined;
    const before = this.#changesSoFar();
    const ran = keyed.returns ? this.#runReturning(keyed) : this.#runPlain(keyed);
    if (ran === undefined) {
      this.#noteTables([base, ...others]);
      return undefined;
    }
    for (const key of ran.keys) this.#noteKey(base, key);
    const expected = this.#changesSoFar() - before - ran.keys.length;
    if (!this.#noteCascade(cascade, expected)) this.#noteTables(others);
    return ran.result;
  }

  /** What was foreseen counts if it is as many rows as have changed. */
  #noteCascade(cascade: Cascade | undefined, changed: number): boolean {
    if (cascade === undefined) return false;
    const foreseen = [...cascade.values()].reduce((sum, keys) => sum + keys.length, 0);
    if (foreseen !== changed) return false;
    for (const [table, keys] of cascade) for (const key of keys) this.#noteKey(table, key);
    return true;
  }

  #changesSoFar(): number {
    return this.#sql.exec<{ n: number }>("SELECT total_changes() AS n").one().n;
  }

  #runPlain({ statement }: KeyedStatement): Ran {
    const cursor = this.#sql.exec(statement.sql(), ...statement.bindings());
    const keys = [...cursor.raw()].map(keyOf);
    const { rowsRead, rowsWritten } = cursor;
    return { keys, result: { columns: [], rows: [], rowsRead, rowsWritten } };
  }

  /** undefined where the clause has no room for the key: nothing has run then. */
  #runReturning({ statement, cells }: KeyedStatement): Ran | undefined {
    try {
      const { columns, rows, ...counts } = this.#reader.readOther(statement, cells);
      const result = {
        columns: columns.slice(0, -cells),
        rows: rows.map((row) => row.slice(0, -cells)),
        ...counts,
      };
      return { keys: rows.map((row) => keyOfExact(row.slice(-cells))), result };
    } catch (error) {
      if (/^too many columns in /.test(messageOf(error))) return undefined;
      throw error;
    }
  }

  #noteKey(table: string, key: readonly ResultValue[]): void {
    const known = this.#tables.get(table);
    if (known === null) return;
    const keys: Keys = known ?? new Map();
    keys.set(JSON.stringify(key), key);
    this.#tables.set(table, keys.size > LIVE_LIMITS.keys ? null : keys);
  }
}
