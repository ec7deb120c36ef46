// How many bytes of users' files the requests of one isolate hold at once. Its 128 MB serve many requests:
// two large writers would end each other.
import { WireError } from "../wire/errors.ts";

/**
 * Bytes of memory for files in one isolate: one write of the largest file of default size, which is held
 * three times.
 */
export const DEFAULT_LOADED_BYTES = 96 * 1024 * 1024;

/**
 * The platform cancels a request when its client goes away, and nothing of it runs any more. So a holder of
 * room renews that by a timer, and one that stopped renewing has ended.
 */
const RENEW_EVERY_MS = 500;
const HELD_MS = 2500;
/** So has a request in the queue that did not ask for so long. */
const ASKED_MS = 1000;
const ASK_EVERY_MS = 10;

interface Held {
  readonly bytes: number;
  renewed: number;
}

interface Waiting {
  readonly number: number;
  asked: number;
}

/** What a request asks for. */
export interface RoomRequest {
  readonly bytes: number;
  /** Bytes of all requests together. */
  readonly limit: number;
  /** Until when the request waits, in milliseconds since 1970. */
  readonly deadline: number;
}

/**
 * A budget of bytes, first come, first served. A waiting request asks again by its own timer: the platform
 * lets no request wake another one up on every compatibility date.
 */
export class Room {
  readonly #held = new Set<Held>();
  #queue: Waiting[] = [];
  #arrived = 0;
  /** When anybody last asked or renewed. */
  #seen = 0;

  get heldBytes(): number {
    let sum = 0;
    for (const { bytes } of this.#held) sum += bytes;
    return sum;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Takes room for a file, and waits for it. What is larger than the whole budget waits until it is alone.
   * @returns gives the room back; calling it twice is calling it once
   * @throws WireError overloaded when the wait is too long
   */
  async take(request: RoomRequest): Promise<() => void> {
    const turn: Waiting = { number: this.#arrived++, asked: Date.now() };
    try {
      for (;;) {
        const release = this.#ask(turn, request);
        if (release !== undefined) return release;
        if (Date.now() >= request.deadline) throw this.#full(request);
        await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
      }
    } finally {
      this.#queue = this.#queue.filter((other) => other !== turn);
    }
  }

  /** Takes room if there is some at once, and nobody waits. */
  takeAtOnce({ bytes, limit }: Omit<RoomRequest, "deadline">): (() => void) | undefined {
    const turn: Waiting = { number: this.#arrived++, asked: Date.now() };
    const release = this.#ask(turn, { bytes, limit, deadline: 0 });
    this.#queue = this.#queue.filter((other) => other !== turn);
    return release;
  }

  #ask(turn: Waiting, { bytes, limit }: RoomRequest): (() => void) | undefined {
    const now = this.#now();
    turn.asked = now;
    this.#queueUp(turn);
    this.#forgetTheEnded(now);
    if (this.#queue[0] !== turn || this.heldBytes + Math.min(bytes, limit) > limit) return undefined;
    return this.#hold({ bytes: Math.min(bytes, limit), renewed: now });
  }

  /** A renewal that comes late puts the place back: the request lives, and so do its bytes. */
  #hold(held: Held): () => void {
    this.#held.add(held);
    const timer = setInterval(() => {
      held.renewed = this.#now();
      this.#held.add(held);
    }, RENEW_EVERY_MS);
    return () => {
      clearInterval(timer);
      this.#held.delete(held);
    };
  }

  /** In order of arrival, also for a turn that was taken for ended. */
  #queueUp(turn: Waiting): void {
    if (this.#queue.includes(turn)) return;
    const behind = this.#queue.findIndex(({ number }) => number > turn.number);
    this.#queue.splice(behind < 0 ? this.#queue.length : behind, 0, turn);
  }

  /**
   * While SQLite runs for one request, the isolate runs no timer of any other. Such a pause counts for nobody.
   */
  #now(): number {
    const now = Date.now();
    const pause = now - this.#seen - RENEW_EVERY_MS;
    if (pause > 0) {
      for (const held of this.#held) held.renewed += pause;
      for (const turn of this.#queue) turn.asked += pause;
    }
    this.#seen = now;
    return now;
  }

  #forgetTheEnded(now: number): void {
    for (const held of this.#held) if (now - held.renewed > HELD_MS) this.#held.delete(held);
    this.#queue = this.#queue.filter(({ asked }) => now - asked <= ASKED_MS);
  }

  #full({ bytes, limit }: RoomRequest): WireError {
    return new WireError(
      "overloaded",
      `open the database file: it needs ${bytes} bytes of memory, and the requests of this isolate hold ${this.heldBytes} of ${limit}; nothing was written`,
      { bytes, held: this.heldBytes, limit },
    );
  }
}

/** The room of this isolate: routers are made per request. */
export const isolateRoom = new Room();
