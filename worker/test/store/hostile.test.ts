// Generated hostile requests to a Durable Object: each ends, with an answer or a documented refusal, and
// SQLite hands over no more rows and bytes than the budget has.
import { runInDurableObject } from "cloudflare:test";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { QueryAnswer } from "../../src/query/types.ts";
import { QUERY_LIMITS } from "../../src/wire/limits.ts";
import { some } from "../effort.ts";
import {
  DOCUMENTED,
  HOSTILE_SETUP,
  KINDS,
  type Kind,
  firstTooLarge,
  hostileRequest,
} from "../hostile-requests.ts";
import { Figures, overBudget, sizeOf } from "../hostile-work.ts";
import { type Client, activeStore } from "./client.ts";

/** The tests count work; this only ends one that hangs. */
const PATIENCE_MS = 1_200_000;
const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);
// What is read behind the limit so that no table stays locked (src/query/budget.ts), and a row of each statement.
const ROWS = 3 * QUERY_LIMITS.resultRows + 2 * QUERY_LIMITS.statements;
const BYTES = 5 * QUERY_LIMITS.resultBytes + 20_000_000;

/** What SQLite has handed over since the last request began. */
const handed = { rows: 0, bytes: 0 };
const figures = new Figures();
let store: Client;

const sizeOfCell = (cell: unknown): number =>
  cell instanceof ArrayBuffer ? cell.byteLength : typeof cell === "string" ? cell.length : 8;

/** Counts the rows of every cursor; the methods are those of all objects. */
function countCursors(sql: SqlStorage): void {
  const methods = Object.getPrototypeOf(sql) as SqlStorage;
  const exec = methods.exec;
  methods.exec = function (this: SqlStorage, query: string, ...bindings: never[]) {
    const cursor = exec.call(this, query, ...bindings);
    const raw = cursor.raw.bind(cursor);
    Object.defineProperty(cursor, "raw", {
      value: function* () {
        for (const row of raw()) {
          handed.rows++;
          for (const cell of row) handed.bytes += sizeOfCell(cell);
          yield row;
        }
      },
    });
    return cursor;
  } as SqlStorage["exec"];
}

beforeAll(async () => {
  store = await activeStore([]);
  await runInDurableObject(store.stub, (_, { storage }) => countCursors(storage.sql));
});

async function newStore(): Promise<void> {
  store = await activeStore([]);
  expect(await store.stub.query({ statements: HOSTILE_SETUP.map((sql) => ({ sql })) })).toMatchObject({
    ok: true,
  });
}

beforeEach(newStore);

afterAll(() => console.log(figures.table("rows handed over")));

interface Ended {
  readonly kind: string;
  readonly rows: number;
  readonly bytes: number;
}

async function run(kind: Kind, seed: number): Promise<Ended> {
  const { request } = hostileRequest(kind, seed);
  handed.rows = handed.bytes = 0;
  const answer = (await store.stub.query(request)) as QueryAnswer;
  if (answer.ok) return { kind: "answer", ...sizeOf(answer.results) };
  return { kind: answer.error.kind, rows: 0, bytes: answer.error.message.length };
}

const tables = async (): Promise<unknown> => {
  const answer = await store.stub.query({
    statements: [{ sql: "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM sqlite_schema)" }],
    mode: "read",
  });
  return answer.ok && answer.results[0]?.rows;
};

/** A write that answers too much is read to its end: the rows that it may have written, of at most so many bytes. */
const MOST_BYTES = 100_000;

async function rowsBehindWrites(kind: Kind): Promise<number> {
  if (kind !== "writes") return 0;
  const answer = await store.stub.query({ statements: [{ sql: "SELECT count(*) FROM t" }], mode: "read" });
  return (answer.ok && Number(answer.results[0]?.rows[0]?.[0])) || 0;
}

describe.each(KINDS)("hostile requests to a store: %s", (kind) => {
  it("end within their budget", { timeout: PATIENCE_MS }, async () => {
    const finite = SEEDS.filter((seed) => !hostileRequest(kind, seed).endless);
    expect(finite.length).toBeGreaterThan(20);
    const large = firstTooLarge(kind, finite);
    for (const seed of [...large, ...some(`hostile requests of ${kind}`, finite, 5)]) {
      if (kind === "writes" || kind === "batches") await newStore(); // each may double what those before wrote
      const before = await tables();
      const room = await rowsBehindWrites(kind);
      const ended = await run(kind, seed);
      const what = `${kind} ${seed}`;
      expect([...DOCUMENTED, "answer"], what).toContain(ended.kind);
      expect(overBudget(ended), what).toBe("");
      expect(handed.rows, what).toBeLessThanOrEqual(ROWS + room);
      expect(handed.bytes, what).toBeLessThanOrEqual(BYTES + room * MOST_BYTES);
      figures.add(kind, ended.kind, handed.rows);
      if (ended.kind !== "answer") expect(await tables(), what).toEqual(before);
    }
  });
});

describe("a generated request finds", () => {
  it.each(["resultRows", "resultBytes"] as const)(
    "a budget of %s that is no budget",
    { timeout: PATIENCE_MS },
    async (limit) => {
      const limits: Record<string, number> = QUERY_LIMITS;
      const [was, most] = [QUERY_LIMITS[limit], { ...QUERY_LIMITS }];
      limits[limit] = was * 4;
      try {
        const large = (seed: number): boolean => {
          const { endless, bytes } = hostileRequest("results", seed);
          return !endless && bytes > most.resultBytes && bytes < 10 * most.resultBytes;
        };
        const kind = limit === "resultRows" ? "recursion" : "results";
        let found = "";
        for (const seed of SEEDS) {
          if (kind === "recursion" ? hostileRequest(kind, seed).endless : !large(seed)) continue;
          found = overBudget(await run(kind, seed), most);
          if (found !== "") break;
        }
        expect(found).not.toBe("");
      } finally {
        limits[limit] = was;
      }
    },
  );
});
