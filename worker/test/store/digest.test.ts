import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { tableShape } from "../../src/store/catalog.ts";
import { hashRows } from "../../src/store/range.ts";
import { RowReader } from "../../src/store/row-reader.ts";
import { Client, databaseDigest, encodeRows, rangeDigest, table } from "./client.ts";
import { type Row, batch, dFrame, jFrame, tableDigest } from "./encode.ts";

// The local runtime takes strings of 8 MiB, production of 2,000,000 bytes.
function productionStrings(sql: SqlStorage): SqlStorage {
  const exec = (query: string, ...bindings: unknown[]) => {
    const rows = [...sql.exec(query, ...bindings).raw()];
    const long = rows.some((row) => row[0] instanceof ArrayBuffer && row[0].byteLength > 2_000_000);
    if (long) throw new Error("string or blob too big: SQLITE_TOOBIG");
    return { raw: () => rows.values() };
  };
  return { exec } as unknown as SqlStorage;
}

const int = (n: bigint) => ({ int: String(n) });

describe("the digest", () => {
  it("goes page by page over many requests, evictions and resets of what came before", async () => {
    const client = new Client();
    const objects = [
      table("a", "CREATE TABLE a (x, r)"),
      table("b", "CREATE TABLE b (id INTEGER PRIMARY KEY)"),
    ];
    const a = Array.from({ length: 2048 * 2 + 1 }, (_, i): Row => [
      BigInt(i * 7),
      i % 5 === 0 ? `t${i}` : null,
      i / 4,
    ]);
    const b = Array.from({ length: 2048 }, (_, i): Row => [BigInt(i)]);
    const tables = { a: { columns: ["rowid", "x", "r"], rows: a }, b: { columns: ["id"], rows: b } };
    await client.import(objects, tables);
    const expected = databaseDigest(objects, tables);
    const once = (await client.digest()).json;
    expect(once).toMatchObject({ phase: "READY", gen: 1, lin: 1, writes: 0, complete: true });
    expect(once.digest).toMatchObject(expected);
    await client.evict();
    expect((await client.post("digest", { budgetMs: 0 })).json.digest).toMatchObject(expected);
  });

  it("resumes in the middle of a table, unless the content changed", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([table("t", "CREATE TABLE t (x)")]);
    // More pages than one slice does.
    const rows = Array.from({ length: 2048 * 70 + 5 }, (_, i): Row => [BigInt(i + 1), BigInt(i)]);
    for (let seq = 0; seq * 50_000 < rows.length; seq++) {
      const some = rows.slice(seq * 50_000, (seq + 1) * 50_000);
      const halves = [some.slice(0, 30_000), some.slice(30_000)];
      await client.rows(seq, batch(...halves.map((half) => jFrame("t", ["rowid", "x"], half))));
    }
    const slice = async () => {
      await client.evict();
      return (await client.post("digest", { budgetMs: 0 })).json;
    };
    expect(await slice()).toMatchObject({ complete: false, digest: null });
    expect(await slice()).toMatchObject({ complete: false }); // the census of so many rows is a slice of its own
    const resumed = await slice();
    expect(resumed.complete).toBe(true);
    expect(resumed.digest.tables).toMatchObject([
      { name: "t", rows: rows.length, digest: tableDigest(rows) },
    ]);
    const before: Row[] = [[-1n, "earlier"]];
    await client.rows(3, batch(jFrame("t", ["rowid", "x"], before)));
    expect((await slice()).complete).toBe(false);
    await client.rows(4, batch(jFrame("t", ["rowid", "x"], [[0n, "early"]])));
    expect((await slice()).complete).toBe(false);
    expect((await slice()).complete).toBe(false);
    const all: Row[] = [...before, [0n, "early"], ...rows];
    expect((await slice()).digest.tables).toMatchObject([
      { name: "t", rows: all.length, digest: tableDigest(all) },
    ]);
  });

  it("waits for the schema", async () => {
    const client = new Client();
    await client.claim("migrate");
    expect(await client.digest()).toMatchObject({ status: 409, json: { error: { kind: "wrong-phase" } } });
    expect(await client.finish(0)).toMatchObject({ status: 409, json: { error: { kind: "wrong-phase" } } });
  });

  it("begins anew when the content changes", async () => {
    const client = new Client();
    const objects = [table("t", "CREATE TABLE t (x)")];
    await client.claim("migrate");
    await client.schema(objects);
    await client.rows(0, batch(jFrame("t", ["rowid", "x"], [[1n, "a"]])));
    expect((await client.digest()).json.digest.tables[0].rows).toBe(1);
    await client.rows(1, batch(jFrame("t", ["rowid", "x"], [[2n, "b"]])));
    const after = [
      [1n, "a"],
      [2n, "b"],
    ] satisfies Row[];
    expect((await client.digest()).json.digest).toMatchObject(
      databaseDigest(objects, { t: { rows: after } }),
    );
    await client.finish(2);
    await client.ready();
    await client.activate();
    await client.query("UPDATE t SET x = 'c' WHERE x = 'b'");
    const written = (await client.digest()).json;
    expect(written.writes).toBe(1);
    expect(written.digest).toMatchObject(
      databaseDigest(objects, {
        t: {
          rows: [
            [1n, "a"],
            [2n, "c"],
          ],
        },
      }),
    );
    await client.query("CREATE TABLE u (x)");
    expect((await client.digest()).json.digest.tables.map((d: { name: string }) => d.name)).toEqual([
      "t",
      "u",
    ]);
  });

  it("is computed anew when asked, and then shows what went past the class", async () => {
    const client = new Client();
    const objects = [table("t", "CREATE TABLE t (x)")];
    await client.import(objects, { t: { columns: ["rowid", "x"], rows: [[1n, "a"]] } });
    await client.digest();
    await runInDurableObject(client.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE t SET x = 'b'");
    });
    const then = databaseDigest(objects, { t: { rows: [[1n, "a"]] } });
    const now = databaseDigest(objects, { t: { rows: [[1n, "b"]] } });
    expect((await client.digest()).json.digest).toMatchObject(then);
    expect((await client.post("digest", { budgetMs: 0, fresh: true })).json.digest).toMatchObject(now);
    expect((await client.digest()).json.digest).toMatchObject(now);
    const refused = await client.post("digest", { budgetMs: 0, fresh: "yes" });
    expect(refused).toMatchObject({ status: 400, json: { error: { kind: "bad-request" } } });
  });

  it("sees what two SQL texts would show alike", async () => {
    const digests = new Set<string>();
    const alike: Row[] = [
      [5n],
      [5],
      ["5"],
      ["5.0"],
      [0],
      [-0],
      ["a\0b"],
      ["a\0c"],
      [{ blob: [0x35] }],
      [{ text: [0xff] }],
      ["\ufffd"],
      [null],
      [""],
      [{ blob: [] }],
    ];
    for (const row of alike) {
      const client = new Client();
      await client.import([table("t", "CREATE TABLE t (x)")], {
        t: { columns: ["rowid", "x"], rows: [[1n, ...row]] },
      });
      digests.add((await client.digest()).json.digest.database);
    }
    expect(digests.size).toBe(alike.length);
  });
});

describe("ready", () => {
  const objects = [table("t", "CREATE TABLE t (x)"), table("u", "CREATE TABLE u (x)")];
  const tables = { t: { columns: ["rowid", "x"], rows: [[1n, "a"]] as Row[] }, u: { rows: [] as Row[] } };

  async function importing(): Promise<Client> {
    const client = new Client();
    await client.claim("migrate");
    await client.schema(objects);
    await client.rows(0, batch(jFrame("t", ["rowid", "x"], tables.t.rows)));
    return client;
  }
  const ready = (client: Client, digest: unknown) =>
    client.post("ready", { gen: client.gen, digest, receipt: { run: "r" } });

  it("waits for finish and for the digest", async () => {
    const client = await importing();
    const expected = databaseDigest(objects, tables);
    const incomplete = { status: 409, json: { error: { kind: "digest-incomplete" } } };
    expect(await ready(client, expected)).toMatchObject(incomplete);
    await client.digest();
    expect(await ready(client, expected)).toMatchObject(incomplete);
    await client.finish(1);
    expect(await ready(client, expected)).toMatchObject(incomplete);
    await client.digest();
    expect(await ready(client, expected)).toMatchObject({
      status: 200,
      json: { phase: "READY", receipt: { run: "r" } },
    });
  });

  it("names what differs, with both sides, and stays in IMPORTING", async () => {
    const client = await importing();
    await client.finish(1);
    const own = (await client.digest()).json.digest;
    const other = databaseDigest(objects, { t: { rows: [[1n, "b"]] }, v: { rows: [[1n]] } });
    const answer = await ready(client, other);
    expect(answer).toMatchObject({ status: 422, json: { error: { kind: "digest-mismatch" } } });
    expect(answer.json.error.details.differences).toEqual([
      { table: "t", store: own.tables[0], file: other.tables[0] },
      { table: "v", store: null, file: other.tables[1] },
    ]);
    const schema = await ready(client, databaseDigest(objects, tables, { userVersion: 8 }));
    expect(schema.json.error.details.differences).toMatchObject([{ schema: { store: own.schema } }]);
    expect((await client.get("status")).json).toMatchObject({ phase: "IMPORTING", receipt: null });
  });

  it("may be sent again, but not with another digest", async () => {
    const client = await importing();
    await client.finish(1);
    const { digest } = (await client.digest()).json;
    expect((await ready(client, digest)).status).toBe(200);
    expect((await ready(client, digest)).status).toBe(200);
    expect(await ready(client, { ...digest, database: "0".repeat(64) })).toMatchObject({ status: 409 });
  });
});

describe("ranges and export pages", () => {
  const w = table(
    "w",
    "CREATE TABLE w (a INT, b TEXT, c, PRIMARY KEY (a DESC, b COLLATE NOCASE, c)) WITHOUT ROWID",
  );
  // In key order: a falls, b rises without regard to case, c rises.
  const rows = [30n, 20n, 10n].flatMap((a) =>
    ["aa", "AB", "b", "Zz"].flatMap((b) => [1n, 2.5, "x", { blob: [1] }].map((c): Row => [a, b, c])),
  );
  const wire = ([a, b, c]: Row) => [
    int(a as bigint),
    { text: btoa(b as string) },
    typeof c === "bigint"
      ? int(c)
      : typeof c === "number"
        ? { real: "4004000000000000" }
        : typeof c === "string"
          ? { text: btoa(c) }
          : { blob: "AQ==" },
  ];

  async function imported(): Promise<Client> {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([w]);
    // Frames that name no places may come in any order.
    await client.rows(0, batch(...rows.toReversed().map((row) => jFrame("w", ["a", "b", "c"], [row]))));
    await client.finish(1);
    await client.ready();
    return client;
  }

  it("walk a key of several columns, directions, collations and classes", async () => {
    const client = await imported();
    for (let from = 0; from < rows.length; from += 5) {
      const after = from === 0 ? null : wire(rows[from - 1] ?? []);
      for (const upto of [from, from + 3, rows.length - 1]) {
        const answer = await client.post("range", {
          table: "w",
          after,
          upto: wire(rows[upto] ?? rows.at(-1) ?? []),
        });
        const some = rows.slice(from, upto + 1);
        expect(answer.json).toMatchObject({ rows: some.length, digest: rangeDigest(some) });
      }
      const limited = await client.post("range", { table: "w", after, upto: null, limit: 4 });
      const some = rows.slice(from, from + 4);
      expect(limited.json).toMatchObject({
        rows: some.length,
        digest: rangeDigest(some),
        last: wire(some.at(-1) ?? []),
      });
    }
    const behind = await client.post("range", { table: "w", after: wire(rows.at(-1) ?? []) });
    expect(behind.json).toMatchObject({ rows: 0, digest: rangeDigest([]), last: null });
  });

  it("page by bytes, each page where the last one ended", async () => {
    const client = await imported();
    const seen: Row[] = [];
    for (let after: unknown = null, done = false; !done;) {
      const page = await client.exportRows("w", after, 1);
      const count = page.header.rows;
      expect(page).toMatchObject(encodeRows(rows.slice(seen.length, seen.length + count)));
      seen.push(...rows.slice(seen.length, seen.length + count));
      expect(page.header).toMatchObject({
        table: "w",
        columns: ["a", "b", "c"],
        writes: 0,
        phase: "READY",
        gen: 1,
      });
      ({ last: after, done } = page.header);
      await client.evict();
    }
    expect(seen.length).toBe(rows.length);
  });

  it("bound pages whose rows are long, and read rows that no string of production can hold", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([table("t", "CREATE TABLE t (a, b, c, r, d)")]);
    const columns = ["rowid", "a", "b", "c", "r", "d"];
    const texts = ["a", "b", "c"].map((s) => s.repeat(1_900_000));
    const stored: Row[] = [
      [1n, ...texts, 0.5, { blob: new Uint8Array(1_900_000) }],
      [2n, "short", null, 2n ** 60n, 0.25, null],
      ...[3n, 4n, 5n].map((n): Row => [n, "x".repeat(700_000), null, null, Number(n) / 4, null]),
      [6n, texts[0] ?? "", texts[1] ?? "", null, -0, null],
    ];
    for (const [seq, row] of stored.entries()) await client.rows(seq, batch(dFrame("t", columns, row)));
    await client.finish(stored.length);
    expect((await client.digest()).json.digest.tables[0].digest).toBe(tableDigest(stored));
    await client.ready();
    const first = await client.exportRows("t", null, 100_000);
    expect(first.header).toMatchObject({ done: false });
    expect(first.header.rows).toBeLessThan(stored.length);
    const hashed = await runInDurableObject(client.stub, (_, state) => {
      const shape = tableShape(state.storage.sql, "t");
      if (shape === undefined) throw new Error("no table");
      const { rows, digest } = hashRows(
        new RowReader(productionStrings(state.storage.sql), shape),
        null,
        null,
        Infinity,
      );
      return { rows, digest: Buffer.from(digest).toString("hex") };
    });
    expect(hashed).toEqual({ rows: stored.length, digest: rangeDigest(stored) });
  });

  it("show a write between two pages", async () => {
    const client = new Client();
    await client.import([table("t", "CREATE TABLE t (x)")], {
      t: { columns: ["rowid", "x"], rows: [[1n, "a"]] },
    });
    await client.activate();
    expect((await client.exportRows("t", null, 100)).header.writes).toBe(0);
    await client.query("INSERT INTO t VALUES ('b')");
    expect((await client.exportRows("t", null, 100)).header).toMatchObject({ writes: 1, phase: "ACTIVE" });
    expect((await client.post("range", { table: "t" })).json).toMatchObject({ rows: 2, writes: 1 });
  });

  it("leave out tables that the local runtime makes", async () => {
    const client = new Client();
    await client.claim("migrate");
    await runInDurableObject(client.stub, (_, state) => {
      state.storage.sql.exec("CREATE TABLE IF NOT EXISTS __miniflare_do_name (name TEXT)");
    });
    const objects = [table("t", "CREATE TABLE t (x)")];
    expect((await client.schema(objects)).status).toBe(200);
    expect((await client.digest()).json.digest).toMatchObject(databaseDigest(objects, { t: { rows: [] } }));
  });
});
