// Batches, and what kinds of tables come across.
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { Client, type SentObject, type SentTable, activeStore, databaseDigest, encodeRows, table } from "./client.ts";
import { type Row, batch, dFrame, jFrame } from "./encode.ts";

const t = [table("t", "CREATE TABLE t (a)")];
const rowsOf = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, i): Row => [BigInt(from + i), `row ${from + i}`]);
const part = (from: number, to: number) => batch(jFrame("t", ["rowid", "a"], rowsOf(from, to)));

describe("batches", () => {
  it("may come in any order, twice, and with evictions between them", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.evict();
    await client.schema(t);
    const applied: boolean[] = [];
    for (const seq of [2, 0, 2, 3, 0, 1, 3, 1]) {
      await client.evict();
      const { status, json } = await client.rows(seq, part(seq * 10 + 1, seq * 10 + 11));
      expect(status).toBe(200);
      applied.push(json.applied);
    }
    expect(applied).toEqual([true, true, false, true, false, true, false, false]);
    expect((await client.get("status")).json.batches.applied).toEqual([[0, 3]]);
    await client.evict();
    await client.finish(4);
    await client.evict();
    expect((await client.digest()).json.digest).toEqual(databaseDigest(t, { t: { rows: rowsOf(1, 41) } }));
  });

  it("that are missing are named at finish, and nothing is finished", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([...t, { type: "index", name: "i", table: "t", sql: "CREATE INDEX i ON t (a)" }]);
    for (const seq of [1, 2, 5]) await client.rows(seq, part(seq * 10, seq * 10 + 10));
    expect(await client.finish(8)).toMatchObject({
      status: 409,
      json: {
        error: {
          kind: "batches-missing",
          details: {
            missing: [
              [0, 0],
              [3, 4],
              [6, 7],
            ],
          },
        },
      },
    });
    expect(await client.finish(5)).toMatchObject({ status: 409, json: { error: { kind: "batches-missing" } } });
    for (const seq of [0, 3, 4]) await client.rows(seq, part(seq * 10 + 1000, seq * 10 + 1010));
    expect(await client.finish(5)).toMatchObject({ status: 400, json: { error: { kind: "bad-request" } } });
    expect(await client.finish(6)).toMatchObject({ status: 200, json: { done: true, remaining: 0 } });
    expect(await client.finish(6)).toMatchObject({ status: 200, json: { done: true, remaining: 0 } });
  });

  it("are refused once finish has begun, except those that were applied", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema(t);
    await client.rows(0, part(1, 5));
    await client.finish(1);
    expect(await client.rows(1, part(5, 9))).toMatchObject({ status: 409, json: { error: { kind: "wrong-phase" } } });
    expect(await client.rows(0, part(1, 5))).toMatchObject({ status: 200, json: { applied: false } });
  });

  it("start anew with a reset", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema(t);
    await client.rows(0, part(1, 50));
    expect((await client.post("reset", { gen: client.gen })).json).toMatchObject({ lin: 1, batches: { applied: [] } });
    expect(await client.rows(0, part(1, 5))).toMatchObject({ status: 422 });
    await client.schema(t);
    expect((await client.rows(0, part(1, 5))).json.applied).toBe(true);
    await client.finish(1);
    expect((await client.digest()).json.digest).toEqual(databaseDigest(t, { t: { rows: rowsOf(1, 5) } }));
  });

  it("of the largest size arrive", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema(t);
    const row = (id: bigint, size: number): Row => [id, "x".repeat(size)];
    const large = [row(1n, 1_999_000), row(2n, 1_999_000), row(3n, 1_999_000)];
    const body = batch(
      ...large.map((r) => dFrame("t", ["rowid", "a"], r)),
      jFrame("t", ["rowid", "a"], [row(4n, 890_000)]),
    );
    expect((await client.rows(0, body)).json).toEqual({ seq: 0, applied: true });
    await client.finish(1);
    const tables = { t: { rows: [...large, row(4n, 890_000)] } };
    expect((await client.digest()).json.digest).toEqual(databaseDigest(t, tables));
  });
});

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
      { type: "trigger", name: "io", table: "v", sql: "CREATE TRIGGER io INSTEAD OF INSERT ON v BEGIN SELECT 1; END" },
      { type: "view", name: "v", table: "v", sql: "CREATE VIEW v AS SELECT a FROM t" },
    ],
    tables: { t: { columns: ["rowid", "a"], rows: rowsOf(1, 4) }, log: { rows: [] } },
  },
];

describe("tables", () => {
  it.each(cases)("$name", async ({ objects, tables, more }) => {
    const client = new Client();
    expect(await client.import(objects, tables, more)).toMatchObject({ status: 200, json: { phase: "READY" } });
    expect((await client.digest()).json.digest).toEqual(databaseDigest(objects, tables, more));
    for (const [name, { columns, rows, stored }] of Object.entries(tables)) {
      if (columns === undefined) continue;
      const page = await client.exportRows(name, null, 1_000_000);
      expect(page).toMatchObject({ header: { rows: rows.length, done: true }, ...encodeRows(stored ?? rows) });
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
    expect(await client.rows(0, twice)).toMatchObject({ status: 422, json: { error: { kind: "rows-refused" } } });
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

const text = (s: string) => ({ text: Buffer.from(s).toString("base64") });

describe("virtual tables", () => {
  const own = table("notes", "CREATE VIRTUAL TABLE notes USING fts5(title, body, tokenize = 'porter')");
  const docs = table("docs", "CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT)");
  const external = table(
    "docs_fts",
    "CREATE VIRTUAL TABLE docs_fts USING fts5(body, content='docs', content_rowid='id')",
  );
  const boxes = table("boxes", "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, +label)");
  const objects = [own, docs, external, boxes];
  const tables: Record<string, SentTable> = {
    notes: {
      columns: ["rowid", "title", "body"],
      rows: [
        [5n, "Running", "the runners ran"],
        [2n ** 40n, null, "é\0"],
      ],
    },
    docs: {
      columns: ["id", "body"],
      rows: [
        [1n, "hello world"],
        [2n, "hello there"],
      ],
    },
    boxes: {
      columns: ["id", "x0", "x1", "label"],
      rows: [
        [-3n, 0.5, 1.5, "low"],
        [8n, -2, 7, null],
      ],
    },
  };
  const virtual = [
    { name: "notes", load: "rows", config: [[text("rank"), text("bm25(10.0, 5.0)")]] },
    { name: "docs_fts", load: "rebuild" },
    { name: "boxes", load: "rows" },
  ];

  async function imported(more: object = {}): Promise<Client> {
    const client = new Client();
    await client.claim("migrate");
    expect(await client.schema(objects, more, virtual)).toMatchObject({ status: 200 });
    let seq = 0;
    for (const [name, { columns, rows }] of Object.entries(tables)) {
      expect(await client.rows(seq++, batch(jFrame(name, columns ?? [], rows)))).toMatchObject({ status: 200 });
    }
    expect(await client.finish(seq)).toMatchObject({ json: { done: true } });
    return client;
  }

  it("come across with rows of their own or rebuilt, and can be searched", async () => {
    const client = await imported();
    expect((await client.digest()).json.digest).toEqual(databaseDigest(objects, tables));
    expect((await client.ready()).status).toBe(200);
    expect((await client.get("export/schema")).json.schema).toMatchObject({ objects, virtual });
    await client.activate();
    for (const [sql, expected] of [
      ["SELECT rowid FROM notes('run')", [[5]]],
      ["SELECT rowid FROM docs_fts('hello') ORDER BY rowid", [[1], [2]]],
      ["SELECT label FROM boxes WHERE x1 > 5", [[null]]],
      ["SELECT v FROM notes_config WHERE k = 'rank'", [["bm25(10.0, 5.0)"]]],
    ] as const) {
      expect(await client.query(sql)).toMatchObject({ results: [{ rows: expected }] });
    }
  });

  it("leave nothing behind when they are wiped", async () => {
    const client = await imported({ internal: ["sqlite_stat1"] });
    await client.claim("rollback");
    const left = await runInDurableObject(client.stub, (_, state) => [
      ...state.storage.sql.exec("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_%' ESCAPE '\\'"),
    ]);
    expect(left).toEqual([]);
    await client.claim("migrate");
    expect(await client.schema(objects, {}, virtual)).toMatchObject({ status: 200 });
  });

  it("that cannot be rebuilt are named", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([external], {}, [{ name: "docs_fts", load: "rebuild" }]);
    expect(await client.finish(0)).toMatchObject({
      status: 422,
      json: { error: { kind: "schema-refused", details: { object: "docs_fts" } } },
    });
  });
});

describe("finish", () => {
  it("names the object that SQLite refuses, and keeps what was done before it", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([
      ...t,
      { type: "index", name: "good", table: "t", sql: "CREATE INDEX good ON t (a)" },
      { type: "index", name: "unique", table: "t", sql: 'CREATE UNIQUE INDEX "unique" ON t (a)' },
    ]);
    await client.rows(0, batch(jFrame("t", ["a"], [["twice"], ["twice"]])));
    for (let i = 0; i < 2; i++) {
      expect(await client.finish(1)).toMatchObject({
        status: 422,
        json: { error: { kind: "schema-refused", details: { object: "unique" } } },
      });
    }
    expect((await client.ready()).json.error.kind).toBe("digest-incomplete");
  });

  it("goes on after an eviction in its middle", async () => {
    const indexes = Array.from({ length: 450 }, (_, i) => ({
      type: "view",
      name: `v${i}`,
      table: `v${i}`,
      sql: `CREATE VIEW v${i} AS SELECT ${i}`,
    }));
    const client = new Client();
    await client.claim("migrate");
    await client.schema([...t, ...indexes]);
    const answers: unknown[] = [];
    for (let done = false; !done;) {
      const { json } = await client.post("finish", { gen: client.gen, batches: 0 });
      answers.push(json.remaining);
      done = json.done;
      await client.evict();
    }
    expect(answers).toEqual([251, 51, 0]);
    expect((await client.digest()).json.digest).toEqual(databaseDigest([...t, ...indexes], { t: { rows: [] } }));
  });
});
