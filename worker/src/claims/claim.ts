// claim, reset, ready, activate, merge, release: the messages that move a store from phase to phase. Each is
// one transaction.
import { WireError } from "../wire/errors.ts";
import {
  type Claimed,
  type DatabaseDigest,
  type Intent,
  type Phase,
  type Status,
  censusDifference,
} from "../wire/messages.ts";
import type { StoreContext } from "../state/context.ts";
import { type Difference, differences } from "../store/differences.ts";
import { presentBookmark, withBookmarks } from "../store/bookmark.ts";
import { completeDigest } from "../store/digest.ts";
import { isFinished } from "../store/finish.ts";
import { advance, beginImportEvent, demandClaim, demandPhase, statusOf } from "../state/guard.ts";
import { checkEverything, setForeignKeys } from "../state/pragmas.ts";
import { type Message, type Rule, claimOf, ruleFor } from "../state/phases.ts";
import { clearRest, wipe } from "../store/wipe.ts";

/**
 * What a claim asks for. The id, if any, is random: the same request again, after a lost answer, is the same
 * claim.
 */
export interface ClaimRequest {
  readonly intent: Intent;
  readonly seen: number;
  readonly id: string | undefined;
}

/**
 * Hands out the next claim number, if `seen` is the present one.
 * @throws WireError claim-conflict
 */
export async function claim(store: StoreContext, { intent, seen, id }: ClaimRequest): Promise<Claimed> {
  const message = claimOf(intent);
  const bookmark = await presentBookmark(store);
  // An active store keeps its foreign keys on; one that is wiped needs them off.
  if (ruleFor(store.books.state, message).wipe === true) await setForeignKeys(store.storage, false);
  const claimed = store.storage.transactionSync(() => {
    const { state, lastClaim } = store.books;
    if (lastClaim !== undefined && lastClaim.gen === state.gen && lastClaim.id === id) {
      return { ...statusOf(store), outcome: lastClaim.outcome };
    }
    if (seen !== state.gen) {
      throw new WireError("claim-conflict", `claim ${seen} was seen, and ${state.gen} is the last one`, {
        gen: state.gen,
      });
    }
    const rule = demandPhase(state, message);
    if (rule.outcome === undefined) throw new Error(`${message} has no outcome in ${state.phase}`);
    apply(store, message, rule);
    if (rule.wipe === true && intent === "migrate") store.books.dropThaws();
    if (rule.outcome === "import") store.books.claimBookmark = bookmark;
    if (id !== undefined) store.books.lastClaim = { gen: store.books.state.gen, id, outcome: rule.outcome };
    return { ...statusOf(store), outcome: rule.outcome };
  });
  return thenClear(store, claimed);
}

// The answer is of the moment of the message: by the time that its rest is cleared, another claim may have come.
async function thenClear<T extends Status>(store: StoreContext, answer: T): Promise<T> {
  if (answer.clearing !== true) return answer;
  await clearRest(store);
  return { ...answer, clearing: store.books.hasRest };
}

/** Throws the content away and starts the import over, under the same claim. @throws WireError */
export async function reset(store: StoreContext, gen: number): Promise<Status> {
  await beginImportEvent(store, gen, "reset");
  return thenClear(store, move(store, gen, "reset"));
}

/** Says that the whole file of a split user is put next. @throws WireError */
export function merge(store: StoreContext, gen: number): Status {
  return move(store, gen, "merge");
}

/** Ends a rollback: the content goes, the claim counter stays. @throws WireError */
export async function release(store: StoreContext, gen: number): Promise<Status> {
  await beginImportEvent(store, gen, "release");
  return thenClear(store, move(store, gen, "release"));
}

/** Opens the store for the application. @throws WireError */
export async function activate(store: StoreContext, gen: number): Promise<Status> {
  const bookmark = await presentBookmark(store);
  await checkEverything(store.storage);
  return store.storage.transactionSync(() => {
    const { state } = store.books;
    const rule = demandClaim(state, gen, "activate");
    if (rule.answer === "ok") apply(store, "activate", rule);
    if (rule.to === "ACTIVE") store.books.opened = gen;
    if (rule.answer === "ok" && isFresh(state.phase)) keepBookmarks(store, bookmark);
    // A resume goes on with the old content: the writes since its first activation still count.
    if (rule.answer === "ok" && isFresh(state.phase)) store.books.markActivation();
    // The command that divided the user had read them, and none can have come since.
    if (rule.answer === "ok" && state.phase === "SPLIT_READY") store.books.dropThaws();
    return statusOf(store);
  });
}

/** The receipt tells from which moment to which the object held what was imported, and nothing else. */
function keepBookmarks({ books }: StoreContext, activation: string | undefined): void {
  const claim = books.claimBookmark;
  const known = { ...(claim !== undefined && { claim }), ...(activation !== undefined && { activation }) };
  books.receipt = withBookmarks(books.receipt, known);
}

/** Whether the content was never open to the application. */
function isFresh(phase: Phase): boolean {
  return phase === "READY" || phase === "SPLIT_READY";
}

/**
 * Ends the import, if the store's own digest is the one that is demanded.
 * @throws WireError digest-incomplete, digest-mismatch and those of every claim
 */
export function ready(store: StoreContext, gen: number, demanded: DatabaseDigest, receipt: unknown): Status {
  return store.storage.transactionSync(() => {
    const rule = demandClaim(store.books.state, gen, "ready");
    const own = completeDigest(store);
    if (own === undefined || !isFinished(store)) throw incomplete(store);
    if (own.database !== demanded.database || differences(own, demanded).length > 0)
      throw mismatch(store, own, demanded, rule);
    if (rule.answer === "ok") {
      store.books.receipt = receipt;
      apply(store, "ready", rule);
    }
    return statusOf(store);
  });
}

function move(store: StoreContext, gen: number, message: Message): Status {
  return store.storage.transactionSync(() => {
    const rule = demandClaim(store.books.state, gen, message);
    if (rule.answer === "ok") apply(store, message, rule);
    return statusOf(store);
  });
}

function apply(store: StoreContext, message: Message, rule: Rule): void {
  if (rule.wipe === true) wipe(store);
  advance(store, message, rule);
}

function incomplete(store: StoreContext): WireError {
  const next = isFinished(store) ? "digest" : "finish";
  return new WireError("digest-incomplete", `repeat ${next} until it is done, then send ready again`, {
    phase: store.books.state.phase,
  });
}

// In READY and SPLIT_READY the question is not whether the copy is right, but whether this is the same
// command's ready once more.
function mismatch(store: StoreContext, own: DatabaseDigest, demanded: DatabaseDigest, rule: Rule): WireError {
  const { phase } = store.books.state;
  if (rule.answer === "unchanged") {
    return new WireError("wrong-phase", "ready came before, with another digest", {
      phase,
      gen: store.books.state.gen,
    });
  }
  const found = differences(own, demanded);
  return new WireError("digest-mismatch", `what arrived is not what was sent: ${describe(found)}`, {
    phase,
    differences: found,
  });
}

function describe(found: ReturnType<typeof differences>): string {
  const names = found.map((difference) => ("table" in difference ? describeTable(difference) : "the schema"));
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

function describeTable({ table, store, file }: Extract<Difference, { table: string }>): string {
  const census = censusDifference(store?.census, file?.census);
  const counts = census !== "" ? census : `${store?.rows ?? 0} against ${file?.rows ?? 0} rows`;
  return `table ${table.slice(0, 200)} (${counts})`;
}
