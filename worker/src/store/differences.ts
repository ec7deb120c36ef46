import { compareBytes } from "../wire/binary.ts";
import { type DatabaseDigest, type TableDigest, censusDifference } from "../wire/messages.ts";

/** A table that differs, as each side has it (null: not at all), or the schemas. */
export type Difference =
  | { readonly table: string; readonly store: TableDigest | null; readonly file: TableDigest | null }
  | { readonly schema: { readonly store: string; readonly file: string } };

/** What differs between the store's digest and the one that was demanded. */
export function differences(own: DatabaseDigest, demanded: DatabaseDigest): Difference[] {
  const found: Difference[] = [];
  if (own.schema !== demanded.schema) found.push({ schema: { store: own.schema, file: demanded.schema } });
  const names = new Set([...own.tables, ...demanded.tables].map(({ name }) => name));
  for (const table of [...names].sort(compareBytes)) {
    const store = own.tables.find(({ name }) => name === table) ?? null;
    const file = demanded.tables.find(({ name }) => name === table) ?? null;
    if (!sameContent(store, file) || censusDifference(store?.census, file?.census) !== "")
      found.push({ table, store, file });
  }
  return found;
}

// The digest of a database leaves empty tables out: an empty sqlite_sequence is the same as none.
function sameContent(store: TableDigest | null, file: TableDigest | null): boolean {
  const rows = store?.rows ?? 0;
  return rows === (file?.rows ?? 0) && (rows === 0 || store?.digest === file?.digest);
}
