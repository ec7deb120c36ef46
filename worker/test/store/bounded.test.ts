// What one message may cost, and what one value may hold. Production's clock stands still while code runs,
// and it takes no value over 2 MB: the local runtime does neither, so work and sizes are counted here.
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { Bookkeeping } from "../../src/state/bookkeeping.ts";
import { getLarge, putLarge } from "../../src/state/large-values.ts";
import { ChangeWatch } from "../../src/query/change-watch.ts";
import { tableShape } from "../../src/store/catalog.ts";
import { advanceDigest } from "../../src/store/digest.ts";
import { hashRows, rangeDigest } from "../../src/store/range.ts";
import { RowReader } from "../../src/store/row-reader.ts";
import { ResumableSha256 } from "../../src/store/sha256.ts";
import type { Key } from "../../src/wire/values.ts";
import { Client, table } from "./client.ts";

const MAX_VALUE = 2_000_000;

/** Key-value storage that knows how large each value is, by what the platform's form of it takes at most. */
class Measured {
  readonly values = new Map<string, unknown>();
  largest = 0;

  readonly kv = {
    get: (key: string) => structuredClone(this.values.get(key)),
    put: (key: string, value: unknown) => {
      this.largest = Math.max(this.largest, sizeOf(value));
      this.values.set(key, structuredClone(value));
    },
    delete: (key: string) => this.values.delete(key),
    list: ({ prefix = "" } = {}) => [...this.values].filter(([key]) => key.startsWith(prefix)),
  } as unknown as SyncKvStorage;
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return 5 + (/^[\u0000-\u00ff]*$/.test(value) ? 1 : 2) * value.length;
  if (value instanceof Uint8Array) return 10 + value.byteLength;
  if (typeof value !== "object" || value === null) return 10;
  return Object.entries(value).reduce((sum, [key, item]) => sum + sizeOf(key) + sizeOf(item), 10);
}

const many = <T>(count: number, of: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => of(index));

const tables = many(6000, (index) => ({
  name: `tübelle ${index} ${"名".repeat(40)}`,
  rows: index,
  digest: "f".repeat(64),
  census: { rows: index, integers: 1, reals: 0.5, nulls: 0, text: 7, blob: 9, sum: "123456789" },
}));
const digest = { database: "d".repeat(64), schema: "s".repeat(64), tables };
const progress = {
  version: "1:2",
  done: tables,
  counted: { rows: 1, sum: 2n ** 80n, first: -(2n ** 62n), last: null, reals: -0 },
  pages: 3,
  after: [{ class: "blob", bytes: new Uint8Array(100_000).fill(7) }],
};

describe("no value of the bookkeeping is over 2 MB", () => {
  // Every kind that grows with tables, batches, objects or their texts.
  const kinds: [string, (books: Bookkeeping) => void, (books: Bookkeeping) => unknown, unknown][] = [
    [
      "receipt",
      (books) => (books.receipt = { user: "u", digest }),
      (books) => books.receipt,
      { user: "u", digest },
    ],
    [
      "digest",
      (books) => books.putDigestEntry("result", digest),
      (books) => books.digestEntry("result"),
      digest,
    ],
    [
      "progress",
      (books) => books.putDigestEntry("progress", progress),
      (books) => books.digestEntry("progress"),
      progress,
    ],
    [
      "batches",
      (books) => (books.applied = many(80_000, (n) => [2 * n, 2 * n] as const)),
      (books) => books.applied,
      many(80_000, (n) => [2 * n, 2 * n]),
    ],
    ...[wideSchema()].map((schema): (typeof kinds)[number] => [
      "schema",
      (books) => (books.schema = schema),
      (books) => books.schema,
      schema,
    ]),
    ...[longStep()].map((step): (typeof kinds)[number] => [
      "step",
      (books) => books.putStep(3, step),
      (books) => books.step(3),
      step,
    ]),
  ];

  function wideSchema(): NonNullable<Bookkeeping["schema"]> {
    const virtual = many(15_000, (n) => ({ name: `v${n}${"名".repeat(100)}`, load: "rows", config: [] }));
    return { header: { internal: [] }, virtual, sha256: "0" } as unknown as NonNullable<
      Bookkeeping["schema"]
    >;
  }

  function longStep(): NonNullable<ReturnType<Bookkeeping["step"]>> {
    const object = { type: "trigger", name: "t", table: "t", sql: "名".repeat(1_500_000) } as const;
    return { kind: "object", object };
  }

  it.each(kinds)("%s", (_name, write, read, expected) => {
    const measured = new Measured();
    const books = new Bookkeeping(measured.kv);
    write(books);
    expect(measured.largest).toBeLessThan(MAX_VALUE);
    expect(read(books)).toEqual(expected);
    books.wipe();
    expect([...measured.values.keys()]).toEqual(["_dbmigrate:revision"]);
  });

  it("and one that shrinks leaves no parts behind", () => {
    const { kv, values } = new Measured();
    for (const length of [3_000_000, 900_000, 10, 2_000_000, 0]) {
      putLarge(kv, "k", "x".repeat(length));
      expect(getLarge<string>(kv, "k")).toHaveLength(length);
      expect(values.size).toBe(length > 400_000 ? 1 + Math.ceil((length + 2) / 400_000) : 1);
    }
  });
});

it("the watch over changes asks SQLite for no string of all CREATE texts", async () => {
  const client = new Client();
  await client.get("status");
  const longest = await runInDurableObject(client.stub, (_, { storage }) => {
    const columns = many(90, (n) => `${"c".repeat(600)}${n}`).join(", ");
    for (let n = 0; n < 45; n++) storage.sql.exec(`CREATE TABLE t${n} (${columns})`);
    let most = 0;
    const sql = {
      exec: (query: string) => {
        const rows = [...storage.sql.exec(query).raw()];
        for (const row of rows) most = Math.max(most, ...row.map((cell) => String(cell).length));
        return { raw: () => rows };
      },
    } as unknown as SqlStorage;
    const watch = new ChangeWatch(sql);
    storage.sql.exec("DROP TABLE t3");
    return [most, watch.changed()];
  });
  expect(longest).toEqual([expect.any(Number), true]);
  expect(Number(longest[0])).toBeLessThan(MAX_VALUE / 2);
});

it("a digest ends its request by counted work, while the clock stands still", async () => {
  const client = new Client();
  await client.import([table("t", "CREATE TABLE t (x)")], { t: { columns: ["rowid", "x"], rows: [] } });
  const calls = await runInDurableObject(client.stub, async (_, { storage }) => {
    // Three pages of 32 MiB.
    storage.sql.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6144) INSERT INTO t SELECT zeroblob(16384) FROM n",
    );
    const store = { storage, sql: storage.sql, books: new Bookkeeping(storage.kv) };
    vi.spyOn(Date, "now").mockReturnValue(Date.now());
    try {
      for (let call = 1; call < 20; call++) {
        if ((await advanceDigest(store, 25_000, call === 1)).complete) return call;
      }
      return Infinity;
    } finally {
      vi.restoreAllMocks();
    }
  });
  // 96 MiB are hashed, 64 MiB a request; the census reads as much again, in a request that it ends.
  expect(calls).toBeGreaterThan(1);
  expect(calls).toBeLessThan(5);
});

it("a page of long rows is hashed in parts, and has the same digest", async () => {
  const client = new Client();
  await client.import([table("t", "CREATE TABLE t (x, y)")], {
    t: { columns: ["rowid", "x", "y"], rows: [] },
  });
  const { read, own, whole } = await runInDurableObject(client.stub, async (_, { storage }) => {
    // One page of 110 MiB, with REALs in each part of it.
    storage.sql.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 110) INSERT INTO t SELECT zeroblob(1048576), i / 7.0 FROM n",
    );
    const read: number[] = [];
    const sql = counting(storage.sql, (bytes) => (read[read.length - 1] = (read.at(-1) ?? 0) + bytes));
    const store = { storage, sql, books: new Bookkeeping(storage.kv) };
    let report = null;
    do {
      read.push(0);
      report = await advanceDigest(store, 25_000, read.length === 1);
    } while (!report.complete && read.length < 50);
    const reader = new RowReader(storage.sql, tableShape(storage.sql, "t")!);
    const page = hashRows(reader, null, null, 2048);
    const whole = createHash("sha256").update(page.digest).digest("hex");
    return { read, own: report.digest?.tables.find(({ name }) => name === "t")?.digest, whole };
  });
  expect(own).toBe(whole);
  expect(read.length).toBeGreaterThan(1);
  // What a request hashes: a page that turned out to be long is in it.
  expect(Math.max(...read)).toBeLessThan((64 + 8 + 4) * 1024 * 1024);
});

it("a range ends its answer by bytes, and says that it goes on", async () => {
  const client = new Client();
  await client.import([table("t", "CREATE TABLE t (x, y)")], {
    t: { columns: ["rowid", "x", "y"], rows: [] },
  });
  const { answers, most } = await runInDurableObject(client.stub, (_, { storage }) => {
    storage.sql.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) INSERT INTO t SELECT zeroblob(1048576), i / 7.0 FROM n",
    );
    let read = 0;
    let most = 0;
    const sql = counting(storage.sql, (bytes) => (most = Math.max(most, (read += bytes))));
    const store = { storage, sql, books: new Bookkeeping(storage.kv) };
    const answers: ReturnType<typeof rangeDigest>[] = [];
    for (let after: Key | null = null; ;) {
      read = 0;
      const answer = rangeDigest(store, { table: "t", after, upto: null, limit: Infinity });
      answers.push(answer);
      if (answer.more === undefined) return { answers, most };
      after = [{ class: "integer", decimal: String(answers.reduce((sum, { rows }) => sum + rows, 0)) }];
    }
  });
  expect(answers.map(({ rows }) => rows)).toEqual([64, 64, 22]);
  // A last chunk goes beyond.
  expect(most).toBeLessThan((64 + 2) * 1024 * 1024);
});

/** The same database, and how many bytes it answers with. */
function counting(sql: SqlStorage, note: (bytes: number) => void): SqlStorage {
  const sizeOfCell = (cell: unknown) => (cell instanceof ArrayBuffer ? cell.byteLength : String(cell).length);
  return new Proxy(sql, {
    get: (_, name) => {
      const value: unknown = Reflect.get(sql, name, sql);
      if (name !== "exec") return value;
      return (query: string, ...bindings: never[]) => {
        const cursor = sql.exec(query, ...bindings);
        return new Proxy(cursor, {
          get: (_, member) => {
            if (member !== "raw") {
              const found: unknown = Reflect.get(cursor, member, cursor);
              return typeof found === "function" ? found.bind(cursor) : found;
            }
            return function* () {
              for (const row of cursor.raw()) {
                note(row.reduce<number>((sum, cell) => sum + sizeOfCell(cell), 0));
                yield row;
              }
            };
          },
        });
      };
    },
  });
}

it("a hash that is gone on with is the same, wherever it was left off", () => {
  const bytes = Uint8Array.from({ length: 700 }, (_, i) => (i * 89) & 255);
  for (let length = 0; length <= bytes.length; length += 1 + (length % 5)) {
    const some = bytes.subarray(0, length);
    const whole = createHash("sha256").update(some).digest("hex");
    for (let cut = 0; cut <= length; cut += 1 + (cut % 61)) {
      const first = new ResumableSha256();
      first.update(some.subarray(0, cut));
      const second = new ResumableSha256(structuredClone(first.state));
      second.update(some.subarray(cut));
      expect(Buffer.from(second.digest()).toString("hex")).toBe(whole);
    }
  }
});
