import { WireError, badRequest } from "../wire/errors.ts";
import { asArray, asBoolean, asObject, asOneOf, asString } from "../wire/json.ts";
import { QUERY_LIMITS } from "../wire/limits.ts";
import type { QueryMode, QueryScope } from "./types.ts";
import { type SqlParam, parseParam } from "./values.ts";

/** The parameters of a statement: by position or by name. */
export type Params = readonly SqlParam[] | ReadonlyMap<string, SqlParam>;

export interface ParsedStatement {
  readonly sql: string;
  readonly params: Params;
}

export interface ParsedRequest {
  readonly statements: readonly ParsedStatement[];
  readonly mode: QueryMode;
  readonly scope: QueryScope;
  readonly counts: boolean;
  readonly reads: boolean;
}

/** Reads a query request. @throws WireError bad-request or too-costly */
export function parseQueryRequest(value: unknown): ParsedRequest {
  const request = asObject(value, "request");
  return {
    statements: asAtMostStatements(request["statements"], "statements"),
    mode: asOneOf(request["mode"] ?? "write", "mode", ["read", "write"]),
    counts: request["counts"] !== undefined && asBoolean(request["counts"], "counts"),
    reads: request["reads"] !== undefined && asBoolean(request["reads"], "reads"),
    scope: request["scope"] === undefined ? "hot" : asOneOf(request["scope"], "scope", ["hot", "cold"]),
  };
}

/** At least one statement, and no more than a request may have. @throws WireError bad-request or too-costly */
export function asAtMostStatements(value: unknown, where: string): readonly ParsedStatement[] {
  const statements = asAtMost(value, where, QUERY_LIMITS.statements).map(parseStatement);
  if (statements.length === 0) throw badRequest(where, "at least one statement");
  return statements;
}

/** @throws WireError bad-request or too-costly */
export function parseStatement(value: unknown, index: number): ParsedStatement {
  const where = `statements[${index}]`;
  const statement = asObject(value, where);
  const sql = asString(statement["sql"], `${where}.sql`);
  if (!sql.isWellFormed()) throw new WireError("bad-request", `${where}.sql: it holds a lone surrogate`);
  return { sql, params: parseParams(statement["params"] ?? [], `${where}.params`) };
}

/** @throws WireError bad-request or too-costly */
export function parseParams(value: unknown, where: string): Params {
  if (Array.isArray(value)) {
    refuseMore(value.length, where, QUERY_LIMITS.parameters);
    return value.map((item, index) => parseParam(item, `${where}[${index}]`));
  }
  const named = Object.entries(asObject(value, where));
  refuseMore(named.length, where, QUERY_LIMITS.parameters);
  return new Map(named.map(([name, item]) => [name, parseParam(item, `${where}.${name}`)]));
}

function asAtMost(value: unknown, where: string, limit: number): readonly unknown[] {
  const list = asArray(value, where);
  refuseMore(list.length, where, limit);
  return list;
}

function refuseMore(count: number, where: string, limit: number): void {
  if (count <= limit) return;
  throw new WireError("too-costly", `${where}: ${count} are more than the ${limit} of one request`, {
    limit,
  });
}
