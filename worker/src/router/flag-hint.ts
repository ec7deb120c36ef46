// The flag in KV: "migrated:{user}" is "true" for users who live in their Durable Object, absent for the
// others.
import { FLAG_PREFIX } from "../wire/routes.ts";
import type { FlagHint } from "./sides.ts";

/** What KV accepts as cacheTtl, in seconds (developers.cloudflare.com/kv, since 2026-01-30). */
export const MIN_FLAG_CACHE_TTL = 30;
/** A hint is not worth a longer wait: the file can be asked instead. */
const PATIENCE_MS = 500;

/**
 * For so long an isolate does not ask again about a user who has moved. After a rollback, the user's requests
 * make a way more in that time.
 */
const REMEMBERED_MS = 10_000;
/** The most users that an isolate remembers: about 100 bytes each. */
const MOST_REMEMBERED = 10_000;

/** Until when a user is known to have moved; all routers of an isolate share it. */
type Moved = Map<string, number>;
const movedIn = new WeakMap<KVNamespace, Moved>();

/** Reads the flag; a KV that fails or is slow answers "not migrated", and the file then says where to go. */
export class KvFlagHint implements FlagHint {
  private readonly moved: Moved;

  /** @param cacheTtl seconds for which a location may answer from its cache */
  constructor(
    private readonly flags: KVNamespace,
    private readonly cacheTtl: number | undefined,
  ) {
    this.moved = movedIn.get(flags) ?? new Map<string, number>();
    movedIn.set(flags, this.moved);
  }

  async isMigrated(user: string): Promise<boolean> {
    if ((this.moved.get(user) ?? 0) > Date.now()) return true;
    const migrated = await this.ask(user);
    if (migrated) this.remember(user);
    return migrated;
  }

  private remember(user: string): void {
    if (this.moved.size >= MOST_REMEMBERED) this.moved.clear();
    this.moved.set(user, Date.now() + REMEMBERED_MS);
  }

  private async ask(user: string): Promise<boolean> {
    const { promise: patienceEnds, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(() => resolve(null), PATIENCE_MS);
    try {
      return (await Promise.race([this.read(user), patienceEnds])) === "true";
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  private read(user: string): Promise<string | null> {
    const options = this.cacheTtl === undefined ? {} : { cacheTtl: this.cacheTtl };
    return this.flags.get(FLAG_PREFIX + user, { type: "text", ...options });
  }
}
