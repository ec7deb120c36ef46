// What hello learns from a real Durable Object. The Worker alone cannot tell whether its class has SQLite and
// whether RPC works: both are settings of the deployment, and with a wrong one every request of every
// migrated user fails.
import { messageOf, type Part } from "../wire/errors.ts";
import type { UserObjects } from "../router/store-side.ts";
import { isApplications } from "./thrown.ts";

/**
 * The object that is asked. No user id holds a slash, and it stores nothing, so it vanishes when it has
 * answered.
 */
const PROBE_NAME = ".dbmigrate/probe";

/** What hello says where an object may be anywhere. An older Worker says nothing. */
const NO_JURISDICTION = "none";
/** What hello says where the platform does not tell. */
const UNKNOWN_JURISDICTION = "unknown";

/** What versions have that do not say. */
const EVERYTHING: readonly Part[] = ["live", "split"];

const PATIENCE_MS = 5000;

/** What an object says of itself. */
export interface Introduction {
  /** Of the code that the object runs: a deployment reaches running objects later. */
  readonly worker: string;
  /** The value of one SQL statement. */
  readonly sql: unknown;
  /** Where its data has to stay, by its own id; null for none, and absent where the platform does not tell. */
  readonly jurisdiction?: string | null | undefined;
  /** What it is mounted with; absent from a version that has everything. */
  readonly parts?: readonly Part[];
}

/** Why no object answered; pkg/wire names the same. */
export type ProbeCause = "rpc-missing" | "no-sqlite" | "wrong-class" | "threw" | "failed";

/** The outcome, as hello tells it. */
export type ProbeReport =
  | {
      readonly answers: true;
      readonly worker: string;
      readonly jurisdiction: string;
      readonly parts: readonly Part[];
    }
  | { readonly answers: false; readonly cause: ProbeCause; readonly message: string };

interface Probed {
  readonly dbmigrateProbe?: () => Promise<Introduction>;
}

/** Makes one RPC call to an object, which runs one SQL statement. Never rejects. */
export async function probeObject(store: UserObjects): Promise<ProbeReport> {
  try {
    const id = store.idFromName(PROBE_NAME);
    const stub = store.get(id) as unknown as Probed;
    // Where RPC works, a stub has every method; where it does not, none.
    if (typeof stub.dbmigrateProbe !== "function")
      return no("rpc-missing", "a Durable Object's stub has no methods");
    const {
      worker,
      sql,
      jurisdiction = jurisdictionOf(id),
      parts = EVERYTHING,
    } = await inTime(stub.dbmigrateProbe());
    if (sql !== 1) return no("failed", "SELECT 1 gave something else");
    const where = jurisdiction === undefined ? UNKNOWN_JURISDICTION : (jurisdiction ?? NO_JURISDICTION);
    return { answers: true, worker, jurisdiction: where, parts };
  } catch (cause) {
    return no(isApplications(cause) ? "threw" : causeOf(messageOf(cause)), messageOf(cause));
  }
}

/**
 * Where the data of the id's object has to stay; null for anywhere. An id without the property is of a
 * platform that does not tell, which is not the same.
 */
export function jurisdictionOf(id: DurableObjectId): string | null | undefined {
  return "jurisdiction" in id ? (id.jurisdiction ?? null) : undefined;
}

/** One object that hangs must not hold up hello, and with it every command. */
export async function inTime<T>(answer: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`no Durable Object answered within ${PATIENCE_MS} ms`)),
    PATIENCE_MS,
  );
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
    answer.catch(() => undefined); // who is late is not listened to
  }
}

function no(cause: ProbeCause, message: string): ProbeReport {
  return { answers: false, cause, message: message.slice(0, 500) };
}

function causeOf(message: string): ProbeCause {
  if (/SQL is not enabled|new_sqlite_classes/.test(message)) return "no-sqlite";
  if (/does not implement the method|does not support RPC/.test(message)) return "wrong-class";
  return "failed";
}
