// The rules that Go, the file side and the store share (pkg/wire/testdata/vectors/README.md): each runs all
// of them.
import { beforeAll, describe, expect, it } from "vitest";
import query from "../../../pkg/wire/testdata/vectors/query.json";
import rules from "../../../pkg/wire/testdata/vectors/rules.json";
import { storeFunctions } from "../../src/file/functions.ts";
import { isReservedName } from "../../src/file/reserved.ts";
import type { QueryStatement, QueryValue } from "../../src/query/types.ts";
import { classify } from "../../src/wire/marker.ts";
import { parseUserId } from "../../src/wire/routes.ts";
import { Pair, type Shown } from "./pair.ts";

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.open(rules.limits.setUp);
});

/** What both sides say. */
async function both(statement: QueryStatement): Promise<Shown> {
  const { file, store } = await pair.run({ statements: [statement] });
  expect(file).toEqual(store);
  return store;
}

describe("limits", () => {
  it.each(rules.limits.statements)("$name: $ok", async ({ sql, parameters, ok }) => {
    expect(await both({ sql, params: Array<string>(parameters).fill("1") })).toMatchObject({ ok });
  });
});

describe("functions", () => {
  it("are those of the table", () => {
    const { allowed, refused } = rules.functions;
    expect(allowed.filter((name) => !storeFunctions.has(name))).toEqual([]);
    expect(refused.filter(({ name }) => storeFunctions.has(name))).toEqual([]);
    const others = [...storeFunctions].filter((name) => !allowed.includes(name));
    expect(others.filter((name) => !/^(sqlite_|load_extension)/.test(name))).toEqual([]); // ALTER's own, and one that refuses by itself
  });

  it.each(rules.functions.allowed.filter((name) => /^\w+$/.test(name)))("%s is there", async (name) => {
    const sql = /^jsonb?_(each|tree)$/.test(name)
      ? `SELECT count(*) FROM ${name}('[1]')`
      : `SELECT "${name}"()`;
    const { store } = await pair.run({ statements: [{ sql }] });
    expect(JSON.stringify(store)).not.toMatch(/not authorized|no such/);
  });

  it.each(rules.functions.refused)("$name is refused", async ({ sql }) => {
    const message = expect.stringMatching(/^(not authorized to use function|no such function): /);
    expect(await both({ sql })).toMatchObject({ ok: false, error: { kind: "sql-error", message } });
  });
});

// So preflight warns of such a trigger and does not refuse it: it is moved, and comes back.
describe("functions that are refused", () => {
  beforeAll(async () => {
    expect(await both({ sql: "CREATE TABLE fired(a)" })).toMatchObject({ ok: true });
  });

  it.each(rules.functions.refused)("$name in a trigger and a view", async ({ name, sql }) => {
    expect(
      await both({ sql: `CREATE TRIGGER "fires ${name}" AFTER INSERT ON fired BEGIN ${sql}; END` }),
    ).toMatchObject({
      ok: true,
    });
    expect(await both({ sql: `CREATE VIEW "shows ${name}" AS ${sql}` })).toMatchObject({ ok: true });
    const message = expect.stringMatching(/^(not authorized to use function|no such function|unsafe use of)/);
    const refusal = { ok: false, error: { kind: "sql-error", message } };
    expect(await both({ sql: "INSERT INTO fired VALUES (1)" })).toMatchObject(refusal);
    expect(await both({ sql: `SELECT * FROM "shows ${name}"` })).toMatchObject(refusal);
    for (const sql of [`DROP TRIGGER "fires ${name}"`, `DROP VIEW "shows ${name}"`])
      expect(await both({ sql })).toMatchObject({ ok: true });
  });
});

describe("reserved names", () => {
  it.each(rules.reservedNames)("$name: $reserved", async ({ name, reserved }) => {
    expect(isReservedName(name)).toBe(reserved);
    expect(await both({ sql: `CREATE TABLE "${name}"(a)` })).toMatchObject({ ok: !reserved });
  });
});

describe("values", () => {
  // A number that JSON.parse would change does not come as far as the sides (test/wire/json-numbers.test.ts).
  const parameters = (
    query.parameters as { json: string; expect: { error?: string; result?: string } }[]
  ).filter(({ json, expect: { error } }) => error === undefined || !/^-?\d/.test(json));
  it.each(parameters)("$json", async ({ json, expect: { error, result } }) => {
    const { file, store } = await pair.run({
      statements: [{ sql: "SELECT ?", params: [JSON.parse(json) as QueryValue] }],
    });
    expect(file).toEqual(store);
    if (result === undefined) expect(store).toMatchObject({ ok: false, error: { kind: error } });
    else expect(store).toMatchObject({ ok: true, seen: [{ rows: [[JSON.parse(result)]] }] });
  });
});

describe("user ids", () => {
  it.each(rules.userIds)("$id: $ok", ({ id, ok }) => {
    const accepted = ((): boolean => {
      try {
        return parseUserId(id) === id;
      } catch {
        return false;
      }
    })();
    expect(accepted).toBe(ok);
  });
});

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

describe("marks", () => {
  it.each(rules.marks)("$name", ({ hex, expect: { kind, lin, non, stamp } }) => {
    const fenced = kind === "fence" || kind === "split";
    const mark = fenced
      ? { fenced, lin, non, split: kind === "split", kind: "file" }
      : { fenced, stamp: stamp ?? 0 };
    expect(classify(bytes(hex))).toEqual(mark);
  });

  it.each(rules.tombstones)("$name", ({ hex, ok, lin, non }) => {
    if (ok) expect(classify(bytes(hex))).toMatchObject({ fenced: true, lin, non, kind: "tombstone" });
    else expect(() => classify(bytes(hex))).toThrow("read tombstone");
  });
});
