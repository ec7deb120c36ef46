// One generated program on a real D1 and on a user's database, on both sides: all give the same.
import { expect, it } from "vitest";
import { some } from "../effort.ts";
import { inFile, inObject, ownD1 } from "./compare.ts";
import { differencesOf } from "./differences.ts";
import { placeOf } from "./outcome.ts";
import { program } from "./program.ts";

const SEEDS = Array.from({ length: 10 }, (_, index) => index + 1);
const STEPS = 300;

it.each(some("programs for D1", SEEDS, 1))(
  "gives what D1 gives: program %i",
  { timeout: 300_000 },
  async (seed) => {
    const sides = { file: await placeOf(await inFile()), object: await placeOf(await inObject()) };
    const d1 = await placeOf(await ownD1(String(seed - 1)));
    const { differences, answered } = await differencesOf(program(seed, STEPS), d1, sides);
    expect(differences).toEqual([]);
    expect(answered, "most steps are answered").toBeGreaterThan(STEPS / 3);
  },
);
