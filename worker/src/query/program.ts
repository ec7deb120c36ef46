// The program that SQLite compiles a statement to (EXPLAIN). It names b-trees by the pages of their roots.
import { tableFunction } from "../state/sql-text.ts";
import type { Sql } from "./sql.ts";

/** The tables of some b-trees. `known` says whether each is of a table: that of the schema is of none. */
export function tablesOf(sql: Sql, roots: readonly number[]): { names: string[]; known: boolean } {
  const distinct = [...new Set(roots)];
  if (distinct.length === 0) return { names: [], known: true };
  const rows = sql.exec(
    `SELECT DISTINCT rootpage, tbl_name FROM sqlite_schema
     WHERE rootpage IN (SELECT value FROM ${tableFunction("json_each")}(?))`,
    JSON.stringify(distinct),
  );
  const found = [...rows.raw()];
  return {
    names: [...new Set(found.map(([, name]) => String(name)))],
    known: found.length >= distinct.length,
  };
}
