// Tokens, routes, limits and malformed requests: each gets its kind and changes nothing.
import { describe, expect, it } from "vitest";
import { Client, bindings, header, table } from "./client.ts";
import { batch, bytes, dFrame, frame, jFrame, jsonb } from "./encode.ts";

async function kindOf(response: Response): Promise<string> {
  const body = (await response.json()) as { error?: { kind: string } };
  return `${response.status} ${body.error?.kind ?? "ok"}`;
}

describe("authorization", () => {
  it.each([
    ["token-of-the-operator-now", "200 ok"],
    ["token-of-the-operator-before", "200 ok"],
    [null, "401 unauthorized"],
    ["token-no", "401 unauthorized"],
    ["token-of-the-operator-now2", "401 unauthorized"],
    ["", "401 unauthorized"],
  ])("token %s: %s", async (token, expected) => {
    expect(await kindOf(await new Client().raw("GET", "status", {}, token))).toBe(expected);
  });

  it("refuses another scheme, and says which one it wants", async () => {
    const response = await new Client().raw(
      "GET",
      "status",
      { headers: { authorization: "Basic dG9rZW4tbm93" } },
      null,
    );
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(await kindOf(response)).toBe("401 unauthorized");
  });

  it("is closed while no secret is set, even to the empty token", async () => {
    const client = new Client(bindings.CLOSED);
    for (const token of ["", "token-of-the-operator-now", null]) {
      expect(await kindOf(await client.raw("GET", "status", {}, token))).toBe("503 closed");
    }
  });

  it("comes before everything else", async () => {
    for (const route of ["nonsense", "claim", "rows?gen=x"]) {
      expect(await kindOf(await new Client().raw("DELETE", route, {}, "wrong"))).toBe("401 unauthorized");
    }
  });
});

describe("routes", () => {
  it.each([
    ["GET", "nonsense", "404 not-found"],
    ["GET", "claim", "405 method-not-allowed"],
    ["POST", "status", "405 method-not-allowed"],
    ["PUT", "rows", "405 method-not-allowed"],
    ["GET", "constructor", "404 not-found"],
  ])("%s %s: %s", async (method, route, expected) => {
    const response = await new Client().raw(method, route);
    if (response.status === 405) expect(response.headers.get("allow")).toMatch(/^(GET|POST)$/);
    expect(await kindOf(response)).toBe(expected);
  });

  it.each(["", "%2e", "..", ".dbmigrate", "a%2Fb", "a%5Cb", "a%00b", "%ff", "x".repeat(504)])(
    "refuses the user id %j",
    async (id) => {
      const url = `https://worker.test/_dbmigrate/v1/users/${id}/status`;
      const request = new Request(url, { headers: { authorization: "Bearer token-of-the-operator-now" } });
      expect(await kindOf(await new Client().stub.fetch(request))).toMatch(
        /^(400 bad-request|404 not-found)$/,
      );
    },
  );

  it("does not answer hello, nor anything outside its routes", async () => {
    const { stub } = new Client();
    const headers = { authorization: "Bearer token-of-the-operator-now" };
    for (const path of ["/_dbmigrate/v1/hello", "/_dbmigrate/v2/users/a/status", "/", "/query/x"]) {
      expect(await kindOf(await stub.fetch(`https://worker.test${path}`, { headers }))).toBe("404 not-found");
    }
  });
});

const json = { "content-type": "application/json" };
const binary = { "content-type": "application/octet-stream" };
const digest = { database: "0".repeat(64), schema: "0".repeat(64), tables: [] };

describe("malformed messages", () => {
  const posts: [route: string, body: string, headers: Record<string, string>, expected: string][] = [
    ["claim", "{}", {}, "415 unsupported-media-type"],
    ["claim", "{}", { "content-type": "text/plain" }, "415 unsupported-media-type"],
    ["rows?gen=1&seq=0", "{}", json, "415 unsupported-media-type"],
    ["claim", "", json, "400 bad-request"],
    ["claim", "{", json, "400 bad-request"],
    ["claim", "[]", json, "400 bad-request"],
    ["claim", "null", json, "400 bad-request"],
    ["claim", '{"intent":"migrate"}', json, "400 bad-request"],
    ["claim", '{"intent":"steal","seen":0}', json, "400 bad-request"],
    ["claim", '{"intent":"migrate","seen":"0"}', json, "400 bad-request"],
    ["claim", '{"intent":"migrate","seen":-1}', json, "400 bad-request"],
    ["claim", '{"intent":"migrate","seen":4294967296}', json, "400 bad-request"],
    ["claim", '{"intent":"migrate","seen":0.5}', json, "400 bad-request"],
    ["reset", "{}", json, "400 bad-request"],
    ["schema", '{"gen":1}', json, "400 bad-request"],
    ["schema", '{"gen":1}', binary, "400 bad-request"],
    ["schema", '{"gen":1}', { "content-type": "text/plain" }, "415 unsupported-media-type"],
    ["claim", '{"intent":"migrate","seen":0}', binary, "415 unsupported-media-type"],
    ["schema", '{"gen":1,"schema":{"header":{},"objects":[]}}', json, "400 bad-request"],
    ["schema", JSON.stringify({ gen: 1, schema: { header, objects: [{}] } }), json, "400 bad-request"],
    [
      "schema",
      JSON.stringify({ gen: 1, schema: { header, objects: [], virtual: [{ name: "v", load: "x" }] } }),
      json,
      "400 bad-request",
    ],
    ["finish", '{"gen":1,"batches":-1}', json, "400 bad-request"],
    ["digest", '{"budgetMs":1e9}', json, "400 bad-request"],
    ["range", '{"table":"t","after":[{"int":"x"}]}', json, "400 bad-request"],
    ["range", '{"table":"t","after":[{"int":"9223372036854775808"}]}', json, "400 bad-request"],
    ["range", '{"table":"t","after":[{"real":"7ff8000000000000"}]}', json, "400 bad-request"],
    ["range", '{"table":"t","after":[{"text":"a"}]}', json, "400 bad-request"],
    ["range", '{"table":"t","after":[{"int":"1","text":"YQ=="}]}', json, "400 bad-request"],
    ["range", '{"table":"t","after":[{"int":"1"},{"int":"2"}]}', json, "400 bad-request"],
    ["range", '{"table":"t","after":[{"text":"YQ=="}]}', json, "400 bad-request"],
    ["range", '{"table":"t","after":[null]}', json, "400 bad-request"],
    ["range", '{"table":"sqlite_schema"}', json, "404 not-found"],
    ["range", '{"table":"_cf_KV"}', json, "404 not-found"],
    ["ready", JSON.stringify({ gen: 1, digest }), json, "400 bad-request"],
    [
      "ready",
      JSON.stringify({ gen: 1, digest: { ...digest, schema: "ABC" }, receipt: {} }),
      json,
      "400 bad-request",
    ],
    ["export/rows", '{"table":"t","maxBytes":0}', json, "400 bad-request"],
    ["rows", "x", binary, "400 bad-request"],
    ["rows?gen=1&seq=-1", "x", binary, "400 bad-request"],
    ["rows?gen=1&seq=1e3", "x", binary, "400 bad-request"],
    ["rows?gen=one&seq=1", "x", binary, "400 bad-request"],
  ];
  it.each(posts)("%s %s %j: %s", async (route, body, headers, expected) => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([table("t", "CREATE TABLE t (a)")]);
    const before = (await client.get("status")).json;
    expect(await kindOf(await client.raw("POST", route, { body, headers }))).toBe(expected);
    expect((await client.get("status")).json).toEqual(before);
  });

  it("refuses JSON that is not UTF-8", async () => {
    const body = Uint8Array.from([0x22, 0xff, 0x22]);
    expect(await kindOf(await new Client().raw("POST", "claim", { body, headers: json }))).toBe(
      "400 bad-request",
    );
  });

  it("stops reading a body over the limit, announced or not", async () => {
    const client = new Client();
    const large = new Uint8Array(8 * 1024 * 1024 + 1);
    expect(await kindOf(await client.raw("POST", "rows?gen=0&seq=0", { body: large, headers: binary }))).toBe(
      "413 too-large",
    );
    const chunk = new Uint8Array(1024 * 1024);
    let sent = 0;
    const body = new ReadableStream({ pull: (to) => (sent++ < 20 ? to.enqueue(chunk) : to.close()) });
    expect(await kindOf(await client.raw("POST", "rows?gen=0&seq=0", { body, headers: binary }))).toBe(
      "413 too-large",
    );
  });
});

describe("malformed batches", () => {
  const head = { table: "t", columns: ["a"], plan: "v", rows: 1 };
  const good = jsonb([["x"]], "v");
  const broken: [name: string, body: Uint8Array][] = [
    ["nothing", new Uint8Array(0)],
    ["another magic", bytes("DMR2")],
    ["an unknown frame", batch(frame("X", head, good))],
    ["a cut frame", batch(frame("J", head, good)).slice(0, -1)],
    ["a header that is no JSON", batch(bytes("J", [2, 0, 0, 0], "{{", [0, 0, 0, 0]))],
    ["a header without columns", batch(frame("J", { ...head, columns: [] }, good))],
    ["a plan of another length", batch(frame("J", { ...head, plan: "vv" }, good))],
    ["an unknown plan", batch(frame("J", { ...head, plan: "x" }, good))],
    ["too many rows", batch(frame("J", { ...head, rows: 2 }, good))],
    ["no rows, where some are", batch(frame("J", { ...head, rows: 0 }, good))],
    ["a payload that is no JSONB", batch(frame("J", head, bytes("hello")))],
    ["a payload over the limit", batch(frame("J", head, new Uint8Array(1_000_001)))],
    ["a D frame with a plan", batch(frame("D", head, bytes([2, 0, 0, 0], "N")))],
    ["a D frame without its length", batch(frame("D", { ...head, plan: "" }, bytes("N")))],
    ["an unknown cell", batch(frame("D", { ...head, plan: "" }, bytes([1, 0, 0, 0], "X")))],
    ["a cell that is cut", batch(frame("D", { ...head, plan: "" }, bytes([3, 0, 0, 0], "T5:")))],
    ["an endless integer", batch(frame("D", { ...head, plan: "" }, bytes([3, 0, 0, 0], "I12")))],
    ["an integer with zeros", batch(frame("D", { ...head, plan: "" }, bytes([4, 0, 0, 0], "I01;")))],
    [
      "an integer beyond int64",
      batch(frame("D", { ...head, plan: "" }, bytes([21, 0, 0, 0], "I9223372036854775808;"))),
    ],
    ["an R cell without its real", batch(frame("D", { ...head, plan: "" }, bytes([1, 0, 0, 0], "R")))],
    ["a real without its R cell", batch(frame("D", { ...head, plan: "" }, bytes([1, 0, 0, 0], "N12345678")))],
    [
      "a NaN",
      batch(frame("D", { ...head, plan: "" }, bytes([1, 0, 0, 0], "R", [0, 0, 0, 0, 0, 0, 0xf8, 0x7f]))),
    ],
    ["two cells for one column", batch(dFrame("t", ["a"], ["x", "y"]))],
  ];
  it.each(broken)("%s", async (_, body) => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([table("t", "CREATE TABLE t (a)")]);
    // A good frame in front: nothing of the request stays.
    const withGood = body.length > 4 ? batch(jFrame("t", ["a"], [["good"]]), body.slice(4)) : body;
    const before = (await client.get("status")).json;
    expect(await client.rows(0, withGood)).toMatchObject({
      status: 400,
      json: { error: { kind: "bad-batch" } },
    });
    expect((await client.get("status")).json).toEqual(before);
    expect((await client.post("range", { table: "t" })).json.rows).toBe(0);
  });

  const refused: [name: string, body: Uint8Array, table: string][] = [
    ["a table that is not there", batch(jFrame("u", ["a"], [["x"]])), "u"],
    ["a column that is not there", batch(jFrame("t", ["b"], [["x"]])), "t"],
    ["a name that would be SQL", batch(jFrame("t", ['a") SELECT 1; --'], [["x"]])), "t"],
    ["SQLite's schema", batch(jFrame("sqlite_schema", ["type"], [["x"]])), "sqlite_schema"],
    ["the platform's table", batch(jFrame("_cf_KV", ["key"], [["x"]])), "_cf_KV"],
    ["a key twice", batch(...["x", "y"].map((a) => jFrame("t", ["rowid", "a"], [[1n, a]]))), "t"],
    ["a cell over 2,000,000 bytes", batch(dFrame("t", ["a"], ["x".repeat(2_000_001)])), "t"],
  ];
  it.each(refused)("rows-refused: %s", async (_, body, name) => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([table("t", "CREATE TABLE t (a)")]);
    const answer = await client.rows(0, body);
    expect(answer).toMatchObject({
      status: 422,
      json: { error: { kind: "rows-refused", details: { table: name } } },
    });
    expect(answer.json.error.details.reason).not.toBe("");
    expect((await client.get("status")).json.batches.applied).toEqual([]);
  });
});

describe("schemas that are refused", () => {
  const objects: [name: string, object: ReturnType<typeof table>][] = [
    ["a function that the platform lacks", table("t", "CREATE TABLE t (a DEFAULT (sqlite_version()))")],
    ["a reserved name", table("_cf_t", "CREATE TABLE _cf_t (a)")],
    ["another name than it says", table("t", "CREATE TABLE u (a)")],
    ["no CREATE at all", table("t", "SELECT 1")],
    ["more than one statement", table("t", "CREATE TABLE t (a); CREATE TABLE u (a)")],
    ["a text that SQLite would not keep", table("t", "CREATE TABLE IF NOT EXISTS t (a)")],
    ["a syntax error", table("t", "CREATE TABLE t (")],
    ["an unknown module", table("t", "CREATE VIRTUAL TABLE t USING geopoly(a)")],
    [
      "101 columns",
      table("t", `CREATE TABLE t (${Array.from({ length: 101 }, (_, i) => `c${i}`).join(",")})`),
    ],
  ];
  it.each(objects)("%s", async (_, object) => {
    const client = new Client();
    await client.claim("migrate");
    const answer = await client.schema([table("first", "CREATE TABLE first (a)"), object]);
    expect(answer).toMatchObject({ status: 422, json: { error: { kind: "schema-refused" } } });
    expect(answer.json.error.details.reason).not.toBe("");
    expect((await client.post("range", { table: "first" })).status).toBe(404);
  });

  it("takes the same schema again, and refuses another one under the same claim", async () => {
    const client = new Client();
    await client.claim("migrate");
    const objects = [table("t", "CREATE TABLE t (a)")];
    expect((await client.schema(objects)).status).toBe(200);
    await client.rows(0, batch(jFrame("t", ["a"], [["x"]])));
    expect((await client.schema(objects)).status).toBe(200);
    expect((await client.post("range", { table: "t" })).json.rows).toBe(1);
    expect(await client.schema(objects, { userVersion: 8 })).toMatchObject({ status: 409 });
    expect(await client.schema([...objects, table("u", "CREATE TABLE u (a)")])).toMatchObject({
      status: 409,
    });
    await client.post("reset", { gen: client.gen });
    expect((await client.schema([table("u", "CREATE TABLE u (a)")])).status).toBe(200);
  });
});
