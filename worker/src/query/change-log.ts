// What a store asks of the parts that an application may mount: live updates and split mode. They answer it: query
// does not know who listens.
import type { StoreContext } from "../state/context.ts";
import type { JsonObject } from "../wire/json.ts";
import type { BoundStatement } from "./parameters.ts";
import type { ExactReader } from "./read-exact.ts";
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
  /** The same storage; what is executed through it is noted by table. */
  watching(sql: SqlStorage): SqlStorage;
  /** null: everything may have changed. */
  changes(): readonly TableChange[] | null;
}

/** The log of write transactions. */
export interface ChangeLog {
  /** Notes what the transaction that begins now changes; undefined while no subscriber needs it. */
  record(): ChangeRecorder | undefined;
  /** Logs a write that was just counted, inside its transaction. */
  commit(recorder: ChangeRecorder | undefined): void;
  /** Forgets the schema, which may have changed. */
  forget(): void;
}

/** The live updates of one store, a copy that follows its writes among them. */
export interface LiveStore extends ChangeLog {
  /** Accepts a subscriber. @throws WireError bad-request, not-active, overloaded or not-mounted */
  accept(request: Request): Response;
  /** Whether the socket is one of ours. */
  owns(socket: WebSocket): boolean;
  /** Takes a message of a subscriber. */
  receive(socket: WebSocket, data: string | ArrayBuffer): Promise<void>;
  /** Answers a subscriber who leaves. */
  leave(socket: WebSocket): void;
  /** Tells everybody what has been written up to now, once it is durable. */
  announce(): Promise<void>;
  /** Sends subscribers away when the user's database has left this object. Never throws. */
  closeIfMoved(): void;
  /** Tells every subscriber to ask elsewhere. Never throws. */
  sendAway(): void;
  /** Closes the connections of all subscribers, and says how many there were. */
  disconnect(reason: string): number;
  /** Answers a copy that follows the writes. @throws WireError wrong-phase, not-found or bad-request */
  follow(json: JsonObject): Uint8Array;
}

/** Makes the live updates of one store. */
export type MakeLive = (ctx: DurableObjectState, store: StoreContext, reader: ExactReader) => LiveStore;

/** What split mode adds to a store (docs/split.md). */
export interface SplitStore {
  /** Notes what a transaction on cold rows changes. */
  watch(sql: SqlStorage, reader: ExactReader): ChangeRecorder;
  /** Notes cold rows that shall come back into the file, and says how many they are. @throws WireError */
  noteThaw(store: StoreContext, request: unknown): number;
}
