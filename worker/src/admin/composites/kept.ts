// The file that a migrate left behind its fence. It is read before the claim, so that nobody is sealed who
// cannot be taken back; its PUT is conditional on what was read, so that an old look has no effect.
import { createHash, randomFillSync } from "node:crypto";
import { WireError } from "../../wire/errors.ts";
import { MARK_BYTES } from "../../wire/limits.ts";
import { classify, isTombstone } from "../../wire/marker.ts";
import type { BackMessage } from "../../wire/back.ts";
import { HEADER_BYTES, POISON, fileChanged, isSameDate, markFile, saveMarked, unportable } from "../mark.ts";

/**
 * Up to here a file stays in memory between its hash and its PUT; a larger one is read twice. Many users of a
 * fleet may share an isolate with the application's requests, which have a budget of memory of their own.
 */
const KEEP_BYTES = 256 * 1024;
const READ_BYTES = 256 * 1024;
const CONTENT = "dbmigrate-content";
const STAMP = "dbmigrate-stamp";

/** The kept file, ready to be put back under the stamp of the claim that comes next. */
export interface Kept {
  readonly object: R2Object;
  /** The header with the stamp. */
  readonly head: Uint8Array;
  /** MD5 of the file under that header. */
  readonly md5: string;
  /** The file under that header; absent where it is read once more. */
  readonly bytes?: Uint8Array;
}

/**
 * Demands of an object that it is the version that was seen, and that S3, over which it may have to come
 * back, carries all that it has.
 * @throws WireError file-changed, metadata-names
 */
export function demandSeen(object: R2Object, { etag, modified }: BackMessage): void {
  if (object.etag !== etag || !isSameDate(object.uploaded, modified)) throw fileChanged(object.key);
  const names = unportable(object);
  if (names.length > 0)
    throw new WireError("metadata-names", `${object.key}: S3 would not carry its metadata as it is`, {
      names,
    });
}

/**
 * Reads the kept file, and proves that it is the one that was migrated. "put" says that this request, or the
 * same one before it, has put it back already.
 * @throws WireError file-changed, too-large, metadata-names
 */
export async function readKept(
  bucket: R2Bucket,
  key: string,
  wanted: BackMessage,
  source: string,
): Promise<Kept | "put"> {
  const object = await bucket.get(key, { onlyIf: { etagMatches: wanted.etag } });
  if (object === null) throw fileChanged(key);
  if (isPutBack(object, wanted)) return "put";
  if (!("body" in object)) throw fileChanged(key);
  try {
    demandSeen(object, wanted);
    if (object.size > MARK_BYTES) throw new WireError("too-large", `${key}: over ${MARK_BYTES} bytes`);
    return await hashKept(object, wanted.gen, source);
  } catch (refused) {
    await object.body.cancel().catch(() => undefined); // it may be read to its end, or be locked
    throw refused;
  }
}

/** Whether the object has the stamp of the claim that comes next, and the bytes that were sent with it. */
function isPutBack(object: R2Object, { gen }: BackMessage): boolean {
  return noteOf(object, STAMP) === String(gen) && noteOf(object, CONTENT) === object.etag;
}

function noteOf({ customMetadata }: R2Object, name: string): string | undefined {
  return Object.entries(customMetadata ?? {}).find(([own]) => own.toLowerCase() === name)?.[1];
}

async function hashKept(object: R2ObjectBody, gen: number, source: string): Promise<Kept> {
  const plain = createHash("sha256");
  const sent = createHash("md5");
  const bytes = object.size <= KEEP_BYTES ? new Uint8Array(object.size) : undefined;
  let head: Uint8Array | undefined;
  let at = 0;
  for await (const part of partsOf(object.body)) {
    bytes?.set(part, at);
    at += part.length;
    head ??= stampedHead(object, part, gen);
    const first = at === part.length;
    plain.update(first ? withoutMark(part) : part);
    if (first) sent.update(head);
    sent.update(first ? part.subarray(HEADER_BYTES) : part);
  }
  if (head === undefined || at !== object.size || plain.digest("hex") !== source)
    throw fileChanged(object.key);
  bytes?.set(head);
  return { object, head, md5: sent.digest("hex"), ...(bytes !== undefined && { bytes }) };
}

/** The bytes of a file, in parts that are valid until the next one; the first has the whole header. */
async function* partsOf(body: ReadableStream): AsyncGenerator<Uint8Array> {
  const reader = body.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(READ_BYTES);
  try {
    for (;;) {
      const { done, value } = await reader.readAtLeast(READ_BYTES, new Uint8Array(buffer));
      if (value !== undefined && value.length > 0) yield value;
      if (done || value === undefined) return;
      buffer = value.buffer as ArrayBuffer;
    }
  } finally {
    reader.releaseLock();
  }
}

/** As userdb.WithStamp. @throws WireError file-changed where no fence is to be taken off */
function stampedHead(object: R2Object, start: Uint8Array, gen: number): Uint8Array {
  if (isTombstone(start) || start[18] !== POISON || !classify(start).fenced) throw fileChanged(object.key);
  const head = start.slice(0, HEADER_BYTES);
  head.copyWithin(18, 84, 86);
  head.set(new TextEncoder().encode("DMU1"), 72);
  new DataView(head.buffer).setUint32(76, gen);
  randomFillSync(head, 80, 12);
  return head;
}

/** As userdb.WithoutMark, of a file with a fence. */
function withoutMark(start: Uint8Array): Uint8Array {
  const plain = start.slice();
  plain.copyWithin(18, 84, 86);
  plain.fill(0, 72, 92);
  return plain;
}

/**
 * Puts the kept file back under the stamp, if it still is the version that was read. Whether a PUT that was
 * not answered had its effect cannot be known, so R2 is asked.
 * @throws WireError file-changed, and what R2 throws
 */
export async function putKept(bucket: R2Bucket, kept: Kept, gen: number): Promise<void> {
  const { key } = kept.object;
  let etag: string | undefined;
  try {
    etag = await saveKept(bucket, kept, gen);
  } catch (cause) {
    etag = (await bucket.head(key))?.etag;
    if (etag !== kept.md5) throw cause;
  }
  if (etag !== kept.md5) throw new WireError("internal", `${key}: R2 may hold other bytes than were sent`);
}

async function saveKept(bucket: R2Bucket, { object, head, md5, bytes }: Kept, gen: number): Promise<string> {
  const mark = {
    etag: object.etag,
    modified: Math.floor(object.uploaded.getTime() / 1000),
    head,
    md5,
    metadata: { [STAMP]: String(gen), [CONTENT]: md5 },
  };
  if (bytes === undefined) return (await markFile(bucket, object.key, mark)).etag;
  const saved = await saveMarked(bucket, object, bytes, mark);
  if (saved === null) throw fileChanged(object.key);
  return saved.etag;
}
