// All that a store holds, of one moment: for a backup, while the application writes.
import { WireError } from "../wire/errors.ts";
import { encodeExported } from "../wire/exported.ts";
import { SNAPSHOT_BYTES } from "../wire/limits.ts";
import type { StoreContext } from "../state/context.ts";
import { tablesWithRows } from "./catalog.ts";
import { digestAtOnce } from "./digest.ts";
import { exportRows, exportSchema } from "./export.ts";

/**
 * The digest, the schema, and one page for each table. It does not wait for anything, so no write comes
 * between them.
 * @throws WireError wrong-phase, and too-large
 */
export function snapshot(store: StoreContext): Uint8Array {
  // Rows are no larger than the pages that hold them, but for what their encoding adds.
  if (store.sql.databaseSize > SNAPSHOT_BYTES) throw tooLarge();
  const digest = digestAtOnce(store);
  const schema = exportSchema(store);
  const pages = tablesWithRows(store.sql).map((table) => exportRows(store, table, null, 2 * SNAPSHOT_BYTES));
  if (pages.reduce((sum, page) => sum + page.length, 0) > 2 * SNAPSHOT_BYTES) throw tooLarge();
  return encodeExported({ digest, schema }, pages);
}

function tooLarge(): WireError {
  return new WireError("too-large", `it holds over ${SNAPSHOT_BYTES} bytes`);
}
