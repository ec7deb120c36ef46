// The states of a user's Durable Object and what each message does in each (docs/cutover.md, docs/split.md):
// a pure table.
import { type Intent, type Outcome, type Phase, phases } from "../wire/messages.ts";

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
  "claim-split",
  "claim-rollback",
  "reset",
  "schema",
  "rows",
  "finish",
  "digest",
  "ready",
  "activate",
  "merge",
  "export",
  "release",
  "write",
  "read",
  "cold-write",
  "cold-read",
] as const;
export type Message = (typeof messages)[number];

/**
 * What a message does in a phase. `unchanged`: it had its effect already. `sealed-read`: not active, but the
 * answer carries the result on the sealed data. `not-split`: the store holds no cold rows.
 */
export interface Rule {
  readonly answer: "ok" | "unchanged" | "wrong-phase" | "not-active" | "not-split" | "sealed-read";
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
const notSplit: Rule = { answer: "not-split" };
const ok: Rule = { answer: "ok" };
const unchanged: Rule = { answer: "unchanged" };
const sealedRead: Rule = { answer: "sealed-read" };

const startImport: Rule = { answer: "ok", to: "IMPORTING", wipe: true, lineage: "claim", outcome: "import" };
const startSplit: Rule = { answer: "ok", to: "SPLITTING", wipe: true, lineage: "claim", outcome: "import" };
const restartImport: Rule = { answer: "ok", to: "IMPORTING", wipe: true, lineage: "claim" };
const restartSplit: Rule = { answer: "ok", to: "SPLITTING", wipe: true, lineage: "claim" };
const lift: Rule = { answer: "ok", to: "EMPTY", wipe: true, lineage: "none", outcome: "lift" };
const clear: Rule = { answer: "ok", to: "EMPTY", wipe: true, lineage: "none" };

const to = (phase: Phase): Rule => ({ answer: "ok", to: phase });
const stay = (outcome: Outcome): Rule => ({ answer: "ok", outcome });
const seal = (phase: Phase, outcome: Outcome): Rule => ({ answer: "ok", to: phase, outcome });

/** A rule, or one that also depends on the last claim's purpose and the claim that imported the content. */
type Cell = Rule | ((state: State) => Rule);

/** The rule for each kind of claim; under the others the message is refused. */
function under(rules: Partial<Record<Intent, Cell>>): Cell {
  return (state) => resolve((state.intent === null ? undefined : rules[state.intent]) ?? refused, state);
}

/**
 * Only for content of an earlier claim: what the present claim has imported is not thrown away by a late
 * repetition.
 */
function ofEarlierClaim(rule: Rule): Cell {
  return ({ lin, gen }) => (lin === gen ? refused : rule);
}

type Row = Readonly<Record<Phase, Cell>>;

/** A row in which every phase that is not named refuses. */
function only(cells: Partial<Row>): Row {
  return { ...everywhere(refused), ...cells };
}

function everywhere(cell: Cell): Row {
  return Object.fromEntries(phases.map((phase) => [phase, cell])) as Row;
}

const whileImporting = only({ IMPORTING: ok, SPLITTING: ok });

const table: Readonly<Record<Message, Row>> = {
  "claim-migrate": only({
    EMPTY: startImport,
    IMPORTING: startImport,
    READY: startImport,
    ACTIVE: stay("active"),
    SEALED: stay("resume"),
    SPLITTING: startImport,
  }),
  "claim-split": only({
    EMPTY: startSplit,
    IMPORTING: startSplit,
    READY: startSplit,
    SPLITTING: startSplit,
    SPLIT_READY: stay("resume"),
    COLD: stay("active"),
    COLD_SEALED: stay("resume"),
    MERGING: stay("resume"),
  }),
  "claim-rollback": {
    EMPTY: lift,
    IMPORTING: lift,
    READY: lift,
    ACTIVE: seal("SEALED", "export"),
    SEALED: stay("export"),
    SPLITTING: lift,
    SPLIT_READY: stay("undo"),
    COLD: seal("COLD_SEALED", "merge"),
    COLD_SEALED: stay("merge"),
    MERGING: stay("merge"),
  },
  reset: only({
    IMPORTING: restartImport,
    SEALED: restartImport,
    SPLITTING: restartSplit,
    SPLIT_READY: under({ split: ofEarlierClaim(restartSplit) }),
    MERGING: under({ split: ofEarlierClaim(restartSplit) }),
  }),
  schema: whileImporting,
  rows: whileImporting,
  finish: whileImporting,
  // Read-only; the pre-copy is verified before the fence, so a store that is importing answers too.
  digest: { ...everywhere(ok), EMPTY: refused },
  ready: only({
    IMPORTING: to("READY"),
    READY: unchanged,
    SPLITTING: to("SPLIT_READY"),
    SPLIT_READY: unchanged,
  }),
  // A rollback never reactivates what it sealed: only a migrate or a split that resumes may.
  activate: only({
    READY: under({ migrate: to("ACTIVE") }),
    ACTIVE: under({ migrate: unchanged }),
    SEALED: under({ migrate: to("ACTIVE") }),
    SPLIT_READY: under({ split: to("COLD"), rollback: to("COLD_SEALED") }),
    COLD: under({ split: unchanged }),
    COLD_SEALED: under({ split: to("COLD"), rollback: unchanged }),
    MERGING: under({ split: to("COLD") }),
  }),
  merge: only({
    COLD_SEALED: under({ rollback: to("MERGING") }),
    MERGING: under({ rollback: unchanged }),
  }),
  export: only({
    READY: ok,
    ACTIVE: ok,
    SEALED: ok,
    SPLIT_READY: ok,
    COLD: ok,
    COLD_SEALED: ok,
    MERGING: ok,
  }),
  release: only({
    EMPTY: unchanged,
    SEALED: clear,
    SPLIT_READY: under({ rollback: clear }),
    MERGING: under({ rollback: clear }),
  }),
  // The user's database, or its hot rows: never answered by a store that holds only cold ones.
  write: { ...everywhere(notActive), ACTIVE: ok },
  read: { ...everywhere(notActive), ACTIVE: ok, SEALED: sealedRead },
  // In SPLIT_READY and MERGING the file says whether the cold rows are here.
  "cold-write": {
    ...everywhere(notSplit),
    SPLIT_READY: notActive,
    COLD: ok,
    COLD_SEALED: notActive,
    MERGING: notActive,
  },
  "cold-read": {
    ...everywhere(notSplit),
    SPLIT_READY: sealedRead,
    COLD: ok,
    COLD_SEALED: ok,
    MERGING: sealedRead,
  },
};

/** What the message does in this state. */
export function ruleFor(state: State, message: Message): Rule {
  return resolve(table[message][state.phase], state);
}

function resolve(cell: Cell, state: State): Rule {
  return typeof cell === "function" ? cell(state) : cell;
}

/** The state after a message that `rule` decides. */
export function nextState(state: State, message: Message, rule: Rule): State {
  const intent = claimIntents[message];
  const gen = intent === undefined ? state.gen : state.gen + 1;
  const lin = rule.lineage === "claim" ? gen : rule.lineage === "none" ? 0 : state.lin;
  return { phase: rule.to ?? state.phase, gen, lin, intent: intent ?? state.intent };
}

const claimIntents: Partial<Record<Message, Intent>> = {
  "claim-migrate": "migrate",
  "claim-split": "split",
  "claim-rollback": "rollback",
};

/** The message that a claim of this intent is. */
export function claimOf(intent: Intent): Message {
  return `claim-${intent}`;
}
