// The query API: every value exact, in both directions.
import { beforeAll, describe, expect, it } from "vitest";
import { type Client, activeStore, table } from "./client.ts";
import type { QueryAnswer } from "../../src/query/types.ts";

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
    [2 ** 53 + 2, "real", { real: "9007199254740994.0" }],
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
    [
      'SELECT \'?\', "?", `?`, [?], ? -- ? :no\n/* ? */ FROM (SELECT 1 AS "?", 2 AS `?`)',
      [9],
      ["?", 1, 1, 1, 9],
    ],
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
    expect(answer).toMatchObject({
      results: [{ columns: ["id", "id", "id:1", "?", "1 + ?2", ":x"], rows: [] }],
    });
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
    [
      "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3) SELECT n FROM c",
      [[1], [2], [3]],
    ],
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
    expect(rows).toEqual(
      Array(100).fill([expect.toSatisfy((v) => v === "x" || (v as typeof big)?.int === big.int)]),
    );
  });

  it("of a compound SELECT are not changed by the affinity of its first part", async () => {
    await store.query("CREATE TABLE reals (r REAL)");
    await store.query("INSERT INTO reals VALUES (1.5)");
    const small = "SELECT r FROM reals UNION ALL SELECT 2";
    expect(await store.query(small)).toMatchObject({ ok: true, results: [{ rows: [[1.5], [2]] }] });
    const large = "SELECT r FROM reals UNION ALL SELECT 9007199254740993";
    const big = { int: "9007199254740993" };
    expect(await store.query(large)).toMatchObject({ ok: true, results: [{ rows: [[1.5], [big]] }] });
    const whole =
      "SELECT r + 0.5 FROM reals UNION ALL SELECT 2 UNION ALL SELECT 2.0 UNION ALL SELECT r * 2 FROM reals";
    const two = { real: "2.0" };
    expect(await store.query(whole)).toMatchObject({
      ok: true,
      results: [{ rows: [[two], [2], [two], [{ real: "3.0" }]] }],
    });
  });

  it("of a compound SELECT of five parts are exact", async () => {
    const five = "SELECT 1 UNION ALL SELECT 2.0 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT ";
    expect(await rowsOf(`${five} 5.0`)).toEqual([[1], [{ real: "2.0" }], [3], [4], [{ real: "5.0" }]]);
    const exact = [[1], [{ real: "2.0" }], [3], [4], [{ int: "9007199254740993" }]];
    expect(await rowsOf(`${five} 9007199254740993`)).toEqual(exact);
  });

  it("show the application's schema alone", async () => {
    for (const name of ["sqlite_schema", "sqlite_master"]) {
      const names = (await rowsOf(`SELECT name FROM ${name} ORDER BY 1`)) as string[][];
      expect(names.flat()).toContain("notes");
      expect(names.flat().filter((text) => /^(_cf_|__mini)/.test(text))).toEqual([]);
    }
  });

  it("do not show what an earlier request changed", async () => {
    await store.query("INSERT INTO notes (text) VALUES ('a'), ('b')");
    expect(await rowsOf("SELECT changes()")).toEqual([[0]]);
  });

  it("say which deferred foreign key a request breaks, and keep the object", async () => {
    await store.query("CREATE TABLE parent (id INTEGER PRIMARY KEY)");
    await store.query("CREATE TABLE child (p REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
    const broken = { kind: "sql-error", message: expect.stringContaining("FOREIGN KEY constraint failed") };
    expect(await rowsOf("INSERT INTO child VALUES (7)")).toMatchObject(broken);
    expect(await rowsOf("SELECT count(*) FROM child")).toEqual([[0]]);
  });

  it("may have 100 columns", async () => {
    const cells = Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0 ? `${2n ** 60n + BigInt(i)}` : `${i}.0`,
    );
    const rows = (await rowsOf(
      `SELECT * FROM (SELECT ${cells.join(", ")} UNION ALL SELECT ${cells.map((_, i) => i).join(", ")})`,
    )) as unknown[][];
    const first = cells.map((cell, i) => (i % 2 === 0 ? { int: cell } : { real: cell }));
    expect(rows).toEqual([first, cells.map((_, i) => i)]);
  });

  it("of PRAGMA and EXPLAIN come as numbers", async () => {
    expect(await rowsOf("PRAGMA table_info(notes)")).toEqual([
      [0, "id", "INTEGER", 0, null, 1],
      [1, "text", "", 0, null, 0],
    ]);
    expect((await rowsOf("EXPLAIN SELECT 1")) as unknown[][]).toContainEqual(
      expect.arrayContaining(["Init"]),
    );
  });

  const big = { int: "9007199254740993" };
  const five = { real: "5.0" };
  const returned: [clause: string, params: unknown[], columns: string[], row: unknown[]][] = [
    ["text", [big], ["text"], [big]],
    ["text, text + 0", [five], ["text", "text + 0"], [five, five]],
    ["1e300, -0.0, 9e999", [1], ["1e300", "-0.0", "9e999"], [1e300, { real: "-0" }, { real: "Infinity" }]],
    [
      "text AS a, text b, text 'c', text IS NULL, text NOTNULL",
      [five],
      ["a", "b", "c", "text IS NULL", "text NOTNULL"],
      [five, five, five, 0, 1],
    ],
    [
      "CASE WHEN text THEN text END, ?, ?2 || ''",
      [five, big],
      ["CASE WHEN text THEN text END", "?", "?2 || ''"],
      [five, big, "9007199254740993"],
    ],
    [
      "(SELECT max(text) FROM (SELECT 5.0 AS text)), /* one, two */ text -- and this",
      [7],
      ["(SELECT max(text) FROM (SELECT 5.0 AS text))", "text"],
      [five, 7],
    ],
    [
      "cast(text AS text), text COLLATE nocase",
      [big],
      ["cast(text AS text)", "text COLLATE nocase"],
      ["9007199254740993", big],
    ],
  ];
  it.each(returned)("of RETURNING %s %o", async (clause, params, columns, row) => {
    const sql = `INSERT INTO notes (text) VALUES (?) RETURNING ${clause}`;
    expect(await store.query(sql, params)).toMatchObject({ ok: true, results: [{ columns, rows: [row] }] });
  });

  it("of RETURNING *", async () => {
    const answer = await store.query("INSERT INTO notes VALUES (77, ?) RETURNING *, 1.0", [big]);
    expect(answer).toMatchObject({
      results: [{ columns: ["id", "text", "1.0"], rows: [[77, big, { real: "1.0" }]] }],
    });
  });

  it("of RETURNING with a random number are exact or refused, and then rolled back", async () => {
    const before = await rowsOf("SELECT count(*) FROM notes");
    const refused = await rowsOf(
      "INSERT INTO notes (text) VALUES (1) RETURNING abs(random() / 2) + 9007199254740993",
    );
    expect(refused).toMatchObject({ kind: "integer-precision" });
    expect(await rowsOf("SELECT count(*) FROM notes")).toEqual(before);
  });

  it("count rows read and written", async () => {
    const answer = await store.query("INSERT INTO notes (text) VALUES ('a'), ('b')");
    expect(answer).toMatchObject({ results: [{ columns: [], rows: [], rowsWritten: 2 }], side: "store" });
  });
});
