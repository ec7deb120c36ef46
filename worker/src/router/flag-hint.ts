// The flag in KV: "migrated:{user}" is "true" for users who live in their Durable Object, absent for the others.
import { FLAG_PREFIX } from "../wire/routes.ts";
import type { FlagHint } from "./sides.ts";

/** What KV accepts as cacheTtl, in seconds (developers.cloudflare.com/kv, since 2026-01-30). */
export const MIN_FLAG_CACHE_TTL = 30;
/** A hint is not worth a longer wait: the file can be asked instead. */
const PATIENCE_MS = 500;

/** Reads the flag; a KV that fails or is slow answers "not migrated", and the file then says where to go. */
export class KvFlagHint implements FlagHint {
  /** @param cacheTtl seconds for which a location may answer from its cache */
  constructor(
    private readonly flags: KVNamespace,
    private readonly cacheTtl: number | undefined,
  ) {}

  async isMigrated(user: string): Promise<boolean> {
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
