// Rows of a split user that are found, written and put together wherever they are, also while they move. The
// sides are real.
import { parts as mounted } from "../../service/mounted.ts";
import { beforeEach, describe, expect, it } from "vitest";
import { routeBetween } from "../../src/index.ts";
import type { FileSide, Router, StoreSide } from "../../src/index.ts";
import { R2FileSide } from "../../src/router/file-side.ts";
import { DurableStoreSide } from "../../src/router/store-side.ts";
import { bindings, database, fenced, fileKey, newUser, stamped } from "./fixtures.ts";
import { bringTo, LINEAGE, seal, send } from "./store-driver.ts";

const files = new R2FileSide(bindings.BUCKET, fileKey, 1_000_000);
const store = new DurableStoreSide(bindings.USER_DATA, undefined);

let user: string;
beforeEach(() => {
  user = newUser();
});

function router(parts: { files?: Partial<FileSide>; store?: Partial<StoreSide> } = {}): Router {
  return routeBetween(
    {
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
    },
    { path: "auto", deadlineMs: 5000, maxFileBytes: 1_000_000, ...mounted },
  );
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

const put = (bytes: Uint8Array): Promise<unknown> => bindings.BUCKET.put(fileKey(user), bytes);

/** The row "hot" in the file, and "store" in the object. */
async function split(): Promise<void> {
  await put(stamped(database("hot"), LINEAGE));
  await bringTo("COLD", user);
}

/** What a rollback does, step by step. */
async function mergeAll(): Promise<void> {
  await seal(user);
  await put(fenced(database("hot"), LINEAGE, LINEAGE + 1, "DMS1"));
  await send(user, "merge", { gen: LINEAGE + 1 });
  await put(stamped(database("hot", "store"), LINEAGE + 1));
  await send(user, "release", { gen: LINEAGE + 1 });
}

/** Every row that the user has. */
async function everything(): Promise<unknown> {
  const answer = await router().queryBoth(user, {
    statements: [{ sql: "SELECT a FROM t" }],
    merge: [{ orderBy: [{ column: "a" }] }],
  });
  return answer.ok ? answer.merged?.[0]?.rows.flat() : answer.error;
}

const change = (a: string) => ({
  table: "t",
  key: { a },
  statements: [{ sql: "UPDATE t SET a = a || '!' WHERE a = ?", params: [a] }],
});

describe("locate", () => {
  it("says in which half a row is", async () => {
    await split();
    expect(await router().locate(user, "t", { a: "hot" })).toEqual({ ok: true, place: "hot" });
    expect(await router().locate(user, "t", { a: "store" })).toEqual({ ok: true, place: "cold" });
    expect(await router().locate(user, "t", { a: "nobody" })).toEqual({ ok: true, place: "none" });
    expect(await router().locate(user, 't"', { a: 1 })).toMatchObject({ error: { kind: "sql-error" } });
    expect(await router().locate(user, "t", {})).toMatchObject({ error: { kind: "bad-request" } });
  });

  it("finds all rows of a user who is not split hot, and copies in both halves", async () => {
    await put(database("hot"));
    expect(await router().locate(user, "t", { a: "hot" })).toEqual({ ok: true, place: "hot" });
    await put(stamped(database("store"), LINEAGE));
    await bringTo("COLD", user);
    expect(await router().locate(user, "t", { a: "store" })).toEqual({ ok: true, place: "both" });
  });
});

describe("a write of a row wherever it is", () => {
  it("runs in the half that has it", async () => {
    await split();
    expect(await router().writeBoth(user, change("hot"))).toMatchObject({ ok: true, scope: "hot" });
    const cold = await router().writeBoth(user, { ...change("store"), counts: true });
    expect(cold).toMatchObject({ ok: true, scope: "cold", results: [{ changes: 1 }] });
    expect(await everything()).toEqual(["hot!", "store!"]);
    expect(await router().writeBoth(user, change("nobody"))).toMatchObject({ error: { kind: "not-found" } });
  });

  it("gives the statements' own errors, and writes nothing", async () => {
    await split();
    for (const sql of ["UPDATE t SET b = 1", "UPDATE t SET a = json('{')"]) {
      const answer = await router().writeBoth(user, { ...change("store"), statements: [{ sql }] });
      const error = { kind: "sql-error", details: { statement: 0 } };
      expect(answer).toMatchObject({ ok: false, scope: "cold", error });
    }
    expect(await everything()).toEqual(["hot", "store"]);
  });

  // Wherever the whole merge comes between two steps of the router, the row is written once.
  it.each([1, 2, 3, 4])("follows a row that comes home before question %i of the object", async (call) => {
    await split();
    const query = before(call, mergeAll, store.query.bind(store));
    const answer = await router({ store: { query } }).writeBoth(user, change("store"));
    expect(answer).toMatchObject({ ok: true });
    if (call < 4) expect(answer.scope).toBe("hot");
    expect(await everything()).toEqual(["hot", "store!"]);
  });

  it("goes on with a row that was away for the write only", async () => {
    await split();
    const ask = (sql: string) => store.query(user, { statements: [{ sql }], mode: "write", scope: "cold" });
    let away = false;
    const query: StoreSide["query"] = async (u, request) => {
      if (away || request.mode !== "write") return store.query(u, request);
      away = true;
      await ask("DELETE FROM t WHERE a = 'store'");
      const answer = await store.query(u, request);
      await ask("INSERT INTO t VALUES ('store')");
      return answer;
    };
    const answer = await router({ store: { query } }).writeBoth(user, change("store"));
    expect(answer).toMatchObject({ ok: true, scope: "cold" });
    expect(await everything()).toEqual(["hot", "store!"]);
  });

  it.each([1, 2])("follows a row that is archived before read %i of the file", async (call) => {
    await put(database("hot", "store"));
    const get = before(call, split, files.get.bind(files));
    const answer = await router({ files: { get } }).writeBoth(user, change("store"));
    expect(answer).toMatchObject({ ok: true, scope: "cold" });
    expect(await everything()).toEqual(["hot", "store!"]);
  });
});

describe("both halves as one", () => {
  it("are in order, up to the limit, and added up", async () => {
    await split();
    const answer = await router().queryBoth(user, {
      statements: [
        { sql: "SELECT a FROM t ORDER BY a DESC LIMIT 1" },
        { sql: "SELECT count(*) AS n, max(a) AS last, min(a) AS first FROM t" },
      ],
      merge: [
        { orderBy: [{ column: "a", desc: true }], limit: 1 },
        { totals: { n: "count", last: "max", first: "min" } },
      ],
    });
    expect(answer).toMatchObject({ merged: [{ rows: [["store"]] }, { rows: [[2, "store", "hot"]] }] });
    const wrong = await router().queryBoth(user, { statements: [{ sql: "SELECT 1" }], merge: [] });
    expect(wrong).toMatchObject({ error: { kind: "bad-request" } });
  });
});
