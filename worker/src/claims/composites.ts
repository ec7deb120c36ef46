// The messages of an import behind its claim, and those of a switch behind its fence, each in one request.
// Each message is a transaction of its own, durable before the next begins, and checks the claim: where this
// ends in the middle, the single messages go on.
import { WireError } from "../wire/errors.ts";
import { parseImport } from "../wire/import.ts";
import type { DatabaseDigest, Status } from "../wire/messages.ts";
import type { StoreContext } from "../state/context.ts";
import { demandClaim, statusOf } from "../state/guard.ts";
import { type DigestReport, advanceDigest } from "../store/digest.ts";
import { type FinishAnswer, finish } from "../store/finish.ts";
import { activate, ready } from "./claim.ts";
import { applyRows } from "../store/rows.ts";
import { applySchema } from "../store/schema.ts";

const DIGEST_BUDGET_MS = 5000;

/** Of what was not done to the end, the single messages do the rest. */
export interface FilledAnswer {
  readonly finish: FinishAnswer;
  /** Null where `finish` is not done. */
  readonly digest: DigestReport | null;
}

/** schema, rows, finish, digest. @throws WireError as these do */
export async function fill(store: StoreContext, gen: number, body: Uint8Array): Promise<FilledAnswer> {
  const { schema, batch } = parseImport(body);
  const batches = batch.length === 0 ? 0 : 1;
  await applySchema(store, gen, schema);
  await store.storage.sync();
  if (batches > 0) await applyRows(store, gen, 0, batch);
  await store.storage.sync();
  const finished = await finish(store, gen, batches);
  await store.storage.sync();
  const digest = finished.done ? await advanceDigest(store, DIGEST_BUDGET_MS) : null;
  return { finish: finished, digest };
}

/** ready, activate. The same request again finds the object open. @throws WireError as these do */
export async function open(
  store: StoreContext,
  gen: number,
  digest: DatabaseDigest,
  receipt: unknown,
): Promise<Status> {
  if (isOpenedBy(store, gen)) return statusOf(store);
  demandWhole(store, gen);
  ready(store, gen, digest, receipt);
  await store.storage.sync();
  return activate(store, gen);
}

/** A split has steps between the two, so it never opens in one request. */
function demandWhole({ books: { state } }: StoreContext, gen: number): void {
  demandClaim(state, gen, "ready");
  if (state.intent === "migrate") return;
  throw new WireError("wrong-phase", `open is for a claim to migrate, not to ${state.intent}`, {
    phase: state.phase,
    gen: state.gen,
    lin: state.lin,
  });
}

/** A receipt comes with `ready` only, so this claim has imported what the object serves. */
function isOpenedBy({ books }: StoreContext, gen: number): boolean {
  const { receipt, state } = books;
  const claim =
    typeof receipt === "object" && receipt !== null && "claim" in receipt ? receipt.claim : undefined;
  return state.phase === "ACTIVE" && state.gen === gen && state.lin === gen && claim === gen;
}
