// Rows that SQLite makes all before it gives the first. A Durable Object counts no steps: so that they do not fill its
// memory, such rows are first made one by one, counted, and kept nowhere.
import { messageOf } from "../wire/errors.ts";
import { QUERY_LIMITS } from "../wire/limits.ts";
import type { Binding, BoundStatement } from "./parameters.ts";
import type { Sql } from "./sql.ts";
import { countBeforeLimit, countBeforeVerb, findOutside, hasLimit, isGrouped } from "./statement.ts";
import { type Token, isKeyword, isSignificant } from "./tokens.ts";

/**
 * When a statement's rows come. `made`: each when it is made, since an index, or the rowid, has them in their order.
 * `sorted`: all are made first, and kept. `grouped`: the same, of groups: each needs all its rows, which would be read
 * twice to count a few. Where rows come out of nothing (a recursive table), groups are counted, too.
 */
export type Arrival = "made" | "sorted" | "grouped";

/** SQLite's plan for a statement with an ORDER BY tells. */
export function arrivalOf(sql: Sql, statement: BoundStatement): Arrival {
  const text = statement.sql() + (hasLimit(statement.tokens) ? "" : ONE_TOO_MANY);
  const plan = planOf(sql, text, statement.bindings());
  if (plan === undefined) return "sorted";
  if (!plan.some((step) => /TEMP B-TREE FOR .*ORDER BY/.test(step))) return "made";
  return isGrouped(statement.tokens) && !plan.includes("RECURSIVE STEP") ? "grouped" : "sorted";
}

/** The steps of the plan; undefined of a statement that is too long with these words more. */
function planOf(sql: Sql, statement: string, bindings: readonly Binding[]): readonly string[] | undefined {
  try {
    return [...sql.exec(`EXPLAIN QUERY PLAN ${statement}`, ...bindings).raw()].map((row) =>
      String(row.at(-1)),
    );
  } catch (error) {
    if (!/too long|TOOBIG/i.test(messageOf(error))) throw error;
    return undefined;
  }
}

/**
 * How many rows SQLite keeps while it sorts: as many as LIMIT and OFFSET say together, which it is asked to compute. A
 * negative LIMIT is none.
 */
export function rowsKept(sql: Sql, statement: BoundStatement): number {
  const { tokens } = statement;
  const behind = tokens.slice(countBeforeLimit(tokens) + 1);
  if (behind.length === 0) return Infinity;
  const at = findOutside(behind, (token) => token.type === "comma" || isKeyword(token, "OFFSET"));
  const [first, second] = at < 0 ? [behind, []] : [behind.slice(0, at), behind.slice(at + 1)];
  const [limit, offset] = behind[at]?.type === "comma" ? [second, first] : [first, second];
  const [rows, skipped] = [valueOf(sql, statement, limit), valueOf(sql, statement, offset)];
  const kept = rows < 0 ? Infinity : rows + Math.max(0, skipped);
  return Number.isSafeInteger(kept) ? kept : Infinity;
}

/** What an expression behind LIMIT comes to; NaN where SQLite will say what is wrong with it. */
function valueOf(sql: Sql, statement: BoundStatement, expression: readonly Token[]): number {
  const [first, ...more] = expression.filter(isSignificant);
  if (first === undefined) return 0;
  const known = /^\d+$/.test(first.text) ? first.text : statement.integerOf(first);
  if (more.length === 0 && known !== undefined) return Number(known);
  const before = countBeforeVerb(statement.tokens);
  const asked = `${statement.sql(before)}SELECT (${statement.repeated(expression)}) + 0`;
  try {
    const [row = []] = sql
      .exec(asked, ...statement.bindingsOf([...statement.tokens.slice(0, before), ...expression]))
      .raw();
    return Number([...row][0] ?? NaN);
  } catch {
    return NaN;
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
