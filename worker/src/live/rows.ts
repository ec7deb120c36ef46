// The rows that a change names, as they are now.
import { BoundStatement } from "../query/parameters.ts";
import type { ExactReader } from "../query/read-exact.ts";
import { parseStatement } from "../query/statement.ts";
import type { ResultValue } from "../query/types.ts";
import { parseParam } from "../query/values.ts";
import { type TableShape, tableShape } from "../store/catalog.ts";
import { quoteName } from "../store/sql-text.ts";
import { type ChangedRows, LIVE_LIMITS, type TableChange } from "./protocol.ts";

/** Adds the rows, where their keys are known and they are not too many. */
export function withRows(
  sql: SqlStorage,
  reader: ExactReader,
  change: TableChange,
): TableChange & Partial<ChangedRows> {
  const { table, keys } = change;
  const shape = keys !== null && keys.length <= LIVE_LIMITS.rows ? tableShape(sql, table) : undefined;
  if (keys === null || shape === undefined) return change;
  const select = rowByKey(shape);
  const results = keys.map((key) => reader.readRows(new BoundStatement(select, key.map(parameter))));
  return { ...change, columns: results[0]?.columns ?? [], rows: results.map(({ rows }) => rows[0] ?? null) };
}

function rowByKey(shape: TableShape) {
  const conditions = shape.key.map(({ name }) => `${quoteName(name)} = ?`);
  return parseStatement(`SELECT * FROM ${quoteName(shape.name)} WHERE ${conditions.join(" AND ")}`).tokens;
}

function parameter(value: ResultValue, index: number) {
  return parseParam(value, `key[${index}]`);
}
