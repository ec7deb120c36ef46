/** The protocol version that this package speaks (docs/wire-format.md). */
export const PROTOCOL_VERSION = 1;

/**
 * What the platform allows; sizes in bytes (developers.cloudflare.com/durable-objects/platform/limits).
 * The local runtime allows larger cells than production, so these figures decide, not what happens to work.
 */
export const LIMITS = {
  /** One request body. */
  batchBytes: 8 * 1024 * 1024,
  /** One JSONB payload: below the longest string that SQLite takes in production, with room for what grows. */
  frameBytes: 1_000_000,
  /** One string, BLOB or row. */
  cellBytes: 2_000_000,
  /** Columns of a table, a result or an index. */
  columns: 100,
  /** The text of one exec(). */
  statementBytes: 100_000,
  /** One database. */
  databaseBytes: 10_000_000_000,
} as const;

/** The largest file that the Worker puts a mark into: R2 to R2 within a request. */
export const MARK_BYTES = 128 * 1024 * 1024;

/** The largest file that the Worker fences by itself, in memory: what is larger no router writes, either. */
export const FENCE_BYTES = 32 * 1024 * 1024;

/** The largest integer up to which every JavaScript number is exact. */
export const MAX_EXACT_INTEGER = 2 ** 53;
