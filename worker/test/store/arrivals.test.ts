// The sender is damaged on purpose: rows that are swapped, repeated, left out or overlap are refused by name.
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { Client, table } from "./client.ts";
import { type Row, batch, dFrame, jFrame } from "./encode.ts";

const PAGE = 3;
const PAGES = 5;
const ROWS = PAGE * PAGES;

interface Page {
  readonly from: number;
  readonly rows: readonly Row[];
}

/** Tables, and their row `i` in the order of their keys. */
const kinds: Record<string, { sql: string; columns: string[]; row: (i: number) => Row }> = {
  rowid: {
    sql: "CREATE TABLE t (v, id INTEGER PRIMARY KEY)",
    columns: ["v", "id"],
    row: (i) => ["x".repeat(i * 40), BigInt(i - 3) * 10n ** 16n],
  },
  "hidden rowid": {
    sql: "CREATE TABLE t (v)",
    columns: ["rowid", "v"],
    row: (i) => [BigInt(i * i - 40), i / 2],
  },
  "descending text": {
    sql: "CREATE TABLE t (k TEXT COLLATE NOCASE, l, PRIMARY KEY (k, l DESC)) WITHOUT ROWID",
    columns: ["k", "l"],
    row: (i) => [`${i % 2 === 0 ? "K" : "k"}${Math.floor(i / 3)}`, BigInt(-i)],
  },
  "a column twice in its key": {
    sql: "CREATE TABLE t (v, k TEXT, PRIMARY KEY (k COLLATE NOCASE, k COLLATE BINARY)) WITHOUT ROWID",
    columns: ["v", "k"],
    row: (i) => [BigInt(i), `${i % 2 === 0 ? "K" : "k"}${String(Math.floor(i / 2)).padStart(2, "0")}`],
  },
  "long texts in its key": {
    sql: "CREATE TABLE t (v, k TEXT COLLATE NOCASE, l TEXT, PRIMARY KEY (k, l)) WITHOUT ROWID",
    columns: ["v", "k", "l"],
    row: (i) => {
      const group = Math.floor(i / 4);
      const k = `${group % 2 === 0 ? "K" : "k"}${group}${"x".repeat(3000)}`;
      return [null, k, `${String(i).padStart(2, "0")}${"y".repeat(2000)}`];
    },
  },
  "long blobs in its key": {
    sql: "CREATE TABLE t (k BLOB, n INT, PRIMARY KEY (k DESC, n)) WITHOUT ROWID",
    columns: ["k", "n"],
    row: (i) => [{ blob: [255 - Math.floor(i / 4), ...new Uint8Array(2000)] }, BigInt(i)],
  },
  "keys of every class": {
    sql: "CREATE TABLE t (v, k, n INT, PRIMARY KEY (k, n)) WITHOUT ROWID",
    columns: ["v", "k", "n"],
    row: (i) => [
      null,
      [-1.5, 2n, 2.5, "a", "b", { blob: [0] }, { blob: [0, i] }][Math.floor(i / 3)] ?? null,
      BigInt(i),
    ],
  },
};

/** The rows at `place` and `place + 1` change places. */
function swapped<T>(list: readonly T[], place: number): T[] {
  const copy = [...list];
  copy.splice(place, 2, ...copy.slice(place, place + 2).reverse());
  return copy;
}

/** As a sender with a damaged reader counts them. */
function counted(rows: readonly (readonly Row[])[]): Page[] {
  let from = 0;
  return rows.map((page) => {
    from += page.length;
    return { from: from - page.length, rows: page };
  });
}

const rowsOf = (pages: readonly Page[]) => pages.map(({ rows }) => rows);
const overlapping = (pages: readonly Page[]) =>
  rowsOf(pages).map((rows, i) => (i === 2 ? [...(pages[1]?.rows.slice(-1) ?? []), ...rows] : rows));

const damages: Record<string, (pages: readonly Page[]) => Page[]> = {
  "swaps rows": (pages) =>
    pages.map(({ from, rows }, i) => ({ from, rows: i === 2 ? swapped(rows, 1) : rows })),
  "swaps pages": (pages) => counted(swapped(rowsOf(pages), 2)),
  "repeats a page": (pages) => [...pages.slice(0, 2), ...pages.slice(1)],
  "repeats a page and counts it": (pages) => counted(rowsOf([...pages.slice(0, 2), ...pages.slice(1)])),
  "skips a page": (pages) => pages.filter((_, i) => i !== 2),
  "begins a page too early": (pages) => {
    const rows = overlapping(pages);
    return pages.map(({ from }, i) => ({ from: i === 2 ? from - 1 : from, rows: rows[i] ?? [] }));
  },
  "begins a page too early and counts that": (pages) => counted(overlapping(pages)),
};

const names: Record<string, RegExp> = {
  "skips a page": /^table t: rows 7 to 9 did not arrive; the sender is at fault/,
  "repeats a page": /^table t: rows 4 to 6 overlap rows that arrived before; the sender is at fault/,
  "begins a page too early":
    /^table t: rows \d+ to \d+ overlap rows that arrived before; the sender is at fault/,
};
const disorder =
  /^table t: row .+ comes behind row .+, which is not the order of the keys; the sender is at fault/;

/** The orders in which pages may arrive. */
const orders: Record<string, (count: number) => number[]> = {
  "in order": (count) => Array.from({ length: count }, (_, i) => i),
  backwards: (count) => Array.from({ length: count }, (_, i) => count - 1 - i),
  mixed: (count) =>
    Array.from({ length: count }, (_, i) => (i * 2 + 1) % count).filter((n, i, all) => all.indexOf(n) === i),
};

describe.each(Object.entries(kinds))("a table with %s", (_, { sql, columns, row }) => {
  const all = Array.from({ length: ROWS }, (_, i) => row(i));
  const pages = counted(Array.from({ length: PAGES }, (_, i) => all.slice(i * PAGE, (i + 1) * PAGE)));

  async function send(sent: readonly Page[], order: readonly number[]) {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([table("t", sql)]);
    for (const seq of order) {
      const { from, rows } = sent[seq] ?? { from: 0, rows: [] };
      const answer = await client.rows(seq, batch(jFrame("t", columns, rows, from)));
      if (answer.status !== 200) return { client, answer };
    }
    return { client, answer: await client.finish(sent.length) };
  }

  it.each(Object.keys(orders))("arrives %s", async (name) => {
    const order = orders[name]?.(PAGES) ?? [];
    expect(order).toHaveLength(PAGES);
    const { client, answer } = await send(pages, order);
    expect(answer).toMatchObject({ status: 200, json: { done: true } });
    expect((await client.digest()).json.digest.tables).toMatchObject([{ name: "t", rows: ROWS }]);
  });

  it.each(
    Object.keys(damages).flatMap((damage) => Object.keys(orders).map((order) => [damage, order] as const)),
  )("is refused from a sender that %s, %s", async (damage, order) => {
    const sent = damages[damage]?.(pages) ?? [];
    const { client, answer } = await send(sent, [
      ...new Set([...(orders[order]?.(sent.length) ?? []), ...sent.keys()]),
    ]);
    expect(answer).toMatchObject({
      status: 422,
      json: { error: { kind: "digest-mismatch", details: { table: "t" } } },
    });
    expect(answer.json.error.message).toMatch(names[damage] ?? disorder);
    expect((await client.get("status")).json.phase).toBe("IMPORTING");
  });
});

it("takes a batch again after its answer was lost", async () => {
  const client = new Client();
  await client.claim("migrate");
  await client.schema([table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")]);
  const body = batch(jFrame("t", ["id", "v"], [[1n, "x"]], 0));
  expect((await client.rows(0, body)).json).toEqual({ seq: 0, applied: true });
  expect((await client.rows(0, body)).json).toEqual({ seq: 0, applied: false });
});

it("holds large rows and others of one table against each other", async () => {
  const client = new Client();
  await client.claim("migrate");
  await client.schema([table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")]);
  await client.rows(0, batch(jFrame("t", ["id", "v"], [[2n, "x"]], 0)));
  const answer = await client.rows(1, batch(dFrame("t", ["id", "v"], [1n, "y"], 1)));
  expect(answer.json.error.message).toMatch(/^table t: row 1 comes behind row 2/);
});

it("takes frames that name no places, as an older sender writes them", async () => {
  const client = new Client();
  await client.claim("migrate");
  await client.schema([table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")]);
  await client.rows(0, batch(jFrame("t", ["id", "v"], [[2n, "x"]]), jFrame("t", ["id", "v"], [[1n, "x"]])));
  expect((await client.finish(1)).json.done).toBe(true);
});

// An older Worker took the schema and the first batch: it noted nothing about places.
it("leaves the gaps of an import that another version of the Worker began to the digest", async () => {
  const client = new Client();
  await client.claim("migrate");
  await client.schema([table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")]);
  await client.rows(0, batch(jFrame("t", ["id", "v"], [[1n, "x"]])));
  await runInDurableObject(client.stub, (_, state) => state.storage.kv.delete("_dbmigrate:places"));
  await client.rows(1, batch(jFrame("t", ["id", "v"], [[2n, "x"]], 1)));
  expect(await client.finish(2)).toMatchObject({ status: 200, json: { done: true } });
  expect((await client.digest()).json.digest.tables).toMatchObject([{ name: "t", rows: 2 }]);
});
