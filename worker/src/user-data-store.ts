import { DurableObject } from "cloudflare:workers";
import { version } from "./version.ts";
import { type Introduction, jurisdictionOf } from "./admin/probe.ts";
import { ChangeWatch } from "./query/change-watch.ts";
import type { AuthEnv } from "./auth.ts";
import type { LiveStore } from "./query/change-log.ts";
import { noLive } from "./query/no-live.ts";
import { LIVE_PATH } from "./live/protocol.ts";
import { demandPartFor, demandServing, queryRule, runQuery } from "./query/execute.ts";
import { PLATFORM_TABLES } from "./store/catalog.ts";
import { ExactReader } from "./query/read-exact.ts";
import { parseQueryRequest } from "./query/request.ts";
import type { ThawAnswer } from "./query/thaw-request.ts";
import type { QueryAnswer, QueryScope } from "./query/types.ts";
import { type CallAnswer, parseCall } from "./logic/call.ts";
import type { LogicClasses } from "./logic/registry.ts";
import { ObjectSchema } from "./object-logic/object-schema.ts";
import { callOnStore } from "./object-logic/run-logic.ts";
import { Schema, type SchemaConfig } from "./schema/schema.ts";
import { copiesIn, demandCopiesUntouched } from "./query/copies.ts";
import { readJson } from "./wire/body.ts";
import {
  asWireError,
  type ErrorInfo,
  errorResponse,
  methodNotAllowed,
  notMounted,
  type Part,
  WireError,
} from "./wire/errors.ts";
import { asObject } from "./wire/json.ts";
import { isAdminPath } from "./wire/routes.ts";
import { handleAdmin } from "./claims/admin.ts";
import { Bookkeeping } from "./state/bookkeeping.ts";
import type { StoreContext } from "./state/context.ts";
import { demandChecks } from "./state/pragmas.ts";
import type { LiveUpdates } from "./router/live-part.ts";
import type { SplitMode } from "./router/split-part.ts";
import { type BirthState, birthStep } from "./claims/birth.ts";
import { type DeletionState, deletionStep } from "./claims/deletion.ts";
import { WakeCheck } from "./store/wake.ts";

/**
 * What a store reads from its environment. `BUCKET` are the users' files: with it a store looks at its own
 * when it wakes up.
 */
export interface StoreEnv extends AuthEnv {
  readonly BUCKET?: R2Bucket;
}

/** The path of the query API. */
export const QUERY_PATH = "/query";

/** What a subclass says under `storeOptions`; `createRouter` takes the same. */
export interface StoreOptions {
  /** The classes that may be called, each under its name (docs/logic.md). */
  readonly logic?: LogicClasses;
  /** The application's schema: a user's database gets what it lacks before the next request. */
  readonly schema?: SchemaConfig;
  /** `liveUpdates` of `@dbmigrate/worker/live-updates`. Without it nobody can subscribe (docs/live-updates.md). */
  readonly live?: LiveUpdates;
  /** `splitMode` of `@dbmigrate/worker/split`. Without it nobody can be split (docs/split.md). */
  readonly split?: SplitMode;
}

type BirthAnswer = ({ readonly ok: true } & BirthState) | { readonly ok: false; readonly error: ErrorInfo };
type DeletionAnswer =
  ({ readonly ok: true } & DeletionState) | { readonly ok: false; readonly error: ErrorInfo };

/** Of a subclass's transaction. */
export interface TransactionOptions {
  readonly scope?: QueryScope;
}

/**
 * One user's database. Its `fetch` serves the admin protocol and the query API; an application calls `query`
 * over RPC, and may extend the class with methods of its own that go through `transaction`.
 */
export class UserDataStore<Env extends StoreEnv | object = StoreEnv> extends DurableObject<Env> {
  readonly #store: StoreContext;
  readonly #reader: ExactReader;
  readonly #wake: WakeCheck;
  readonly #migrations: ObjectSchema;
  #liveMade: LiveStore | undefined;

  /** A subclass overrides it. Nothing of it is read while the object is being made. */
  protected readonly storeOptions: StoreOptions = {};

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { storage } = ctx;
    this.#store = { storage, sql: storage.sql, books: new Bookkeeping(storage.kv) };
    this.#reader = new ExactReader(storage.sql, PLATFORM_TABLES, false);
    this.#migrations = new ObjectSchema(this.#store, this.#reader, () => this.#live);
    this.#wake = new WakeCheck(this.#store.books, this.filesOf(env));
    // Nothing is delivered meanwhile: `transaction` has no time to wait.
    if (this.#wake.takeTurn()) void ctx.blockConcurrencyWhile(() => this.#lookAtFile());
  }

  /**
   * The users' files: `env.BUCKET`. The object looks at its own when it wakes up. A subclass overrides this
   * if its binding has another name; it is called while the object is being made.
   */
  protected filesOf(env: Env): R2Bucket | undefined {
    return (env as StoreEnv).BUCKET;
  }

  /** Subscribers are sent away, too, by an object that must not serve. */
  async #lookAtFile(): Promise<void> {
    await this.#wake.look();
    try {
      this.#wake.demand();
    } catch {
      this.#live.sendAway();
    }
  }

  /** @throws WireError set-back */
  async #demandCurrent(): Promise<void> {
    if (this.#wake.takeTurn()) await this.#lookAtFile();
    this.#wake.demand();
  }

  /**
   * For who cannot wait: a look that is due is begun, and those who come after it are refused.
   * @throws WireError set-back
   */
  #demandCurrentAtOnce(): void {
    if (this.#wake.takeTurn()) this.ctx.waitUntil(this.#lookAtFile());
    this.#wake.demand();
  }

  /**
   * Admin requests, which need the token, and /query and /live, which only code that holds the binding can
   * ask for.
   */
  override async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (isAdminPath(pathname)) return this.#admin(request);
    try {
      if (pathname === LIVE_PATH) {
        await this.#demandCurrent();
        return this.#live.accept(request);
      }
      if (pathname !== QUERY_PATH) throw new WireError("not-found", `no route ${pathname.slice(0, 200)}`);
      if (request.method !== "POST") throw methodNotAllowed(request.method, "POST");
      return Response.json(await this.#run(await readJson(request)), {
        headers: { "cache-control": "no-store" },
      });
    } catch (error) {
      return errorResponse(error);
    }
  }

  /**
   * Runs statements in one transaction (docs/wire-format.md, section 8). Errors are answers: RPC would drop
   * their kind.
   */
  async query(request: unknown): Promise<QueryAnswer> {
    try {
      return { ok: true, ...(await this.#run(request)) };
    } catch (error) {
      return { ok: false, error: asWireError(error).info };
    }
  }

  /**
   * Calls a method of a class that `storeOptions` names, for `router.call` (docs/logic.md). Errors are
   * answers.
   */
  async callLogic(request: unknown): Promise<CallAnswer> {
    try {
      return { ok: true, ...(await this.#call(request)) };
    } catch (error) {
      return { ok: false, error: asWireError(error).info };
    }
  }

  /**
   * Closes the connections of all subscribers to live updates with 4401 and the reason, and says how many there
   * were: `router.disconnect` asks for it.
   */
  async dbmigrateDisconnect(reason: string): Promise<number> {
    return this.#live.disconnect(String(reason));
  }

  /**
   * Notes cold rows of a split user that shall come back into the file (docs/split.md); `dbmigrate thaw
   * --requested` brings them. Errors are answers.
   */
  async thaw(request: unknown): Promise<ThawAnswer> {
    try {
      await this.#demandCurrent();
      const { split } = this.storeOptions;
      if (split === undefined) throw notMounted("split");
      return { ok: true, rows: split.store.noteThaw(this.#store, request) };
    } catch (error) {
      return { ok: false, error: asWireError(error).info };
    }
  }

  /**
   * A step of a deletion of this user, which only the router takes: `Router.deleteUser`. Errors are answers.
   */
  async dbmigrateDelete(request: unknown): Promise<DeletionAnswer> {
    this.#reader.forget();
    this.#live.forget();
    try {
      return { ok: true, ...(await deletionStep(this.#store, asObject(request, "request"))) };
    } catch (error) {
      return { ok: false, error: asWireError(error).info };
    } finally {
      this.#live.closeIfMoved();
    }
  }

  /**
   * A step of a new user's first write, which only the router takes where it has `newUsers: "store"`. Errors
   * are answers.
   */
  async dbmigrateBirth(request: unknown): Promise<BirthAnswer> {
    this.#migrations.forget();
    this.#reader.forget();
    this.#live.forget();
    try {
      return { ok: true, ...(await birthStep(this.#store, asObject(request, "request"), version)) };
    } catch (error) {
      return { ok: false, error: asWireError(error).info };
    } finally {
      this.#migrations.forget();
    }
  }

  /** What hello asks an object of its own: it stores nothing. Any object answers, whatever its phase. */
  async dbmigrateProbe(): Promise<Introduction> {
    const { value } = this.ctx.storage.sql.exec<{ value: number }>("SELECT 1 AS value").one();
    const parts = mountedParts(this.storeOptions);
    return { worker: version, sql: value, jurisdiction: jurisdictionOf(this.ctx.id), parts };
  }

  /**
   * Runs `work` in one transaction: the only way for a subclass to write. Writes that go past it are neither
   * refused while another side is authoritative nor counted, and a rollback would lose them.
   * @param work is synchronous; what it throws rolls the transaction back
   * @param options.scope `cold`: a transaction on the cold rows of a split user
   * @throws WireError not-active, set-back, or not-split for scope `cold`
   */
  protected transaction<T>(work: (sql: SqlStorage) => T, { scope = "hot" }: TransactionOptions = {}): T {
    const { storage, sql, books } = this.#store;
    const live = this.#live;
    this.#demandCurrentAtOnce();
    demandChecks(sql);
    const split = this.storeOptions.split?.store;
    demandPartFor(scope, books, split);
    this.#migrations.applyNow(this.#schema, scope);
    try {
      return storage.transactionSync(() => {
        demandServing(books, queryRule(books, scope, "write"));
        const watch = new ChangeWatch(sql);
        const copies = scope === "cold" ? copiesIn(books.receipt) : [];
        const watched = copies.length > 0 ? split?.watch(sql, this.#reader) : undefined;
        const recorder = watched ?? live.record();
        const result = work(recorder?.watching(sql) ?? sql);
        if (result instanceof Promise)
          throw new Error("a transaction is synchronous: await before it or after it");
        if (watch.changed()) {
          if (recorder !== undefined && copies.length > 0) demandCopiesUntouched(copies, recorder.changes());
          books.countWrite();
          live.commit(recorder);
        }
        return result;
      });
    } finally {
      this.#reader.forget();
      live.forget();
      this.#announce();
    }
  }

  /**
   * A message of a subscriber to live updates. A subclass that accepts sockets of its own calls this one for
   * the others.
   */
  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (this.#live.owns(socket)) await this.#live.receive(socket, message);
  }

  /** A subscriber who leaves. As above for a subclass's own sockets. */
  override async webSocketClose(socket: WebSocket): Promise<void> {
    if (this.#live.owns(socket)) this.#live.leave(socket);
  }

  /** Made when it is first asked for: options are a subclass's. That is before the first write of this object. */
  get #live(): LiveStore {
    this.#liveMade ??=
      this.storeOptions.live?.store(this.ctx, this.#store, this.#reader) ?? noLive(this.#store.books);
    return this.#liveMade;
  }

  get #schema(): Schema | undefined {
    const { schema } = this.storeOptions;
    return schema === undefined ? undefined : Schema.of(schema);
  }

  async #admin(request: Request): Promise<Response> {
    // A copy asks often, and changes nothing of what was learned.
    if (!new URL(request.url).pathname.endsWith("/export/follow")) {
      this.#migrations.forget();
      this.#reader.forget();
      this.#live.forget();
    }
    try {
      return await handleAdmin(this.#store, this.env, request, {
        follow: (json) => this.#live.follow(json),
        split: this.storeOptions.split !== undefined,
      });
    } finally {
      this.#migrations.forget();
      this.#live.closeIfMoved();
    }
  }

  async #run(request: unknown) {
    const parsed = parseQueryRequest(request);
    await this.#demandCurrent();
    const results = await runQuery(await this.#context(parsed.scope), parsed);
    if (parsed.mode === "write") this.#announce();
    return results;
  }

  /**
   * What a request runs on, once the database has the application's schema.
   * @throws WireError schema-failed or not-mounted
   */
  async #context(scope: QueryScope) {
    const schema = this.#schema;
    const split = this.storeOptions.split?.store;
    demandPartFor(scope, this.#store.books, split);
    if (await this.#migrations.apply(schema, scope)) this.#announce();
    return {
      store: this.#store,
      reader: this.#reader,
      live: this.#live,
      split,
      isCurrent: () => this.#migrations.isCurrent(schema),
    };
  }

  async #call(request: unknown) {
    const call = parseCall(request);
    await this.#demandCurrent();
    const results = await callOnStore(await this.#context("hot"), call, this.storeOptions.logic ?? {});
    if (call.mode === "write") this.#announce();
    return results;
  }

  /** Nobody waits for it: a write is acknowledged whether or not somebody listens. */
  #announce(): void {
    this.ctx.waitUntil(this.#live.announce());
  }
}

/** By the names of the options. */
function mountedParts({ live, split }: StoreOptions): Part[] {
  const parts: Part[] = [];
  if (live !== undefined) parts.push("live");
  if (split !== undefined) parts.push("split");
  return parts;
}
