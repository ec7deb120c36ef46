// What is recorded of a write to a file: the keys that rows were given, and whether the schema changed.
import { describe, expect, it } from "vitest";
import type { FileDatabase } from "../../src/file/database.ts";
import { runOnFile } from "../../src/file/engine.ts";
import { WriteWatch } from "../../src/file/written.ts";
import { parseQueryRequest } from "../../src/query/request.ts";

const SCHEMA = `CREATE TABLE orders (id INTEGER PRIMARY KEY, number TEXT, shop INTEGER, note TEXT, UNIQUE (shop, number));
CREATE UNIQUE INDEX open_note ON orders (note) WHERE note IS NOT NULL;
CREATE TABLE lines (order_id INTEGER, line INTEGER, what, PRIMARY KEY (order_id, line)) WITHOUT ROWID;
CREATE TABLE log (what);
CREATE TABLE children (id TEXT PRIMARY KEY, of INTEGER REFERENCES orders ON UPDATE CASCADE);
CREATE TRIGGER logs AFTER INSERT ON orders WHEN NEW.note = 'line' BEGIN INSERT INTO lines VALUES (NEW.id, 1, 'x'); END;
CREATE VIRTUAL TABLE search USING fts5(body);
INSERT INTO orders VALUES (1, 'a', 1, NULL), (2, 'b', 1, NULL);
INSERT INTO children VALUES ('c', 1);
INSERT INTO lines VALUES (1, 1, 'one');
INSERT INTO search (body) VALUES ('one')`;

const watch = (db: FileDatabase) => new WriteWatch(db);

function run(file: Uint8Array, sql: string, watched = true) {
  const statements = sql.split(/;\n/).map((text) => ({ sql: text }));
  return runOnFile(
    file,
    parseQueryRequest({ statements }),
    undefined,
    undefined,
    "store",
    watched ? watch : undefined,
  );
}

const before = run(new Uint8Array(0), SCHEMA, false).changed ?? new Uint8Array(0);

/** `table(columns)` with the values that rows were given. */
function keysOf(sql: string): Record<string, unknown> {
  const { written } = run(before, sql);
  expect(written?.schemaChanged).toBe(false);
  return Object.fromEntries(written?.keys.map((k) => [`${k.table}(${k.columns.join()})`, k.rows]) ?? []);
}

describe("the keys that a write gives to rows", () => {
  it.each<[string, Record<string, unknown>]>([
    [
      "INSERT INTO orders VALUES (7, 'x', 2, 'n')",
      { "orders(id)": [[7n]], "orders(shop,number)": [[2n, "x"]] },
    ],
    ["INSERT INTO orders (number) VALUES ('x')", { "orders(id)": [[3n]] }],
    ["INSERT OR REPLACE INTO orders VALUES (1, 'a', 1, 'changed')", {}],
    ["INSERT INTO orders VALUES (1, 'z', 9, 'n') ON CONFLICT (id) DO UPDATE SET note = 'n'", {}],
    [
      "INSERT INTO orders VALUES (1, 'z', 9, 'n') ON CONFLICT (id) DO UPDATE SET number = 'c'",
      { "orders(shop,number)": [[1, "c"]] },
    ],
    ["UPDATE orders SET note = 'only a note' WHERE id = 1", {}],
    ["UPDATE orders SET id = 8 WHERE id = 2", { "orders(id)": [[8n]], "orders(shop,number)": [[1n, "b"]] }],
    ["UPDATE orders SET id = 8 WHERE id = 1", { "orders(id)": [[8n]], "orders(shop,number)": [[1n, "a"]] }],
    ["DELETE FROM orders WHERE id = 2;\nINSERT INTO orders VALUES (2, 'b', 1, 'again')", {}],
    ["INSERT INTO orders VALUES (9, 'x', 2, 'n');\nDELETE FROM orders WHERE id = 9", {}],
    ["DELETE FROM orders WHERE id = 2", {}],
    [
      "INSERT INTO orders VALUES (7, NULL, 2, 'line')",
      { "orders(id)": [[7n]], "lines(order_id,line)": [[7n, 1n]] },
    ],
    ["INSERT INTO lines VALUES (1, 2, 'two')", { "lines(order_id,line)": [[1n, 2n]] }],
    ["INSERT INTO children VALUES ('d', NULL)", { "children(id)": [["d"]] }],
    ["INSERT INTO log VALUES ('no key')", {}],
    ["INSERT INTO search (body) VALUES ('two')", {}],
    ["INSERT INTO orders (id) VALUES (9007199254740993)", { "orders(id)": [[9007199254740993n]] }],
  ])("%s", (sql, keys) => {
    expect(keysOf(sql)).toEqual(keys);
  });

  it("change nothing of what is saved, nor of the answer", () => {
    const sql = "INSERT INTO orders VALUES (7, 'x', 2, 'line') RETURNING id";
    const [watched, plain] = [run(before, sql), run(before, sql, false)];
    expect(watched.results).toEqual(plain.results);
    expect(watched.changed).toEqual(plain.changed);
    expect(plain.written).toBeUndefined();
  });
});

describe("a change of the schema", () => {
  it.each([
    "CREATE TABLE fresh (a)",
    "ALTER TABLE orders ADD COLUMN extra",
    "DROP TABLE log",
    "CREATE INDEX by_note ON orders (note)",
    "CREATE VIRTUAL TABLE other USING fts5(a)",
    "DROP TRIGGER logs;\nINSERT INTO orders (id) VALUES (7)",
  ])("%s", (sql) => {
    expect(run(before, sql).written).toEqual({ schemaChanged: true, keys: [] });
  });

  it.each(["ANALYZE", "REINDEX", "CREATE TABLE fresh (a);\nDROP TABLE fresh"])("is not: %s", (sql) => {
    expect(run(before, sql).written).toEqual({ schemaChanged: false, keys: [] });
  });
});
