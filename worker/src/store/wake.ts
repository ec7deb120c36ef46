// What an object that comes into memory asks before it serves: is my storage what it was when I last served?
// Point-in-time recovery sets back phase, claim counter and rows alike, so nothing in the object itself can
// tell. The mark in the user's file can (docs/cutover.md).
import { classify, isTombstone, type Mark } from "../wire/marker.ts";
import { messageOf, WireError } from "../wire/errors.ts";
import type { Bookkeeping } from "../state/bookkeeping.ts";
import type { State } from "../state/phases.ts";

/** Covers the mark of a database, and a whole tombstone: the command line reads as much. */
const LOOK_BYTES = 16 * 1024;
/** R2 is no condition of serving: who does not answer by then is asked again later. */
const PATIENCE_MS = 1000;
const AGAIN_AFTER_MS = 10_000;

/** What the file shows, by its bytes and, where a VACUUM cleared them, its metadata. */
interface Shown {
  readonly mark: Mark;
  readonly stamp: number;
  readonly hotOf: number;
}

/** The check of one object, for as long as it is in memory. */
export class WakeCheck {
  #shown: Shown | undefined;
  #done = false;
  #askedAt = 0;

  constructor(
    private readonly books: Bookkeeping,
    private readonly bucket: R2Bucket | undefined,
  ) {}

  /** Whether to look: the object serves, and has not looked since it woke up, or found itself behind. */
  get isDue(): boolean {
    if (this.bucket === undefined || !serves(this.books.state)) return false;
    const settled = this.#done && !this.#isBehind();
    return !settled && Date.now() - this.#askedAt >= AGAIN_AFTER_MS;
  }

  /**
   * As isDue. Who is told so has to look. Nobody else is told for a while, so two looks are never under way
   * at once.
   */
  takeTurn(): boolean {
    const { isDue } = this;
    if (isDue) this.#askedAt = Date.now();
    return isDue;
  }

  /**
   * Looks at the file's mark. Never rejects, and takes a second at most: without an answer the object serves,
   * and looks again later.
   */
  async look(): Promise<void> {
    const key = keyIn(this.books.receipt);
    if (this.bucket === undefined || key === undefined) {
      this.#done = true;
      return;
    }
    this.#askedAt = Date.now();
    try {
      this.#shown = await within(PATIENCE_MS, read(this.bucket, key));
      this.#done = true;
    } catch (error) {
      console.warn(
        `dbmigrate store: ${key} could not be looked at, and is looked at again later: ${messageOf(error)}`,
      );
    }
  }

  /** Refuses to serve beside a file that knows more. @throws WireError set-back */
  demand(): void {
    if (!this.#isBehind()) return;
    const { phase, gen, lin } = this.books.state;
    throw new WireError(
      "set-back",
      `the file's mark is newer than claim ${gen} of this Durable Object: its storage was set back, and it does not serve; nothing was written (docs/runbook.md, "The Durable Object was set back")`,
      { phase, gen, lin, writes: this.books.writes },
    );
  }

  /**
   * Compared with the state of now: no mark carries a claim that was not given out when the mark was read.
   */
  #isBehind(): boolean {
    const { state } = this.books;
    return this.#shown !== undefined && serves(state) && isNewer(this.#shown, state);
  }
}

function serves({ phase }: State): boolean {
  return phase === "ACTIVE" || phase === "COLD";
}

/**
 * Whether the file has seen more than an object of this state. The claim counter alone does not tell: a dead
 * command's claim may land after the object was set back, and raise it again. (docs/cutover/model,
 * WAKE_NO_LOOK and WAKE_NO_LINEAGE.)
 */
function isNewer({ mark, stamp, hotOf }: Shown, { phase, gen, lin }: State): boolean {
  if (mark.fenced) return mark.non > gen || mark.lin > lin;
  // The file of a split user is open, and stamped by the split itself.
  return stamp > gen || (phase === "ACTIVE" ? stamp >= lin : hotOf > lin);
}

/** The file that this object was filled from. */
function keyIn(receipt: unknown): string | undefined {
  const key = typeof receipt === "object" && receipt !== null && "key" in receipt ? receipt.key : undefined;
  return typeof key === "string" ? key : undefined;
}

/** An absent file shows nothing: its router reports it. */
async function read(bucket: R2Bucket, key: string): Promise<Shown | undefined> {
  const object = await bucket.get(key, { range: { offset: 0, length: LOOK_BYTES } });
  if (object === null) return undefined;
  const start = new Uint8Array(await object.arrayBuffer());
  if (isTombstone(start) && object.size > LOOK_BYTES) throw new Error("its tombstone is too long");
  const mark = classify(start);
  const inBytes = mark.fenced ? 0 : mark.stamp;
  return {
    mark,
    stamp: Math.max(inBytes, claimIn(object, "dbmigrate-stamp")),
    hotOf: claimIn(object, "dbmigrate-split"),
  };
}

/** S3 knows no case in metadata names. */
function claimIn({ customMetadata }: R2Object, name: string): number {
  const [, value] = Object.entries(customMetadata ?? {}).find(([key]) => key.toLowerCase() === name) ?? [];
  return value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) : 0;
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined); // who is late is asked again
  }
}
