// A read never changes anything, whatever its text looks like.
import { expect, it } from "vitest";
import { activeStore, table } from "./client.ts";
import type { QueryAnswer } from "../../src/query/types.ts";

const users = table("u", "CREATE TABLE u (id INTEGER PRIMARY KEY, role, x)");

const known = [
  "SELECT 7,'admin' LIMIT 1) REPLACE INTO u(id,role,x) WITH q AS (SELECT 1",
  "SELECT 1) DELETE FROM u WHERE id IN (SELECT 1",
  "SELECT 1 /* ) INSERT INTO u(id) VALUES (9) -- ",
  "SELECT 7 LIMIT 1) DELETE FROM u '",
  "WITH q AS (SELECT 8) INSERT INTO u(id) SELECT * FROM q",
  "DELETE FROM u",
  "DROP TABLE u",
  "UPDATE u SET x = 1 RETURNING id",
];

const pieces = [
  ..."SELECT 1|VALUES (7)|WITH q AS (|) |( |LIMIT 1|LIMIT 0|DELETE FROM u|REPLACE INTO u(id) |INSERT INTO u(id, role) ".split(
    "|",
  ),
  ..."UNION ALL |SELECT id, role FROM u|WHERE id = 1|RETURNING id|, |'|\"|--\n|/*|*/|;|q |AS MATERIALIZED (|EXPLAIN |SELECT 9".split(
    "|",
  ),
];

// A generator of our own, so that a failure can be repeated.
function* randomNumbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state;
  }
}

function damaged(random: Generator<number, never>): string {
  const length = 1 + ((random.next().value >>> 8) % 8);
  return Array.from({ length }, () => pieces[(random.next().value >>> 8) % pieces.length]).join(" ");
}

it("refuses a read that writes, and keeps every row", async () => {
  const rows = [
    [1n, "user", null],
    [2n, "user", 0.5],
  ] as const;
  const store = await activeStore([users], { u: { columns: ["id", "role", "x"], rows } });
  const before = (await store.post("digest", { budgetMs: 5000, fresh: true })).json;
  const random = randomNumbers(20261129);
  const statements = [...known, ...Array.from({ length: 1000 }, () => damaged(random))];
  let answered = 0;
  for (const sql of statements) {
    const answer = (await store.query(sql, [], "read")) as QueryAnswer;
    if (answer.ok) answered++;
    else expect(answer.error.kind).toMatch(/^(sql-error|write-in-read|integer-precision)$/);
  }
  expect(answered).toBeGreaterThan(20);
  const after = (await store.post("digest", { budgetMs: 5000, fresh: true })).json;
  expect(after).toEqual(before);
});

it("says what is not closed in itself", async () => {
  const store = await activeStore([users]);
  for (const sql of [...known.slice(0, 2), "SELECT 7 LIMIT 1) DELETE FROM u '"]) {
    expect(await store.query(sql, [], "write")).toMatchObject({ ok: false, error: { kind: "sql-error" } });
  }
});
