import { expect, it } from "vitest";
import { part } from "../effort.ts";
import { turns } from "../turns.ts";

/** How many of length so many turns do. */
function doneBy(length: number, n: number, first: number, step: number, count: number): number {
  const all = Array.from({ length }, (_, i) => i);
  const ran = Array.from({ length: count }, (_, i) => first + i * step);
  return new Set(ran.flatMap((turn) => part(all, n, turn))).size;
}

it("does everything in consecutive turns, and in every sixth one", () => {
  for (let length = 1; length < 30; length++)
    for (let n = 1; n <= length; n++) {
      const groups = Math.ceil(length / n);
      for (let first = 7000; first < 7000 + turns; first++) {
        expect([length, n, doneBy(length, n, first, 1, groups + 2 * turns)]).toEqual([length, n, length]);
        expect([length, n, doneBy(length, n, first, turns, groups)]).toEqual([length, n, length]);
      }
    }
});
