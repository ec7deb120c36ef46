// The query API over HTTP.
import { parseQueryRequest } from "../query/request.ts";
import type { QueryAnswer, QueryRequest } from "../query/types.ts";
import { readJson } from "../wire/body.ts";
import { errorResponse, WireError } from "../wire/errors.ts";

/** The query in a request's JSON body. @throws WireError unsupported-media-type, too-large or bad-request */
export async function readQuery(request: Request): Promise<QueryRequest> {
  const value = await readJson(request);
  parseQueryRequest(value);
  return value as QueryRequest;
}

/** The answer as a response: 200 with the results, or the error's own status, with Retry-After where waiting helps. */
export function answerResponse(answer: QueryAnswer): Response {
  if (!answer.ok) return errorResponse(new WireError(answer.error.kind, answer.error.message, answer.error.details));
  const { results, side } = answer;
  return Response.json({ results, side }, { headers: { "cache-control": "no-store" } });
}
