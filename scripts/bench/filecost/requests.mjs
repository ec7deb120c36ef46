// What the D1 interface, an observer and a call of a class take over `router.query`, in microseconds of processor
// time of a request. The ways run in turn in one process, so compare the columns of a row:
//   worker/node_modules/node/bin/node --experimental-transform-types scripts/bench/filecost/requests.mjs
// The file is loaded and saved by nobody, and the object answers at once: what R2, the network and the object take is
// the same in every way, and not in here.
import { register } from "node:module";

register("./wasm.mjs", import.meta.url);
const source = new URL("../../../worker/src/", import.meta.url);
const load = (path) => import(new URL(path, source).href);
const { runOnFile } = await load("file/engine.ts");
const { parseQueryRequest } = await load("query/request.ts");
const { routeBetween } = await load("router/router.ts");
const { jsonLines } = await load("router/observers.ts");
const { userDatabase } = await load("d1/user-database.ts");
const { UserLogic } = await load("logic/user-logic.ts");
const { classify } = await load("wire/marker.ts");

const ROUNDS = 12;
const AT_ONCE = { file: 100, store: 1000 };
const SETUP = ["CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO games VALUES (1, 'go')"];
const SQL = {
  read: "SELECT id, name FROM games WHERE id = ?",
  write: "UPDATE games SET name = 'chess' WHERE id = ?",
};

class Games extends UserLogic {
  read() {
    return this.sql.exec(SQL.read, 1).toArray();
  }
  write() {
    this.sql.exec(SQL.write, 1);
  }
}

const file = runOnFile(new Uint8Array(0), parseQueryRequest({ statements: SETUP.map((sql) => ({ sql })) })).changed;
const rows = { columns: ["id", "name"], rows: [[1, "go"]], rowsRead: 1, rowsWritten: 0, changes: 0 };

function router(side, observe) {
  const look = { etag: "1", mark: classify(file) };
  const sides = {
    flag: { isMigrated: async () => side === "store" },
    files: {
      get: async () => ({ ...look, key: "user/database.sqlite", bytes: file, attributes: {} }),
      look: async () => look,
      save: async () => "saved",
    },
    store: {
      query: async () => ({ ok: true, side: "store", results: [rows] }),
      call: async () => ({ ok: true, side: "store", result: [{ id: 1, name: "go" }] }),
    },
  };
  const usual = { path: "auto", deadlineMs: 5000, maxFileBytes: 2 ** 25, limits: "enforce", logic: { Games } };
  return routeBetween(sides, { ...usual, observe });
}

function waysOf(side, mode) {
  const plain = router(side, undefined);
  const [quiet, lines] = [router(side, () => undefined), router(side, jsonLines(() => undefined))];
  const request = (counts) => ({ statements: [{ sql: SQL[mode], params: [1] }], mode, counts });
  const db = userDatabase(plain, "user");
  return {
    "router.query": () => plain.query("user", request(false)),
    userDatabase: () => db.prepare(SQL[mode]).bind(1).all(),
    "observe, nothing done": () => quiet.query("user", request(false)),
    "observe: jsonLines": () => lines.query("user", request(false)),
    "router.call": () => plain.call("user", Games, { mode })[mode](),
  };
}

async function processorTime(way, count) {
  const begun = process.cpuUsage();
  for (let i = 0; i < count; i++) await way();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / count;
}

const median = (numbers) => numbers.toSorted((one, other) => one - other)[numbers.length >> 1];

const ways = Object.keys(waysOf("file", "read"));
console.log(`| served by, request | ${ways.join(" | ")} |\n|---|${ways.map(() => "---|").join("")}`);
for (const side of ["file", "store"]) {
  for (const mode of ["read", "write"]) {
    const took = new Map(ways.map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, way] of Object.entries(waysOf(side, mode)))
        took.get(name).push(await processorTime(way, AT_ONCE[side]));
    }
    const [base, ...others] = ways.map((name) => median(took.get(name).slice(1))); // the first round warms up
    const more = others.map((each) => `${each >= base ? "+" : "-"}${Math.abs(each - base).toFixed(1)} µs`);
    console.log(`| ${side === "file" ? "the file" : "the object"}, ${mode} | ${base.toFixed(1)} µs | ${more.join(" | ")} |`);
  }
}
