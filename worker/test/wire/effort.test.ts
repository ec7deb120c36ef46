import { expect, it } from "vitest";
import { part } from "../effort.ts";

it("does everything in consecutive turns", () => {
  for (let length = 1; length < 30; length++) {
    const all = Array.from({ length }, (_, i) => i);
    for (let n = 1; n <= length; n++) {
      const turns = Array.from({ length: Math.ceil(length / n) }, (_, i) => 7000 + length + i);
      const done = new Set(turns.flatMap((turn) => part(all, n, turn)));
      expect(done.size).toBe(length);
    }
  }
});
