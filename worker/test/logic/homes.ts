// A user in each home, and a router over what is mounted.
import { createRouter, type Router, type RouterConfig } from "../../src/index.ts";
import { toFile, toObject } from "../d1/move.ts";
import { bindings, database, fileKey, newUser } from "../router/fixtures.ts";
import { mounted } from "./entry.ts";

export type Home = "file" | "object";
export const HOMES: readonly Home[] = ["file", "object"];

export function router(options: Partial<RouterConfig> = {}): Router {
  const { BUCKET: bucket, FLAGS: flags, USER_DATA: store } = bindings;
  return createRouter({ bucket, flags, store, ...mounted, ...options });
}

/** A user who can go from home to home. */
export class Mover {
  readonly user = newUser();
  private claim = 0;

  async toObject(): Promise<void> {
    this.claim = await toObject(this.user, this.claim);
  }

  async toFile(): Promise<void> {
    this.claim = await toFile(this.user, this.claim);
  }

  async side(): Promise<string | undefined> {
    const answer = await router().query(this.user, { statements: [{ sql: "SELECT 1" }], mode: "read" });
    return answer.ok ? answer.side : answer.error.message;
  }

  /** The number of write transactions that the object has counted. */
  async writes(): Promise<number> {
    const answer = await router().query(this.user, { statements: [{ sql: "SELECT 1" }], mode: "read" });
    return answer.ok ? (answer.position?.seq ?? -1) : -2;
  }

  async etag(): Promise<string | undefined> {
    return (await bindings.BUCKET.head(fileKey(this.user)))?.etag;
  }

  /** The first column of each row. */
  async column(sql: string): Promise<unknown> {
    const answer = await router().query(this.user, { statements: [{ sql }], mode: "read" });
    return answer.ok ? answer.results[0]?.rows.map(([value]) => value) : answer.error;
  }
}

/** A user with a table t, which holds the text "one". */
export async function userIn(home: Home): Promise<Mover> {
  const mover = new Mover();
  await bindings.BUCKET.put(fileKey(mover.user), database("one"));
  if (home === "object") await mover.toObject();
  return mover;
}
