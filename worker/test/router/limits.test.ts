// Before a user moves, statements that a Durable Object would refuse are refused, or answered and reported.
import { describe, expect, it } from "vitest";
import { createRouter, type RouterReport } from "../../src/index.ts";
import type { RouterConfig } from "../../src/router/router.ts";
import { bindings, database, fileKey, newUser, reportsInto } from "./fixtures.ts";

const list = (count: number, item: (i: number) => string, joint = ", "): string =>
  Array.from({ length: count }, (_, i) => item(i)).join(joint);

const refused: [name: string, sql: string, params: number[], message: string][] = [
  [
    "150 parameters",
    `SELECT 1 IN (${list(150, () => "?")})`,
    Array<number>(150).fill(1),
    "too many SQL variables",
  ],
  [
    "2,000 parameters",
    `SELECT 1 IN (${list(2000, () => "?")})`,
    Array<number>(2000).fill(1),
    "too many SQL variables",
  ],
  ["a long pattern", `SELECT count(*) FROM t WHERE a LIKE '${"x".repeat(60)}'`, [], "pattern too complex"],
  ["six parts", list(6, (i) => `SELECT ${i}`, " UNION "), [], "too many terms in compound SELECT"],
  ["120 columns", `SELECT ${list(120, String)}`, [], "too many columns in result set"],
  ["a deep expression", `SELECT ${list(150, () => "1", "+")}`, [], "Expression tree is too large"],
  ["a function of SQLite", "SELECT sqlite_version()", [], "not authorized to use function"],
  ["130 arguments", `SELECT max(${list(130, String)})`, [], "too many arguments"],
  ["a reserved name", "CREATE TABLE _cf_x(a)", [], "not authorized"],
  ["a reserved name for a table", "ALTER TABLE t RENAME TO _cf_t", [], "not authorized"],
];

async function ask(options: Partial<RouterConfig>, sql: string, params: readonly number[]) {
  const user = newUser();
  await bindings.BUCKET.put(fileKey(user), database("one"));
  const router = createRouter({
    bucket: bindings.BUCKET,
    flags: bindings.FLAGS,
    store: bindings.USER_DATA,
    ...options,
  });
  return { user, answer: await router.query(user, { statements: [{ sql: "SELECT 1" }, { sql, params }] }) };
}

describe.each(refused)("%s", (_name, sql, params, message) => {
  it("is refused by default", async () => {
    const { answer } = await ask({}, sql, params);
    const error = { kind: "sql-error", message: expect.stringContaining(message), details: { statement: 1 } };
    expect(answer).toMatchObject({ ok: false, error });
  });

  it("is answered and reported", async () => {
    const reports: RouterReport[] = [];
    const { user, answer } = await ask({ limits: "report", observe: reportsInto(reports) }, sql, params);
    expect(answer).toMatchObject({ ok: true, side: "file" });
    const told = {
      kind: "fails-after-move",
      user,
      sql: sql.slice(0, 1000),
      message: expect.stringContaining(message),
    };
    expect(reports).toEqual([told]);
  });
});

describe("limits: report", () => {
  it.each([
    ["what fails everywhere", "SELECT nope"],
    ["what is denied everywhere", "ATTACH ':memory:' AS x"],
    ["a text over 100,000 characters", `SELECT '${"x".repeat(100_000)}'`],
  ])("reports nothing of %s", async (_name, sql) => {
    const reports: RouterReport[] = [];
    const { answer } = await ask({ limits: "report", observe: reportsInto(reports) }, sql, []);
    expect(answer).toMatchObject({ ok: false, error: { kind: "sql-error" } });
    expect(reports).toEqual([]);
  });

  it("answers though the observer fails", async () => {
    const observe = () => {
      throw new Error("no log");
    };
    const { answer } = await ask({ limits: "report", observe }, "SELECT sqlite_version() IS NULL", []);
    expect(answer).toMatchObject({ ok: true, results: [{}, { rows: [[0]] }] });
  });
});
