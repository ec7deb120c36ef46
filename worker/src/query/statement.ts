// What a statement is, as far as it decides how its result is read.
import { WireError } from "../wire/errors.ts";
import { LIMITS } from "../wire/limits.ts";
import { type Token, isKeyword, isSignificant, tokenize } from "./tokens.ts";

/**
 * `rows`: SELECT, VALUES, or WITH in front of either. `compound`: several SELECTs joined by UNION and its
 * like. Their rows must not pass through another SELECT, where each column would take on the affinity of the
 * one of them. `unclosed`: what is put around such a text would become part of it, so that SQLite only says
 * what is wrong with it. `other`: everything else.
 */
export type StatementKind = "rows" | "compound" | "unclosed" | "other";

const COMPOUND = ["UNION", "EXCEPT", "INTERSECT"];

export interface Statement {
  readonly kind: StatementKind;
  /**
   * From the first token that says something to the last, without the semicolon; and comments behind it, which
   * SQLite takes into the name of a column.
   */
  readonly tokens: readonly Token[];
}

// They would outlast the request, or hold back its errors until after the answer.
const CONNECTION_PRAGMAS: ReadonlySet<string> = new Set([
  "CASE_SENSITIVE_LIKE",
  "DEFER_FOREIGN_KEYS",
  "FOREIGN_KEYS",
  "IGNORE_CHECK_CONSTRAINTS",
  "LEGACY_ALTER_TABLE",
  "RECURSIVE_TRIGGERS",
  "REVERSE_UNORDERED_SELECTS",
]);

const WAYS_OUT: Readonly<Record<string, string>> = {
  DEFER_FOREIGN_KEYS:
    "it would outlast the request; declare the key DEFERRABLE INITIALLY DEFERRED, or change the schema in a migration",
  FOREIGN_KEYS: "it would outlast the request; a migration may say PRAGMA foreign_keys=OFF",
};

/** Reads the one statement of a text. @throws WireError sql-error */
export function parseStatement(sql: string): Statement {
  if (sql.length > LIMITS.statementBytes)
    throw new WireError("sql-error", "statement too long: SQLITE_TOOBIG");
  // SQLite would read no further.
  if (sql.includes("\0")) throw new WireError("sql-error", "the SQL text holds a NUL character");
  const all = tokenize(sql);
  refuseOpenComment(all);
  const tokens = oneStatement(all, all.filter(isSignificant));
  const words = tokens.filter(isSignificant);
  demandAllowed(words);
  if (!isClosed(tokens)) return { kind: "unclosed", tokens };
  // The schema keeps the text of a CREATE.
  return { kind: kindOf(words), tokens: isKeyword(words[0], "CREATE") ? tokens : tokens.map(withLineEnd) };
}

/** Refuses settings of the connection and transactions of one's own. @throws WireError sql-error */
export function demandAllowed(tokens: readonly Token[]): void {
  const words = tokens.filter(isSignificant);
  refuseSettings(words);
  refuseTransaction(words);
  refuseRollbackOnConflict(words);
}

/** The statements of a text, each without its semicolon and what stands around it. */
export function splitStatements(sql: string): (readonly Token[])[] {
  const all = tokenize(sql);
  const places = [...all.keys()].filter((at) => isSignificant(all[at] as Token));
  const words = places.map((at) => all[at] as Token);
  const statements: (readonly Token[])[] = [];
  for (let from = 0, end = 0; from < words.length; from = end + 1) {
    end = statementEnd(words, from);
    if (end > from) statements.push(all.slice(places[from], Number(places[end - 1]) + 1));
  }
  return statements;
}

function oneStatement(all: readonly Token[], significant: readonly Token[]): readonly Token[] {
  const end = statementEnd(significant);
  const [semicolon, ...surplus] = significant.slice(end);
  if (surplus.some((token) => token.type !== "semicolon"))
    throw new WireError("sql-error", "one entry holds one statement, and this one holds more");
  const [first] = significant;
  if (first === undefined || end === 0) throw new WireError("sql-error", "the text holds no statement");
  const behind = semicolon === undefined ? all.length : all.indexOf(semicolon);
  return withoutSpaceAtEnd(all.slice(all.indexOf(first), behind));
}

function withoutSpaceAtEnd(tokens: readonly Token[]): readonly Token[] {
  return tokens.slice(0, tokens.findLastIndex(({ type }) => type !== "space") + 1);
}

/** What is put behind a comment to the line's end must not become part of it. */
function withLineEnd(token: Token): Token {
  const runsOn = token.type === "comment" && token.text.startsWith("--") && !token.text.endsWith("\n");
  return runsOn ? { ...token, text: `${token.text}\n` } : token;
}

/** SQLite would take the end of the text for the comment's. @throws WireError sql-error */
export function refuseOpenComment(tokens: readonly Token[]): void {
  const last = tokens.at(-1);
  if (last?.type !== "comment" || isTokenClosed(last.text)) return;
  throw new WireError(
    "sql-error",
    "incomplete input: a comment that begins with /* does not end: SQLITE_ERROR",
  );
}

/**
 * Whether the tokens end what they begin, and nothing else: what is put around them cannot become part of it.
 */
export function isClosed(tokens: readonly Token[]): boolean {
  let depth = 0;
  for (const { type, text } of tokens) {
    if (type === "open") depth++;
    if ((type === "close" && --depth < 0) || !isTokenClosed(text)) return false;
  }
  return depth === 0;
}

const CLOSED: readonly RegExp[] = [
  /^[xX]?'(?:[^']|'')*'$/,
  /^"(?:[^"]|"")*"$/,
  /^`(?:[^`]|``)*`$/,
  /^\[[^\]]*\]$/,
  /^\/\*[^]*\*\/$/,
];

/** Whether a string, a name or a comment ends where it has to. */
export function isTokenClosed(text: string): boolean {
  const opens = /^(?:[xX]?'|["`[]|\/\*)/.test(text);
  return !opens || CLOSED.some((pattern) => pattern.test(text));
}

// A trigger's body holds statements of its own and ends with "; END".
function statementEnd(tokens: readonly Token[], from = 0): number {
  const trigger =
    isKeyword(tokens[from], "CREATE") &&
    tokens.slice(from + 1, from + 3).some((token) => isKeyword(token, "TRIGGER"));
  for (let at = from; at < tokens.length; at++) {
    if (tokens[at]?.type !== "semicolon") continue;
    if (!trigger || (isKeyword(tokens[at - 1], "END") && tokens[at - 2]?.type === "semicolon")) return at;
  }
  return tokens.length;
}

function kindOf(words: readonly Token[]): StatementKind {
  const verb = verbOf(words);
  if (!isKeyword(verb, "SELECT") && !isKeyword(verb, "VALUES")) return "other";
  return joints(words) === 0 ? "rows" : "compound";
}

function verbOf(words: readonly Token[]): Token | undefined {
  return isKeyword(words[0], "WITH") ? verbBehindWith(words) : words[0];
}

/** How many operators join the parts of a compound SELECT. */
function joints(words: readonly Token[]): number {
  let depth = 0;
  return words.filter((token) => {
    if (token.type === "open") depth++;
    if (token.type === "close") depth--;
    return depth === 0 && isJoint(token);
  }).length;
}

/** How many parts a compound SELECT has. */
export function countParts(tokens: readonly Token[]): number {
  return joints(tokens) + 1;
}

/** How many of the tokens stand in front of the first operator that joins parts. */
export function countBeforeJoint(tokens: readonly Token[]): number {
  return findOutside(tokens, isJoint);
}

/** Whether a compound SELECT gives every row of its parts, in the order of the parts. */
export function keepsRows(tokens: readonly Token[]): boolean {
  const words = tokens.filter(isSignificant);
  const removes = (token: Token): boolean =>
    isJoint(token) && !isKeyword(words[words.indexOf(token) + 1], "ALL");
  return !isOrdered(tokens) && findOutside(words, removes) < 0;
}

function isJoint(token: Token): boolean {
  return COMPOUND.some((keyword) => isKeyword(token, keyword));
}

/** How many of the tokens stand in front of the verb: those of WITH. */
export function countBeforeVerb(tokens: readonly Token[]): number {
  const verb = verbOf(tokens.filter(isSignificant));
  return verb === undefined ? 0 : tokens.indexOf(verb);
}

// The first token behind a closing parenthesis that neither goes on with the list nor belongs to a table's
// head.
function verbBehindWith(words: readonly Token[]): Token | undefined {
  let depth = 0;
  for (const [index, token] of words.entries()) {
    if (token.type === "open") depth++;
    if (token.type !== "close" || --depth > 0) continue;
    const next = words[index + 1];
    if (next?.type !== "comma" && !isKeyword(next, "AS")) return next;
  }
  return undefined;
}

// EXPLAIN does not hold these back: they have their effect while they are compiled.
function refuseSettings(words: readonly Token[]): void {
  const at = words.findIndex((token) => isKeyword(token, "PRAGMA"));
  const explained = words
    .slice(0, Math.max(at, 0))
    .every((token) => /^(EXPLAIN|QUERY|PLAN)$/i.test(token.text));
  if (at < 0 || !explained) return;
  const nameAt = words[at + 2]?.text === "." ? at + 3 : at + 1;
  const name = (words[nameAt]?.text ?? "").replace(/^["'`[]|["'`\]]$/g, "").toUpperCase();
  if (words.length > nameAt + 1 && CONNECTION_PRAGMAS.has(name)) {
    throw new WireError(
      "sql-error",
      `PRAGMA ${name.toLowerCase()} cannot be set here: ${WAYS_OUT[name] ?? "it would outlast the request"}`,
    );
  }
}

// Each side would refuse them in words of its own.
function refuseTransaction(words: readonly Token[]): void {
  const first = words.find((token) => !/^(EXPLAIN|QUERY|PLAN)$/i.test(token.text));
  if (
    !["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"].some((keyword) =>
      isKeyword(first, keyword),
    )
  )
    return;
  const name = first?.text.toUpperCase();
  throw new WireError(
    "sql-error",
    `${name}: not authorized: all statements of a request are one transaction: SQLITE_AUTH`,
  );
}

/**
 * Refuses ROLLBACK as what a conflict does: it would end the transaction of the request, and the platform
 * restarts an object in which that happens.
 */
function refuseRollbackOnConflict(words: readonly Token[]): void {
  const isClause = (at: number) =>
    (isKeyword(words[at - 1], "OR") && ["INSERT", "UPDATE"].some((verb) => isKeyword(words[at - 2], verb))) ||
    (isKeyword(words[at - 1], "CONFLICT") && isKeyword(words[at - 2], "ON")) ||
    (words[at - 1]?.type === "open" && isKeyword(words[at - 2], "RAISE"));
  if (!words.some((word, at) => isKeyword(word, "ROLLBACK") && isClause(at))) return;
  throw new WireError(
    "sql-error",
    "ROLLBACK on a conflict: not authorized: say ABORT, a request that fails is taken back as a whole: SQLITE_AUTH",
  );
}

/** How many of the tokens stand in front of the statement's own LIMIT; all of them when it has none. */
export function countBeforeLimit(tokens: readonly Token[]): number {
  const at = findOutside(tokens, (token) => isKeyword(token, "LIMIT"));
  return at < 0 ? tokens.length : at;
}

export function hasLimit(tokens: readonly Token[]): boolean {
  return countBeforeLimit(tokens) < tokens.length;
}

/** Whether each row of the statement is a group of others. */
export function isGrouped(tokens: readonly Token[]): boolean {
  return countParts(tokens) === 1 && findOutside(tokens, (token) => isKeyword(token, "GROUP")) >= 0;
}

/** Whether the statement itself has an ORDER BY. */
export function isOrdered(tokens: readonly Token[]): boolean {
  return countBeforeOrder(tokens) < tokens.length;
}

/** How many of the tokens stand in front of the statement's own ORDER BY; all of them when it has none. */
export function countBeforeOrder(tokens: readonly Token[]): number {
  const at = findOutside(tokens, (token) => isKeyword(token, "ORDER"));
  return at < 0 ? tokens.length : at;
}

/** Whether the last part of a compound is VALUES, which takes no LIMIT. */
export function endsWithValues(tokens: readonly Token[]): boolean {
  const reversed = [...tokens].reverse();
  const at = findOutside(reversed, (token) => isKeyword(token, "SELECT") || isKeyword(token, "VALUES"));
  return isKeyword(reversed[at], "VALUES");
}

/** Finds a token outside all parentheses. */
export function findOutside(tokens: readonly Token[], wanted: (token: Token) => boolean): number {
  let depth = 0;
  return tokens.findIndex((token) => {
    if (token.type === "open") depth++;
    if (token.type === "close") depth--;
    return depth === 0 && wanted(token);
  });
}
