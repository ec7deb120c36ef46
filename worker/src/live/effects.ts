// What a statement may change, asked of SQLite itself: the program that it compiles a statement to (EXPLAIN)
// opens every b-tree that it writes, those of triggers and of foreign key actions too. Triggers of our own
// would say more, and would change the schema.
import { isPlatformName, isSqliteName } from "../store/catalog.ts";
import { tablesOf } from "../query/program.ts";
import type { Binding } from "../state/sql-text.ts";
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

const UNKNOWN: Effect = { tables: null, others: [] };

const KEPT = 500;
const KEPT_LENGTH = 2_000;

interface Instruction extends Record<string, SqlStorageValue> {
  addr: number;
  opcode: string;
  p1: number;
  p2: number;
  p3: number;
}

/** Looks statements up and remembers them; `forget` is to be called when the schema may have changed. */
export class Effects {
  readonly #sql: SqlStorage;
  readonly #known = new Map<string, Effect>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  forget(): void {
    this.#known.clear();
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
    // A cookie is written where the schema changes; a virtual table writes b-trees that the program does not
    // name.
    if (program.some(({ opcode }) => /^(SetCookie|ParseSchema|VUpdate|VCreate|VDestroy)$/.test(opcode))) {
      return UNKNOWN;
    }
    const { own, fired } = partsOf(program);
    const written = this.#tablesOf(own.flatMap(writtenRoot));
    const inFired = this.#tablesOf(fired.flatMap(writtenRoot));
    const tables = [...new Set([...written, ...inFired])];
    const [base] = written.length === 1 ? written : [];
    const named = base !== undefined && (!inFired.includes(base) || staysOnRow(this.#sql, base, tables));
    return { tables, base: named ? base : undefined, others: inFired.filter((table) => table !== base) };
  }

  #tablesOf(roots: readonly number[]): string[] {
    const { names } = tablesOf(this.#sql, roots);
    return names.filter((name) => !isSqliteName(name) && !isPlatformName(name));
  }
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
