// What a request may cost in a Durable Object: counted, never timed.
import { runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type { QueryAnswer } from "../../src/query/types.ts";
import { some } from "../effort.ts";
import { type Client, activeStore, table } from "./client.ts";
import { costly, deep, modest, tooMany, upTo } from "../costly.ts";

let store: Client;
beforeEach(async () => {
  store = await activeStore([table("notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text)")]);
});

const ask = (...sql: string[]) => store.stub.query({ statements: sql.map((text) => ({ sql: text })) });

/** What a request is answered, and how many rows SQLite has read for it, by all its cursors. */
async function countingRows<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  const methods = await runInDurableObject(
    store.stub,
    (_, { storage }) => Object.getPrototypeOf(storage.sql) as SqlStorage,
  );
  const exec = methods.exec;
  methods.exec = function (this: SqlStorage, query: string, ...bindings: never[]) {
    const cursor = exec.call(this, query, ...bindings);
    cursors.push(cursor);
    return cursor;
  } as SqlStorage["exec"];
  try {
    const answer = await work();
    return [answer, cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0)];
  } finally {
    methods.exec = exec;
  }
}

describe("a request to a store ends", () => {
  it.each(some("costly requests", costly, 2))("when it asks for %s", async (_name, ...sql) => {
    expect(await ask(...sql)).toMatchObject({ ok: false, error: { kind: "too-costly" } });
    // A cursor that is left in the middle would keep tables from being dropped.
    expect(await ask("CREATE TABLE z (a)", "DROP TABLE z", "SELECT count(*) FROM notes")).toMatchObject({
      ok: true,
    });
  });

  // Together they are 20 GB: no more of them may be made than the answer may hold.
  it.each([
    ["a recursive table", "SELECT hex(zeroblob(100000)) UNION ALL SELECT x FROM r"],
    [
      "a recursive table with a limit of its own",
      "SELECT hex(zeroblob(100000)) UNION ALL SELECT x FROM r LIMIT 1000000000",
    ],
  ])("when the long rows of %s have no end", async (_name, rows) => {
    const asked = `WITH RECURSIVE r(x) AS (${rows}) SELECT x FROM r`;
    for (const sql of [asked, `${asked} LIMIT 100000000`, `SELECT x FROM (${asked}) UNION ALL SELECT 1`]) {
      expect(await ask(sql)).toMatchObject({ ok: false, error: { kind: "too-costly" } });
    }
    expect(await ask("SELECT count(*) FROM notes")).toMatchObject({ ok: true });
  });

  // SQLite would make all of them before it gives the first: 20 GB again.
  const long = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 200000) SELECT";
  it.each([
    ["sorted", `${long} hex(zeroblob(50000)) AS x FROM r ORDER BY n % 7`],
    ["sorted by a number of theirs", `${long} n % 7, hex(zeroblob(50000)) FROM r ORDER BY 1 DESC`],
    ["sorted, of groups", `${long} hex(zeroblob(50000)) AS x FROM r GROUP BY n ORDER BY n % 7`],
    ["sorted, without a limit", `${long} hex(zeroblob(50000)) AS x FROM r ORDER BY n % 7 LIMIT -1`],
    [
      "sorted, to be skipped",
      `${long} hex(zeroblob(50000)) AS x FROM r ORDER BY n % 7 LIMIT 1 OFFSET 199998`,
    ],
    ["sorted, of two SELECTs", `${long} hex(zeroblob(50000)) AS x FROM r UNION ALL SELECT 1 ORDER BY x`],
    ["of 100 columns", `${long} hex(zeroblob(50000)), ${Array(99).fill("n").join(", ")} FROM r`],
    [
      "of 100 columns, with a limit",
      `${long} hex(zeroblob(50000)), ${Array(99).fill("n").join(", ")} FROM r LIMIT 199999`,
    ],
    ["of VALUES", `VALUES ${Array(3500).fill("(hex(zeroblob(1000000)))").join(", ")}`],
    ["behind VALUES", `SELECT 1 UNION ALL VALUES ${Array(3500).fill("(hex(zeroblob(1000000)))").join(", ")}`],
  ])("when the long rows are %s", async (_name, sql) => {
    expect(await ask(sql)).toMatchObject({ ok: false, error: { kind: "too-costly" } });
    expect(await ask("DROP TABLE notes")).toMatchObject({ ok: true });
  });

  it("and sorts no rows that the answer has no room for", async () => {
    await ask(`INSERT INTO notes ${upTo(300_000)} SELECT n, n % 7 FROM r`);
    const sorted = "SELECT * FROM notes ORDER BY text";
    for (const end of [
      "",
      " LIMIT -1",
      " LIMIT 9223372036854775807",
      " LIMIT 5 - 6 OFFSET 2",
      " LIMIT 1, -1",
    ]) {
      const [answer, read] = await countingRows(() => ask(sorted + end));
      expect(answer, end).toMatchObject({ ok: false, error: { kind: "too-costly" } });
      expect(read, end).toBeLessThan(110_000);
    }
  });

  it("and answers a few of many rows that it sorts", async () => {
    await ask(`INSERT INTO notes ${upTo(300_000)} SELECT n, n % 7 FROM r`);
    const few: readonly (readonly [string, number, unknown[]?])[] = [
      ["WHERE id < 3000 ORDER BY text", 2999],
      ["ORDER BY text LIMIT 3", 3],
      ["ORDER BY text LIMIT 2, 3", 3],
      ["ORDER BY text LIMIT ? OFFSET ?", 3, [3, 2]],
      ["WHERE text <> ? ORDER BY text LIMIT max(?, ?) + 1", 4, ["x", 1, 3]],
      ["ORDER BY text LIMIT 3 OFFSET 150000", 3],
    ];
    for (const [end, rows, params = []] of few) {
      const sql = `SELECT * FROM notes ${end}`;
      const answer = await store.stub.query({ statements: [{ sql, params }] });
      expect(answer.ok && answer.results[0]?.rows.length, end).toBe(rows);
    }
  });

  // An INTEGER has as many digits as it has, and 8 bytes of the budget.
  it("and answers many numbers in any order", async () => {
    const columns = Array.from({ length: 14 }, (_, i) => `n * 7919 % 9973 + 1700000000000 AS c${i}`).join(
      ", ",
    );
    for (const order of ["", " ORDER BY c0"]) {
      const answer = await ask(`${upTo(90_000)} SELECT ${columns} FROM r${order}`);
      expect(answer.ok && answer.results[0]?.rows.length, order).toBe(90_000);
    }
  });

  it("and reads rows twice only where an index does not have them in their order", async () => {
    await ask(`INSERT INTO notes ${upTo(50)} SELECT n, n % 7 FROM r`);
    const [byKey, byText] = await Promise.all(
      ["id", "text"].map((column) => ask(`SELECT * FROM notes ORDER BY ${column}`)),
    );
    const rowsRead = (answer: QueryAnswer | undefined) => answer?.ok === true && answer.results[0]?.rowsRead;
    expect(rowsRead(byKey)).toBe(50);
    expect(rowsRead(byText)).toBe(200); // the first look, the rows, those that are sorted, and the answer's
  });

  it("and reads the rows of groups once", async () => {
    await ask(`INSERT INTO notes ${upTo(7000)} SELECT n, n % 7 FROM r`);
    const groups = "SELECT text, count(*) FROM notes GROUP BY text ORDER BY max(id) DESC";
    const [answer, read] = await countingRows(() => ask(groups));
    expect(answer.ok && answer.results[0]?.rows.length).toBe(7);
    expect(read).toBeLessThan(2 * 7000 + 100); // and once more those that are sorted into groups
  });

  // A column is asked for twice, for its value and for its class.
  it("and computes each column of a row once", async () => {
    const rows = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 2000)";
    const either = "CASE abs(random()) % 2 WHEN 0 THEN 1 ELSE 2.0 END";
    for (const end of ["", " LIMIT 1999", " ORDER BY n"]) {
      const answer = await ask(`${rows} SELECT ${either} AS v, n FROM r${end}`);
      const values = answer.ok ? answer.results[0]?.rows.map(([value]) => JSON.stringify(value)) : [];
      expect(new Set(values)).toEqual(new Set(["1", '{"real":"2.0"}']));
    }
  });

  it("when a RETURNING or texts are too long, and leaves no table locked", async () => {
    const long = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 40) SELECT";
    const costly = [`INSERT INTO notes (text) ${long} hex(zeroblob(200000)) FROM r RETURNING *`];
    expect(await ask(...costly)).toMatchObject({ ok: false, error: { kind: "too-costly" } });
    expect(await ask("DROP TABLE notes")).toMatchObject({ ok: true });
  });

  it("when a write answers far too much: no cursor keeps its transaction from ending", async () => {
    const long = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 250) SELECT";
    const costly = [`INSERT INTO notes (text) ${long} 'x' FROM r RETURNING hex(zeroblob(200000))`];
    expect(await ask(...costly)).toMatchObject({ ok: false, error: { kind: "too-costly" } });
    const rows = await ask("SELECT count(*) FROM notes WHERE text = 'x'");
    expect(rows).toMatchObject({ ok: true, results: [{ rows: [[0]] }] });
  });

  it.each(modest)("and answers %s", async (_name, rows, sql) => {
    const answer = await ask(sql);
    expect(answer.ok && answer.results.at(-1)?.rows.length).toBe(rows);
  });

  it.each(tooMany)("and is read up to a bound of %s", async (_name, request) => {
    expect(await store.stub.query(request())).toMatchObject({ ok: false, error: { kind: "too-costly" } });
  });

  it.each(deep.filter(([, , refused]) => refused))("and its JSON, %s, up to a depth", async (_name, text) => {
    const headers = { "content-type": "application/json" };
    const response = await store.stub.fetch("https://store/query", { method: "POST", headers, body: text });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ error: { kind: "too-costly" } });
  });
});
