// What the service's variables say, as the configuration of router and admin routes.
import {
  type AdminConfig,
  createRouter,
  type Router,
  type SplitConflicts,
  type UserDataStore,
} from "../src/index.ts";
import { liveUpdates } from "../src/live-updates.ts";
import { splitMode } from "../src/split.ts";

/** What router and store are mounted with. */
export const parts = { live: liveUpdates, split: splitMode };

/** The bindings and variables of wrangler.jsonc, and the operator's secrets. */
export interface Env {
  readonly BUCKET: R2Bucket;
  readonly FLAGS: KVNamespace;
  readonly USER_DATA: DurableObjectNamespace<UserDataStore>;
  readonly DBMIGRATE_TOKEN?: string;
  readonly DBMIGRATE_TOKEN_PREVIOUS?: string;
  /** Which backends may call, and what each may do: {"billing":"write"}. */
  readonly BACKENDS?: unknown;
  /** `r2` sends all traffic to the files: the emergency switch. */
  readonly DATABASE_PATH?: "auto" | "r2";
  /** `unconditional` says that a backend still saves files without conditions: the service then saves none. */
  readonly OLD_PATH?: "none" | "unconditional";
  /** `refuse`: of split users, writes to one half that would stand in the way of a merge are refused. */
  readonly SPLIT_CONFLICTS?: SplitConflicts;
  /** `store` lets users without a file begin in the Durable Object. */
  readonly NEW_USERS?: "file" | "store";
  /** Where a user's file is, if not `{user}/database.sqlite`. */
  readonly LAYOUT?: string;
  /** Where users' objects are created, for good. */
  readonly LOCATION_HINT?: DurableObjectLocationHint | "";
  /** The jurisdiction of users' objects, for good. The bucket has to be in the same. */
  readonly JURISDICTION?: DurableObjectJurisdiction | "";
}

/** What router and admin routes have to be told alike. */
interface Mounted {
  readonly bucket: R2Bucket;
  readonly store: DurableObjectNamespace<UserDataStore>;
  readonly savesFiles: boolean;
  readonly layout?: string;
  readonly locationHint?: () => DurableObjectLocationHint;
}

function mounted({ BUCKET, USER_DATA, OLD_PATH, LAYOUT, LOCATION_HINT, JURISDICTION }: Env): Mounted {
  return {
    bucket: BUCKET,
    store: isSet(JURISDICTION) ? USER_DATA.jurisdiction(JURISDICTION) : USER_DATA,
    savesFiles: OLD_PATH !== "unconditional",
    ...(isSet(LAYOUT) && { layout: LAYOUT }),
    ...(isSet(LOCATION_HINT) && { locationHint: () => LOCATION_HINT }),
  };
}

/** The router over the service's bindings. */
export function routerOf(env: Env): Router {
  const { FLAGS, DATABASE_PATH = "auto", SPLIT_CONFLICTS = "accept", NEW_USERS = "file" } = env;
  return createRouter({
    ...mounted(env),
    ...parts,
    flags: FLAGS,
    path: DATABASE_PATH,
    splitConflicts: SPLIT_CONFLICTS,
    newUsers: NEW_USERS,
  });
}

/** The same for the admin routes. */
export function adminConfig(env: Env): AdminConfig {
  return { ...mounted(env), env };
}

function isSet<T extends string>(value: T | "" | undefined): value is T {
  return value !== undefined && value !== "";
}
