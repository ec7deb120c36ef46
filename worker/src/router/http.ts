// The query API over HTTP.
import { parseQueryRequest } from "../query/request.ts";
import type { QueryAnswer, QueryRequest, QueryResults } from "../query/types.ts";
import { readJson } from "../wire/body.ts";
import { type ErrorInfo, errorResponse, WireError } from "../wire/errors.ts";
import type { ServedByAnswer } from "./served-by.ts";

/** The query in a request's JSON body. @throws WireError unsupported-media-type, too-large or bad-request */
export function readQuery(request: Request): Promise<QueryRequest> {
  return readChecked(request, parseQueryRequest);
}

/**
 * The answer as a response: 200 with the results, or the error's own status, with Retry-After where waiting
 * helps.
 */
export function answerResponse(answer: QueryAnswer): Response {
  if (!answer.ok) return refusal(answer.error);
  return json(shown(answer));
}

/** 200 with who serves the user, or the error's own status. */
export function servedByResponse(answer: ServedByAnswer): Response {
  if (!answer.ok) return refusal(answer.error);
  const { servedBy, writable, route } = answer;
  return json({ servedBy, writable, route });
}

/** The body as it came, once `check` has understood it: the router reads it again. */
export async function readChecked<T>(request: Request, check: (value: unknown) => unknown): Promise<T> {
  const value = await readJson(request);
  check(value);
  return value as T;
}

export function refusal({ kind, message, details }: ErrorInfo): Response {
  return errorResponse(new WireError(kind, message, details));
}

/** Without what only the router needs. */
export function shown({ results, side, position }: QueryResults): Omit<QueryResults, "moment"> {
  return { results, side, ...(position && { position }) };
}

export function json(body: object, status = 200): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store" } });
}
