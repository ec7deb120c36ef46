// At least 5,000 generated statements give the same on both sides.
import { expect, it } from "vitest";
import { some } from "../effort.ts";
import { type Kind, Generator } from "./generate.ts";
import { isKnown } from "./known.ts";
import { Pair, type Shown } from "./pair.ts";

/** Each seed has a database of its own. */
const SEEDS = Array.from({ length: 10 }, (_, i) => 20_261_129 + i);
const EACH = 520;
const chosen = some("seeds", SEEDS, 1);

interface Count {
  ok: number;
  refused: number;
}

const counts = new Map<Kind, Count>();

it.each(chosen)(`${EACH} statements of seed %i`, async (seed) => {
  const generator = new Generator(seed);
  const pair = await Pair.open();
  for (let left = EACH; left > 0;) {
    const { kind, statement } = generator.next();
    if (isKnown(statement.sql)) continue;
    left--;
    const mode = kind === "SELECT" && left % 2 === 0 ? "read" : "write";
    const { file, store } = await pair.run({ statements: [statement], mode });
    expect(file, `${kind}: ${JSON.stringify(statement)}`).toEqual(store);
    count(kind, store);
  }
});

it("were of every kind, answered and refused", () => {
  const table = [...counts].map(([kind, { ok, refused }]) => `| ${kind} | ${ok} | ${refused} |`).sort();
  console.log(["| kind | answered | refused |", "|---|---|---|", ...table].join("\n"));
  const all = [...counts.values()].reduce((sum, { ok, refused }) => sum + ok + refused, 0);
  expect(all).toBeGreaterThanOrEqual(chosen.length * 500);
  for (const kind of ["DDL", "INSERT", "UPDATE", "DELETE", "SELECT", "compound", "WITH", "PRAGMA"] as const) {
    expect(counts.get(kind)?.ok, kind).toBeGreaterThan(5 * chosen.length - 1);
    if (chosen.length === SEEDS.length) expect(counts.get(kind)?.refused, kind).toBeGreaterThan(0);
  }
});

function count(kind: Kind, { ok }: Shown): void {
  const known = counts.get(kind) ?? { ok: 0, refused: 0 };
  if (ok) known.ok++;
  else known.refused++;
  counts.set(kind, known);
}
