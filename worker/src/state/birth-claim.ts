// The claim of a birth is known by its id (docs/cutover.md, "New users in the object").
import type { Bookkeeping } from "./bookkeeping.ts";

const PREFIX = "birth-";

/** An id for such a claim. Those of commands are hexadecimal. */
export function birthId(): string {
  return PREFIX + crypto.randomUUID();
}

/** Whether the newest claim is one of a birth that has not come to its end. */
export function isBirth({ lastClaim, state }: Bookkeeping): boolean {
  if (state.phase !== "IMPORTING" && state.phase !== "READY") return false;
  return lastClaim?.gen === state.gen && lastClaim.id.startsWith(PREFIX);
}
