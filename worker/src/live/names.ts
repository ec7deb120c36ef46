// Names in the text of a statement.
import { type Token, isKeyword } from "../query/tokens.ts";
import { asciiLower } from "../store/catalog.ts";

/** A name without its quotes, in lower case as SQLite compares it. */
export function plainName(text: string): string {
  const [, quote = "", inside = ""] = /^(["'`[])(.*)["'`\]]$/s.exec(text) ?? [];
  if (quote === "") return asciiLower(text);
  return asciiLower(quote === "[" ? inside : inside.replaceAll(quote + quote, quote));
}

/**
 * Whether a SET of the statement assigns to one of the names. A name stands right behind SET or behind a comma
 * between assignments, or in a list in parentheses there.
 */
export function assignsKey(words: readonly Token[], names: ReadonlySet<string>): boolean {
  let depth = 0;
  /** The depth of the assignments that are read; -1 outside of them. */
  let at = -1;
  /** Whether a name that is assigned to may stand here. */
  let target = false;
  for (const token of words) {
    if (token.type === "open") depth++;
    else if (token.type === "close") depth--;
    else if (isKeyword(token, "SET")) [at, target] = [depth, true];
    else if (at < 0) continue;
    else if (depth === at && /^(WHERE|FROM|RETURNING|ON)$/i.test(token.text)) [at, target] = [-1, false];
    else if (token.text === "=") target = false;
    else if (depth === at && token.type === "comma") target = true;
    else if (target && names.has(plainName(token.text))) return true;
  }
  return false;
}
