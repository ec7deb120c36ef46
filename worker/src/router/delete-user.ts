// Deletes everything of a user, wherever the user lives and whatever a command left half-done (docs/cutover.md,
// "Deleting a user"). It may be cut off anywhere: the same call again goes on.
import { createHash } from "node:crypto";
import { type ErrorInfo, WireError } from "../wire/errors.ts";
import { classify, isTombstone, readDeletion } from "../wire/marker.ts";
import { FLAG_PREFIX, SPLIT_FLAG_PREFIX } from "../wire/routes.ts";
import { isThrottled } from "./file-side.ts";
import { pause, pauseAfterThrottling } from "./pause.ts";
import type { UserObjects } from "./store-side.ts";

/** What became of it. `deleted` is false where there was nothing. */
export type DeletionAnswer =
  { readonly ok: true; readonly deleted: boolean } | { readonly ok: false; readonly error: ErrorInfo };

/** What a deletion needs of the Worker. */
export interface DeletionPlace {
  readonly bucket: R2Bucket;
  readonly flags: KVNamespace;
  readonly store: UserObjects;
  readonly keyOf: (user: string) => string;
}

/** Where the object is after a step (src/claims/deletion.ts). */
interface State {
  readonly phase: string;
  readonly gen: number;
  readonly bytes: number;
  readonly clearing: boolean;
}

interface Deletable {
  dbmigrateDelete(
    request: object,
  ): Promise<({ readonly ok: true } & State) | { readonly ok: false; readonly error: ErrorInfo }>;
}

/** Commands keep a folder for each user in these (docs/scripting.md). */
const KEPT = ["receipts", "left-behind", "overwritten", "quarantine"] as const;
const RESERVED = ".dbmigrate/";
const TRIES = 8;
/** R2 deletes so many at once. */
const AT_ONCE = 1000;

/** Everything of a user that is not in the object. */
interface Traces {
  readonly file: R2Object | null;
  readonly kept: readonly R2Object[];
  readonly before: State;
}

/** @throws WireError claim-conflict, stale-claim: a command works on the user; and what the platform throws */
export async function deleteUser(place: DeletionPlace, user: string): Promise<boolean> {
  const ask = askerOf(place, user);
  const traces: Traces = {
    before: await ask({ step: "look" }),
    file: await place.bucket.head(place.keyOf(user)),
    kept: await keptOf(place.bucket, user),
  };
  const atRest = traces.file === null && traces.before.phase === "EMPTY" && !traces.before.clearing;
  if (!atRest) await deleteSides(place, user, traces, ask);
  else if (traces.kept.length > 0) await deleteKept(place.bucket, traces, crypto.randomUUID());
  await Promise.all([FLAG_PREFIX, SPLIT_FLAG_PREFIX].map((prefix) => place.flags.delete(prefix + user)));
  return !atRest || traces.kept.length > 0;
}

type Ask = (request: { readonly step: string; readonly gen?: number }) => Promise<State>;

/** A stub is broken for good after some errors, so each call takes a new one. */
function askerOf({ store }: DeletionPlace, user: string): Ask {
  return async (request) => {
    const stub = store.get(store.idFromName(user)) as unknown as Deletable;
    const answer = await stub.dbmigrateDelete(request);
    if (!answer.ok) throw new WireError(answer.error.kind, answer.error.message, answer.error.details);
    return answer;
  };
}

/** The object is not EMPTY until R2 has said that the file is gone, so no router makes a new file meanwhile. */
async function deleteSides(place: DeletionPlace, user: string, traces: Traces, ask: Ask): Promise<void> {
  const { bucket } = place;
  const key = place.keyOf(user);
  const begun = await ask({ step: "begin" });
  const id = await bury(bucket, key, user, begun.gen, ask);
  const emptied = await ask({ step: "empty", gen: begun.gen });
  await deleteKept(bucket, traces, id);
  for (let tries = 1; ; tries++) {
    // Another deletion may have ended meanwhile, and the user may be a new one.
    demandNewest(await ask({ step: "look" }), emptied.gen);
    await bucket.delete(key);
    if ((await bucket.head(key)) === null) break;
    if (tries === TRIES) throw busy(key);
    // A request of a dead command arrived late, or an old path saved: that goes, too.
    await bury(bucket, key, user, emptied.gen, ask);
  }
  let ended = await ask({ step: "end", gen: emptied.gen });
  while (ended.clearing) ended = await ask({ step: "clear" });
}

/**
 * Puts a tombstone in place of whatever the file is. From then on no side has the authority, and no PUT of an
 * earlier command can take effect. Returns the id of the receipt.
 */
async function bury(bucket: R2Bucket, key: string, user: string, gen: number, ask: Ask): Promise<string> {
  for (let tries = 1; ; tries++) {
    const seen = await bucket.get(key);
    const bytes = seen === null ? undefined : await startOf(seen);
    const begun = bytes === undefined ? "" : deletionIn(bytes);
    if (bytes !== undefined && begun !== "" && nonceOf(bytes) === gen) return begun;
    demandNewest(await ask({ step: "look" }), gen);
    const id = begun === "" ? crypto.randomUUID().replaceAll("-", "") : begun;
    try {
      if ((await putStone(bucket, key, { user, gen, id }, seen)) !== null) return id;
    } catch (error) {
      if (tries === TRIES) throw error;
      await (isThrottled(error) ? pauseAfterThrottling() : pause()); // it may have had its effect: look again
    }
    if (tries === TRIES) throw busy(key);
  }
}

function demandNewest(now: State, gen: number): void {
  if (now.gen !== gen) throw new WireError("stale-claim", `claim ${gen} was superseded by claim ${now.gen}`);
}

function busy(key: string): WireError {
  return new WireError(
    "overloaded",
    `${key}: the application kept changing the file; stop its requests first`,
  );
}

/** A whole tombstone, or enough of anything else. */
async function startOf(object: R2ObjectBody): Promise<Uint8Array> {
  if (object.size <= STONE_BYTES) return new Uint8Array(await object.arrayBuffer());
  await object.body.cancel();
  return new Uint8Array(0);
}

const STONE_BYTES = 16 * 1024;

function deletionIn(bytes: Uint8Array): string {
  return isTombstone(bytes) ? readDeletion(bytes) : "";
}

function nonceOf(bytes: Uint8Array): number {
  const mark = classify(bytes);
  return mark.fenced ? mark.non : 0;
}

interface Stone {
  readonly user: string;
  readonly gen: number;
  readonly id: string;
}

function putStone(
  bucket: R2Bucket,
  key: string,
  { user, gen, id }: Stone,
  seen: R2Object | null,
): Promise<R2Object | null> {
  const record = { lin: gen, non: gen, user, receipt: { forgotten: id } };
  const stone = new TextEncoder().encode(`dbmigrate tombstone 1\n${JSON.stringify(record)}\n`);
  const md5 = createHash("md5").update(stone).digest("hex");
  return bucket.put(key, stone, {
    onlyIf: seen === null ? { etagDoesNotMatch: "*" } : { etagMatches: seen.etag },
    md5,
    customMetadata: { "dbmigrate-fence": `${gen}.${gen}`, "dbmigrate-content": md5 },
  });
}

async function keptOf(bucket: R2Bucket, user: string): Promise<R2Object[]> {
  const kept: R2Object[] = [];
  for (const folder of KEPT) {
    const prefix = `${RESERVED}${folder}/${user}/`;
    let cursor: string | undefined;
    do {
      const page: R2Objects = await bucket.list({ prefix, ...(cursor !== undefined && { cursor }) });
      kept.push(...page.objects);
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
  }
  const rehearsal = await bucket.head(`${RESERVED}rehearsals/${user}.sqlite`);
  return rehearsal === null ? kept : [...kept, rehearsal];
}

/** Deletes what commands have kept, and leaves a receipt that names nobody. */
async function deleteKept(bucket: R2Bucket, { file, kept, before }: Traces, id: string): Promise<void> {
  const keys = kept.map(({ key }) => key);
  for (let at = 0; at < keys.length; at += AT_ONCE) await bucket.delete(keys.slice(at, at + AT_ONCE));
  if (file === null && kept.length === 0 && before.bytes === 0) return; // it has its receipt
  const objects = file === null ? kept : [...kept, file];
  const receipt = {
    deletion: id,
    at: Date.now(),
    run: "router",
    objects: objects.length,
    bytes: objects.reduce((sum, { size }) => sum + size, before.bytes),
  };
  await bucket.put(`${RESERVED}forgotten/${id}.json`, JSON.stringify(receipt) + "\n", {
    onlyIf: { etagDoesNotMatch: "*" },
    httpMetadata: { contentType: "application/json" },
  });
}
