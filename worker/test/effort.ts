// How much of the whole a run of the tests does: internal/testkit/effort in Go, and its one switch,
// DBMIGRATE_EFFORT, for the Worker's tests. `make test` does a part of each large proof, another one at each
// commit; `make proof` does everything. A test that does less says so.
import { inject } from "vitest";

/** `turn` chooses the part; null in a whole run. vitest.config.ts reads the switch. */
export interface Effort {
  readonly turn: number | null;
}

declare module "vitest" {
  export interface ProvidedContext {
    effort: Effort;
  }
}

const { turn } = inject("effort");

/**
 * Some n of all, or all of them in a whole run. The next turn begins where this one ends, so that consecutive
 * turns do everything.
 */
export function some<T>(what: string, all: readonly T[], n: number): readonly T[] {
  if (turn === null || all.length <= n) return all;
  console.log(`effort: ${what}: ${n} of ${all.length} (DBMIGRATE_EFFORT=${turn})`);
  return part(all, n, turn);
}

/** Begins where the turn before ended, and goes on at the beginning after the end. */
export function part<T>(all: readonly T[], n: number, turn: number): T[] {
  return Array.from({ length: n }, (_, i) => all[(turn * n + i) % all.length] as T);
}
