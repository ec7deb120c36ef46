// How a request of the application reaches the side, or the half, that answers it.
import type { LogicClasses } from "../logic/registry.ts";
import { type ParsedRequest, parseQueryRequest } from "../query/request.ts";
import type { Answer, QueryAnswer, QueryRequest, QueryScope } from "../query/types.ts";
import { asWireError, type ErrorInfo } from "../wire/errors.ts";
import { parseUserId } from "../wire/routes.ts";
import { type BothAnswer, type ColdUser, explained, queryCold, readBoth } from "./cold.ts";
import { queryErrand } from "./errands.ts";
import { type Answered, type Errand, Journey, type JourneyOptions } from "./journey.ts";
import { checkMerge, mergeResults } from "./merge-rows.ts";
import { type BothRequest, withFound } from "./read-both.ts";
import type { Sides } from "./sides.ts";
import { changesSchema, schemaOfOneHalf } from "./split-conflicts.ts";
import { Trip } from "./trip.ts";

/** What a router between sides of any kind is told. */
export interface RouteOptions extends JourneyOptions {
  readonly logic?: LogicClasses | undefined;
  /** Deletes a user, and says whether there was anything. */
  readonly deleteUser?: (user: string) => Promise<boolean>;
}

type OfHalves = Pick<RouteOptions, "splitConflicts">;

export interface Asker {
  readonly sides: Sides;
  cold(user: string): ColdUser;
  /** Goes to the side that serves the user, wherever that is by then. */
  travel<Results extends Answered>(errand: Errand<Results>): Promise<Answer<Results>>;
  ask(user: string, request: QueryRequest, given: OfHalves): Promise<QueryAnswer>;
  queryBoth(user: string, request: BothRequest): Promise<BothAnswer>;
}

export function askBetween(sides: Sides, options: RouteOptions): Asker {
  const cold = (user: string): ColdUser => ({ sides, user, deadlineMs: options.deadlineMs });
  const travel: Asker["travel"] = async (errand) => {
    const start = options.path === "auto" && (await saysMigrated(sides, errand.user)) ? "store" : "file";
    return new Journey(sides, errand, options).run(start);
  };
  const hot = (
    user: string,
    request: QueryRequest,
    parsed: ParsedRequest,
    { splitConflicts }: OfHalves = options,
  ): Promise<QueryAnswer> =>
    travel(queryErrand(sides.store, user, request, parsed, { ...options, splitConflicts }));
  const askCold = async (user: string, request: QueryRequest, { mode, scope }: ParsedRequest) => {
    const trip = new Trip();
    trip.ask("store");
    return trip.observed(options.observe, { user, mode, scope }, () => queryCold(cold(user), request));
  };
  const ask: Asker["ask"] = async (user, request, given) =>
    explained(cold(user), request?.scope === "cold" ? "cold" : "hot", async () => {
      const parsed = parseQueryRequest(request);
      parseUserId(user);
      if (parsed.scope === "hot") return hot(user, request, parsed, given);
      // Of the hot half it counts what happened; here nothing may happen before it is known.
      if (given.splitConflicts === "refuse" && parsed.statements.some(({ sql }) => changesSchema(sql)))
        throw schemaOfOneHalf();
      return askCold(user, request, parsed);
    });
  const queryBoth: Asker["queryBoth"] = (user, request) =>
    orError(async () => {
      const { merge } = request;
      const statements = await withFound(request, (found) => ask(user, found, options));
      const [hotRequest, coldRequest] = [readOf(statements, "hot"), readOf(statements, "cold")];
      const parsed = parseQueryRequest(hotRequest);
      parseUserId(user);
      if (merge !== undefined)
        checkMerge(
          merge,
          parsed.statements.map(({ sql }) => sql),
        );
      const answer = await readBoth(cold(user), coldRequest, () => hot(user, hotRequest, parsed));
      if (!answer.ok || merge === undefined) return answer;
      return { ...answer, merged: mergeResults(answer.hot, answer.cold, merge) };
    });
  return { sides, cold, travel, ask, queryBoth };
}

/** Errors are answers too. */
export async function orError<A>(
  answer: () => Promise<A>,
): Promise<A | { readonly ok: false; readonly error: ErrorInfo }> {
  try {
    return await answer();
  } catch (error) {
    return { ok: false, error: asWireError(error).info };
  }
}

function readOf(statements: QueryRequest["statements"], scope: QueryScope): QueryRequest {
  return { statements, mode: "read", scope };
}

/** The flag is a hint: without it the file is asked, which knows. */
async function saysMigrated({ flag }: Sides, user: string): Promise<boolean> {
  try {
    return await flag.isMigrated(user);
  } catch {
    return false;
  }
}
