// The memory of the local runtime (Linux, proc(5)): of the workerd that runs the Worker and its Durable Objects, not of the one that is `wrangler dev`'s proxy.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

/** The process: the only workerd of this stack that has an inspector. */
export function workerd() {
  const found = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isOurWorkerd(pid));
  if (found.length !== 1) throw new Error(`${found.length} processes look like the stack's workerd`);
  return found[0];
}

/** Resident now, in MB. */
export const resident = (pid) => megabytes(pid, "VmRSS");

/** Resident at most since `resetPeak`, in MB. */
export const peak = (pid) => megabytes(pid, "VmHWM");

export function resetPeak(pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

function megabytes(pid, field) {
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(
    readFileSync(`/proc/${pid}/status`, "utf8"),
  );
  return (Number(kib) * 1024) / 1e6;
}

function isOurWorkerd(pid) {
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return (
      /\/workerd$/.test(args[0]) && args.some((arg) => arg.startsWith("--inspector-addr")) && isOurs(pid)
    );
  } catch {
    return false; // it ended meanwhile
  }
}

/** Everything that the stack starts descends from the process that started us. */
function isOurs(pid) {
  for (let at = Number(pid); at > 1; at = parent(at)) if (at === process.ppid) return true;
  return false;
}

function parent(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}
