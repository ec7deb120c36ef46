// The query API over HTTP.
import { parseQueryRequest } from "../query/request.ts";
import type { QueryAnswer, QueryRequest, QueryResults } from "../query/types.ts";
import { readJson } from "../wire/body.ts";
import { errorResponse, WireError } from "../wire/errors.ts";
import type { BothAnswer } from "./cold.ts";

/** The query in a request's JSON body. @throws WireError unsupported-media-type, too-large or bad-request */
export async function readQuery(request: Request): Promise<QueryRequest> {
  const value = await readJson(request);
  parseQueryRequest(value);
  return value as QueryRequest;
}

/** The answer as a response: 200 with the results, or the error's own status, with Retry-After where waiting helps. */
export function answerResponse(answer: QueryAnswer): Response {
  if (!answer.ok) return errorResponse(new WireError(answer.error.kind, answer.error.message, answer.error.details));
  return json(shown(answer));
}

/** Both halves as a response: 200 with `hot` and `cold`, which is null for users who are not split, or the error's own status. */
export function bothResponse(answer: BothAnswer): Response {
  if (!answer.ok) return errorResponse(new WireError(answer.error.kind, answer.error.message, answer.error.details));
  return json({ hot: shown(answer.hot), cold: answer.cold && shown(answer.cold) });
}

/** Without what only the router needs. */
function shown({ results, side }: QueryResults): Pick<QueryResults, "results" | "side"> {
  return { results, side };
}

function json(body: object): Response {
  return Response.json(body, { headers: { "cache-control": "no-store" } });
}
