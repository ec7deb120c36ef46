// What an application asks to have back from the archive is noted by key, and waits for a command.
import { describe, expect, it } from "vitest";
import type { ThawRequest } from "../../src/index.ts";
import type { ErrorInfo } from "../../src/wire/errors.ts";
import { Client, table } from "./client.ts";
import { phases } from "./phases.ts";

const games = [
  table("games", "CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT, rowid TEXT)"),
  table("named", "CREATE TABLE named (x, name TEXT PRIMARY KEY)"),
  table("keyed", "CREATE TABLE keyed (a, b, c, PRIMARY KEY (c DESC, a)) WITHOUT ROWID"),
  table("counted", "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT)"),
  table("loose", "CREATE TABLE loose (a)"),
];

const content = {
  games: {
    columns: ["id", "name", "rowid"],
    rows: [
      [-7n, "shogi", "z"],
      [1n, "chess", "x"],
      [9007199254740993n, "go", "y"],
    ],
  },
  named: {
    columns: ["rowid", "x", "name"],
    rows: [
      [1n, 1n, "one"],
      [2n, 2n, null],
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
  loose: { columns: ["rowid", "a"], rows: [[1n, "a"]] },
} as const;

async function coldClient(): Promise<Client> {
  const client = new Client();
  await client.import(games, content, {}, "split");
  await client.activate();
  return client;
}

const kindOf = (answer: { ok: boolean; error?: unknown }) =>
  (answer.error as ErrorInfo | undefined)?.kind ?? "done";
const thaw = (client: Client, request: ThawRequest) => client.stub.thaw(request);
const waiting = async (client: Client) => (await client.get("thaws")).json.thaws;

describe("a request to thaw", () => {
  it("is noted by the keys of the rows, exactly", async () => {
    const client = await coldClient();
    expect(
      await thaw(client, { table: "games", where: "name <> ? -- not that one", params: ["chess"] }),
    ).toEqual({
      ok: true,
      rows: 2,
    });
    expect(
      await thaw(client, { table: "keyed", where: "b = :b OR a = :a", params: { b: "blob", a: 1.5 } }),
    ).toEqual({
      ok: true,
      rows: 2,
    });
    await client.evict();
    expect(await thaw(client, { table: "NAMED", where: "x = 1" })).toEqual({ ok: true, rows: 1 });
    expect((await client.get("status")).json).toMatchObject({ thaws: 5, writes: 0 });
    expect(await waiting(client)).toEqual([
      { table: "games", columns: ["id"], keys: [[{ int: "-7" }], [{ int: "9007199254740993" }]] },
      {
        table: "keyed",
        columns: ["c", "a"],
        keys: [
          [{ text: btoa("text") }, { real: "3ff8000000000000" }],
          [{ int: "5" }, { blob: btoa("\x00\xff") }],
        ],
      },
      { table: "named", columns: ["name"], keys: [[{ text: btoa("one") }]] },
    ]);
  });

  it("is not noted when it means no row", async () => {
    const client = await coldClient();
    expect(await thaw(client, { table: "games", where: "id = 12" })).toEqual({ ok: true, rows: 0 });
    expect((await client.get("status")).json).toMatchObject({ thaws: 0 });
  });

  it.each<[string, ThawRequest, string]>([
    ["a table that is not there", { table: "gamez", where: "1" }, "not-found"],
    ["a table without a primary key", { table: "loose", where: "1" }, "bad-request"],
    ["a row with NULL in its primary key", { table: "named", where: "1" }, "bad-request"],
    ["SQLite's own table", { table: "sqlite_sequence", where: "1" }, "not-found"],
    ["a column that is not there", { table: "games", where: "old" }, "sql-error"],
    ["two statements", { table: "games", where: "1); DELETE FROM games; SELECT (1" }, "bad-request"],
    ["a text that goes on behind the parenthesis", { table: "games", where: "1) OR (1" }, "bad-request"],
    ["a comment without an end", { table: "games", where: "1 /*/" }, "bad-request"],
    ["a string without an end", { table: "games", where: "name = 'x" }, "bad-request"],
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

  it("takes 1,000 rows at a time, and a megabyte of keys in all", async () => {
    const client = await coldClient();
    const fill = (count: number, into: string) =>
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO ${into} FROM n`;
    await client.query(fill(1001, "counted SELECT i"), [], "write", "cold");
    expect(await thaw(client, { table: "counted", where: "1" })).toMatchObject({
      error: { kind: "bad-request" },
    });
    expect(await thaw(client, { table: "counted", where: "id > 1" })).toEqual({ ok: true, rows: 1000 });
    await client.query(fill(9, "keyed SELECT i, i, hex(zeroblob(60000))"), [], "write", "cold");
    for (const some of ["a <= 3", "a BETWEEN 4 AND 6"]) {
      expect(await thaw(client, { table: "keyed", where: `typeof(b) = 'integer' AND ${some}` })).toEqual({
        ok: true,
        rows: 3,
      });
    }
    const full = await thaw(client, { table: "keyed", where: "typeof(b) = 'integer' AND a > 6" });
    expect(full).toMatchObject({ error: { kind: "too-large" } });
    expect((await client.get("status")).json).toMatchObject({ thaws: 1006 });
  });

  it("is noted once, however often it is made", async () => {
    const client = await coldClient();
    for (let i = 0; i < 3; i++) {
      expect(await thaw(client, { table: "games", where: `id <= ${i}` })).toEqual({
        ok: true,
        rows: i === 0 ? 1 : 2,
      });
    }
    expect(await waiting(client)).toEqual([
      { table: "games", columns: ["id"], keys: [[{ int: "-7" }], [{ int: "1" }]] },
    ]);
    expect((await client.get("status")).json).toMatchObject({ thaws: 2 });
  });

  it.each(Object.keys(phases))("in %s goes by the rule of cold writes", async (phase) => {
    const client = new Client();
    await phases[phase]?.(client);
    const written = kindOf(await client.query("DELETE FROM t WHERE a = 'other'", [], "write", "cold"));
    // The table has no key: that is found out behind the rule.
    expect(kindOf(await thaw(client, { table: "t", where: "1" }))).toBe(
      written === "done" ? "bad-request" : written,
    );
  });

  it("stays noted until a split that came later has brought the rows home", async () => {
    const client = await coldClient();
    await thaw(client, { table: "games", where: "id = 1" });
    const noted = await waiting(client);
    await client.claim("rollback");
    await client.post("merge", { gen: client.gen });
    await client.claim("split");
    await client.activate();
    expect((await client.get("status")).json).toMatchObject({ phase: "COLD", thaws: 1 });
    await client.claim("rollback");
    await client.post("merge", { gen: client.gen });
    expect((await client.post("release", { gen: client.gen })).json).toMatchObject({
      phase: "EMPTY",
      thaws: 1,
    });
    await client.import(games, content, {}, "split");
    await client.claim("split");
    expect((await client.post("reset", { gen: client.gen })).json).toMatchObject({ phase: "SPLITTING" });
    expect(await waiting(client)).toEqual(noted);
    await client.import(games, content, {}, "split");
    expect((await client.activate()).json).toMatchObject({ phase: "COLD", thaws: 0 });
    expect(await waiting(client)).toEqual([]);
  });

  it("is forgotten when the user moves as a whole", async () => {
    const client = await coldClient();
    await thaw(client, { table: "games", where: "id = 1" });
    await client.claim("rollback");
    await client.post("merge", { gen: client.gen });
    await client.post("release", { gen: client.gen });
    expect((await client.claim("migrate")).json).toMatchObject({ phase: "IMPORTING", thaws: 0 });
    expect(await waiting(client)).toEqual([]);
  });
});
