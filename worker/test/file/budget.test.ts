// What a request may cost over a file: counted, never timed.
import { describe, expect, it } from "vitest";
import { DEFAULT_MAX_FILE_BYTES, runOnFile } from "../../src/file/engine.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import { ResultBudget } from "../../src/query/budget.ts";
import { QUERY_LIMITS } from "../../src/wire/limits.ts";
import { checkJson } from "../../src/wire/parse-json.ts";
import { some } from "../effort.ts";
import { costly, deep, modest, tooMany } from "../costly.ts";

/** Fewer than a request has, for the tests to end soon. */
const STEPS = 20_000_000;
const EMPTY = new Uint8Array(0);
const run = (...sql: string[]) =>
  runOnFile(
    EMPTY,
    parseQueryRequest({ statements: sql.map((text) => ({ sql: text })) }),
    DEFAULT_MAX_FILE_BYTES,
    STEPS,
  );
const endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)";

describe("a request on a file ends", () => {
  it.each(some("costly requests", costly, 2))("when it asks for %s", (_name, ...sql) => {
    expect(() => run(...sql)).toThrow(expect.objectContaining({ kind: "too-costly" }));
  });

  it.each([
    ["a count without end", `${endless} SELECT count(*) FROM r`],
    ["rows in an order", `${endless} SELECT n FROM r ORDER BY n`],
    [
      "a write of rows that never come",
      "CREATE TABLE t(a)",
      `INSERT INTO t ${endless} SELECT n FROM r WHERE n < 0`,
    ],
    [
      "joins of joins",
      "CREATE TABLE t(a)",
      `INSERT INTO t ${endless} SELECT n FROM r LIMIT 5000`,
      "SELECT count(*) FROM t a, t b, t c WHERE a.a + b.a + c.a < 0",
    ],
  ])("when it takes too many steps: %s", (_name, ...sql) => {
    expect(() => run(...sql)).toThrow(/takes more than \d+ steps of SQLite/);
  });

  it("when it takes too much memory", () => {
    const request = parseQueryRequest({ statements: [{ sql: `${endless} SELECT n FROM r ORDER BY n` }] });
    expect(() => runOnFile(EMPTY, request, 0)).toThrow(/takes more than \d+ bytes of memory/);
  });

  it("counts the steps of all its statements, and of no other request", () => {
    const some = `${endless} SELECT sum(n) FROM (SELECT n FROM r LIMIT 300000)`;
    for (let i = 0; i < 8; i++) run(some);
    expect(() => run(...Array<string>(20).fill(some))).toThrow(/steps of SQLite/);
    run(some);
  });

  it.each(modest)("and answers %s", (_name, rows, sql) => {
    expect(run(sql).results.at(-1)?.rows.length).toBe(rows);
  });
});

describe("a request is read", () => {
  it.each(tooMany)("up to a bound of %s", (_name, request) => {
    expect(() => parseQueryRequest(request())).toThrow(expect.objectContaining({ kind: "too-costly" }));
  });

  it.each(deep)("and its JSON, %s, up to a depth", (_name, text, refused) => {
    const read = () => checkJson(new TextEncoder().encode(text), "body");
    if (refused) expect(read).toThrow(expect.objectContaining({ kind: "too-costly" }));
    else read();
  });
});

it("takes a new SQLite after its stack was exhausted", () => {
  const request = (sql: string) => parseQueryRequest({ statements: [{ sql, params: [] }], mode: "read" });
  const pattern = `SELECT 'a' LIKE replace(hex(zeroblob(12000)), '00', '%a')`;
  for (let i = 0; i < 12; i++) {
    try {
      runOnFile(EMPTY, request(pattern), DEFAULT_MAX_FILE_BYTES, undefined, "sqlite");
    } catch (error) {
      expect(error).toMatchObject({ kind: "internal" });
    }
    expect(runOnFile(EMPTY, request("SELECT 1")).results[0]?.rows).toEqual([[1]]);
  }
});

describe("a budget", () => {
  it("stops with the row that is one too many", () => {
    let read = 0;
    const rows = function* (): Generator<readonly string[]> {
      for (;;) {
        read++;
        yield ["x".repeat(992)];
      }
    };
    expect(() => [...new ResultBudget().of({ raw: rows, rowsWritten: 0 })]).toThrow("bytes");
    // And the rest, up to a bound, so that nothing stays locked.
    expect(read).toBe((5 * QUERY_LIMITS.resultBytes) / 1000 + 1);
  });
});
