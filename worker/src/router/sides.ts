// The three things a router talks to. Each may be slow, stale or failing; the interfaces say how that shows.
import type { ThawAnswer, ThawRequest } from "../query/thaw-request.ts";
import type { CallAnswer, CallRequest } from "../logic/call.ts";
import type { QueryAnswer, QueryRequest } from "../query/types.ts";
import type { Mark } from "../wire/marker.ts";

/**
 * Where to ask first. Nothing depends on it but speed: it may be stale, and its failure must not fail a
 * request.
 */
export interface FlagHint {
  /** Whether the user is said to live in the Durable Object. */
  isMigrated(user: string): Promise<boolean>;
}

/** An object as it was at one moment. */
export interface Look {
  /** null when there is no object. */
  readonly etag: string | null;
  readonly mark: Mark;
}

/** An object with its content. */
export interface StoredFile extends Look {
  readonly key: string;
  /** Empty when there is no object; null when the object is fenced, and too large to be opened here or not read. */
  readonly bytes: Uint8Array | null;
  /** The object is fenced and was not read, since there was no room for it at once. */
  readonly unread?: boolean;
  /** What a save has to carry along. */
  readonly attributes: FileAttributes;
  /** Gives back the room in the isolate's memory; nothing uses `bytes` afterwards. */
  readonly release?: () => void;
}

/** What the caller does with a file's bytes. */
export interface Loading {
  /** How often the request holds the file: as it came, in SQLite, and as it is saved. */
  readonly copies: number;
  /** Until when it waits for room, in milliseconds since 1970. */
  readonly deadline: number;
  /** Of a fenced object the mark will do, where there is no room for its content at once. */
  readonly markWillDo?: boolean;
}

export interface FileAttributes {
  readonly httpMetadata?: R2HTTPMetadata;
  readonly customMetadata?: Record<string, string>;
  readonly storageClass?: string;
}

/**
 * `lost`: somebody else wrote since; `throttled`: too many writes for this key; `held`: the file is being
 * fenced. None changed anything.
 */
export type SaveOutcome = "saved" | "lost" | "throttled" | "held";

/** The users' files, strongly consistent. */
export interface FileSide {
  /**
   * The caller releases what it gets.
   * @throws WireError too-large for an unfenced object that is too large to be opened here, overloaded when there was no room for it
   */
  get(user: string, loading?: Loading): Promise<StoredFile>;
  /** Looks again without reading the content. An object with the ETag of `known` has its mark. */
  look(user: string, known?: Look): Promise<Look>;
  /** Saves over exactly what was read. When it throws, nobody knows whether the object was written. */
  save(read: StoredFile, bytes: Uint8Array): Promise<SaveOutcome>;
}

/** The users' Durable Objects, strongly consistent. */
export interface StoreSide {
  /** When it throws, nobody knows whether a write was applied, unless the error is `overloaded`. */
  query(user: string, request: QueryRequest): Promise<QueryAnswer>;
  /** Calls a method. When it throws, it is as with `query`. Absent where nothing can be called. */
  call?(user: string, request: CallRequest): Promise<CallAnswer>;
  /**
   * Notes rows to thaw. When it throws, nobody knows whether they were noted: to note them twice is the same.
   */
  thaw(user: string, request: ThawRequest): Promise<ThawAnswer>;
  /** Passes on a WebSocket upgrade: 101, or an error in the wire's form. */
  live(user: string, request: Request): Promise<Response>;
  /** Closes the user's live connections and says how many there were. */
  disconnect?(user: string, reason: string): Promise<number>;
}

export interface Sides {
  readonly flag: FlagHint;
  readonly files: FileSide;
  readonly store: StoreSide;
}
