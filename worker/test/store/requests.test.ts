// Query requests: each all or nothing, over RPC, fetch and the methods of a subclass.
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { QueryAnswer } from "../../src/query/types.ts";
import { Client, activeStore, bindings, table } from "./client.ts";
import type { Row } from "./encode.ts";

const notes = table("notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text)");

let store: Client;
beforeAll(async () => {
  store = await activeStore([notes, table("t", "CREATE TABLE t (v, i INTEGER, r REAL, s TEXT)")]);
  await store.query("INSERT INTO notes (text) VALUES ('there')");
});

async function rowsOf(sql: string, params: unknown = []): Promise<unknown> {
  const answer = (await store.query(sql, params)) as QueryAnswer;
  return answer.ok ? answer.results[0]?.rows : answer.error;
}

describe("requests", () => {
  it("are one transaction", async () => {
    const count = await rowsOf("SELECT count(*) FROM notes");
    const statements = [
      { sql: "INSERT INTO notes (text) VALUES ('x')" },
      { sql: "CREATE TABLE half (a)" },
      { sql: "SELECT * FROM nothing_there" },
    ];
    const answer = await store.stub.query({ statements });
    expect(answer).toMatchObject({
      ok: false,
      error: {
        kind: "sql-error",
        message: expect.stringContaining("no such table: nothing_there"),
        details: { statement: 2 },
      },
    });
    expect(await rowsOf("SELECT count(*) FROM notes")).toEqual(count);
    expect(await rowsOf("SELECT name FROM sqlite_schema WHERE name = 'half'")).toEqual([]);
  });

  it.each([
    ["INSERT INTO notes (text) VALUES ('x')"],
    ["WITH a AS (SELECT 1) INSERT INTO notes (text) SELECT * FROM a"],
    ["WITH replace AS (SELECT 1) DELETE FROM notes"],
    ["CREATE TABLE w (a)"],
    ["DROP TABLE t"],
    ["ALTER TABLE t ADD COLUMN q"],
    ["ANALYZE"],
  ])("that read refuse to write: %s", async (sql) => {
    const before = await rowsOf(
      "SELECT group_concat(sql) FROM sqlite_schema UNION ALL SELECT count(*) FROM notes",
    );
    const { writes } = (await store.get("status")).json;
    expect(await store.query(sql, [], "read")).toMatchObject({ ok: false, error: { kind: "write-in-read" } });
    expect(
      await rowsOf("SELECT group_concat(sql) FROM sqlite_schema UNION ALL SELECT count(*) FROM notes"),
    ).toEqual(before);
    expect((await store.get("status")).json.writes).toBe(writes);
  });

  it.each([
    ["SELECT 1", 0],
    ["PRAGMA table_list", 0],
    ["EXPLAIN DELETE FROM notes", 0],
    ["DELETE FROM notes WHERE 0", 0],
    ["CREATE TABLE IF NOT EXISTS notes (a)", 0],
    ["INSERT INTO notes (text) VALUES (1)", 1],
    ["UPDATE notes SET text = text", 1],
    ["CREATE TABLE counted (a)", 1],
    ["DROP TABLE counted", 1],
    ["CREATE VIRTUAL TABLE counted_fts USING fts5(a)", 1],
    ["INSERT INTO counted_fts VALUES ('a')", 1],
    ["DELETE FROM counted_fts", 1],
  ])("that write are counted: %s, %i", async (sql, count) => {
    const before = (await store.get("status")).json.writes;
    expect(await store.query(sql)).toMatchObject({ ok: true });
    expect((await store.get("status")).json.writes).toBe(before + count);
  });

  it("that write nothing may do so in read mode", async () => {
    for (const sql of [
      "CREATE TABLE IF NOT EXISTS notes (a)",
      "DELETE FROM notes WHERE 0",
      "PRAGMA quick_check",
    ]) {
      expect(await store.query(sql, [], "read")).toMatchObject({ ok: true });
    }
  });

  const denied: [sql: string, message: RegExp][] = [
    ["ATTACH 'x' AS y", /not authorized|too many attached/],
    ["CREATE TEMP TABLE x (a)", /not authorized/],
    ["PRAGMA user_version = 5", /not authorized/],
    ["BEGIN", /transaction/],
    ["COMMIT", /transaction/],
    ["SAVEPOINT x", /transaction/],
    ["VACUUM", /VACUUM|not authorized/],
    ["SELECT load_extension('x')", /not authorized|no such function/],
    ["SELECT * FROM _cf_KV", /not authorized|prohibited|access/],
    ["DELETE FROM _cf_KV", /not authorized|prohibited|access/],
    ["SELECT", /incomplete input|syntax error/],
    ["SELECT 1; SELECT 2", /one statement/],
    ["", /no statement/],
    [" -- only a comment\n;", /no statement/],
    ["SELECT 'abc", /unrecognized token/],
  ];
  it.each(denied)("get SQLite's own words: %s", async (sql, message) => {
    expect(await rowsOf(sql)).toMatchObject({ kind: "sql-error", message: expect.stringMatching(message) });
  });

  it("may create triggers", async () => {
    const sql =
      "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET v = CASE WHEN 1 THEN 2 END; SELECT 1; END;";
    expect(await store.query(sql)).toMatchObject({ ok: true });
    expect(await rowsOf(`${sql} DROP TABLE t`)).toMatchObject({ kind: "sql-error" });
    expect(await store.query("DROP TRIGGER tr")).toMatchObject({ ok: true });
  });

  it.each([
    "PRAGMA foreign_keys = off",
    "PRAGMA main.foreign_keys(0)",
    'pragma "ignore_check_constraints" = 1',
    "PRAGMA defer_foreign_keys = on",
    "EXPLAIN PRAGMA recursive_triggers = on",
    "EXPLAIN QUERY PLAN PRAGMA ignore_check_constraints(1)",
    "PRAGMA/**/case_sensitive_like=1",
  ])("may not set what would outlast them: %s", async (sql) => {
    expect(await rowsOf(sql)).toMatchObject({
      kind: "sql-error",
      message: expect.stringContaining("outlast"),
    });
  });

  it("check foreign keys whatever an event before them left behind", async () => {
    await store.query("CREATE TABLE parent (id INTEGER PRIMARY KEY)");
    await store.query("CREATE TABLE child (p REFERENCES parent (id), n CHECK (n > 0))");
    await runInDurableObject(store.stub, (_, state) => {
      state.storage.sql.exec("PRAGMA foreign_keys = off");
      state.storage.sql.exec("PRAGMA ignore_check_constraints = on");
    });
    expect(await rowsOf("PRAGMA foreign_keys")).toEqual([[1]]);
    expect(await rowsOf("INSERT INTO child VALUES (1, -1)")).toMatchObject({ kind: "sql-error" });
    expect(await rowsOf("INSERT INTO child VALUES (1, 1)")).toMatchObject({ kind: "sql-error" });
  });

  it.each([
    [null],
    [{}],
    ["SELECT 1"],
    [{ statements: [] }],
    [{ statements: "SELECT 1" }],
    [{ statements: [{}] }],
    [{ statements: [{ sql: 5 }] }],
    [{ statements: [{ sql: "SELECT 1", params: "x" }] }],
    [{ statements: [{ sql: "SELECT 1" }], mode: "append" }],
  ])("that are malformed: %o", async (request) => {
    expect(await store.stub.query(request)).toMatchObject({ ok: false, error: { kind: "bad-request" } });
  });

  it("see their own bookkeeping nowhere", async () => {
    const names = (await rowsOf("SELECT name FROM pragma_table_list")) as string[][];
    expect(names.flat().filter((name) => /dbmigrate/.test(name))).toEqual([]);
  });
});

describe("over fetch", () => {
  const post = (body: string, headers: Record<string, string> = { "content-type": "application/json" }) =>
    store.stub.fetch(new Request("https://do/query", { method: "POST", body, headers }));

  it("answers and refuses as over RPC", async () => {
    const good = await post('{"statements":[{"sql":"SELECT ?","params":[{"int":"9007199254740993"}]}]}');
    expect(good.status).toBe(200);
    expect(await good.json()).toMatchObject({
      side: "store",
      results: [{ rows: [[{ int: "9007199254740993" }]] }],
    });
    const bad = await post('{"statements":[{"sql":"SELEC"}]}');
    expect(bad.status).toBe(400);
    expect(await bad.json()).toMatchObject({ error: { kind: "sql-error" } });
    expect((await post("{", undefined)).status).toBe(400);
    expect((await post("{}", { "content-type": "text/plain" })).status).toBe(415);
    expect((await store.stub.fetch("https://do/query")).status).toBe(405);
  });
});

describe("a subclass", () => {
  async function notesStore() {
    const client = new Client(bindings.NOTES as never);
    const rows: Row[] = [[1n, "first"]];
    await client.import([notes], { notes: { columns: ["id", "text"], rows } });
    return { client, stub: bindings.NOTES.getByName(client.user) };
  }

  it("writes through transaction, in ACTIVE only, and each write is counted", async () => {
    const { client, stub } = await notesStore();
    expect(await stub.add("too early")).toContain("the store is READY");
    await client.activate();
    expect(await stub.add("second")).toBe(2);
    expect(await stub.count()).toBe(2);
    expect((await client.get("status")).json.writes).toBe(1);
    await client.claim("rollback");
    expect(await stub.add("too late")).toContain("the store is SEALED");
    expect((await client.exportRows("notes", null, 1000)).header.rows).toBe(2);
  });

  it("rolls back what throws or does not wait", async () => {
    const { client, stub } = await notesStore();
    await client.activate();
    expect(await stub.addAndFail("x")).toBe("changed my mind");
    expect(await stub.addLater("x")).toContain("synchronous");
    expect(await stub.count()).toBe(1);
    expect((await client.get("status")).json.writes).toBe(0);
  });
});
