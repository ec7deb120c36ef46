// Batches of rows, and what follows them.
import { describe, expect, it } from "vitest";
import { Client, databaseDigest, table } from "./client.ts";
import { type Row, batch, dFrame, jFrame } from "./encode.ts";

const t = [table("t", "CREATE TABLE t (a)")];
const rowsOf = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, i): Row => [BigInt(from + i), `row ${from + i}`]);
const part = (from: number, to: number) => batch(jFrame("t", ["rowid", "a"], rowsOf(from, to)));

describe("batches", () => {
  it("may come in any order, twice, and with evictions between them", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.evict();
    await client.schema(t);
    const applied: boolean[] = [];
    for (const seq of [2, 0, 2, 3, 0, 1, 3, 1]) {
      await client.evict();
      const { status, json } = await client.rows(seq, part(seq * 10 + 1, seq * 10 + 11));
      expect(status).toBe(200);
      applied.push(json.applied);
    }
    expect(applied).toEqual([true, true, false, true, false, true, false, false]);
    expect((await client.get("status")).json.batches.applied).toEqual([[0, 3]]);
    await client.evict();
    await client.finish(4);
    await client.evict();
    expect((await client.digest()).json.digest).toMatchObject(
      databaseDigest(t, { t: { rows: rowsOf(1, 41) } }),
    );
  });

  it("that are missing are named at finish, and nothing is finished", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([...t, { type: "index", name: "i", table: "t", sql: "CREATE INDEX i ON t (a)" }]);
    for (const seq of [1, 2, 5]) await client.rows(seq, part(seq * 10, seq * 10 + 10));
    expect(await client.finish(8)).toMatchObject({
      status: 409,
      json: {
        error: {
          kind: "batches-missing",
          details: {
            missing: [
              [0, 0],
              [3, 4],
              [6, 7],
            ],
          },
        },
      },
    });
    expect(await client.finish(5)).toMatchObject({
      status: 409,
      json: { error: { kind: "batches-missing" } },
    });
    for (const seq of [0, 3, 4]) await client.rows(seq, part(seq * 10 + 1000, seq * 10 + 1010));
    expect(await client.finish(5)).toMatchObject({ status: 400, json: { error: { kind: "bad-request" } } });
    expect(await client.finish(6)).toMatchObject({ status: 200, json: { done: true, remaining: 0 } });
    expect(await client.finish(6)).toMatchObject({ status: 200, json: { done: true, remaining: 0 } });
  });

  it("are refused once finish has begun, except those that were applied", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema(t);
    await client.rows(0, part(1, 5));
    await client.finish(1);
    expect(await client.rows(1, part(5, 9))).toMatchObject({
      status: 409,
      json: { error: { kind: "wrong-phase" } },
    });
    expect(await client.rows(0, part(1, 5))).toMatchObject({ status: 200, json: { applied: false } });
  });

  it("start anew with a reset", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema(t);
    await client.rows(0, part(1, 50));
    expect((await client.post("reset", { gen: client.gen })).json).toMatchObject({
      lin: 1,
      batches: { applied: [] },
    });
    expect(await client.rows(0, part(1, 5))).toMatchObject({ status: 422 });
    await client.schema(t);
    expect((await client.rows(0, part(1, 5))).json.applied).toBe(true);
    await client.finish(1);
    expect((await client.digest()).json.digest).toMatchObject(
      databaseDigest(t, { t: { rows: rowsOf(1, 5) } }),
    );
  });

  it("of the largest size arrive", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema(t);
    const row = (id: bigint, size: number): Row => [id, "x".repeat(size)];
    const large = [row(1n, 1_999_000), row(2n, 1_999_000), row(3n, 1_999_000)];
    const body = batch(
      ...large.map((r) => dFrame("t", ["rowid", "a"], r)),
      jFrame("t", ["rowid", "a"], [row(4n, 890_000)]),
    );
    expect((await client.rows(0, body)).json).toEqual({ seq: 0, applied: true });
    await client.finish(1);
    const tables = { t: { rows: [...large, row(4n, 890_000)] } };
    expect((await client.digest()).json.digest).toMatchObject(databaseDigest(t, tables));
  });
});

describe("finish", () => {
  it("names the object that SQLite refuses, and keeps what was done before it", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([
      ...t,
      { type: "index", name: "good", table: "t", sql: "CREATE INDEX good ON t (a)" },
      { type: "index", name: "unique", table: "t", sql: 'CREATE UNIQUE INDEX "unique" ON t (a)' },
    ]);
    await client.rows(0, batch(jFrame("t", ["a"], [["twice"], ["twice"]])));
    for (let i = 0; i < 2; i++) {
      expect(await client.finish(1)).toMatchObject({
        status: 422,
        json: { error: { kind: "schema-refused", details: { object: "unique" } } },
      });
    }
    expect((await client.ready()).json.error.kind).toBe("digest-incomplete");
  });

  it("goes on after an eviction in its middle", async () => {
    const indexes = Array.from({ length: 450 }, (_, i) => ({
      type: "view",
      name: `v${i}`,
      table: `v${i}`,
      sql: `CREATE VIEW v${i} AS SELECT ${i}`,
    }));
    const client = new Client();
    await client.claim("migrate");
    await client.schema([...t, ...indexes]);
    const answers: unknown[] = [];
    for (let done = false; !done;) {
      const { json } = await client.post("finish", { gen: client.gen, batches: 0 });
      answers.push(json.remaining);
      done = json.done;
      await client.evict();
    }
    expect(answers).toEqual([251, 51, 0]);
    expect((await client.digest()).json.digest).toMatchObject(
      databaseDigest([...t, ...indexes], { t: { rows: [] } }),
    );
  });
});
