// A short run of the fuzzer inside workerd: its text decoders and regular expressions are the ones that
// count. `make fuzz-worker` runs longer.
import { expect, it } from "vitest";
import { fuzz, targets } from "../fuzz/decoders.ts";

const SEED = 20_261_123;
const COUNT = 1000;

it.each(targets)(`$name takes ${COUNT} inputs of seed ${SEED}`, (target) => {
  expect(fuzz(target, SEED, COUNT)).toBeLessThan(COUNT);
});
