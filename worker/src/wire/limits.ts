/** The newest protocol version that this package speaks (docs/wire-format.md). */
export const PROTOCOL_VERSION = 1;
/** The oldest one: that before the newest, where there is one (N-1). */
export const OLDEST_PROTOCOL_VERSION = 1;

/**
 * What the platform allows; sizes in bytes (developers.cloudflare.com/durable-objects/platform/limits).
 * The local runtime allows larger cells than production, so these figures decide, not what happens to work.
 */
export const LIMITS = {
  /** One request body. */
  batchBytes: 8 * 1024 * 1024,
  /**
   * One JSONB payload: below the longest string that SQLite takes in production, with room for what grows.
   */
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

/**
 * What one request of an application may cost, on either side: a few seconds, and what an isolate of 128 MB
 * has room for.
 */
export const QUERY_LIMITS = {
  /** Statements of a request. */
  statements: 10_000,
  /** Values for the parameters of one statement. SQLite in a Durable Object takes no more than 100. */
  parameters: 10_000,
  /** Objects and arrays in each other, of a JSON body. */
  jsonDepth: 64,
  /** Rows of all results together. */
  resultRows: 100_000,
  /**
   * Of all results together: characters of texts and of the names of columns, bytes of BLOBs in base64, 8 for a
   * number.
   */
  resultBytes: 15_000_000,
  /**
   * Steps of SQLite's virtual machine over a file. In a Durable Object nobody counts them: the platform's
   * limit of CPU time holds.
   */
  fileSteps: 100_000_000,
} as const;

/** The largest tombstone that is read (as dbmigrate does); longer ones are no tombstones of dbmigrate. */
export const TOMBSTONE_BYTES = 16 * 1024;

/** The largest file that the Worker offers to put a mark into: R2 to R2 within a request. */
export const MARK_BYTES = 128 * 1024 * 1024;

/**
 * The largest one that it puts a mark into when it is asked to, where the operator's token may not: what R2
 * takes in one piece.
 */
export const MOST_MARK_BYTES = 4 * 1024 * 1024 * 1024;

/** The largest file that the Worker fences by itself, in memory: what is larger no router writes, either. */
export const FENCE_BYTES = 32 * 1024 * 1024;

/** The most rows that one `export` answers with: an operator keeps them in memory, for each user under way. */
export const EXPORT_BYTES = 2 * 1024 * 1024;

/** The largest object that one `export/all` answers with: its writes wait meanwhile. */
export const SNAPSHOT_BYTES = 8 * 1024 * 1024;

/** The largest integer up to which every JavaScript number is exact. */
export const MAX_EXACT_INTEGER = 2 ** 53;
