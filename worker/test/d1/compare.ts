// Where the programs run, and what of their outcome is compared.
import { createRouter, userDatabase } from "../../src/index.ts";
import { bindings, database, fenced, fileKey, newUser } from "../router/fixtures.ts";
import { bringTo, LINEAGE } from "../router/store-driver.ts";

export const router = createRouter({
  bucket: bindings.BUCKET,
  flags: bindings.FLAGS,
  store: bindings.USER_DATA,
});

/** A new user's database, in a file. */
export async function inFile(): Promise<D1Database> {
  return userDatabase(router, newUser());
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

/** What a call gives, or how it fails: what is each server's own is left out. */
export async function outcome(
  run: (db: D1Database) => Promise<unknown>,
  db: D1Database,
  inserts = true,
): Promise<unknown> {
  try {
    return comparable(await run(db), inserts);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const cause = error.cause instanceof Error ? error.cause.message : "";
    // Where in the text the error is, is not told here.
    return ["error", ...[error.message, cause].map((text) => text.replace(/ at offset \d+/, ""))];
  }
}

export function isError(outcome: unknown): outcome is [string, string, string] {
  return Array.isArray(outcome) && outcome[0] === "error";
}

/** Timings, server names and sizes are each server's own; rows read and written are for bills. */
function comparable(value: unknown, inserts: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item, inserts));
  if (typeof value !== "object" || value === null) return value;
  if ("count" in value && "duration" in value) return { ...value, duration: 0 };
  if (!("meta" in value)) return value;
  const { changes, last_row_id, changed_db } = (value as D1Result).meta;
  // D1 repeats the rowid of an earlier request, which a file's connection never saw. And it sees a change of
  // the schema by the database's size.
  return { ...value, meta: { changes, ...(changes > 0 && { changed_db, ...(inserts && { last_row_id }) }) } };
}
