// What the application's queries ask of live updates. `live` answers it: query does not know who listens.
import type { BoundStatement } from "./parameters.ts";
import type { ResultValue, StatementResult } from "./types.ts";

/** What a write transaction changed in one table. */
export interface TableChange {
  readonly table: string;
  /** The keys of the rows, in the order of the key's columns; null when only the table is known. */
  readonly keys: readonly (readonly ResultValue[])[] | null;
}

/** Notes what one write transaction changes, while it runs. */
export interface ChangeRecorder {
  /** Runs a writing statement, if it can be run so that it names the rows that it changes. */
  run(statement: BoundStatement): StatementResult | undefined;
  noteEverything(): void;
  /** null: everything may have changed. */
  changes(): readonly TableChange[] | null;
}

/** The log of write transactions. */
export interface ChangeLog {
  /** Notes what the transaction that begins now changes; undefined while no subscriber needs it. */
  record(): ChangeRecorder | undefined;
  /** The same, whether or not a subscriber needs it. */
  watch(): ChangeRecorder;
  /** Logs a write that was just counted, inside its transaction. */
  commit(recorder: ChangeRecorder | undefined): void;
  /** Forgets the schema, which may have changed. */
  forget(): void;
}
