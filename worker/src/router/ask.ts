// How a request of the application reaches the side, or the half, that answers it.
import type { LogicClasses } from "../logic/registry.ts";
import { type ParsedRequest, parseQueryRequest } from "../query/request.ts";
import type { Answer, QueryAnswer, QueryRequest } from "../query/types.ts";
import { asWireError, type ErrorInfo } from "../wire/errors.ts";
import { parseUserId } from "../wire/routes.ts";
import { queryErrand } from "./errands.ts";
import { type Answered, type Errand, Journey, type JourneyOptions } from "./journey.ts";
import type { LiveUpdates } from "./live-part.ts";
import type { Sides } from "./sides.ts";
import type { Halves, WholeRouter } from "./split-part.ts";
import { noSplit } from "./unmounted.ts";

/** What a router between sides of any kind is told. */
export interface RouteOptions extends JourneyOptions {
  readonly logic?: LogicClasses | undefined;
  readonly live?: LiveUpdates | undefined;
  /** Deletes a user, and says whether there was anything. */
  readonly deleteUser?: (user: string) => Promise<boolean>;
}

export interface Asker {
  readonly sides: Sides;
  readonly halves: Halves;
  /** Goes to the side that serves the user, wherever that is by then. */
  travel<Results extends Answered>(errand: Errand<Results>): Promise<Answer<Results>>;
  ask: WholeRouter["ask"];
}

export function askBetween(sides: Sides, options: RouteOptions): Asker {
  const { deadlineMs, observe } = options;
  if (options.splitConflicts === "refuse" && options.split === undefined)
    throw new Error('splitConflicts is "refuse", and the router has no `split: splitMode`');
  const travel: Asker["travel"] = async (errand) => {
    const start = options.path === "auto" && (await saysMigrated(sides, errand.user)) ? "store" : "file";
    return new Journey(sides, errand, options).run(start);
  };
  const hot = (
    user: string,
    request: QueryRequest,
    parsed: ParsedRequest,
    splitConflicts = options.splitConflicts,
  ): Promise<QueryAnswer> =>
    travel(queryErrand(sides.store, user, request, parsed, { ...options, splitConflicts }));
  const ask: Asker["ask"] = async (user, request, conflicts = options.splitConflicts) =>
    halves.explained(user, request?.scope === "cold" ? "cold" : "hot", async () => {
      const parsed = parseQueryRequest(request);
      parseUserId(user);
      if (parsed.scope === "hot") return hot(user, request, parsed, conflicts);
      return halves.askCold(user, request, parsed, conflicts);
    });
  const halves: Halves = options.split?.router.halvesOf({ sides, deadlineMs, observe, ask, hot }) ?? noSplit;
  return { sides, halves, travel, ask };
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

/** The flag is a hint: without it the file is asked, which knows. */
async function saysMigrated({ flag }: Sides, user: string): Promise<boolean> {
  try {
    return await flag.isMigrated(user);
  } catch {
    return false;
  }
}
