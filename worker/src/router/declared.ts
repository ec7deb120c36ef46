// What the routers of this isolate were told, for hello to compare with what the admin routes were told: the
// two are mounted apart.
import type { Part } from "../wire/errors.ts";

const savesFiles = new Set<boolean>();

/** A router was made with this setting. */
export function declareSavesFiles(value: boolean): void {
  savesFiles.add(value);
}

/** What the routers made so far were told, another value than `expected` first; null before there was one. */
export function declaredSavesFiles(expected: boolean): boolean | null {
  if (savesFiles.has(!expected)) return !expected;
  return savesFiles.has(expected) ? expected : null;
}

/** The parts that every router so far has; undefined before there was one. */
let parts: readonly Part[] | undefined;

/** A router was made with these. */
export function declareParts(given: Readonly<Record<Part, object | undefined>>): void {
  const has = (part: Part): boolean => given[part] !== undefined;
  parts = (parts ?? ["live", "split"]).filter(has);
}

/** Null before there was a router. */
export function declaredParts(): readonly Part[] | null {
  return parts ?? null;
}
