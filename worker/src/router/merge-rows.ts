// One answer from the answers of both halves (docs/split.md): rows in the order of the question, up to its limit,
// and totals.
import type { QueryResults, ResultValue, StatementResult } from "../query/types.ts";
import { emitInteger, emitReal } from "../query/values.ts";
import { tokenize } from "../query/tokens.ts";
import { badRequest } from "../wire/errors.ts";
import { asArray, asBoolean, asInteger, asObject, asOneOf, asString } from "../wire/json.ts";
import { MAX_EXACT_INTEGER } from "../wire/limits.ts";

/** A column of the result by which rows are ordered, by name. */
export interface OrderTerm {
  readonly column: string;
  readonly desc?: boolean;
  /** Default: BINARY, as SQLite has it. */
  readonly collate?: "BINARY" | "NOCASE";
  /** Where NULLs stand. Default: as SQLite has it, before all values, and behind them with `desc`. */
  readonly nulls?: "first" | "last";
}

/** How a column of both answers becomes one: `group` keeps rows apart by it. */
export type Total = "count" | "sum" | "min" | "max" | "group";

/** How the rows of a statement are put together. */
export interface MergeRule {
  /** As in the statement's own ORDER BY. */
  readonly orderBy?: readonly OrderTerm[];
  /** Each half is to be asked for its first `offset + limit` rows. */
  readonly limit?: number;
  readonly offset?: number;
  /** What each column of the result is, for a statement with aggregates. */
  readonly totals?: Readonly<Record<string, Total>>;
}

type Row = readonly ResultValue[];

/**
 * Puts one statement's rows of both halves together. Of reference tables the hot half has every row, and those of
 * the cold half are copies. @throws WireError bad-request for a column that is not there, or a rule that is none
 */
export function mergeRows(
  hot: StatementResult,
  cold: StatementResult | undefined,
  rule: MergeRule,
): StatementResult {
  checkRule(rule, "merge");
  const all: Row[] = [...hot.rows, ...(cold === undefined || cold.copied ? [] : cold.rows)];
  const rows = rule.totals === undefined ? all : totalled(hot.columns, all, rule.totals);
  const ordered = rule.orderBy === undefined ? rows : rows.toSorted(comparing(hot.columns, rule.orderBy));
  const offset = rule.offset ?? 0;
  return {
    columns: hot.columns,
    rows: ordered.slice(offset, rule.limit === undefined ? undefined : offset + rule.limit),
    rowsRead: hot.rowsRead + (cold?.rowsRead ?? 0),
    rowsWritten: 0,
  };
}

/** The same for each statement of a request. @throws WireError bad-request */
export function mergeResults(
  hot: QueryResults,
  cold: QueryResults | null,
  rules: readonly MergeRule[],
): readonly StatementResult[] {
  return hot.results.map((result, index) => mergeRows(result, cold?.results[index], rules[index] ?? {}));
}

/**
 * Refuses what no rule can put together, before anything is asked: a word that no rule has would be a wrong order
 * in silence. @throws WireError bad-request
 */
export function checkMerge(rules: readonly MergeRule[], texts: readonly string[]): void {
  if (rules.length !== texts.length) throw badRequest("merge", "one rule for each statement");
  rules.forEach((rule, index) => {
    checkRule(rule, `merge[${index}]`);
    if (isDistinct(texts[index] ?? "") && !Object.values(rule.totals ?? { none: "" }).every(isGroup))
      throw badRequest(`merge[${index}].totals`, "`group` for each column of a SELECT DISTINCT");
  });
}

const RULE_WORDS: readonly string[] = ["orderBy", "limit", "offset", "totals"];
const TERM_WORDS: readonly string[] = ["column", "desc", "collate", "nulls"];
const TOTALS: readonly Total[] = ["count", "sum", "min", "max", "group"];
const COLLATIONS: readonly Required<OrderTerm>["collate"][] = ["BINARY", "NOCASE"];
const NULLS: readonly Required<OrderTerm>["nulls"][] = ["first", "last"];

/** A rule from JSON has had no compiler: `avg` would be added up. @throws WireError bad-request */
export function checkRule(value: unknown, where: string): asserts value is MergeRule {
  const rule = asObject(value, where);
  demandKnown(rule, RULE_WORDS, where);
  const { orderBy, limit, offset, totals } = rule;
  if (orderBy !== undefined) asArray(orderBy, `${where}.orderBy`).forEach((term) => checkTerm(term, where));
  for (const [name, number] of Object.entries({ limit, offset })) {
    if (number !== undefined) asInteger(number, `${where}.${name}`, 0, Number.MAX_SAFE_INTEGER);
  }
  if (totals === undefined) return;
  for (const [name, total] of Object.entries(asObject(totals, `${where}.totals`)))
    asOneOf(total, `${where}.totals.${name.slice(0, 100)}`, TOTALS);
}

function checkTerm(value: unknown, where: string): void {
  const term = asObject(value, `${where}.orderBy`);
  demandKnown(term, TERM_WORDS, `${where}.orderBy`);
  const { column, desc, collate, nulls } = term;
  asString(column, `${where}.orderBy.column`);
  if (desc !== undefined) asBoolean(desc, `${where}.orderBy.desc`);
  if (collate !== undefined) asOneOf(collate, `${where}.orderBy.collate`, COLLATIONS);
  if (nulls !== undefined) asOneOf(nulls, `${where}.orderBy.nulls`, NULLS);
}

function demandKnown(value: object, words: readonly string[], where: string): void {
  const unknown = Object.keys(value).find((key) => !words.includes(key));
  if (unknown !== undefined)
    throw badRequest(where, `${words.join(", ")} and nothing else, but ${unknown.slice(0, 100)} is there`);
}

function isGroup(total: string): boolean {
  return total === "group";
}

/** A row of both halves would be there twice, and be counted twice. `IS DISTINCT FROM` compares only. */
function isDistinct(sql: string): boolean {
  const words = tokenize(sql)
    .filter(({ type }) => type !== "space" && type !== "comment")
    .map(({ text }) => text.toUpperCase());
  return words.some((word, i) => word === "DISTINCT" && words[i - 1] !== "IS" && words[i - 1] !== "NOT");
}

function indexOf(columns: readonly string[], name: string): number {
  const index = columns.indexOf(name);
  if (index < 0) throw badRequest("merge", `columns of the result, and ${name.slice(0, 100)} is none`);
  return index;
}

function totalled(
  columns: readonly string[],
  rows: readonly Row[],
  totals: Required<MergeRule>["totals"],
): Row[] {
  for (const name of Object.keys(totals)) indexOf(columns, name);
  const kinds = columns.map((name) => totals[name]);
  if (kinds.includes(undefined)) throw badRequest("merge.totals", "one word for each column of the result");
  const groups = new Map<string, Row>();
  for (const row of rows) {
    const key = JSON.stringify(row.filter((_, index) => kinds[index] === "group").map(sameAs));
    const before = groups.get(key);
    groups.set(
      key,
      before === undefined ? row : before.map((value, i) => add(kinds[i], value, row[i] ?? null)),
    );
  }
  return [...groups.values()];
}

/** Equal values are one group in SQLite: 0, 0.0 and -0.0 are. */
function sameAs(value: ResultValue): string {
  return rank(value) === 1 ? exact(value).toString() : JSON.stringify(value);
}

function add(kind: Total | undefined, one: ResultValue, other: ResultValue): ResultValue {
  if (kind === "group") return one;
  if (one === null || other === null) return one ?? other;
  if (kind === "min" || kind === "max") return compare(one, other) < 0 === (kind === "min") ? one : other;
  return sum(one, other);
}

// Integers stay exact; a sum with a REAL is a REAL, and no number is NULL.
function sum(one: ResultValue, other: ResultValue): ResultValue {
  const [a, b] = [wholeOf(one), wholeOf(other)];
  if (a === undefined || b === undefined) {
    const real = numberOf(one) + numberOf(other);
    return Number.isNaN(real) ? null : emitReal(real);
  }
  const total = a + b;
  if (total > MAX_INT64 || total < -MAX_INT64 - 1n) throw badRequest("merge", "sums that fit an INTEGER");
  return emitInteger(total);
}

const MAX_INT64 = 2n ** 63n - 1n;

function wholeOf(value: ResultValue): bigint | undefined {
  if (typeof value === "number") return isWhole(value) ? BigInt(value) : undefined;
  return typeof value === "object" && value !== null && "int" in value ? BigInt(value.int) : undefined;
}

// An answer has a REAL that is whole as `real`.
function isWhole(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) <= MAX_EXACT_INTEGER;
}

function numberOf(value: ResultValue): number {
  if (typeof value === "number") return value;
  if (typeof value === "object" && value !== null) {
    if ("int" in value) return Number(value.int);
    if ("real" in value) return Number(value.real);
  }
  throw badRequest("merge.totals", "numbers to add up");
}

function comparing(columns: readonly string[], terms: readonly OrderTerm[]): (a: Row, b: Row) => number {
  const keys = terms.map((term) => ({ ...term, index: indexOf(columns, term.column) }));
  return (a, b) => {
    for (const { index, desc = false, collate = "BINARY", nulls = desc ? "last" : "first" } of keys) {
      const [one, other] = [a[index] ?? null, b[index] ?? null];
      if (one === null && other === null) continue;
      if (one === null || other === null) return (one === null) === (nulls === "first") ? -1 : 1;
      const order = compare(one, other, collate);
      if (order !== 0) return desc ? -order : order;
    }
    return 0;
  };
}

// NULL, numbers, texts, blobs: SQLite's order.
function compare(a: ResultValue, b: ResultValue, collate: "BINARY" | "NOCASE" = "BINARY"): number {
  const [rankA, rankB] = [rank(a), rank(b)];
  if (rankA !== rankB) return rankA - rankB;
  if (rankA === 1) return compareNumbers(a, b);
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b, collate);
  return rankA === 3 ? compareTexts(binary(a), binary(b), "BINARY") : 0;
}

function rank(value: ResultValue): 0 | 1 | 2 | 3 {
  if (value === null) return 0;
  if (typeof value === "string") return 2;
  return typeof value === "object" && "blob" in value ? 3 : 1;
}

// JavaScript compares a bigint with a number exactly, as SQLite does an INTEGER with a REAL.
function compareNumbers(a: ResultValue, b: ResultValue): number {
  const [one, other] = [exact(a), exact(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}

function exact(value: ResultValue): bigint | number {
  const whole = wholeOf(value);
  if (whole !== undefined) return whole;
  const real = numberOf(value);
  return Number.isInteger(real) ? BigInt(real) : real;
}

/** Each byte is a character. */
function binary(value: ResultValue): string {
  return typeof value === "object" && value !== null && "blob" in value ? atob(value.blob) : "";
}

const encoder = new TextEncoder();

// By bytes of UTF-8, as BINARY has it: JavaScript compares UTF-16.
function compareTexts(a: string, b: string, collate: "BINARY" | "NOCASE"): number {
  const fold = (text: string) =>
    collate === "NOCASE" ? text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : text;
  const [bytesA, bytesB] = [encoder.encode(fold(a)), encoder.encode(fold(b))];
  const common = Math.min(bytesA.length, bytesB.length);
  for (let i = 0; i < common; i++) {
    const difference = (bytesA[i] ?? 0) - (bytesB[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return bytesA.length - bytesB.length;
}
