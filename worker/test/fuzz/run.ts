// Fuzzes the Worker's decoders for FUZZ_SECONDS, from FUZZ_SEED on (default: the clock), and prints a table.
// A finding ends it with exit code 1 and names the seed and the input; FUZZ_SEED=that FUZZ_SECONDS=1 repeats
// it. `make fuzz-worker` calls it.
import { fuzz, targets } from "./decoders.ts";

const ROUND = 2000;
const seconds = Number(process.env["FUZZ_SECONDS"] ?? "60");
const first = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000_000);
if (!Number.isInteger(first) || !(seconds > 0)) throw new Error("FUZZ_SECONDS and FUZZ_SEED are numbers");

const refused = new Map(targets.map(({ name }) => [name, 0]));
const end = performance.now() + seconds * 1000;
let seed = first;
do {
  for (const target of targets) {
    try {
      refused.set(target.name, (refused.get(target.name) ?? 0) + fuzz(target, seed, ROUND));
    } catch (error) {
      console.error(`FUZZ_SEED=${seed}: ${error instanceof Error ? error.message : error}`);
      process.exit(1);
    }
  }
  seed++;
} while (performance.now() < end);

const rounds = seed - first;
console.log(`seeds ${first} to ${seed - 1}\n\n| decoder | inputs | refused |\n|---|---|---|`);
for (const [name, count] of refused) console.log(`| ${name} | ${rounds * ROUND} | ${count} |`);
