// Parsers look at a text once, whatever it holds: characters are counted, not time.
import { describe, expect, it } from "vitest";
import { hasMixedValues, mayMix, mixedNames } from "../../src/query/affinity.ts";
import { splitStatements } from "../../src/query/statement.ts";
import { SuffixEnds, textOf, tokenize } from "../../src/query/tokens.ts";

describe("the suffix of a parameter", () => {
  it.each(["$a(", "$a(b", "$a(b) ", "$a (", ":a($b("])("is searched for once: %s", (text) => {
    const sql = text.repeat(20_000);
    const ends = new SuffixEnds(sql);
    for (let at = sql.indexOf("("); at >= 0; at = sql.indexOf("(", at + 1)) ends.behind(at + 1);
    expect(ends.searched).toBeLessThanOrEqual(sql.length);
    expect(textOf(tokenize(sql))).toBe(sql);
  });

  it.each([
    ["$a(b)", ["$a(b)"]],
    ["$a::b(c d)", ["$a::b", "(", "c", " ", "d", ")"]],
    ["$a(b", ["$a", "(", "b"]],
    ["$a()$b(", ["$a()", "$b", "("]],
    ["?1(2)", ["?1", "(", "2", ")"]],
  ])("ends where SQLite ends it: %s", (sql, tokens) => {
    expect(tokenize(sql).map(({ text }) => text)).toEqual(tokens);
  });
});

it("statements are split in one walk", () => {
  const sql = "SELECT 1;".repeat(30_000);
  expect(splitStatements(sql)).toHaveLength(30_000);
  expect(splitStatements(";; a ;b;").map(textOf)).toEqual(["a", "b"]);
  expect(
    splitStatements("CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END; SELECT 3").map(textOf),
  ).toEqual(["CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END", "SELECT 3"]);
});

it("parentheses are matched in one walk", () => {
  const nested = `VALUES ${"(".repeat(50_000)}${")".repeat(50_000)}`;
  expect(hasMixedValues(tokenize(nested))).toBe(false);
  expect(hasMixedValues(tokenize("VALUES (1), (a)"))).toBe(true);
  expect(hasMixedValues(tokenize("VALUES ".repeat(10_000) + "(".repeat(50_000)))).toBe(false);
});

it("a chain of views is followed once", () => {
  const views = Array.from({ length: 2000 }, (_, i) => [
    `v${i}`,
    i === 1999
      ? "CREATE VIEW v1999 AS SELECT 1 UNION SELECT 2.5"
      : `CREATE VIEW v${i} AS SELECT * FROM v${i + 1}`,
  ]);
  let read = 0;
  const rows = function* () {
    for (const view of views) {
      read++;
      yield view;
    }
  };
  const sql = { exec: () => ({ raw: rows }) } as unknown as Parameters<typeof mixedNames>[0];
  const mixed = mixedNames(sql);
  expect([mixed.size, read]).toEqual([2000, 2000]);
  expect(mayMix(tokenize('SELECT * FROM "V0"'), () => mixed)).toBe(true);
  expect(mayMix(tokenize("SELECT * FROM t"), () => mixed)).toBe(false);
});
