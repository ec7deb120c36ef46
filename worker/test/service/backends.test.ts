// The token path of worker/service, attacked.
import { afterEach, describe, expect, it, vi } from "vitest";
import service from "../../service/index.ts";
import type { Env } from "../../service/index.ts";
import { bindings, database, fileKey, newUser, textsIn } from "../router/fixtures.ts";

const WRITER = "writer-token-0123456789-0123456789-now";
const BEFORE = "writer-token-0123456789-0123456789-before";
const READER = "reader-token-0123456789-0123456789-now";
const OPERATOR = "token-of-the-operator-now-32-bytes-long";

const env = {
  ...bindings,
  BACKENDS: { billing: "write", "reports-eu": "read", gone: "write" },
  TOKEN_BILLING: WRITER,
  TOKEN_BILLING_PREVIOUS: BEFORE,
  TOKEN_REPORTS_EU: READER,
  DBMIGRATE_TOKEN: OPERATOR,
} as unknown as Env;

const READ = { mode: "read", statements: [{ sql: "SELECT a FROM t" }] };
const WRITE = { statements: [{ sql: "INSERT INTO t VALUES ('two')" }] };

afterEach(() => vi.restoreAllMocks());

function send(
  path: string,
  headers: HeadersInit,
  body: unknown = READ,
  worker: Env = env,
): Promise<Response> {
  const request = new Request(`https://service.test${path}`, {
    method: body === null ? "GET" : "POST",
    headers: { "content-type": "application/json", ...Object.fromEntries(new Headers(headers)) },
    ...(body !== null && { body: JSON.stringify(body) }),
  });
  return service.fetch(request, worker);
}

const bearer = (token: string): HeadersInit => ({ authorization: `Bearer ${token}` });

async function summary(response: Response): Promise<unknown> {
  const { error } = await response.json<{ error?: { kind: string } }>();
  return [response.status, error?.kind ?? "ok"];
}

/** A user with a file that has one row. */
async function someone(): Promise<string> {
  const user = newUser();
  await bindings.BUCKET.put(fileKey(user), database("one"));
  return user;
}

describe("who may call", () => {
  it.each([
    ["the token", WRITER],
    ["the token before the rotation", BEFORE],
    ["a read-only token", READER],
  ])("lets in %s", async (_name, token) => {
    expect(await summary(await send(`/api/users/${await someone()}/query`, bearer(token)))).toEqual([
      200,
      "ok",
    ]);
  });

  it.each<[string, HeadersInit]>([
    ["no header", {}],
    ["an empty header", { authorization: "" }],
    ["a scheme alone", { authorization: "Bearer" }],
    ["a scheme and spaces", { authorization: "Bearer    " }],
    ["an empty token in quotes", { authorization: 'Bearer ""' }],
    ["the token without a scheme", { authorization: WRITER }],
    ["the token under another scheme", { authorization: `Basic ${WRITER}` }],
    ["Basic, as browsers send it", { authorization: `Basic ${btoa(`billing:${WRITER}`)}` }],
    ["the token twice", { authorization: `Bearer ${WRITER} ${WRITER}` }],
    ["two tokens in one header", { authorization: `Bearer ${WRITER}, Bearer ${READER}` }],
    [
      "two headers in a row",
      [
        ["authorization", `Bearer ${WRITER}`],
        ["authorization", `Bearer ${WRITER}`],
      ],
    ],
    ["the first half of the token", bearer(WRITER.slice(0, WRITER.length / 2))],
    ["one character less", bearer(WRITER.slice(0, -1))],
    ["one character more", bearer(`${WRITER}x`)],
    ["another case", bearer(WRITER.toUpperCase())],
    ["the token in quotes", bearer(`"${WRITER}"`)],
    ["one character of the token", bearer("w")],
    ["a very long token", bearer("x".repeat(10_000))],
    ["the name of the backend", bearer("billing")],
    ["the name of the secret", bearer("TOKEN_BILLING")],
    ["undefined", bearer("undefined")],
    ["the operator's token", bearer(OPERATOR)],
    ["a Latin-1 character", bearer(`${WRITER.slice(0, -1)}\u00e9`)],
    ["the token in a cookie", { cookie: `token=${WRITER}` }],
    ["the token in a header of its own", { "x-api-key": WRITER }],
    ["the token in another header", { "proxy-authorization": `Bearer ${WRITER}` }],
    ["the token in a subprotocol", { "sec-websocket-protocol": `bearer.${WRITER}` }],
  ])("refuses %s", async (_name, headers) => {
    const response = await send(`/api/users/${await someone()}/query`, headers);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    const text = await response.text();
    expect([response.status, text.includes("unauthorized")]).toEqual([401, true]);
    expect(text).not.toContain(WRITER.slice(0, 12));
  });

  it("takes no token from the URL", async () => {
    const path = `/api/users/${await someone()}/query?token=${WRITER}&access_token=${WRITER}`;
    expect(await summary(await send(path, {}))).toEqual([401, "unauthorized"]);
  });

  it("takes the scheme in any case, and spaces around the token", async () => {
    const headers = { authorization: `bEaReR   ${WRITER}  ` };
    expect(await summary(await send(`/api/users/${await someone()}/query`, headers))).toEqual([200, "ok"]);
  });

  it("tells nobody without a token which routes and users there are", async () => {
    const answers = await Promise.all(
      ["/", "/api", "/api/users/a/query", "/api/users/a/nothing", "/api/users/%FF/query"].map(async (path) =>
        (await send(path, bearer("x".repeat(40)))).text(),
      ),
    );
    expect(new Set(answers).size).toBe(1);
  });

  it("shuts out a backend by the end of its secret", async () => {
    const { TOKEN_BILLING_PREVIOUS: _, ...rest } = env as unknown as Record<string, unknown>;
    const response = await send("/api/users/a/query", bearer(BEFORE), READ, rest as unknown as Env);
    expect(await summary(response)).toEqual([401, "unauthorized"]);
  });

  it("keeps backends and operator apart", async () => {
    const hello = "/_dbmigrate/v1/hello";
    expect((await send(hello, bearer(WRITER), null)).status).toBe(401);
    expect((await send(hello, bearer(OPERATOR), null)).status).toBe(200);
  });
});

describe("a configuration that cannot be trusted", () => {
  const shared = "shared-token-0123456789-0123456789";
  it.each<[string, Record<string, unknown>, string]>([
    ["nothing", { BACKENDS: undefined }, ""],
    ["no backends", { BACKENDS: {} }, ""],
    ["backends without secrets", { BACKENDS: { gone: "write" } }, ""],
    ["text that is not JSON", { BACKENDS: "{billing" }, "not JSON"],
    ["a list", { BACKENDS: ["billing"] }, "not an object"],
    ["a number", { BACKENDS: 1 }, "not an object"],
    ["an unknown access", { BACKENDS: { billing: "admin" } }, "neither"],
    ["an access that is none", { BACKENDS: { billing: true } }, "neither"],
    ["a name in capitals", { BACKENDS: { Billing: "write" } }, "names"],
    ["a name with an underscore", { BACKENDS: { a_b: "write" } }, "names"],
    ["a name of a rotation", { BACKENDS: { "billing-previous": "write" } }, "names"],
    ["an empty name", { BACKENDS: { "": "write" } }, "names"],
    ["a short token", { TOKEN_BILLING: "x".repeat(31) }, "fewer than 32"],
    ["a short previous token", { TOKEN_BILLING_PREVIOUS: "x" }, "fewer than 32"],
    ["a short token of another backend", { TOKEN_REPORTS_EU: "short" }, "fewer than 32"],
    ["a token with spaces", { TOKEN_BILLING: ` ${WRITER} ` }, "white space"],
    ["a token that is no text", { TOKEN_BILLING: { token: WRITER } }, "fewer than 32"],
    ["one token for two", { TOKEN_BILLING: shared, TOKEN_REPORTS_EU: shared }, "one token"],
    ["the operator's token", { TOKEN_BILLING: OPERATOR }, "one token"],
  ])("is closed to everyone: %s", async (_name, changes, logged) => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const worker = { ...env, ...changes } as unknown as Env;
    const token = changes["TOKEN_BILLING"] ?? WRITER;
    const response = await send("/api/users/a/query", bearer(String(token).trim()), READ, worker);
    expect(await summary(response)).toEqual([503, "closed"]);
    const lines = log.mock.calls.map(String).join("\n");
    if (logged !== "") expect(lines).toContain(logged);
    for (const secret of [WRITER, BEFORE, READER, OPERATOR, shared]) expect(lines).not.toContain(secret);
  });

  it("takes BACKENDS as text, too", async () => {
    const worker = { ...env, BACKENDS: '{"billing":"read"}' } as unknown as Env;
    const user = await someone();
    expect(await summary(await send(`/api/users/${user}/query`, bearer(WRITER), READ, worker))).toEqual([
      200,
      "ok",
    ]);
    expect(await summary(await send(`/api/users/${user}/query`, bearer(WRITER), WRITE, worker))).toEqual([
      400,
      "write-in-read",
    ]);
  });
});

describe("a backend that may only read", () => {
  it.each([
    ["a write", WRITE],
    ["a write that says so", { ...WRITE, mode: "write" }],
    ["a write behind a read", { statements: [...READ.statements, ...WRITE.statements] }],
    [
      "a write in a CTE's clothes",
      { statements: [{ sql: "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x" }] },
    ],
    ["a schema change", { statements: [{ sql: "CREATE TABLE u(a)" }] }],
    ["RETURNING", { statements: [{ sql: "DELETE FROM t RETURNING a" }] }],
  ])("changes nothing by %s", async (_name, body) => {
    const user = await someone();
    const answer = await send(`/api/users/${user}/query`, bearer(READER), body);
    expect(await summary(answer)).toEqual([400, "write-in-read"]);
    const file = await bindings.BUCKET.get(fileKey(user));
    expect(textsIn(new Uint8Array(await (file as R2ObjectBody).arrayBuffer()))).toEqual(["one"]);
  });

  it("asks for no thaw", async () => {
    const body = { table: "t", where: "a = 1" };
    const answer = await send(`/api/users/${await someone()}/thaw`, bearer(READER), body);
    expect(await summary(answer)).toEqual([400, "write-in-read"]);
  });

  it("reads, on every route", async () => {
    const user = await someone();
    expect((await send(`/api/users/${user}`, bearer(READER), null)).status).toBe(200);
    expect((await send(`/api/users/${user}/both`, bearer(READER), READ)).status).toBe(200);
  });
});

describe("users that are none", () => {
  it.each([
    "a%2Fb",
    "..%2F..%2Fsecret",
    "%2e%2e%2f",
    "a%5Cb",
    "a%3Fb",
    "a%23b",
    "a%25b",
    "a%00b",
    "a%0D%0Ab",
    "%FF",
    "%",
    "%C0%AF",
    ".dbmigrate",
    "x".repeat(600),
  ])("refuses %s", async (segment) => {
    const answer = await send(`/api/users/${segment}/query`, bearer(WRITER));
    expect(await summary(answer)).toEqual([400, "bad-request"]);
  });

  it.each([
    "/api/users//query",
    "/api/users/../query",
    "/api/users/%2e%2e/query",
    "/api/users/a/b/query",
    "/api/users/a/query/",
  ])("has no route %s", async (path) => {
    expect(await summary(await send(path, bearer(WRITER)))).toEqual([404, "not-found"]);
  });

  it.each([
    ["query", null],
    ["both", null],
    ["thaw", null],
    ["", READ],
  ])("takes one method on %j", async (route, body) => {
    const path = `/api/users/a${route === "" ? "" : `/${route}`}`;
    expect(await summary(await send(path, bearer(WRITER), body))).toEqual([405, "method-not-allowed"]);
  });

  it("has no live updates: a token in a browser would open every user", async () => {
    expect((await send("/api/users/a/live", bearer(WRITER), null)).status).toBe(404);
  });
});

it("is healthy without a token", async () => {
  expect(await (await send("/healthz", {}, null)).text()).toBe("ok\n");
});
