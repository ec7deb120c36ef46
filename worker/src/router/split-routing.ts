// A router for split users: the requests that concern both halves, or the cold one (docs/split.md).
import type { Watch } from "../file/engine.ts";
import { parseQueryRequest } from "../query/request.ts";
import { parseThawRequest } from "../query/thaw-request.ts";
import type { QueryRequest, QueryScope } from "../query/types.ts";
import { parseUserId } from "../wire/routes.ts";
import { orError } from "./ask.ts";
import { changeSchema } from "./change-schema.ts";
import { type BothAnswer, type ColdUser, explained, noteThaw, queryCold, readBoth } from "./cold.ts";
import { locate, writeBoth } from "./locate.ts";
import { checkMerge, mergeResults } from "./merge-rows.ts";
import { type BothRequest, withFound } from "./read-both.ts";
import { changesSchema, demandNoSplitConflict, schemaOfOneHalf } from "./split-conflicts.ts";
import type { Halves, SplitQueries, SplitRouting, WholeRouter } from "./split-part.ts";
import { Trip } from "./trip.ts";

/** @param watch records what a write does to a file */
export function splitRouting(watch: Watch): SplitRouting {
  return { halvesOf, watch, demandNoConflict: demandNoSplitConflict };
}

function halvesOf(router: WholeRouter): Halves {
  const { sides, deadlineMs } = router;
  const cold = (user: string): ColdUser => ({ sides, user, deadlineMs });
  return {
    queries: queriesOf(router, cold),
    async askCold(user, request, { mode, scope, statements }, conflicts) {
      // Of the hot half it counts what happened; here nothing may happen before it is known.
      if (conflicts === "refuse" && statements.some(({ sql }) => changesSchema(sql))) throw schemaOfOneHalf();
      const trip = new Trip();
      trip.ask("store");
      return trip.observed(router.observe, { user, mode, scope }, () => queryCold(cold(user), request));
    },
    explained: (user, scope, run) => explained(cold(user), scope, run),
  };
}

function queriesOf(router: WholeRouter, cold: (user: string) => ColdUser): SplitQueries {
  const { deadlineMs } = router;
  const queryBoth: SplitQueries["queryBoth"] = (user, request) =>
    orError(() => askBoth(router, cold(user), request));
  const halves = { deadlineMs, query: router.ask, queryBoth };
  return {
    queryBoth,
    locate: (user, table, key) => orError(() => locate(halves, user, table, key)),
    writeBoth: (user, request) => orError(() => writeBoth(halves, user, request)),
    schema(user, request) {
      const asked = (one: string, what: QueryRequest) => router.ask(one, what, "accept");
      return orError(() => changeSchema({ ...halves, query: asked }, user, request));
    },
    thaw: (user, request) =>
      orError(async () => {
        parseThawRequest(request);
        parseUserId(user);
        return noteThaw(cold(user), request);
      }),
  };
}

async function askBoth(router: WholeRouter, cold: ColdUser, request: BothRequest): Promise<BothAnswer> {
  const { user } = cold;
  const { merge } = request;
  const statements = await withFound(request, (found) => router.ask(user, found));
  const [hotRequest, coldRequest] = [readOf(statements, "hot"), readOf(statements, "cold")];
  const parsed = parseQueryRequest(hotRequest);
  parseUserId(user);
  if (merge !== undefined)
    checkMerge(
      merge,
      parsed.statements.map(({ sql }) => sql),
    );
  const answer = await readBoth(cold, coldRequest, () => router.hot(user, hotRequest, parsed));
  if (!answer.ok || merge === undefined) return answer;
  return { ...answer, merged: mergeResults(answer.hot, answer.cold, merge) };
}

function readOf(statements: QueryRequest["statements"], scope: QueryScope): QueryRequest {
  return { statements, mode: "read", scope };
}
