// D1's errors. Applications look at their texts.
import type { ErrorInfo } from "../wire/errors.ts";

// D1 users repeat a request when the error holds this; nothing was applied then.
const RETRYABLE: ReadonlySet<string> = new Set(["cutover-in-progress", "overloaded", "not-active"]);
const RETRY_TEXT = "Network connection lost.";

// What else D1 users repeat a request for. A text of the platform may hold it that came with an error after
// which a write may have been applied.
const RETRIED =
  /Network connection lost|storage caused object to be reset|reset because its code was updated/g;

/** A text that SQLite refuses when its turn has come. */
export const NO_STATEMENT = "no_statement_of_dbmigrate";

/** Texts that a Durable Object does not say by itself, and what D1 says instead. */
const TEXTS: readonly (readonly [RegExp, string])[] = [
  [/^the statement has \d+ parameters/, "Wrong number of parameter bindings for SQL query."],
  [
    /^the text holds no statement$|"no_statement_of_dbmigrate": syntax error/,
    "SQL code did not contain a statement.",
  ],
  [
    /all statements of a request are one transaction: SQLITE_AUTH$/,
    "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will automatically roll back on exceptions, and because it interacts correctly with Durable Objects' automatic atomic write coalescing.",
  ],
];

/** What D1 would throw. `cause` has the text without D1's prefix, and our `kind` and `details`. */
export function d1Error(info: ErrorInfo): Error {
  const text = textOf(info);
  const cause = Object.assign(new Error(text), { kind: info.kind, details: info.details });
  return new Error(`D1_ERROR: ${text}`, { cause });
}

function textOf({ kind, message }: ErrorInfo): string {
  if (RETRYABLE.has(kind)) return `${RETRY_TEXT} ${message}`;
  const known = TEXTS.find(([ours]) => kind === "sql-error" && ours.test(message));
  return known?.[1] ?? message.replace(RETRIED, "the connection failed");
}

/** Names the first line, as D1 does, whichever failed; `cause.details.statement` counts from 0. */
export function execError(error: unknown, lines: readonly string[]): unknown {
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return error;
  const { kind, details } = error.cause as Error & { kind?: unknown; details?: unknown };
  const text = `Error in line 1: ${lines[0]}: ${error.cause.message}`;
  return new Error(`D1_EXEC_ERROR: ${text}`, { cause: Object.assign(new Error(text), { kind, details }) });
}

/** Of a text with several statements. */
export function severalWithParameters(): Error {
  const message =
    "When executing multiple SQL statements in a single call, only the last statement can have parameters.";
  return d1Error({ kind: "sql-error", message });
}

/** Of texts without any statement. */
export function nothingToRun(): Error {
  return d1Error({ kind: "sql-error", message: "No SQL statements detected." });
}

export function typeError(value: unknown): Error {
  const text = `Type '${typeof value}' not supported for value '${value as string}'`; // throws for a Symbol, as in D1;
  return new Error(`D1_TYPE_ERROR: ${text}`, { cause: new Error(text) });
}

export function notFound(column: string): Error {
  const text = "Column not found";
  return new Error(`D1_COLUMN_NOTFOUND: ${text} (${column})`, { cause: new Error(text) });
}
