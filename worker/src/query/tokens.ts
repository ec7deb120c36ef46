// Splits SQL into tokens by the rules of SQLite's own tokenizer (tokenize.c), as far as we need to tell them
// apart: where strings, names and comments end, what is a parameter, where a statement ends.

export type TokenType =
  | "space"
  | "comment"
  | "string"
  | "name"
  | "word"
  | "number"
  | "blob"
  | "parameter"
  | "semicolon"
  | "open"
  | "close"
  | "comma"
  | "other";

export interface Token {
  readonly type: TokenType;
  /** Index of the first UTF-16 code unit. */
  readonly start: number;
  /** Index behind the last one. */
  readonly end: number;
  readonly text: string;
}

// Each pattern is sticky; the first that matches wins, so the order matters.
const PATTERNS: readonly (readonly [TokenType, RegExp])[] = [
  // A vertical tab is a space behind another one only.
  ["space", /[ \t\n\f\r][ \t\n\v\f\r]*|\uFEFF/y],
  ["comment", /--[^\n]*\n?|\/\*(?:[^*]|\*(?!\/))*(?:\*\/|$)/y],
  ["blob", /[xX]'[^']*'?/y],
  ["string", /'(?:[^']|'')*(?:'|$)/y],
  ["name", /"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|\[[^\]]*(?:\]|$)/y],
  ["number", /0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?/y],
  ["parameter", /\?[0-9]*|[$@:#](?:::)*[A-Za-z0-9_$\u0080-\uFFFF](?:[A-Za-z0-9_$\u0080-\uFFFF]|::)*/y],
  ["word", /[A-Za-z_\u0080-\uFFFF][A-Za-z0-9_$\u0080-\uFFFF]*/y],
  ["semicolon", /;/y],
  ["open", /\(/y],
  ["close", /\)/y],
  ["comma", /,/y],
  ["other", /[^]/y],
];

/**
 * The tokens of a text; together they are the whole text. What SQLite refuses comes as some token, for SQLite
 * to refuse.
 */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  const ends = new SuffixEnds(sql);
  for (let at = 0; at < sql.length;) {
    const token = withSuffix(tokenAt(sql, at), ends);
    tokens.push(token);
    at = token.end;
  }
  return tokens;
}

function tokenAt(sql: string, start: number): Token {
  for (const [type, pattern] of PATTERNS) {
    pattern.lastIndex = start;
    const text = pattern.exec(sql)?.[0];
    if (text !== undefined && text !== "") return { type, start, end: start + text.length, text };
  }
  throw new Error(`no token at ${start}`);
}

/** Behind the name of a parameter SQLite takes what stands in parentheses without a space: `$a(b)`. */
function withSuffix(token: Token, ends: SuffixEnds): Token {
  if (token.type !== "parameter" || token.text[0] === "?" || ends.sql[token.end] !== "(") return token;
  const end = ends.behind(token.end + 1);
  return end === undefined ? token : { ...token, end, text: ends.sql.slice(token.start, end) };
}

/** Finds where such a suffix ends. Many may begin and none end: the text is searched once for all of them. */
export class SuffixEnds {
  /** How many characters were looked at. */
  searched = 0;
  #next = 0;

  constructor(readonly sql: string) {}

  /** The end of a suffix with its content from `start` on; undefined where there is none. */
  behind(start: number): number | undefined {
    let at = Math.max(start, this.#next);
    for (; at < this.sql.length && !/[ \t\n\v\f\r)]/.test(this.sql[at] ?? ""); at++) this.searched++;
    this.#next = at;
    return this.sql[at] === ")" ? at + 1 : undefined;
  }
}

/** The text that the tokens are of. */
export function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join("");
}

/** Whether the token means something to SQLite. */
export function isSignificant(token: Token): boolean {
  return token.type !== "space" && token.type !== "comment";
}

/** Whether the token is this keyword; `keyword` in upper case. */
export function isKeyword(token: Token | undefined, keyword: string): boolean {
  return token?.type === "word" && token.text.toUpperCase() === keyword;
}
