import { describe, expect, it } from "vitest";
import sample, { type Env } from "../../sample/index.ts";
import { bindings, database, fenced, fileKey, newUser } from "../router/fixtures.ts";
import { Latencies } from "../../sample/latency.ts";
import { bringTo } from "../router/store-driver.ts";

const env: Env = { ...bindings, APP_TOKEN: "app-token", DBMIGRATE_TOKEN: "token-of-the-operator-now" };

function ask(
  path: string,
  init: { token?: string; method?: string; body?: unknown; env?: Env } = {},
): Promise<Response> {
  const { token = "app-token", method = "POST", body } = init;
  const request = new Request(`https://worker.test${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(method === "POST" && { body: JSON.stringify(body ?? { statements: [{ sql: "SELECT 1" }] }) }),
  });
  return sample.fetch(request, init.env ?? env);
}

const select = { statements: [{ sql: "SELECT a FROM t" }], mode: "read" };

describe("the sample application", () => {
  it("is healthy without a token", async () => {
    const response = await ask("/healthz", { token: "none", method: "GET" });
    expect([response.status, await response.text()]).toEqual([200, "ok\n"]);
  });

  it("answers queries of users", async () => {
    const user = newUser();
    await bindings.BUCKET.put(fileKey(user), database("one"));
    const response = await ask(`/api/users/${user}/query`, { body: select });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      results: [{ columns: ["a"], rows: [["one"]] }],
      side: "file",
    });
  });

  it.each([
    ["another token", { token: "token-of-the-operator-now" }, 401],
    ["GET", { method: "GET" }, 405],
    ["a body without statements", { body: {} }, 400],
    ["bad SQL", { body: { statements: [{ sql: "SELEC" }] } }, 400],
    ["no token configured", { env: { ...bindings } }, 401],
  ])("refuses %s", async (_name, init, status) => {
    expect((await ask(`/api/users/${newUser()}/query`, init)).status).toBe(status);
  });

  it.each<[string, object]>([
    ["both", { statements: [] }],
    ["both", { ...select, merge: {} }],
    ["both", { ...select, merge: [{ limit: -1 }] }],
    ["both", { ...select, merge: [{ orderBy: [{ column: 1 }] }] }],
    ["both", { ...select, merge: [{ totals: { a: "average" } }] }],
    ["both", { ...select, find: "SELECT 1" }],
    ["locate", { table: "t", key: {} }],
    ["locate", { table: "t", key: { a: [1] } }],
    ["locate", { key: { a: 1 } }],
    ["write", { table: "t", key: { a: 1 } }],
    ["schema", {}],
  ])("refuses what is no request to %s: %j", async (route, body) => {
    expect((await ask(`/api/users/${newUser()}/${route}`, { body })).status).toBe(400);
  });

  it("changes the schema of a user", async () => {
    const user = newUser();
    await bindings.BUCKET.put(fileKey(user), database("one"));
    const body = { statements: [{ sql: "ALTER TABLE t ADD b" }] };
    expect(await (await ask(`/api/users/${user}/schema`, { body })).json()).toEqual({ scopes: ["hot"] });
  });

  it.each([
    ["/nowhere", 404],
    ["/api/users/a%2Fb/query", 400],
    ["/api/users/%FF/query", 400],
  ])("answers %s with %i", async (path, status) => {
    expect((await ask(path)).status).toBe(status);
  });

  it("says how long requests take on each side", async () => {
    const moved = newUser();
    await bringTo("ACTIVE", moved);
    await bindings.BUCKET.put(fileKey(moved), fenced(database("x"), 1, 1));
    await bindings.FLAGS.put(`migrated:${moved}`, "true");
    for (const user of [newUser(), moved]) await ask(`/api/users/${user}/query`, { body: select });
    const response = await ask("/api/latency", { method: "GET" });
    const of = { requests: expect.any(Number), p50: expect.any(Number), p99: expect.any(Number) };
    expect(await response.json()).toMatchObject({ file: of, store: of });
    expect((await ask("/api/latency", { method: "GET", token: "none" })).status).toBe(401);
    expect((await ask("/api/latency")).status).toBe(405);
  });

  it("keeps the latest requests of a side", () => {
    const latencies = new Latencies();
    const event = { user: "a", mode: "read", scope: "hot", error: null, hops: 1, retries: 0 } as const;
    const told = { ...event, kind: "request", side: "file", bytesLoaded: 1, waitMs: 0 } as const;
    for (let durationMs = 1; durationMs <= 1500; durationMs++) latencies.observe({ ...told, durationMs });
    latencies.observe({ ...told, side: null, durationMs: 7 });
    expect(latencies.bySide()).toEqual({
      file: { requests: 1500, p50: 1000, p99: 1490 },
      none: { requests: 1, p50: 7, p99: 7 },
    });
  });

  it("keeps its token and the operator's apart", async () => {
    expect((await ask("/_dbmigrate/v1/hello", { method: "GET", token: "app-token" })).status).toBe(401);
    expect(
      (await ask("/_dbmigrate/v1/hello", { method: "GET", token: "token-of-the-operator-now" })).status,
    ).toBe(200);
  });

  it("reads both halves of a split user, and the one of another", async () => {
    const user = newUser();
    await bindings.BUCKET.put(fileKey(user), database("new"));
    const hot = { results: [{ rows: [["new"]] }], side: "file" };
    expect(await (await ask(`/api/users/${user}/both`, { body: select })).json()).toMatchObject({
      hot,
      cold: null,
    });
    await bringTo("COLD", user);
    const answer = await (await ask(`/api/users/${user}/both`, { body: select })).json();
    expect(answer).toMatchObject({ hot, cold: { results: [{ rows: [["store"]] }], side: "store" } });
    expect((answer as { cold: object }).cold).not.toHaveProperty("moment");
    const cold = await ask(`/api/users/${user}/query`, { body: { ...select, scope: "cold" } });
    expect(await cold.json()).toMatchObject({ results: [{ rows: [["store"]] }] });
    const merge = { ...select, merge: [{ orderBy: [{ column: "a" }], limit: 5 }] };
    expect(await (await ask(`/api/users/${user}/both`, { body: merge })).json()).toMatchObject({
      merged: [{ rows: [["new"], ["store"]] }],
    });
    const row = { table: "t", key: { a: "store" } };
    expect(await (await ask(`/api/users/${user}/locate`, { body: row })).json()).toEqual({ place: "cold" });
    const change = { ...row, statements: [{ sql: "UPDATE t SET a = 'found'" }] };
    expect(await (await ask(`/api/users/${user}/write`, { body: change })).json()).toMatchObject({
      scope: "cold",
    });
    expect((await ask(`/api/users/${user}/write`, { body: change })).status).toBe(404);
    const wrong = await ask(`/api/users/${user}/both`, { body: { statements: [{ sql: "DELETE FROM t" }] } });
    expect(wrong.status).toBe(400);
  });

  it("says with 409 that a user has no cold rows", async () => {
    const answer = await ask(`/api/users/${newUser()}/query`, { body: { ...select, scope: "cold" } });
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({ error: { kind: "not-split" } });
  });

  it("has the emergency switch", async () => {
    const user = newUser();
    await bindings.BUCKET.put(fileKey(user), fenced(database("one"), 1, 1));
    const switched: Env = { ...env, DATABASE_PATH: "r2" };
    expect((await ask(`/api/users/${user}/query`, { body: select, env: switched })).status).toBe(200);
    const write = { statements: [{ sql: "DELETE FROM t" }] };
    expect((await ask(`/api/users/${user}/query`, { body: write, env: switched })).status).toBe(503);
  });
});
