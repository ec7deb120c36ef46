// What a statement may change, asked of SQLite itself: the program that it compiles a statement to (EXPLAIN)
// opens every b-tree that it writes, those of triggers and of foreign key actions too. Triggers of our own
// would say more, and would change the schema.
import { type TableShape, isPlatformName, isSqliteName, virtualNames } from "../store/catalog.ts";
import { tablesOf } from "../query/program.ts";
import { type Binding, quoteName } from "../state/sql-text.ts";
import { conflictsByKeyOnly, declaresReplace, keyedShape } from "./keys.ts";
import { staysOnRow } from "./triggers.ts";

/** What running a statement may change. */
export interface Effect {
  /** The tables that it writes; null when it changes the schema, or what it changes cannot be told. */
  readonly tables: readonly string[] | null;
  /** The one table where the statement itself names each changed row; undefined where there is none. */
  readonly base?: string | undefined;
  /** What its triggers and foreign key actions write besides. */
  readonly others: readonly string[];
}

/** How the keys of a table's changed rows can be told. */
export interface KeyFacts {
  readonly shape: TableShape;
  /** Whether rows of the table can only conflict by the key that is told. */
  readonly conflictsByKeyOnly: boolean;
}

const UNKNOWN: Effect = { tables: null, others: [] };

const KEPT = 500;
const KEPT_LENGTH = 2_000;

interface Instruction extends Record<string, SqlStorageValue> {
  addr: number;
  opcode: string;
  p1: number;
  p2: number;
  p3: number;
  p4: SqlStorageValue;
}

/** Looks statements up and remembers them; `forget` is to be called when the schema may have changed. */
export class Effects {
  readonly #sql: SqlStorage;
  readonly #known = new Map<string, Effect>();
  readonly #keys = new Map<string, KeyFacts | undefined>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  forget(): void {
    this.#known.clear();
    this.#keys.clear();
  }

  /** undefined where the keys that a statement changes cannot be told. */
  keysOf(table: string): KeyFacts | undefined {
    if (!this.#keys.has(table)) this.#keys.set(table, keyFacts(this.#sql, table));
    return this.#keys.get(table);
  }

  of(statement: string, bindings: readonly Binding[]): Effect {
    const known = this.#known.get(statement);
    if (known !== undefined) return known;
    const effect = this.#tryLook(statement, bindings);
    if (this.#known.size >= KEPT) this.#known.clear();
    if (statement.length <= KEPT_LENGTH) this.#known.set(statement, effect);
    return effect;
  }

  // What cannot be explained (it is wrong, too long with a word more, or explains itself) speaks for itself
  // when it runs.
  #tryLook(statement: string, bindings: readonly Binding[]): Effect {
    try {
      return this.#look(statement, bindings);
    } catch {
      return UNKNOWN;
    }
  }

  #look(statement: string, bindings: readonly Binding[]): Effect {
    const program = [...this.#sql.exec<Instruction>(`EXPLAIN ${statement}`, ...bindings)];
    // A cookie is written where the schema changes.
    if (program.some(({ opcode }) => /^(SetCookie|ParseSchema|VCreate|VDestroy)$/.test(opcode))) {
      return UNKNOWN;
    }
    const { own, fired } = partsOf(program);
    const virtual = this.#virtualOf(own);
    const inVirtual = this.#virtualOf(fired);
    if (virtual === undefined || inVirtual === undefined) return UNKNOWN;
    const written = this.#tablesOf(own.flatMap(writtenRoot));
    const inFired = [...this.#tablesOf(fired.flatMap(writtenRoot)), ...inVirtual];
    const tables = [...new Set([...written, ...virtual, ...inFired])];
    const [base] = written.length === 1 && virtual.length === 0 ? written : [];
    const named = base !== undefined && (!inFired.includes(base) || staysOnRow(this.#sql, base, tables));
    return { tables, base: named ? base : undefined, others: inFired.filter((table) => table !== base) };
  }

  /**
   * The virtual tables that the program writes. It names none of the b-trees of their shadow tables, which nobody
   * writes but they. undefined where one cannot be told. A program names a virtual table by an address, which is
   * that of another program that reads it.
   */
  #virtualOf(program: readonly Instruction[]): string[] | undefined {
    const updated = new Set(program.flatMap(({ opcode, p4 }) => (opcode === "VUpdate" ? [p4] : [])));
    if (updated.size === 0) return [];
    const found = virtualNames(this.#sql).filter((name) => {
      const reading = this.#sql.exec<Instruction>(`EXPLAIN SELECT 1 FROM ${quoteName(name)}`);
      return [...reading].some(({ opcode, p4 }) => opcode === "VOpen" && updated.delete(p4));
    });
    return updated.size > 0 ? undefined : found;
  }

  #tablesOf(roots: readonly number[]): string[] {
    const { names } = tablesOf(this.#sql, roots);
    return names.filter((name) => !isSqliteName(name) && !isPlatformName(name));
  }
}

function keyFacts(sql: SqlStorage, table: string): KeyFacts | undefined {
  const shape = declaresReplace(sql, table) ? undefined : keyedShape(sql, table);
  return shape && { shape, conflictsByKeyOnly: conflictsByKeyOnly(sql, table) };
}

/** The statement's own instructions, and those of triggers and foreign key actions: each begins at 0 again. */
function partsOf(program: readonly Instruction[]): { own: Instruction[]; fired: Instruction[] } {
  const end = program.findIndex(({ addr }, index) => index > 0 && addr === 0);
  return end < 0
    ? { own: [...program], fired: [] }
    : { own: program.slice(0, end), fired: program.slice(end) };
}

// The main database is number 0; the others are SQLite's own scratch.
function writtenRoot({ opcode, p1, p2, p3 }: Instruction): number[] {
  if (opcode === "OpenWrite" && p3 === 0) return [p2];
  if (opcode === "Clear" && p2 === 0) return [p1];
  return [];
}
