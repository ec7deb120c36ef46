// What kinds of tables come across.
import { describe, expect, it } from "vitest";
import {
  Client,
  type SentObject,
  type SentTable,
  activeStore,
  databaseDigest,
  encodeRows,
  table,
} from "./client.ts";
import { type Row, batch, jFrame } from "./encode.ts";

const t = [table("t", "CREATE TABLE t (a)")];
const rowsOf = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, i): Row => [BigInt(from + i), `row ${from + i}`]);

interface Case {
  readonly name: string;
  readonly objects: readonly SentObject[];
  readonly tables: Record<string, SentTable>;
  readonly more?: object;
}

const columns100 = Array.from({ length: 100 }, (_, i) => `c${i}`);

const cases: Case[] = [
  {
    name: "WITHOUT ROWID with directions and collations",
    objects: [
      table(
        "w",
        'CREATE TABLE w (v, b TEXT, a INT, "odd ""name" BLOB, PRIMARY KEY (a DESC, b COLLATE NOCASE, "odd ""name")) WITHOUT ROWID',
      ),
    ],
    tables: {
      w: {
        columns: ["v", "b", "a", 'odd "name'],
        rows: [
          [1.5, "a", 2n ** 60n, { blob: [0] }],
          [null, "B", 2n ** 60n, { blob: [] }],
          ["x", "b", 2n ** 60n, { blob: [1] }],
          [{ blob: [1] }, "c\0", 5n, 5n],
          [{ blob: [1] }, "c\0", 5n, "t"],
          [-0, "Z", -(2n ** 63n), 0.5],
        ],
      },
    },
  },
  {
    name: "INTEGER PRIMARY KEY, and the DESC one that is not the rowid",
    objects: [
      table("k", "CREATE TABLE k (a TEXT, id INTEGER PRIMARY KEY)"),
      table("d", "CREATE TABLE d (id INTEGER PRIMARY KEY DESC, a)"),
    ],
    tables: {
      k: {
        columns: ["a", "id"],
        rows: [
          ["first", -(2n ** 63n)],
          ["middle", 0n],
          ["last", 2n ** 63n - 1n],
        ],
      },
      d: {
        columns: ["rowid", "id", "a"],
        rows: [
          [1n, 30n, "x"],
          [2n, 20n, "y"],
        ],
      },
    },
  },
  {
    name: "columns that take the rowid's name",
    objects: [table("r", "CREATE TABLE r (rowid TEXT, _rowid_ TEXT)")],
    tables: {
      r: {
        columns: ["oid", "rowid", "_rowid_"],
        rows: [
          [5n, "a", "b"],
          [9n, "c", null],
        ],
      },
    },
  },
  {
    name: "100 columns and a rowid beside them",
    objects: [table("wide", `CREATE TABLE wide (${columns100.join(", ")})`)],
    tables: {
      wide: {
        columns: ["rowid", ...columns100],
        rows: [
          [7n, ...columns100.map((_, i): Row[number] => (i % 2 === 0 ? BigInt(i) : i + 0.5))],
          [8n, ...columns100.map((c, i): Row[number] => (i % 3 === 0 ? { blob: [i] } : c))],
        ],
      },
    },
  },
  {
    name: "generated columns: STORED are in, VIRTUAL are not",
    objects: [table("g", "CREATE TABLE g (a INTEGER, s AS (a * 2) STORED, v AS (a * 3), b TEXT)")],
    tables: {
      g: { columns: ["rowid", "a", "b"], rows: [[1n, 21n, "x"]], stored: [[1n, 21n, 42n, "x"]] },
    },
  },
  {
    name: "AUTOINCREMENT, whose sequence is ahead of the rows",
    objects: [table("a", "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, v)")],
    tables: {
      sqlite_sequence: {
        columns: ["rowid", "name", "seq"],
        rows: [
          [4n, "a", 2n ** 62n],
          [9n, "gone", "odd"],
        ],
      },
      a: {
        columns: ["id", "v"],
        rows: [
          [1n, "x"],
          [7n, "y"],
        ],
      },
    },
    more: { internal: ["sqlite_sequence"] },
  },
  {
    name: "AUTOINCREMENT whose sequence was emptied",
    objects: [table("a", "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)")],
    tables: { a: { columns: ["id"], rows: [[1n]] }, sqlite_sequence: { rows: [] } },
    more: { internal: ["sqlite_sequence"] },
  },
  {
    name: "sqlite_stat1",
    objects: [...t, { type: "index", name: "i", table: "t", sql: "CREATE INDEX i ON t (a)" }],
    tables: {
      t: { columns: ["rowid", "a"], rows: rowsOf(1, 4) },
      sqlite_stat1: { columns: ["rowid", "tbl", "idx", "stat"], rows: [[3n, "t", "i", "3 1"]] },
    },
    more: { internal: ["sqlite_stat1"] },
  },
  {
    name: "rows that break foreign keys and checks which came later, with the child first",
    objects: [
      table("child", "CREATE TABLE child (p REFERENCES parent (id), n CHECK (n > 0))"),
      table("parent", "CREATE TABLE parent (id INTEGER PRIMARY KEY)"),
    ],
    tables: {
      child: {
        columns: ["rowid", "p", "n"],
        rows: [
          [1n, 1n, 5n],
          [2n, 404n, -5n],
        ],
      },
      parent: { columns: ["id"], rows: [[1n]] },
    },
  },
  {
    name: "conflict clauses that would drop rows",
    objects: [table("u", "CREATE TABLE u (a UNIQUE ON CONFLICT REPLACE, b NOT NULL ON CONFLICT IGNORE)")],
    tables: {
      u: {
        columns: ["rowid", "a", "b"],
        rows: [
          [1n, "x", "1"],
          [2n, "y", "2"],
        ],
      },
    },
  },
  {
    name: "STRICT",
    objects: [table("s", "CREATE TABLE s (i INT, r REAL, a ANY) STRICT")],
    tables: {
      s: {
        columns: ["rowid", "i", "r", "a"],
        rows: [
          [1n, 5n, 5.5, 5],
          [2n, null, 0.25, "5"],
        ],
      },
    },
  },
  {
    name: "triggers that would have fired, views, and INSTEAD OF triggers on them",
    objects: [
      ...t,
      table("log", "CREATE TABLE log (a)"),
      {
        type: "trigger",
        name: "tr",
        table: "t",
        sql: "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END",
      },
      {
        type: "trigger",
        name: "io",
        table: "v",
        sql: "CREATE TRIGGER io INSTEAD OF INSERT ON v BEGIN SELECT 1; END",
      },
      { type: "view", name: "v", table: "v", sql: "CREATE VIEW v AS SELECT a FROM t" },
    ],
    tables: { t: { columns: ["rowid", "a"], rows: rowsOf(1, 4) }, log: { rows: [] } },
  },
];

describe("tables", () => {
  it.each(cases)("$name", async ({ objects, tables, more }) => {
    const client = new Client();
    expect(await client.import(objects, tables, more)).toMatchObject({
      status: 200,
      json: { phase: "READY" },
    });
    expect((await client.digest()).json.digest).toMatchObject(databaseDigest(objects, tables, more));
    for (const [name, { columns, rows, stored }] of Object.entries(tables)) {
      if (columns === undefined) continue;
      const page = await client.exportRows(name, null, 1_000_000);
      expect(page).toMatchObject({
        header: { rows: rows.length, done: true },
        ...encodeRows(stored ?? rows),
      });
    }
    const { schema } = (await client.get("export/schema")).json;
    expect(new Set(schema.objects)).toEqual(new Set(objects));
    expect(schema.header).toMatchObject({ userVersion: 7, internal: [], ...more });
  });

  it("may break foreign keys and checks in every event of an import, and when they are dropped", async () => {
    const { objects = [], tables = {} } = cases.find(({ name }) => name.startsWith("rows that break")) ?? {};
    const client = new Client();
    await client.claim("migrate");
    for (let round = 0; round < 2; round++) {
      await client.schema(objects);
      for (const [seq, [name, { columns = [], rows }]] of Object.entries(tables).entries()) {
        await client.evict();
        expect(await client.rows(seq, batch(jFrame(name, columns, rows)))).toMatchObject({ status: 200 });
      }
      await client.evict();
      expect(await client.post("reset", { gen: client.gen })).toMatchObject({ status: 200 });
    }
  });

  it("lose no row to a conflict clause", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([table("u", "CREATE TABLE u (a UNIQUE ON CONFLICT REPLACE)")]);
    const twice = batch(jFrame("u", ["a"], [["x"], ["x"]]));
    expect(await client.rows(0, twice)).toMatchObject({
      status: 422,
      json: { error: { kind: "rows-refused" } },
    });
  });

  it("check rows again once they are active", async () => {
    const objects = cases.find(({ name }) => name.startsWith("rows that break"));
    const client = await activeStore(objects?.objects ?? [], objects?.tables);
    for (const sql of ["INSERT INTO child VALUES (405, 1)", "INSERT INTO child VALUES (1, -1)"]) {
      expect(await client.query(sql)).toMatchObject({ ok: false, error: { kind: "sql-error" } });
    }
    expect(await client.query("INSERT INTO child VALUES (1, 1)")).toMatchObject({ ok: true });
  });

  it("fire triggers again once they are active", async () => {
    const { objects = [], tables = {} } = cases.find(({ name }) => name.startsWith("triggers")) ?? {};
    const client = await activeStore(objects, tables);
    await client.query("INSERT INTO t VALUES ('new')");
    expect(await client.query("SELECT a FROM log")).toMatchObject({ results: [{ rows: [["new"]] }] });
  });
});
