// Asks the router for one user, as the application does: a doctor that asks objects only would say that all is
// well while no request of a user gets through.
import { messageOf } from "../wire/errors.ts";
import { lastRouter } from "../router/asked.ts";
import { inTime } from "./probe.ts";

/** The outcome, as hello tells it. */
export type ThroughReport =
  | { readonly user: string; readonly answers: true }
  | { readonly user: string; readonly answers: false; readonly kind: string; readonly message: string };

/** Reads nothing of the user but that there is an answer. Null where this isolate has made no router. */
export async function askThrough(user: string): Promise<ThroughReport | null> {
  const router = lastRouter();
  if (router === undefined) return null;
  try {
    const answer = await inTime(router.query(user, { mode: "read", statements: [{ sql: "SELECT 1" }] }));
    if (answer.ok) return { user, answers: true };
    const { kind, message } = answer.error;
    return { user, answers: false, kind, message: message.slice(0, 500) };
  } catch (cause) {
    return { user, answers: false, kind: "internal", message: messageOf(cause).slice(0, 500) };
  }
}
