// How much of the whole a run of the tests does: internal/testkit/effort in Go, and its one switch,
// DBMIGRATE_EFFORT, for the Worker's tests. `make test` does a part of each large proof, another one at each
// commit; `make proof` does everything. A test that does less says so.
import { inject } from "vitest";
import { turns } from "./turns.ts";

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
 * Some n of all, or all of them in a whole run. Each turn does another part: consecutive turns do everything,
 * and so does every sixth one.
 */
export function some<T>(what: string, all: readonly T[], n: number): readonly T[] {
  if (turn === null || all.length <= n) return all;
  console.log(`effort: ${what}: ${n} of ${all.length} (DBMIGRATE_EFFORT=${turn})`);
  return part(all, n, turn);
}

/** Goes on at the beginning after the end. */
export function part<T>(all: readonly T[], n: number, turn: number): T[] {
  const first = group(turn, Math.ceil(all.length / n)) * n;
  return Array.from({ length: n }, (_, i) => all[(first + i) % all.length] as T);
}

/**
 * Which of the groups has its turn. A file runs at each turn, or at every sixth one (turns.ts), and has to come
 * to every group. So each of the six begins elsewhere, and goes on by one.
 */
function group(turn: number, groups: number): number {
  const apart = Math.ceil(groups / turns);
  return (Math.floor(turn / turns) + (turn % turns) * apart) % groups;
}
