import { describe, expect, it } from "vitest";
import authorizerModule from "../../src/file/authorizer.wasm?module";
import { runOnFile } from "../../src/file/engine.ts";
import { parseQueryRequest } from "../../src/query/request.ts";

const EMPTY = new Uint8Array(0);
const run = (sql: string) =>
  runOnFile(EMPTY, parseQueryRequest({ statements: [{ sql: "CREATE TABLE t(a)" }, { sql }] }));

describe("what a Durable Object denies is denied on files", () => {
  it.each([
    "BEGIN",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT s",
    "RELEASE s",
    "ROLLBACK TO s",
    "ATTACH ':memory:' AS other",
    "DETACH other",
    "VACUUM",
    "VACUUM INTO 'copy'",
    "CREATE TEMP TABLE u(a)",
    "CREATE TABLE temp.u(a)",
    "CREATE TEMP VIEW v AS SELECT 1",
    "CREATE VIEW temp.v AS SELECT 1",
    "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE temp.f USING fts5(a)",
    "PRAGMA user_version = 5",
    "EXPLAIN PRAGMA user_version",
    "PRAGMA temp.user_version",
    "PRAGMA journal_mode = WAL",
    "PRAGMA page_size = 8192",
    "PRAGMA writable_schema = 1",
    "PRAGMA foreign_keys = off",
    "PRAGMA defer_foreign_keys(1)",
    "EXPLAIN PRAGMA case_sensitive_like = on",
    "SELECT * FROM pragma_user_version",
    "INSERT INTO sqlite_schema VALUES ('table', 'u', 'u', 3, 'CREATE TABLE u(a)')",
    "CREATE TABLE _cf_x(a)",
    "CREATE VIEW _CF_x AS SELECT 1",
    "CREATE INDEX _cf_i ON t(a)",
    "CREATE TRIGGER _cf_r AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE _cf_f USING fts5(a)",
    "ALTER TABLE t RENAME TO [_cf_t]",
    "SELECT sqlite_version()",
    "SELECT 1; SELECT 2",
    "-- nothing",
    "",
    "SELECT 'a\0b'",
  ])("%s", (sql) => {
    expect(() => run(sql)).toThrow(expect.objectContaining({ kind: "sql-error" }));
  });

  it.each([
    ["PRAGMA defer_foreign_keys = on", "declare the key DEFERRABLE INITIALLY DEFERRED"],
    ["PRAGMA foreign_keys = off", "a migration may say PRAGMA foreign_keys=OFF"],
  ])("%s, and names the way out", (sql, way) => {
    expect(() => run(sql)).toThrow(way);
  });

  it.each([
    "SELECT 1;",
    "SELECT 1 -- and a comment",
    "PRAGMA table_info(t)",
    "PRAGMA page_size",
    "PRAGMA user_version",
    "PRAGMA main.user_version",
    "PRAGMA foreign_keys",
    "PRAGMA quick_check",
    "SELECT * FROM pragma_table_info('t')",
    "ALTER TABLE t RENAME TO u",
    "ALTER TABLE t RENAME COLUMN a TO _cf_a",
    "ALTER TABLE t ADD COLUMN b",
    "CREATE TABLE __cf_t(_cf_a)",
    "DROP TABLE t",
    "ANALYZE",
    "REINDEX",
    "EXPLAIN SELECT 1",
    "CREATE VIRTUAL TABLE f USING fts5(a)",
    "CREATE VIRTUAL TABLE r USING rtree(id, a, b)",
    'SELECT "a string in double quotes"',
  ])("allows %s", (sql) => {
    expect(run(sql).results).toHaveLength(2);
  });
});

describe("a file's own schema is not trusted", () => {
  it.each([
    [
      "to read the connection's internals",
      ["CREATE VIEW v AS SELECT * FROM sqlite_stmt", "SELECT * FROM v"],
      "no such table: main.sqlite_stmt",
    ],
    [
      "to write shadow tables",
      ["CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f_data VALUES (9, 9)"],
      "may not be modified",
    ],
  ])("%s", (_name, sql, message) => {
    const request = parseQueryRequest({ statements: sql.map((text) => ({ sql: text })) });
    expect(() => runOnFile(EMPTY, request)).toThrow(message);
  });
});

it("the callback module is nothing but a way to C: six i32 in, one out", () => {
  expect(WebAssembly.Module.imports(authorizerModule)).toEqual([
    { module: "host", name: "authorize", kind: "function" },
  ]);
  expect(WebAssembly.Module.exports(authorizerModule)).toEqual([{ name: "authorize", kind: "function" }]);
  const host = { authorize: (...given: number[]) => given.reduce((sum, value) => sum + value) };
  const { authorize } = new WebAssembly.Instance(authorizerModule, { host }).exports;
  expect((authorize as (...given: number[]) => number)(1, 2, 3, 4, 5, 6)).toBe(21);
});
