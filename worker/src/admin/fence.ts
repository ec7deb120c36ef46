// Fences a user's file as it is now (docs/wire-format.md, section 9). A file that is written all the time is
// never again the version that an operator has read; here reading and writing are a moment apart. What is
// fenced in this way is checked and copied behind the fence.
import { Buffer } from "node:buffer";
import { createHash, randomFillSync } from "node:crypto";
import { isThrottled } from "../router/file-side.ts";
import { classify, isTombstone, type Mark } from "../wire/marker.ts";
import { NOTICED_MS, announceFence, withdrawFence } from "../router/announced.ts";
import { holdSaves } from "../router/holds.ts";
import { WireError, badRequest } from "../wire/errors.ts";
import { type JsonObject, asInteger, asObject } from "../wire/json.ts";
import { FENCE_BYTES } from "../wire/limits.ts";
import { roomAtOnce, roomFor } from "./composites/held.ts";
import { demandPortable, fileChanged, HEADER_BYTES, isOurs, markMetadata, POISON } from "./mark.ts";

/** For so long the Worker races with the application. */
const PATIENCE_MS = 20_000;
/**
 * For so long it announces itself to other isolates, the first time and the second: less than a router waits by
 * default. Who wins against that is no router of ours, or knows nothing of announcements.
 */
const ANNOUNCED_MS = [2500, 3500] as const;
/** Between the two, saves go on. */
const REST_MS = 1500;
/** Between two tries when R2 asks to slow down; a router waits longer. */
const THROTTLED_MS = 250;
/** A file that is written all the time may have grown by so much when the memory for it is there. */
const GROWTH_BYTES = 1024 * 1024;
const MAGIC = { full: "DMF1", split: "DMS1" } as const;
const SQLITE = "SQLite format 3\0";
const MAX_CLAIM = 0xffff_ffff;

/** A fence with the claim as its lineage and nonce. */
export interface FenceRequest {
  readonly claim: number;
  readonly split: boolean;
  /** What the object's metadata says of the mark. All other metadata stays. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The object under the fence, and the version that it was made from. */
export interface FencedFile {
  readonly etag: string;
  readonly source: string;
}

/** @throws WireError bad-request */
export function parseFenceRequest(body: JsonObject): FenceRequest {
  const split = body["split"] ?? false;
  if (typeof split !== "boolean") throw badRequest("split", "a boolean");
  return {
    claim: asInteger(body["gen"], "gen", 1, MAX_CLAIM),
    split,
    metadata: markMetadata(asObject(body["metadata"], "metadata")),
  };
}

/**
 * Puts the fence into whatever the file is by then. Each try reads the file, then asks for the object's last
 * claim, then writes on condition of what was read: so a request that arrives late, after a newer command,
 * changes nothing.
 * @throws WireError stale-claim, file-changed when the application was faster every time, too-large,
 * metadata-names, overloaded when there is no memory for the file
 */
export async function fenceFile(
  bucket: R2Bucket,
  key: string,
  wanted: FenceRequest,
  lastClaim: () => Promise<number>,
): Promise<FencedFile> {
  const deadline = Date.now() + PATIENCE_MS;
  const hold = new Hold(bucket, key);
  const memory = new Memory();
  try {
    do {
      const outcome = await fenceOnce({ bucket, key, memory }, wanted, lastClaim, hold.isOn);
      if (typeof outcome === "object") return outcome;
      memory.giveBack();
      // An announcement would run out while the next attempt waits for room.
      await memory.wait();
      if (outcome !== "no room") await hold.lost();
    } while (Date.now() < deadline);
  } finally {
    memory.giveBack();
    await hold.end();
  }
  throw fileChanged(key);
}

/**
 * Says when an attempt keeps saves away. The first one holds those of its isolate. If it loses, somebody else
 * writes: then the fence is announced, and the next attempts follow once routers have seen that.
 */
class Hold {
  #announced = 0;
  /** Until when the announcement holds; 0 while there is none. */
  #until = 0;
  #restUntil = 0;

  constructor(
    private readonly bucket: R2Bucket,
    private readonly key: string,
  ) {}

  get isOn(): boolean {
    return Date.now() >= this.#restUntil;
  }

  async lost(): Promise<void> {
    const now = Date.now();
    if (now < this.#restUntil || now < this.#until) return;
    if (this.#until > 0) return this.#rest(now);
    const ms = ANNOUNCED_MS[this.#announced++];
    if (ms === undefined) return this.#rest(Infinity);
    this.#until = now + ms;
    await announceFence(this.bucket, this.key, ms);
    await pause(NOTICED_MS);
  }

  async end(): Promise<void> {
    if (this.#announced > 0) await withdrawFence(this.bucket, this.key);
  }

  #rest(since: number): void {
    this.#until = 0;
    this.#restUntil = since + REST_MS;
  }
}

/**
 * The isolate's memory for one attempt. What is not there at once is waited for while saves go on: a hold
 * would run out meanwhile, and the file be another one.
 */
class Memory {
  #wanted = 0;
  #bytes = 0;
  #release: (() => void) | undefined;

  /** Whether a file of this size has room, from now on. */
  fits(size: number): boolean {
    if (size <= this.#bytes) return true;
    this.giveBack();
    this.#wanted = size + GROWTH_BYTES;
    this.#hold(size, roomAtOnce(size));
    return this.#release !== undefined;
  }

  /** Waits for the room that was not there. @throws WireError overloaded */
  async wait(): Promise<void> {
    this.#hold(this.#wanted, await roomFor(this.#wanted));
  }

  giveBack(): void {
    this.#release?.();
    this.#hold(0, undefined);
  }

  #hold(bytes: number, release: (() => void) | undefined): void {
    this.#bytes = release === undefined ? 0 : bytes;
    this.#release = release;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Why the file could not be saved under the fence. */
type Obstacle = "lost" | "throttled" | "no room";

/** What an attempt works with. */
interface Place {
  readonly bucket: R2Bucket;
  readonly key: string;
  readonly memory: Memory;
}

/** While it holds, routers of this isolate are not faster: they wait for the attempt. */
async function fenceOnce(
  { bucket, key, memory }: Place,
  wanted: FenceRequest,
  lastClaim: () => Promise<number>,
  holds: boolean,
): Promise<FencedFile | Obstacle> {
  const release = holds ? await holdSaves(key) : undefined;
  try {
    const object = await bucket.get(key);
    if (object === null) throw new WireError("file-changed", `there is no object ${key}`);
    const bytes = await contentOf(object, memory);
    if (bytes === undefined) return "no room";
    demandNewest(classify(bytes), wanted.claim);
    demandPortable(object, bytes);
    if ((await lastClaim()) !== wanted.claim) throw stale(wanted.claim);
    const saved = await save(bucket, object, putFence(bytes, wanted), wanted);
    return typeof saved === "string" ? saved : { etag: saved.etag, source: object.etag };
  } finally {
    release?.();
  }
}

/** Undefined where there is no room for it: then nothing of it was read. */
async function contentOf(object: R2ObjectBody, memory: Memory): Promise<Uint8Array | undefined> {
  const fits = object.size <= FENCE_BYTES;
  if (!fits || !memory.fits(object.size)) {
    await object.body.cancel();
    if (fits) return undefined;
    throw new WireError("too-large", `${object.key}: over ${FENCE_BYTES} bytes`);
  }
  const bytes = new Uint8Array(await object.arrayBuffer());
  if (isTombstone(bytes) || !isDatabase(bytes)) throw fileChanged(object.key);
  const { md5 } = object.checksums;
  if (md5 !== undefined && Buffer.from(md5).toString("hex") !== md5Of(bytes))
    throw new WireError("internal", `${object.key} did not arrive as R2 has it`);
  return bytes;
}

function isDatabase(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && SQLITE === String.fromCharCode(...bytes.subarray(0, SQLITE.length));
}

function md5Of(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

function demandNewest(mark: Mark, claim: number): void {
  if ((mark.fenced ? mark.non : mark.stamp) > claim) throw stale(claim);
}

function stale(claim: number): WireError {
  return new WireError("stale-claim", `claim ${claim} was superseded`);
}

/** Under an older fence the versions that it remembers are kept. */
function putFence(bytes: Uint8Array, { claim, split }: FenceRequest): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (!classify(bytes).fenced) bytes.copyWithin(84, 18, 20);
  bytes.set(new TextEncoder().encode(split ? MAGIC.split : MAGIC.full), 72);
  view.setUint32(76, claim);
  view.setUint32(80, claim);
  randomFillSync(bytes, 86, 6);
  bytes[18] = POISON;
  return bytes;
}

/** "lost" when the object is another one by now, "throttled" when R2 asks to slow down. */
async function save(
  bucket: R2Bucket,
  { key, etag, customMetadata, httpMetadata, storageClass }: R2Object,
  bytes: Uint8Array,
  { metadata }: FenceRequest,
): Promise<R2Object | Obstacle> {
  const kept = Object.entries(customMetadata ?? {}).filter(([name]) => !isOurs(name));
  try {
    const saved = await bucket.put(key, bytes, {
      onlyIf: { etagMatches: etag },
      md5: md5Of(bytes),
      customMetadata: { ...Object.fromEntries(kept), ...metadata },
      ...(httpMetadata && { httpMetadata }),
      ...(storageClass && { storageClass }),
    });
    return saved ?? "lost";
  } catch (cause) {
    if (!isThrottled(cause)) throw cause;
    await pause(THROTTLED_MS);
    return "throttled";
  }
}
