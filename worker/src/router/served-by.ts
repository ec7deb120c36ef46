// Who serves a user at this moment, for operators and for backends that still read files themselves.
import type { QueryAnswer, QueryRequest, QueryScope } from "../query/types.ts";
import { type ErrorInfo, WireError } from "../wire/errors.ts";
import { notActive } from "./not-active.ts";
import type { Sides } from "./sides.ts";

/** Who serves a user: `split` is both, `none` a user who has no data yet. */
export type ServedBy = "file" | "object" | "split" | "none";

/** What was true when it was asked. Only an answered request proves more. */
export interface ServedByResult {
  readonly servedBy: ServedBy;
  /** False while the user moves: a write would wait. */
  readonly writable: boolean;
  /**
   * Where a backend that still saves files itself sends this user's requests: `service` as soon as the flag is
   * set or the file is fenced.
   */
  readonly route: "file" | "service";
}

/** `servedBy`, or an error of a known kind. */
export type ServedByAnswer =
  ({ readonly ok: true } & ServedByResult) | { readonly ok: false; readonly error: ErrorInfo };

/** Asks nothing of an object that cannot exist: a file without any mark never had one. */
export async function lookServedBy(sides: Sides, user: string): Promise<ServedByResult> {
  const [flagged, { etag, mark }] = await Promise.all([isFlagged(sides, user), sides.files.look(user)]);
  const route = flagged ? "service" : "file";
  if (mark.fenced) return { ...(await underFence(sides, user, mark.split)), route: "service" };
  if (etag === null) {
    const serving = await withoutFile(sides, user);
    return { ...serving, route: serving.servedBy === "none" ? route : "service" };
  }
  const split = mark.stamp > 0 && (await holdsCold(sides, user));
  return { servedBy: split ? "split" : "file", writable: true, route };
}

type Serving = Pick<ServedByResult, "servedBy" | "writable">;

async function underFence(sides: Sides, user: string, split: boolean): Promise<Serving> {
  if (split) return { servedBy: (await holdsCold(sides, user)) ? "split" : "file", writable: false };
  const phase = await refusingPhase(sides, user);
  if (phase === undefined) return { servedBy: "object", writable: true };
  return { servedBy: phase === "SEALED" ? "object" : "file", writable: false };
}

/** The object knows whether somebody has deleted the file. */
async function withoutFile(sides: Sides, user: string): Promise<Serving> {
  const phase = await refusingPhase(sides, user);
  if (phase === undefined) return { servedBy: "object", writable: true };
  if (phase === "EMPTY") return { servedBy: "none", writable: true };
  return { servedBy: phase === "SEALED" ? "object" : "file", writable: false };
}

async function isFlagged({ flag }: Sides, user: string): Promise<boolean> {
  try {
    return await flag.isMigrated(user);
  } catch {
    return false;
  }
}

/** The phase of an object that does not answer for itself, or undefined. */
async function refusingPhase({ store }: Sides, user: string): Promise<string | undefined> {
  const answer = await store.query(user, probe("hot"));
  return notActive(answer)?.phase ?? demandOk(answer);
}

async function holdsCold({ store }: Sides, user: string): Promise<boolean> {
  const answer = await store.query(user, probe("cold"));
  if (!answer.ok && answer.error.kind === "not-split") return false;
  if (notActive(answer) !== undefined) return true; // rows are on their way
  if (!answer.ok && answer.error.kind === "not-mounted") return true; // and nothing serves them
  demandOk(answer);
  return true;
}

function demandOk(answer: QueryAnswer): undefined {
  if (!answer.ok) throw new WireError(answer.error.kind, answer.error.message, answer.error.details);
}

function probe(scope: QueryScope): QueryRequest {
  return { statements: [{ sql: "SELECT 1" }], mode: "read", scope };
}
