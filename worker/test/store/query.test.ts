// The query API: every value exact, every request all or nothing.
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { type Client, activeStore, bindings, Client as NewClient, table } from "./client.ts";
import type { QueryAnswer } from "../../src/query/types.ts";
import type { Row } from "./encode.ts";

const notes = table("notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text)");

let store: Client;
beforeAll(async () => {
  store = await activeStore([notes, table("t", "CREATE TABLE t (v, i INTEGER, r REAL, s TEXT)")]);
});

async function rowsOf(sql: string, params: unknown = []): Promise<unknown> {
  const answer = (await store.query(sql, params)) as QueryAnswer;
  return answer.ok ? answer.results[0]?.rows : answer.error;
}

describe("parameters", () => {
  const min = "-9223372036854775808";
  const values: [given: unknown, type: string, back: unknown][] = [
    [null, "null", null],
    ["", "text", ""],
    ["a\0b 🐎", "text", "a\0b 🐎"],
    ["5", "text", "5"],
    [5, "integer", 5],
    [0, "integer", 0],
    [-0, "real", { real: "-0" }],
    [2 ** 53, "integer", 2 ** 53],
    [-(2 ** 53), "integer", -(2 ** 53)],
    [2 ** 53 + 2, "real", 2 ** 53 + 2],
    [0.1, "real", 0.1],
    [5e-324, "real", 5e-324],
    [1e300, "real", 1e300],
    [Infinity, "real", { real: "Infinity" }],
    [true, "integer", 1],
    [false, "integer", 0],
    [12n, "integer", 12],
    [2n ** 63n - 1n, "integer", { int: "9223372036854775807" }],
    [{ int: "9223372036854775807" }, "integer", { int: "9223372036854775807" }],
    [{ int: min }, "integer", { int: min }],
    [{ int: "9007199254740993" }, "integer", { int: "9007199254740993" }],
    [{ int: "5" }, "integer", 5],
    [{ real: "5.0" }, "real", { real: "5.0" }],
    [{ real: "9007199254740992" }, "real", { real: "9007199254740992.0" }],
    [{ real: "-0" }, "real", { real: "-0" }],
    [{ real: "-Infinity" }, "real", { real: "-Infinity" }],
    [{ real: "1.5" }, "real", 1.5],
    [{ blob: "" }, "blob", { blob: "" }],
    [{ blob: "AP9B" }, "blob", { blob: "AP9B" }],
    [Uint8Array.from([1, 2, 3]).subarray(1), "blob", { blob: "AgM=" }],
    [Uint8Array.from([7]).buffer, "blob", { blob: "Bw==" }],
  ];
  it.each(values)("%o is %s and comes back as %o", async (given, type, back) => {
    expect(await rowsOf("SELECT ?1, typeof(?1)", [given])).toEqual([[back, type]]);
    await store.query("INSERT INTO t (v) VALUES (?)", [given]);
    expect(await rowsOf("SELECT v, typeof(v) FROM t ORDER BY rowid DESC LIMIT 1")).toEqual([[back, type]]);
  });

  it.each([
    [NaN],
    [{ int: "1.5" }],
    [{ int: "9223372036854775808" }],
    [{ int: 5 }],
    [{ real: "NaN" }],
    [{ real: "0x10" }],
    [{ blob: "A" }],
    [{ blob: "AP9B\n" }],
    [{ text: "x" }],
    [{}],
    [[1]],
    [{ int: "1", real: "1" }],
    [undefined],
    [2n ** 63n],
  ])("refuses %o", async (given) => {
    expect(await rowsOf("SELECT ?", [given])).toMatchObject({ kind: "bad-request" });
  });

  it("refuses a string that has no UTF-8 form", async () => {
    const lone = String.fromCharCode(0xd800);
    expect(await rowsOf("SELECT ?", [lone])).toMatchObject({ kind: "bad-request" });
    expect(await rowsOf(`SELECT '${lone}'`)).toMatchObject({ kind: "bad-request" });
  });

  it("have no affinity, like any bound value", async () => {
    await store.query("INSERT INTO t (i, r, s) VALUES (?1, ?1, ?1)", [41]);
    expect(await rowsOf("SELECT i, r, s FROM t WHERE i = ?", [41])).toEqual([[41, { real: "41.0" }, "41"]]);
    expect(await rowsOf("SELECT count(*) FROM t WHERE s = ? AND s = '41'", [41])).toEqual([[1]]);
    expect(await rowsOf("SELECT ? = '5', ? = '5'", [5, "5"])).toEqual([[0, 1]]);
    expect(await rowsOf("SELECT 7 / ?, ? || '', -?", [2, 3, 4])).toEqual([[3, "3", -4]]);
  });

  it("use the index of a key", async () => {
    const plan = await rowsOf("EXPLAIN QUERY PLAN SELECT * FROM notes WHERE id = ?", [5]);
    expect(JSON.stringify(plan)).toContain("SEARCH notes USING INTEGER PRIMARY KEY");
  });

  const forms: [sql: string, params: unknown, row: unknown[]][] = [
    ["SELECT ?, ?, ?", [1, "b", 3], [1, "b", 3]],
    ["SELECT ?2, ?1, ?", [1, 2, 3], [2, 1, 3]],
    ["SELECT ?3", [0, 0, 5], [5]],
    ["SELECT :a, @b, $c, :a", { a: 1, "@b": 2, c: 3 }, [1, 2, 3, 1]],
    ["SELECT ?, :x, ?", [1, 2, 3], [1, 2, 3]],
    ["SELECT $a::b(c), ?", [1, 2], [1, 2]],
    ['SELECT \'?\', "?", `?`, [?], ? -- ? :no\n/* ? */ FROM (SELECT 1 AS "?", 2 AS `?`)', [9], ["?", 1, 1, 1, 9]],
    ["SELECT 'it''s ?', x'3F', ?", [1], ["it's ?", { blob: "Pw==" }, 1]],
    ["SELECT json_extract('{\"a\":1}', '$.a'), ?", [2], [1, 2]],
    ["SELECT 1 LIMIT ? OFFSET ?", [1, 0], [1]],
    ["SELECT 5 IN (?, ?), ? BETWEEN ? AND ?", [4, 5, 2, 1, 3], [1, 1]],
    ["SELECT ?;  -- the end", [1], [1]],
  ];
  it.each(forms)("%s %o", async (sql, params, row) => {
    expect(await rowsOf(sql, params)).toEqual([row]);
  });

  it.each([
    ["SELECT ?", []],
    ["SELECT ?", [1, 2]],
    ["SELECT 1", [1]],
    ["SELECT :a", {}],
    ["SELECT :a", { a: 1, b: 2 }],
    ["SELECT ?", { a: 1 }],
    ["SELECT ?101", Array(101).fill(1)],
    ["SELECT ?0", []],
    ["SELECT ?99999999", [1]],
  ])("that do not fit: %s %o", async (sql, params) => {
    expect(await rowsOf(sql, params)).toMatchObject({ kind: "sql-error" });
  });
});

describe("results", () => {
  it("keep the names of columns, equal ones too", async () => {
    const answer = await store.query(
      "SELECT n.id, m.id, n.id AS 'id:1', ?, 1 + ?2, :x FROM notes n, notes m WHERE 0 LIMIT ?4",
      [1, 2, 3, 4],
    );
    expect(answer).toMatchObject({ results: [{ columns: ["id", "id", "id:1", "?", "1 + ?2", ":x"], rows: [] }] });
    const values = await store.query("VALUES (1, 'a'), (2, 'b')");
    expect(values).toMatchObject({
      results: [
        {
          columns: ["column1", "column2"],
          rows: [
            [1, "a"],
            [2, "b"],
          ],
        },
      ],
    });
  });

  it("follow a changed schema", async () => {
    await store.query("CREATE TABLE moving (a)");
    await store.query("INSERT INTO moving VALUES (1)");
    const read = () => store.query("SELECT * FROM moving");
    expect(await read()).toMatchObject({ results: [{ columns: ["a"], rows: [[1]] }] });
    await store.query("ALTER TABLE moving RENAME COLUMN a TO b");
    expect(await read()).toMatchObject({ results: [{ columns: ["b"], rows: [[1]] }] });
    await store.query("ALTER TABLE moving ADD COLUMN c DEFAULT 5.0");
    expect(await read()).toMatchObject({ results: [{ columns: ["b", "c"], rows: [[1, { real: "5.0" }]] }] });
  });

  const selects: [sql: string, rows: unknown[][]][] = [
    [
      "SELECT 9007199254740993, 5.0, 5, '5', x'35', null",
      [[{ int: "9007199254740993" }, { real: "5.0" }, 5, "5", { blob: "NQ==" }, null]],
    ],
    ["SELECT column1 FROM (VALUES (3), (1), (2)) ORDER BY 1 DESC", [[3], [2], [1]]],
    ["WITH a AS (SELECT 1 AS x), b(y) AS (SELECT x + 1 FROM a) SELECT x, y FROM a, b", [[1, 2]]],
    ["WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3) SELECT n FROM c", [[1], [2], [3]]],
    ["SELECT 1 UNION SELECT 2 ORDER BY 1 DESC LIMIT 1", [[2]]],
    ["SELECT 1 UNION ALL VALUES (2)", [[1], [2]]],
    ["VALUES (1), (2.0)", [[1], [{ real: "2.0" }]]],
    ["SELECT (SELECT 1 LIMIT 1) AS a, '(' AS b", [[1, "("]]],
    [
      "SELECT 9e999, -9e999, -0.0, 2.5, 1e100",
      [[{ real: "Infinity" }, { real: "-Infinity" }, { real: "-0" }, 2.5, 1e100]],
    ],
    ["select count(*) filter (where value > 1) from json_each('[1,2,3]')", [[2]]],
  ];
  it.each(selects)("%s", async (sql, rows) => {
    expect(await rowsOf(sql)).toEqual(rows);
  });

  it("evaluate each expression once", async () => {
    // Evaluated twice, some rows would have the class of one value and the digits of the other.
    const big = { int: "9007199254740993" };
    const rows = await rowsOf(
      "SELECT CASE WHEN random() % 2 THEN 9007199254740993 ELSE 'x' END FROM t, t u, t w LIMIT 100",
    );
    expect(rows).toEqual(Array(100).fill([expect.toSatisfy((v) => v === "x" || (v as typeof big)?.int === big.int)]));
  });

  it("may have 100 columns", async () => {
    const cells = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? `${2n ** 60n + BigInt(i)}` : `${i}.0`));
    const rows = (await rowsOf(
      `SELECT ${cells.join(", ")} UNION ALL SELECT ${cells.map((_, i) => i).join(", ")}`,
    )) as unknown[][];
    const first = cells.map((cell, i) => (i % 2 === 0 ? { int: cell } : { real: cell }));
    expect(rows).toEqual([first, cells.map((_, i) => i)]);
  });

  it("of RETURNING, PRAGMA and EXPLAIN come as numbers", async () => {
    expect(await rowsOf("INSERT INTO notes (text) VALUES (?) RETURNING text, id + 0.5", [7])).toMatchObject([
      [7, expect.any(Number)],
    ]);
    expect(await rowsOf("PRAGMA table_info(notes)")).toEqual([
      [0, "id", "INTEGER", 0, null, 1],
      [1, "text", "", 0, null, 0],
    ]);
    expect((await rowsOf("EXPLAIN SELECT 1")) as unknown[][]).toContainEqual(expect.arrayContaining(["Init"]));
    expect(await rowsOf("INSERT INTO notes (text) VALUES (1) RETURNING 1e300, -0.0, 9e999")).toEqual([
      [1e300, { real: "-0" }, { real: "Infinity" }],
    ]);
  });

  it("refuse an INTEGER beyond 2^53 in RETURNING, and roll back", async () => {
    const before = await rowsOf("SELECT count(*) FROM notes");
    const big = { int: "9007199254740993" };
    expect(await rowsOf("INSERT INTO notes (text) VALUES (?) RETURNING text", [big])).toMatchObject({
      kind: "integer-precision",
    });
    expect(await rowsOf("INSERT INTO notes (text) VALUES (?) RETURNING cast(text AS text)", [big])).toEqual([
      ["9007199254740993"],
    ]);
    expect(await rowsOf("SELECT count(*) FROM notes")).toEqual([[(before as number[][])[0]![0]! + 1]]);
  });

  it("count rows read and written", async () => {
    const answer = await store.query("INSERT INTO notes (text) VALUES ('a'), ('b')");
    expect(answer).toMatchObject({ results: [{ columns: [], rows: [], rowsWritten: 2 }], side: "store" });
  });
});

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
    const before = await rowsOf("SELECT group_concat(sql) FROM sqlite_schema UNION ALL SELECT count(*) FROM notes");
    const { writes } = (await store.get("status")).json;
    expect(await store.query(sql, [], "read")).toMatchObject({ ok: false, error: { kind: "write-in-read" } });
    expect(await rowsOf("SELECT group_concat(sql) FROM sqlite_schema UNION ALL SELECT count(*) FROM notes")).toEqual(
      before,
    );
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
    for (const sql of ["CREATE TABLE IF NOT EXISTS notes (a)", "DELETE FROM notes WHERE 0", "PRAGMA quick_check"]) {
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
    const sql = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET v = CASE WHEN 1 THEN 2 END; SELECT 1; END;";
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
    expect(await rowsOf(sql)).toMatchObject({ kind: "sql-error", message: expect.stringContaining("outlast") });
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
    expect(await good.json()).toMatchObject({ side: "store", results: [{ rows: [[{ int: "9007199254740993" }]] }] });
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
    const client = new NewClient(bindings.NOTES as never);
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
