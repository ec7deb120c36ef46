// A read never changes anything, a write is always counted and announced, whatever the text looks like.
import { describe, expect, it } from "vitest";
import { some } from "../effort.ts";
import { Client, activeStore, table } from "./client.ts";
import { TestSubscriber } from "./subscriber.ts";
import { firstStatements, misleading } from "../statements.ts";
import type { QueryAnswer } from "../../src/query/types.ts";

const users = table("u", "CREATE TABLE u (id INTEGER PRIMARY KEY, role, x)");
const rows = [
  [1n, "user", null],
  [2n, "user", 0.5],
] as const;
const content = { u: { columns: ["id", "role", "x"], rows } };

const phases: [string, "hot" | "cold", "migrate" | "split", boolean][] = [
  ["ACTIVE", "hot", "migrate", false],
  ["SEALED", "hot", "migrate", true],
  ["COLD", "cold", "split", false],
  ["COLD_SEALED", "cold", "split", true],
];

describe("a read changes nothing", () => {
  it.each(phases)("in %s", async (phase, scope, intent, sealed) => {
    const store = new Client();
    await store.import([users], content, {}, intent);
    await store.activate();
    if (sealed) await store.claim("rollback");
    const state = async () => {
      const { json } = await store.get("status");
      const digest = (await store.post("digest", { budgetMs: 5000, fresh: true })).json;
      return { phase: json.phase, writes: json.writes, gen: json.gen, digest };
    };
    const before = await state();
    expect(before.phase).toBe(phase);
    let answered = 0;
    const reads = [...misleading, ...some("generated reads", firstStatements(20261129, 400), 50)];
    for (const [index, sql] of reads.entries()) {
      const answer = (await store.query(sql, [], "read", scope)) as QueryAnswer;
      const given = outcome(answer);
      if (given === "ok") answered++;
      else expect(given, sql).toMatch(/^(sql-error|write-in-read|integer-precision)$/);
      if (index % 50 === 0) expect(await state(), sql).toEqual(before);
    }
    expect(answered).toBeGreaterThan(reads.length / 50); // parts of them differ
    expect(await state()).toEqual(before);
  });
});

// A sealed store answers for the file to decide: what it would have said lies in the details.
function outcome(answer: QueryAnswer): string {
  if (answer.ok) return "ok";
  if (answer.error.kind !== "not-active") return answer.error.kind;
  const details = answer.error.details as { error?: { kind: string } } | undefined;
  return details?.error?.kind ?? "ok";
}

it("counts and announces every write", async () => {
  const store = await activeStore([users], content);
  const subscriber = await TestSubscriber.connect(store);
  const seen = async () => {
    const schema = { sql: "SELECT type, name, sql FROM sqlite_schema ORDER BY name" };
    const all = { statements: [{ sql: "SELECT * FROM u ORDER BY id" }, schema], mode: "read", scope: "hot" };
    const answer = (await store.stub.query(all)) as QueryAnswer;
    return answer.ok ? JSON.stringify(answer.results.map((result) => result.rows)) : answer.error.kind;
  };
  let before = await seen();
  let writes = 0;
  const statements = [
    ...misleading.filter((sql) => !sql.startsWith("DROP")),
    ...some("generated statements", firstStatements(7, 800), 100),
  ];
  for (const sql of statements) {
    const answer = (await store.query(sql, [], "write")) as QueryAnswer;
    const after = await seen();
    const counted = (await store.get("status")).json.writes as number;
    if (after !== before) expect(counted, sql).toBe(writes + 1);
    if (!answer.ok) expect([after, counted], sql).toEqual([before, writes]);
    if (counted > writes) {
      await subscriber.until(() => subscriber.received.length >= counted);
      subscriber.say({ type: "ack", seq: counted });
    }
    [before, writes] = [after, counted];
  }
  expect(writes).toBeGreaterThan(statements.length / 20);
  expect(subscriber.received).toHaveLength(writes);
});

it("says what is not closed in itself", async () => {
  const store = await activeStore([users]);
  for (const sql of [...misleading.slice(0, 2), "SELECT 7 LIMIT 1) DELETE FROM u '"]) {
    expect(await store.query(sql, [], "write")).toMatchObject({ ok: false, error: { kind: "sql-error" } });
  }
});
