// PRAGMA user_version, which a Durable Object denies. The number is kept for it, so both sides can say it.
import { type Token, isSignificant } from "./tokens.ts";
import type { StatementResult } from "./types.ts";

/** A PRAGMA of the database itself: its name in lower case, and the text of its argument. */
export interface Pragma {
  readonly name: string;
  readonly argument: string | undefined;
}

/** The pragma that a statement is, or undefined for every other one. */
export function pragmaOf(tokens: readonly Token[]): Pragma | undefined {
  const words = tokens.filter(isSignificant).map(({ text }) => text);
  if (words.shift()?.toUpperCase() !== "PRAGMA") return undefined;
  if (words[1] === "." && bare(words[0]) !== "main") return undefined;
  const [name = "", ...rest] = words[1] === "." ? words.slice(2) : words;
  if (rest.length === 0) return { name: bare(name), argument: undefined };
  if (rest[0] === "=" && rest.length > 1) return { name: bare(name), argument: rest.slice(1).join("") };
  if (rest[0] === "(" && rest.at(-1) === ")")
    return { name: bare(name), argument: rest.slice(1, -1).join("") };
  return undefined;
}

function bare(name = ""): string {
  return name.replace(/^["'`[]|["'`\]]$/g, "").toLowerCase();
}

/** Whether a statement asks for the version, and sets nothing. */
export function isUserVersion(tokens: readonly Token[]): boolean {
  const pragma = pragmaOf(tokens);
  return pragma?.name === "user_version" && pragma.argument === undefined;
}

/** The answer. */
export function userVersionResult(version: number): StatementResult {
  return { columns: ["user_version"], rows: [[version]], rowsRead: 1, rowsWritten: 0 };
}
