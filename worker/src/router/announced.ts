// A fence that is about to be put, as far as other isolates know of it. The fence's own isolate holds saves by
// itself (holds.ts); the others learn it from a small object in the bucket. They look for it only where a file
// is written again and again, or where a save lost its race. Nothing depends on it but that an attempt wins.
import { beginSave, type End, type Gates, isolateGates } from "./holds.ts";

/** The longest time for which an announcement holds saves: less than a router waits by default. */
export const LONGEST_HOLD_MS = 4000;
/** After so long every router that has to has seen an announcement. */
export const NOTICED_MS = 1500;

/** A file that this isolate saved less than so long ago is looked after. */
const BUSY_MS = 5000;
const LOOK_EVERY_MS = 1000;
/** The same while saves lose their races, or are held. */
const LOOK_SOON_MS = 250;
/** A bucket that fails is not asked for so long. */
const FAILED_MS = 10_000;
/** The most files that an isolate remembers. */
const MOST_REMEMBERED = 10_000;

const FOLDER = ".dbmigrate/fencing/";
/** pkg/migrate writes the same. */
const HOLD = "dbmigrate-hold-ms";

/** Announces a fence of the file for so long. What fails says nothing, and the fence has to win without. */
export async function announceFence(bucket: R2Bucket, key: string, ms: number): Promise<void> {
  try {
    await bucket.put(FOLDER + key, "", { customMetadata: { [HOLD]: String(ms) } });
  } catch {
    // The attempt goes on.
  }
}

/** Says that the fence is over. An announcement that stays ends by itself. */
export async function withdrawFence(bucket: R2Bucket, key: string): Promise<void> {
  try {
    await bucket.delete(FOLDER + key);
  } catch {
    // Its time ends it.
  }
}

/** What an isolate knows of one file. */
interface Seen {
  /** When it was last saved from here, or lost a race. */
  busy: number;
  /** When the next look is due. */
  due: number;
  /** Until when saves are held. */
  until: number;
}

/** What one isolate knows of saves and of fences of files. */
export class Saves {
  readonly #gates: Gates;
  readonly #files = new Map<string, Seen>();

  constructor(gates: Gates = new Map()) {
    this.#gates = gates;
  }

  /** Begins a save; undefined while a fence is being put or announced: then nothing may be saved. */
  async begin(bucket: R2Bucket, key: string): Promise<End | undefined> {
    return (await this.#isHeld(bucket, key)) ? undefined : beginSave(key, this.#gates);
  }

  /** A save was refused: who else writes the file may be a fence. */
  lost(key: string): void {
    const now = Date.now();
    const seen = this.#seen(key, now);
    seen.due = Math.min(seen.due, now + LOOK_SOON_MS);
  }

  async #isHeld(bucket: R2Bucket, key: string): Promise<boolean> {
    const now = Date.now();
    const seen = this.#seen(key, now);
    if (now >= seen.due) await look(bucket, key, seen, now);
    return Date.now() < seen.until;
  }

  #seen(key: string, now: number): Seen {
    const known = this.#files.get(key);
    if (known !== undefined && now - known.busy < BUSY_MS) {
      known.busy = now;
      return known;
    }
    if (this.#files.size >= MOST_REMEMBERED) this.#files.clear();
    const seen = { busy: now, due: now + LOOK_EVERY_MS, until: 0 };
    this.#files.set(key, seen);
    return seen;
  }
}

/** What the requests of this isolate share: routers are made per request. */
export const isolateSaves = new Saves(isolateGates);

/** One request looks, and the others go by what was known. */
async function look(bucket: R2Bucket, key: string, seen: Seen, now: number): Promise<void> {
  seen.due = now + LOOK_EVERY_MS;
  try {
    const announced = await bucket.head(FOLDER + key);
    seen.until = announced === null ? 0 : endOf(announced);
    if (Date.now() < seen.until) seen.due = now + LOOK_SOON_MS;
  } catch {
    seen.due = now + FAILED_MS;
  }
}

/** By R2's clock, and never later than it may be by ours. */
function endOf({ uploaded, customMetadata }: R2Object): number {
  const ms = Math.min(Number(customMetadata?.[HOLD]) || 0, LONGEST_HOLD_MS);
  return Math.min(uploaded.getTime(), Date.now()) + ms;
}
