import { DurableObject } from "cloudflare:workers";
import { ChangeWatch } from "../query/change-watch.ts";
import type { AuthEnv } from "../auth.ts";
import { notActive, runQuery } from "../query/execute.ts";
import { ExactReader } from "../query/read-exact.ts";
import { parseQueryRequest } from "../query/request.ts";
import type { QueryAnswer } from "../query/types.ts";
import { readJson } from "../wire/body.ts";
import { WireError, asWireError, errorResponse, methodNotAllowed } from "../wire/errors.ts";
import { isAdminPath } from "../wire/routes.ts";
import { handleAdmin } from "./admin.ts";
import { Bookkeeping } from "./bookkeeping.ts";
import type { StoreContext } from "./context.ts";
import { demandChecks } from "./pragmas.ts";
import { ruleFor } from "./states.ts";

/** What a store reads from its environment. */
export type StoreEnv = AuthEnv;

/** The path of the query API. */
export const QUERY_PATH = "/query";

/**
 * One user's database. Its `fetch` serves the admin protocol and the query API; an application calls `query` over RPC,
 * and may extend the class with methods of its own that go through `transaction`.
 */
export class UserDataStore<Env extends StoreEnv = StoreEnv> extends DurableObject<Env> {
  readonly #store: StoreContext;
  readonly #reader: ExactReader;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { storage } = ctx;
    this.#store = { storage, sql: storage.sql, books: new Bookkeeping(storage.kv) };
    this.#reader = new ExactReader(storage.sql);
  }

  /** Admin requests, which need the token, and POST /query, which only code that holds the binding can send. */
  override async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (isAdminPath(pathname)) {
      this.#reader.forget();
      return handleAdmin(this.#store, this.env, request);
    }
    try {
      if (pathname !== QUERY_PATH) throw new WireError("not-found", `no route ${pathname.slice(0, 200)}`);
      if (request.method !== "POST") throw methodNotAllowed(request.method, "POST");
      return Response.json(await this.#run(await readJson(request)), { headers: { "cache-control": "no-store" } });
    } catch (error) {
      return errorResponse(error);
    }
  }

  /**
   * Runs statements in one transaction (docs/wire-format.md, section 8). Errors are answers: RPC would drop their kind.
   */
  async query(request: unknown): Promise<QueryAnswer> {
    try {
      return { ok: true, ...(await this.#run(request)) };
    } catch (error) {
      return { ok: false, error: asWireError(error).info };
    }
  }

  /**
   * Runs `work` in one transaction: the only way for a subclass to write. Writes that go past it are neither refused
   * while another side is authoritative nor counted, and a rollback would lose them.
   * @param work is synchronous; what it throws rolls the transaction back
   * @throws WireError not-active
   */
  protected transaction<T>(work: (sql: SqlStorage) => T): T {
    const { storage, sql, books } = this.#store;
    demandChecks(sql);
    try {
      return storage.transactionSync(() => {
        const { state } = books;
        if (ruleFor(state, "write").answer !== "ok") throw notActive(state.phase, state.lin);
        const watch = new ChangeWatch(sql);
        const result = work(sql);
        if (result instanceof Promise) throw new Error("a transaction is synchronous: await before it or after it");
        if (watch.changed()) books.countWrite();
        return result;
      });
    } finally {
      this.#reader.forget();
    }
  }

  async #run(request: unknown) {
    return runQuery(this.#store, this.#reader, parseQueryRequest(request));
  }
}
