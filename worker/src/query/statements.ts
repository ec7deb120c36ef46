// An application's statements, run the same way on either side.
import { WireError, messageOf } from "../wire/errors.ts";
import { BoundStatement } from "./parameters.ts";
import type { ExactReader } from "./read-exact.ts";
import type { ParsedStatement } from "./request.ts";
import { type StatementKind, parseStatement } from "./statement.ts";
import type { StatementResult } from "./types.ts";

export interface RunnableStatement {
  readonly kind: StatementKind;
  readonly bound: BoundStatement;
}

/** Reads a statement and binds its parameters. @throws WireError sql-error */
export function bindStatement({ sql, params }: ParsedStatement, index: number): RunnableStatement {
  return atStatement(index, () => {
    const { kind, tokens } = parseStatement(sql);
    return {
      kind,
      bound: kind === "unclosed" ? BoundStatement.unbound(tokens) : new BoundStatement(tokens, params),
    };
  });
}

/**
 * Runs a statement. `write` may run one that could write, in a way of its own.
 * @throws WireError sql-error or integer-precision, or what the side itself throws
 */
export function runStatement(
  reader: ExactReader,
  { kind, bound }: RunnableStatement,
  index: number,
  write?: (bound: BoundStatement) => StatementResult | undefined,
): StatementResult {
  return atStatement(index, () => {
    if (kind === "unclosed")
      throw reader.refusalOf(bound) ?? new WireError("sql-error", "the statement is not closed");
    try {
      if (kind === "rows") return reader.readRows(bound);
      if (kind === "compound") return reader.readCompound(bound);
      // It may change the schema, and with it the names of columns.
      reader.forget();
      return write?.(bound) ?? reader.readOther(bound);
    } catch (error) {
      // It may be about what we put around the statement.
      throw (isRefusal(error) ? reader.refusalOf(bound) : undefined) ?? error;
    }
  });
}

/** Whether SQLite did not understand the text. */
function isRefusal(error: unknown): boolean {
  return /^(near .*: syntax error|incomplete input|unrecognized token: )/s.test(messageOf(error));
}

// Errors say which statement it was; what SQLite says becomes sql-error.
function atStatement<T>(index: number, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof WireError)
      throw new WireError(cause.kind, cause.message, { statement: index }, { cause });
    throw new WireError("sql-error", withoutOffset(messageOf(cause)), { statement: index }, { cause });
  }
}

/** SQLite's words without the offset: it counts in the text that we made of the statement. */
function withoutOffset(message: string): string {
  return message.replace(/ at offset \d+(?=: SQLITE_)/, "");
}
