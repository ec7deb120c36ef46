// The last router of this isolate, for hello to ask it for one user: whatever is wrong between the router and
// a user, the application meets it there.
import type { QueryAnswer, QueryRequest } from "../query/types.ts";

/** What can be asked. */
export interface Askable {
  query(user: string, request: QueryRequest): Promise<QueryAnswer>;
}

let last: Askable | undefined;

/** A router was made. */
export function rememberRouter(router: Askable): void {
  last = router;
}

/** Undefined before there was one. */
export function lastRouter(): Askable | undefined {
  return last;
}
