// The reader is damaged on purpose: export and digest share it, so only the census can tell.
import { afterEach, expect, it, vi } from "vitest";
import { type Chunk, RowReader } from "../../src/store/row-reader.ts";
import { Client, table } from "./client.ts";
import type { Row } from "./encode.ts";

const rows = Array.from({ length: 200 }, (_, i): Row => [BigInt(i + 1), `text ${i}`]);
const objects = [table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")];
const none: Chunk = { rows: 0, cells: [], reals: new Uint8Array(0), last: null };

afterEach(() => vi.restoreAllMocks());

type Next = RowReader["next"];

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
};

it.each(Object.keys(mutations))("finds a reader that %s", async (name) => {
  const client = new Client();
  const tables = { t: { columns: ["id", "v"], rows } };
  expect((await client.import(objects, tables)).json).toMatchObject({ phase: "READY" });
  const original = RowReader.prototype.next;
  let called = 0;
  vi.spyOn(RowReader.prototype, "next").mockImplementation(function (this: RowReader, ...args) {
    called++;
    return damaged.apply(this, args);
  });
  let reader: RowReader;
  const mutated = mutations[name]?.((...args) => original.apply(reader, args)) ?? original;
  const damaged: Next = function (this: RowReader, ...args) {
    reader = this;
    return mutated(...args);
  };
  const answer = await client.post("digest", { budgetMs: 5000, fresh: true });
  expect(called).toBeGreaterThan(1);
  expect(answer).toMatchObject({ status: 422, json: { error: { kind: "digest-mismatch" } } });
  expect(answer.json.error.message).toMatch(/^table t has 200 rows, and \d+ were read$/);
});
