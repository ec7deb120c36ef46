// What is over a limit in a file is served as far as it can be, and no ALTER of another table fails for it.
import { describe, expect, it } from "vitest";
import { runOnFile } from "../../src/file/engine.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import { messageOf } from "../../src/wire/errors.ts";
import { Pair } from "../differential/pair.ts";

const many = (count: number, item: (i: number) => string, joint = ", "): string =>
  Array.from({ length: count }, (_, i) => item(i)).join(joint);

/** What no Durable Object would make, each beside the table of the test. */
const overLimits: Record<string, string> = {
  nothing: "CREATE TABLE other(a)",
  columns: `CREATE TABLE other(${many(150, (i) => `c${i}`)})`,
  "an index": `CREATE TABLE other(a);;CREATE INDEX i ON other(${many(120, (i) => `a + ${i}`)})`,
  "a view's columns": `CREATE VIEW other AS SELECT ${many(120, (i) => `${i} AS c${i}`)}`,
  parts: `CREATE VIEW other AS ${many(6, (i) => `SELECT ${i}`, " UNION ALL ")}`,
  depth: `CREATE TABLE other(a CHECK (${many(150, () => "a", " + ")} > 0))`,
  arguments: `CREATE VIEW other AS SELECT max(${many(200, String)})`,
  "a trigger": `CREATE TABLE other(a);;CREATE TRIGGER g AFTER INSERT ON other BEGIN SELECT ${many(150, () => "new.a", " + ")}; END`,
  "a long text": `CREATE TABLE other(a DEFAULT '${"x".repeat(99_950)}')`,
  "a function": "CREATE VIEW other AS SELECT log10(1)",
  "a name": "CREATE TABLE _cf_other(a)",
};

/** What a Durable Object says, which has nothing else. */
const alters = {
  "ALTER TABLE t ADD COLUMN c DEFAULT 1": "ok",
  "ALTER TABLE t RENAME COLUMN b TO d": "ok",
  "ALTER TABLE t DROP COLUMN b": "ok",
  "ALTER TABLE t RENAME TO u": "ok",
  "ALTER TABLE hundred RENAME COLUMN c1 TO d1": "ok",
  "ALTER TABLE hundred ADD COLUMN more": "too many columns on sqlite_altertab_hundred: SQLITE_ERROR",
  [`ALTER TABLE t ADD COLUMN c CHECK (${many(101, () => "c", " + ")} > 0)`]:
    "Expression tree is too large (maximum depth 100): SQLITE_ERROR",
  "ALTER TABLE t RENAME TO _cf_t": "not authorized: SQLITE_AUTH",
};

const setUp = ["CREATE TABLE t(a, b)", `CREATE TABLE hundred(${many(100, (i) => `c${i}`)})`];

describe.each(Object.entries(overLimits))("beside %s", (_, other) => {
  const statements = [...setUp, ...other.split(";;")].map((sql) => ({ sql }));
  const request = parseQueryRequest({ statements });
  const made =
    runOnFile(new Uint8Array(0), request, undefined, undefined, "sqlite").changed ?? new Uint8Array(0);

  it.each(Object.entries(alters))("%.60s: %s", (sql, answer) => {
    expect(outcome(made, sql)).toBe(answer);
    // The limits hold again behind it.
    expect(outcome(made, sql, `SELECT ${many(101, String)}`)).not.toBe("ok");
  });
});

const name = (letter: string, bytes: number): string => letter.repeat(bytes);
const grows: [what: string, fits: boolean, ...texts: string[]][] = [
  ["one long name", true, `ALTER TABLE t RENAME COLUMN a TO ${name("z", 99_000)}`],
  [
    "two long names",
    false,
    ...["a", "b"].map((c) => `ALTER TABLE t RENAME COLUMN ${c} TO ${name(c, 99_000)}`),
  ],
  [
    "a long table",
    false,
    ...["a", "b"].map((c) => `ALTER TABLE t ADD COLUMN ${c}2 DEFAULT '${name(c, 60_000)}'`),
  ],
  [
    "an index on long names",
    false,
    "CREATE INDEX i ON t(a, a + 1)",
    `ALTER TABLE t RENAME COLUMN a TO ${name("z", 60_000)}`,
  ],
  [
    "a view of a long name",
    false,
    "CREATE VIEW v AS SELECT a, a + 1 FROM t",
    `ALTER TABLE t RENAME COLUMN a TO ${name("z", 60_000)}`,
  ],
  [
    "a view of a long table",
    false,
    "CREATE VIEW v AS SELECT * FROM t, t u",
    `ALTER TABLE t RENAME TO ${name("z", 60_000)}`,
  ],
];
it.each(grows)("what ALTER makes is under the limits on both sides: %s", async (_, fits, ...texts) => {
  const pair = await Pair.open(setUp);
  const { file, store } = await pair.run({ statements: texts.map((sql) => ({ sql })) });
  expect([file.ok, store.ok]).toEqual([fits, fits]);
  if (!file.ok)
    expect(file.error).toMatchObject({ kind: "sql-error", details: { statement: texts.length - 1 } });
  if (!file.ok) expect(file.error.message).toContain("string or blob too big");
  // And what was refused is as it was.
  const after = await pair.run({ statements: [{ sql: "SELECT sql FROM sqlite_schema WHERE name = 't'" }] });
  expect(after.file).toEqual(after.store);
});

it.each(Object.entries(alters))("a Durable Object says of %.60s: %s", async (sql, answer) => {
  const { store } = await (await Pair.open(setUp)).run({ statements: [{ sql }] });
  expect(store.ok ? "ok" : store.error.message).toBe(answer);
});

function outcome(file: Uint8Array, ...texts: string[]): string {
  try {
    runOnFile(file, parseQueryRequest({ statements: texts.map((sql) => ({ sql })) }));
    return "ok";
  } catch (error) {
    return messageOf(error);
  }
}
