// Reads results without losing what JavaScript numbers cannot show: whether a number is an INTEGER or a REAL,
// and INTEGERs beyond 2^53.
import { WireError, messageOf } from "../wire/errors.ts";
import { LIMITS, MAX_EXACT_INTEGER, QUERY_LIMITS } from "../wire/limits.ts";
import { type Arrival, ONE_TOO_MANY, arrivalOf, rowsKept, sizesOf } from "./ahead.ts";
import { ResultBudget } from "./budget.ts";
import { offsetOf, withoutOffset } from "./offset.ts";
import { type BoundStatement, originalName } from "./parameters.ts";
import { type MixedNames, hasMixedValues, mayMix, mixedNames } from "./affinity.ts";
import type { Cell, Sql } from "./sql.ts";
import { quoteName, quoteText } from "../state/sql-text.ts";
import { parseReturning } from "./returning.ts";
import {
  countBeforeJoint,
  countBeforeLimit,
  countBeforeOrder,
  countBeforeVerb,
  countParts,
  endsWithValues,
  hasLimit,
  isOrdered,
  keepsRows,
} from "./statement.ts";
import { type Token, isKeyword, isSignificant, textOf } from "./tokens.ts";
import type { ResultValue, StatementResult } from "./types.ts";
import { emitBlob, emitInteger, emitReal } from "./values.ts";

/** A name that the statement does not hold, so that it cannot refer to its own result. */
function resultName(statement: string): string {
  const text = statement.toLowerCase();
  let name = "_dbmigrate_result_";
  while (text.includes(name)) name += "_";
  return name;
}

/** Of so many statements is kept what was learned, where texts and names are not long. */
const TEXTS_KEPT = 500;
const KEPT_CHARACTERS = 4000;

/** The table of the schema; its rows are also known by their rowids. */
const SCHEMA = ["sqlite_schema", "sqlite_master"];
const ROWID: ReadonlySet<string> = new Set(["rowid", "oid", "_rowid_"]);

/** Of a compound SELECT, where VALUES of several rows is one. */
const MOST_PARTS = 5;

/** A part of no rows, with columns that have no affinity. */
function emptyPart(columns: readonly string[]): string {
  return `SELECT ${columns.map(() => "CAST(NULL AS BLOB)").join(", ")} WHERE 0`;
}

/** The SQL of WITH, and of the parts as far as the first `count` tokens go. */
function compoundOf(
  statement: BoundStatement,
  count = statement.tokens.length,
): { readonly before: string; readonly parts: string } {
  const before = statement.sql(countBeforeVerb(statement.tokens));
  return { before, parts: statement.sql(count).slice(before.length) };
}

/** Whether SQLite refused a text for its size, before anything of it ran. */
function isPastLimit(error: unknown): boolean {
  const message = messageOf(error);
  // What a trigger raises may say anything, and something has run by then.
  if (message.includes("SQLITE_CONSTRAINT")) return false;
  return /Expression tree is too large|too many|statement too long|parser stack overflow/.test(message);
}

/**
 * Runs statements and reads their rows exactly. It remembers the names of result columns and of views, which cost a query
 * of their own; `forget` is to be called when the schema may have changed.
 */
export class ExactReader {
  readonly #sql: Sql;
  readonly #hidden: readonly string[];
  readonly #names = new Map<string, readonly string[]>();
  readonly #arrivals = new Map<string, Arrival>();
  readonly #countsSteps: boolean;
  #mixed: MixedNames | undefined;
  #budget = new ResultBudget();

  /**
   * @param hidden tables that are not the application's: its statements do not find them in the schema
   * @param countsSteps whether the work of SQLite is bounded, too
   */
  constructor(sql: Sql, hidden: readonly string[], countsSteps: boolean) {
    this.#sql = sql;
    this.#hidden = hidden;
    this.#countsSteps = countsSteps;
  }

  forget(): void {
    this.#names.clear();
    this.#arrivals.clear();
    this.#mixed = undefined;
  }

  /** Another request begins, with a budget of its own. */
  begin(): void {
    this.#budget = new ResultBudget();
  }

  /**
   * What SQLite says of the statement's text alone, which is not run, with the offset in that text; undefined
   * where it takes it.
   */
  refusalOf({ tokens }: BoundStatement): WireError | undefined {
    const first = tokens.find(isSignificant);
    const explained = ["EXPLAIN", "QUERY"].some((keyword) => isKeyword(first, keyword));
    // A space in front would hide what is none by itself.
    const before = explained || this.#sql.compile !== undefined ? "" : "EXPLAIN/**/";
    try {
      if (this.#sql.compile !== undefined) this.#sql.compile(textOf(tokens));
      // A cursor that is left in the middle holds the transaction up.
      else for (const _ of this.#sql.exec(before + textOf(tokens)).raw());
      return undefined;
    } catch (cause) {
      const { kind } = cause instanceof WireError ? cause : { kind: "sql-error" as const };
      const offset = offsetOf(cause);
      const details = offset === undefined ? undefined : { offset: offset - before.length };
      return new WireError(kind, withoutOffset(messageOf(cause)), details, { cause });
    }
  }

  /**
   * Runs a SELECT inside another SELECT that adds what is missing. Each row is computed once, and the rows
   * keep their order.
   */
  readRows(statement: BoundStatement): StatementResult {
    if (hasMixedValues(statement.tokens)) return this.#readAsNumbers(statement);
    const columns = this.#columnNames(statement);
    const mixed = (): MixedNames => (this.#mixed ??= mixedNames(this.#sql));
    if (mayMix(statement.tokens, mixed) && this.#hasReals(statement, columns))
      return this.#readAsNumbers(statement);
    return this.#readWrapped(statement, columns, statement.sql());
  }

  /**
   * Runs a compound SELECT in the same way. The outer SELECT would read each column with the
   * affinity of one part, and make a REAL of an INTEGER: so an empty part without affinity goes before it.
   * @throws WireError integer-precision where there is no room for one more part, and no other way
   */
  readCompound(statement: BoundStatement): StatementResult {
    if (hasMixedValues(statement.tokens)) return this.#readAsNumbers(statement);
    if (countParts(statement.tokens) >= MOST_PARTS) return this.#readFiveParts(statement);
    const columns = this.#columnNames(statement);
    const { before, parts } = compoundOf(statement);
    return this.#readWrapped(statement, columns, `${before}${emptyPart(columns)} UNION ALL ${parts}`);
  }

  // Only REAL has this effect. Where a part has such a column the first one goes into parentheses, behind the
  // empty one: that changes how text compares, which matters unless all rows are kept in the order in which
  // they come.
  #readFiveParts(statement: BoundStatement): StatementResult {
    const { tokens } = statement;
    if (countParts(tokens) > MOST_PARTS) return this.#readAsNumbers(statement);
    const columns = this.#columnNames(statement);
    const { before, parts } = compoundOf(statement);
    if (!this.#hasReals(statement, columns)) return this.#readWrapped(statement, columns, before + parts);
    if (!keepsRows(tokens)) return this.#readAsNumbers(statement);
    const first = compoundOf(statement, countBeforeJoint(tokens)).parts;
    const inside = `SELECT * FROM (${emptyPart(columns)} UNION ALL ${first})`;
    return this.#readWrapped(statement, columns, `${before}${inside} ${parts.slice(first.length)}`);
  }

  #readAsNumbers(statement: BoundStatement): StatementResult {
    const arrival = this.#arrivalOf(statement);
    const ahead = arrival === "sorted" ? this.#countAhead(statement, this.#columnNames(statement)) : 0;
    const made = arrival === "made" && !endsWithValues(statement.tokens);
    const result = this.readPlain(statement, made ? withEnd(statement, statement.sql()) : statement.sql());
    return { ...result, rowsRead: result.rowsRead + ahead };
  }

  #arrivalOf(statement: BoundStatement): Arrival {
    if (!isOrdered(statement.tokens) || keepsFew(rowsKept(this.#sql, statement))) return "made";
    const sql = statement.sql();
    const known = this.#arrivals.get(sql);
    if (known !== undefined) return known;
    const arrival = arrivalOf(this.#sql, statement);
    if (sql.length <= KEPT_CHARACTERS) keep(this.#arrivals, sql, arrival);
    return arrival;
  }

  /**
   * Makes the rows one by one, where SQLite would make all of them first, and counts them. How many it has
   * read for it.
   * @throws WireError too-costly
   */
  #countAhead(statement: BoundStatement, columns: readonly string[]): number {
    const ordered = isOrdered(statement.tokens);
    const kept = ordered ? rowsKept(this.#sql, statement) : Infinity;
    if (this.#countsSteps || keepsFew(kept)) return 0;
    const count = countBeforeOrder(statement.tokens);
    const sql = statement.sql(count);
    const end = kept < Infinity ? ` LIMIT ${kept}` : ONE_TOO_MANY;
    const bounded = ordered ? sql + end : withEnd(statement, sql);
    const [names, result] = [numbered(columns), resultName(sql)];
    const rows = `WITH ${this.#ownSchema(statement.tokens)}${result}(${names.join(", ")}) AS (${bounded})`;
    const cursor = this.#sql.exec(`${rows} ${sizesOf(names, result)}`, ...statement.bindings(count));
    this.#budget.foresee(cursor.raw(), columns.length, kept);
    return cursor.rowsRead;
  }

  /** Whether an INTEGER that is read through the statement is a REAL in some column. SQLite is asked. */
  #hasReals(statement: BoundStatement, columns: readonly string[]): boolean {
    const names = numbered(columns);
    const sql = statement.sql();
    const result = resultName(sql);
    const none = `SELECT * FROM (SELECT * FROM (${sql}) LIMIT 0) UNION ALL SELECT ${columns.map(() => "0").join(", ")}`;
    const asked = `WITH ${result}(${names.join(", ")}) AS (${none}) SELECT ${names.map((name) => `typeof(${name})`).join(", ")} FROM ${result}`;
    try {
      const [classes = []] = this.#sql.exec(asked, ...statement.bindings()).raw();
      return [...classes].includes("real");
    } catch (error) {
      if (!isPastLimit(error)) throw error;
      return true;
    }
  }

  #readWrapped(statement: BoundStatement, columns: readonly string[], sql: string): StatementResult {
    const query = columns.length < LIMITS.columns ? oneQuery : twoHalves;
    const arrival = this.#arrivalOf(statement);
    const streams = query === oneQuery && arrival === "made";
    const ahead = streams || arrival === "grouped" ? 0 : this.#countAhead(statement, columns);
    const [names, result] = [numbered(columns), resultName(sql)];
    const limited = arrival === "made" ? withEnd(statement, sql) : sql;
    const inner = `WITH ${this.#ownSchema(statement.tokens)}${result}(${names.join(", ")}) AS ${streams ? "" : "MATERIALIZED "}(${limited})`;
    const outer = `${query.sql(names, result)}${streams ? ONE_BY_ONE : ""}`;
    const cursor = this.#sql.exec(`${inner} ${outer}`, ...statement.bindings());
    const raw = this.#budget.of(cursor, query.parts);
    const rows = query.assemble(Array.from(raw, exactRow));
    return {
      columns: this.#budget.named(columns),
      rows,
      rowsRead: cursor.rowsRead + ahead,
      rowsWritten: cursor.rowsWritten,
    };
  }

  /**
   * Runs any other statement. What RETURNING answers is read exactly where it can be asked for twice, and
   * anything else as numbers.
   * @param ours columns at the end of a RETURNING clause that the answer does not hold
   * @throws WireError integer-precision
   */
  readOther(statement: BoundStatement, ours = 0): StatementResult {
    const marks = this.#marksOfReturning(statement);
    if (marks === undefined) return this.readPlain(statement);
    try {
      return this.#readMarked(statement, marks, ours);
    } catch (error) {
      if (!isPastLimit(error)) throw error;
      return this.readPlain(statement);
    }
  }

  // All rows are read before one is judged: a cursor that is left in the middle keeps its table locked.
  #readMarked(statement: BoundStatement, marks: string, ours: number): StatementResult {
    const cursor = this.#sql.exec(`${statement.sql()}, ${marks}`, ...statement.bindings());
    const rows = [...this.#budget.of(cursor, 1, ours)].map(markedRow);
    const columns = this.#budget.named(cursor.columnNames.slice(0, -1).map(originalName));
    return { columns, rows, rowsRead: cursor.rowsRead, rowsWritten: cursor.rowsWritten };
  }

  /** One more result column for a RETURNING clause: the classes of the others. */
  #marksOfReturning(statement: BoundStatement): string | undefined {
    const returning = parseReturning(statement.tokens);
    if (returning === undefined) return undefined;
    const expressions = returning.items.flatMap((item) =>
      item === "*" ? this.#columnsOf(returning.table) : [`(${statement.repeated(item)})`],
    );
    return expressions.length > 0 && expressions.length < LIMITS.columns ? classes(expressions) : undefined;
  }

  #columnsOf(table: string): string[] {
    try {
      return this.#sql.exec(`SELECT * FROM ${table} LIMIT 0`).columnNames.map(quoteName);
    } catch {
      return [];
    }
  }

  /**
   * Runs a statement, and reads every number of the answer as a JavaScript number. @throws WireError
   * integer-precision
   */
  readPlain(statement: BoundStatement, sql = statement.sql()): StatementResult {
    const cursor = this.#sql.exec(sql, ...statement.bindings());
    const rows = [...this.#budget.of(cursor)].map((row) => row.map(plainValue));
    const columns = this.#budget.named(cursor.columnNames.map(originalName));
    return { columns, rows, rowsRead: cursor.rowsRead, rowsWritten: cursor.rowsWritten };
  }

  /** Under the names of the schema's table, what it says of the application's objects. */
  #ownSchema(tokens: readonly Token[]): string {
    const words = tokens.map(({ text }) => text.replace(/^["`[]|["`\]]$/g, "").toLowerCase());
    if (this.#hidden.length === 0 || words.some((word) => ROWID.has(word))) return "";
    const rows = `SELECT * FROM main.sqlite_schema WHERE tbl_name NOT IN (${this.#hidden.map(quoteText).join(", ")})`;
    return SCHEMA.filter((name) => words.includes(name))
      .map((name) => `${name} AS (${rows}), `)
      .join("");
  }

  #columnNames(statement: BoundStatement): readonly string[] {
    const sql = statement.sql();
    const known = this.#names.get(sql);
    if (known !== undefined) return known;
    const names = this.#askColumnNames(statement);
    const characters = names.reduce((sum, { length }) => sum + length, sql.length);
    if (characters > KEPT_CHARACTERS) return names;
    keep(this.#names, sql, names);
    return names;
  }

  // The statement itself with LIMIT 0: inside another one, equal names would no longer be equal.
  #askColumnNames(statement: BoundStatement): readonly string[] {
    const inside = endsWithValues(statement.tokens);
    const count = inside ? statement.tokens.length : countBeforeLimit(statement.tokens);
    const sql = statement.sql(count);
    const cursor = this.#sql.exec(
      inside ? `SELECT * FROM (${sql}) LIMIT 0` : `${sql} LIMIT 0`,
      ...statement.bindings(count),
    );
    return cursor.columnNames.map(originalName);
  }
}

/** Of a text that is run often, what was learned. */
function keep<T>(known: Map<string, T>, sql: string, learned: T): void {
  if (known.size >= TEXTS_KEPT) known.clear();
  known.set(sql, learned);
}

// A SELECT without end has to be ended within. VALUES takes no LIMIT of its own.
function withEnd({ tokens }: BoundStatement, sql: string): string {
  if (hasLimit(tokens)) return sql;
  return endsWithValues(tokens) ? `SELECT * FROM (${sql})${ONE_TOO_MANY}` : sql + ONE_TOO_MANY;
}

/** Whether SQLite keeps no more rows, while it sorts, than an answer may have. */
function keepsFew(kept: number): boolean {
  return kept <= QUERY_LIMITS.resultRows;
}

function numbered(columns: readonly string[]): string[] {
  return columns.map((_, index) => `c${index}`);
}

// A SELECT within another one runs as a co-routine: it makes a row when one is asked for, so that long rows are
// counted before the next ones are made, and never lie in a temporary file. SQLite would merge the two, and
// compute a column where it is used, but for this: it leaves a LIMIT below a WHERE alone.
const ONE_BY_ONE = " WHERE 1";

/** How the rows of the result are asked for and put together again. */
interface RowsQuery {
  /** How many rows of the answer make one of the result. */
  readonly parts: number;
  sql(names: readonly string[], from: string): string;
  assemble(rows: ResultValue[][]): ResultValue[][];
}

const oneQuery: RowsQuery = {
  parts: 1,
  sql: (names, from) => `SELECT ${names.join(", ")}, ${classes(names)} FROM ${from}`,
  assemble: (rows) => rows,
};

// A result has at most 100 columns, which leaves no room for one more: each row comes in two halves, all
// first halves first.
const twoHalves: RowsQuery = {
  parts: 2,
  sql: (names, from) => {
    const middle = names.length >> 1;
    const halves = [names.slice(0, middle), names.slice(middle)];
    return halves
      .map((half) => `SELECT ${half.join(", ")}, ${classes(half)} FROM ${from}`)
      .join(" UNION ALL ");
  },
  assemble: (rows) => {
    const count = rows.length >> 1;
    return rows.slice(0, count).map((row, index) => [...row, ...(rows[count + index] ?? [])]);
  },
};

// One character per column, and the digits of INTEGERs that a number cannot show.
function classes(names: readonly string[]): string {
  const limit = String(MAX_EXACT_INTEGER);
  const marks = names.map(
    (name) =>
      `CASE typeof(${name}) WHEN 'integer' THEN CASE WHEN ${name} BETWEEN -${limit} AND ${limit} THEN 'i'` +
      ` ELSE concat('I', ${name}, ';') END WHEN 'real' THEN 'r' ELSE '-' END`,
  );
  return `concat(${marks.join(", ")})`;
}

// The last cell says what the others are.
function exactRow(row: readonly (Cell | undefined)[]): ResultValue[] {
  return readByMarks(row, exactValue);
}

/** The same where marks and values were computed one after the other: what random() gave is not believed. */
function markedRow(row: readonly (Cell | undefined)[]): ResultValue[] {
  return readByMarks(row, (cell, mark) => (isLike(cell, mark) ? exactValue(cell, mark) : plainValue(cell)));
}

/** `i`, `r` or `-`, or the digits of an INTEGER beyond 2^53. */
type Mark = string;

function exactValue(cell: Cell | undefined, mark: Mark): ResultValue {
  if (mark === "r") return emitReal(Number(cell));
  return mark === "i" || mark === "-" ? nonNumber(cell) : emitInteger(BigInt(mark));
}

function isLike(cell: Cell | undefined, mark: Mark): boolean {
  if (typeof cell !== "number") return mark === "-";
  return mark === "r" || (mark === "i" ? Number.isInteger(cell) : mark !== "-" && Number(mark) === cell);
}

type Read = (cell: Cell | undefined, mark: Mark) => ResultValue;

function readByMarks(row: readonly (Cell | undefined)[], read: Read): ResultValue[] {
  const marks = String(row[row.length - 1]);
  const values: ResultValue[] = [];
  let at = 0;
  for (let i = 0; i < row.length - 1; i++) {
    const end = marks[at] === "I" ? marks.indexOf(";", at) : at;
    values.push(read(row[i], end > at ? marks.slice(at + 1, end) : (marks[at] ?? "-")));
    at = end + 1;
  }
  return values;
}

// Also INTEGERs that a number shows exactly.
function nonNumber(cell: Cell | undefined): ResultValue {
  if (cell === undefined || cell === null) return null;
  return cell instanceof ArrayBuffer ? emitBlob(new Uint8Array(cell)) : (cell as string | number);
}

function plainValue(cell: Cell | undefined): ResultValue {
  if (typeof cell !== "number") return nonNumber(cell);
  if (!Number.isInteger(cell) || Object.is(cell, -0)) return emitReal(cell);
  if (Math.abs(cell) < MAX_EXACT_INTEGER) return cell;
  // No INTEGER is that large: it is a REAL.
  if (Math.abs(cell) > 2 ** 63) return emitReal(cell);
  throw new WireError(
    "integer-precision",
    "the answer of a SELECT that joins REALs and INTEGERs in one column, RETURNING, PRAGMA or EXPLAIN holds a number beyond 2^53 that cannot be read exactly: " +
      "return CAST(column AS TEXT), or SELECT it in a statement of its own",
  );
}
