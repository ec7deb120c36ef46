// How rows of two halves become one result: SQLite, asked for the whole, is the referee.
import { describe, expect, it } from "vitest";
import { runOnFile } from "../../src/file/engine.ts";
import { type MergeRule, mergeRows } from "../../src/split.ts";
import { checkMerge } from "../../src/router/merge-rows.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import type { QueryValue, StatementResult } from "../../src/query/types.ts";

const VALUES: readonly QueryValue[] = [
  null,
  0,
  -1,
  7,
  2.5,
  { real: "7.0" },
  { real: "-0" },
  { real: "1e300" },
  { int: "9007199254740993" },
  { real: "9007199254740992" },
  { real: "Infinity" },
  { real: "-Infinity" },
  "",
  "a",
  "B",
  "é",
  "\u{1F600}",
  "\uFFFD",
  "aa",
  { blob: "" },
  { blob: "AA==" },
  { blob: "/w==" },
];

function ask(sql: string, rows: readonly (readonly QueryValue[])[]): StatementResult {
  const statements = [
    { sql: "CREATE TABLE t(g, v)" },
    ...rows.map((params) => ({ sql: "INSERT INTO t VALUES (?, ?)", params })),
    { sql },
  ];
  const result = runOnFile(new Uint8Array(0), parseQueryRequest({ statements })).results.at(-1);
  if (result === undefined) throw new Error("no result");
  return result;
}

/** Deterministic, and different for each seed. */
function dealt(seed: number): [(readonly QueryValue[])[], (readonly QueryValue[])[]] {
  const halves: [(readonly QueryValue[])[], (readonly QueryValue[])[]] = [[], []];
  VALUES.forEach((value, index) => halves[((index + 1) * seed) % 3 === 0 ? 0 : 1].push([index % 3, value]));
  return halves;
}

const questions: readonly (readonly [string, MergeRule])[] = [
  ["SELECT v FROM t ORDER BY v", { orderBy: [{ column: "v" }] }],
  ["SELECT v FROM t ORDER BY v DESC LIMIT 5", { orderBy: [{ column: "v", desc: true }], limit: 5 }],
  [
    "SELECT DISTINCT lower(v) AS v FROM t WHERE typeof(v) = 'text' ORDER BY v COLLATE NOCASE",
    { orderBy: [{ column: "v", collate: "NOCASE" }] },
  ],
  [
    "SELECT v, typeof(v) AS kind FROM t ORDER BY v NULLS LAST, kind",
    { orderBy: [{ column: "v", nulls: "last" }, { column: "kind" }] },
  ],
  ["SELECT DISTINCT g FROM t ORDER BY g", { totals: { g: "group" }, orderBy: [{ column: "g" }] }],
  ["SELECT sum(v) AS s FROM t WHERE typeof(v) = 'real' AND abs(v) > 1e301", { totals: { s: "sum" } }],
  ["SELECT v FROM t ORDER BY v DESC NULLS FIRST", { orderBy: [{ column: "v", desc: true, nulls: "first" }] }],
  ["SELECT v / 2 AS h, g FROM t ORDER BY h, g", { orderBy: [{ column: "h" }, { column: "g" }] }],
  [
    "SELECT v, count(*) AS n FROM t WHERE v <> 0 GROUP BY v ORDER BY v",
    { totals: { v: "group", n: "count" }, orderBy: [{ column: "v" }] },
  ],
  [
    "SELECT v IS 0 AS zero, count(*) AS n FROM t WHERE v = 0 GROUP BY v",
    { totals: { zero: "group", n: "count" } },
  ],
  [
    "SELECT abs(v) AS a, count(*) AS n FROM t WHERE abs(v) = 0 GROUP BY 1",
    { totals: { a: "group", n: "count" } },
  ],
  ["SELECT g, v FROM t ORDER BY g DESC, v", { orderBy: [{ column: "g", desc: true }, { column: "v" }] }],
  ["SELECT count(*) AS n, count(v) AS m FROM t", { totals: { n: "count", m: "count" } }],
  ["SELECT min(v) AS a, max(v) AS b FROM t", { totals: { a: "min", b: "max" } }],
  ["SELECT sum(v) AS s FROM t WHERE v IN (-1, 7, 2.5)", { totals: { s: "sum" } }],
  ["SELECT sum(v) AS s FROM t WHERE typeof(v) = 'integer'", { totals: { s: "sum" } }],
  [
    "SELECT g, count(*) AS n, max(v) AS top FROM t GROUP BY g ORDER BY g",
    { totals: { g: "group", n: "count", top: "max" }, orderBy: [{ column: "g" }] },
  ],
];

describe("rows of two halves", () => {
  for (const [sql, rule] of questions) {
    it.each([1, 2, 4, 5, 7])(`are as SQLite has the whole: ${sql} (%i)`, (seed) => {
      const [hot, cold] = dealt(seed);
      const merged = mergeRows(ask(sql, hot), ask(sql, cold), rule);
      expect(merged.rows).toEqual(ask(sql, [...hot, ...cold]).rows);
    });
  }

  it("are those of one half where there is only one", () => {
    const [hot] = dealt(1);
    expect(mergeRows(ask("SELECT v FROM t ORDER BY v", hot), undefined, {}).rows).toHaveLength(hot.length);
  });

  it("are refused for columns that are not there, and sums that fit no INTEGER", () => {
    const one = ask("SELECT 1 AS n", []);
    expect(() => mergeRows(one, one, { orderBy: [{ column: "x" }] })).toThrow("x is none");
    expect(() => mergeRows(one, one, { totals: {} })).toThrow("merge.totals");
    const most = { ...one, rows: [[{ int: "9223372036854775807" }]] };
    expect(() => mergeRows(most, one, { totals: { n: "sum" } })).toThrow("fit an INTEGER");
  });
});

describe("a rule", () => {
  it.each<[string, object, string]>([
    ["SELECT v FROM t", { orderby: [{ column: "v" }] }, "orderby"],
    ["SELECT v FROM t", { orderBy: [{ column: "v", descending: true }] }, "descending"],
    ["SELECT avg(v) AS a FROM t", { totals: { a: "avg" } }, "totals.a: expected one of count, sum"],
    ["SELECT v FROM t", { orderBy: [{ column: "v", desc: "asc" }] }, "desc"],
    ["SELECT v FROM t", { orderBy: [{ column: "v", collate: "RTRIM" }] }, "collate"],
    ["SELECT v FROM t", { orderBy: [{ column: "v", nulls: "LAST" }] }, "nulls"],
    ["SELECT v FROM t", { orderBy: "v" }, "orderBy"],
    ["SELECT v FROM t", { offset: 1, limit: "3" }, "limit"],
    ["SELECT v FROM t", { limit: -1 }, "limit"],
    ["SELECT v FROM t", { limit: null }, "limit"],
    ["SELECT v FROM t", { orderBy: null }, "orderBy"],
    ["SELECT DISTINCT v FROM t", {}, "DISTINCT"],
    ["SELECT count(DISTINCT v) AS n FROM t", { totals: { n: "count" } }, "DISTINCT"],
  ])("with what it cannot have is refused: %s %j", (sql, rule, named) => {
    expect(() => checkMerge([rule], [sql])).toThrow(named);
    if (named === "DISTINCT") return; // of the statement, which mergeRows does not see
    const one = ask("SELECT 1 AS v, 1.5 AS a", []);
    expect(() => mergeRows(one, one, rule)).toThrow(named);
  });

  it.each<[string, MergeRule]>([
    ["SELECT DISTINCT v FROM t", { totals: { v: "group" } }],
    ["SELECT v FROM t WHERE v IS NOT DISTINCT FROM 1 OR v IS DISTINCT FROM 'DISTINCT'", {}],
    [
      "SELECT v FROM t",
      { orderBy: [{ column: "v", desc: true, collate: "NOCASE", nulls: "last" }], limit: 1 },
    ],
  ])("is taken: %s %j", (sql, rule) => {
    expect(() => checkMerge([rule], [sql])).not.toThrow();
  });

  it("is one for each statement", () => {
    expect(() => checkMerge([], ["SELECT 1"])).toThrow("one rule for each statement");
  });
});

it("takes rows of a reference table from the hot half alone", () => {
  const hot = ask("SELECT count(*) AS n FROM t", [[1, 1]]);
  const totals: MergeRule = { totals: { n: "count" } };
  expect(mergeRows(hot, { ...hot, copied: true }, totals).rows).toEqual([[1]]);
  expect(mergeRows(hot, hot, totals).rows).toEqual([[2]]);
});
