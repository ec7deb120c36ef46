// What a store does when a new user begins in it (docs/cutover.md, "New users in the object"): the messages of
// a migrate of an empty database, a few at a time. The router puts the fence in between.
import { isBirth, birthId } from "../state/birth-claim.ts";
import type { StoreContext } from "../state/context.ts";
import { WireError } from "../wire/errors.ts";
import { type JsonObject, asClaim, asObject, asOneOf } from "../wire/json.ts";
import { type DatabaseDigest, parseDatabaseDigest, type Schema } from "../wire/messages.ts";
import { open } from "./composites.ts";
import { advanceDigest } from "../store/digest.ts";
import { finish } from "../store/finish.ts";
import { claim } from "./claim.ts";
import { applySchema } from "../store/schema.ts";

/**
 * `begin` claims the empty object and fills it with nothing. `open` comes when the fence is in R2. `end`
 * takes the claim back, where somebody else has made a file.
 */
const steps = ["begin", "open", "end"] as const;

/** Where the store is after a step. */
export interface BirthState {
  readonly gen: number;
  readonly digest?: DatabaseDigest;
  readonly receipt?: unknown;
}

/** That of the file under the fence, which has nothing but a header. */
const EMPTY: Schema = {
  header: {
    pageSize: 4096,
    encoding: "UTF-8",
    userVersion: 0,
    applicationId: 0,
    autoVacuum: 0,
    writeVersion: 1,
    readVersion: 1,
    internal: [],
  },
  objects: [],
  virtual: [],
};
const DIGEST_BUDGET_MS = 5000;

/** Takes one step. @throws WireError wrong-phase, stale-claim, claim-conflict: somebody else has the user */
export async function birthStep(
  store: StoreContext,
  request: JsonObject,
  version: string,
): Promise<BirthState> {
  const step = asOneOf(request["step"], "step", steps);
  const state = await take(store, step, request, version);
  await store.storage.sync();
  return state;
}

async function take(
  store: StoreContext,
  step: (typeof steps)[number],
  request: JsonObject,
  version: string,
): Promise<BirthState> {
  if (step === "begin") return begin(store, asClaim(request["seen"], "seen"));
  const gen = asClaim(request["gen"], "gen");
  if (step === "end") {
    await claim(store, { intent: "rollback", seen: gen, id: undefined });
    return { gen: store.books.state.gen };
  }
  const receipt = { ...asObject(request["receipt"], "receipt"), version };
  const opened = await open(store, gen, parseDatabaseDigest(request["digest"]), receipt);
  return { gen, receipt: opened.receipt };
}

/** A command's claim is the command's to end, and an object with rows has them. */
async function begin(store: StoreContext, seen: number): Promise<BirthState> {
  const { phase, gen, lin } = store.books.state;
  if (gen === seen && phase !== "EMPTY" && !isBirth(store.books))
    throw new WireError("wrong-phase", `no user begins in an object that is ${phase}`, { phase, gen, lin });
  const claimed = await claim(store, { intent: "migrate", seen, id: birthId() });
  await applySchema(store, claimed.gen, EMPTY);
  await finish(store, claimed.gen, 0);
  const { digest } = await advanceDigest(store, DIGEST_BUDGET_MS);
  // What was here before may have left an empty sqlite_sequence, which says nothing.
  if (digest === null || digest.tables.some(({ rows }) => rows > 0))
    throw new Error(`begin in the object: it is not empty under claim ${claimed.gen}`);
  return { gen: claimed.gen, digest };
}
