// What an application asks to have back from the archive is noted by key, and waits for a command.
import { describe, expect, it } from "vitest";
import type { ThawRequest } from "../../src/index.ts";
import type { ErrorInfo } from "../../src/wire/errors.ts";
import { Client, table } from "./client.ts";
import { phases } from "./phases.ts";

const games = [
  table("games", "CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT, rowid TEXT)"),
  table("keyed", "CREATE TABLE keyed (a, b, c, PRIMARY KEY (c DESC, a)) WITHOUT ROWID"),
  table("counted", "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT)"),
];

const content = {
  games: {
    columns: ["id", "name", "rowid"],
    rows: [
      [1n, "chess", "x"],
      [9007199254740993n, "go", "y"],
      [-7n, "shogi", "z"],
    ],
  },
  keyed: {
    columns: ["a", "b", "c"],
    rows: [
      [1.5, "half", "text"],
      [{ blob: Uint8Array.of(0, 255) }, "blob", 5n],
    ],
  },
  counted: { columns: ["id"], rows: [] },
} as const;

async function coldClient(): Promise<Client> {
  const client = new Client();
  await client.import(games, content, {}, "split");
  await client.activate();
  return client;
}

const kindOf = (answer: { ok: boolean; error?: unknown }) => (answer.error as ErrorInfo | undefined)?.kind ?? "done";
const thaw = (client: Client, request: ThawRequest) => client.stub.thaw(request);
const waiting = async (client: Client) => (await client.get("thaws")).json.thaws;

describe("a request to thaw", () => {
  it("is noted by the keys of the rows, exactly", async () => {
    const client = await coldClient();
    expect(await thaw(client, { table: "games", where: "name <> ? -- not that one", params: ["chess"] })).toEqual({
      ok: true,
      rows: 2,
    });
    expect(await thaw(client, { table: "keyed", where: "b = :b OR a = :a", params: { b: "blob", a: 1.5 } })).toEqual({
      ok: true,
      rows: 2,
    });
    await client.evict();
    expect((await client.get("status")).json).toMatchObject({ thaws: 2, writes: 0 });
    expect(await waiting(client)).toEqual([
      { table: "games", keys: [[{ int: "-7" }], [{ int: "9007199254740993" }]] },
      {
        table: "keyed",
        keys: [
          [{ text: btoa("text") }, { real: "3ff8000000000000" }],
          [{ int: "5" }, { blob: btoa("\x00\xff") }],
        ],
      },
    ]);
  });

  it("is not noted when it means no row", async () => {
    const client = await coldClient();
    expect(await thaw(client, { table: "games", where: "id = 12" })).toEqual({ ok: true, rows: 0 });
    expect((await client.get("status")).json).toMatchObject({ thaws: 0 });
  });

  it.each<[string, ThawRequest, string]>([
    ["a table that is not there", { table: "Games", where: "1" }, "not-found"],
    ["SQLite's own table", { table: "sqlite_sequence", where: "1" }, "not-found"],
    ["a column that is not there", { table: "games", where: "old" }, "sql-error"],
    ["two statements", { table: "games", where: "1); DELETE FROM games; SELECT (1" }, "sql-error"],
    ["rows of another query", { table: "games", where: "0) UNION SELECT 'integer', 5 --" }, "bad-request"],
    ["no expression", { table: "games", where: " " }, "bad-request"],
    ["a value too many", { table: "games", where: "id = ?", params: [1, 2] }, "sql-error"],
    ["a lone surrogate", { table: "games", where: "name = '\ud800'" }, "bad-request"],
  ])("is refused for %s, and nothing is noted", async (_, request, kind) => {
    const client = await coldClient();
    expect(await thaw(client, request)).toMatchObject({ ok: false, error: { kind } });
    expect(await waiting(client)).toEqual([]);
    expect(await client.query("SELECT count(*) FROM games", [], "read", "cold")).toMatchObject({
      results: [{ rows: [[3]] }],
    });
  });

  it("takes 1,000 rows, and 64 KB of keys", async () => {
    const client = await coldClient();
    const fill = (count: number, name: string) =>
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO ${name}`;
    await client.query(`${fill(1001, "counted")} SELECT i FROM n`, [], "write", "cold");
    expect(await thaw(client, { table: "counted", where: "1" })).toMatchObject({ error: { kind: "bad-request" } });
    expect(await thaw(client, { table: "counted", where: "id > 1" })).toEqual({ ok: true, rows: 1000 });
    await client.query(`${fill(1, "keyed")} SELECT 1, 1, hex(zeroblob(40000)) FROM n`, [], "write", "cold");
    expect(await thaw(client, { table: "keyed", where: "b = 1" })).toMatchObject({ error: { kind: "too-large" } });
  });

  it("is one of 100 that wait", async () => {
    const client = await coldClient();
    const one: ThawRequest = { table: "games", where: "id = 1" };
    for (let i = 0; i < 100; i++) expect(await thaw(client, one)).toEqual({ ok: true, rows: 1 });
    expect(await thaw(client, one)).toMatchObject({ error: { kind: "overloaded" } });
    expect(await waiting(client)).toHaveLength(100);
  });

  it.each(Object.keys(phases))("in %s goes by the rule of cold writes", async (phase) => {
    const client = new Client();
    await phases[phase]?.(client);
    const asked = await thaw(client, { table: "t", where: "a = 'kept'" });
    const written = await client.query("DELETE FROM t WHERE a = 'other'", [], "write", "cold");
    expect(kindOf(asked)).toBe(kindOf(written));
  });

  it("stays noted through a merge that is given back, and is forgotten with one that is done", async () => {
    const client = await coldClient();
    await thaw(client, { table: "games", where: "id = 1" });
    await client.claim("rollback");
    await client.post("merge", { gen: client.gen });
    expect(await waiting(client)).toHaveLength(1);
    await client.claim("split");
    await client.activate();
    expect(await waiting(client)).toHaveLength(1);
    await client.claim("rollback");
    await client.post("merge", { gen: client.gen });
    expect((await client.post("release", { gen: client.gen })).json).toMatchObject({ phase: "EMPTY", thaws: 0 });
    expect(await client.get("thaws")).toMatchObject({ status: 409, json: { error: { kind: "wrong-phase" } } });
  });
});
