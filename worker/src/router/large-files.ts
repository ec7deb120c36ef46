// Tells which users have grown so large that every request feels it: the signal to move them.
import type { RouterReport } from "./report.ts";

type Level = (RouterReport & { kind: "large-file" })["level"];

/** From this size on a file is worth a note: 512 KB. */
export const NOTED_BYTES = 512 * 1024;
/** From this size on the user should move: 1 MB. `dbmigrate scan` recommends the same. */
export const RECOMMENDED_BYTES = 1024 * 1024;

const AGAIN_AFTER_MS = 60 * 60 * 1000;
/** So many users are remembered; the one that was told first is forgotten first. */
const REMEMBERED = 10_000;

export class LargeFiles {
  /** When a user and level was told last, in the order of telling. */
  readonly #told = new Map<string, number>();

  constructor(private readonly remembered = REMEMBERED) {}

  /** @returns the report to make now, if any */
  notice(user: string, bytes: number, now: number): RouterReport | undefined {
    const level = levelOf(bytes);
    if (level === undefined || !this.#isDue(`${level} ${user}`, now)) return undefined;
    return { kind: "large-file", user, level, bytes, message: messageFor(level, user, bytes) };
  }

  #isDue(key: string, now: number): boolean {
    const last = this.#told.get(key);
    if (last !== undefined && now - last < AGAIN_AFTER_MS) return false;
    this.#told.delete(key);
    this.#told.set(key, now);
    const oldest = this.#told.keys().next();
    if (this.#told.size > this.remembered && oldest.done !== true) this.#told.delete(oldest.value);
    return true;
  }
}

function levelOf(bytes: number): Level | undefined {
  if (bytes >= RECOMMENDED_BYTES) return "warning";
  return bytes >= NOTED_BYTES ? "info" : undefined;
}

function messageFor(level: Level, user: string, bytes: number): string {
  const size = `the database file of ${user} has ${bytes} bytes, and every request loads it`;
  return level === "warning" ? `${size}: database migration recommended` : size;
}

/** Of this isolate: routers are made per request. */
export const isolateLargeFiles = new LargeFiles();
