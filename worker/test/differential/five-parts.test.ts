// A compound SELECT of five parts has no room for one of ours, and is read exactly all the same, or as numbers.
import { describe, expect, it } from "vitest";
import type { QueryStatement, QueryValue } from "../../src/query/types.ts";
import { Pair } from "./pair.ts";

const setUp = [
  "CREATE TABLE t(i INTEGER, x REAL, s TEXT COLLATE NOCASE, n)",
  "INSERT INTO t VALUES (1, 5, 'a', 5.0), (9007199254740993, 2.5, 'A', 9007199254740993)",
];
const [large, five] = [{ int: "9007199254740993" }, { real: "5.0" }];

const parts = (...rest: string[]): string => rest.join(" UNION ALL ");
const cases: [string, string | QueryStatement, QueryValue[][]][] = [
  [
    "no column is REAL",
    parts(
      "SELECT n FROM t",
      "SELECT 5.0",
      "SELECT 5",
      "SELECT 9007199254740993",
      "SELECT i FROM t LIMIT 1, 4",
    ),
    [[large], [five], [5], [large]],
  ],
  [
    "the first one is",
    parts("SELECT x FROM t", "SELECT 5", "SELECT 9007199254740993", "SELECT 5.0", "SELECT NULL"),
    [[five], [2.5], [5], [large], [five], [null]],
  ],
  [
    "so is another",
    parts(
      "SELECT s, x FROM t WHERE i = 1",
      "SELECT 1, 5",
      "SELECT 2, 6",
      "SELECT 3, 7",
      "VALUES (4, 8), (5, 9.0)",
    ),
    [
      ["a", five],
      [1, 5],
      [2, 6],
      [3, 7],
      [4, 8],
      [5, { real: "9.0" }],
    ],
  ],
  [
    "duplicates go",
    "SELECT s FROM t UNION SELECT 'A' UNION SELECT 5.0 UNION SELECT 6 UNION SELECT 9007199254740993",
    [[five], [6], [large], ["A"]],
  ],
  [
    "rows go",
    "SELECT n FROM t EXCEPT SELECT 1 EXCEPT SELECT 2 EXCEPT SELECT 3 EXCEPT SELECT 4",
    [[five], [large]],
  ],
  [
    "in an order",
    `${parts("SELECT n AS k FROM t", "SELECT 1", "SELECT 2.0", "SELECT 3", "SELECT 4")} ORDER BY k DESC LIMIT 3`,
    [[large], [five], [4]],
  ],
  [
    "behind WITH",
    `WITH w(a) AS (SELECT x FROM t) ${parts("SELECT a FROM w", "SELECT 1", "SELECT 2.0", "SELECT 3", "SELECT a FROM w LIMIT 4")}`,
    [[five], [2.5], [1], [{ real: "2.0" }]],
  ],
  [
    "with parameters",
    {
      sql: `${parts("SELECT x + ? FROM t", "SELECT ?", "SELECT ?2", "SELECT :a", "SELECT ?1")} LIMIT ?`,
      params: [1, large, 2.5, 6],
    },
    [[{ real: "6.0" }], [3.5], [large], [large], [2.5], [1]],
  ],
];

describe.each(cases)("%s", (_, given, rows) => {
  const statement = typeof given === "string" ? { sql: given } : given;
  it("on both sides", async () => {
    const { file, store } = await (await Pair.open(setUp)).run({ statements: [statement] });
    expect(file).toEqual(store);
    expect(store).toMatchObject({ ok: true, seen: [{ rows }] });
  });
});

it("is read as numbers where a REAL column comes first and rows are compared", async () => {
  const sql = "SELECT x FROM t UNION SELECT 1 UNION SELECT 2 UNION SELECT 3.0 UNION SELECT 4";
  const { file, store } = await (await Pair.open(setUp)).run({ statements: [{ sql }] });
  expect(file).toEqual(store);
  expect(store).toMatchObject({ ok: true, seen: [{ rows: [[1], [2], [2.5], [3], [4], [5]] }] });
});
