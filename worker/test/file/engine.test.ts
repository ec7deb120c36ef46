import { describe, expect, it } from "vitest";
import { runOnFile } from "../../src/file/engine.ts";
import { discardSqlite, sqlite } from "../../src/file/sqlite.ts";
import { type ParsedRequest, parseQueryRequest } from "../../src/query/request.ts";
import type { QueryStatement, ResultValue } from "../../src/query/types.ts";

const EMPTY = new Uint8Array(0);

const read = (...statements: QueryStatement[]): ParsedRequest =>
  parseQueryRequest({ statements, mode: "read" });
const write = (...statements: QueryStatement[]): ParsedRequest => parseQueryRequest({ statements });

/** The file after a request that must have changed it. */
function changed(file: Uint8Array, ...sql: string[]): Uint8Array {
  const run = runOnFile(file, write(...sql.map((text) => ({ sql: text }))));
  if (run.changed === null) throw new Error("nothing changed");
  return run.changed;
}

function rows(file: Uint8Array, sql: string): readonly (readonly ResultValue[])[] {
  return runOnFile(file, read({ sql })).results[0]?.rows ?? [];
}

const table = (): Uint8Array => changed(EMPTY, "CREATE TABLE t(a, b)", "INSERT INTO t VALUES (1, 'one')");

const header = (file: Uint8Array, bytes: Record<number, number>): Uint8Array => {
  const copy = file.slice();
  for (const [offset, value] of Object.entries(bytes)) copy[Number(offset)] = value;
  return copy;
};

describe("values arrive as they were sent", () => {
  it.each([
    ["null", null, "null", null],
    ["largest int64", { int: "9223372036854775807" }, "integer", { int: "9223372036854775807" }],
    ["smallest int64", { int: "-9223372036854775808" }, "integer", { int: "-9223372036854775808" }],
    ["2^53 + 1", { int: "9007199254740993" }, "integer", { int: "9007199254740993" }],
    ["a bigint", 5n, "integer", 5],
    ["a whole number", 5, "integer", 5],
    ["a boolean", true, "integer", 1],
    ["a whole REAL", { real: "5.0" }, "real", { real: "5.0" }],
    ["-0", -0, "real", { real: "-0" }],
    ["infinity", { real: "-Infinity" }, "real", { real: "-Infinity" }],
    ["smallest subnormal", 5e-324, "real", 5e-324],
    ["a long decimal", 0.1, "real", 0.1],
    ["empty text", "", "text", ""],
    ["text with NUL", "a\0b", "text", "a\0b"],
    ["text that starts with a byte order mark", "\uFEFFx", "text", "\uFEFFx"],
    ["astral text", "käse 🧀", "text", "käse 🧀"],
    ["empty blob", { blob: "" }, "blob", { blob: "" }],
    ["blob", { blob: "AP8A" }, "blob", { blob: "AP8A" }],
    ["a view into a larger buffer", new Uint8Array([9, 0, 255, 9]).subarray(1, 3), "blob", { blob: "AP8=" }],
  ])("%s", (_name, value, type, expected) => {
    const { changed: file } = runOnFile(
      EMPTY,
      write({ sql: "CREATE TABLE t(a)" }, { sql: "INSERT INTO t VALUES (?)", params: [value] }),
    );
    const [row] = rows(file ?? EMPTY, "SELECT typeof(a), a FROM t");
    expect(row).toEqual([type, expected]);
    expect(Object.is(row?.[1], -0)).toBe(false);
  });

  it("keeps every byte of a text behind a NUL", () => {
    const { results } = runOnFile(EMPTY, read({ sql: "SELECT hex(cast(? AS BLOB))", params: ["a\0b"] }));
    expect(results[0]?.rows).toEqual([["610062"]]);
  });

  it("binds named parameters, with or without the prefix", () => {
    const sql = "SELECT :a, @b, $c";
    expect(runOnFile(EMPTY, read({ sql, params: { a: 1, "@b": 2, c: 3 } })).results[0]?.rows).toEqual([
      [1, 2, 3],
    ]);
  });

  it.each([
    ["too few", [1]],
    ["too many", [1, 2, 3]],
    ["a missing name", { a: 1 }],
    ["an unknown name", { a: 1, b: 2, c: 3 }],
  ])("refuses %s parameters", (_name, params) => {
    const sql = Array.isArray(params) ? "SELECT ?, ?" : "SELECT :a, :b";
    expect(() => runOnFile(EMPTY, read({ sql, params }))).toThrow(
      expect.objectContaining({ kind: "sql-error" }),
    );
  });
});

describe("results", () => {
  it("keeps duplicate column names and the order of statements", () => {
    const { results } = runOnFile(
      table(),
      write({ sql: "SELECT a AS x, b AS x FROM t" }, { sql: "UPDATE t SET a = 2 RETURNING a" }),
    );
    expect(results).toEqual([
      { columns: ["x", "x"], rows: [[1, "one"]], rowsRead: 1, rowsWritten: 0 },
      { columns: ["a"], rows: [[2]], rowsRead: 1, rowsWritten: 1 },
    ]);
  });

  it("makes new files with pages of 4096 bytes", () => {
    expect(new DataView(table().buffer).getUint16(16)).toBe(4096);
  });

  it("knows the time, and each instance has random numbers of its own", () => {
    const year = String(new Date().getUTCFullYear());
    const sql = "SELECT strftime('%Y', 'now'), strftime('%Y', 'now', 'localtime'), hex(randomblob(16))";
    const inNewInstance = (): readonly ResultValue[] | undefined => {
      discardSqlite();
      return rows(EMPTY, sql)[0];
    };
    const [first, second] = [inNewInstance(), inNewInstance()];
    expect(first?.slice(0, 2)).toEqual([year, year]);
    expect(first?.[2]).not.toEqual(second?.[2]);
  });
});

describe("errors", () => {
  it.each([
    ["SELECT nope FROM t", 7],
    [" /* é */ SELECT 'é', nope FROM t LIMIT 5;", 23],
    ["SELECT a, no_such_function(a) FROM t", 10],
    ["SELECT a FROM t UNION ALL SELECT nope FROM t", 33],
    ["INSERT INTO t(a) VALUES (1) RETURNING nope", 38],
    ["SELECT 'open", 7],
    ["SELECT nope, ?", 7],
    ["SELECT * FROM nowhere", undefined],
    ["INSERT INTO t(nope) VALUES (1)", undefined],
  ])("tell at which byte of the text they are: %s", (sql, offset) => {
    const request = write({ sql: "SELECT 1" }, { sql });
    expect(() => runOnFile(table(), request)).toThrow(
      expect.objectContaining({ details: { statement: 1, ...(offset !== undefined && { offset }) } }),
    );
  });

  it("tell the first of several mistakes", () => {
    const statements = ["INSERT INTO t(a) VALUES (nope)", "SELECT 1; SELECT 2"].map((sql) => ({ sql }));
    expect(() => runOnFile(table(), write(...statements))).toThrow("no such column: nope");
    expect(() => runOnFile(table(), write(...statements.reverse()))).toThrow("one entry holds one statement");
  });
});

describe("transaction", () => {
  it("saves nothing of a request that fails at its last statement", () => {
    const file = table();
    const request = write(
      { sql: "INSERT INTO t VALUES (2, 'two')" },
      { sql: "INSERT INTO nowhere VALUES (1)" },
    );
    expect(() => runOnFile(file, request)).toThrow(
      expect.objectContaining({ kind: "sql-error", message: "no such table: nowhere: SQLITE_ERROR" }),
    );
    expect(rows(file, "SELECT count(*) FROM t")).toEqual([[1]]);
  });

  it("checks deferred foreign keys at its end", () => {
    const file = changed(
      EMPTY,
      "CREATE TABLE p(id INTEGER PRIMARY KEY)",
      "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    );
    expect(() => changed(file, "INSERT INTO c VALUES (7)")).toThrow("FOREIGN KEY constraint failed");
    expect(
      rows(changed(file, "INSERT INTO c VALUES (7)", "INSERT INTO p VALUES (7)"), "SELECT p FROM c"),
    ).toEqual([[7]]);
  });

  it.each([
    "UPDATE t SET a = 9",
    "UPDATE t SET a = a",
    "CREATE TABLE u(a)",
    "DROP TABLE t",
    "INSERT INTO t VALUES (1, 2) RETURNING a",
  ])("refuses a read request that says %s", (sql) => {
    expect(() => runOnFile(table(), read({ sql }))).toThrow(
      expect.objectContaining({ kind: "write-in-read" }),
    );
  });

  it.each(["DELETE FROM t WHERE a = 99", "CREATE TABLE IF NOT EXISTS t(a)", "PRAGMA quick_check"])(
    "lets a read request say %s, which writes nothing",
    (sql) => {
      expect(runOnFile(table(), read({ sql })).changed).toBeNull();
    },
  );
});

describe("what is saved", () => {
  it.each([
    ["a SELECT", "SELECT * FROM t"],
    ["an UPDATE of no row", "UPDATE t SET a = 2 WHERE a = 99"],
    ["a DELETE of no row", "DELETE FROM t WHERE a = 99"],
    ["CREATE TABLE IF NOT EXISTS", "CREATE TABLE IF NOT EXISTS t(a)"],
  ])("nothing after %s in a write request", (_name, sql) => {
    expect(runOnFile(table(), write({ sql })).changed).toBeNull();
  });

  it("nothing for an empty database that stays empty", () => {
    expect(runOnFile(EMPTY, write({ sql: "SELECT 1" })).changed).toBeNull();
  });

  it("leaves the caller's bytes alone", () => {
    const file = table();
    const before = file.slice();
    changed(file, "INSERT INTO t VALUES (2, 'two')");
    expect(file).toEqual(before);
  });

  it("keeps the stamp in the reserved header bytes", () => {
    const stamped = header(
      table(),
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [72 + i, i + 1])),
    );
    const after = changed(stamped, "INSERT INTO t VALUES (2, 'two')");
    expect(after.subarray(72, 92)).toEqual(stamped.subarray(72, 92));
  });

  it("keeps the WAL flags of a file, and opens it", () => {
    const wal = header(table(), { 18: 2, 19: 2 });
    expect(rows(wal, "SELECT a FROM t")).toEqual([[1]]);
    const after = changed(wal, "INSERT INTO t VALUES (2, 'two')");
    expect([...after.subarray(18, 20)]).toEqual([2, 2]);
    expect(rows(after, "SELECT a FROM t")).toEqual([[1], [2]]);
    expect(runOnFile(wal, write({ sql: "SELECT 1" })).changed).toBeNull();
  });

  it("leaves a rollback-journal file as one", () => {
    expect([...table().subarray(18, 20)]).toEqual([1, 1]);
  });

  it.each([
    ["a rollback-journal file", 1],
    ["a WAL file", 2],
  ])("refuses to write %s with the poison of a fence, and reads it", (_name, readVersion) => {
    const poisoned = header(table(), { 18: 255, 19: readVersion });
    expect(rows(poisoned, "SELECT a FROM t")).toEqual([[1]]);
    expect(() => changed(poisoned, "DELETE FROM t")).toThrow("attempt to write a readonly database");
    expect(() => runOnFile(poisoned, read({ sql: "DELETE FROM t" }))).toThrow(
      expect.objectContaining({ kind: "write-in-read" }),
    );
    expect(runOnFile(poisoned, write({ sql: "SELECT a FROM t" })).changed).toBeNull();
  });
});

describe("limits and damage", () => {
  it("refuses a file over the limit before opening it, and says what to do", () => {
    const file = table();
    expect(() => runOnFile(file, read({ sql: "SELECT 1" }), file.byteLength - 1)).toThrow(
      expect.objectContaining({ kind: "too-large", message: expect.stringContaining("maxFileBytes") }),
    );
  });

  it("refuses to let a file grow over the limit", () => {
    const request = write({ sql: "INSERT INTO t VALUES (1, zeroblob(100000))" });
    expect(() => runOnFile(table(), request, 50_000)).toThrow(expect.objectContaining({ kind: "too-large" }));
  });

  it("does not blame the application for a damaged file", () => {
    const request = read({ sql: "SELECT * FROM t" });
    expect(() => runOnFile(new Uint8Array(5000).fill(65), request)).toThrow(
      expect.objectContaining({
        kind: "internal",
        message: expect.stringContaining("file is not a database"),
      }),
    );
  });

  it("says why it cannot open a UTF-16 database", () => {
    const request = read({ sql: "SELECT 1" });
    expect(() => runOnFile(header(table(), { 59: 2 }), request)).toThrow(
      expect.objectContaining({ kind: "internal", message: expect.stringContaining("UTF-16") }),
    );
  });

  it("gives its memory back, also after errors", () => {
    const file = changed(EMPTY, "CREATE TABLE t(a)", "INSERT INTO t VALUES (zeroblob(4000000))");
    const useMemory = (): void => {
      changed(file, "INSERT INTO t VALUES (zeroblob(4000000))");
      expect(() => changed(file, "INSERT INTO t VALUES (zeroblob(4000000))", "nonsense")).toThrow(
        "syntax error",
      );
    };
    useMemory();
    const before = sqlite().memory.size;
    for (let i = 0; i < 10; i++) useMemory();
    expect(sqlite().memory.size).toBe(before);
  });

  it("does not keep for ever the memory that one large file took", () => {
    const more = { sql: "INSERT INTO t VALUES (zeroblob(8000000))" };
    const large =
      runOnFile(EMPTY, write({ sql: "CREATE TABLE t(a)" }, more, more), 100_000_000).changed ?? EMPTY;
    const before = sqlite();
    runOnFile(large, write(more, more, more, more), 100_000_000);
    expect(before.memory.size).toBeGreaterThan(50_000_000);
    expect(sqlite().memory.size).toBeLessThan(10_000_000);
  });
});
