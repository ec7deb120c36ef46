// Counts what a table holds in one plain scan (docs/wire-format.md, section 6), apart from the code that
// reads its rows: a reader that skips rows does so in digest and export alike, so that their agreement alone
// proves nothing.
import { LIMITS } from "../wire/limits.ts";
import type { Census } from "../wire/messages.ts";
import type { TableShape } from "./catalog.ts";
import { balanced, quoteName } from "../state/sql-text.ts";

const SHORT_NAMES = 4000;

/** The census of a table; undefined when it is empty. */
export function takeCensus(sql: SqlStorage, shape: TableShape): Census | undefined {
  const [row] = sql.exec(censusQuery(shape)).raw();
  const number = (index: number) => Number(row?.[index] ?? 0);
  if (number(0) === 0) return undefined;
  return {
    rows: number(0),
    integers: number(1),
    reals: number(2),
    nulls: number(3),
    text: number(4),
    blob: number(5),
    ...(typeof row?.[6] === "string" && { first: row[6], last: String(row[7]) }),
    sum: String(row?.[8]),
  };
}

// What a row counts is packed into one number, p. LIMIT -1 keeps SQLite from writing that sum out for each
// use.
function censusQuery(shape: TableShape): string {
  const rowid = rowidOf(shape);
  const names = shape.columns.filter((name) => name !== rowid).map(quoteName);
  // Named five times each, long names would make too long a text.
  const short =
    names.join("").length > SHORT_NAMES && names.length + Number(rowid !== undefined) <= LIMITS.columns;
  const cells = short ? names.map((_, index) => `c${index}`) : names;
  const weights = cells.map(weightOf);
  if (rowid !== undefined) weights.push("1");
  const p = balanced(weights, "+");
  const n = balanced(
    cells.map((cell) => `(${cell} IS NULL)`),
    "+",
  );
  // The names of a hidden rowid are no columns: quoted, they could be taken for text.
  const key = rowid === undefined ? "NULL" : shape.hiddenRowid ? rowid : quoteName(rowid);
  const k = short && rowid !== undefined ? "k" : key;
  const table = `${quoteName(shape.name)} NOT INDEXED`;
  const renamed = names.map((name, index) => `${name} AS c${index}`);
  if (rowid !== undefined) renamed.push(`${key} AS k`);
  const from = short ? `(SELECT ${renamed.join(", ")} FROM ${table})` : table;
  return (
    "SELECT count(*), sum(p & 127), sum(p >> 7 & 127), sum(n), sum(p >> 14 & 16777215), sum(p >> 38)," +
    " CAST(min(k) AS TEXT), CAST(max(k) AS TEXT), CAST(sum(p % 32749 * (1 + (ifnull(k, p) & 65535))) AS TEXT)" +
    ` FROM (SELECT ${p} AS p, ${n} AS n, ${k} AS k FROM ${from} LIMIT -1)`
  );
}

function rowidOf(shape: TableShape): string | undefined {
  const [key] = shape.key;
  return key?.collation === null ? key.name : undefined;
}

function weightOf(cell: string): string {
  return (
    `CASE typeof(${cell}) WHEN 'integer' THEN 1 WHEN 'text' THEN octet_length(${cell}) << 14` +
    ` WHEN 'real' THEN 128 WHEN 'blob' THEN octet_length(${cell}) << 38 ELSE 0 END`
  );
}
