import { type JsonObject, asObject, asString } from "../wire/json.ts";
import { badRequest } from "../wire/errors.ts";
import { type Params, parseParams } from "./request.ts";
import type { ErrorInfo } from "../wire/errors.ts";
import { isClosed } from "./statement.ts";
import { tokenize } from "./tokens.ts";
import type { QueryStatement } from "./types.ts";

/** Which cold rows are to come back into the file. */
export interface ThawRequest {
  readonly table: string;
  /**
   * An SQL expression over the table's columns, true for these rows. It is asked once, when the request is
   * made.
   */
  readonly where: string;
  /** Of the expression, as of a statement. */
  readonly params?: QueryStatement["params"];
}

/** How many rows were noted, or why none was. */
export type ThawAnswer =
  { readonly ok: true; readonly rows: number } | { readonly ok: false; readonly error: ErrorInfo };

export interface ParsedThaw {
  readonly table: string;
  readonly where: string;
  readonly params: Params;
}

/** @throws WireError bad-request */
export function parseThawRequest(value: unknown): ParsedThaw {
  const request = asObject(value, "request");
  const where = sqlText(request, "where");
  if (!isExpression(where)) {
    throw badRequest("where", "one SQL expression, with every parenthesis, quote and comment closed");
  }
  return {
    table: sqlText(request, "table"),
    where,
    params: parseParams(request["params"] ?? [], "params"),
  };
}

function sqlText(request: JsonObject, field: string): string {
  const text = asString(request[field], field);
  if (!text.isWellFormed()) throw badRequest(field, "text without a lone surrogate");
  if (text.trim() === "") throw badRequest(field, "text");
  return text;
}

/** Whether it stays within the parentheses that are put around it. */
function isExpression(text: string): boolean {
  const tokens = tokenize(text);
  return tokens.every(({ type }) => type !== "semicolon") && isClosed(tokens) && !text.includes("\0");
}
