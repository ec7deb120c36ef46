// What the router says when no side answers.
import { type ErrorInfo, messageOf, WireError } from "../wire/errors.ts";

export function cutoverInProgress(): WireError {
  return new WireError(
    "cutover-in-progress",
    "the user's database is moving, and no side accepts this request yet; nothing was written",
  );
}

/** Somebody deleted it: only dbmigrate can bring it back from what the object holds. */
export function fileMissing(key: string, phase: string): WireError {
  return new WireError(
    "file-missing",
    `${key} is not there, and the Durable Object, which is ${phase}, holds rows of this user: somebody deleted the file; nothing was written (docs/runbook.md, "The fence is gone")`,
    { phase },
  );
}

/**
 * An old path of the application is the only one that may save the file, and the request came here all the
 * same.
 */
export function savedElsewhere(key: string): WireError {
  return new WireError(
    "cutover-in-progress",
    `${key} is saved by the application's old path alone (savesFiles: false), and the Durable Object does not serve this user yet or any more; nothing was written`,
  );
}

export function busy(message: string): WireError {
  return new WireError("overloaded", message);
}

/**
 * A step that changed nothing, and may be tried again. An object may have been stopped for what somebody else asked
 * for; if it is stopped each time, this request is to blame.
 */
export function failed(operation: string, cause: unknown): WireError {
  const exceeded = exceededBy(cause);
  const message = `${operation}: ${messageOf(cause)}`;
  if (exceeded === undefined) return new WireError("internal", message, undefined, { cause });
  return new WireError("too-costly", `${message}: ask for less at once`, { exceeded }, { cause });
}

export function outcomeUnknown(operation: string, cause: unknown): WireError {
  const exceeded = exceededBy(cause);
  const cheaper = exceeded === undefined ? "" : ", and make it cheaper first";
  const message = `${operation}: ${messageOf(cause)}: the write may have been applied or not; repeat it only with an idempotency key${cheaper}`;
  return new WireError("outcome-unknown", message, exceeded === undefined ? undefined : { exceeded }, {
    cause,
  });
}

/** Which limit of the platform a Durable Object was stopped for. */
function exceededBy(cause: unknown): "cpu" | "memory" | undefined {
  const [, what] = /exceeded (?:its |the )?(cpu|memory)\b/i.exec(messageOf(cause)) ?? [];
  return what?.toLowerCase() as "cpu" | "memory" | undefined;
}

/**
 * Whether a Durable Object that failed may be asked again. An overloaded one refuses before it runs anything,
 * and wants less; after any other error a write may have been applied.
 * @throws WireError overloaded or outcome-unknown
 */
export function demandSafeToRepeat(cause: unknown, reading: boolean): void {
  const operation = "ask the Durable Object";
  if (isOverloaded(cause))
    throw new WireError("overloaded", `${operation}: ${messageOf(cause)}`, undefined, { cause });
  if (!reading) throw outcomeUnknown(operation, cause);
}

function isOverloaded(error: unknown): boolean {
  return error instanceof Error && "overloaded" in error && error.overloaded === true;
}

/** The number of the statement that SQLite refused; undefined where the error is of another kind. */
export function failedStatement({ kind, details }: ErrorInfo): number | undefined {
  const index = kind === "sql-error" ? details?.["statement"] : undefined;
  return typeof index === "number" ? index : undefined;
}

/** The error with the statement's number in the caller's list, which has `before` statements less. */
export function renumbered(error: ErrorInfo, before: number): ErrorInfo {
  const index = error.details?.["statement"];
  if (typeof index !== "number") return error;
  return { ...error, details: { ...error.details, statement: index - before } };
}
