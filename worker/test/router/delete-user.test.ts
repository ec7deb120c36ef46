// Deleting a user: from every phase of the object, beside every kind of file, cut off at every request.
import { describe, expect, it } from "vitest";
import { createRouter, type DeletionAnswer, type Router } from "../../src/index.ts";
import { phases, type Phase } from "../../src/wire/messages.ts";
import { some } from "../effort.ts";
import { bindings, database, fenced, fileKey, newUser, stamped, tombstone } from "./fixtures.ts";
import { bringTo, send } from "./store-driver.ts";

const open = database("file");
const FILES: Readonly<Record<string, Uint8Array | null>> = {
  none: null,
  open,
  fenced: fenced(open, 1, 1),
  stamped: stamped(open, 1),
  "of a newer claim": fenced(open, 9, 9),
  tombstone: tombstone(1, 1),
};

const KEPT = (user: string): string[] => [
  `.dbmigrate/receipts/${user}/1.json`,
  `.dbmigrate/left-behind/${user}/2.sqlite`,
  `.dbmigrate/overwritten/${user}/abc.sqlite`,
  `.dbmigrate/quarantine/${user}/abc/damaged`,
  `.dbmigrate/rehearsals/${user}.sqlite`,
];

async function litter(user: string, file: Uint8Array | null): Promise<void> {
  if (file !== null) await bindings.BUCKET.put(fileKey(user), file);
  for (const key of [...KEPT(user), ...KEPT(`${user}2`), `${user}/video.mp4`])
    await bindings.BUCKET.put(key, "x");
  await bindings.FLAGS.put(`migrated:${user}`, "true");
  await bindings.FLAGS.put(`split:${user}`, "true");
}

/** Calls of the Worker to its bindings; the one with the number `at` fails before or behind its effect. */
class Cut {
  calls = 0;
  constructor(
    private readonly at: number,
    private readonly behind: boolean,
  ) {}

  async call<T>(run: () => Promise<T>): Promise<T> {
    if (this.calls++ !== this.at) return run();
    if (this.behind) await run();
    throw new Error("the Worker died");
  }

  wrap<T extends object>(of: T): T {
    const call = <R>(run: () => Promise<R>): Promise<R> => this.call(run);
    return new Proxy(of, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        const method = value as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => call(() => method.apply(target, args));
      },
    });
  }
}

function routerThrough(cut?: Cut): Router {
  const { BUCKET: bucket, FLAGS: flags, USER_DATA: store } = bindings;
  if (cut === undefined) return createRouter({ bucket, flags, store, deadlineMs: 50 });
  const objects = {
    idFromName: (name: string) => store.idFromName(name),
    get: (id: DurableObjectId) => {
      const stub = store.get(id);
      return {
        query: (request: object) => stub.query(request),
        dbmigrateDelete: (request: object) => cut.call(() => stub.dbmigrateDelete(request)),
      };
    },
  };
  return createRouter({
    bucket: cut.wrap(bucket),
    flags: cut.wrap(flags),
    store: objects as unknown as typeof store,
  });
}

async function keysOf(user: string): Promise<string[]> {
  const found = await Promise.all(
    [
      `${user}/`,
      ...["receipts", "left-behind", "overwritten", "quarantine", "rehearsals"].map(
        (f) => `.dbmigrate/${f}/${user}`,
      ),
    ].map(async (prefix) => (await bindings.BUCKET.list({ prefix })).objects.map(({ key }) => key)),
  );
  return found.flat();
}

async function expectGone(user: string): Promise<void> {
  const status = await bindings.USER_DATA.getByName(user).dbmigrateDelete({ step: "look" });
  expect(status).toMatchObject({ ok: true, phase: "EMPTY", bytes: 0 });
  expect((await keysOf(user)).sort()).toEqual([`${user}/video.mp4`, ...KEPT(`${user}2`)].sort());
  expect(await bindings.FLAGS.get(`migrated:${user}`)).toBeNull();
  expect(await bindings.FLAGS.get(`split:${user}`)).toBeNull();
}

async function receipts(): Promise<Map<string, string>> {
  const { objects } = await bindings.BUCKET.list({ prefix: ".dbmigrate/forgotten/" });
  const texts = objects.map(
    async ({ key }) => [key, (await (await bindings.BUCKET.get(key))?.text()) ?? ""] as const,
  );
  return new Map(await Promise.all(texts));
}

const done: DeletionAnswer = { ok: true, deleted: true };

describe.each(phases.map((phase) => ({ phase })))("from $phase", ({ phase }: { phase: Phase }) => {
  it.each(some(`files beside ${phase}`, Object.keys(FILES), 2))("beside a file that is: %s", async (name) => {
    const user = newUser();
    await bringTo(phase, user);
    await litter(user, FILES[name] ?? null);
    const before = await receipts();
    expect(await routerThrough().deleteUser(user)).toEqual(done);
    await expectGone(user);
    const left = [...(await receipts())].filter(([key]) => !before.has(key));
    expect(left).toHaveLength(1);
    expect(JSON.stringify(left)).not.toContain(user);
    expect(await routerThrough().deleteUser(user)).toEqual({ ok: true, deleted: false });
  });
});

// More calls than a deletion has: the last ones find it done.
const CALLS = Array.from({ length: 28 }, (_, at) => at);
const CUTS = (["EMPTY", "ACTIVE", "COLD"] as const).flatMap((phase) =>
  [false, true].flatMap((behind) => CALLS.map((at) => ({ phase, behind, at }))),
);

it("has no more calls than are cut", async () => {
  const user = newUser();
  await bringTo("COLD", user);
  await litter(user, open);
  const cut = new Cut(-1, false);
  expect(await routerThrough(cut).deleteUser(user)).toEqual(done);
  expect(cut.calls).toBeLessThan(CALLS.length);
});

describe("cut off", () => {
  it.each(some("cuts", CUTS, 12))(
    "from $phase at call $at, behind it: $behind",
    async ({ phase, behind, at }) => {
      const user = newUser();
      await bringTo(phase, user);
      await litter(user, phase === "ACTIVE" ? fenced(open, 1, 1) : open);
      const cut = new Cut(at, behind);
      const answer = await routerThrough(cut).deleteUser(user);
      if (cut.calls <= at) expect(answer).toEqual(done);
      // Whatever is left, no request of the user is answered from a half.
      const read = await routerThrough().query(user, {
        statements: [{ sql: "SELECT a FROM t" }],
        mode: "read",
      });
      if (read.ok) expect(read.results[0]?.rows).toEqual([[phase === "ACTIVE" ? "store" : "file"]]);
      expect(await routerThrough().deleteUser(user)).toMatchObject({ ok: true });
      await expectGone(user);
    },
  );
});

it("makes way for a command that has claimed the user since", async () => {
  const user = newUser();
  await bringTo("ACTIVE", user);
  await litter(user, fenced(open, 1, 1));
  let claimed = false;
  const store = {
    idFromName: (name: string) => bindings.USER_DATA.idFromName(name),
    get: (id: DurableObjectId) => ({
      dbmigrateDelete: async (request: { step: string }) => {
        if (request.step === "look" && claimed) await send(user, "claim", { intent: "migrate", seen: 2 });
        claimed = request.step === "begin";
        return bindings.USER_DATA.get(id).dbmigrateDelete(request);
      },
    }),
  };
  const router = createRouter({
    bucket: bindings.BUCKET,
    flags: bindings.FLAGS,
    store: store as unknown as typeof bindings.USER_DATA,
  });
  expect(await router.deleteUser(user)).toMatchObject({ ok: false, error: { kind: "stale-claim" } });
  expect(await bindings.BUCKET.head(fileKey(user))).toMatchObject({ size: open.length });
});

it("leaves the next user alone, where another deletion has ended meanwhile", async () => {
  const user = newUser();
  await litter(user, open);
  const bucket = new Proxy(bindings.BUCKET, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name !== "delete") return value.bind(target) as unknown;
      return async (keys: string | string[]) => {
        await target.delete(keys);
        if (typeof keys === "string") return; // what was kept goes first
        expect(await routerThrough().deleteUser(user)).toEqual(done);
        const write = { statements: [{ sql: "CREATE TABLE again(a)" }] };
        expect(await routerThrough().query(user, write)).toMatchObject({ ok: true });
      };
    },
  });
  const { FLAGS: flags, USER_DATA: store } = bindings;
  const answer = await createRouter({ bucket, flags, store }).deleteUser(user);
  expect(answer).toMatchObject({ ok: false, error: { kind: "stale-claim" } });
  expect(await bindings.BUCKET.head(fileKey(user))).not.toBeNull();
});

it("refuses what is no user", async () => {
  expect(await routerThrough().deleteUser("a/b")).toMatchObject({
    ok: false,
    error: { kind: "bad-request" },
  });
});

it("is a new user's file afterwards, if somebody writes", async () => {
  const user = newUser();
  await litter(user, open);
  await routerThrough().deleteUser(user);
  const router = routerThrough();
  const made = await router.query(user, { statements: [{ sql: "CREATE TABLE t(a)" }] });
  expect(made).toMatchObject({ ok: true, side: "file" });
  expect(await router.query(user, { statements: [{ sql: "SELECT a FROM t" }], mode: "read" })).toMatchObject({
    ok: true,
    results: [{ rows: [] }],
  });
});
