// What a Durable Object says when it is not the side to ask.
import type { NotActiveDetails, QueryAnswer } from "../query/types.ts";

export interface NotActive {
  readonly phase: string;
  readonly lin: number;
  /** A read's answer from sealed data; it counts only while the file is fenced by `lin`. */
  readonly sealed: QueryAnswer | undefined;
}

/** The refusal in an answer, or undefined when the answer is final. */
export function notActive(answer: QueryAnswer): NotActive | undefined {
  if (answer.ok || answer.error.kind !== "not-active") return undefined;
  const { phase, lin, result, error } = (answer.error.details as Partial<NotActiveDetails> | undefined) ?? {};
  if (typeof phase !== "string" || typeof lin !== "number")
    throw new Error("read the Durable Object's answer: not-active names no phase and lineage");
  return { phase, lin, sealed: sealedAnswer(result, error) };
}

function sealedAnswer(result: NotActiveDetails["result"], error: NotActiveDetails["error"]): QueryAnswer | undefined {
  if (result !== undefined) return { ok: true, ...result };
  return error === undefined ? undefined : { ok: false, error };
}
