// How many bytes of users' files the requests of one isolate hold at once. Its 128 MB serve many requests:
// two large writers would end each other.
import { WireError } from "../wire/errors.ts";

/**
 * Bytes of memory for files in one isolate: one write of the largest file of default size, which is held
 * three times.
 */
export const DEFAULT_LOADED_BYTES = 96 * 1024 * 1024;

/**
 * A place that is older belongs to a request that ended without a word: the platform cancels one after its
 * client went away.
 */
const HELD_MS = 60_000;
/** So does a place in the queue that did not ask for so long. */
const ASKED_MS = 1000;
const ASK_EVERY_MS = 10;

interface Held {
  readonly bytes: number;
  readonly since: number;
}

interface Waiting {
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
    const turn: Waiting = { asked: Date.now() };
    this.#queue.push(turn);
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

  #ask(turn: Waiting, { bytes, limit }: RoomRequest): (() => void) | undefined {
    const now = Date.now();
    turn.asked = now;
    this.#forgetTheEnded(now);
    if (this.#queue[0] !== turn || this.heldBytes + Math.min(bytes, limit) > limit) return undefined;
    const held: Held = { bytes: Math.min(bytes, limit), since: now };
    this.#held.add(held);
    return () => void this.#held.delete(held);
  }

  #forgetTheEnded(now: number): void {
    for (const held of this.#held) if (now - held.since > HELD_MS) this.#held.delete(held);
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
