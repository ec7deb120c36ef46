// Puts the mark of a cutover into a user's file (docs/wire-format.md, section 9). The file travels from R2 to
// R2, not over the operator's line, and R2 refuses it unless its MD5 is the one that the operator computed
// from the bytes that were checked.
import { isThrottled } from "../router/file-side.ts";
import { classify, isTombstone } from "../wire/marker.ts";
import { fromBase64 } from "../wire/base64.ts";
import { WireError, badRequest } from "../wire/errors.ts";
import { type JsonObject, asInteger, asObject, asString } from "../wire/json.ts";
import { MOST_MARK_BYTES, TOMBSTONE_BYTES } from "../wire/limits.ts";

export const HEADER_BYTES = 100;
const FIRST_READ_BYTES = 64 * 1024;
export const POISON = 255;

/** A tombstone with its fence, in place of another one, or of nothing. */
export interface StoneRequest {
  /** Null where there is to be no object. */
  readonly etag: string | null;
  readonly stone: Uint8Array;
  readonly md5: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** @throws WireError bad-request */
export function parseStoneRequest(body: JsonObject): StoneRequest {
  const stone = fromBase64(asString(body["tombstone"], "tombstone"), "tombstone");
  if (stone.length > TOMBSTONE_BYTES || !isTombstone(stone) || !isReadable(stone))
    throw badRequest("tombstone", "a tombstone of dbmigrate");
  return {
    etag: body["etag"] === "" ? null : hexIn(body, "etag", ETAG),
    stone,
    md5: hexIn(body, "md5", MD5),
    metadata: markMetadata(asObject(body["metadata"], "metadata")),
  };
}

function isReadable(stone: Uint8Array): boolean {
  try {
    return classify(stone).fenced;
  } catch {
    return false;
  }
}

/** Puts the tombstone where there is still the same one, or still nothing. @throws WireError file-changed */
export async function putTombstone(
  bucket: R2Bucket,
  key: string,
  wanted: StoneRequest,
): Promise<{ etag: string }> {
  const { etag, stone, md5 } = wanted;
  const before = etag === null ? null : await tombstoneAt(bucket, key, etag);
  const kept = Object.entries(before?.customMetadata ?? {}).filter(([name]) => !isOurs(name));
  const saved = await bucket.put(key, stone, {
    onlyIf: etag === null ? { etagDoesNotMatch: "*" } : { etagMatches: etag },
    md5,
    customMetadata: { ...Object.fromEntries(kept), ...wanted.metadata },
    ...(before?.httpMetadata && { httpMetadata: before.httpMetadata }),
    ...(before?.storageClass && { storageClass: before.storageClass }),
  });
  if (saved === null) throw fileChanged(key);
  return { etag: saved.etag };
}

async function tombstoneAt(bucket: R2Bucket, key: string, etag: string): Promise<R2Object> {
  const object = await bucket.get(key, { onlyIf: { etagMatches: etag } });
  if (object === null || !("body" in object)) throw fileChanged(key);
  if (object.size > TOMBSTONE_BYTES) return refuse(object, fileChanged(key));
  if (!isTombstone(new Uint8Array(await object.arrayBuffer()))) throw fileChanged(key);
  return object;
}

const ETAG = /^[0-9a-f]{32}(-\d+)?$/;
const MD5 = /^[0-9a-f]{32}$/;

/** A header with its mark, for one version of the file. */
export interface MarkRequest {
  readonly etag: string;
  /** When that version was written, in seconds: another bucket may hold the same bytes. */
  readonly modified: number;
  readonly head: Uint8Array;
  /** MD5 of the whole file under that header. */
  readonly md5: string;
  /** What the object's metadata says of the mark. All other metadata stays. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** @throws WireError bad-request */
export function parseMarkRequest(body: JsonObject): MarkRequest {
  const head = fromBase64(asString(body["head"], "head"), "head");
  if (!isFencedHeader(head) && !isStampedHeader(head))
    throw badRequest("head", "a SQLite header with a fence or a stamp");
  return {
    etag: hexIn(body, "etag", ETAG),
    modified: asInteger(body["modified"], "modified", 0, Number.MAX_SAFE_INTEGER),
    head,
    md5: hexIn(body, "md5", MD5),
    metadata: markMetadata(asObject(body["metadata"], "metadata")),
  };
}

function isFencedHeader(head: Uint8Array): boolean {
  return head.length === HEADER_BYTES && !isTombstone(head) && classify(head).fenced && head[18] === POISON;
}

function isStampedHeader(head: Uint8Array): boolean {
  if (head.length !== HEADER_BYTES || isTombstone(head) || head[18] === POISON) return false;
  const mark = classify(head);
  return !mark.fenced && mark.stamp > 0;
}

function hexIn(body: JsonObject, name: string, form: RegExp): string {
  const text = asString(body[name], name);
  if (!form.test(text)) throw badRequest(name, "lower-case hex digits");
  return text;
}

export function markMetadata(given: JsonObject): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!isOurs(name)) throw badRequest("metadata", "names that begin with dbmigrate-");
    metadata[name] = asString(value, name);
  }
  return metadata;
}

export function isOurs(name: string): boolean {
  return /^dbmigrate-[a-z]+$/i.test(name);
}

/** Replaces the file by itself under the mark, if it still is that version. @throws WireError file-changed */
export async function markFile(
  bucket: R2Bucket,
  key: string,
  wanted: MarkRequest,
): Promise<{ etag: string }> {
  const object = await bucket.get(key, { onlyIf: { etagMatches: wanted.etag } });
  if (object === null || !("body" in object)) throw fileChanged(key);
  if (!isSameDate(object.uploaded, wanted.modified)) return refuse(object, fileChanged(key));
  if (object.size > MOST_MARK_BYTES)
    return refuse(object, new WireError("too-large", `${key}: over ${MOST_MARK_BYTES} bytes`));
  const { readable, writable } = new FixedLengthStream(object.size);
  const sent = sendMarked(object, writable, wanted.head).catch((cause: unknown) => asError(cause));
  const saved = await saveMarked(bucket, object, readable, wanted, sent);
  if (saved === null) throw fileChanged(key);
  return { etag: saved.etag };
}

export function fileChanged(key: string): WireError {
  return new WireError("file-changed", `${key} is not, or no longer, the version that was read`);
}

async function refuse(object: R2ObjectBody, error: WireError): Promise<never> {
  await object.body.cancel();
  throw error;
}

/** HTTP knows dates by the second. */
export function isSameDate(uploaded: Date, seconds: number): boolean {
  return Math.abs(uploaded.getTime() / 1000 - seconds) <= 1;
}

/**
 * Saves what the object shall be under the mark, if it still is that version; null where it is not. `sent`
 * says why a stream ended early.
 */
export async function saveMarked(
  bucket: R2Bucket,
  object: R2Object,
  content: ReadableStream | Uint8Array,
  { etag, md5, metadata }: MarkRequest,
  sent?: Promise<Error | undefined>,
): Promise<R2Object | null> {
  const kept = Object.entries(object.customMetadata ?? {}).filter(([name]) => !isOurs(name));
  try {
    return await bucket.put(object.key, content, {
      onlyIf: { etagMatches: etag },
      md5,
      customMetadata: { ...Object.fromEntries(kept), ...metadata },
      ...(object.httpMetadata && { httpMetadata: object.httpMetadata }),
      ...(object.storageClass && { storageClass: object.storageClass }),
    });
  } catch (cause) {
    if (isThrottled(cause))
      throw new WireError("overloaded", `${object.key}: R2 asks to slow down`, undefined, { cause });
    throw (await sent) ?? cause;
  }
}

/** Sends the file with `head` in place of its own header, from which it may differ in the mark only. */
async function sendMarked(object: R2ObjectBody, to: WritableStream, head: Uint8Array): Promise<undefined> {
  const file = object.body;
  const reader = file.getReader({ mode: "byob" });
  const { value: start } = await reader.readAtLeast(HEADER_BYTES, new Uint8Array(FIRST_READ_BYTES));
  reader.releaseLock();
  const refused = unfit(object, start, head);
  if (start === undefined || refused !== undefined) {
    await Promise.all([file.cancel(refused), to.abort(refused)]);
    throw refused;
  }
  start.set(head);
  const writer = to.getWriter();
  await writer.write(start);
  writer.releaseLock();
  await file.pipeTo(to);
}

function unfit(object: R2Object, start: Uint8Array | undefined, head: Uint8Array): Error | undefined {
  if (start === undefined || !differsInMarkOnly(start, head))
    return badRequest("head", "the header of this file, but for its mark");
  try {
    // A stamp takes nobody over, and this binding keeps what S3 does not carry.
    if (classify(head).fenced) demandPortable(object, start);
    return undefined;
  } catch (cause) {
    return asError(cause);
  }
}

/**
 * Refuses to take over an object with metadata that could not go back over S3, which brings the file back. A
 * file that is fenced already is taken over: its user moved before.
 * @throws WireError metadata-names
 */
export function demandPortable(object: R2Object, start: Uint8Array): void {
  if (classify(start).fenced) return;
  const names = unportable(object);
  if (names.length === 0) return;
  const listed = names.map((name) => JSON.stringify(name.slice(0, 100)));
  throw new WireError(
    "metadata-names",
    `${object.key}: its metadata would not come back as it is: ${listed.join(", ")}`,
    { names },
  );
}

/** R2 takes so many bytes of names and values together; the marks of dbmigrate need some of them. */
const METADATA_BYTES = 8192 - 256;
const LISTED = 5;

/**
 * The names of what S3 would not carry as it is, the first few: names lose their capitals there, and those
 * beyond ASCII do not travel at all; values lose spaces at their ends, and control characters. What is too
 * long leaves no room for a mark.
 */
export function unportable({ customMetadata = {}, httpMetadata = {} }: R2Object): string[] {
  const own = Object.entries(customMetadata).filter(([name]) => !isOurs(name));
  const texts = Object.entries(httpMetadata).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const names = [
    ...own.filter(([name, value]) => !/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || !isPlain(value)),
    ...texts.filter(([, value]) => !isPlain(value) || !/^[\x20-\x7e]*$/.test(value)),
  ].map(([name]) => name);
  const bytes = own.reduce((sum, [name, value]) => sum + bytesOf(name) + bytesOf(value), 0);
  if (bytes > METADATA_BYTES) names.push(`${bytes} bytes of metadata`);
  return names.slice(0, LISTED);
}

function isPlain(value: string): boolean {
  return value.trim() === value && value.isWellFormed() && !/[\p{Cc}\ufffd]/u.test(value);
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

function differsInMarkOnly(start: Uint8Array, head: Uint8Array): boolean {
  return (
    start.length >= HEADER_BYTES &&
    head.every((byte, at) => byte === start[at] || at === 18 || (at >= 72 && at < 92))
  );
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
