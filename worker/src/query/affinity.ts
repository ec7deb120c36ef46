// Where a result column may have the affinity REAL, and hold an INTEGER all the same. A reader of such a
// column through another SELECT gets a REAL in place of the INTEGER, without an error.
import type { Sql } from "./sql.ts";
import { type Token, isKeyword, isSignificant, tokenize } from "./tokens.ts";

// The affinity is that of one part, or of one of two joined columns; the value may be of another.
const PARTS = ["UNION", "EXCEPT", "INTERSECT", "VALUES"];
const OUTER = ["RIGHT", "FULL"];
const MERGED = ["USING", "NATURAL"];

/**
 * Names of the schema with such columns, in the form in which they are compared: views, and virtual tables
 * that keep values as they come.
 */
export type MixedNames = ReadonlySet<string>;

/** Whether a column of the statement's result may mix classes: its text says so, and the views in it. */
export function mayMix(tokens: readonly Token[], names: () => MixedNames): boolean {
  const words = withoutClosedParts(tokens.filter(isSignificant));
  if (mixesItself(words)) return true;
  const mixed = names();
  return mixed.size > 0 && words.some((word) => mixed.has(plain(word.text)));
}

function mixesItself(words: readonly Token[]): boolean {
  const has = (keywords: readonly string[]): boolean =>
    words.some((word) => keywords.some((keyword) => isKeyword(word, keyword)));
  return has(PARTS) || (has(OUTER) && has(MERGED));
}

/**
 * Whether VALUES of several rows holds more than plain values and functions. Behind WITH, such as ours,
 * SQLite gives all its rows the affinity of one.
 */
export function hasMixedValues(tokens: readonly Token[]): boolean {
  const words = tokens.filter(isSignificant);
  const closings = closingsOf(words);
  return words.some(
    (word, index) => isKeyword(word, "VALUES") && !arePlain(rowsBehind(words, closings, index)),
  );
}

/** The rows of VALUES, if they are several. */
function rowsBehind(words: readonly Token[], closings: Int32Array, values: number): readonly Token[] {
  const closing = (open: number): number => closings[open] ?? open;
  let end = values + 1;
  if (words[end]?.type !== "open" || words[closing(end) + 1]?.type !== "comma") return [];
  while (words[end]?.type === "open") {
    end = closing(end) + 1;
    if (words[end]?.type === "comma") end++;
  }
  return words.slice(values + 1, end);
}

const LITERALS = ["NULL", "TRUE", "FALSE"];

function arePlain(words: readonly Token[]): boolean {
  return words.every((word, index) => {
    if (word.type !== "word" && word.type !== "name") return true;
    const calls = words[index + 1]?.type === "open" && !isKeyword(word, "CAST") && !isKeyword(word, "SELECT");
    return calls || LITERALS.some((literal) => isKeyword(word, literal));
  });
}

/**
 * Without what gives no value of its own to the result: what only answers yes or no, and the body of a
 * recursive table, which is read through its columns by SQLite itself.
 */
function withoutClosedParts(words: readonly Token[]): Token[] {
  const kept: Token[] = [];
  const closings = closingsOf(words);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as Token;
    const end = closings[i] ?? i;
    if (end > i && (isTest(words[i - 1]) || isRecursive(words, i, end))) i = end;
    else kept.push(word);
  }
  return kept;
}

function isTest(word: Token | undefined): boolean {
  return isKeyword(word, "IN") || isKeyword(word, "EXISTS");
}

/** Whether between the parentheses is the body of a table that reads from itself. */
function isRecursive(words: readonly Token[], open: number, close: number): boolean {
  if (!isKeyword(words[open - 1], "AS")) return false;
  let at = open - 2;
  if (words[at]?.type === "close") while (at > 0 && words[at]?.type !== "open") at--;
  const name = plain((words[words[at]?.type === "open" ? at - 1 : at] ?? words[open])?.text ?? "");
  const body = words.slice(open + 1, close);
  // Another table of the name may be meant.
  if (body.some((word) => isKeyword(word, "WITH"))) return false;
  const reads = (index: number): boolean => ["FROM", "JOIN"].some((verb) => isKeyword(body[index - 1], verb));
  return body.some(
    (word, index) => plain(word.text) === name && reads(index) && body[index + 1]?.text !== ".",
  );
}

/** For each parenthesis that opens, where it closes; for any other token, and where none does, its own place. */
function closingsOf(words: readonly Token[]): Int32Array {
  const closings = Int32Array.from(words.keys());
  const open: number[] = [];
  for (const [i, { type }] of words.entries()) {
    if (type === "open") open.push(i);
    const opened = type === "close" ? open.pop() : undefined;
    if (opened !== undefined) closings[opened] = i;
  }
  return closings;
}

/** A name may be written in several quotes, and is found in any. */
function plain(text: string): string {
  return text.replace(/["'`[\]]/g, "").toLowerCase();
}

/** Asks the schema which names may mix classes. */
export function mixedNames(sql: Sql): MixedNames {
  const cursor = sql.exec(
    "SELECT name, sql FROM main.sqlite_schema WHERE type = 'view' OR sql LIKE 'CREATE VIRTUAL TABLE%+%'",
  );
  const readers = new Map<string, string[]>();
  const mixed = new Set<string>();
  const found = (name: string): void => {
    if (mixed.has(name)) return;
    mixed.add(name);
    queue.push(name);
  };
  const queue: string[] = [];
  for (const [name, sqlText] of cursor.raw()) {
    const [view, text] = [plain(String(name)), String(sqlText)];
    const words = withoutClosedParts(tokenize(text).filter(isSignificant));
    if (/^CREATE VIRTUAL/i.test(text) || mixesItself(words)) found(view);
    for (const used of new Set(words.map((word) => plain(word.text)))) {
      const known = readers.get(used);
      if (known === undefined) readers.set(used, [view]);
      else known.push(view);
    }
  }
  // A view of such a view is one, too.
  for (let next = queue.pop(); next !== undefined; next = queue.pop())
    for (const reader of readers.get(next) ?? []) found(reader);
  return mixed;
}
