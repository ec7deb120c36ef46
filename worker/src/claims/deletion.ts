// What a store does when its user is deleted (docs/cutover.md, "Deleting a user"): claims and messages that
// commands send, a few at a time. The router deletes what is not here.
import { type JsonObject, asClaim, asOneOf } from "../wire/json.ts";
import type { Phase } from "../wire/messages.ts";
import type { StoreContext } from "../state/context.ts";
import { claim, merge, release } from "./claim.ts";
import { clearRest } from "../store/wipe.ts";

/**
 * `look` changes nothing. `begin` stops every command and all writes. `empty` takes the content away. `end` comes
 * when R2 has said that the file is gone. `clear` goes on with a large object.
 */
const steps = ["look", "begin", "empty", "end", "clear"] as const;

/** Where the store is after a step. */
export interface DeletionState {
  readonly phase: Phase;
  readonly gen: number;
  readonly bytes: number;
  /** Content that was given up is not deleted to the end: `clear` goes on. */
  readonly clearing: boolean;
}

/** In these phases the file alone has the user's rows: nothing is to be sealed. */
const HOLDS_NOTHING: readonly Phase[] = ["EMPTY", "IMPORTING", "READY", "SPLITTING"];

/** Takes one step under the claim of the step before. @throws WireError stale-claim, claim-conflict */
export async function deletionStep(store: StoreContext, request: JsonObject): Promise<DeletionState> {
  const step = asOneOf(request["step"], "step", steps);
  if (step === "begin") await begin(store);
  if (step === "empty") await empty(store, asClaim(request["gen"], "gen"));
  if (step === "end") await next(store, "rollback", asClaim(request["gen"], "gen"));
  if (step === "clear") await clearRest(store);
  await store.storage.sync();
  const { phase, gen } = store.books.state;
  return {
    phase,
    gen,
    bytes: HOLDS_NOTHING.includes(phase) ? 0 : store.sql.databaseSize,
    clearing: store.books.hasRest,
  };
}

async function begin(store: StoreContext): Promise<void> {
  const { phase, gen } = store.books.state;
  await next(store, HOLDS_NOTHING.includes(phase) ? "migrate" : "rollback", gen);
}

/** The object stays in IMPORTING while the file goes: then no router makes a new one. */
async function empty(store: StoreContext, gen: number): Promise<void> {
  if (store.books.state.phase === "IMPORTING" && store.books.state.gen === gen) return;
  if (store.books.state.phase === "COLD_SEALED") merge(store, gen);
  await release(store, gen);
  await next(store, "migrate", gen);
}

async function next(store: StoreContext, intent: "migrate" | "rollback", seen: number): Promise<void> {
  await claim(store, { intent, seen, id: undefined });
}
