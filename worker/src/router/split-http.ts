// The requests of split mode over HTTP.
import { parseThawRequest, type ThawAnswer, type ThawRequest } from "../query/thaw-request.ts";
import { checkBoth, checkLocate, checkSchema, checkWriteBoth, type LocateRequest } from "./both-requests.ts";
import type { SchemaAnswer, SchemaRequest } from "./change-schema.ts";
import type { BothAnswer } from "./cold.ts";
import { json, readChecked, refusal, shown } from "./http.ts";
import type { LocateAnswer, WriteBothAnswer, WriteBothRequest } from "./locate.ts";
import type { BothRequest } from "./read-both.ts";

/** Questions to both halves of a split user. @throws WireError as readQuery does */
export function readBothRequest(request: Request): Promise<BothRequest> {
  return readChecked(request, checkBoth);
}

/**
 * Both halves as a response: 200 with `hot` and `cold`, which is null for users who are not split, and `merged`
 * where the request has rules; or the error's own status.
 */
export function bothResponse(answer: BothAnswer): Response {
  if (!answer.ok) return refusal(answer.error);
  const { hot, cold, merged } = answer;
  return json({ hot: shown(hot), cold: cold && shown(cold), ...(merged && { merged }) });
}

/** Which row is looked for. @throws WireError as readQuery does */
export function readLocate(request: Request): Promise<LocateRequest> {
  return readChecked(request, checkLocate);
}

/** 200 with the row's `place`, or the error's own status. */
export function locateResponse(answer: LocateAnswer): Response {
  return answer.ok ? json({ place: answer.place }) : refusal(answer.error);
}

/** A write of a row wherever it is. @throws WireError as readQuery does */
export function readWriteBoth(request: Request): Promise<WriteBothRequest> {
  return readChecked(request, checkWriteBoth);
}

/** 200 with the results and the `scope` that has the row, or the error's own status. */
export function writeBothResponse(answer: WriteBothAnswer): Response {
  return answer.ok ? json({ ...shown(answer), scope: answer.scope }) : refusal(answer.error);
}

/** A change of the schema of both halves. @throws WireError as readQuery does */
export function readSchema(request: Request): Promise<SchemaRequest> {
  return readChecked(request, checkSchema);
}

/** 200 with the `scopes` that were changed, or the error's own status. */
export function schemaResponse(answer: SchemaAnswer): Response {
  return answer.ok ? json({ scopes: answer.scopes }) : refusal(answer.error);
}

/**
 * What is to be thawed, in a request's JSON body. @throws WireError unsupported-media-type, too-large or
 * bad-request
 */
export function readThaw(request: Request): Promise<ThawRequest> {
  return readChecked(request, parseThawRequest);
}

/** 202 with the number of rows that were noted, or the error's own status. */
export function thawResponse(answer: ThawAnswer): Response {
  if (!answer.ok) return refusal(answer.error);
  return json({ rows: answer.rows }, 202);
}
