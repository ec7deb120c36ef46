// What a request may cost in a Durable Object: counted, never timed.
import { beforeEach, describe, expect, it } from "vitest";
import { some } from "../effort.ts";
import { type Client, activeStore, table } from "./client.ts";
import { costly, deep, modest, tooMany } from "../costly.ts";

let store: Client;
beforeEach(async () => {
  store = await activeStore([table("notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text)")]);
});

const ask = (...sql: string[]) => store.stub.query({ statements: sql.map((text) => ({ sql: text })) });

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
