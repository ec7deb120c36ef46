// Measures live updates: many subscribers of one user, and how long a write takes from its acknowledgement to each of them.
// `make live-bench` runs it on the local runtime and prints Markdown.
import { spawnSync } from "node:child_process";
import { subscribe } from "../client/live.js";

const url = process.env["DBMIGRATE_WORKER_URL"];
const token = process.env["APP_TOKEN"];
const WRITES = 100;

console.log(
  "| subscribers | write to acknowledgement, median | acknowledgement to the last subscriber, median | p99 | told |",
);
console.log("|---|---|---|---|---|");
for (const count of [1, 10, 100, 250]) await measure(count);

async function measure(count) {
  const user = `live-${count}-${process.pid}`;
  await query(user, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
  const migrated = spawnSync("../bin/dbmigrate", ["migrate", user], { encoding: "utf8" });
  if (migrated.status !== 0) throw new Error(migrated.stderr);
  const told = new Map();
  const all = await Promise.all(Array.from({ length: count }, () => listen(user, told)));
  const writes = [];
  const deliveries = [];
  for (let i = 0; i < WRITES; i++) {
    const begun = performance.now();
    await query(user, "INSERT INTO t (v) VALUES (1)");
    const acknowledged = performance.now();
    writes.push(acknowledged - begun);
    deliveries.push((await everybody(told, i + 1, count)) - acknowledged);
  }
  for (const subscription of all) subscription.close();
  const sum = [...told.values()].reduce((total, { times }) => total + times, 0);
  console.log(
    `| ${count} | ${ms(writes, 0.5)} | ${ms(deliveries, 0.5)} | ${ms(deliveries, 0.99)} | ${sum} of ${count * WRITES} |`,
  );
}

function listen(user, told) {
  return new Promise((resolve) => {
    const subscription = subscribe({
      url: `${url.replace("http", "ws")}/api/users/${user}/live`,
      protocols: ["dbmigrate-live", `bearer.${token}`],
      onResync: () => resolve(subscription),
      onChange: ({ seq }) => {
        const entry = told.get(seq) ?? { times: 0, last: 0 };
        told.set(seq, { times: entry.times + 1, last: performance.now() });
      },
    });
  });
}

async function everybody(told, seq, count) {
  while ((told.get(seq)?.times ?? 0) < count) await new Promise((resolve) => setTimeout(resolve, 1));
  return told.get(seq).last;
}

async function query(user, sql) {
  const response = await fetch(`${url}/api/users/${user}/query`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ statements: [{ sql }] }),
  });
  if (!response.ok) throw new Error(await response.text());
}

function ms(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return `${Math.max(0, sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]).toFixed(1)} ms`;
}
