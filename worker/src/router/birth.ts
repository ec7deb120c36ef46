// Lets a new user begin in the Durable Object (docs/cutover.md, "New users in the object"; birth.pml of the
// model). It may be cut off anywhere: the next request, or a command, goes on.
import { createHash } from "node:crypto";
import { type ErrorInfo, WireError } from "../wire/errors.ts";
import { classify } from "../wire/marker.ts";
import { FLAG_PREFIX } from "../wire/routes.ts";
import type { DeletionPlace } from "./delete-user.ts";
import { emptyDatabase, emptyUnderFence } from "./empty-database.ts";

/** What the request saw: the file, absent or under the fence of a birth, and the object's last claim. */
export interface Unborn {
  readonly etag: string | null;
  readonly gen: number;
}

/** Says whether the object serves now; false where somebody else was faster. */
export type Birth = (user: string, seen: Unborn) => Promise<boolean>;

/** Where the object is after a step (src/claims/birth.ts). */
interface State {
  readonly gen: number;
  readonly digest?: unknown;
  readonly receipt?: unknown;
}

interface Bearing {
  dbmigrateBirth(
    request: object,
  ): Promise<({ readonly ok: true } & State) | { readonly ok: false; readonly error: ErrorInfo }>;
}

type Ask = (request: { readonly step: string; readonly [field: string]: unknown }) => Promise<State>;

/** @throws WireError, and what the platform throws: then it may be tried again */
export async function bear(place: DeletionPlace, user: string, seen: Unborn): Promise<boolean> {
  const ask = askerOf(place, user);
  try {
    const { gen, digest } = await ask({ step: "begin", seen: seen.gen });
    const fence = await putFence(place, user, seen, gen);
    if (fence === undefined) {
      await giveBack(place, user, gen, ask);
      return false;
    }
    const receipt = receiptOf(user, place.keyOf(user), gen, fence, digest);
    const opened = await ask({ step: "open", gen, digest, receipt });
    await leaveHints(place, user, gen, opened.receipt ?? receipt);
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

/** A stub is broken for good after some errors, so each call takes a new one. */
function askerOf({ store }: DeletionPlace, user: string): Ask {
  return async (request) => {
    const stub = store.get(store.idFromName(user)) as unknown as Bearing;
    const answer = await stub.dbmigrateBirth(request);
    if (!answer.ok) throw new WireError(answer.error.kind, answer.error.message, answer.error.details);
    return answer;
  };
}

function isTaken(error: unknown): boolean {
  if (!(error instanceof WireError)) return false;
  return error.kind === "claim-conflict" || error.kind === "stale-claim" || error.kind === "wrong-phase";
}

/**
 * The ETag of the fence, or undefined where somebody else was faster. Its random bytes are in no other file,
 * so after a lost answer the file says whether it arrived.
 */
async function putFence(
  { bucket, keyOf }: DeletionPlace,
  user: string,
  { etag }: Unborn,
  gen: number,
): Promise<string | undefined> {
  const key = keyOf(user);
  const fence = emptyUnderFence(gen);
  const md5 = md5Of(fence);
  try {
    const saved = await bucket.put(key, fence, {
      onlyIf: etag === null ? { etagDoesNotMatch: "*" } : { etagMatches: etag },
      md5,
      customMetadata: { "dbmigrate-fence": `${gen}.${gen}`, "dbmigrate-content": md5 },
    });
    if (saved !== null) return md5;
  } catch (error) {
    if ((await bucket.head(key))?.etag !== md5) throw error;
    return md5;
  }
  return (await bucket.head(key))?.etag === md5 ? md5 : undefined;
}

/** Somebody made a file, which serves: the object is empty again. Under a newer fence it is that claim's. */
async function giveBack(
  { bucket, keyOf }: DeletionPlace,
  user: string,
  gen: number,
  ask: Ask,
): Promise<void> {
  const file = await bucket.get(keyOf(user), { range: { offset: 0, length: HEADER_BYTES } });
  if (file === null || classify(new Uint8Array(await file.arrayBuffer())).fenced) return;
  await ask({ step: "end", gen });
}

const HEADER_BYTES = 100;

function receiptOf(user: string, key: string, claim: number, fence: string, digest: unknown): object {
  const source = emptyDatabase();
  return {
    user,
    bucket: "", // a binding does not tell its bucket's name
    key,
    claim,
    sourceEtag: asS3(md5Of(source)),
    sourceSha256: createHash("sha256").update(source).digest("hex"),
    sourceBytes: source.length,
    fencedEtag: asS3(fence),
    digest,
    migratedAt: Date.now(),
    run: "birth",
  };
}

/** Commands read ETags over S3, which quotes them. */
function asS3(etag: string): string {
  return `"${etag}"`;
}

/** Neither is needed: the flag saves a hop, and the receipt's copy is for a day when the object is silent. */
async function leaveHints(
  { bucket, flags }: DeletionPlace,
  user: string,
  gen: number,
  receipt: unknown,
): Promise<void> {
  await Promise.allSettled([
    flags.put(FLAG_PREFIX + user, "true"),
    bucket.put(`.dbmigrate/receipts/${user}/${gen}.json`, JSON.stringify(receipt) + "\n", {
      httpMetadata: { contentType: "application/json" },
    }),
  ]);
}

function md5Of(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}
