// The rows that a change names, as they are now.
import { BoundStatement } from "../query/parameters.ts";
import type { ExactReader } from "../query/read-exact.ts";
import { parseStatement } from "../query/statement.ts";
import type { ResultValue } from "../query/types.ts";
import { parseParam } from "../query/values.ts";
import { shownColumns, type TableShape, tableShape } from "../store/catalog.ts";
import { balanced, quoteName } from "../state/sql-text.ts";
import type { TableChange } from "../query/change-log.ts";
import { type ChangedRows, LIVE_LIMITS, type TableSnapshot } from "./protocol.ts";

/** Adds the rows, where their keys are known and they are not too many. */
export function withRows(
  sql: SqlStorage,
  reader: ExactReader,
  change: TableChange,
): TableChange & Partial<ChangedRows> {
  const { table, keys } = change;
  const shape = keys !== null && keys.length <= LIVE_LIMITS.rows ? shownShape(sql, table) : undefined;
  if (keys === null || shape === undefined) return change;
  reader.begin();
  const statements = (columns: string) => {
    const { tokens } = parseStatement(rowByKey(shape, columns));
    return keys.map((key) => new BoundStatement(tokens, key.map(parameter)));
  };
  if (bytesOf(reader, statements(lengths(shape))) > LIVE_LIMITS.rowBytes) return change;
  const results = statements("*").map((statement) => reader.readRows(statement));
  return { ...change, columns: results[0]?.columns ?? [], rows: results.map(({ rows }) => rows[0] ?? null) };
}

/**
 * All rows of the tables, or null where they are too large for one message. `names` are as they were asked for.
 */
export function snapshotOf(
  sql: SqlStorage,
  reader: ExactReader,
  names: readonly string[],
): readonly TableSnapshot[] | null {
  const shapes = names.map((name) => shownShape(sql, nameInSchema(sql, name)));
  const tables = shapes.filter((shape) => shape !== undefined);
  if (tables.length < names.length) return null;
  reader.begin();
  const sizes = tables.map((shape) => {
    const text = `SELECT count(*), coalesce(sum(${lengths(shape)}), 0) FROM ${quoteName(shape.name)}`;
    const [[rows, bytes] = []] = reader.readRows(statement(text)).rows;
    return { rows: Number(rows), bytes: Number(bytes) };
  });
  if (total(sizes, "rows") > LIVE_LIMITS.snapshotRows || total(sizes, "bytes") > LIVE_LIMITS.rowBytes)
    return null;
  return tables.map((shape) => {
    const order = shape.key.map(({ name }) => quoteName(name)).join(", ");
    const columns = shape.columns.map(quoteName).join(", ");
    const text = `SELECT ${columns} FROM ${quoteName(shape.name)} ORDER BY ${order}`;
    const { rows } = reader.readRows(statement(text));
    return { table: shape.name, columns: shape.columns, rows };
  });
}

/** A table with the columns that `SELECT *` gives, generated ones too, behind a rowid that no column shows. */
function shownShape(sql: SqlStorage, name: string): TableShape | undefined {
  const shape = tableShape(sql, name);
  if (shape === undefined) return undefined;
  const rowid = shape.hiddenRowid ? shape.columns.slice(0, 1) : [];
  return { ...shape, columns: [...rowid, ...shownColumns(sql, name)] };
}

function statement(text: string): BoundStatement {
  return new BoundStatement(parseStatement(text).tokens, []);
}

function total<K extends string>(sizes: readonly Readonly<Record<K, number>>[], what: K): number {
  return sizes.reduce((sum, size) => sum + size[what], 0);
}

function nameInSchema(sql: SqlStorage, name: string): string {
  const [row] = sql.exec<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE",
    name,
  );
  return row?.name ?? name;
}

function rowByKey(shape: TableShape, columns: string): string {
  const conditions = shape.key.map(({ name }) => `${quoteName(name)} = ?`);
  return `SELECT ${columns} FROM ${quoteName(shape.name)} WHERE ${conditions.join(" AND ")}`;
}

// Asked before the rows are read: a few large ones would fill the isolate.
function lengths(shape: TableShape): string {
  return balanced(
    shape.columns.map((name) => `coalesce(octet_length(${quoteName(name)}), 0)`),
    "+",
  );
}

function bytesOf(reader: ExactReader, statements: readonly BoundStatement[]): number {
  return statements.reduce((sum, statement) => sum + Number(reader.readRows(statement).rows[0]?.[0] ?? 0), 0);
}

function parameter(value: ResultValue, index: number) {
  return parseParam(value, `key[${index}]`);
}
