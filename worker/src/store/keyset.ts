// Conditions on a row's key, made so that SQLite answers them from the index that orders the rows.
import { badRequest } from "../wire/errors.ts";
import type { ExactValue, Key } from "../wire/values.ts";
import type { KeyColumn, TableShape } from "./catalog.ts";
import { type BoundExpression, exactExpression, quoteName, rowColumn } from "../state/sql-text.ts";

/**
 * The rows behind `after`, cut into runs that follow each other in key order. Each run is one range of the
 * index: the keys that share all columns of `after` but the last, then those that share one column less, and
 * so on. One condition with OR would read the first column's equals again for every page.
 */
export function runsAfter(shape: TableShape, after: Key | null): BoundExpression[] {
  if (after === null) return [{ sql: "1", bindings: [] }];
  const values = keyValues(shape, after);
  return shape.key.map((_, index) => {
    const last = shape.key.length - 1 - index;
    const equals = shape.key.slice(0, last).map((column, i) => compare(column, "=", values[i]));
    return all([...equals, compare(shape.key[last], beyond(shape.key[last]), values[last])]);
  });
}

/** The row with this key. */
export function equalTo(shape: TableShape, key: Key): BoundExpression {
  const values = keyValues(shape, key);
  return all(shape.key.map((column, i) => compare(column, "=", values[i])));
}

/** The rows up to and with `upto`. */
export function notBeyond(shape: TableShape, upto: Key | null): BoundExpression {
  if (upto === null) return { sql: "1", bindings: [] };
  const values = keyValues(shape, upto);
  if (shape.key.length === 1) return upToFrom(shape, values, 0);
  // The first column alone bounds the scan; the whole condition decides.
  return all([compare(shape.key[0], `${before(shape.key[0])}=`, values[0]), upToFrom(shape, values, 0)]);
}

function upToFrom(shape: TableShape, values: Key, index: number): BoundExpression {
  const column = shape.key[index];
  if (index === shape.key.length - 1) return compare(column, `${before(column)}=`, values[index]);
  const less = compare(column, before(column), values[index]);
  const equal = all([compare(column, "=", values[index]), upToFrom(shape, values, index + 1)]);
  return { sql: `(${less.sql} OR (${equal.sql}))`, bindings: [...less.bindings, ...equal.bindings] };
}

/** ORDER BY terms of the key. */
export function keyOrder(shape: TableShape): string {
  return shape.key.map((column) => `${operand(column)}${column.descending ? " DESC" : ""}`).join(", ");
}

function keyValues(shape: TableShape, key: Key): Key {
  const fits = key.length === shape.key.length && key.every((value) => value.class !== "null");
  if (!fits) throw badRequest("key", `${shape.key.length} values, the key of table ${shape.name}`);
  const rowid = shape.key[0]?.collation === null;
  if (rowid && key[0]?.class !== "integer") throw badRequest("key", `a rowid of table ${shape.name}`);
  return key;
}

function compare(
  column: KeyColumn | undefined,
  operator: string,
  value: ExactValue | undefined,
): BoundExpression {
  if (column === undefined || value === undefined)
    throw new Error("a key of another length than its table's");
  const right = exactExpression(value);
  return { sql: `${operand(column)} ${operator} ${right.sql}`, bindings: right.bindings };
}

// The index may order by another collation than the column's own.
function operand(column: KeyColumn): string {
  const name = rowColumn(column.name);
  return column.collation === null ? name : `${name} COLLATE ${quoteName(column.collation)}`;
}

function before(column: KeyColumn | undefined): string {
  return column?.descending === true ? ">" : "<";
}

function beyond(column: KeyColumn | undefined): string {
  return column?.descending === true ? "<" : ">";
}

/** All of the conditions. */
export function all(conditions: readonly BoundExpression[]): BoundExpression {
  return {
    sql: conditions.map(({ sql }) => sql).join(" AND "),
    bindings: conditions.flatMap(({ bindings }) => bindings),
  };
}
