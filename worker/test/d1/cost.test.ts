// What the D1 interface costs over `router.query`, in microseconds of a request: its own work, and the counts
// that it asks the sides for. Ways run in turn, and the best round of each counts: a busy machine only adds.
// It prints them; docs/mount.md says what a whole run printed.
import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { runOnFile } from "../../src/file/engine.ts";
import { userDatabase } from "../../src/index.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import type { QueryAnswer, QueryMode, QueryRequest } from "../../src/query/types.ts";
import { some } from "../effort.ts";
import { bindings } from "../router/fixtures.ts";
import { movedUser } from "./compare.ts";

const ROUNDS = some("rounds of a measurement", [...Array(20).keys()], 3);

type Way = () => unknown;

/** Microseconds of each, in its best round. The clock of the runtime has milliseconds. */
async function compare(ways: readonly Way[], requests: number): Promise<number[]> {
  const best = ways.map(() => Infinity);
  for (const _ of ROUNDS) {
    for (const [index, way] of ways.entries()) {
      const begun = performance.now();
      for (let i = 0; i < requests; i++) await way();
      best[index] = Math.min(best[index] ?? Infinity, ((performance.now() - begun) * 1000) / requests);
    }
  }
  return best;
}

function say(what: string, [without = 0, with_ = 0]: readonly number[]): void {
  console.log(`${what}: ${without.toFixed(1)} us, ${with_.toFixed(1)} us with it`);
}

const SCHEMA = [
  { sql: "CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT)" },
  { sql: "INSERT INTO games VALUES (1, 'go')" },
];
const SQL: Readonly<Record<QueryMode, string>> = {
  read: "SELECT id, name FROM games WHERE id = ?",
  write: "UPDATE games SET name = 'go' WHERE id = ?",
};
const request = (mode: QueryMode, counts: boolean): QueryRequest => ({
  statements: [{ sql: SQL[mode], params: [1] }],
  mode,
  counts,
});
const MODES: readonly QueryMode[] = ["read", "write"];

it.each(MODES)("says what its own work costs: a %s", async (mode) => {
  const result = { columns: ["id", "name"], rows: [[1, "go"]], rowsRead: 1, rowsWritten: 0, changes: 0 };
  const answer: QueryAnswer = { ok: true, side: "file", results: [result] };
  const query = async (): Promise<QueryAnswer> => answer;
  const db = userDatabase({ query }, "user");
  const d1 = () => db.prepare(SQL[mode]).bind(1).all();
  say(`the interface, ${mode}`, await compare([query, d1], 2000));
  expect((await d1()).results).toEqual([{ id: 1, name: "go" }]);
});

it.each(MODES)("says what the counts cost on a file: a %s", async (mode) => {
  const file = runOnFile(new Uint8Array(0), parseQueryRequest({ statements: SCHEMA })).changed as Uint8Array;
  const way = (counts: boolean) => () => runOnFile(file, parseQueryRequest(request(mode, counts)));
  say(`counts in a file, ${mode}`, await compare([way(false), way(true)], 100));
  expect(way(true)().results[0]?.changes).toBe(mode === "read" ? 0 : 1);
});

it.each(MODES)("says what the counts cost in an object: a %s", async (mode) => {
  const stub = bindings.USER_DATA.getByName(await movedUser());
  await runInDurableObject(stub, async (store) => {
    expect(await store.query({ statements: SCHEMA })).toMatchObject({ ok: true });
    const way = (counts: boolean) => () => store.query(request(mode, counts));
    say(`counts in an object, ${mode}`, await compare([way(false), way(true)], 100));
    expect(await way(true)()).toMatchObject({ ok: true });
  });
});
