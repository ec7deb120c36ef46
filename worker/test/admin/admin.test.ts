import { parts } from "../../service/mounted.ts";
import { describe, expect, it } from "vitest";
import { type AdminConfig, createRouter, handleAdmin } from "../../src/index.ts";
import { bindings } from "../router/fixtures.ts";

const TOKENS = {
  DBMIGRATE_TOKEN: "token-of-the-operator-now",
  DBMIGRATE_TOKEN_PREVIOUS: "token-of-the-operator-before",
};
const HELLO = "/_dbmigrate/v1/hello";

interface Given {
  readonly method?: string;
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
  readonly config?: Partial<AdminConfig>;
}

async function ask(
  path: string,
  { method = "GET", token = "token-of-the-operator-now", headers, config }: Given = {},
): Promise<Response | null> {
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  const request = new Request(`https://worker.test${path}`, {
    method,
    headers: { ...authorization, ...headers },
  });
  return handleAdmin(request, { env: TOKENS, store: bindings.USER_DATA, ...config });
}

async function summary(response: Response | null): Promise<unknown> {
  if (response === null) return null;
  const body = await response.json<{ error?: { kind: string } }>();
  return [response.status, body.error?.kind ?? "ok"];
}

describe("paths", () => {
  it.each(["/", "/api/users/a/query", "/_dbmigrate", "/_dbmigrate/v2/hello", "/_dbmigrate/v10/hello"])(
    "%s is the application's",
    async (path) => {
      expect(await ask(path)).toBeNull();
    },
  );

  it.each([
    [HELLO, "GET", 200, "ok"],
    ["/_dbmigrate/v1/users/alice/status", "GET", 200, "ok"],
    ["/_dbmigrate/v1/users/a%20b%C3%BC/status", "GET", 200, "ok"],
    ["/_dbmigrate/v1", "GET", 404, "not-found"],
    ["/_dbmigrate/v1/goodbye", "GET", 404, "not-found"],
    ["/_dbmigrate/v1/users/alice", "GET", 404, "not-found"],
    ["/_dbmigrate/v1/users/alice/delete", "POST", 404, "not-found"],
    ["/_dbmigrate/v1/users/alice/toString", "GET", 404, "not-found"],
    ["/_dbmigrate/v1/users//status", "GET", 404, "not-found"],
    [HELLO, "POST", 405, "method-not-allowed"],
    ["/_dbmigrate/v1/ids", "GET", 405, "method-not-allowed"],
    ["/_dbmigrate/v1/users/alice/status", "POST", 405, "method-not-allowed"],
    ["/_dbmigrate/v1/users/alice/claim", "GET", 405, "method-not-allowed"],
    ["/_dbmigrate/v1/users/a%2Fb/status", "GET", 400, "bad-request"],
    ["/_dbmigrate/v1/users/a%25b/status", "GET", 400, "bad-request"],
    ["/_dbmigrate/v1/users/a%3Fb/status", "GET", 400, "bad-request"],
    ["/_dbmigrate/v1/users/a%0Ab/status", "GET", 400, "bad-request"],
    ["/_dbmigrate/v1/users/%FF/status", "GET", 400, "bad-request"],
    [`/_dbmigrate/v1/users/${"x".repeat(504)}/status`, "GET", 400, "bad-request"],
  ])("%s %s: %i %s", async (path, method, status, kind) => {
    expect(await summary(await ask(path, { method }))).toEqual([status, kind]);
  });

  it("names the method that a route takes", async () => {
    const response = await ask("/_dbmigrate/v1/users/alice/claim", { method: "GET" });
    expect(response?.headers.get("allow")).toBe("POST");
  });
});

describe("authentication comes before anything else", () => {
  it.each([
    ["no header", null],
    ["another token", "token-later"],
    ["the application's token", "app-token"],
    ["a prefix of the token", "token"],
  ])("refuses %s, on known and unknown routes alike", async (_name, token) => {
    for (const path of [HELLO, "/_dbmigrate/v1/nowhere", "/_dbmigrate/v1/users/a%2Fb/status"]) {
      const response = await ask(path, { token });
      expect(response?.headers.get("www-authenticate")).toBe("Bearer");
      expect(await summary(response)).toEqual([401, "unauthorized"]);
    }
  });

  it("takes the token before the current one, during a rotation", async () => {
    expect(await summary(await ask(HELLO, { token: "token-of-the-operator-before" }))).toEqual([200, "ok"]);
  });

  it.each([
    { DBMIGRATE_TOKEN: "fifteen-bytes-x" },
    { DBMIGRATE_TOKEN: "token-of-the-operator-now", DBMIGRATE_TOKEN_PREVIOUS: "short" },
    { DBMIGRATE_TOKEN: "short", DBMIGRATE_TOKEN_PREVIOUS: "token-of-the-operator-now" },
  ])("is closed with a secret that can be guessed: %o", async (env) => {
    for (const token of [
      null,
      env.DBMIGRATE_TOKEN,
      env.DBMIGRATE_TOKEN_PREVIOUS ?? "x",
      "token-of-the-operator-now",
    ]) {
      expect(await summary(await ask(HELLO, { token, config: { env } }))).toEqual([503, "closed"]);
    }
    const sixteen = { DBMIGRATE_TOKEN: "sixteen-bytes-xx" };
    expect(await summary(await ask(HELLO, { token: "sixteen-bytes-xx", config: { env: sixteen } }))).toEqual([
      200,
      "ok",
    ]);
  });

  it.each([{}, { DBMIGRATE_TOKEN: "" }])("is closed without a secret: %o", async (env) => {
    expect(await summary(await ask(HELLO, { config: { env } }))).toEqual([503, "closed"]);
    expect(await summary(await ask(HELLO, { token: null, config: { env } }))).toEqual([503, "closed"]);
  });
});

describe("ids", () => {
  const told = async (users: unknown, type = "application/octet-stream"): Promise<Response | null> =>
    handleAdmin(
      new Request("https://worker.test/_dbmigrate/v1/ids", {
        method: "POST",
        headers: { authorization: "Bearer token-of-the-operator-now", "content-type": type },
        body: JSON.stringify({ users }),
      }),
      { env: TOKENS, store: bindings.USER_DATA },
    );

  it("are those of the users' objects, in the users' order", async () => {
    const users = ["alice", "bob", "a b\u00fc"];
    expect(await (await told(users))?.json()).toEqual({
      ids: users.map((user) => bindings.USER_DATA.idFromName(user).toString()),
    });
    expect(await (await told([], "application/json"))?.json()).toEqual({ ids: [] });
    expect(await (await ask(HELLO))?.json()).toMatchObject({ ids: 1000 });
  });

  it.each([
    ["a name that is no user's", ["alice", "a/b"], [400, "bad-request"]],
    ["no list", "alice", [400, "bad-request"]],
    ["too many", Array.from({ length: 1001 }, (_, n) => `u${n}`), [413, "too-large"]],
  ])("refuse %s", async (_name, users, expected) => {
    expect(await summary(await told(users))).toEqual(expected);
  });
});

it("hello states version and limits", async () => {
  const body = await (await ask(HELLO))?.json();
  expect(body).toMatchObject({
    protocol: 1,
    worker: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    now: expect.any(Number),
    store: "sqlite",
    layout: "{user}/database.sqlite",
    limits: {
      batchBytes: 8388608,
      frameBytes: 1000000,
      cellBytes: 2000000,
      columns: 100,
      statementBytes: 100000,
      databaseBytes: 10000000000,
    },
  });
});

it.each([
  ["without", {}, 0],
  ["with", { bucket: bindings.BUCKET }, 128 * 1024 * 1024],
])("%s a bucket hello says how large a file it marks: %o %o", async (_name, config, expected) => {
  const hello = await (await ask(HELLO, { config }))?.json<{ markBytes: number; split: boolean }>();
  expect(hello).toMatchObject({ markBytes: expected, names: expected > 0, split: true });
});

it.each([
  ["no binding", {}, undefined],
  ["the binding", { CF_VERSION_METADATA: { id: "9a8b7c6d-1111", tag: "", timestamp: "" } }, "9a8b7c6d-1111"],
  ["a variable of that name", { CF_VERSION_METADATA: "9a8b7c6d-1111" }, undefined],
  ["a binding without an id", { CF_VERSION_METADATA: { id: "", tag: "", timestamp: "" } }, undefined],
])("with %s hello says which version of the Worker answers: %o", async (_name, binding, expected) => {
  const hello = await (await ask(HELLO, { config: { env: { ...TOKENS, ...binding } } }))?.json<object>();
  expect(hello).toHaveProperty("worker");
  if (expected === undefined) expect(hello).not.toHaveProperty("versionId");
  else expect(hello).toHaveProperty("versionId", expected);
});

it("the sample has the binding", async () => {
  const env = { ...bindings, ...TOKENS };
  const hello = await (await ask(HELLO, { config: { env } }))?.json<object>();
  expect(hello).toHaveProperty("versionId", bindings.CF_VERSION_METADATA?.id ?? "none");
});

describe("hello asks a real object", () => {
  const sql = "SQL is not enabled for this Durable Object class. To enable it, set `new_sqlite_classes`";
  const refuse = (message: string) => () => Promise.reject(new Error(message));

  it("which answers", async () => {
    const hello = await (await ask(HELLO))?.json();
    expect(hello).toMatchObject({
      object: { answers: true, worker: expect.stringMatching(/^\d+\.\d+\.\d+$/), jurisdiction: "none" },
    });
  });

  it.each([
    ["nowhere in particular", null, undefined, "none"],
    ["in its jurisdiction", "eu", undefined, "eu"],
    ["by the namespace's id, where the object runs older code", undefined, "us", "us"],
    ["nowhere, by such an id", undefined, null, "none"],
    ["unknown, where neither tells", undefined, undefined, "unknown"],
  ])("which is %s", async (_name, own, ofId, expected) => {
    const object = { worker: "1.0.0", sql: 1, ...(own !== undefined && { jurisdiction: own }) };
    const store = {
      idFromName: (name: string) => ({
        name,
        ...(ofId !== undefined && { jurisdiction: ofId ?? undefined }),
      }),
      get: () => ({ dbmigrateProbe: async () => object }),
    } as unknown as AdminConfig["store"];
    const hello = await (await ask(HELLO, { config: { store } }))?.json();
    expect(hello).toMatchObject({ object: { answers: true, jurisdiction: expected } });
  });

  it.each([
    ["the router's hint", { locationHint: () => "weur" as const }, true],
    ["none", {}, false],
  ])("and says whether objects are placed by %s", async (_name, config, expected) => {
    expect(await (await ask(HELLO, { config }))?.json()).toMatchObject({ locationHint: expected });
  });

  it.each([
    ["a stub without methods", undefined, "rpc-missing"],
    ["a class without SQLite", refuse(sql), "no-sqlite"],
    [
      "another class",
      refuse('The RPC receiver does not implement the method "dbmigrateProbe".'),
      "wrong-class",
    ],
    ["an object that fails", refuse("Network connection lost."), "failed"],
    ["an object that answers nonsense", async () => ({ worker: "0.0.0", sql: 2 }), "failed"],
  ])("%s", async (_name, dbmigrateProbe, cause) => {
    const store = {
      idFromName: (name: string) => name,
      get: () => ({ dbmigrateProbe }),
    } as unknown as AdminConfig["store"];
    const hello = await (await ask(HELLO, { config: { store } }))?.json();
    expect(hello).toMatchObject({
      store: cause,
      object: { answers: false, cause, message: expect.any(String) },
    });
  });
});

describe("location", () => {
  const touched: unknown[] = [];
  const store = {
    idFromName: (name: string) => name,
    get: (name: string, options: unknown) => {
      touched.push([name, options]);
      return { fetch: async () => Response.json({}) };
    },
  } as unknown as AdminConfig["store"];

  it.each(["wnam", "enam", "sam", "weur", "eeur", "apac", "apac-ne", "apac-se", "oc", "afr", "me"])(
    "%s is passed on",
    async (hint) => {
      await ask("/_dbmigrate/v1/users/alice/status", {
        headers: { "x-dbmigrate-location": hint },
        config: { store },
      });
      expect(touched.at(-1)).toEqual(["alice", { locationHint: hint }]);
    },
  );

  it("is the router's where dbmigrate sends none", async () => {
    const config = {
      store,
      locationHint: (user: string) => (user === "alice" ? "weur" : undefined),
    } as const;
    await ask("/_dbmigrate/v1/users/alice/status", { config });
    expect(touched.at(-1)).toEqual(["alice", { locationHint: "weur" }]);
    await ask("/_dbmigrate/v1/users/bob/status", { config });
    expect(touched.at(-1)).toEqual(["bob", {}]);
    await ask("/_dbmigrate/v1/users/alice/status", { headers: { "x-dbmigrate-location": "oc" }, config });
    expect(touched.at(-1)).toEqual(["alice", { locationHint: "oc" }]);
  });

  it("is none without the header", async () => {
    await ask("/_dbmigrate/v1/users/alice/status", { config: { store } });
    expect(touched.at(-1)).toEqual(["alice", {}]);
  });

  it("a misspelt one is refused before the object is touched", async () => {
    const before = touched.length;
    const response = await ask("/_dbmigrate/v1/users/alice/status", {
      headers: { "x-dbmigrate-location": "europe" },
      config: { store },
    });
    expect(await summary(response)).toEqual([400, "bad-request"]);
    expect(touched).toHaveLength(before);
  });
});

it.each([
  [{ overloaded: true }, [503, "overloaded"]],
  [{}, [500, "internal"]],
])("an object that fails with %o", async (properties, expected) => {
  const fetch = () => Promise.reject(Object.assign(new Error("Durable Object failed"), properties));
  const store = { idFromName: () => "id", get: () => ({ fetch }) } as unknown as AdminConfig["store"];
  expect(await summary(await ask("/_dbmigrate/v1/users/alice/status", { config: { store } }))).toEqual(
    expected,
  );
});

it.each([
  ["", {}, true],
  [" not", { savesFiles: false }, false],
])("hello says that the router does%s save files", async (_name, config, expected) => {
  const hello = await (await ask(HELLO, { config }))?.json<object>();
  expect(hello).toMatchObject({ savesFiles: expected });
});

it("hello says what the routers of its isolate were told, the contradiction first", async () => {
  const told = async (savesFiles: boolean): Promise<unknown> => {
    const hello = await (await ask(HELLO, { config: { savesFiles } }))?.json<{ routerSavesFiles: unknown }>();
    return hello?.routerSavesFiles;
  };
  const { BUCKET: bucket, FLAGS: flags, USER_DATA: store } = bindings;
  const make = (savesFiles?: boolean): unknown =>
    createRouter({ ...parts, bucket, flags, store, ...(savesFiles !== undefined && { savesFiles }) });
  expect(await told(true)).toBeNull();
  make();
  expect([await told(true), await told(false)]).toEqual([true, true]);
  make(false);
  expect([await told(true), await told(false)]).toEqual([false, true]);
});

it("hello says that split users are served only where object and router are mounted so", async () => {
  const split = async (): Promise<unknown> => {
    const hello = await (await ask(HELLO))?.json<{ split: boolean; object: object; routerParts: unknown }>();
    expect(hello?.object).toMatchObject({ parts: ["live", "split"] });
    return [hello?.split, hello?.routerParts];
  };
  const { BUCKET: bucket, FLAGS: flags, USER_DATA: store } = bindings;
  createRouter({ bucket, flags, store });
  expect(await split()).toEqual([false, []]);
});
