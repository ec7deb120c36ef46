// The cold rows of a split user while something else happens between two steps of the router. The sides are
// real.
import { parts as mountedParts } from "../../service/mounted.ts";
import { beforeEach, describe, expect, it } from "vitest";
import { routeBetween } from "../../src/index.ts";
import type {
  BothAnswer,
  FileSide,
  QueryAnswer,
  QueryRequest,
  Router,
  Sides,
  StoreSide,
  ThawRequest,
} from "../../src/index.ts";
import { R2FileSide } from "../../src/router/file-side.ts";
import { DurableStoreSide } from "../../src/router/store-side.ts";
import { bindings, database, fenced, fileKey, newUser, stamped } from "./fixtures.ts";
import { bringTo, LINEAGE, queryStore, seal, send, splitAnew } from "./store-driver.ts";

const READ: QueryRequest = {
  statements: [{ sql: "SELECT a FROM t ORDER BY rowid" }],
  mode: "read",
  scope: "cold",
};
const WRITE: QueryRequest = { statements: [{ sql: "INSERT INTO t VALUES ('mine')" }], scope: "cold" };

const files = new R2FileSide(bindings.BUCKET, fileKey, 1_000_000);
const store = new DurableStoreSide(bindings.USER_DATA, undefined);

let user: string;
beforeEach(() => {
  user = newUser();
});

/** A router with sides that do something else now and then. */
function router(parts: {
  files?: Partial<FileSide>;
  store?: Partial<StoreSide>;
  deadlineMs?: number;
}): Router {
  const sides: Sides = {
    flag: { isMigrated: async () => false },
    files: {
      get: (u) => files.get(u),
      look: (u, k) => files.look(u, k),
      save: (r, b) => files.save(r, b),
      ...parts.files,
    },
    store: {
      query: (u, r) => store.query(u, r),
      thaw: (u, r) => store.thaw(u, r),
      live: (u, r) => store.live(u, r),
      ...parts.store,
    },
  };
  return routeBetween(sides, {
    path: "auto",
    deadlineMs: parts.deadlineMs ?? 5000,
    maxFileBytes: 1_000_000,
    ...mountedParts,
  });
}

/** Runs `first` before the call of this number, counted from 1. */
function before<A extends unknown[], R>(
  call: number,
  first: () => Promise<unknown>,
  then: (...given: A) => Promise<R>,
): (...given: A) => Promise<R> {
  let calls = 0;
  return async (...given) => {
    if (++calls === call) await first();
    return then(...given);
  };
}

const texts = (answer: QueryAnswer): unknown =>
  answer.ok ? answer.results.at(-1)?.rows.flat() : answer.error.kind;
const halves = (answer: BothAnswer): unknown =>
  answer.ok
    ? [texts({ ok: true, ...answer.hot }), answer.cold && texts({ ok: true, ...answer.cold })]
    : answer.error.kind;

// What commands do, step by step: the claims count from LINEAGE on.
const put = (bytes: Uint8Array): Promise<unknown> => bindings.BUCKET.put(fileKey(user), bytes);
const fence = (texts: string[], nonce: number): Promise<unknown> =>
  put(fenced(database(...texts), LINEAGE, nonce, "DMS1"));
const activate = (gen = LINEAGE): Promise<unknown> => send(user, "activate", { gen });
const claimSplit = (seen: number): Promise<unknown> => send(user, "claim", { intent: "split", seen });

async function mergeAll(): Promise<void> {
  await seal(user);
  await fence(["hot"], LINEAGE + 1);
  await send(user, "merge", { gen: LINEAGE + 1 });
  await put(stamped(database("hot", "store"), LINEAGE + 1));
  await send(user, "release", { gen: LINEAGE + 1 });
}

describe("a cold read", () => {
  it("does not take the fence of a merge for the one of a split that was not done", async () => {
    await put(stamped(database("hot"), LINEAGE));
    await bringTo("SPLIT_READY", user);
    const look = before(
      1,
      async () => (await activate(), await seal(user), fence(["hot"], LINEAGE + 1)),
      files.look.bind(files),
    );
    expect(texts(await router({ files: { look } }).query(user, READ))).toEqual(["store"]);
  });

  it("does not take the open file of a merge that was given back for one that is whole", async () => {
    await fence(["hot"], LINEAGE + 1);
    await bringTo("MERGING", user);
    const giveBack = async () => {
      await claimSplit(LINEAGE + 1);
      await activate(LINEAGE + 2);
      await put(stamped(database("hot"), LINEAGE + 2));
    };
    const look = before(1, giveBack, files.look.bind(files));
    expect(texts(await router({ files: { look } }).query(user, READ))).toEqual(["store"]);
  });

  it("does not take the open file of a split that was undone for one without cold rows", async () => {
    await fence(["hot", "store"], LINEAGE);
    await bringTo("SPLIT_READY", user);
    const undo = async () => {
      await seal(user);
      await send(user, "release", { gen: LINEAGE + 1 });
      await put(stamped(database("hot", "store"), LINEAGE + 1));
    };
    const look = before(1, undo, files.look.bind(files));
    expect(texts(await router({ files: { look } }).query(user, READ))).toBe("not-split");
  });

  it("names the limit that stopped the object each time", async () => {
    const message = "Durable Object exceeded its CPU time limit and was reset.";
    const query = (): Promise<never> => Promise.reject(new Error(message));
    const answer = await router({ store: { query }, deadlineMs: 20 }).query(user, READ);
    expect(answer).toMatchObject({ ok: false, error: { kind: "too-costly", details: { exceeded: "cpu" } } });
  });

  it("follows a split that begins anew under the same claim", async () => {
    await fence(["hot", "store"], LINEAGE);
    await bringTo("SPLIT_READY", user);
    await claimSplit(LINEAGE);
    const again = async () => {
      await put(fenced(database("hot", "store"), LINEAGE + 1, LINEAGE + 1, "DMS1"));
      await splitAnew(user, LINEAGE + 1);
    };
    const look = before(1, again, files.look.bind(files));
    expect(texts(await router({ files: { look } }).query(user, READ))).toBe("not-split");
  });

  it("tries again when the file cannot be looked at, and says so at the deadline", async () => {
    await put(database("hot"));
    await bringTo("SPLIT_READY", user);
    const fail = () => Promise.reject(new Error("R2 is down"));
    const look = before(1, fail, files.look.bind(files));
    expect(texts(await router({ files: { look } }).query(user, READ))).toEqual(["store"]);
    const answer = await router({ files: { look: fail }, deadlineMs: 0 }).query(user, READ);
    expect(answer).toMatchObject({
      error: { kind: "internal", message: "look at the database file: R2 is down" },
    });
  });

  it("refuses an answer of an object that knows no scopes", async () => {
    const query: StoreSide["query"] = async () => ({ ok: true, results: [], side: "store" });
    const old = router({ store: { query }, deadlineMs: 0 });
    expect(await old.query(user, READ)).toMatchObject({ error: { kind: "internal" } });
    expect(await old.query(user, WRITE)).toMatchObject({ error: { kind: "outcome-unknown" } });
  });

  it("gives the statements' own errors", async () => {
    await bringTo("COLD", user);
    const wrong: QueryRequest = { statements: [{ sql: "SELECT b FROM t" }], mode: "read", scope: "cold" };
    expect(texts(await router({}).query(user, wrong))).toBe("sql-error");
    expect(halves(await router({}).queryBoth(user, wrong))).toBe("sql-error");
  });
});

describe("a request to thaw", () => {
  const request: ThawRequest = { table: "keyed", where: "id = ?", params: [1] };

  it("waits for a merge that is given back", async () => {
    await bringTo("COLD_SEALED", user);
    const giveBack = async () => (await claimSplit(LINEAGE + 1), activate(LINEAGE + 2));
    const thaw = before(3, giveBack, store.thaw.bind(store));
    expect(await router({ store: { thaw } }).thaw(user, request)).toEqual({ ok: true, rows: 0 });
  });

  it("is made again when its answer was lost", async () => {
    await bringTo("COLD", user);
    const thaw = before(1, () => Promise.reject(new Error("the line is dead")), store.thaw.bind(store));
    expect(await router({ store: { thaw } }).thaw(user, request)).toEqual({ ok: true, rows: 0 });
  });

  it("says at the deadline that the user is moving", async () => {
    await bringTo("MERGING", user);
    const answer = await router({ deadlineMs: 0 }).thaw(user, request);
    expect(answer).toMatchObject({ error: { kind: "cutover-in-progress" } });
  });

  it("finds a user who is not split", async () => {
    await put(database("hot"));
    expect(await router({}).thaw(user, request)).toMatchObject({ error: { kind: "not-split" } });
    expect(await router({}).thaw("a/b", request)).toMatchObject({ error: { kind: "bad-request" } });
  });
});

describe("a cold write", () => {
  it("waits for a merge that is given back", async () => {
    await put(database("hot"));
    await bringTo("COLD_SEALED", user);
    const giveBack = async () => (await claimSplit(LINEAGE + 1), activate(LINEAGE + 2));
    const query = before(3, giveBack, store.query.bind(store));
    expect(await router({ store: { query } }).query(user, WRITE)).toMatchObject({ ok: true, side: "store" });
    expect(texts(await queryStore(user, READ.statements[0]?.sql ?? "", "cold"))).toEqual(["store", "mine"]);
  });

  it("is not sent twice after an answer that was lost", async () => {
    await bringTo("COLD", user);
    const query = async (u: string, request: QueryRequest): Promise<QueryAnswer> => {
      await store.query(u, request);
      throw new Error("the connection was lost");
    };
    expect(texts(await router({ store: { query } }).query(user, WRITE))).toBe("outcome-unknown");
    expect(texts(await queryStore(user, READ.statements[0]?.sql ?? "", "cold"))).toEqual(["store", "mine"]);
  });

  it("counts as a write of the object", async () => {
    await bringTo("COLD", user);
    await router({}).query(user, WRITE);
    await router({}).query(user, READ);
    expect(await send(user, "digest", { budgetMs: 0 })).toMatchObject({ phase: "COLD", writes: 1 });
  });
});

describe("both halves", () => {
  const both = (parts: Parameters<typeof router>[0]) => router(parts).queryBoth(user, READ);

  it("are of one side of the PUT of the hot file", async () => {
    await fence(["hot", "store"], LINEAGE);
    await bringTo("SPLIT_READY", user);
    const get = before(1, () => put(stamped(database("hot"), LINEAGE)), files.get.bind(files));
    expect(halves(await both({ files: { get } }))).toEqual([["hot"], ["store"]]);
  });

  it("are of one side of a whole merge", async () => {
    await put(stamped(database("hot"), LINEAGE));
    await bringTo("COLD", user);
    const get = before(1, mergeAll, files.get.bind(files));
    expect(halves(await both({ files: { get } }))).toEqual([["hot", "store"], null]);
  });

  it("are of one side of a merge that ends behind the hot read", async () => {
    await put(stamped(database("hot"), LINEAGE));
    await bringTo("COLD", user);
    const query = before(2, mergeAll, store.query.bind(store));
    expect(halves(await both({ store: { query } }))).toEqual([["hot", "store"], null]);
  });

  it("are of one moment of the cold rows", async () => {
    await put(stamped(database("hot"), LINEAGE));
    await bringTo("COLD", user);
    const write = () => queryStore(user, "INSERT INTO t VALUES ('new')", "cold");
    const get = before(1, write, files.get.bind(files));
    expect(halves(await both({ files: { get } }))).toEqual([["hot"], ["store", "new"]]);
  });

  it("are everything and nothing for a user who moved as a whole, however much he writes", async () => {
    await put(fenced(database("old"), LINEAGE, LINEAGE));
    await bringTo("ACTIVE", user);
    const query: StoreSide["query"] = async (u, request) => {
      await queryStore(user, "INSERT INTO t VALUES ('new')");
      return store.query(u, request);
    };
    const answer = await both({ store: { query }, deadlineMs: 0 });
    expect(answer).toMatchObject({ ok: true, hot: { side: "store" }, cold: null });
  });

  it("never write", async () => {
    await put(database("hot"));
    expect(halves(await router({}).queryBoth(user, WRITE))).toBe("write-in-read");
  });
});
