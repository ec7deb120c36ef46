// Names that a Durable Object keeps for itself: nothing may be made or renamed to have one.
import { type Token, isKeyword, isSignificant } from "../query/tokens.ts";
import { WireError } from "../wire/errors.ts";

export function isReservedName(name: string): boolean {
  return /^_cf_/i.test(name);
}

/**
 * Refuses ALTER TABLE ... RENAME TO such a name, which SQLite does not ask its authorizer about. @throws
 * WireError sql-error
 */
export function refuseReservedRename(tokens: readonly Token[]): undefined {
  const words = tokens.filter(isSignificant);
  if (!isKeyword(words[0], "ALTER")) return undefined;
  const at = words.findIndex((token, i) => isKeyword(token, "RENAME") && isKeyword(words[i + 1], "TO"));
  const name = at < 0 ? "" : (words[at + 2]?.text ?? "").replace(/^["'`[]/, "");
  if (isReservedName(name)) throw new WireError("sql-error", "not authorized: SQLITE_AUTH");
  return undefined;
}
