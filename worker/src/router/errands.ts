// What a router carries between the sides: a query, or a call of a method.
import { DEFAULT_MAX_FILE_BYTES, type Watch } from "../file/engine.ts";
import { callOnFile } from "../file/call.ts";
import type { CallRequest, CallResults } from "../logic/call.ts";
import type { LogicClasses } from "../logic/registry.ts";
import type { ParsedRequest } from "../query/request.ts";
import type { QueryRequest, QueryResults } from "../query/types.ts";
import { WireError } from "../wire/errors.ts";
import type { Errand, JourneyOptions } from "./journey.ts";
import { runWithin } from "./limits.ts";
import type { StoreSide } from "./sides.ts";

/** Statements of a request. The Durable Object reads the request for itself. */
export function queryErrand(
  store: StoreSide,
  user: string,
  request: QueryRequest,
  parsed: ParsedRequest,
  options: JourneyOptions,
): Errand<QueryResults> {
  const { limits = "enforce", maxFileBytes } = options;
  return {
    user,
    mode: parsed.mode,
    scope: parsed.scope,
    askStore: () => store.query(user, request),
    runOn: (file, tell) => {
      const watch = watchOf(options);
      const { results, changed, written } = runWithin(limits, file, parsed, maxFileBytes, tell, watch);
      return { results: { results, side: "file" }, changed, written };
    },
  };
}

/** A call of a method, which each side finds among its own classes. */
export function callErrand(
  store: StoreSide,
  user: string,
  request: CallRequest,
  logic: LogicClasses,
  options: Partial<JourneyOptions>,
): Errand<CallResults> {
  const { maxFileBytes = DEFAULT_MAX_FILE_BYTES } = options;
  return {
    user,
    mode: request.mode,
    scope: "hot",
    method: `${request.logic}.${request.method}`,
    askStore: () => {
      if (store.call === undefined)
        throw new WireError("not-found", "call: this router's store has no `call`");
      return store.call(user, request);
    },
    runOn: (file) => {
      const watch = watchOf(options);
      const { value, changed, written } = callOnFile(file, request, logic, maxFileBytes, watch);
      return { results: { value, side: "file" }, changed, written };
    },
  };
}

/** Watched is what could be in the way of cold rows. */
function watchOf({ splitConflicts, split }: Partial<JourneyOptions>): Watch | undefined {
  return splitConflicts === "refuse" ? split?.router.watch : undefined;
}
