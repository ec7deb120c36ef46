// D1's errors. Applications look at their texts.
import type { ErrorInfo } from "../wire/errors.ts";

// D1 users repeat a request when the error holds this; nothing was applied then.
const RETRYABLE: ReadonlySet<string> = new Set(["cutover-in-progress", "overloaded", "not-active"]);
const RETRY_TEXT = "Network connection lost.";

/** What D1 would throw. `cause` has the text without D1's prefix, and our `kind` and `details`. */
export function d1Error(info: ErrorInfo): Error {
  const text = RETRYABLE.has(info.kind) ? `${RETRY_TEXT} ${info.message}` : info.message;
  const cause = Object.assign(new Error(text), { kind: info.kind, details: info.details });
  return new Error(`D1_ERROR: ${text}`, { cause });
}

/** Names the line of `exec` that failed; D1 names the first one, whichever failed. */
export function execError(error: unknown, lines: readonly string[]): unknown {
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return error;
  const { details } = error.cause as Error & { details?: { statement?: number } };
  const at = details?.statement ?? 0;
  const text = `Error in line ${at + 1}: ${lines[at]}: ${error.cause.message}`;
  return new Error(`D1_EXEC_ERROR: ${text}`, {
    cause: Object.assign(new Error(text), { kind: kindOf(error.cause) }),
  });
}

function kindOf(error: Error): unknown {
  return (error as Error & { kind?: unknown }).kind;
}

export function typeError(value: unknown): Error {
  const text = `Type '${typeof value}' not supported for value '${String(value)}'`;
  return new Error(`D1_TYPE_ERROR: ${text}`, { cause: new Error(text) });
}

export function notFound(column: string): Error {
  const text = "Column not found";
  return new Error(`D1_COLUMN_NOTFOUND: ${text} (${column})`, { cause: new Error(text) });
}
