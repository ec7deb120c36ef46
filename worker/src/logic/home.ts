// Where a call runs: a Durable Object, or a file in memory.
import type { Binding } from "../query/parameters.ts";
import type { SqlCursor } from "../query/sql.ts";

/** One database in one transaction, while a call lasts. */
export interface LogicHome {
  /** Bytes of the database. */
  readonly databaseSize: number;
  /** What `PRAGMA user_version` says. */
  readonly userVersion: number;
  /** Runs all statements of a text; the bindings are the last one's. @throws Error in SQLite's words */
  exec(query: string, bindings: readonly Binding[]): SqlCursor;
  /** A transaction within the transaction. */
  transactionSync<T>(work: () => T): T;
}
