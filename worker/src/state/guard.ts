import { WireError } from "../wire/errors.ts";
import type { Status } from "../wire/messages.ts";
import { isBirth } from "./birth-claim.ts";
import type { StoreContext } from "./context.ts";
import { setForeignKeys } from "./pragmas.ts";
import { type Message, type Rule, type State, nextState, ruleFor } from "./phases.ts";

/**
 * Checks that a message may have its effect now. Called inside the transaction that makes the effect.
 * @throws WireError wrong-phase
 */
export function demandPhase(state: State, message: Message): Rule {
  const rule = ruleFor(state, message);
  if (rule.answer === "ok" || rule.answer === "unchanged") return rule;
  throw new WireError("wrong-phase", `${message} is not allowed in ${describe(state)}`, {
    phase: state.phase,
    gen: state.gen,
    lin: state.lin,
  });
}

/**
 * Checks a command's claim, then the phase.
 * @throws WireError stale-claim or wrong-phase
 */
export function demandClaim(state: State, gen: number, message: Message): Rule {
  if (gen !== state.gen) {
    throw new WireError("stale-claim", `claim ${gen} was superseded by claim ${state.gen}`, {
      gen: state.gen,
    });
  }
  return demandPhase(state, message);
}

/**
 * Prepares an event that drops tables or fills them: foreign keys are off for it. A message that is not
 * allowed is refused before anything is switched, so an active store keeps them on. The caller checks again
 * inside its transaction.
 * @throws WireError stale-claim or wrong-phase
 */
export async function beginImportEvent(store: StoreContext, gen: number, message: Message): Promise<void> {
  demandClaim(store.books.state, gen, message);
  await setForeignKeys(store.storage, false);
}

/** Writes the state that follows from a message. */
export function advance({ books }: StoreContext, message: Message, rule: Rule): void {
  books.state = nextState(books.state, message, rule);
}

function describe(state: State): string {
  return state.intent === null ? state.phase : `${state.phase} under a ${state.intent} claim`;
}

/** The answer of most routes. */
export function statusOf({ books, sql }: StoreContext): Status {
  const { phase, gen, lin, intent } = books.state;
  return {
    phase,
    gen,
    lin,
    intent,
    writes: books.writes,
    writesAtActivation: books.writesAtActivation,
    databaseBytes: sql.databaseSize,
    batches: { applied: books.applied },
    receipt: books.receipt,
    thaws: books.thawRows,
    ...(books.opened > 0 && { opened: books.opened }),
    ...(books.hasRest && { clearing: true }),
    ...(books.schema !== undefined && { userVersion: books.userVersion }),
    ...(isBirth(books) && { birth: true }),
  };
}
