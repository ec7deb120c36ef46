// A user's database in the shape of a D1 database, for applications and libraries that speak D1 already:
// Drizzle, Kysely, hand-written SQL.
import { parseStatement } from "../query/statement.ts";
import type { QueryAnswer, QueryMode, QueryStatement, QueryValue, StatementResult } from "../query/types.ts";
import type { Router } from "../router/router.ts";
import type { ErrorInfo } from "../wire/errors.ts";
import { d1Error, execError, noDump, nothingToRun, notFound, notTheLast, notToBeSent } from "./errors.ts";
import { joined, offsetInEntry, statementsOf } from "./several.ts";
import { bindValue, readValue, wellFormed } from "./values.ts";

export interface UserDatabaseOptions {
  /**
   * Values as `router.query` gives them, where D1 loses something: INTEGERs beyond 2^53 as `{ int }`, BLOBs
   * as `{ blob }`, whole REALs as `{ real }`. Default false: D1's own forms.
   */
  readonly exact?: boolean;
}

type Asker = Pick<Router, "query">;

/** A user's database, wherever it lives, as a D1Database. It holds no state: make one for each request. */
export function userDatabase(router: Asker, user: string, options: UserDatabaseOptions = {}): D1Database {
  return new UserDatabase(new Session(router, user, options.exact ?? false));
}

const BOOKMARK = "00000000-00000000-00000000-00000000000000000000000000000000";

/** Asks for one user. */
class Session {
  constructor(
    private readonly router: Asker,
    readonly user: string,
    private readonly exact: boolean,
    private readonly answered: () => void = () => undefined,
  ) {}

  /** The same, and tells of each answer. */
  told(answered: () => void): Session {
    return new Session(this.router, this.user, this.exact, answered);
  }

  /** All statements in one transaction. @throws Error as D1 does */
  async run(all: readonly QueryStatement[]): Promise<Answered[]> {
    const begun = Date.now();
    const entries = all
      .filter(({ sql }) => !isBlank(sql))
      .map((entry) => ({ entry, statements: statementsOf(entry) }));
    if (entries.length === 0) throw nothingToRun();
    const statements = entries.flatMap((entry) => entry.statements);
    const mode = statements.every(onlyReads) ? "read" : "write";
    let answer = await this.ask(statements, mode);
    // What looked like a read and wrote had no effect.
    if (!answer.ok && answer.error.kind === "write-in-read") answer = await this.ask(statements, "write");
    if (!answer.ok) throw d1Error(inEntry(answer.error, entries));
    this.answered();
    const { side } = answer;
    const results = [...answer.results];
    const duration = Date.now() - begun;
    return entries.map((entry) => {
      const result = joined(results.splice(0, entry.statements.length));
      return { result, side, duration, exact: this.exact };
    });
  }

  private ask(statements: readonly QueryStatement[], mode: QueryMode): Promise<QueryAnswer> {
    return this.router.query(this.user, { statements, mode, counts: true });
  }
}

interface Entry {
  readonly entry: QueryStatement;
  readonly statements: readonly QueryStatement[];
}

/** An error of a statement as one of the entry that it is of. */
function inEntry(error: ErrorInfo, entries: readonly Entry[]): ErrorInfo {
  const { statement, offset } = (error.details ?? {}) as { readonly [name: string]: unknown };
  if (typeof statement !== "number") return error;
  let before = 0;
  for (const [number, { entry, statements }] of entries.entries()) {
    const index = statement - before;
    before += statements.length;
    if (index >= statements.length) continue;
    const told = index < statements.length - 1 ? notTheLast(error) : error;
    const place = typeof offset === "number" ? { offset: offsetInEntry(entry, index, offset) } : {};
    return { ...told, details: { ...error.details, statement: number, ...place } };
  }
  return error;
}

/** D1 passes over such a text, in a batch, too. */
function isBlank(sql: string): boolean {
  return sql.replace(/^\s*--.*/gm, "").trim() === "";
}

function onlyReads({ sql }: QueryStatement): boolean {
  try {
    const { kind, tokens } = parseStatement(sql);
    return kind !== "other" || /^(explain|pragma)$/i.test(tokens[0]?.text ?? "");
  } catch {
    return false; // running it says what is wrong
  }
}

/** One statement's result, and what came with it. */
interface Answered {
  readonly result: StatementResult;
  readonly side: string;
  readonly duration: number;
  readonly exact: boolean;
}

class UserDatabase implements D1Database {
  constructor(private readonly session: Session) {}

  prepare(query: string): D1PreparedStatement {
    return new Prepared(this.session, query, []);
  }

  async batch<T = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
    const all = statements.map((statement) => ({ text: (statement as Prepared).statement, statement }));
    const queries = all.map(({ text, statement }) => {
      if (!(statement instanceof Prepared)) return queryOf(text, (statement as { params?: unknown }).params);
      // D1 would run it on this one.
      if (statement.user !== this.session.user)
        throw new TypeError("batch: a statement of another user's database");
      return statement.query();
    });
    return (await this.session.run(queries)).map((answered) => resultOf<T>(answered));
  }

  async exec(query: string): Promise<D1ExecResult> {
    const lines = wellFormed(query.trim()).split("\n");
    const begun = Date.now();
    try {
      const { length: count } = await this.session.run(lines.map((sql) => ({ sql })));
      return { count, duration: Date.now() - begun };
    } catch (error) {
      throw execError(error, lines);
    }
  }

  // One writer, and every read sees every write: each session is the newest there is.
  withSession(constraintOrBookmark?: string): D1DatabaseSession {
    constraintOrBookmark?.trim(); // D1 throws for what is no text
    return new BookmarkedDatabase(this.session);
  }

  async dump(): Promise<ArrayBuffer> {
    throw noDump();
  }
}

/** A session knows a bookmark from its first request on. All are the same: there is nothing older to read. */
class BookmarkedDatabase extends UserDatabase implements D1DatabaseSession {
  readonly #asked: { at: boolean };

  constructor(session: Session) {
    const asked = { at: false };
    super(session.told(() => (asked.at = true)));
    this.#asked = asked;
  }

  getBookmark(): D1SessionBookmark | null {
    return this.#asked.at ? BOOKMARK : null;
  }
}

class Prepared implements D1PreparedStatement {
  readonly #session: Session;

  constructor(
    session: Session,
    readonly statement: unknown,
    readonly params: readonly QueryValue[],
  ) {
    this.#session = session;
  }

  get user(): string {
    return this.#session.user;
  }

  /** @throws Error as D1 does, of a text that is none */
  query(): QueryStatement {
    return { sql: textOf(this.statement), params: this.params };
  }

  bind(...values: unknown[]): D1PreparedStatement {
    return new Prepared(this.#session, this.statement, values.map(bindValue));
  }

  first<T = unknown>(column: string): Promise<T | null>;
  first<T = Record<string, unknown>>(): Promise<T | null>;
  async first<T>(column?: string): Promise<T | null> {
    const [row] = rowObjects(await this.one());
    if (row === undefined) return null;
    if (column === undefined) return row as T;
    if (!Object.hasOwn(row, column)) throw notFound(column);
    return row[column] as T;
  }

  async all<T = Record<string, unknown>>(): Promise<D1Result<T>> {
    return resultOf<T>(await this.one());
  }

  run<T = Record<string, unknown>>(): Promise<D1Result<T>> {
    return this.all<T>();
  }

  raw<T = unknown[]>(options: { columnNames: true }): Promise<[string[], ...T[]]>;
  raw<T = unknown[]>(options?: { columnNames?: false }): Promise<T[]>;
  async raw<T>(options?: { columnNames?: boolean }): Promise<unknown> {
    const answered = await this.one();
    const rows = rowsOf(answered) as T[];
    return options?.columnNames ? [[...answered.result.columns], ...rows] : rows;
  }

  private async one(): Promise<Answered> {
    const [answered] = await this.#session.run([this.query()]);
    if (answered === undefined) throw new Error("an answer without a result");
    return answered;
  }
}

/** What a batch is given beside prepared statements: D1 takes any object with a text and values. */
function queryOf(statement: unknown, params: unknown = []): QueryStatement {
  const sql = textOf(statement);
  if (params !== null && !Array.isArray(params)) throw notToBeSent(`values that are a ${typeof params}`);
  return { sql, params: (params ?? []).map(bindValue) };
}

function textOf(statement: unknown): string {
  if (typeof statement !== "string") throw notToBeSent(`a statement that is a ${typeof statement}`);
  return wellFormed(statement);
}

function rowsOf({ result, exact }: Answered): unknown[][] {
  return result.rows.map((row) => row.map((value) => (exact ? value : readValue(value))));
}

/** Of columns that share a name, the last one stays, as in D1. */
function rowObjects(answered: Answered): Record<string, unknown>[] {
  const { columns } = answered.result;
  return rowsOf(answered).map((row) =>
    Object.fromEntries(row.map((value, index) => [columns[index] ?? "", value])),
  );
}

function resultOf<T>(answered: Answered): D1Result<T> {
  const { result, side, duration } = answered;
  const changes = result.changes ?? 0;
  return {
    success: true,
    results: rowObjects(answered) as T[],
    meta: {
      served_by: `dbmigrate.${side}`,
      duration,
      changes,
      last_row_id: Number(readValue(result.lastRowId ?? 0)),
      changed_db: result.changedDb ?? result.changed ?? false,
      size_after: result.size ?? 0, // an object of an older version tells none
      rows_read: result.rowsRead,
      rows_written: result.rowsWritten,
    },
  };
}
