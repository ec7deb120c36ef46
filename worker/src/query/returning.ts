// The RETURNING clause of a statement, as far as it can be asked for a second time.
import { findOutside } from "./statement.ts";
import { type Token, isKeyword, isSignificant } from "./tokens.ts";

export interface Returning {
  /** The SQL of the table that is written. */
  readonly table: string;
  /** Each is a result column's expression without its name, or all columns. */
  readonly items: readonly (readonly Token[] | "*")[];
}

/** undefined where there is no such clause, or one that does not show what it returns. */
export function parseReturning(tokens: readonly Token[]): Returning | undefined {
  const at = findOutside(tokens, (token) => isKeyword(token, "RETURNING"));
  const table = tableWritten(tokens.slice(0, Math.max(at, 0)).filter(isSignificant));
  if (table === undefined) return undefined;
  const items = splitAtCommas(tokens.slice(at + 1)).map(expressionOf);
  return { table, items };
}

/** The SQL of the table that a statement writes: behind INTO, UPDATE [OR x] or DELETE FROM, outside parentheses. */
export function tableWritten(words: readonly Token[]): string | undefined {
  const verb = findOutside(words, (token) => VERBS.some((keyword) => isKeyword(token, keyword)));
  if (verb < 0 || words.slice(0, verb).some((token) => isKeyword(token, "EXPLAIN"))) return undefined;
  const rest = words.slice(verb + 1);
  const skipped = rest.findIndex((token) => !SKIPPED.some((keyword) => isKeyword(token, keyword)));
  const [first, dot, second] = rest.slice(skipped);
  if (first === undefined) return undefined;
  return dot?.text === "." && second !== undefined ? `${first.text}.${second.text}` : first.text;
}

const VERBS = ["INSERT", "REPLACE", "UPDATE", "DELETE"];
const SKIPPED = ["OR", "ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE", "INTO", "FROM"];

function splitAtCommas(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.type === "open") depth++;
    if (token.type === "close") depth--;
    if (depth === 0 && token.type === "comma") parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}

function expressionOf(item: readonly Token[]): readonly Token[] | "*" {
  const words = item.filter(isSignificant);
  if (words.length === 1 && words[0]?.text === "*") return "*";
  const last = words.at(-1 - nameLength(words));
  // A comment to the line's end would take what stands behind it along.
  return item
    .slice(0, last ? item.indexOf(last) + 1 : 0)
    .map((token) => (token.type === "comment" ? SPACE : token));
}

/** How many tokens at the end name the column. */
function nameLength(words: readonly Token[]): number {
  const [before, last] = words.slice(-2);
  if (before === undefined || last === undefined) return 0;
  if (isKeyword(before, "AS")) return 2;
  if (!NAMES.has(last.type) || ENDS.test(last.text)) return 0;
  return OPERANDS.has(before.type) && !(before.type === "word" && OPERATORS.test(before.text)) ? 1 : 0;
}

const NAMES: ReadonlySet<string> = new Set(["word", "name", "string"]);
const OPERANDS: ReadonlySet<string> = new Set([
  "word",
  "name",
  "string",
  "number",
  "blob",
  "parameter",
  "close",
]);
/** Words that end an expression. */
const ENDS = /^(END|ISNULL|NOTNULL|NULL)$/i;
/** Words that go on with one. */
const OPERATORS =
  /^(AND|OR|NOT|IS|LIKE|GLOB|REGEXP|MATCH|IN|BETWEEN|COLLATE|ESCAPE|FROM|DISTINCT|CASE|WHEN|THEN|ELSE|EXISTS|RAISE)$/i;

const SPACE: Token = { type: "space", start: 0, end: 0, text: " " };
