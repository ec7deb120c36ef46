// The reader is damaged on purpose: export and digest share it, so only the census and the order of the keys
// can tell.
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Chunk, RowReader } from "../../src/store/row-reader.ts";
import { decodeCells, encodeCell } from "../../src/wire/cells.ts";
import { concatBytes } from "../../src/wire/binary.ts";
import type { ExactValue } from "../../src/wire/values.ts";
import { Client, activeStore, table } from "./client.ts";
import { type Row, batch, jFrame } from "./encode.ts";

const ROWS = 200;
const rows = Array.from({ length: ROWS }, (_, i): Row => [BigInt(i + 1), `text ${(i * 7) % ROWS}`, i / 3]);
const none: Chunk = { rows: 0, cells: [], reals: new Uint8Array(0), last: null };
const kinds = {
  rowid: { sql: "CREATE TABLE t (id INTEGER PRIMARY KEY, v, w)", columns: ["id", "v", "w"] },
  "without rowid": {
    sql: "CREATE TABLE t (id INT, v, w, PRIMARY KEY (id)) WITHOUT ROWID",
    columns: ["id", "v", "w"],
  },
};

type Next = RowReader["next"];
type Cells = ExactValue[][];

function cellsOf(chunk: Chunk): Cells {
  const values = decodeCells(concatBytes(chunk.cells), chunk.reals);
  return Array.from({ length: chunk.rows }, (_, i) => values.slice(i * 3, i * 3 + 3));
}

function chunkOf(cells: Cells, last: Chunk["last"]): Chunk {
  const values = cells.flat();
  const numbers = values.flatMap((value) => (value.class === "real" ? [value.number] : []));
  const reals = new Uint8Array(Float64Array.from(numbers).buffer);
  return { rows: cells.length, cells: [concatBytes(values.flatMap(encodeCell))], reals, last };
}

/** Changes each chunk that holds rows. */
function changing(change: (cells: Cells) => Cells): (next: Next) => Next {
  return (next) => (after, upto, limit) => {
    const chunk = next(after, upto, limit);
    return chunk.rows === 0 ? chunk : chunkOf(change(cellsOf(chunk)), chunk.last);
  };
}

const mutations: Record<string, (next: Next) => Next> = {
  "stops early": (next) => (after, upto, limit) => (after === null ? next(after, upto, limit) : none),
  "skips a row behind a page": (next) => (after, upto, limit) => {
    const key = after?.[0];
    if (key?.class !== "integer") return next(after, upto, limit);
    return next([{ class: "integer", decimal: String(BigInt(key.decimal) + 1n) }], upto, limit);
  },
  "repeats a page": (next) => {
    let repeated = false;
    return (after, upto, limit) => {
      if (after === null || repeated) return next(after, upto, limit);
      repeated = true;
      return next(null, upto, limit);
    };
  },
  "sorts by another column": changing((cells) =>
    cells.toSorted(([, a], [, b]) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  ),
  "drops REALs": changing((cells) =>
    cells.map((row) => row.map((value): ExactValue => (value.class === "real" ? { class: "null" } : value))),
  ),
  "cuts a text": changing((cells) =>
    cells.map((row) =>
      row.map((value) => (value.class === "text" ? { ...value, bytes: value.bytes.subarray(1) } : value)),
    ),
  ),
};

afterEach(() => vi.restoreAllMocks());

function damage(name: string): () => number {
  const original = RowReader.prototype.next;
  let called = 0;
  let reader: RowReader;
  const mutated = mutations[name]?.((...args) => original.apply(reader, args)) ?? original;
  vi.spyOn(RowReader.prototype, "next").mockImplementation(function (this: RowReader, ...args) {
    called++;
    reader = this;
    return mutated(...args);
  });
  return () => called;
}

describe.each(Object.entries(kinds))("a %s table", (_, { sql, columns }) => {
  const objects = [table("t", sql)];
  const tables = { t: { columns, rows } };

  it("is counted as it is read", async () => {
    const client = new Client();
    expect((await client.import(objects, tables)).json).toMatchObject({ phase: "READY" });
    const census = { rows: ROWS, integers: ROWS, reals: ROWS, nulls: 0, blob: 0 };
    expect((await client.digest()).json.digest.tables).toMatchObject([{ name: "t", census }]);
  });

  // With writes in the object, nothing but the object itself can tell.
  it.each(Object.keys(mutations))("finds a reader that %s", async (name) => {
    const client = await activeStore(objects, tables);
    await client.query("UPDATE t SET v = 'new' WHERE id = 5");
    const called = damage(name);
    const answer = await client.post("digest", { budgetMs: 5000, fresh: true });
    expect(called()).toBeGreaterThan(0);
    expect(answer).toMatchObject({ status: 422, json: { error: { kind: "digest-mismatch" } } });
    expect(answer.json.error.message).toMatch(/^table t: (a plain scan|row \S+ comes behind)/);
  });
});

it("names what differs in the census", async () => {
  const client = new Client();
  await client.claim("migrate");
  await client.schema([table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")]);
  await client.rows(0, batch(jFrame("t", ["id", "v"], [[1n, "x"]])));
  await client.finish(1);
  const { digest } = (await client.digest()).json;
  const [{ census, ...rest }] = digest.tables;
  const tampered = { ...digest, tables: [{ ...rest, census: { ...census, text: 2 } }] };
  const answer = await client.post("ready", { gen: client.gen, digest: tampered, receipt: {} });
  expect(answer).toMatchObject({ status: 422, json: { error: { kind: "digest-mismatch" } } });
  expect(answer.json.error.message).toContain("table t (text 1 against 2)");
});
