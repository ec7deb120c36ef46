// Binds parameters so that each arrives as exactly the value that was sent.
//
// exec() binds every JavaScript number as a REAL and refuses bigint. So an INTEGER is bound as text, and its
// parameter becomes a cast in the SQL; the unary plus takes the cast's affinity away, since a bound value has
// none.
import { WireError } from "../wire/errors.ts";
import type { Params } from "./request.ts";
import { type Token, tokenize } from "./tokens.ts";
import type { SqlParam } from "./values.ts";

/** A value as exec() takes it. */
export type Binding = string | number | ArrayBuffer | null;

// The comment marks casts that are ours, so that names of result columns can be given back their own text.
const CAST_START = "+cast(";
const CAST_END = "/*dbmigrate*/as integer)";

/** The tokens of a statement, and for each of its parameters the value. */
export class BoundStatement {
  readonly tokens: readonly Token[];
  readonly #indexes: ReadonlyMap<Token, number>;
  readonly #values: readonly SqlParam[];

  /** @throws WireError sql-error when parameters and values do not match */
  constructor(tokens: readonly Token[], params: Params) {
    this.tokens = tokens;
    this.#indexes = parameterIndexes(tokens);
    this.#values = resolveValues(this.#indexes, params);
  }

  /** A text that is not to be run: its parameters stand for themselves. */
  static unbound(tokens: readonly Token[]): BoundStatement {
    const bound = new BoundStatement([], []);
    return Object.assign(bound, { tokens });
  }

  /** The same statement with more text at its end, which holds no parameter. */
  followedBy(text: string): BoundStatement {
    return new BoundStatement([...this.tokens, ...tokenize(text)], this.#values);
  }

  /** The SQL of the first `count` tokens. */
  sql(count = this.tokens.length): string {
    return this.tokens
      .slice(0, count)
      .map((token) => this.#tokenSql(token))
      .join("");
  }

  /**
   * The SQL of some of the tokens, to stand behind the statement: what it says of parameters, it says by
   * number.
   */
  repeated(tokens: readonly Token[]): string {
    return tokens.map((token) => this.#tokenSql(token, `?${this.#indexes.get(token)}`)).join("");
  }

  /** What the parameters of the first `count` tokens are bound to. */
  bindings(count = this.tokens.length): Binding[] {
    return this.bindingsOf(this.tokens.slice(0, count));
  }

  /** The same for some of the tokens. */
  bindingsOf(tokens: readonly Token[]): Binding[] {
    const used = tokens.map((token) => this.#indexes.get(token) ?? 0);
    return this.#values.slice(0, Math.max(0, ...used)).map(toBinding);
  }

  /** The INTEGER that a parameter is bound to, if it is one. */
  integerOf(token: Token): bigint | undefined {
    const value = this.#values[(this.#indexes.get(token) ?? 0) - 1];
    return value?.type === "integer" ? value.value : undefined;
  }

  #tokenSql(token: Token, parameter = token.text): string {
    const index = this.#indexes.get(token);
    if (index === undefined) return token.text;
    return this.#values[index - 1]?.type === "integer" ? CAST_START + parameter + CAST_END : parameter;
  }
}

/** A result column's name with our casts taken out again. */
export function originalName(name: string): string {
  let original = name;
  for (let end = original.indexOf(CAST_END); end >= 0; end = original.indexOf(CAST_END)) {
    const start = original.lastIndexOf(CAST_START, end);
    const token = original.slice(start + CAST_START.length, end);
    original = original.slice(0, start) + token + original.slice(end + CAST_END.length);
  }
  return original;
}

// SQLite's numbering: ?NNN is number NNN, ? the next one, and a name gets the next one where it stands first.
function parameterIndexes(tokens: readonly Token[]): Map<Token, number> {
  const indexes = new Map<Token, number>();
  const named = new Map<string, number>();
  let highest = 0;
  for (const token of tokens) {
    if (token.type !== "parameter") continue;
    const index = numberOf(token) ?? named.get(token.text) ?? highest + 1;
    if (token.text[0] !== "?") named.set(token.text, index);
    indexes.set(token, index);
    highest = Math.max(highest, index);
  }
  return indexes;
}

function numberOf(token: Token): number | undefined {
  return /^\?\d+$/.test(token.text) ? Number(token.text.slice(1)) : undefined;
}

// SQLite's own limit. A Durable Object takes 100, and says so; the bound only keeps ?999999999 from costing
// memory before.
const MAX_PARAMETERS = 32_766;

function resolveValues(indexes: ReadonlyMap<Token, number>, params: Params): SqlParam[] {
  const count = highest(indexes.values());
  if (count > MAX_PARAMETERS) throw wrong("variable number must be between ?1 and ?100");
  if (params instanceof Map) return namedValues(indexes, params, count);
  const values = params as readonly SqlParam[];
  if (values.length !== count)
    throw wrong(`the statement has ${count} parameters, and ${values.length} values came`);
  return [...values];
}

// Math.max(...) takes its arguments from the stack, which a long text would exhaust.
function highest(numbers: Iterable<number>): number {
  let most = 0;
  for (const number of numbers) most = Math.max(most, number);
  return most;
}

function namedValues(
  indexes: ReadonlyMap<Token, number>,
  params: ReadonlyMap<string, SqlParam>,
  count: number,
): SqlParam[] {
  const values = Array<SqlParam>(count).fill({ type: "null" });
  const used = new Set<string>();
  for (const [token, index] of indexes) {
    const name = [token.text, token.text.slice(1)].find((candidate) => params.has(candidate));
    const value = name === undefined ? undefined : params.get(name);
    if (name === undefined || value === undefined) throw wrong(`no value came for parameter ${token.text}`);
    used.add(name);
    values[index - 1] = value;
  }
  const surplus = [...params.keys()].find((name) => !used.has(name));
  if (surplus !== undefined) throw wrong(`the statement has no parameter ${surplus}`);
  return values;
}

function wrong(message: string): WireError {
  return new WireError("sql-error", message);
}

function toBinding(param: SqlParam): Binding {
  switch (param.type) {
    case "null":
      return null;
    case "integer":
      return param.value.toString();
    case "blob":
      return Uint8Array.from(param.value).buffer;
    default:
      return param.value;
  }
}
