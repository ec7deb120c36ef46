// What the routers of this isolate were told, for hello to compare with what the admin routes were told: the
// two are mounted apart.

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
