// Foreign keys that SQLite cannot check, and triggers that speak like SQLite.
import { expect, it } from "vitest";
import { activeStore, table } from "./client.ts";
import type { QueryAnswer } from "../../src/query/types.ts";

it("writes beside a deferred key to a parent without a unique column", async () => {
  const store = await activeStore([
    table("p", "CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT)"),
    table("c", "CREATE TABLE c (x REFERENCES p(code) DEFERRABLE INITIALLY DEFERRED)"),
    table("o", "CREATE TABLE o (a)"),
  ]);
  const ask = (sql: string) => store.query(sql) as Promise<QueryAnswer>;
  expect(await ask("INSERT INTO o VALUES (1)")).toMatchObject({ ok: true });
  expect(await ask("INSERT INTO c VALUES ('x')")).toMatchObject({ ok: false, error: { kind: "sql-error" } });
  expect(await ask("CREATE UNIQUE INDEX u ON p (code)")).toMatchObject({ ok: true });
  expect(await ask("INSERT INTO c VALUES ('x')")).toMatchObject({ ok: false, error: { kind: "sql-error" } });
  expect(await ask("INSERT INTO p (code) VALUES ('x')")).toMatchObject({ ok: true });
  expect(await ask("INSERT INTO c VALUES ('x')")).toMatchObject({ ok: true });
});

it("runs no statement twice because of what a trigger says", async () => {
  const sql =
    "CREATE TRIGGER g BEFORE INSERT ON items WHEN (SELECT count(*) FROM items) >= 1 BEGIN SELECT RAISE(ABORT, 'too many items'); END";
  const store = await activeStore([
    table("items", "CREATE TABLE items (a)"),
    { type: "trigger", name: "g", table: "items", sql },
  ]);
  const statements = [
    { sql: "INSERT INTO items VALUES (1)" },
    { sql: "INSERT INTO items VALUES (2) RETURNING a" },
  ];
  expect(await store.stub.query({ statements })).toMatchObject({ ok: false, error: { kind: "sql-error" } });
  expect(await store.query("SELECT a FROM items", [], "read")).toMatchObject({ results: [{ rows: [] }] });
});
