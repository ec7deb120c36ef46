// One subscriber: a WebSocket that may sleep with its object (hibernation). All that is remembered of it lies
// in the socket's attachment.
import type { TableChange } from "../query/change-log.ts";
import { LIVE_LIMITS, type Position, type ServerMessage, type Subscription } from "./protocol.ts";

/**
 * What a socket keeps; at most 16,384 bytes (developers.cloudflare.com/durable-objects, WebSocket
 * hibernation).
 */
interface Attachment {
  /** In lower case; null: all tables. */
  readonly tables: readonly string[] | null;
  readonly rows: boolean;
  /** The last write transaction that this subscriber was told about, or did not ask about. */
  readonly at: number;
  /** The messages that the subscriber has not acknowledged, by number. */
  readonly unacknowledged: readonly number[];
}

/** A subscriber's socket and what is remembered of it. */
export class Subscriber {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** undefined before the subscription. */
  get #state(): Attachment | undefined {
    return (this.#socket.deserializeAttachment() as Attachment | null) ?? undefined;
  }

  /** Begins, or starts over with another subscription. */
  subscribe({ tables, rows }: Subscription, at: number): void {
    this.#keep({ tables: tables?.map(lower) ?? null, rows, at, unacknowledged: [] });
  }

  get at(): number | undefined {
    return this.#state?.at;
  }

  get wantsRows(): boolean {
    return this.#state?.rows ?? false;
  }

  /** Whether more may be sent before the subscriber acknowledges what was. */
  get hasRoom(): boolean {
    return (this.#state?.unacknowledged.length ?? 0) < LIVE_LIMITS.unacknowledged;
  }

  acknowledge(seq: number): void {
    const state = this.#state;
    if (state === undefined) return;
    this.#keep({ ...state, unacknowledged: state.unacknowledged.filter((sent) => sent > seq) });
  }

  /** What the subscription asks for of a transaction's changes; undefined when it is nothing. */
  wanted(changes: readonly TableChange[] | null): readonly TableChange[] | null | undefined {
    const tables = this.#state?.tables ?? null;
    if (changes === null || tables === null) return changes;
    const found = changes.filter(({ table }) => tables.includes(lower(table)));
    return found.length === 0 ? undefined : found;
  }

  /** Passes over a transaction that the subscription does not ask for. */
  skip(seq: number): void {
    const state = this.#state;
    if (state !== undefined) this.#keep({ ...state, at: seq });
  }

  /** Sends what the subscriber has to acknowledge. */
  tell(message: ServerMessage & Position): void {
    const state = this.#state;
    if (state === undefined) return;
    this.#keep({ ...state, at: message.seq, unacknowledged: [...state.unacknowledged, message.seq] });
    this.send(message);
  }

  send(message: ServerMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  #keep(state: Attachment): void {
    this.#socket.serializeAttachment(state);
  }
}

// SQLite's names are equal without regard to case in ASCII alone.
function lower(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
