// What an application mounts: one function that answers queries of users, wherever their database lives.
import { DEFAULT_MAX_FILE_BYTES } from "../file/engine.ts";
import type { QueryAnswer, QueryMode, QueryRequest } from "../query/types.ts";
import { WireError } from "../wire/errors.ts";
import { parseUserId } from "../wire/routes.ts";
import { type CallRequest, cloned } from "../logic/call.ts";
import { type LogicClasses, nameOf } from "../logic/registry.ts";
import { remote } from "../logic/remote.ts";
import type { Callable, LogicClass, UserLogic } from "../logic/user-logic.ts";
import { Schema, type SchemaConfig } from "../schema/schema.ts";
import { type Asker, askBetween, orError, type RouteOptions } from "./ask.ts";
import { bear } from "./birth.ts";
import { callErrand } from "./errands.ts";
import { type DeletionAnswer, deleteUser } from "./delete-user.ts";
import { rememberRouter } from "./asked.ts";
import { declareParts, declareSavesFiles } from "./declared.ts";
import { R2FileSide } from "./file-side.ts";
import { KvFlagHint, MIN_FLAG_CACHE_TTL } from "./flag-hint.ts";
import type { DisconnectAnswer } from "./live.ts";
import type { LiveUpdates } from "./live-part.ts";
import type { LimitsMode } from "./limits.ts";
import { DEFAULT_LAYOUT, objectKeys } from "./layout.ts";
import type { Observer } from "./report.ts";
import { lookServedBy, type ServedByAnswer } from "./served-by.ts";
import type { Sides } from "./sides.ts";
import type { SplitConflicts } from "./split-conflicts.ts";
import type { SplitMode, SplitQueries } from "./split-part.ts";
import { DurableStoreSide, type UserObjects } from "./store-side.ts";
import { noLive } from "./unmounted.ts";

export interface RouterConfig {
  /** Holds the users' files. */
  readonly bucket: R2Bucket;
  /** Holds the flags `migrated:{user}`. */
  readonly flags: KVNamespace;
  /** The users' Durable Objects: UserDataStore or a subclass. */
  readonly store: UserObjects;
  /** Key of a user's file; `{user}` stands for the user. Default `{user}/database.sqlite`. */
  readonly layout?: string;
  /**
   * Default `auto`. `r2` is the emergency switch: all traffic to the files, whatever flags and Durable
   * Objects say.
   */
  readonly path?: "auto" | "r2";
  /** Seconds for which a location may answer a flag from its cache; at least 30, KV's default is 60. */
  readonly flagCacheTtl?: number;
  /** Milliseconds after which a request that no side accepts is answered 503. Default 5,000. */
  readonly deadlineMs?: number;
  /**
   * Largest file that is opened in memory, in bytes. Default 32 MiB: an isolate has 128 MB, and a write holds
   * the file three times.
   */
  readonly maxFileBytes?: number;
  /**
   * Bytes of memory for the files of all requests in this isolate together, a write's file counted three
   * times and a read's twice; default 96 MiB. Others wait for their turn, at most `deadlineMs`, and are then
   * answered `overloaded`.
   */
  readonly maxLoadedBytes?: number;
  /**
   * Default true. False says that an old path of the application still saves files, whatever is there by then
   * (docs/mount.md): this router then reads files and never saves one. Say the same to handleAdmin, so that
   * dbmigrate knows.
   */
  readonly savesFiles?: boolean;
  /**
   * Where a user without a file begins, with the first write. Default `file`: the router makes the file.
   * `store`: the user begins in the Durable Object, as if moved before (docs/mount.md).
   */
  readonly newUsers?: "file" | "store";
  /**
   * What becomes of statements on a file that a Durable Object would refuse: too many parameters, functions
   * that it lacks. Default `enforce`: they are refused. `report`: they are answered, and `observe` is told
   * which will fail after the move.
   */
  readonly limits?: LimitsMode;
  /**
   * What becomes of a write to one half of a split user that would stand in the way of a merge: a hot row under a
   * key that a cold row has, and a change of the schema in one half. Default `accept`. `refuse`: the error
   * `split-conflict`; each hot write that gives a row a key then asks the Durable Object (docs/split.md).
   */
  readonly splitConflicts?: SplitConflicts;
  /** Where a user's Durable Object is to be created, should this request be the first to touch it. */
  readonly locationHint?: (user: string) => DurableObjectLocationHint | undefined;
  /**
   * Is told of each request, and of users that somebody has to look at; the log is told of the latter when
   * absent.
   */
  readonly observe?: Observer;
  /** The classes that `call` may call, each under its name; the store's options name the same (docs/logic.md). */
  readonly logic?: LogicClasses;
  /**
   * The application's schema. A user's database gets the migrations that it lacks before the user's next
   * request, on either side; the store's options say the same (docs/logic.md).
   */
  readonly schema?: SchemaConfig;
  /** `liveUpdates` of `@dbmigrate/worker/live-updates`; the store's options say the same (docs/live-updates.md). */
  readonly live?: LiveUpdates;
  /** `splitMode` of `@dbmigrate/worker/split`; the store's options say the same (docs/split.md). */
  readonly split?: SplitMode;
}

export interface CallOptions {
  /** `write` when absent. A call in `read` mode goes on while the user moves; one that writes is rolled back. */
  readonly mode?: QueryMode;
}

export interface Router extends SplitQueries {
  /** Answers a request of a user. Errors are answers too: this never rejects. */
  query(user: string, request: QueryRequest): Promise<QueryAnswer>;
  /**
   * Calls methods of a class that extends UserLogic, wherever the user's database is: each call is one
   * transaction (docs/logic.md). A promise rejects with the error that the method threw, by name and message,
   * or with a WireError; then nothing was written, unless its kind is `outcome-unknown`.
   */
  call<Logic extends UserLogic>(
    user: string,
    logic: LogicClass<Logic>,
    options?: CallOptions,
  ): Callable<Logic>;
  /**
   * Subscribes to a user's writes: answers a WebSocket upgrade (docs/live-updates.md). While the user is
   * served from the file, it is closed at once with code 4001. A caller may read which rows of the user
   * change: authenticate first. Without live updates it answers `not-mounted`.
   */
  live(user: string, request: Request): Promise<Response>;
  /**
   * Closes all live connections of a user with code 4401 and the reason, as after a sign-out. Their clients need
   * another token to come back; who has none is told the reason. Never rejects.
   */
  disconnect(user: string, reason?: string): Promise<DisconnectAnswer>;
  /** Says which side serves a user at this moment, without loading the file. Never rejects. */
  servedBy(user: string): Promise<ServedByAnswer>;
  /**
   * Deletes everything of a user, for good: the file, the object's content, the flags, and what dbmigrate keeps of
   * the user in R2. Stop the user's requests first, and after an error call it again. Never rejects.
   */
  deleteUser(user: string): Promise<DeletionAnswer>;
}

const DEFAULT_DEADLINE_MS = 5000;

/**
 * Makes a router from a Worker's bindings: one per request or one per isolate. What is remembered belongs to
 * the isolate: for ten seconds, who has moved.
 * @throws Error for a bad config
 */
export function createRouter(config: RouterConfig): Router {
  const { path = "auto", deadlineMs = DEFAULT_DEADLINE_MS, maxFileBytes = DEFAULT_MAX_FILE_BYTES } = config;
  const { savesFiles = true, live, split } = config;
  declareSavesFiles(savesFiles);
  declareParts({ live, split });
  if (config.flagCacheTtl !== undefined && config.flagCacheTtl < MIN_FLAG_CACHE_TTL) {
    throw new Error(
      `createRouter: flagCacheTtl is ${config.flagCacheTtl}, and KV takes at least ${MIN_FLAG_CACHE_TTL} seconds`,
    );
  }
  const { newUsers = "file" } = config;
  if (newUsers === "store" && !savesFiles)
    throw new Error(
      'createRouter: newUsers is "store" and savesFiles is false: an old path would save over the fence of a new user (leave newUsers out until that path has ended)',
    );
  const { bucket, flags, store } = config;
  const keyOf = objectKeys(config.layout ?? DEFAULT_LAYOUT);
  const sides: Sides = {
    flag: new KvFlagHint(config.flags, config.flagCacheTtl),
    files: new R2FileSide(config.bucket, keyOf, maxFileBytes, config.maxLoadedBytes),
    store: new DurableStoreSide(config.store, config.locationHint),
  };
  const router = routeBetween(sides, {
    path,
    deadlineMs,
    limits: config.limits,
    maxFileBytes,
    savesFiles,
    observe: config.observe,
    logic: config.logic,
    schema: config.schema && Schema.of(config.schema),
    splitConflicts: config.splitConflicts,
    live,
    split,
    newUsers,
    bear: (user, seen) => bear({ bucket, flags, store, keyOf }, user, seen),
    deleteUser: (user) => deleteUser({ bucket, flags, store, keyOf }, user),
  });
  rememberRouter(router);
  return router;
}

/** A router between sides of any kind, for applications that wrap them. @throws Error for bad options */
export function routeBetween(sides: Sides, options: RouteOptions): Router {
  const asker = askBetween(sides, options);
  return {
    ...asker.halves.queries,
    query: (user, request) => asker.ask(user, request),
    ...userOf(asker, options),
    call: callsOf(asker, options),
  };
}

/** The part of a router that calls the application's own methods. */
function callsOf({ halves, travel, sides }: Asker, options: RouteOptions): Router["call"] {
  const classes = options.logic ?? {};
  return (user, logic, { mode = "write" } = {}) =>
    remote(logic, (method, args) =>
      halves.explained(user, "hot", async () => {
        const name = nameOf(classes, logic);
        parseUserId(user);
        const request: CallRequest = {
          logic: name,
          method,
          args: cloned(args, `an argument of ${name}.${method}`),
          mode,
        };
        return travel(callErrand(sides.store, user, request, classes, options));
      }),
    );
}

/** The part of a router that is about a user as a whole. */
function userOf(
  { sides }: Asker,
  { deleteUser: remove = deletesNobody, path, live }: RouteOptions,
): Pick<Router, "live" | "disconnect" | "deleteUser" | "servedBy"> {
  const { connect, disconnect } = live?.router ?? noLive;
  return {
    live: async (user, request) => connect(sides, user, request, path),
    disconnect: async (user, reason = "the application ended the connection") =>
      disconnect(sides, user, reason),
    deleteUser: (user) => orError(async () => ({ ok: true, deleted: await remove(parseUserId(user)) })),
    servedBy: (user) =>
      orError(async () => {
        parseUserId(user);
        return { ok: true, ...(await lookServedBy(sides, user)) };
      }),
  };
}

async function deletesNobody(): Promise<never> {
  throw new WireError("not-found", "this router has no bindings to delete a user with: use createRouter");
}
