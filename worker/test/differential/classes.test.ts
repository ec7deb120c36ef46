// No value changes its class on the way to the application: SQLite, asked for the statement alone, gives the
// same ones. What cannot be read exactly shows as a number, or is refused.
import { expect, it } from "vitest";
import { FileDatabase } from "../../src/file/database.ts";
import { runOnFile } from "../../src/file/engine.ts";
import { FileSql } from "../../src/file/file-sql.ts";
import type { Pointer } from "../../src/file/memory.ts";
import type { Cell } from "../../src/query/sql.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import { WireError } from "../../src/wire/errors.ts";
import { some } from "../effort.ts";
import { Pair, differences } from "./pair.ts";
import { Random } from "../fuzz/random.ts";

const setUp = [
  "CREATE TABLE t(i INTEGER, x REAL, s TEXT COLLATE NOCASE, n)",
  "INSERT INTO t VALUES (1, 5, 'a', 5.0), (9007199254740993, 2.5, 'A', 9007199254740993)",
  "CREATE TABLE a(k REAL)",
  "CREATE TABLE b(k INTEGER)",
  "INSERT INTO b VALUES (9007199254740993), (7)",
  "CREATE VIEW v(k) AS SELECT 9007199254740993 UNION ALL SELECT 6 UNION ALL SELECT x FROM t",
  'CREATE VIEW "o ""v"(k) AS SELECT k FROM v',
  "CREATE VIRTUAL TABLE r USING rtree(id, low, high, +k REAL)",
  "INSERT INTO r VALUES (1, 0, 1, 7), (2, 0, 1, 9007199254740993)",
];

/** Each has one column, k. */
const PARTS = [
  ..."9007199254740993|(9007199254740993)|NULL|7|7.0|'7'|+7|-(-9007199254740993)|CAST(5 AS REAL)|max(7, 1)".split(
    "|",
  ),
  ..."x FROM t|i FROM t|n FROM t|s FROM t|x + 0 FROM t|max(x) FROM t|sum(i) FROM b, t WHERE k = 7".split("|"),
].map((text) => text.replace(/(?= FROM|$)/, " AS k"));
const SOURCES = [
  "a FULL JOIN b USING (k)",
  "a NATURAL FULL JOIN b",
  "a RIGHT JOIN b USING (k)",
  "v",
  '"o ""v"',
  "r",
];
const JOINTS = ["UNION ALL", "UNION ALL", "UNION ALL", "UNION", "EXCEPT", "INTERSECT"];
const SHAPES: ((rows: string) => string)[] = [
  (rows) => rows,
  (rows) => `SELECT * FROM (${rows})`,
  (rows) => `SELECT k FROM (${rows}) ORDER BY k DESC`,
  (rows) => `SELECT k FROM (${rows}) ORDER BY typeof(k), 1`,
  (rows) => `SELECT k, typeof(k) FROM (${rows}) LIMIT 3`,
  (rows) => `WITH w AS (${rows}) SELECT k FROM w`,
  (rows) => `WITH w(k) AS MATERIALIZED (${rows}) SELECT DISTINCT k AS c FROM w`,
  (rows) => `SELECT (${rows} LIMIT 1) AS k`,
  (rows) => `SELECT (SELECT k FROM (${rows}) LIMIT 1 OFFSET 1), x FROM t ORDER BY i`,
  (rows) => `SELECT x FROM t WHERE x IN (${rows}) OR 1 ORDER BY i`,
];

function statements(seed: number, count: number): string[] {
  const random = new Random(seed);
  const pick = <T>(of: readonly T[]): T => random.pick(of);
  const part = (): string =>
    random.below(4) === 0 ? `SELECT k FROM ${pick(SOURCES)}` : `SELECT ${pick(PARTS)}`;
  const values = (): string =>
    `VALUES ${Array.from({ length: 1 + random.below(4) }, () => `(${pick(PARTS.filter((p) => !/FROM/.test(p))).replace(" AS k", "")})`).join(", ")}`;
  const compound = (): string => {
    const joint = random.below(2) === 0 ? "UNION ALL" : undefined;
    let sql = part();
    for (let more = random.below(6) % 5; more > 0; more--) sql += ` ${joint ?? pick(JOINTS)} ${part()}`;
    return sql;
  };
  return Array.from({ length: count }, () => {
    if (random.below(8) === 0)
      return pick([values(), `SELECT column1 FROM (${values()})`, `${part()} UNION ALL ${values()}`]);
    return pick(SHAPES)(compound());
  });
}

const texts = some("statements", statements(20_261_129, 1500), 300);

it("in whatever column the values come together", () => {
  const file = runOnFile(
    new Uint8Array(0),
    parseQueryRequest({ statements: setUp.map((sql) => ({ sql })) }),
  ).changed;
  const counts = { exact: 0, numbers: 0, "integer-precision": 0, "refused by SQLite": 0 };
  for (const sql of texts) {
    const truth = alone(file as Uint8Array, sql);
    const seen = ask(file as Uint8Array, sql);
    if (truth === undefined) counts["refused by SQLite"]++;
    else if (seen === "integer-precision") counts[seen]++;
    else if (JSON.stringify(seen) === JSON.stringify(truth)) counts.exact++;
    else {
      expect(seen, sql).toEqual(asNumbers(truth));
      counts.numbers++;
    }
  }
  console.log(JSON.stringify(counts));
  expect(counts.exact).toBeGreaterThan(texts.length / 2);
  expect(counts.numbers + counts["integer-precision"]).toBeLessThan(texts.length / 4);
});

it("alike in a Durable Object", async () => {
  const pair = await Pair.open(setUp);
  expect(
    await differences(
      pair,
      texts.slice(0, 400).map((sql) => ({ sql })),
    ),
  ).toEqual([]);
});

it.each([
  "SELECT 9007199254740993 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT x FROM t",
  "SELECT NULL UNION ALL SELECT x FROM t UNION ALL SELECT 9007199254740993 UNION ALL SELECT 3 UNION ALL SELECT 4",
  "VALUES (1), (max(5, 2)), (9007199254740993)",
  "VALUES (CAST(9007199254740993 AS INTEGER))",
  "WITH w(j, k) AS (SELECT 1, 5.0 UNION ALL SELECT j + 1, x FROM w, t WHERE j < 3) SELECT x, 9007199254740993 FROM w, t",
  "SELECT x, 9007199254740993 FROM t WHERE 1 IN (VALUES (1), (2)) AND EXISTS (SELECT 1 UNION SELECT 2)",
])("exactly: %s", async (sql) => {
  const { file, store } = await (await Pair.open(setUp)).run({ statements: [{ sql }] });
  expect(file).toEqual(store);
  expect(JSON.stringify(store)).toContain('{"int":"9007199254740993"}');
  expect(JSON.stringify(store)).not.toContain("9007199254740992");
});

it.each([
  "SELECT 9007199254740993 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT x FROM t",
  "VALUES (1), (CAST(5 AS REAL)), (9007199254740993)",
  "SELECT k, typeof(k) FROM a FULL JOIN b USING(k)",
  "SELECT (SELECT 9007199254740993 UNION ALL SELECT x FROM t LIMIT 1)",
  "SELECT 's' UNION ALL VALUES (CAST(5 AS REAL)), (9007199254740993)",
  "SELECT column1 FROM (VALUES (7), (CAST(5 AS REAL)), (9007199254740993)) ORDER BY 1",
])("not at all: %s", async (sql) => {
  const { file, store } = await (await Pair.open(setUp)).run({ statements: [{ sql }] });
  expect(file).toEqual(store);
  expect(store).toMatchObject({ ok: false, error: { kind: "integer-precision" } });
});

function ask(file: Uint8Array, sql: string): unknown {
  try {
    return runOnFile(file, parseQueryRequest({ statements: [{ sql }] })).results[0]?.rows;
  } catch (error) {
    return error instanceof WireError ? error.kind : error;
  }
}

/** What SQLite gives for the text with nothing around it, in the forms of the protocol. */
function alone(file: Uint8Array, sql: string): unknown[][] | undefined {
  const db = FileDatabase.open(file, { mode: "write", maxBytes: 1e7, rules: "store" });
  const reads = FileSql.prototype as unknown as { cell(prepared: Pointer, index: number): Cell };
  const { cell } = reads;
  reads.cell = function (this: FileSql, prepared, index) {
    const { c } = db.lib;
    const type = c.sqlite3_column_type(prepared, index);
    if (type === 1) return `int: ${c.sqlite3_column_int64(prepared, index)}`;
    return type === 2
      ? `real: ${c.sqlite3_column_double(prepared, index)}`
      : cell.call(this, prepared, index);
  };
  try {
    return [...new FileSql(db).exec(sql).raw()].map((row) => [...row].map(inForm));
  } catch {
    return undefined;
  } finally {
    reads.cell = cell;
    db.close();
  }
}

function inForm(cell: Cell | undefined): unknown {
  const [form, digits = ""] = typeof cell === "string" ? cell.split(" ") : [];
  if (form === "int:") return Math.abs(Number(digits)) <= 2 ** 53 - 1 ? Number(digits) : { int: digits };
  if (form !== "real:") return cell;
  return Number.isInteger(Number(digits)) ? { real: `${digits}.0` } : Number(digits);
}

function asNumbers(rows: unknown[][]): unknown[][] {
  return rows.map((row) =>
    row.map((value) =>
      typeof value === "object" && value !== null && "real" in value ? Number(value.real) : value,
    ),
  );
}
