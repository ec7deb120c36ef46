// Rows that SQLite makes all before it gives the first. A Durable Object counts no steps: so that they do not fill its
// memory, such rows are first made one by one, counted, and kept nowhere.
import { messageOf } from "../wire/errors.ts";
import { QUERY_LIMITS } from "../wire/limits.ts";
import type { Binding } from "./parameters.ts";
import type { Sql } from "./sql.ts";

/** Whether SQLite sorts the statement's rows itself; else an index, or the rowid, has them in their order. */
export function sortsRows(sql: Sql, statement: string, bindings: readonly Binding[]): boolean {
  try {
    const plan = sql.exec(`EXPLAIN QUERY PLAN ${statement}`, ...bindings);
    return [...plan.raw()].some((row) => /TEMP B-TREE FOR .*ORDER BY/.test(String(row.at(-1))));
  } catch (error) {
    // With these words more it is too long.
    if (!/too long|TOOBIG/i.test(messageOf(error))) throw error;
    return true;
  }
}

/**
 * A SELECT of one number for each row of the table `from`: the least bytes that the row has in an answer beside its values'
 * own, which is none beside a number's. No encoding has more than three bytes for a character of JavaScript.
 */
export function sizesOf(names: readonly string[], from: string): string {
  const bytes = names.map((name) => `iif(typeof(${name}) IN ('text', 'blob'), octet_length(${name}), 0)`);
  return `SELECT (${sum(bytes)}) / 3 FROM ${from} WHERE 1`;
}

/** One row more than a request may have, for the budget to see. */
export const ONE_TOO_MANY = ` LIMIT ${QUERY_LIMITS.resultRows + 1}`;

/** In parentheses by halves: an expression may be 100 deep. */
function sum(terms: readonly string[]): string {
  if (terms.length < 2) return terms[0] ?? "0";
  const middle = terms.length >> 1;
  return `(${sum(terms.slice(0, middle))}) + (${sum(terms.slice(middle))})`;
}
