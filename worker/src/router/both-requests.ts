// What callers over HTTP ask of both halves of a split user (docs/split.md), read strictly.
import { asAtMostStatements, parseParams, parseStatement } from "../query/request.ts";
import { asArray, asBoolean, asObject, asString } from "../wire/json.ts";
import { badRequest } from "../wire/errors.ts";
import type { SchemaRequest } from "./change-schema.ts";
import type { RowKey, WriteBothRequest } from "./locate.ts";
import { checkRule } from "./merge-rows.ts";
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
  if (request["merge"] !== undefined)
    asArray(request["merge"], "merge").forEach((rule, index) => checkRule(rule, `merge[${index}]`));
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
