// What becomes of a statement on a file that a Durable Object would refuse.
import { type FileRun, runOnFile, type Watch } from "../file/engine.ts";
import type { ParsedRequest } from "../query/request.ts";
import { messageOf, WireError } from "../wire/errors.ts";

/** `enforce`: it is refused on the file, too. `report`: it is answered, and somebody is told. */
export type LimitsMode = "enforce" | "report";

/** Is told of a statement, and of what a Durable Object will say to it. */
export type Tell = (sql: string, message: string) => void;

/**
 * Runs a request on a file as a Durable Object would; under `report`, what fails there runs again with
 * SQLite's own limits.
 */
export function runWithin(
  limits: LimitsMode,
  file: Uint8Array,
  request: ParsedRequest,
  maxFileBytes: number,
  tell: Tell,
  watch?: Watch,
): FileRun {
  try {
    return runOnFile(file, request, maxFileBytes, undefined, "store", watch);
  } catch (error) {
    if (limits === "enforce" || !isOfStatement(error)) throw error;
    const run = runOnFile(file, request, maxFileBytes, undefined, "sqlite", watch);
    tell(request.statements[statementOf(error)]?.sql ?? "", messageOf(error));
    return run;
  }
}

function isOfStatement(error: unknown): error is WireError {
  return error instanceof WireError && (error.kind === "sql-error" || error.kind === "integer-precision");
}

function statementOf({ details }: WireError): number {
  return Number(details?.["statement"] ?? 0);
}
