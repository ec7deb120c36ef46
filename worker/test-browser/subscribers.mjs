// Measures live updates: how long a write takes from its acknowledgement to many subscribers of one user, and what memory they cost.
// `make live-bench` runs it on the local runtime and prints Markdown.
import { peak, resetPeak, resident, workerd } from "./bench-memory.mjs";
import { listen, newUser, query, until, write } from "./bench-user.mjs";

const WRITES = 100;
const MEMORY_WRITES = 20;
/** The runtime throws an object out of memory after 10 s without a request. */
const IDLE_MS = 15_000;
/** Connections that are made at once. */
const TOGETHER = 32;
/** One user has at most 256 subscribers. */
const MOST = 256;

await memory([0, 64, 256, 1024]); // first: what the runtime once had it does not give back
console.log();
await deliveries([1, 10, 100, 250]);

async function deliveries(counts) {
  console.log(
    "| subscribers | write to acknowledgement, median | acknowledgement to the last subscriber, median | p99 | told |",
  );
  console.log("|---|---|---|---|---|");
  for (const count of counts) await deliver(count);
}

async function deliver(count) {
  const user = await newUser(`live-${count}`);
  const told = new Map();
  const note = ({ seq }) =>
    told.set(seq, { times: (told.get(seq)?.times ?? 0) + 1, last: performance.now() });
  const all = await Promise.all(Array.from({ length: count }, () => listen(user, note)));
  const writes = [];
  const delays = [];
  for (let seq = 1; seq <= WRITES; seq++) {
    const begun = performance.now();
    await write(user);
    const acknowledged = performance.now();
    writes.push(acknowledged - begun);
    await until(() => told.get(seq)?.times >= count);
    delays.push(told.get(seq).last - acknowledged);
  }
  for (const subscription of all) subscription.close();
  const sum = [...told.values()].reduce((total, { times }) => total + times, 0);
  console.log(
    `| ${count} | ${ms(writes, 0.5)} | ${ms(delays, 0.5)} | ${ms(delays, 0.99)} | ${sum} of ${count * WRITES} |`,
  );
}

/** What workerd grows by with more and more subscribers, who stay. Every user is there from the beginning. */
async function memory(counts) {
  console.log(
    "| subscribers | idle | written to, at most | idle again | a subscriber | objects thrown out of memory while idle | told of the next write |",
  );
  console.log("|---|---|---|---|---|---|---|");
  const users = [];
  for (let i = 0; i * MOST < Math.max(...counts); i++) users.push(await newUser(`memory-${i}`));
  await writeToAll(users); // what the first writes need is not the subscribers'
  await idle();
  const pid = workerd();
  const base = resident(pid);
  console.error(`workerd had ${base.toFixed(1)} MB before`);
  const grown = () => resident(pid) - base;
  const all = [];
  let told = 0;
  for (const count of counts) {
    await connect(all, count, users, () => told++);
    const used = users.slice(0, Math.max(1, Math.ceil(count / MOST)));
    await idle();
    const before = grown();
    resetPeak(pid);
    told = 0;
    await writeToAll(used);
    await until(() => told >= count * MEMORY_WRITES);
    const busy = peak(pid) - base;
    await idle();
    const after = grown();
    const out = await thrownOut(used);
    told = 0;
    for (const user of used) await write(user);
    await until(() => told >= count);
    const each = count === 0 ? "" : `${((after * 1000) / count).toFixed(0)} KB`;
    console.log(
      `| ${count} of ${used.length} user${used.length === 1 ? "" : "s"} | ${mb(before)} | ${mb(busy)} | ${mb(after)} | ${each} | ${out} of ${used.length} | ${told} of ${count} |`,
    );
  }
  for (const subscription of all) subscription.close();
}

/** Adds subscribers up to a count, and fills one user after the other. */
async function connect(all, count, users, onChange) {
  while (all.length < count) {
    const user = users[Math.floor(all.length / MOST)];
    all.push(...(await Promise.all(Array.from({ length: TOGETHER }, () => listen(user, onChange)))));
  }
}

async function writeToAll(users) {
  for (let i = 0; i < MEMORY_WRITES; i++) await Promise.all(users.map(write));
}

/** How many objects began anew after the last writes: SQLite counts the rows that a connection changed, which lasts as long as its object. */
async function thrownOut(users) {
  const counts = await Promise.all(users.map((user) => query(user, "SELECT total_changes()", "read")));
  return counts.filter(([[changed]]) => changed < MEMORY_WRITES).length;
}

function idle() {
  return new Promise((resolve) => setTimeout(resolve, IDLE_MS));
}

function mb(value) {
  return `${value >= 0 ? "+" : ""}${value.toFixed(1)} MB`;
}

function ms(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return `${Math.max(0, sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]).toFixed(1)} ms`;
}
