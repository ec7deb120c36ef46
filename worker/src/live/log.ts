// The log of what the last write transactions changed: it is what a subscriber who was away is told from.
import type { Bookkeeping } from "../state/bookkeeping.ts";
import type { TableChange } from "../query/change-log.ts";
import { LIVE_LIMITS } from "./protocol.ts";

/** One write transaction. `changes` is null when everything may have changed. */
export interface LogEntry {
  readonly changes: readonly TableChange[] | null;
}

/** How long a log is kept up without a subscriber, in milliseconds: as long as it makes sense to be away. */
const IDLE_MS = 3_600_000;
/** How exact that is: each renewal is a row written. */
const RENEWED_MS = 60_000;

/**
 * The log of one store, in its bookkeeping, so that the transaction that changes the rows writes it. A store
 * that nobody subscribed to has none and pays nothing.
 */
export class LiveLog {
  readonly #books: Bookkeeping;

  constructor(books: Bookkeeping) {
    this.#books = books;
  }

  get isOn(): boolean {
    return this.#books.liveSince !== undefined;
  }

  /** From here on transactions are logged. The clock of an absence starts again. */
  keepOn(now: number): void {
    if (now - (this.#books.liveSince ?? 0) >= RENEWED_MS) this.#books.liveSince = now;
  }

  /** Ends a log that nobody has listened to for long. */
  endIfIdle(now: number, subscribers: number): void {
    const since = this.#books.liveSince;
    if (since === undefined || subscribers > 0 || now - since < IDLE_MS) return;
    this.#books.dropLive();
  }

  /** Ends the log: subscribers who come back are told of a gap. */
  end(): void {
    this.#books.dropLive();
  }

  /** Adds the transaction that has just been counted, and lets the oldest one go. */
  append(entry: LogEntry): void {
    const seq = this.#books.writes;
    this.#books.putLiveEntry(seq, entry);
    this.#books.deleteLiveEntry(seq - LIVE_LIMITS.logEntries);
  }

  /** The entries behind `after` up to `upto`; undefined where one of them is gone. */
  readUpTo(after: number, upto: number): LogEntry[] | undefined {
    const entries = this.#books.liveEntries<LogEntry>(after, upto);
    return entries.length === upto - after ? entries : undefined;
  }

  read(seq: number): LogEntry | undefined {
    return this.#books.liveEntry<LogEntry>(seq);
  }
}
