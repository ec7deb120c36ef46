// The states of a user's Durable Object and what each message does in each (docs/cutover.md, section 2): a pure table.
import type { Intent, Outcome, Phase } from "../wire/messages.ts";

/** What moves through the table; everything else of a store hangs on it. */
export interface State {
  readonly phase: Phase;
  /** The claim counter: it only ever grows, and survives every wipe. */
  readonly gen: number;
  /** The claim that produced the content; 0 when there is none. */
  readonly lin: number;
  /** What the last claim was for. */
  readonly intent: Intent | null;
}

export const initialState: State = { phase: "EMPTY", gen: 0, lin: 0, intent: null };

export const messages = [
  "claim-migrate",
  "claim-rollback",
  "reset",
  "schema",
  "rows",
  "finish",
  "digest",
  "ready",
  "activate",
  "export",
  "release",
  "write",
  "read",
] as const;
export type Message = (typeof messages)[number];

/**
 * What a message does in a phase. `unchanged`: it had its effect already. `sealed-read`: not active, but the answer
 * carries the result on the sealed data.
 */
export interface Rule {
  readonly answer: "ok" | "unchanged" | "wrong-phase" | "not-active" | "sealed-read";
  /** The phase afterwards; the same when absent. */
  readonly to?: Phase;
  /** All content goes, in the same transaction. */
  readonly wipe?: true;
  /** What becomes of lin: the claim's number, or none. */
  readonly lineage?: "claim" | "none";
  readonly outcome?: Outcome;
}

const refused: Rule = { answer: "wrong-phase" };
const notActive: Rule = { answer: "not-active" };
const ok: Rule = { answer: "ok" };
const unchanged: Rule = { answer: "unchanged" };

const startImport: Rule = { answer: "ok", to: "IMPORTING", wipe: true, lineage: "claim", outcome: "import" };
const restartImport: Rule = { answer: "ok", to: "IMPORTING", wipe: true, lineage: "claim" };
const lift: Rule = { answer: "ok", to: "EMPTY", wipe: true, lineage: "none", outcome: "lift" };
const seal: Rule = { answer: "ok", to: "SEALED", outcome: "export" };

type Row = Readonly<Record<Phase, Rule>>;

function row(EMPTY: Rule, IMPORTING: Rule, READY: Rule, ACTIVE: Rule, SEALED: Rule): Row {
  return { EMPTY, IMPORTING, READY, ACTIVE, SEALED };
}

const importingOnly = row(refused, ok, refused, refused, refused);

const table: Readonly<Record<Message, Row>> = {
  "claim-migrate": row(
    startImport,
    startImport,
    startImport,
    { answer: "ok", outcome: "active" },
    { answer: "ok", outcome: "resume" },
  ),
  "claim-rollback": row(lift, lift, lift, seal, seal),
  reset: row(refused, restartImport, refused, refused, restartImport),
  schema: importingOnly,
  rows: importingOnly,
  finish: importingOnly,
  // Read-only; the pre-copy is verified before the fence, so IMPORTING answers too.
  digest: row(refused, ok, ok, ok, ok),
  ready: row(refused, { answer: "ok", to: "READY" }, unchanged, refused, refused),
  activate: row(refused, refused, { answer: "ok", to: "ACTIVE" }, unchanged, { answer: "ok", to: "ACTIVE" }),
  export: row(refused, refused, ok, ok, ok),
  release: row(unchanged, refused, refused, refused, { answer: "ok", to: "EMPTY", wipe: true, lineage: "none" }),
  write: row(notActive, notActive, notActive, ok, notActive),
  read: row(notActive, notActive, notActive, ok, { answer: "sealed-read" }),
};

/** What the message does in this state. */
export function ruleFor(state: State, message: Message): Rule {
  // A rollback claim never reactivates what it sealed: only a migrate that resumes may.
  if (message === "activate" && state.intent !== "migrate") return refused;
  return table[message][state.phase];
}

/** The state after a message whose rule is `rule`. */
export function nextState(state: State, message: Message, rule: Rule): State {
  const intent = claimIntent(message);
  const gen = intent === null ? state.gen : state.gen + 1;
  const lin = rule.lineage === "claim" ? gen : rule.lineage === "none" ? 0 : state.lin;
  return { phase: rule.to ?? state.phase, gen, lin, intent: intent ?? state.intent };
}

function claimIntent(message: Message): Intent | null {
  if (message === "claim-migrate") return "migrate";
  return message === "claim-rollback" ? "rollback" : null;
}
