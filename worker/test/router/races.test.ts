// What happens between two steps of a request: other writers, cutovers and rollbacks, errors that leave the
// outcome open. The sides are real; a wrapper does something between two of their steps, or fails where the
// local runtime never does.
import { beforeEach, describe, expect, it } from "vitest";
import { answerResponse, createRouter, routeBetween } from "../../src/index.ts";
import type { FileSide, QueryAnswer, QueryRequest, Router, Sides, StoreSide } from "../../src/index.ts";
import { R2FileSide } from "../../src/router/file-side.ts";
import { DurableStoreSide } from "../../src/router/store-side.ts";
import { bindings, database, fenced, fileKey, newUser, stamped, textsIn, tombstone } from "./fixtures.ts";
import { bringTo, LINEAGE, queryStore, release, seal } from "./store-driver.ts";

const READ: QueryRequest = { statements: [{ sql: "SELECT a FROM t ORDER BY rowid" }], mode: "read" };
const insert = (text: string): QueryRequest => ({
  statements: [{ sql: "INSERT INTO t VALUES (?)", params: [text] }],
});

const files = new R2FileSide(bindings.BUCKET, fileKey, 1_000_000);
const store = new DurableStoreSide(bindings.USER_DATA, undefined);

let user: string;
beforeEach(() => {
  user = newUser();
});

const put = (bytes: Uint8Array): Promise<unknown> => bindings.BUCKET.put(fileKey(user), bytes);

async function fileTexts(): Promise<unknown[]> {
  const object = await bindings.BUCKET.get(fileKey(user));
  return textsIn(new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0)));
}

/** A router with sides that do something else now and then. */
function router(parts: {
  files?: Partial<FileSide>;
  store?: Partial<StoreSide>;
  migrated?: boolean;
  deadlineMs?: number;
  path?: "r2";
  savesFiles?: boolean;
}): Router {
  const sides: Sides = {
    flag: { isMigrated: async () => parts.migrated ?? false },
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
    path: parts.path ?? "auto",
    deadlineMs: parts.deadlineMs ?? 5000,
    maxFileBytes: 1_000_000,
    savesFiles: parts.savesFiles ?? true,
  });
}

const never = (): never => {
  throw new Error("this side must not be asked");
};

/** Runs `first` once before the first call, and then the function itself. */
function onceBefore<A extends unknown[], R>(
  first: () => Promise<unknown>,
  then: (...given: A) => Promise<R>,
): (...given: A) => Promise<R> {
  let done = false;
  return async (...given) => {
    if (!done) {
      done = true;
      await first();
    }
    return then(...given);
  };
}

/** Fails once with this error, and then works. */
const failingOnce = <A extends unknown[], R>(
  error: Error,
  then: (...given: A) => Promise<R>,
): ((...given: A) => Promise<R>) => onceBefore(() => Promise.reject(error), then);

const texts = (answer: QueryAnswer): unknown =>
  answer.ok ? answer.results.at(-1)?.rows.flat() : answer.error;

describe("writers on the file", () => {
  it("applies a write again when another writer was faster", async () => {
    await put(database("first"));
    const save = onceBefore(async () => put(database("first", "other")), files.save.bind(files));
    expect(await router({ files: { save } }).query(user, insert("mine"))).toMatchObject({
      ok: true,
      side: "file",
    });
    expect(await fileTexts()).toEqual(["first", "other", "mine"]);
  });

  it("looks again before it takes a user for a new one: a rollback put the file back", async () => {
    const query = onceBefore(async () => put(stamped(database("there"), 2)), store.query.bind(store));
    const answer = await router({ store: { query } }).query(user, READ);
    expect(answer).toMatchObject({ ok: true, side: "file" });
    expect(texts(answer)).toEqual(["there"]);
  });

  it("follows a fence that was set while it wrote", async () => {
    await put(database("first"));
    await bringTo("ACTIVE", user);
    const fence = fenced(database("first"), LINEAGE, LINEAGE);
    const save = onceBefore(async () => put(fence), files.save.bind(files));
    expect(await router({ files: { save } }).query(user, insert("mine"))).toMatchObject({
      ok: true,
      side: "store",
    });
    expect(texts(await queryStore(user, "SELECT a FROM t"))).toEqual(["store", "mine"]);
    expect(await fileTexts()).toEqual(["first"]);
  });

  it("keeps the writes of all concurrent writers", async () => {
    await put(database("first"));
    const names = ["a", "b", "c", "d", "e"];
    const plain = createRouter({ bucket: bindings.BUCKET, flags: bindings.FLAGS, store: bindings.USER_DATA });
    const answers = await Promise.all(names.map((name) => plain.query(user, insert(name))));
    expect(answers.map((answer) => answer.ok)).toEqual(names.map(() => true));
    expect((await fileTexts()).toSorted()).toEqual([...names, "first"]);
  });

  it("creates a new user's file once, for two writers at the same time", async () => {
    const create = (name: string): QueryRequest => ({
      statements: [{ sql: "CREATE TABLE IF NOT EXISTS t(a)" }, ...insert(name).statements],
    });
    const answers = await Promise.all([
      router({}).query(user, create("a")),
      router({}).query(user, create("b")),
    ]);
    expect(answers.map((answer) => answer.ok)).toEqual([true, true]);
    expect((await fileTexts()).toSorted()).toEqual(["a", "b"]);
  });

  it("waits and tries again when R2 takes no more writes for the key", async () => {
    await put(database());
    let calls = 0;
    const save: FileSide["save"] = async (read, bytes) =>
      ++calls === 1 ? "throttled" : files.save(read, bytes);
    expect(await router({ files: { save } }).query(user, insert("mine"))).toMatchObject({ ok: true });
    expect(await fileTexts()).toEqual(["mine"]);
  });

  it.each(["held", "throttled", "left to an old path"] as const)(
    "lets go of its room before it waits: %s",
    async (outcome) => {
      await put(database("first"));
      let releases = 0;
      const seen: number[] = [];
      const get: FileSide["get"] = async (...given) => {
        const file = await files.get(...given);
        // Every wait is longer than this, so it looks while the request waits.
        setTimeout(() => seen.push(releases), 30);
        return { ...file, release: () => void (releases += 1) };
      };
      const save: FileSide["save"] = async () => (outcome === "throttled" ? "throttled" : "held");
      const savesFiles = outcome !== "left to an old path";
      await router({ files: { get, save }, savesFiles, deadlineMs: 1 }).query(user, insert("mine"));
      expect(seen).toEqual([1, 2, 3]);
    },
  );

  it("says overloaded when others win until the deadline, having written nothing", async () => {
    await put(database());
    const save = async (): Promise<"lost"> => "lost";
    const answer = await router({ files: { save }, deadlineMs: 20 }).query(user, insert("mine"));
    expect(answer).toMatchObject({ ok: false, error: { kind: "overloaded" } });
  });

  it("keeps the stamp of a file that a rollback gave back", async () => {
    await put(stamped(database("first"), 7));
    await router({}).query(user, insert("mine"));
    expect((await files.get(user)).mark).toEqual({ fenced: false, stamp: 7 });
  });
});

describe("a cutover", () => {
  it("makes a write wait until the store is active", async () => {
    await put(fenced(database("first"), LINEAGE, LINEAGE));
    let rounds = 0;
    const query: StoreSide["query"] = async (u, request) => {
      if (++rounds === 3) await bringTo("ACTIVE", u);
      return store.query(u, request);
    };
    expect(await router({ store: { query } }).query(user, insert("mine"))).toMatchObject({
      ok: true,
      side: "store",
    });
    expect(rounds).toBe(3);
  });

  it("answers 503 with Retry-After when it takes too long", async () => {
    await put(fenced(database("first"), LINEAGE, LINEAGE));
    const response = answerResponse(await router({ deadlineMs: 20 }).query(user, insert("mine")));
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await response.json()).toMatchObject({ error: { kind: "cutover-in-progress" } });
  });

  it("reads the file's content only while the file is the one it was", async () => {
    // The reader holds the fenced file. A rollback then exports what the store had and empties it, before the
    // reader asks there.
    await put(fenced(database("old"), LINEAGE, LINEAGE));
    await bringTo("ACTIVE", user);
    const rollback = async (): Promise<void> => {
      await seal(user);
      await put(stamped(database("old", "acknowledged"), LINEAGE + 1));
      await release(user);
    };
    const query = onceBefore(rollback, store.query.bind(store));
    expect(texts(await router({ store: { query } }).query(user, READ))).toEqual(["old", "acknowledged"]);
  });

  it.each([
    ["the file was given back", () => stamped(database("newer"), LINEAGE + 1)],
    ["the file was fenced by another lineage", () => fenced(database("newer"), 9, 9)],
  ])("drops a sealed answer when %s meanwhile", async (_name, next) => {
    await put(fenced(database("old"), LINEAGE, LINEAGE));
    await bringTo("SEALED", user);
    const look = onceBefore(async () => put(next()), files.look.bind(files));
    const answer = await router({ migrated: true, files: { look } }).query(user, READ);
    expect(answer).toMatchObject({ ok: true, side: "file" });
    expect(texts(answer)).toEqual(["newer"]);
  });

  it("takes a sealed answer that a resume fenced anew, with the same lineage", async () => {
    await put(fenced(database("old"), LINEAGE, LINEAGE));
    await bringTo("SEALED", user);
    const look = onceBefore(async () => put(fenced(database("old"), LINEAGE, 3)), files.look.bind(files));
    const answer = await router({ files: { look } }).query(user, READ);
    expect(answer).toMatchObject({ ok: true, side: "store" });
    expect(texts(answer)).toEqual(["store"]);
  });

  it("passes on that a statement fails on the sealed data", async () => {
    await put(fenced(database("old"), LINEAGE, LINEAGE));
    await bringTo("SEALED", user);
    const answer = await router({}).query(user, {
      statements: [{ sql: "SELECT * FROM nowhere" }],
      mode: "read",
    });
    expect(answer).toMatchObject({ ok: false, error: { kind: "sql-error" } });
  });

  it("never answers from the file under a seal of its own lineage, even without a sealed answer", async () => {
    await put(fenced(database("old"), LINEAGE, LINEAGE));
    const sealed = {
      kind: "not-active",
      message: "sealed",
      details: { phase: "SEALED", lin: LINEAGE },
    } as const;
    const query = async (): Promise<QueryAnswer> => ({ ok: false, error: sealed });
    const answer = await router({ store: { query }, deadlineMs: 20 }).query(user, READ);
    expect(answer).toMatchObject({ ok: false, error: { kind: "cutover-in-progress" } });
  });
});

describe("errors", () => {
  it("calls a save whose answer was lost unknown, and asks nobody else", async () => {
    await put(database("first"));
    const save: FileSide["save"] = async (read, bytes) => {
      await files.save(read, bytes);
      throw new Error("connection lost");
    };
    const answer = await router({ files: { save }, store: { query: never } }).query(user, insert("mine"));
    expect(answer).toMatchObject({ ok: false, error: { kind: "outcome-unknown" } });
    expect(answerResponse(answer).status).toBe(502);
    expect(await fileTexts()).toEqual(["first", "mine"]);
  });

  it("calls a write whose answer from the store was lost unknown, and does not go to the file", async () => {
    await put(database("first"));
    const query = failingOnce(new Error("Network connection lost."), store.query.bind(store));
    const answer = await router({ migrated: true, store: { query }, files: { get: never } }).query(
      user,
      insert("mine"),
    );
    expect(answer).toMatchObject({ ok: false, error: { kind: "outcome-unknown" } });
  });

  it("asks the store again for a read", async () => {
    await put(fenced(database("old"), LINEAGE, LINEAGE));
    await bringTo("ACTIVE", user);
    const query = failingOnce(new Error("Network connection lost."), store.query.bind(store));
    expect(texts(await router({ store: { query } }).query(user, READ))).toEqual(["store"]);
  });

  it("passes on that the store is overloaded: nothing was applied", async () => {
    const overloaded = Object.assign(new Error("Durable Object is overloaded."), { overloaded: true });
    const query = failingOnce(overloaded, store.query.bind(store));
    const answer = await router({ migrated: true, store: { query } }).query(user, insert("mine"));
    expect(answer).toMatchObject({ ok: false, error: { kind: "overloaded" } });
    expect(answerResponse(answer).headers.get("retry-after")).toBe("1");
  });

  // As the platform says it; the local runtime has no such limits.
  const stopped = [
    ["cpu", "Durable Object exceeded its CPU time limit and was reset."],
    ["memory", "Durable Object's isolate exceeded its memory limit and was reset."],
  ] as const;

  it.each(stopped)("names the limit that stopped the object each time: %s", async (exceeded, message) => {
    const query = (): Promise<never> => Promise.reject(new Error(message));
    const stops = router({ migrated: true, store: { query }, deadlineMs: 20 });
    const read = await stops.query(user, READ);
    expect(read).toMatchObject({ ok: false, error: { kind: "too-costly", details: { exceeded } } });
    expect(answerResponse(read).status).toBe(422);
    const written = await stops.query(user, insert("mine"));
    expect(written).toMatchObject({ ok: false, error: { kind: "outcome-unknown", details: { exceeded } } });
  });

  it.each(stopped)("asks again for a read beside one that had the object stopped: %s", async (_, message) => {
    await put(fenced(database("old"), LINEAGE, LINEAGE));
    await bringTo("ACTIVE", user);
    const query = failingOnce(new Error(message), store.query.bind(store));
    expect(texts(await router({ store: { query } }).query(user, READ))).toEqual(["store"]);
  });

  it.each([
    ["a read", READ, ["first"]],
    ["a write", insert("mine"), ["first", "mine"]],
  ])("repeats %s whose file could not be read", async (_name, request, after) => {
    await put(database("first"));
    const get = failingOnce(new Error("get: internal error (10001)"), files.get.bind(files));
    expect(await router({ files: { get } }).query(user, request)).toMatchObject({ ok: true });
    expect(await fileTexts()).toEqual(after);
  });

  it("says what failed when it fails until the deadline", async () => {
    const get = (): Promise<never> => Promise.reject(new Error("get: internal error (10001)"));
    const answer = await router({ files: { get }, deadlineMs: 20 }).query(user, READ);
    expect(answer).toMatchObject({
      ok: false,
      error: { kind: "internal", message: "read the database file: get: internal error (10001)" },
    });
  });

  it("survives a flag that fails", async () => {
    await put(database("first"));
    const sides: Sides = {
      flag: { isMigrated: () => Promise.reject(new Error("KV is down")) },
      files,
      store,
    };
    const answer = await routeBetween(sides, {
      path: "auto",
      deadlineMs: 5000,
      maxFileBytes: 1_000_000,
    }).query(user, READ);
    expect(texts(answer)).toEqual(["first"]);
  });

  it.each([
    ["a bad user id", "a/b", READ],
    ["a request without statements", "someone", {} as QueryRequest],
    ["a statement without text", "someone", { statements: [{ sql: 5 }] } as unknown as QueryRequest],
    ["no statement", "someone", { statements: [] }],
    [
      "an unknown mode",
      "someone",
      { statements: [{ sql: "SELECT 1" }], mode: "append" } as unknown as QueryRequest,
    ],
  ])("refuses %s", async (_name, who, request) => {
    const answer = await router({ files: { get: never }, store: { query: never } }).query(who, request);
    expect(answer).toMatchObject({ ok: false, error: { kind: "bad-request" } });
  });

  it("never overwrites a tombstone that it cannot read", async () => {
    const broken = new TextEncoder().encode("dbmigrate tombstone 1\n{}\n");
    await put(broken);
    const answer = await router({ deadlineMs: 20 }).query(user, insert("mine"));
    expect(answer).toMatchObject({ ok: false, error: { kind: "internal" } });
    expect(new Uint8Array((await (await bindings.BUCKET.get(fileKey(user)))?.arrayBuffer()) ?? [])).toEqual(
      broken,
    );
  });
});

describe('path "r2"', () => {
  const filesOnly = (): Router => router({ path: "r2", migrated: true, store: { query: never } });

  it("reads and writes open files whatever flag and store say", async () => {
    await put(database("first"));
    await bringTo("ACTIVE", user);
    expect(await filesOnly().query(user, insert("mine"))).toMatchObject({ ok: true, side: "file" });
    expect(texts(await filesOnly().query(user, READ))).toEqual(["first", "mine"]);
  });

  it("reads what a fenced file holds, and refuses to write it", async () => {
    const file = fenced(database("first"), LINEAGE, LINEAGE);
    await put(file);
    expect(texts(await filesOnly().query(user, READ))).toEqual(["first"]);
    const answer = await filesOnly().query(user, insert("mine"));
    expect(answer).toMatchObject({
      ok: false,
      error: { kind: "cutover-in-progress", message: expect.stringContaining("roll this user back") },
    });
    expect((await files.get(user)).bytes).toEqual(file);
  });

  it("never takes a tombstone for an empty database", async () => {
    await put(tombstone(LINEAGE, LINEAGE));
    for (const request of [READ, insert("mine")]) {
      expect(await filesOnly().query(user, request)).toMatchObject({
        ok: false,
        error: { kind: "cutover-in-progress" },
      });
    }
  });
});

describe("beside an old path that saves without conditions (savesFiles: false) the router saves no file", () => {
  const refused = { ok: false, error: { kind: "cutover-in-progress" } };

  it.each([
    ["a file", false, undefined],
    ["a file, by an old flag", true, undefined],
    ["a file, under the emergency switch", true, "r2"],
  ] as const)("%s", async (_name, migrated, path) => {
    const before = database("old");
    await put(before);
    const answer = await router({ migrated, savesFiles: false, deadlineMs: 1, ...(path && { path }) }).query(
      user,
      insert("x"),
    );
    expect(answer).toMatchObject(refused);
    expect(answerResponse(answer).headers.get("retry-after")).toBe("1");
    expect(await fileTexts()).toEqual(["old"]);
  });

  it("nor one that is not there", async () => {
    const create: QueryRequest = { statements: [{ sql: "CREATE TABLE t(a)" }] };
    expect(await router({ savesFiles: false, deadlineMs: 1 }).query(user, create)).toMatchObject(refused);
    expect(await bindings.BUCKET.head(fileKey(user))).toBeNull();
  });

  it("nor over a fence that the old path has overwritten", async () => {
    await bringTo("READY", user);
    await put(database("overwritten"));
    const answer = await router({ migrated: true, savesFiles: false, deadlineMs: 1 }).query(
      user,
      insert("x"),
    );
    expect(answer).toMatchObject(refused);
    expect(await fileTexts()).toEqual(["overwritten"]);
  });

  it("but reads one", async () => {
    await put(database("old"));
    expect(await router({ savesFiles: false }).query(user, READ)).toMatchObject({ ok: true, side: "file" });
  });

  it("and waits for the Durable Object", async () => {
    await put(database("old"));
    const save = onceBefore(
      async () => {
        await bringTo("ACTIVE", user);
        await put(fenced(database("old"), LINEAGE, LINEAGE));
      },
      (u: string) => files.get(u),
    );
    let asked = 0;
    const get = (u: string) => (asked++ === 0 ? files.get(u) : save(u));
    const answer = await router({ savesFiles: false, files: { get } }).query(user, insert("x"));
    expect(answer).toMatchObject({ ok: true, side: "store" });
  });
});
