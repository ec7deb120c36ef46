// What the router's file side adds to plain statements of the same SQLite, in microseconds of processor time for each:
//   worker/node_modules/node/bin/node --experimental-transform-types scripts/bench/filecost/run.mjs
import { register } from "node:module";

register("./wasm.mjs", import.meta.url);
const source = new URL("../../../worker/src/", import.meta.url);
const load = (path) => import(new URL(path, source).href);
const { FileDatabase } = await load("file/database.ts");
const { runOnFile } = await load("file/engine.ts");
const { FileSql } = await load("file/file-sql.ts");
const { parseQueryRequest } = await load("query/request.ts");

const AT_ONCE = 1000;
const ROUNDS = 9;

const setUp = [
  "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, score REAL)",
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) " +
    "INSERT INTO t SELECT i, 'name ' || i, i / 2.0 FROM n",
];
const statements = {
  "SELECT of one row": "SELECT id, name, score FROM t WHERE id = ?",
  "SELECT of 20 rows": "SELECT id, name, score FROM t WHERE id > ? LIMIT 20",
  "compound SELECT": "SELECT id FROM t WHERE id = ? UNION SELECT score FROM t WHERE id = 7",
  "UPDATE of one row": "UPDATE t SET score = score + 1 WHERE id = ?",
  "UPDATE with RETURNING": "UPDATE t SET score = score + 1 WHERE id = ? RETURNING id, score",
};
const params = [500];
const file = runOnFile(new Uint8Array(0), parseQueryRequest({ statements: setUp.map((sql) => ({ sql })) })).changed;

function runPlain(sql, count) {
  const db = FileDatabase.open(file, { mode: "write", maxBytes: 1e7, rules: "store" });
  try {
    db.begin();
    const plain = new FileSql(db);
    for (let i = 0; i < count; i++) plain.exec(sql, ...params);
    db.commit();
  } finally {
    db.close();
  }
}

function runOurs(sql, count) {
  runOnFile(file, parseQueryRequest({ statements: Array.from({ length: count }, () => ({ sql, params })) }));
}

function processorTime(run) {
  const begun = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}

// Without what a request takes by itself.
function each(run, sql) {
  run(sql, AT_ONCE);
  const times = Array.from({ length: ROUNDS }, () => {
    const one = processorTime(() => run(sql, 1));
    return (processorTime(() => run(sql, AT_ONCE)) - one) / (AT_ONCE - 1);
  });
  return Math.round(times.sort((a, b) => a - b)[ROUNDS >> 1]);
}

console.log("| statement | plain | file side | more |\n|---|---|---|---|");
for (const [name, sql] of Object.entries(statements)) {
  const [plain, ours] = [each(runPlain, sql), each(runOurs, sql)];
  console.log(`| ${name} | ${plain} µs | ${ours} µs | ${ours - plain} µs |`);
}
