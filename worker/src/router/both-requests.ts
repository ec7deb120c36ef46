// What callers over HTTP ask of both halves of a split user (docs/split.md), read strictly.
import { asAtMostStatements, parseParams, parseStatement } from "../query/request.ts";
import { asArray, asBoolean, asInteger, asObject, asOneOf, asString } from "../wire/json.ts";
import { badRequest } from "../wire/errors.ts";
import type { SchemaRequest } from "./change-schema.ts";
import type { RowKey, WriteBothRequest } from "./locate.ts";
import type { MergeRule, OrderTerm, Total } from "./merge-rows.ts";
import type { BothRequest } from "./read-both.ts";

/** Which row is looked for. */
export interface LocateRequest {
  readonly table: string;
  readonly key: RowKey;
}

/** Each returns the request as it came, once it is understood. @throws WireError bad-request or too-costly */
export function checkBoth(value: unknown): BothRequest {
  const request = asObject(value, "request");
  asAtMostStatements(request["statements"], "statements");
  if (request["find"] !== undefined) parseStatement(request["find"], 0);
  if (request["merge"] !== undefined) asArray(request["merge"], "merge").forEach(checkRule);
  return value as BothRequest;
}

export function checkLocate(value: unknown): LocateRequest {
  const request = asObject(value, "request");
  asString(request["table"], "table");
  checkKey(request["key"]);
  return value as LocateRequest;
}

export function checkWriteBoth(value: unknown): WriteBothRequest {
  const request = asObject(value, "request");
  checkLocate(value);
  asAtMostStatements(request["statements"], "statements");
  if (request["counts"] !== undefined) asBoolean(request["counts"], "counts");
  return value as WriteBothRequest;
}

export function checkSchema(value: unknown): SchemaRequest {
  asAtMostStatements(asObject(value, "request")["statements"], "statements");
  return value as SchemaRequest;
}

function checkKey(value: unknown): void {
  const columns = asObject(value, "key");
  if (Object.keys(columns).length === 0) throw badRequest("key", "the columns of a key and their values");
  parseParams(columns, "key");
}

const TOTALS: readonly Total[] = ["count", "sum", "min", "max", "group"];
const COLLATIONS: readonly Required<OrderTerm>["collate"][] = ["BINARY", "NOCASE"];
const NULLS: readonly Required<OrderTerm>["nulls"][] = ["first", "last"];

function checkRule(value: unknown, index: number): asserts value is MergeRule {
  const where = `merge[${index}]`;
  const { orderBy, limit, offset, totals } = asObject(value, where);
  if (orderBy !== undefined) asArray(orderBy, `${where}.orderBy`).forEach((term) => checkTerm(term, where));
  for (const [name, number] of Object.entries({ limit, offset })) {
    if (number !== undefined) asInteger(number, `${where}.${name}`, 0, Number.MAX_SAFE_INTEGER);
  }
  if (totals === undefined) return;
  for (const [name, total] of Object.entries(asObject(totals, `${where}.totals`)))
    asOneOf(total, `${where}.totals.${name}`, TOTALS);
}

function checkTerm(value: unknown, where: string): void {
  const { column, desc, collate, nulls } = asObject(value, `${where}.orderBy`);
  asString(column, `${where}.orderBy.column`);
  if (desc !== undefined) asBoolean(desc, `${where}.orderBy.desc`);
  if (collate !== undefined) asOneOf(collate, `${where}.orderBy.collate`, COLLATIONS);
  if (nulls !== undefined) asOneOf(nulls, `${where}.orderBy.nulls`, NULLS);
}
