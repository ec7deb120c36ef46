// The messages that begin a way back, in one request: a claim to roll back, the digest of what it sealed, and,
// for a small user, all rows. Each is durable before the next begins: where this ends in the middle, the
// single messages go on under the same claim.
import { WireError, badRequest } from "../wire/errors.ts";
import { encodeExported } from "../wire/exported.ts";
import { EXPORT_BYTES } from "../wire/limits.ts";
import type { Claimed } from "../wire/messages.ts";
import type { StoreContext } from "../state/context.ts";
import { tablesWithRows } from "../store/catalog.ts";
import { type DigestReport, advanceDigest } from "../store/digest.ts";
import { exportRows, exportSchema } from "../store/export.ts";
import { type ClaimRequest, claim } from "./claim.ts";

const DIGEST_BUDGET_MS = 5000;
/** One page of a table that is larger ends the answer. */
const PAGE_BYTES = EXPORT_BYTES + 1;

/** The digest is null where the claim found nothing to give back. */
export interface SealedAnswer {
  readonly claimed: Claimed;
  readonly digest: DigestReport | null;
}

/** claim, and digest from the tables themselves. @throws WireError as these do */
export async function seal(store: StoreContext, request: ClaimRequest): Promise<SealedAnswer> {
  if (request.intent !== "rollback") throw badRequest("intent", "rollback");
  const claimed = await claim(store, request);
  await store.storage.sync();
  if (claimed.phase !== "SEALED") return { claimed, digest: null };
  return { claimed, digest: await advanceDigest(store, DIGEST_BUDGET_MS, true) };
}

/**
 * seal, export/schema, and export/rows of every table. @throws WireError as these do, and too-large
 */
export async function handOver(store: StoreContext, request: ClaimRequest): Promise<Uint8Array> {
  const sealed = await seal(store, request);
  if (sealed.digest === null) return encodeExported({ ...sealed, schema: null }, []);
  const schema = exportSchema(store);
  const pages: Uint8Array[] = [];
  let bytes = 0;
  for (const table of tablesWithRows(store.sql)) {
    const page = exportRows(store, table, null, PAGE_BYTES);
    bytes += page.length;
    if (bytes > EXPORT_BYTES) throw new WireError("too-large", `its rows are over ${EXPORT_BYTES} bytes`);
    pages.push(page);
  }
  return encodeExported({ ...sealed, schema }, pages);
}
