// An application's statements, run the same way on either side.
import { WireError, messageOf } from "../wire/errors.ts";
import { bytesOf, offsetOf, withoutOffset } from "./offset.ts";
import { BoundStatement } from "./parameters.ts";
import type { ExactReader } from "./read-exact.ts";
import type { ParsedStatement } from "./request.ts";
import { type StatementKind, parseStatement } from "./statement.ts";
import type { Token } from "./tokens.ts";
import type { StatementResult } from "./types.ts";

export interface RunnableStatement {
  readonly kind: StatementKind;
  readonly bound: BoundStatement;
  /** How many bytes of the application's text stand in front of the first token. */
  readonly lead: number;
  /** Why it will not run. It is told when its turn comes: what stands before it may be wrong, too. */
  readonly refused?: unknown;
}

/** Reads a statement and binds its parameters. */
export function bindStatement({ sql, params }: ParsedStatement): RunnableStatement {
  let tokens: readonly Token[] = [];
  const lead = (): number => bytesOf(sql.slice(0, tokens[0]?.start ?? 0));
  try {
    const statement = parseStatement(sql);
    tokens = statement.tokens;
    const { kind } = statement;
    const bound = kind === "unclosed" ? BoundStatement.unbound(tokens) : new BoundStatement(tokens, params);
    return { kind, bound, lead: lead() };
  } catch (refused) {
    return { kind: "other", bound: BoundStatement.unbound(tokens), lead: lead(), refused };
  }
}

/**
 * Runs a statement. `write` may run one that could write, in a way of its own.
 * @throws WireError sql-error or integer-precision, or what the side itself throws
 */
export function runStatement(
  reader: ExactReader,
  statement: RunnableStatement,
  index: number,
  write?: (bound: BoundStatement) => StatementResult | undefined,
): StatementResult {
  const { kind, bound, refused } = statement;
  try {
    if (refused !== undefined) throw refused;
    if (kind === "unclosed") throw new WireError("sql-error", "the statement is not closed");
    if (kind === "rows") return reader.readRows(bound);
    if (kind === "compound") return reader.readCompound(bound);
    // It may change the schema, and with it the names of columns.
    reader.forget();
    return write?.(bound) ?? reader.readOther(bound);
  } catch (error) {
    const own = ownRefusal(reader, statement, error);
    throw atStatement(index, own ?? error, own && offsetOf(own), statement.lead);
  }
}

/** What SQLite says of the application's own text, where the error may be about what we put around it. */
function ownRefusal(
  reader: ExactReader,
  { kind, bound, refused }: RunnableStatement,
  error: unknown,
): WireError | undefined {
  if (refused !== undefined) {
    // Values of a wrong number are looked at behind the text.
    const own = bound.tokens.length > 0 ? reader.refusalOf(bound) : undefined;
    return own?.message.includes(": SQLITE_") ? own : undefined;
  }
  if (kind === "unclosed" || isRefusal(error)) return reader.refusalOf(bound);
  if (offsetOf(error) === undefined) return undefined;
  const own = reader.refusalOf(bound);
  return own !== undefined && offsetOf(own) !== undefined ? own : undefined;
}

/** Whether SQLite did not understand the text. */
function isRefusal(error: unknown): boolean {
  return /^(near .*: syntax error|incomplete input|unrecognized token: )/s.test(messageOf(error));
}

/** The error with the number of its statement, and the offset in the application's text. */
function atStatement(index: number, cause: unknown, offset: number | undefined, lead: number): WireError {
  const details = { statement: index, ...(offset !== undefined && { offset: offset + lead }) };
  if (cause instanceof WireError) return new WireError(cause.kind, cause.message, details, { cause });
  return new WireError("sql-error", withoutOffset(messageOf(cause)), details, { cause });
}
