// A wipe of what one request cannot delete: the content is given up at once, and deleted in bounded steps.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { Bookkeeping } from "../../src/state/bookkeeping.ts";
import { isPlatformName } from "../../src/store/catalog.ts";
import { WIPE_BOUNDS, type WipeBounds, clearRest, wipe } from "../../src/store/wipe.ts";
import { Client, table } from "./client.ts";

const small: WipeBounds = { wholeBytes: 0, requestBytes: 64 * 1024, stepBytes: 16 * 1024, rowBytes: 64 };
const usual = { ...WIPE_BOUNDS };
const apply = (bounds: WipeBounds) => Object.assign(WIPE_BOUNDS, bounds);

afterEach(() => void apply(usual));

const rowsOf = (count: number, row: string) =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO t SELECT ${row} FROM n`;

// Each is a table t of more than one request.
const tables: readonly [string, readonly string[]][] = [
  ["small rows", ["CREATE TABLE t (a, b)", rowsOf(4000, "i, 'x'")]],
  ["long rows", ["CREATE TABLE t (a)", rowsOf(60, "zeroblob(9000)")]],
  ["a long row among short ones", ["CREATE TABLE t (a)", rowsOf(900, "zeroblob(iif(i = 400, 500000, 200))")]],
  ["indexes", ["CREATE TABLE t (a UNIQUE, b)", "CREATE INDEX i ON t (b, a)", rowsOf(2000, "i, -i")]],
  ["a column named rowid", ["CREATE TABLE t (rowid TEXT, b)", rowsOf(3000, "'r' || i, i")]],
  [
    "rowids at both ends",
    ["CREATE TABLE t (k INTEGER PRIMARY KEY)", rowsOf(3000, "(i - 1500) * 6148914691236517")],
  ],
  [
    "a key of two columns, one descending",
    [
      "CREATE TABLE t (a, b, c, PRIMARY KEY (a, b DESC)) WITHOUT ROWID",
      rowsOf(3000, "i % 7, i, zeroblob(20)"),
    ],
  ],
  [
    "a key in another collation than its column",
    [
      "CREATE TABLE t (a COLLATE NOCASE, PRIMARY KEY (a COLLATE BINARY)) WITHOUT ROWID",
      rowsOf(3000, "iif(i % 2, 'k', 'K') || (i / 2)"),
    ],
  ],
  [
    "triggers and views",
    [
      "CREATE TABLE t (a)",
      "CREATE TABLE log (a)",
      rowsOf(3000, "i"),
      "CREATE VIEW v AS SELECT * FROM t",
      "CREATE TRIGGER g AFTER DELETE ON t BEGIN INSERT INTO log VALUES (old.a); END",
    ],
  ],
  [
    "children of a parent",
    [
      "CREATE TABLE t (a INTEGER PRIMARY KEY)",
      rowsOf(3000, "i"),
      "CREATE TABLE u (a REFERENCES t (a))",
      "INSERT INTO u SELECT a FROM t",
    ],
  ],
  ["AUTOINCREMENT", ["CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, b)", rowsOf(3000, "i, 'x'")]],
  [
    "a full-text index beside",
    ["CREATE TABLE t (a)", rowsOf(3000, "'word ' || i"), "CREATE VIRTUAL TABLE f USING fts5(a)"],
  ],
];

describe("a large object is wiped in bounded steps", () => {
  it.each(tables)("%s", async (_name, statements) => {
    const client = new Client();
    await client.get("status");
    const found = await runInDurableObject(client.stub, async (_, { storage }) => {
      for (const statement of statements) storage.sql.exec(statement);
      const books = new Bookkeeping(storage.kv);
      const store = { storage, sql: storage.sql, books };
      const before = count(storage.sql);
      storage.transactionSync(() => wipe(store, small));
      const untouched = count(storage.sql) === before && books.hasRest;
      const deleted: number[] = [];
      for (let left = before; books.hasRest && deleted.length < 1000; left = count(storage.sql)) {
        await clearRest(store, small);
        deleted.push(left - count(storage.sql));
      }
      return { before, untouched, deleted, rest: namesIn(storage.sql) };
    });
    expect(found).toMatchObject({ untouched: true, rest: [] });
    expect(found.deleted.length).toBeGreaterThan(2);
    // No row costs less than 64 bytes, and a request ends with the step that spends it.
    const most = (small.requestBytes + small.stepBytes) / small.rowBytes;
    expect(Math.max(...found.deleted)).toBeLessThanOrEqual(most);
  });

  it("but what fits into a request goes with the message", async () => {
    const client = new Client();
    await filled(client);
    await client.claim("rollback");
    const { json } = await client.post("release", { gen: client.gen });
    expect(json).toMatchObject({ phase: "EMPTY" });
    expect(json.clearing).toBeUndefined();
  });
});

function count(sql: SqlStorage): number {
  return namesIn(sql).includes("t") ? Number(sql.exec("SELECT count(*) FROM t").raw().next().value?.[0]) : 0;
}

function namesIn(sql: SqlStorage): string[] {
  const rows = [...sql.exec<{ name: string }>("SELECT name FROM sqlite_schema")];
  return rows
    .map(({ name }) => name)
    .filter((name) => !isPlatformName(name) && !/^sqlite_sequence$/.test(name));
}

const objects = [table("t", "CREATE TABLE t (x)")];
const content = (count: number) => ({
  t: {
    columns: ["rowid", "x"],
    rows: Array.from({ length: count }, (_, i) => [BigInt(i + 1), `row ${i}`]),
  },
});

/** An object that serves, of more than one request of `small`. */
async function filled(client: Client): Promise<void> {
  await client.import(objects, content(4000));
  await client.post("activate", { gen: client.gen });
}

describe("while the rest of a wipe is there", () => {
  it("nothing reads it, other messages come between, and the next import has its own rows only", async () => {
    const client = new Client();
    await filled(client);
    await client.claim("rollback");
    apply(small);
    const released = await client.post("release", { gen: client.gen });
    expect(released.json).toMatchObject({ phase: "EMPTY", lin: 0, clearing: true });
    await evictDurableObject(client.stub);
    expect((await client.get("status")).json).toMatchObject({ phase: "EMPTY", clearing: true });
    expect((await client.post("digest", { budgetMs: 50 })).json.error.kind).toBe("wrong-phase");
    expect((await client.get("export/schema")).json.error.kind).toBe("wrong-phase");
    const claimed = await client.claim("migrate");
    expect(claimed.json).toMatchObject({ phase: "IMPORTING", outcome: "import", clearing: true });
    const early = await client.schema(objects);
    expect([early.status, early.json.error.kind]).toEqual([503, "overloaded"]);
    let calls = 0;
    for (let clearing = true; clearing; calls++) {
      const { json } = await client.post("reset", { gen: client.gen });
      expect(json).toMatchObject({ phase: "IMPORTING", gen: client.gen, lin: client.gen });
      clearing = json.clearing === true;
    }
    expect(calls).toBeGreaterThan(1);
    await client.import(objects, content(3));
    const rows = await runInDurableObject(client.stub, (_, { storage }) => count(storage.sql));
    expect(rows).toBe(3);
  });

  it("an operator's side that does not know of it gets through by repeating the schema", async () => {
    const client = new Client();
    await filled(client);
    await client.claim("rollback");
    apply(small);
    await client.post("release", { gen: client.gen });
    await client.claim("migrate");
    let sent = await client.schema(objects);
    for (let tries = 0; sent.status === 503 && tries < 1000; tries++) sent = await client.schema(objects);
    expect(sent.status).toBe(200);
  });

  it("a claim that comes while another one clears keeps its own number", async () => {
    const both = async (): Promise<void> => {
      const client = new Client();
      await filled(client);
      await client.claim("rollback");
      apply(small);
      const { gen } = client;
      const [released, claimed] = await Promise.all([
        client.post("release", { gen }),
        client.post("claim", { intent: "migrate", seen: gen }),
      ]);
      // On a busy machine the claim may arrive first.
      if (released.status === 409) return both();
      expect(released.json).toMatchObject({ phase: "EMPTY", gen });
      expect(claimed.json).toMatchObject({ gen: gen + 1 });
    };
    await both();
  });
});
