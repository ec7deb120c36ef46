// Where the programs run.
import { env } from "cloudflare:workers";
import { createRouter, userDatabase } from "../../src/index.ts";
import { bindings, database, fenced, fileKey, newUser } from "../router/fixtures.ts";
import { bringTo, LINEAGE } from "../router/store-driver.ts";

export const router = createRouter({
  bucket: bindings.BUCKET,
  flags: bindings.FLAGS,
  store: bindings.USER_DATA,
});

/** What an object holds that `bringTo` has made. */
const MADE = [
  "CREATE TABLE t(a)",
  "CREATE TABLE keyed(id INTEGER PRIMARY KEY)",
  "INSERT INTO t VALUES ('store')",
];

/** A D1 of the runtime with the same, which only one test uses: vitest.config.ts has the names. */
export async function ownD1(name: string): Promise<D1Database> {
  const d1 = (env as unknown as Record<string, D1Database>)[`D1_${name}`] as D1Database;
  for (const sql of MADE) await d1.exec(sql); // behind the first request it inserts a row of its own
  return d1;
}

/** A new user's database with the same, in a file. */
export async function inFile(): Promise<D1Database> {
  const db = userDatabase(router, newUser());
  await db.exec(MADE.join("\n"));
  return db;
}

/** A user who is served by a Durable Object. */
export async function movedUser(): Promise<string> {
  const user = newUser();
  await bringTo("ACTIVE", user);
  await bindings.BUCKET.put(fileKey(user), fenced(database("x"), LINEAGE, LINEAGE));
  return user;
}

/** A new user's database, in a Durable Object. */
export async function inObject(): Promise<D1Database> {
  return userDatabase(router, await movedUser());
}
