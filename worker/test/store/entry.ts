// The Worker that the store's tests run in.
import { Effects } from "../../src/live/effects.ts";
import { LiveHub } from "../../src/live/hub.ts";
import { Recorder } from "../../src/live/recorder.ts";
import { parseThawRequest } from "../../src/query/thaw-request.ts";
import { noteThaw } from "../../src/store/thaw.ts";
import {
  type StoreOptions,
  type TransactionOptions,
  UserDataStore as BaseStore,
  type StoreEnv,
} from "../../src/user-data-store.ts";

const noRouter = undefined as never;

/** The stores' halves of all parts: here is no router, and no SQLite for one. */
const parts: Required<Pick<StoreOptions, "live" | "split">> = {
  live: { store: (ctx, store, reader) => new LiveHub(ctx, store, reader), router: noRouter },
  split: {
    store: {
      watch: (sql, reader) => new Recorder(sql, new Effects(sql), reader),
      noteThaw: (store, request) => noteThaw(store, parseThawRequest(request)),
    },
    router: noRouter,
  },
};

/** A store with all optional parts. */
export class UserDataStore extends BaseStore {
  protected override readonly storeOptions = parts;
}

/** A store without them, but for an object in memory for which a test mounts one. */
export class PlainStore extends BaseStore {
  protected override storeOptions: StoreOptions = {};

  mount(part: keyof typeof parts): void {
    this.storeOptions = { [part]: parts[part] };
  }
}

/**
 * An application's own methods on top of the store. Errors are answers: the test runner counts what is thrown
 * over RPC.
 */
export class NotesStore extends UserDataStore {
  add(text: string): number | string {
    return this.#tried((sql) => {
      sql.exec("INSERT INTO notes (text) VALUES (?)", text);
      return countNotes(sql);
    });
  }

  addCold(text: string): number | string {
    return this.#tried(
      (sql) => {
        sql.exec("INSERT INTO notes (text) VALUES (?)", text);
        return countNotes(sql);
      },
      { scope: "cold" },
    );
  }

  addAndFail(text: string): number | string {
    return this.#tried((sql) => {
      sql.exec("INSERT INTO notes (text) VALUES (?)", text);
      throw new Error("changed my mind");
    });
  }

  addLater(text: string): number | string | Promise<number> {
    return this.#tried(async (sql) => {
      sql.exec("INSERT INTO notes (text) VALUES (?)", text);
      return countNotes(sql);
    });
  }

  count(): number | string {
    return this.#tried(countNotes);
  }

  #tried<T>(work: (sql: SqlStorage) => T, options?: TransactionOptions): T | string {
    try {
      return this.transaction(work, options);
    } catch (error) {
      return String((error as Error).message);
    }
  }
}

function countNotes(sql: SqlStorage): number {
  return Number(sql.exec("SELECT count(*) AS n FROM notes").one()["n"]);
}

/**
 * Counts what happens to each object. The counts are the Worker's, so they outlive the object, and reading
 * them does not wake it.
 */
export class CountedStore extends UserDataStore {
  /** How often an object came into memory, by its id. */
  static readonly made = new Map<string, number>();
  /** How many messages of subscribers it was called for. */
  static readonly messages = new Map<string, number>();

  constructor(ctx: DurableObjectState, env: StoreEnv) {
    super(ctx, env);
    count(CountedStore.made, ctx.id);
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    count(CountedStore.messages, this.ctx.id);
    await super.webSocketMessage(socket, message);
  }
}

function count(counts: Map<string, number>, id: DurableObjectId): void {
  counts.set(id.toString(), (counts.get(id.toString()) ?? 0) + 1);
}

/** A store of a Worker without the admin secret. */
export class ClosedStore extends UserDataStore {
  constructor(ctx: DurableObjectState, _env: StoreEnv) {
    super(ctx, { DBMIGRATE_TOKEN: "" });
  }
}

export default { fetch: () => new Response("nothing here", { status: 404 }) };
