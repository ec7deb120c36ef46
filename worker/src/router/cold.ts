// The cold rows of a split user (docs/split.md). They are in the Durable Object or in the file. The object
// knows, but for two phases: under the fence, a PUT that moves rows may have happened or not, and the file
// says which. What it says counts if the object is still what it was.
import type { ThawAnswer, ThawRequest } from "../query/thaw-request.ts";
import type {
  Answer,
  Moment,
  QueryAnswer,
  QueryRequest,
  QueryResults,
  QueryScope,
  StatementResult,
} from "../query/types.ts";
import { asWireError, type ErrorInfo, WireError } from "../wire/errors.ts";
import { cutoverInProgress, demandSafeToRepeat, failed } from "./failures.ts";
import { type NotActive, notActive } from "./not-active.ts";
import { pause } from "./pause.ts";
import type { Sides } from "./sides.ts";

/** Both halves of a user's database as they were at one moment; `cold` is null while there is only one. */
export type BothAnswer =
  | {
      readonly ok: true;
      readonly hot: QueryResults;
      readonly cold: QueryResults | null;
      /** One result for each statement, where the request says how to put both halves together. */
      readonly merged?: readonly StatementResult[];
    }
  | { readonly ok: false; readonly error: ErrorInfo };

/** Which user's cold rows are asked for, and how long. */
export interface ColdUser {
  readonly sides: Sides;
  readonly user: string;
  readonly deadlineMs: number;
}

/** What the object said. */
interface Said {
  readonly moment: Moment;
  /** Whether it holds the cold rows; undefined: the file knows. */
  readonly holds: boolean | undefined;
  /**
   * What counts, of the object that decides by itself; else what counts if it holds them. A write then has
   * none: it has to wait.
   */
  readonly answer: QueryAnswer | undefined;
}

/** In these phases the file knows: whether it still carries the fence under which the object entered them. */
const FILE_KNOWS: ReadonlySet<string> = new Set(["SPLIT_READY", "MERGING"]);

/** Not now; `obstacle` is what to tell the caller if there is no later. */
class Again {
  constructor(readonly obstacle: WireError = cutoverInProgress()) {}
}

/** However slow a side is. */
const MIN_ATTEMPTS = 2;

/** The cheapest question for a moment. */
const PROBE: QueryRequest = { statements: [{ sql: "SELECT 1" }], mode: "read", scope: "cold" };

/**
 * Answers a request of scope `cold`, with the error `not-split` while there are no cold rows.
 * @throws WireError when no side answers before the deadline, or when nobody knows whether a write was applied
 */
export function queryCold(user: ColdUser, request: QueryRequest): Promise<QueryAnswer> {
  return untilAnswered(user, async () => {
    const said = await ask(user, request);
    if (said instanceof Again) return said;
    if (said.holds === undefined) return asTheFileSays(user, said);
    return said.answer ?? new Again();
  });
}

async function asTheFileSays(user: ColdUser, said: Said): Promise<QueryAnswer | Again> {
  const holds = await holdsNow(user, said);
  if (holds instanceof Again) return holds;
  if (!(await isStill(user, said))) return new Again();
  return holds ? (said.answer ?? new Again()) : notSplit(said);
}

/**
 * Reads both halves. `readHot` reads while the object, asked before and after it, is the same, cold writes
 * included, and no PUT moves rows: so the two answers are those of one moment.
 * @throws WireError when no side answers before the deadline
 */
export function readBoth(
  user: ColdUser,
  request: QueryRequest,
  readHot: () => Promise<QueryAnswer>,
): Promise<BothAnswer> {
  return untilAnswered(user, async () => {
    const said = await ask(user, request);
    if (said instanceof Again) return said;
    const before = await holdsNow(user, said);
    const hot = await readHot();
    const after = await holdsNow(user, said);
    if (before instanceof Again) return before;
    if (before !== after || !(await isStill(user, said))) return new Again();
    if (!hot.ok) return hot;
    if (!before) return { ok: true, hot, cold: null };
    if (said.answer === undefined) return new Again();
    return said.answer.ok ? { ok: true, hot, cold: said.answer } : said.answer;
  });
}

/**
 * Has the object note cold rows that shall come back into the file, or answers `not-split`.
 * @throws WireError when the object takes no note before the deadline: it is moving, or cannot be reached
 */
export function noteThaw(user: ColdUser, request: ThawRequest): Promise<ThawAnswer> {
  return untilAnswered(user, async () => {
    try {
      const answer = await user.sides.store.thaw(user.user, request);
      return !answer.ok && answer.error.kind === "not-active" ? new Again() : answer;
    } catch (error) {
      demandSafeToRepeat(error, true);
      return new Again(failed("ask the Durable Object", error));
    }
  });
}

/** Asks the object. @throws WireError of the statements, overloaded or outcome-unknown */
async function ask({ sides, user }: ColdUser, request: QueryRequest): Promise<Said | Again> {
  let answer: QueryAnswer;
  try {
    answer = await sides.store.query(user, request);
    if (answer.ok) return { moment: momentOf(answer), holds: true, answer };
  } catch (error) {
    demandSafeToRepeat(error, request.mode === "read");
    return new Again(failed("ask the Durable Object", error));
  }
  const { kind, message, details } = answer.error;
  const refusal = notActive(answer);
  if (refusal !== undefined) return FILE_KNOWS.has(refusal.phase) ? fileKnows(refusal) : new Again();
  if (kind === "not-split") return { moment: details as unknown as Moment, holds: false, answer };
  throw new WireError(kind, message, details);
}

/** @throws Error when the object does not know what it was asked, and has answered from the whole database */
function momentOf({ moment }: QueryResults): Moment {
  if (moment === undefined) throw new Error("it runs a version without split mode");
  return moment;
}

function fileKnows({ sealed, ...moment }: NotActive): Said {
  return { moment, holds: undefined, answer: sealed };
}

/** Whether the object holds the cold rows, by what it said or by the file as it is now. */
async function holdsNow({ sides, user }: ColdUser, { moment, holds }: Said): Promise<boolean | Again> {
  if (holds !== undefined) return holds;
  try {
    const { mark } = await sides.files.look(user);
    const wasPut = !mark.fenced || mark.lin !== moment.lin;
    return moment.phase === "SPLIT_READY" ? wasPut : !wasPut;
  } catch (error) {
    return new Again(failed("look at the database file", error));
  }
}

/**
 * Whether nothing of the object has changed since: it goes through no phase twice under one claim and
 * lineage.
 */
async function isStill(user: ColdUser, { moment, holds }: Said): Promise<boolean> {
  const now = await ask(user, PROBE);
  if (now instanceof Again) return false;
  const { phase, gen, lin, writes } = now.moment;
  const same = phase === moment.phase && gen === moment.gen && lin === moment.lin;
  // Writes that are not of cold rows are the hot answer's business.
  return same && (holds === false || writes === moment.writes);
}

/**
 * Runs what writes to one half, and answers what it throws. A half of a split user does not see the rows of the
 * other: where it finds no parent for a foreign key, the error says that the parent may be there.
 */
export async function explained<Results>(
  user: ColdUser,
  scope: QueryScope,
  run: () => Promise<Answer<Results>>,
): Promise<Answer<Results>> {
  const answer = await answerOf(run);
  if (answer.ok || !answer.error.message.includes("FOREIGN KEY constraint failed")) return answer;
  const reason = scope === "cold" ? "the user is split" : await mayBeSplit(user);
  if (reason === undefined) return answer;
  const other = scope === "cold" ? "hot" : "cold";
  const message = `${answer.error.message}; ${reason}, and this half sees its own rows only: is the row that is referred to among the ${other} ones? (docs/split.md)`;
  return { ok: false, error: { ...answer.error, message } };
}

async function answerOf<Results>(run: () => Promise<Answer<Results>>): Promise<Answer<Results>> {
  try {
    return await run();
  } catch (error) {
    return { ok: false, error: asWireError(error).info };
  }
}

/** What to say of the user; undefined for one who has no cold rows. While rows move nobody knows, and nobody waits. */
async function mayBeSplit(user: ColdUser): Promise<string | undefined> {
  const probe = await answerOf(() => queryCold({ ...user, deadlineMs: 0 }, PROBE));
  if (probe.ok) return "the user is split";
  return probe.error.kind === "not-split" ? undefined : "the user may be split";
}

function notSplit({ moment }: Said): QueryAnswer {
  const message = `the store is ${moment.phase}, and the file holds all rows`;
  return { ok: false, error: new WireError("not-split", message, { ...moment }).info };
}

async function untilAnswered<T>({ deadlineMs }: ColdUser, attempt: () => Promise<T | Again>): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (let attempts = 1; ; attempts++) {
    const outcome = await attempt();
    if (!(outcome instanceof Again)) return outcome;
    if (attempts >= MIN_ATTEMPTS && Date.now() >= deadline) throw outcome.obstacle;
    await pause();
  }
}
