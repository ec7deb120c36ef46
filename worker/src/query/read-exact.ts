// Reads results without losing what JavaScript numbers cannot show: whether a number is an INTEGER or a REAL, and
// INTEGERs beyond 2^53.
import { WireError } from "../wire/errors.ts";
import { LIMITS, MAX_EXACT_INTEGER } from "../wire/limits.ts";
import { type BoundStatement, originalName } from "./parameters.ts";
import { countBeforeLimit, endsWithValues } from "./statement.ts";
import type { ResultValue, StatementResult } from "./types.ts";
import { emitBlob, emitInteger, emitReal } from "./values.ts";

/** A name that the statement does not hold, so that it cannot refer to its own result. */
function resultName(statement: string): string {
  const text = statement.toLowerCase();
  let name = "_dbmigrate_result_";
  while (text.includes(name)) name += "_";
  return name;
}

const NAMES_KEPT = 500;

type Cell = SqlStorageValue | undefined;

/**
 * Runs statements and reads their rows exactly. It remembers the names of result columns, which cost a query of their
 * own; `forget` is to be called when the schema may have changed.
 */
export class ExactReader {
  readonly #sql: SqlStorage;
  readonly #names = new Map<string, readonly string[]>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  forget(): void {
    this.#names.clear();
  }

  /**
   * Runs a SELECT or VALUES inside another SELECT that adds what is missing. The statement is evaluated once
   * (MATERIALIZED), and its rows keep their order.
   */
  readRows(statement: BoundStatement): StatementResult {
    const columns = this.#columnNames(statement);
    const query = columns.length < LIMITS.columns ? oneQuery : twoHalves;
    const names = columns.map((_, index) => `c${index}`);
    const sql = statement.sql();
    const result = resultName(sql);
    const inner = `WITH ${result}(${names.join(", ")}) AS MATERIALIZED (${sql})`;
    const cursor = this.#sql.exec(`${inner} ${query.sql(names, result)}`, ...statement.bindings());
    const rows = query.assemble([...cursor.raw()].map(exactRow));
    return { columns, rows, rowsRead: cursor.rowsRead, rowsWritten: cursor.rowsWritten };
  }

  /**
   * Runs any other statement. What it answers (a compound SELECT, RETURNING, PRAGMA, EXPLAIN) is read as numbers.
   * @throws WireError integer-precision
   */
  readPlain(statement: BoundStatement): StatementResult {
    const cursor = this.#sql.exec(statement.sql(), ...statement.bindings());
    const rows = [...cursor.raw()].map((row) => row.map(plainValue));
    const columns = cursor.columnNames.map(originalName);
    return { columns, rows, rowsRead: cursor.rowsRead, rowsWritten: cursor.rowsWritten };
  }

  #columnNames(statement: BoundStatement): readonly string[] {
    const sql = statement.sql();
    const known = this.#names.get(sql);
    if (known !== undefined) return known;
    const names = this.#askColumnNames(statement);
    if (this.#names.size >= NAMES_KEPT) this.#names.clear();
    this.#names.set(sql, names);
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

/** How the rows of the result are asked for and put together again. */
interface RowsQuery {
  sql(names: readonly string[], from: string): string;
  assemble(rows: ResultValue[][]): ResultValue[][];
}

const oneQuery: RowsQuery = {
  sql: (names, from) => `SELECT ${names.join(", ")}, ${classes(names)} FROM ${from}`,
  assemble: (rows) => rows,
};

// A result has at most 100 columns, which leaves no room for one more: each row comes in two halves, all first halves
// first.
const twoHalves: RowsQuery = {
  sql: (names, from) => {
    const middle = names.length >> 1;
    const halves = [names.slice(0, middle), names.slice(middle)];
    return halves.map((half) => `SELECT ${half.join(", ")}, ${classes(half)} FROM ${from}`).join(" UNION ALL ");
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
function exactRow(row: readonly Cell[]): ResultValue[] {
  const marks = String(row[row.length - 1]);
  const values: ResultValue[] = [];
  let at = 0;
  for (let i = 0; i < row.length - 1; i++) {
    const mark = marks[at++];
    if (mark === "I") {
      const end = marks.indexOf(";", at);
      values.push(emitInteger(BigInt(marks.slice(at, end))));
      at = end + 1;
    } else if (mark === "r") values.push(emitReal(Number(row[i])));
    else values.push(nonNumber(row[i]));
  }
  return values;
}

// Also INTEGERs that a number shows exactly.
function nonNumber(cell: Cell): ResultValue {
  if (cell === undefined || cell === null) return null;
  return cell instanceof ArrayBuffer ? emitBlob(new Uint8Array(cell)) : (cell as string | number);
}

function plainValue(cell: Cell): ResultValue {
  if (typeof cell !== "number") return nonNumber(cell);
  if (!Number.isInteger(cell) || Object.is(cell, -0)) return emitReal(cell);
  if (Math.abs(cell) < MAX_EXACT_INTEGER) return cell;
  // No INTEGER is that large: it is a REAL.
  if (Math.abs(cell) > 2 ** 63) return emitReal(cell);
  throw new WireError(
    "integer-precision",
    "the answer of a compound SELECT, RETURNING, PRAGMA or EXPLAIN holds a number beyond 2^53 that cannot be read exactly: " +
      "return CAST(column AS TEXT), or SELECT it in a statement of its own",
  );
}
