// What a Durable Object says when it is not the side to ask.
import type { Answer, Moment, NotActiveDetails, QueryResults } from "../query/types.ts";

export interface NotActive<Results = QueryResults> extends Moment {
  /** A read's answer from sealed data; whether it counts, the file says. */
  readonly sealed: Answer<Results> | undefined;
}

/** The refusal in an answer, or undefined when the answer is final. */
export function notActive<Results>(answer: Answer<Results>): NotActive<Results> | undefined {
  if (answer.ok || answer.error.kind !== "not-active") return undefined;
  // An object that tells no gen and no writes is of a version without split mode, where nobody asks for them.
  const {
    phase,
    gen = 0,
    lin,
    writes = 0,
    birth,
    result,
    error,
  } = (answer.error.details as Partial<NotActiveDetails<Results>> | undefined) ?? {};
  if (typeof phase !== "string" || typeof lin !== "number")
    throw new Error("read the Durable Object's answer: not-active names no phase and lineage");
  return { phase, gen, lin, writes, ...(birth === true && { birth }), sealed: sealedAnswer(result, error) };
}

function sealedAnswer<Results>(
  result: Results | undefined,
  error: NotActiveDetails["error"],
): Answer<Results> | undefined {
  if (result !== undefined) return { ok: true, ...result };
  return error === undefined ? undefined : { ok: false, error };
}
