import {
  createRouter,
  handleAdmin,
  type Router,
  type StoreOptions,
  userDatabase,
  UserDataStore,
  type UserObjects,
} from "@dbmigrate/worker";
import type { State } from "@dbmigrate/worker/live";
import { liveUpdates } from "@dbmigrate/worker/live-updates";
import { splitMode } from "@dbmigrate/worker/split";
import { Hono } from "hono";

const parts: StoreOptions = { live: liveUpdates, split: splitMode };

/** What a page shows of live updates. */
export const shown: Readonly<Partial<Record<State, string>>> = { live: "connected" };

/** A binding of a type without a class. */
export const untyped = (binding: DurableObjectNamespace): UserObjects => binding;

interface Env {
  readonly BUCKET: R2Bucket;
  readonly FLAGS: KVNamespace;
  readonly USER_DATA: DurableObjectNamespace<GamesStore>;
  readonly DBMIGRATE_TOKEN?: string;
}

export class GamesStore extends UserDataStore<Env> {
  protected override readonly storeOptions: StoreOptions = parts;

  async addGame(name: string): Promise<void> {
    this.transaction((sql) => sql.exec("INSERT INTO games (name) VALUES (?)", name));
  }

  protected override filesOf(env: Env): R2Bucket {
    return env.BUCKET;
  }
}

const app: Hono<{ Bindings: Env }> = new Hono<{ Bindings: Env }>();

// Made before handleAdmin, which tells of it.
function routerOf(env: Env): Router {
  return createRouter({ bucket: env.BUCKET, store: env.USER_DATA, flags: env.FLAGS, ...parts });
}

app.use(async ({ env, req }, next) => {
  routerOf(env);
  const admin = await handleAdmin(req.raw, { bucket: env.BUCKET, store: env.USER_DATA, env });
  return admin ?? (await next());
});

app.get("/:name", async ({ env, req, json }) => {
  const db: D1Database = userDatabase(routerOf(env), req.query("user") ?? "nobody");
  await db.exec("CREATE TABLE IF NOT EXISTS games (id INTEGER PRIMARY KEY, name TEXT)");
  await db.prepare("INSERT INTO games (name) VALUES (?)").bind(req.path).run();
  return json((await db.prepare("SELECT name FROM games").all<{ name: string }>()).results);
});

export default app;
