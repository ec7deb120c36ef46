// An object that wakes up beside a file that knows more than it does: its storage was set back. Real objects
// leave memory and come back; the marks are those that commands would have left since.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createRouter, errorKind } from "../../src/index.ts";
import type { RouterReport } from "../../src/index.ts";
import { CLOSE } from "../../src/live/protocol.ts";
import { UserDataStore } from "../../src/user-data-store.ts";
import { Bookkeeping } from "../../src/state/bookkeeping.ts";
import { WakeCheck } from "../../src/store/wake.ts";
import type { Phase } from "../../src/wire/messages.ts";
import { bindings, database, fenced, fileKey, newUser, reportsInto, stamped, tombstone } from "./fixtures.ts";
import { bringTo, queryStore, send } from "./store-driver.ts";

const open = database("file");
type Given = readonly [
  name: string,
  phase: Phase,
  file: Uint8Array | null,
  metadata?: Record<string, string>,
];

const SERVES: Given[] = [
  ["no file", "ACTIVE", null],
  ["its own fence", "ACTIVE", fenced(open, 1, 1)],
  ["its own tombstone", "ACTIVE", tombstone(1, 1)],
  ["its own long tombstone", "ACTIVE", tombstone(1, 1, 20_000)],
  ["a file that somebody overwrote", "ACTIVE", open],
  ["the hot file", "COLD", stamped(open, 1), { "dbmigrate-split": "1" }],
  ["the hot file under its fence", "COLD", fenced(open, 1, 1, "DMS1")],
];

const REFUSES: Given[] = [
  ["a newer fence", "ACTIVE", fenced(open, 2, 2)],
  ["a newer nonce", "ACTIVE", fenced(open, 1, 2)],
  ["a newer tombstone", "ACTIVE", tombstone(2, 2)],
  ["a rollback's stamp", "ACTIVE", stamped(open, 2)],
  ["the stamp of a lift without the object", "ACTIVE", stamped(open, 1)],
  ["a stamp that VACUUM has left in the metadata only", "ACTIVE", open, { "dbmigrate-stamp": "2" }],
  ["a later hot file", "COLD", stamped(open, 2)],
  ["a later split", "COLD", stamped(open, 1), { "Dbmigrate-Split": "2" }],
];

const ELSEWHERE: Given[] = [
  ["READY", "READY", stamped(open, 9)],
  ["SEALED", "SEALED", stamped(open, 9)],
];

/** For it.each, which shows names. */
const named = (all: Given[]) => all.map((given) => ({ name: given[0], phase: given[1], given }));

async function wakeBeside([, phase, file, customMetadata = {}]: Given): Promise<string> {
  const user = newUser();
  await bringTo(phase, user);
  if (file !== null) await bindings.BUCKET.put(fileKey(user), file, { customMetadata });
  await evictDurableObject(bindings.USER_DATA.getByName(user));
  return user;
}

const ask = (user: string, phase: Phase, sql: string) =>
  queryStore(user, sql, phase === "COLD" ? "cold" : "hot");

describe("beside", () => {
  it.each(named(SERVES))("$name it serves: $phase", async ({ phase, given }) => {
    const user = await wakeBeside(given);
    expect(await ask(user, phase, "INSERT INTO t VALUES ('more')")).toMatchObject({ ok: true });
    expect(await ask(user, phase, "SELECT a FROM t")).toMatchObject({ ok: true, side: "store" });
  });

  it.each(named(REFUSES))("$name it does not: $phase", async ({ phase, given }) => {
    const user = await wakeBeside(given);
    const refusal = { ok: false, error: { kind: "set-back", details: { phase, gen: 1, lin: 1 } } };
    expect(await ask(user, phase, "INSERT INTO t VALUES ('more')")).toMatchObject(refusal);
    expect(await ask(user, phase, "SELECT a FROM t")).toMatchObject(refusal);
    const stub = bindings.USER_DATA.getByName(user);
    const ownMethod = runInDurableObject(stub, (object) =>
      (object as unknown as { transaction(work: () => void): void }).transaction(() => undefined),
    );
    await expect(ownMethod).rejects.toThrow("was set back");
    const live = await stub.fetch("https://store/live", { headers: { upgrade: "websocket" } });
    expect(live.status).toBe(503);
    expect(await stub.thaw({ table: "t", where: "1" })).toMatchObject(refusal);
  });

  it.each(named(ELSEWHERE))("any file it is asked by commands in $phase", async ({ given }) => {
    const user = await wakeBeside(given);
    expect(await queryStore(user, "SELECT 1")).toMatchObject({ ok: false, error: { kind: "not-active" } });
  });
});

it("compares its lineage, too: a dead command's claim may have raised its counter since", async () => {
  const user = await wakeBeside(["", "ACTIVE", stamped(open, 2)]);
  await send(user, "claim", { intent: "migrate", seen: 1 });
  await evictDurableObject(bindings.USER_DATA.getByName(user));
  expect(await queryStore(user, "SELECT a FROM t")).toMatchObject({ ok: false, error: { kind: "set-back" } });
});

describe("an object that could not look when it woke up", () => {
  const PATIENCE = { timeout: 30_000 };

  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  /** The same bucket, but that the first read fails. */
  function failsOnce(): { bucket: R2Bucket; asked: () => number } {
    let count = 0;
    const get = async (...given: Parameters<R2Bucket["get"]>) => {
      if (count++ === 0) throw new Error("R2 is down");
      return bindings.BUCKET.get(...given);
    };
    return { bucket: { get } as unknown as R2Bucket, asked: () => count };
  }

  /** What a method of the application does, and why it was refused. */
  function ownMethod(user: string): Promise<string> {
    return runInDurableObject(bindings.USER_DATA.getByName(user), (object) => {
      const store = object as unknown as { transaction(work: (sql: SqlStorage) => void): void };
      try {
        store.transaction((sql) => void sql.exec("INSERT INTO t VALUES ('more')"));
        return "written";
      } catch (error) {
        return errorKind(error) ?? String(error);
      }
    });
  }

  /** A subscriber to live updates, and the code with which the object closed the connection. */
  async function subscriber(user: string): Promise<{ closed: () => number | undefined }> {
    const stub = bindings.USER_DATA.getByName(user);
    const { webSocket } = await stub.fetch("https://store/live", { headers: { upgrade: "websocket" } });
    let code: number | undefined;
    webSocket?.addEventListener("close", (event) => void (code = event.code));
    webSocket?.accept();
    return { closed: () => code };
  }

  async function queried(user: string): Promise<string> {
    const answer = await ask(user, "ACTIVE", "INSERT INTO t VALUES ('more')");
    return answer.ok ? "written" : answer.error.kind;
  }

  it.each([
    // It cannot wait for the look, and starts one.
    ["transaction()", ownMethod, "written"],
    ["query()", queried, "set-back"],
  ])("looks again for those who only use %s", async (_name, write, whenDue) => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { bucket, asked } = failsOnce();
    const stores = UserDataStore.prototype as unknown as { filesOf(): R2Bucket };
    const user = await wakeBeside(["", "ACTIVE", stamped(open, 2)]);
    vi.spyOn(stores, "filesOf").mockReturnValue(bucket); // not before: it would look when it became ACTIVE
    const { closed } = await subscriber(user);
    expect([await write(user), asked(), closed()]).toEqual(["written", 1, undefined]);
    vi.setSystemTime(Date.now() + 11_000);
    expect(await write(user)).toBe(whenDue);
    await vi.waitFor(async () => expect(await write(user)).toBe("set-back"), PATIENCE);
    await vi.waitFor(() => expect(closed()).toBe(CLOSE.moved), PATIENCE);
    expect(asked()).toBe(2);
  });
});

describe("the router", () => {
  async function throughRouter(user: string) {
    await bindings.FLAGS.put(`migrated:${user}`, "true"); // stale
    const reports: RouterReport[] = [];
    const router = createRouter({
      bucket: bindings.BUCKET,
      flags: bindings.FLAGS,
      store: bindings.USER_DATA,
      observe: reportsInto(reports),
    });
    const answer = await router.query(user, { statements: [{ sql: "SELECT a FROM t" }], mode: "read" });
    return { answer, kinds: reports.map(({ kind }) => kind) };
  }

  it("serves an open file beside an object that was set back, and tells of it", async () => {
    const { answer, kinds } = await throughRouter(await wakeBeside(["", "ACTIVE", stamped(open, 2)]));
    expect(answer).toMatchObject({ ok: true, side: "file" });
    expect(kinds).toEqual(["set-back"]);
  });

  it("serves neither where a later migration has fenced the file", async () => {
    const { answer } = await throughRouter(await wakeBeside(["", "ACTIVE", fenced(open, 2, 2)]));
    expect(answer).toMatchObject({ ok: false, error: { kind: "set-back" } });
  });
});

describe("the look", () => {
  /** An active object's memory, over a bucket that counts. */
  function awake(get: () => Promise<unknown>): { check: WakeCheck; asked: () => number } {
    const entries = new Map<string, unknown>([
      ["_dbmigrate:state", { phase: "ACTIVE", gen: 1, lin: 1, intent: "migrate" }],
      ["_dbmigrate:receipt", { key: "alice/database.sqlite" }],
    ]);
    let count = 0;
    const counted = { get: () => (count++, get()) } as unknown as R2Bucket;
    const books = new Bookkeeping({ get: (key: string) => entries.get(key) } as unknown as SyncKvStorage);
    return { check: new WakeCheck(books, counted), asked: () => count };
  }

  it("is one read of R2 for as long as the object is in memory", async () => {
    const { check, asked } = awake(async () => null);
    await check.look();
    expect(check.isDue).toBe(false);
    expect(asked()).toBe(1);
  });

  it.each([
    ["fails", () => Promise.reject(new Error("R2 is down"))],
    ["never answers", () => new Promise(() => undefined)],
  ])("is made again later when R2 %s, and the object serves meanwhile", async (_name, get) => {
    const { check } = awake(get);
    await check.look();
    expect(() => check.demand()).not.toThrow();
    expect(check.isDue, "not for each request").toBe(false);
  });

  it("is one at a time: who is told to look looks, and nobody else is told meanwhile", () => {
    const { check } = awake(() => new Promise(() => undefined));
    expect(check.takeTurn()).toBe(true);
    expect(check.takeTurn()).toBe(false);
  });

  it("is not made without the binding", () => {
    const books = new Bookkeeping({ get: () => undefined } as unknown as SyncKvStorage);
    expect(new WakeCheck(books, undefined).isDue).toBe(false);
  });
});
