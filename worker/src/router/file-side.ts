// The users' files in R2, through the Worker's binding.
import { refuseTooLarge } from "../file/engine.ts";
import { messageOf, WireError } from "../wire/errors.ts";
import { TOMBSTONE_BYTES } from "../wire/limits.ts";
import { ABSENT, classify, isTombstone, PEEK_BYTES } from "../wire/marker.ts";
import { isolateSaves } from "./announced.ts";
import { DEFAULT_LOADED_BYTES, isolateRoom } from "./room.ts";
import type { FileAttributes, FileSide, Loading, Look, SaveOutcome, StoredFile } from "./sides.ts";

/** A write holds a file as it came, in SQLite, and as it is saved. */
export const WRITE_COPIES = 3;
export const READ_COPIES = 2;

const NOTHING: Look = { etag: null, mark: ABSENT };

/** R2 behind the interface. */
export class R2FileSide implements FileSide {
  constructor(
    private readonly bucket: R2Bucket,
    private readonly keyOf: (user: string) => string,
    private readonly maxFileBytes: number,
    private readonly maxLoadedBytes = DEFAULT_LOADED_BYTES,
    private readonly room = isolateRoom,
    private readonly saves = isolateSaves,
  ) {}

  async get(user: string, loading: Loading = { copies: WRITE_COPIES, deadline: 0 }): Promise<StoredFile> {
    const key = this.keyOf(user);
    const object = await this.bucket.get(key);
    if (object === null) return { ...NOTHING, key, bytes: new Uint8Array(0), attributes: {} };
    if (object.size > this.maxFileBytes) return this.getLarge(user, object);
    if (loading.markWillDo !== true) return this.read(object, await this.makeRoom(object, loading));
    const release = this.roomAtOnce(object, loading);
    return release === undefined ? this.getMark(user, object, loading) : this.read(object, release);
  }

  /** What is fenced is not opened as a rule: nobody waits for room to learn that. */
  private async getMark(user: string, object: R2ObjectBody, loading: Loading): Promise<StoredFile> {
    await object.body.cancel();
    const { etag, mark } = await this.peek(user);
    if (!mark.fenced) return this.get(user, { ...loading, markWillDo: false });
    return { key: object.key, etag, mark, bytes: null, unread: true, attributes: {} };
  }

  private roomAtOnce({ size }: R2Object, { copies }: Loading): (() => void) | undefined {
    return this.room.takeAtOnce({ bytes: size * copies, limit: this.maxLoadedBytes });
  }

  private async read(object: R2ObjectBody, release: () => void): Promise<StoredFile> {
    try {
      const bytes = new Uint8Array(await object.arrayBuffer());
      refuseLongTombstone(bytes, object);
      return {
        key: object.key,
        etag: object.etag,
        mark: classify(bytes),
        bytes,
        attributes: attributesOf(object),
        release,
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** The size is known before the bytes are there. */
  private async makeRoom(object: R2ObjectBody, { copies, deadline }: Loading): Promise<() => void> {
    try {
      return await this.room.take({ bytes: object.size * copies, limit: this.maxLoadedBytes, deadline });
    } catch (error) {
      await object.body.cancel();
      throw error;
    }
  }

  async look(user: string, known?: Look): Promise<Look> {
    const object = await this.bucket.head(this.keyOf(user));
    if (object === null) return NOTHING;
    // Equal ETags are equal bytes, and a mark is in the bytes.
    if (known?.etag === object.etag) return known;
    if (object.size === 0) return { etag: object.etag, mark: ABSENT };
    return this.peek(user);
  }

  async save(read: StoredFile, bytes: Uint8Array): Promise<SaveOutcome> {
    const onlyIf = read.etag === null ? { etagDoesNotMatch: "*" } : { etagMatches: read.etag };
    const end = await this.saves.begin(this.bucket, read.key);
    if (end === undefined) return "held";
    try {
      if ((await this.bucket.put(read.key, bytes, { ...read.attributes, onlyIf })) !== null) return "saved";
      this.saves.lost(read.key);
      return "lost";
    } catch (error) {
      if (!isThrottled(error)) throw error;
      this.saves.lost(read.key);
      return "throttled";
    } finally {
      end();
    }
  }

  /** A fenced object may be larger than what we can open: its mark is all that is needed. */
  private async getLarge(user: string, object: R2ObjectBody): Promise<StoredFile> {
    await object.body.cancel();
    const { etag, mark } = await this.peek(user);
    if (!mark.fenced) refuseTooLarge(object.size, this.maxFileBytes);
    return { key: object.key, etag, mark, bytes: null, attributes: {} };
  }

  /** Reads the mark from the first bytes of the object as it is now. */
  private async peek(user: string): Promise<Look> {
    const object = await this.bucket.get(this.keyOf(user), { range: { offset: 0, length: PEEK_BYTES } });
    if (object === null) return NOTHING;
    const start = new Uint8Array(await object.arrayBuffer());
    if (!isTombstone(start) || object.size <= PEEK_BYTES) return { etag: object.etag, mark: classify(start) };
    return this.lookAtTombstone(user);
  }

  private async lookAtTombstone(user: string): Promise<Look> {
    const object = await this.bucket.get(this.keyOf(user), { range: { offset: 0, length: TOMBSTONE_BYTES } });
    if (object === null) return NOTHING;
    const start = new Uint8Array(await object.arrayBuffer());
    refuseLongTombstone(start, object);
    return { etag: object.etag, mark: classify(start) };
  }
}

/** What it fences is unknown, and must not be taken for unfenced. @throws WireError internal */
function refuseLongTombstone(start: Uint8Array, { key, size }: R2Object): void {
  if (size <= TOMBSTONE_BYTES || !isTombstone(start)) return;
  throw new WireError(
    "internal",
    `read ${key}: it begins like a tombstone of dbmigrate, which has at most ${TOMBSTONE_BYTES} bytes, and has ${size}: ` +
      "find out who wrote it, and restore the user's file",
  );
}

function attributesOf(object: R2Object): FileAttributes {
  return {
    ...(object.httpMetadata && { httpMetadata: object.httpMetadata }),
    ...(object.customMetadata && { customMetadata: carriedAlong(object.customMetadata, object.etag) }),
    ...(object.storageClass && { storageClass: object.storageClass }),
  };
}

/**
 * A rollback notes the MD5 of the bytes that it sent. A save over exactly these bytes takes the note away;
 * over others it stays, for dbmigrate to see.
 */
const CONTENT_NOTE = "dbmigrate-content";

function carriedAlong(metadata: Record<string, string>, etag: string): Record<string, string> {
  const noted = ([name, value]: [string, string]): boolean =>
    name.toLowerCase() === CONTENT_NOTE && value === etag;
  return Object.fromEntries(Object.entries(metadata).filter((entry) => !noted(entry)));
}

/** R2 takes about one write a second per key and refuses the others: 429, code 10058. */
export function isThrottled(error: unknown): boolean {
  return /\(10058\)|TooManyRequests|reduce your concurrent request rate/i.test(messageOf(error));
}
