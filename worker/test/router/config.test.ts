import { describe, expect, it, vi } from "vitest";
import { createRouter } from "../../src/index.ts";
import type { RouterConfig } from "../../src/index.ts";
import { KvFlagHint } from "../../src/router/flag-hint.ts";
import { objectKeys } from "../../src/router/layout.ts";
import { DurableStoreSide } from "../../src/router/store-side.ts";
import { bindings, database, newUser } from "./fixtures.ts";

const base: RouterConfig = { bucket: bindings.BUCKET, flags: bindings.FLAGS, store: bindings.USER_DATA };

describe("createRouter", () => {
  it.each([
    ["a layout without the user", { layout: "database.sqlite" }, "layout"],
    ["a layout with the user twice", { layout: "{user}/{user}.db" }, "layout"],
    ["a cache time that KV refuses", { flagCacheTtl: 29 }, "flagCacheTtl"],
  ])("refuses %s", (_name, config, message) => {
    expect(() => createRouter({ ...base, ...config })).toThrow(message);
  });

  it("finds files by the layout", async () => {
    const user = newUser();
    await bindings.BUCKET.put(`tenants/${user}.db`, database("here"));
    const router = createRouter({ ...base, layout: "tenants/{user}.db", flagCacheTtl: 30 });
    const answer = await router.query(user, { statements: [{ sql: "SELECT a FROM t" }], mode: "read" });
    expect(answer).toMatchObject({ ok: true, results: [{ rows: [["here"]] }] });
  });

  it("refuses files over maxFileBytes", async () => {
    const user = newUser();
    await bindings.BUCKET.put(`${user}/database.sqlite`, database("here"));
    const answer = await createRouter({ ...base, maxFileBytes: 1000 }).query(user, {
      statements: [{ sql: "SELECT 1" }],
      mode: "read",
    });
    expect(answer).toMatchObject({ ok: false, error: { kind: "too-large" } });
  });
});

it("a layout takes users as they are", () => {
  expect(objectKeys("a/{user}.db")("$& $1 ü")).toBe("a/$& $1 ü.db");
});

describe("the flag", () => {
  it.each([
    ["true", "true", true],
    ["absent", null, false],
    ["false, which nobody should write", "false", false],
  ])("%s", async (_name, value, expected) => {
    const user = newUser();
    if (value !== null) await bindings.FLAGS.put(`migrated:${user}`, value);
    expect(await new KvFlagHint(bindings.FLAGS, 30).isMigrated(user)).toBe(expected);
  });

  it("is asked once in ten seconds for a user who has moved, by all routers of an isolate, and each time for the others", async () => {
    const asked: string[] = [];
    const flags = {
      get: async (key: string) => {
        asked.push(key);
        return key === "migrated:moved" ? "true" : null;
      },
    } as unknown as KVNamespace;
    const ask = async (user: string) => new KvFlagHint(flags, undefined).isMigrated(user);
    vi.useFakeTimers();
    try {
      for (let i = 0; i < 3; i++) expect([await ask("moved"), await ask("other")]).toEqual([true, false]);
      expect(asked).toEqual(["migrated:moved", "migrated:other", "migrated:other", "migrated:other"]);
      vi.advanceTimersByTime(10_000);
      expect(await ask("moved")).toBe(true);
      expect(asked.slice(4)).toEqual(["migrated:moved"]);
    } finally {
      vi.useRealTimers();
    }
  });

  it.each([
    ["fails", () => Promise.reject(new Error("KV is down"))],
    ["does not answer", () => new Promise(() => {})],
  ])("is absent when KV %s", async (_name, get) => {
    expect(await new KvFlagHint({ get } as unknown as KVNamespace, undefined).isMigrated("someone")).toBe(
      false,
    );
  });
});

it("the location hint goes with every touch of an object", async () => {
  const hints: unknown[] = [];
  const namespace = {
    idFromName: (name: string) => name,
    get: (name: string, options: unknown) => {
      hints.push([name, options]);
      return { query: async () => ({ ok: true, results: [], side: "store" }) };
    },
  } as unknown as typeof bindings.USER_DATA;
  const side = new DurableStoreSide(namespace, (user) => (user === "paris" ? "weur" : undefined));
  await side.query("paris", { statements: [] });
  await side.query("elsewhere", { statements: [] });
  expect(hints).toEqual([
    ["paris", { locationHint: "weur" }],
    ["elsewhere", {}],
  ]);
});
