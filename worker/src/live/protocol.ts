// The messages of live updates (docs/live-updates.md): JSON texts over one WebSocket.
import type { TableChange } from "../query/change-log.ts";
import type { Position, ResultValue } from "../query/types.ts";
import { badRequest } from "../wire/errors.ts";
import { type JsonObject, asArray, asBoolean, asInteger, asObject, asString } from "../wire/json.ts";
import { parseJson } from "../wire/parse-json.ts";

export type { Position } from "../query/types.ts";

/** The path of live updates at a store. */
export const LIVE_PATH = "/live";

/** The rows of a change as they are when the message is sent: null for a row that is gone. */
export interface ChangedRows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ResultValue[] | null)[];
}

/** All rows of a table, in the order of its key. */
export interface TableSnapshot {
  readonly table: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ResultValue[])[];
}

/** What the store sends. */
export type ServerMessage =
  /** `snapshot`: one follows at once, and nothing comes before it. */
  | ({ readonly type: "hello"; readonly snapshot?: true } & Position)
  /**
   * The tables as they are at this position, in the order of the subscription; null when they are too large for a
   * message, or have no key: read them by a query.
   */
  | ({ readonly type: "snapshot"; readonly tables: readonly TableSnapshot[] | null } & Position)
  /** `changes` is null when everything may have changed, the schema too. */
  | ({
      readonly type: "change";
      readonly changes: readonly (TableChange & Partial<ChangedRows>)[] | null;
    } & Position)
  /**
   * Changes up to here were not told: read everything again. `version` is of the file that answers: while it
   * stays the same, nothing was written.
   */
  | ({ readonly type: "resync"; readonly reason: "gap" | "moved"; readonly version?: string } & Position);

/** What a subscriber asks for. */
export interface Subscription {
  /** null: all tables. Names are compared as SQLite does, without regard to case in ASCII. */
  readonly tables: readonly string[] | null;
  readonly rows: boolean;
  /** Whether the tables are sent first, and again after a gap. Tables have to be named then. */
  readonly snapshot: boolean;
  /** Where the subscriber was before; null: from now on. */
  readonly after: Position | null;
}

export type ClientMessage =
  | { readonly type: "subscribe"; readonly subscription: Subscription }
  | { readonly type: "ack"; readonly seq: number };

/** WebSocket close codes of ours (4000 to 4999 are an application's: RFC 6455, section 7.4.2). */
export const CLOSE = {
  /** The user's database left the Durable Object. Ask again later, not at once. */
  moved: 4001,
  /** A message was not understood, or the Worker is mounted without live updates. Asking again does not help. */
  badMessage: 4002,
  /** Something went wrong with this connection: come back. */
  trouble: 4003,
  /** The application refused the token, or takes it back: another one is needed. */
  token: 4401,
} as const;

/** How much one user and one subscriber may take. */
export const LIVE_LIMITS = {
  /** Subscribers of one user at once. */
  subscribers: 256,
  /** Bytes of one message from a subscriber. */
  messageBytes: 16_384,
  /**
   * Tables named by one subscription; together at most `tableBytes`, since a socket keeps 16,384 bytes over
   * hibernation.
   */
  tables: 100,
  tableBytes: 4_096,
  /** Changes that are sent before the subscriber acknowledges one. */
  unacknowledged: 64,
  /** Write transactions that the log holds. */
  logEntries: 4_000,
  /** Bytes of one entry; a larger one names its tables without keys. */
  entryBytes: 8_192,
  /** Rows that one message carries, and their bytes; more are named by key only. */
  rows: 100,
  rowBytes: 524_288,
  /** Rows of one snapshot; their bytes are limited as above. */
  snapshotRows: 10_000,
  /** Keys that a transaction may change in one table before it is named alone: no more fit into an entry. */
  keys: 2_700,
} as const;

/** Reads a subscriber's message. @throws WireError bad-request */
export function parseClientMessage(data: string | ArrayBuffer): ClientMessage {
  if (typeof data !== "string") throw badRequest("message", "a text");
  if (data.length > LIVE_LIMITS.messageBytes)
    throw badRequest("message", `at most ${LIVE_LIMITS.messageBytes} bytes`);
  const message = asObject(parseJson(new TextEncoder().encode(data), "message"), "message");
  switch (message["type"]) {
    case "subscribe":
      return { type: "subscribe", subscription: parseSubscription(message) };
    case "ack":
      return { type: "ack", seq: count(message["seq"], "seq") };
    default:
      throw badRequest("type", '"subscribe" or "ack"');
  }
}

function parseSubscription(message: JsonObject): Subscription {
  const { tables, rows, snapshot, after } = message;
  const named = tables === undefined || tables === null ? null : parseTables(tables);
  const asked = asBoolean(snapshot ?? false, "snapshot");
  if (asked && named === null) throw badRequest("snapshot", "tables that are named");
  return {
    tables: named,
    rows: asBoolean(rows ?? false, "rows"),
    snapshot: asked,
    after: after === undefined || after === null ? null : parsePosition(asObject(after, "after")),
  };
}

function parseTables(value: unknown): string[] {
  const tables = asArray(value, "tables").map((name, index) => asString(name, `tables[${index}]`));
  if (tables.length === 0) throw badRequest("tables", "at least one; leave it out to hear of all tables");
  const bytes = tables.reduce((sum, name) => sum + new TextEncoder().encode(name).length + 3, 0);
  if (tables.length > LIVE_LIMITS.tables || bytes > LIVE_LIMITS.tableBytes) {
    throw badRequest(
      "tables",
      `at most ${LIVE_LIMITS.tables} names of ${LIVE_LIMITS.tableBytes} bytes together`,
    );
  }
  return tables;
}

function parsePosition(value: JsonObject): Position {
  return { lin: count(value["lin"], "after.lin"), seq: count(value["seq"], "after.seq") };
}

function count(value: unknown, where: string): number {
  return asInteger(value, where, 0, Number.MAX_SAFE_INTEGER);
}
