// SqlStorage as a method sees it: the same checks, values and errors in both homes.
import { ResultBudget } from "../query/budget.ts";
import type { Binding } from "../query/parameters.ts";
import { demandAllowed, refuseOpenComment, splitStatements } from "../query/statement.ts";
import { withoutOffset } from "../query/offset.ts";
import type { Cell, SqlCursor } from "../query/sql.ts";
import { type Token, tokenize } from "../query/tokens.ts";
import { isUserVersion } from "../query/user-version.ts";
import { WireError, messageOf } from "../wire/errors.ts";
import type { LogicHome } from "./home.ts";

/** Errors of statements, to tell them from what the application throws by itself. */
const sqlErrors = new WeakSet<Error>();

/** Whether a statement's failure was thrown. */
export function isSqlError(thrown: unknown): boolean {
  return thrown instanceof Error && sqlErrors.has(thrown);
}

/** Runs the statements of one call. */
export class LogicSql {
  readonly #home: LogicHome;

  constructor(home: LogicHome) {
    this.#home = home;
  }

  get databaseSize(): number {
    return this.#home.databaseSize;
  }

  /** @throws Error in SQLite's words; WireError too-costly when there are too many rows */
  exec(query: string, ...bindings: unknown[]): LogicCursor {
    try {
      return this.#exec(String(query), bindings.map(bindingOf));
    } catch (thrown) {
      if (thrown instanceof WireError && thrown.kind !== "sql-error") throw thrown;
      throw asSqlError(thrown);
    }
  }

  #exec(query: string, bindings: readonly Binding[]): LogicCursor {
    const statements = demandStatements(query);
    const [only] = statements;
    if (statements.length === 1 && only !== undefined && isUserVersion(only)) {
      return new LogicCursor(["user_version"], [[this.#home.userVersion]], 1, 0);
    }
    return readAll(this.#home.exec(query, bindings));
  }
}

/** Refuses what the two homes would read differently. @throws WireError sql-error */
function demandStatements(query: string): readonly (readonly Token[])[] {
  if (query.includes("\0")) throw new WireError("sql-error", "the SQL text holds a NUL character");
  refuseOpenComment(tokenize(query));
  const statements = splitStatements(query);
  if (statements.length === 0) throw new WireError("sql-error", "SQL code did not contain a statement.");
  for (const tokens of statements) demandAllowed(tokens);
  return statements;
}

/** All rows at once: a cursor that is left in the middle would hold its tables in one home, and not in the other. */
function readAll(cursor: SqlCursor): LogicCursor {
  const rows = [...new ResultBudget().of(cursor)].map((row) => row.map((cell) => cell ?? null));
  return new LogicCursor([...cursor.columnNames], rows, cursor.rowsRead, cursor.rowsWritten);
}

/** A value as SQLite gets it. Numbers are REALs, as a Durable Object binds them. */
function bindingOf(value: unknown): Binding {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") {
    // A lone surrogate has no UTF-8 form: SQLite would hold bytes that no reader gets back.
    if (!value.isWellFormed()) throw new TypeError("exec: a string holds a lone surrogate");
    return value;
  }
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof ArrayBuffer) return value;
  if (ArrayBuffer.isView(value))
    return Uint8Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)).buffer;
  throw new TypeError(
    `exec: a ${typeof value} is no SQL value; give a string, number, boolean, null, ArrayBuffer or view`,
  );
}

/** In SQLite's words, without the offset, which only one home tells. */
function asSqlError(thrown: unknown): unknown {
  if (thrown instanceof TypeError || isSqlError(thrown)) return thrown;
  const error = new Error(withoutOffset(messageOf(thrown)), { cause: thrown });
  sqlErrors.add(error);
  return error;
}

type Row = Record<string, Cell>;

/** The rows of one statement, as SqlStorageCursor gives them. */
export class LogicCursor implements IterableIterator<Row> {
  #next = 0;

  constructor(
    readonly columnNames: string[],
    private readonly rows: readonly (readonly Cell[])[],
    readonly rowsRead: number,
    readonly rowsWritten: number,
  ) {}

  next(): IteratorResult<Row, undefined> {
    const row = this.#take();
    return row === undefined ? { done: true, value: undefined } : { done: false, value: this.#object(row) };
  }

  toArray(): Row[] {
    return [...this];
  }

  /** @throws Error unless there is exactly one row */
  one(): Row {
    const rows = this.toArray();
    const [row] = rows;
    if (row === undefined) throw new Error("Expected exactly one result from SQL query, but got no results.");
    if (rows.length > 1)
      throw new Error("Expected exactly one result from SQL query, but got multiple results.");
    return row;
  }

  raw(): IterableIterator<Cell[]> & { toArray(): Cell[][] } {
    const take = (): Cell[] | undefined => this.#take();
    const iterator = {
      next: (): IteratorResult<Cell[]> => {
        const row = take();
        return row === undefined ? { done: true, value: undefined } : { done: false, value: row };
      },
      toArray: (): Cell[][] => [...iterator],
      [Symbol.iterator]: () => iterator,
    };
    return iterator;
  }

  [Symbol.iterator](): this {
    return this;
  }

  #take(): Cell[] | undefined {
    const row = this.rows[this.#next];
    if (row !== undefined) this.#next++;
    return row === undefined ? undefined : [...row];
  }

  /** Of columns that share a name, the last one stays. */
  #object(row: readonly Cell[]): Row {
    return Object.fromEntries(row.map((cell, index) => [this.columnNames[index] ?? "", cell]));
  }
}
