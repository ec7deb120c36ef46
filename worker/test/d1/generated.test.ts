// One generated program on a real D1 and on a user's database, on both sides: all give the same.
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { some } from "../effort.ts";
import { inFile, inObject, isError, outcome } from "./compare.ts";
import { DROPPED, program, type Step } from "./program.ts";

const { D1 } = env as unknown as { readonly D1: D1Database };

const SEEDS = Array.from({ length: 10 }, (_, index) => index + 1);
const STEPS = 300;

async function emptyD1(): Promise<void> {
  await D1.exec("DROP VIEW IF EXISTS best\nDROP VIEW IF EXISTS one");
  for (const name of DROPPED) await D1.prepare(`DROP TABLE IF EXISTS "${name}"`).run();
}

it.each(some("programs for D1", SEEDS, 1))(
  "gives what D1 gives: program %i",
  { timeout: 300_000 },
  async (seed) => {
    await emptyD1();
    const sides = { file: await inFile(), object: await inObject() };
    const differences: unknown[] = [];
    let answered = 0;
    for (const [index, step] of program(seed, STEPS).entries()) {
      const wanted = await outcome(step.run, D1, step.inserts);
      if (!isError(wanted)) answered++;
      for (const [side, db] of Object.entries(sides)) {
        const got = await outcome(step.run, db, step.inserts);
        if (!isSame(step, got, wanted)) differences.push({ index, side, step: step.text, wanted, got });
      }
    }
    expect(differences).toEqual([]);
    expect(answered, "most steps are answered").toBeGreaterThan(STEPS / 3);
  },
);

/**
 * All statements are read before the first one runs, and parameters are counted before a statement is read.
 * So of two mistakes, another one may be told.
 */
function isSame({ several }: Step, got: unknown, wanted: unknown): boolean {
  if (isError(wanted) && isError(got) && (several || got[1].includes("Wrong number of parameter")))
    return true;
  try {
    expect(got).toEqual(wanted);
    return true;
  } catch {
    return false;
  }
}
