// One database on both sides: the same requests, and what differs in the answers.
import { bindings } from "../router/fixtures.ts";
import { Client } from "../store/client.ts";
import { runOnFile } from "../../src/file/engine.ts";
import { type ParsedRequest, parseQueryRequest } from "../../src/query/request.ts";
import type { QueryAnswer, QueryMode, QueryStatement, StatementResult } from "../../src/query/types.ts";
import { type ErrorInfo, asWireError } from "../../src/wire/errors.ts";

/** What an application sees of a statement. How many rows were counted is each side's own business. */
export interface Seen {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

export type Shown =
  { readonly ok: true; readonly seen: readonly Seen[] } | { readonly ok: false; readonly error: ErrorInfo };

export interface Request {
  readonly statements: readonly QueryStatement[];
  readonly mode?: QueryMode;
}

/** A file and a Durable Object that hold the same. */
export class Pair {
  #file: Uint8Array = new Uint8Array(0);
  readonly #store: Client;

  private constructor(store: Client) {
    this.#store = store;
  }

  static async open(setup: readonly string[] = []): Promise<Pair> {
    const client = new Client(bindings.USER_DATA);
    // As a new file has it.
    await client.import([], {}, { userVersion: 0 });
    await client.activate();
    const pair = new Pair(client);
    if (setup.length === 0) return pair;
    const { file, store } = await pair.run({ statements: setup.map((sql) => ({ sql })) });
    if (!file.ok || !store.ok) throw new Error(`the setup fails: ${JSON.stringify([file, store])}`);
    return pair;
  }

  async run(request: Request): Promise<{ readonly file: Shown; readonly store: Shown }> {
    return { file: this.#onFile(request), store: await this.#onStore(request) };
  }

  #onFile(request: Request): Shown {
    try {
      const parsed: ParsedRequest = parseQueryRequest(request);
      const { results, changed } = runOnFile(this.#file, parsed);
      this.#file = changed ?? this.#file;
      return { ok: true, seen: results.map(seen) };
    } catch (error) {
      return { ok: false, error: asWireError(error).info };
    }
  }

  async #onStore(request: Request): Promise<Shown> {
    const answer = (await this.#store.stub.query(request)) as QueryAnswer;
    return answer.ok ? { ok: true, seen: answer.results.map(seen) } : { ok: false, error: answer.error };
  }
}

function seen({ columns, rows }: StatementResult): Seen {
  return { columns, rows };
}

/**
 * Runs statements one after the other, each a request of its own, and says in words where the sides differ.
 */
export async function differences(pair: Pair, statements: readonly QueryStatement[]): Promise<string[]> {
  const found: string[] = [];
  for (const statement of statements) {
    const { file, store } = await pair.run({ statements: [statement] });
    const [left, right] = [JSON.stringify(file), JSON.stringify(store)];
    if (left !== right)
      found.push(`${shorten(JSON.stringify(statement))}: file ${shorten(left)}, store ${shorten(right)}`);
  }
  return found;
}

function shorten(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}... (${text.length})` : text;
}
