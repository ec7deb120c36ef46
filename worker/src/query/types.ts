// The application's query API (docs/wire-format.md, section 8).
import type { ErrorInfo } from "../wire/errors.ts";

/** A parameter. A whole number of at most 2^53 that is not -0 is an INTEGER, any other number a REAL. */
export type QueryValue =
  | null
  | string
  | number
  | boolean
  | bigint
  | { readonly int: string }
  | { readonly real: string }
  | { readonly blob: string }
  | ArrayBuffer
  | ArrayBufferView;

/** A value of a result, in the plainest form that is exact. */
export type ResultValue =
  null | string | number | { readonly int: string } | { readonly real: string } | { readonly blob: string };

export interface QueryStatement {
  readonly sql: string;
  /** By position, or by name (with or without the prefix character). */
  readonly params?: readonly QueryValue[] | Readonly<Record<string, QueryValue>>;
}

export type QueryMode = "read" | "write";

/** Of a split user: the rows in the file, or those in the Durable Object (docs/split.md). */
export type QueryScope = "hot" | "cold";

export interface QueryRequest {
  readonly statements: readonly QueryStatement[];
  /** `write` when absent; a statement of a `read` request that writes rolls the request back. */
  readonly mode?: QueryMode;
  /**
   * Each result then says how many rows its statement changed, and the rowid of the last row that it
   * inserted.
   */
  readonly counts?: boolean;
  /** Each result then says which tables its statement read: what a live query has to listen to. */
  readonly reads?: boolean;
  /**
   * `hot` when absent: the user's database, for a split user without the cold rows. `cold`: those alone, or
   * `not-split`.
   */
  readonly scope?: QueryScope;
}

export interface StatementResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ResultValue[])[];
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** Where the request asks for counts: whether the statement changed rows or the schema. */
  readonly changed?: boolean;
  /** Where the request asks for counts: rows changed, by triggers and cascades, too. */
  readonly changes?: number;
  /**
   * Where the request asks for counts: the rowid of the row inserted last, by whatever statement. Before the
   * request's first INSERT it is 0 on a file, and an earlier request's in an object.
   */
  readonly lastRowId?: ResultValue;
  /** Where the request asks for counts: bytes of the database afterwards. */
  readonly size?: number;
  /** Where the request asks for counts: whether `changes`, `lastRowId` or `size` tell of something. */
  readonly changedDb?: boolean;
  /**
   * Where the request asks for reads: the tables that the statement read; null where that cannot be known, and
   * of what is no SELECT.
   */
  readonly reads?: readonly string[] | null;
  /** Of a cold answer: the statement read copies of reference tables only, which the hot half has, too. */
  readonly copied?: true;
}

/** Which side answered. */
export type Side = "file" | "store";

/** What a store was when it answered. Between two answers of the same moment nothing of it changed. */
export interface Moment {
  readonly phase: string;
  readonly gen: number;
  readonly lin: number;
  readonly writes: number;
  /** A new user begins in the object: another request is on it, or was cut off. */
  readonly birth?: true;
}

/** A place in the history of a user's store. `lin` names the history: another one continues nothing. */
export interface Position {
  readonly lin: number;
  /** The number of the last write transaction that is behind. */
  readonly seq: number;
}

export interface QueryResults {
  readonly results: readonly StatementResult[];
  readonly side: Side;
  /** Of a Durable Object's answer: the write transactions up to here are in it, and no later one. */
  readonly position?: Position;
  /** Of a cold answer. */
  readonly moment?: Moment;
}

/** What comes over RPC: an error of a known kind is an answer, since RPC would drop its kind. */
export type Answer<Results> =
  ({ readonly ok: true } & Results) | { readonly ok: false; readonly error: ErrorInfo };

/** What `query` returns. */
export type QueryAnswer = Answer<QueryResults>;

/**
 * The details of a `not-active` error. Where the file decides, a read carries its result, computed on the
 * sealed data.
 */
export interface NotActiveDetails<Results = QueryResults> extends Moment {
  readonly result?: Results;
  /** In place of the result, where the statements fail on the sealed data. */
  readonly error?: ErrorInfo;
}
