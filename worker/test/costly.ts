// Requests that would hold an isolate, and those next to them that must be answered. Both sides are asked.
import { QUERY_LIMITS } from "../src/wire/limits.ts";

const { resultRows } = QUERY_LIMITS;
const endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)";
export const upTo = (rows: number) =>
  `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < ${rows})`;
const manyColumns = (value: string) => Array.from({ length: 100 }, (_, i) => `${value} AS c${i}`).join(", ");

type Request = readonly [name: string, ...sql: string[]];

export const costly: readonly Request[] = [
  ["rows without end", `${endless} SELECT n FROM r`],
  [
    "rows without end, read as numbers",
    `${endless} SELECT n FROM r UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4`,
  ],
  ["rows without end, in a compound", `${endless} SELECT n FROM r UNION ALL SELECT 0`],
  ["one row too many", `${upTo(resultRows + 1)} SELECT n FROM r`],
  ["one row too many, of 100 columns", `${upTo(resultRows + 1)} SELECT ${manyColumns("1")} FROM r`],
  ["one row too many, under a limit of its own", `${endless} SELECT n FROM r LIMIT ${resultRows + 1}`],
  ["one row too many in two statements", `${upTo(resultRows)} SELECT n FROM r`, "SELECT 1"],
  ["200 MB of text", `${upTo(200)} SELECT printf('%.*c', 1000000, 'x') FROM r`],
  ["200 MB of BLOBs", `${upTo(200)} SELECT zeroblob(1000000) FROM r`],
  [
    "what a write gives back",
    "CREATE TABLE t(a)",
    `INSERT INTO t ${upTo(resultRows + 1)} SELECT n FROM r RETURNING a`,
  ],
];

export const modest: readonly (readonly [name: string, rows: number, sql: string])[] = [
  ["as many rows as there may be", resultRows, `${upTo(resultRows)} SELECT n FROM r`],
  ["10 MB", 10, `${upTo(10)} SELECT printf('%.*c', 1000000, 'x') FROM r`],
  ["one sum of many rows", 1, `${upTo(300_000)} SELECT sum(n) FROM r`],
  ["a part of rows without end", 10, `${endless} SELECT n FROM r LIMIT 10`],
  [
    "a subquery with an order and a limit",
    3,
    `${upTo(10)} SELECT n FROM (SELECT n FROM r ORDER BY n DESC LIMIT 3)`,
  ],
  ["VALUES", 2, "VALUES (1), (2)"],
  ["a comment at the end", 1, "SELECT 1 -- the end"],
];

const named = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, i]));

export const tooMany: readonly (readonly [name: string, request: () => unknown])[] = [
  [
    "named parameters",
    () => ({ statements: [{ sql: "SELECT 1", params: named(QUERY_LIMITS.parameters + 1) }] }),
  ],
  [
    "parameters",
    () => ({ statements: [{ sql: "SELECT 1", params: Array(QUERY_LIMITS.parameters + 1).fill(1) }] }),
  ],
  ["statements", () => ({ statements: Array(QUERY_LIMITS.statements + 1).fill({ sql: "SELECT 1" }) })],
];

export const deep: readonly (readonly [name: string, text: string, refused: boolean])[] = [
  ["arrays", "[".repeat(QUERY_LIMITS.jsonDepth + 1), true],
  ["objects", '{"a":'.repeat(QUERY_LIMITS.jsonDepth + 1), true],
  ["the deepest", "[".repeat(QUERY_LIMITS.jsonDepth) + "]".repeat(QUERY_LIMITS.jsonDepth), false],
  ["one after the other", `[${"[],{},".repeat(1000)}1]`, false],
  ["within a text", JSON.stringify(["[{".repeat(1000), '"[[[[\\'.repeat(1000)]), false],
  ["a text without an end", `["${"[".repeat(1000)}`, false],
];
