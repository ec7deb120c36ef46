// D1's errors. Applications look at their texts.
import { withOffset } from "../query/offset.ts";
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

const WRONG_COUNT = /^the statement has \d+ parameters/;

/** Texts that a Durable Object does not say by itself, and what D1 says instead. */
const TEXTS: readonly (readonly [RegExp, string])[] = [
  [WRONG_COUNT, "Wrong number of parameter bindings for SQL query."],
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

function textOf({ kind, message, details }: ErrorInfo): string {
  if (RETRYABLE.has(kind)) return `${RETRY_TEXT} ${message}`;
  const known = TEXTS.find(([ours]) => kind === "sql-error" && ours.test(message));
  if (known !== undefined) return known[1];
  const said = message.replace(RETRIED, "the connection failed");
  const { offset } = (details ?? {}) as { readonly offset?: unknown };
  return typeof offset === "number" ? withOffset(said, offset) : said;
}

/** The same error as D1 tells it of a statement that has others behind it in its text. */
export function notTheLast(error: ErrorInfo): ErrorInfo {
  if (!WRONG_COUNT.test(error.message)) return error;
  const message =
    "When executing multiple SQL statements in a single call, only the last statement can have parameters.";
  return { ...error, message };
}

/** Names the first line, as D1 does, whichever failed; `cause.details.statement` counts from 0. */
export function execError(error: unknown, lines: readonly string[]): unknown {
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return error;
  const { kind, details } = error.cause as Error & { kind?: unknown; details?: unknown };
  const text = `Error in line 1: ${lines[0]}: ${error.cause.message}`;
  return new Error(`D1_EXEC_ERROR: ${text}`, { cause: Object.assign(new Error(text), { kind, details }) });
}

/** Of texts without any statement. */
export function nothingToRun(): Error {
  return d1Error({ kind: "sql-error", message: "No SQL statements detected." });
}

/** Of what is no text, or no list of values: D1 finds out when it reads the request. */
export function notToBeSent(what: string): Error {
  return d1Error({ kind: "bad-request", message: `Failed to parse body as JSON, got: ${what}` });
}

/** Nobody has what D1 would give. */
export function noDump(): Error {
  return new Error("D1_DUMP_ERROR: Status + 404", { cause: new Error("Status 404") });
}

export function typeError(value: unknown): Error {
  const text = `Type '${typeof value}' not supported for value '${value as string}'`; // throws for a Symbol, as in D1;
  return new Error(`D1_TYPE_ERROR: ${text}`, { cause: new Error(text) });
}

export function notFound(column: string): Error {
  const text = "Column not found";
  return new Error(`D1_COLUMN_NOTFOUND: ${text} (${column})`, { cause: new Error(text) });
}
