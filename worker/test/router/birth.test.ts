// A new user who begins in the Durable Object: raced, cut off at every call, and beside code that makes files.
import { describe, expect, it } from "vitest";
import {
  createRouter,
  type QueryAnswer,
  type Router,
  type RouterConfig,
  type RouterReport,
} from "../../src/index.ts";
import { runOnFile } from "../../src/file/engine.ts";
import { emptyDatabase, emptyUnderFence, isEmptyDatabase } from "../../src/router/empty-database.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import { classify } from "../../src/wire/marker.ts";
import { some } from "../effort.ts";
import { bindings, database, fenced, fileKey, newUser, reportsInto, tombstone } from "./fixtures.ts";
import { bringTo, send } from "./store-driver.ts";

const { BUCKET: bucket, FLAGS: flags, USER_DATA: store } = bindings;

/** Calls of a birth to the bindings; the one with the number `at` fails before or behind its effect. */
interface Disturbed {
  readonly calls: () => number;
  readonly config: Pick<RouterConfig, "bucket" | "flags" | "store">;
}

/** @param disturb is told of each call, and may throw, before and behind its effect */
function disturbed(
  disturb: (call: number, name: string, behind: boolean) => void | Promise<void>,
): Disturbed {
  let calls = 0;
  const through = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const call = calls++;
    await disturb(call, name, false);
    const result = await run();
    await disturb(call, name, true);
    return result;
  };
  const wrap = <T extends object>(of: T): T =>
    new Proxy(of, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        const method = value as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => through(String(name), () => method.apply(target, args));
      },
    });
  const objects = {
    idFromName: (name: string) => store.idFromName(name),
    get: (id: DurableObjectId) => {
      const stub = store.get(id);
      return {
        query: (request: object) => stub.query(request),
        dbmigrateBirth: (request: { step: string }) =>
          through(request.step, () => stub.dbmigrateBirth(request)),
      };
    },
  };
  return {
    calls: () => calls,
    config: { bucket: wrap(bucket), flags: wrap(flags), store: objects as unknown as typeof store },
  };
}

function router(options: Partial<RouterConfig> = {}): Router {
  return createRouter({ bucket, flags, store, newUsers: "store", deadlineMs: 1000, ...options });
}

const insert = (text: string) => ({
  statements: [
    { sql: "CREATE TABLE IF NOT EXISTS t(a)" },
    { sql: "INSERT INTO t VALUES (?)", params: [text] },
  ],
});

async function write(through: Router, user: string, text: string): Promise<QueryAnswer> {
  return through.query(user, insert(text));
}

/** As clients do: until it is answered. */
async function writeUntilDone(through: Router, user: string, text: string): Promise<QueryAnswer> {
  for (let tries = 1; ; tries++) {
    const answer = await write(through, user, text);
    if (answer.ok || tries === 20) return answer;
  }
}

async function textsOf(through: Router, user: string): Promise<unknown> {
  const answer = await through.query(user, {
    statements: [{ sql: "SELECT a FROM t ORDER BY a" }],
    mode: "read",
  });
  return answer.ok ? answer.results[0]?.rows.map(([text]) => text) : answer.error;
}

const status = (user: string) => send(user, "status", null);

async function bytesOf(user: string): Promise<Uint8Array | null> {
  const object = await bucket.get(fileKey(user));
  return object === null ? null : new Uint8Array(await object.arrayBuffer());
}

it("begins in the object with the first write", async () => {
  const user = newUser();
  const reports: RouterReport[] = [];
  const through = router({ observe: reportsInto(reports) });
  expect(await write(through, user, "first")).toMatchObject({ ok: true, side: "store" });
  expect(await textsOf(through, user)).toEqual(["first"]);
  const etag = (await bucket.head(fileKey(user)))?.httpEtag;
  expect(await status(user)).toMatchObject({
    phase: "ACTIVE",
    gen: 1,
    lin: 1,
    writes: 1,
    receipt: {
      user,
      bucket: "",
      key: fileKey(user),
      claim: 1,
      run: "birth",
      sourceBytes: 4096,
      fencedEtag: etag,
    },
  });
  const file = (await bytesOf(user)) ?? new Uint8Array(0);
  expect(isEmptyDatabase(file)).toBe(true);
  expect(classify(file)).toEqual({ fenced: true, lin: 1, non: 1, split: false, kind: "file" });
  expect(await flags.get(`migrated:${user}`)).toBe("true");
  expect(await (await bucket.get(`.dbmigrate/receipts/${user}/1.json`))?.json()).toMatchObject({
    user,
    claim: 1,
  });
  // Routers of any kind, and of before, find the user there.
  expect(await write(router({ newUsers: "file" }), user, "second")).toMatchObject({
    ok: true,
    side: "store",
  });
  expect(reports).toEqual([]);
});

it("is a whole SQLite database, which nothing can write to", () => {
  const read = parseQueryRequest({
    statements: [{ sql: "SELECT count(*) FROM sqlite_schema" }],
    mode: "read",
  });
  for (const file of [emptyDatabase(), emptyUnderFence(3)])
    expect(runOnFile(file, read).results[0]?.rows).toEqual([[0]]);
  const change = parseQueryRequest({ statements: [{ sql: "CREATE TABLE t(a)" }] });
  expect(runOnFile(emptyDatabase(), change).changed).not.toBeNull();
  expect(() => runOnFile(emptyUnderFence(3), change)).toThrow(/readonly/);
});

it.each([
  ["a read", { statements: [{ sql: "SELECT 1" }], mode: "read" as const }, true],
  ["a request to write that changes nothing", { statements: [{ sql: "SELECT 1" }] }, true],
  ["a write that fails", { statements: [{ sql: "INSERT INTO nothing VALUES (1)" }] }, false],
])("begins nowhere with %s", async (_, request, ok) => {
  const user = newUser();
  expect(await router().query(user, request)).toMatchObject({ ok });
  expect(await status(user)).toMatchObject({ phase: "EMPTY", gen: 0 });
  expect(await bytesOf(user)).toBeNull();
});

it("begins at the file where nothing else is said, and under the emergency switch", async () => {
  for (const options of [{ newUsers: "file" }, { path: "r2" }] as const) {
    const user = newUser();
    expect(await write(router(options), user, "first")).toMatchObject({ ok: true, side: "file" });
    expect(await status(user)).toMatchObject({ phase: "EMPTY", gen: 0 });
  }
});

it("leaves a user with a file where they are", async () => {
  const user = newUser();
  await bucket.put(fileKey(user), database("file"));
  expect(await write(router(), user, "more")).toMatchObject({ ok: true, side: "file" });
  expect(await status(user)).toMatchObject({ phase: "EMPTY", gen: 0 });
});

it("is refused beside an old path that saves without conditions", () => {
  expect(() => router({ savesFiles: false })).toThrow(/newUsers/);
});

it("loses nothing where isolates race", async () => {
  const user = newUser();
  const texts = Array.from({ length: 12 }, (_, at) => `text ${String(at).padStart(2, "0")}`);
  const settings = ["store", "file", "store"] as const;
  const answers = await Promise.all(
    texts.map((text, at) => writeUntilDone(router({ newUsers: settings[at % 3] ?? "store" }), user, text)),
  );
  expect(answers.filter(({ ok }) => !ok)).toEqual([]);
  expect(await textsOf(router(), user)).toEqual(texts);
  const { phase } = await status(user);
  expect(["EMPTY", "ACTIVE"]).toContain(phase);
});

// More calls than a birth has.
const CALLS = Array.from({ length: 16 }, (_, at) => at);

it("has no more calls than are disturbed", async () => {
  const quiet = disturbed(() => undefined);
  await write(router(quiet.config), newUser(), "first");
  expect(quiet.calls()).toBeLessThan(CALLS.length);
});

const CUTS = [false, true].flatMap((behind) =>
  (["store", "file"] as const).flatMap((newUsers) => CALLS.map((at) => ({ at, behind, newUsers }))),
);

// The isolate dies there: all that it calls from then on fails.
it.each(some("cuts of a birth", CUTS, 12))(
  "goes on after a death at call $at, behind it: $behind, through a router of newUsers $newUsers",
  async ({ at, behind, newUsers }) => {
    const user = newUser();
    const dead = disturbed((call, _, done) => {
      if (call > at || (call === at && done === behind)) throw new Error("the isolate died");
    });
    const first = await write(router({ ...dead.config, deadlineMs: 60 }), user, "first");
    const next = router({ newUsers });
    const left = await status(user);
    expect(left["birth"] === true).toBe(left["phase"] === "IMPORTING" || left["phase"] === "READY");
    // No half of a birth is ever read.
    const read = await next.query(user, { statements: [{ sql: "SELECT 1" }], mode: "read" });
    expect(read).toMatchObject({ ok: true });
    expect(await writeUntilDone(next, user, "second")).toMatchObject({ ok: true });
    expect(await textsOf(router(), user)).toEqual(first.ok ? ["first", "second"] : ["second"]);
    const { phase, lin } = await status(user);
    const mark = classify((await bytesOf(user)) ?? new Uint8Array(0));
    expect(phase === "ACTIVE" ? mark : { fenced: mark.fenced, phase }).toMatchObject(
      phase === "ACTIVE" ? { fenced: true, lin } : { fenced: false, phase: "EMPTY" },
    );
  },
);

describe("beside old code that makes the file", () => {
  it.each(some("files of old code", CALLS, 6).map((at) => ({ at })))("before call $at", async ({ at }) => {
    const user = newUser();
    const raced = disturbed(async (call, _, behind) => {
      if (call !== at || behind) return;
      await bucket.put(fileKey(user), database("old"), { onlyIf: { etagDoesNotMatch: "*" } });
    });
    const first = await writeUntilDone(router(raced.config), user, "router");
    expect(first).toMatchObject({ ok: true });
    const made = (await bytesOf(user)) ?? new Uint8Array(0);
    const kept = !classify(made).fenced;
    expect(await textsOf(router(), user)).toEqual(kept ? ["old", "router"] : ["router"]);
    expect(await status(user)).toMatchObject({ phase: kept ? "EMPTY" : "ACTIVE" });
  });
});

describe("what is not a birth's to end", () => {
  it.each([
    ["a fence of a newer claim than the object knows", emptyUnderFence(9)],
    ["a fence over rows", fenced(database("file"), 1, 1)],
    ["a tombstone", tombstone(1, 1)],
  ])("stays: %s", async (_, file) => {
    const user = newUser();
    await bringTo("SEALED", user);
    await send(user, "release", { gen: 2 });
    await bucket.put(fileKey(user), file);
    expect(await write(router({ deadlineMs: 300 }), user, "x")).toMatchObject({
      ok: false,
      error: { kind: "cutover-in-progress" },
    });
    expect(await status(user)).toMatchObject({ phase: "EMPTY", gen: 2 });
    expect(await bytesOf(user)).toEqual(file);
  });

  it("a command's claim stays, under a fence and without a file", async () => {
    for (const file of [emptyUnderFence(1), null]) {
      const user = newUser();
      await bringTo("IMPORTING", user);
      if (file !== null) await bucket.put(fileKey(user), file);
      expect(await write(router({ deadlineMs: 300 }), user, "x")).toMatchObject({ ok: false });
      expect(await status(user)).toMatchObject({ phase: "IMPORTING", gen: 1 });
    }
  });
});

it("ends the fence of a birth that arrived after a rollback", async () => {
  const user = newUser();
  await bringTo("IMPORTING", user);
  await send(user, "claim", { intent: "rollback", seen: 1 });
  await bucket.put(fileKey(user), emptyUnderFence(1));
  expect(await writeUntilDone(router({ newUsers: "file" }), user, "first")).toMatchObject({
    ok: true,
    side: "store",
  });
  expect(await textsOf(router(), user)).toEqual(["first"]);
  expect(await status(user)).toMatchObject({ phase: "ACTIVE", gen: 3, lin: 3 });
});

it("makes way for a command that claims the user at any call", async () => {
  for (const at of some("claims of a command", CALLS, 6)) {
    const user = newUser();
    let taken = false;
    const raced = disturbed(async (call, name, behind) => {
      if (call !== at || behind || taken) return;
      const { gen, phase } = await status(user);
      // Behind the end a claim seals a user who lives in the object: that is a rollback's to finish.
      taken = phase !== "ACTIVE" && (name === "begin" || name === "put" || name === "open");
      if (taken) await send(user, "claim", { intent: "rollback", seen: gen as number });
    });
    expect(await writeUntilDone(router(raced.config), user, "first")).toMatchObject({ ok: true });
    expect(await textsOf(router(), user)).toEqual(["first"]);
  }
});

it("is deleted as everyone is, and begins once more", async () => {
  const user = newUser();
  await router().query(user, {
    statements: [{ sql: "CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT)" }],
  });
  await write(router(), user, "first");
  expect(await router().deleteUser(user)).toEqual({ ok: true, deleted: true });
  expect(await bytesOf(user)).toBeNull();
  expect(await write(router(), user, "second")).toMatchObject({ ok: true, side: "store" });
  expect(await textsOf(router(), user)).toEqual(["second"]);
});
