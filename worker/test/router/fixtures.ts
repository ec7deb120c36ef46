// Files as an operator's cutover leaves them, written here a second time so that the router is not tested
// against itself.
import { env } from "cloudflare:workers";
import type { Env } from "../../sample/index.ts";
import { runOnFile } from "../../src/file/engine.ts";
import type { Observer, RouterReport } from "../../src/index.ts";
import { parseQueryRequest } from "../../src/query/request.ts";

/** The sample's bindings, real ones of the local runtime. */
export const bindings = env as unknown as Env;

let users = 0;

/** A user that no other test has. */
export const newUser = (): string => `user-${++users}-${crypto.randomUUID()}`;

export const fileKey = (user: string): string => `${user}/database.sqlite`;

/** Keeps what is told of users, and leaves out the requests. */
export function reportsInto(reports: RouterReport[]): Observer {
  return (event) => {
    if (event.kind !== "request") reports.push(event);
  };
}

/** A database with a table t that has these texts as rows. */
export function database(...texts: string[]): Uint8Array {
  const statements = [
    { sql: "CREATE TABLE t(a)" },
    ...texts.map((text) => ({ sql: "INSERT INTO t VALUES (?)", params: [text] })),
  ];
  const { changed } = runOnFile(new Uint8Array(0), parseQueryRequest({ statements }));
  if (changed === null) throw new Error("the database is empty");
  return changed;
}

/** The texts in table t. */
export function textsIn(file: Uint8Array): unknown[] {
  const { results } = runOnFile(
    file,
    parseQueryRequest({ statements: [{ sql: "SELECT a FROM t ORDER BY rowid" }], mode: "read" }),
  );
  return (results[0]?.rows ?? []).map((row) => row[0]);
}

export function fenced(file: Uint8Array, lin: number, non: number, magic = "DMF1"): Uint8Array {
  const copy = file.slice();
  const view = new DataView(copy.buffer);
  copy.set(new TextEncoder().encode(magic), 72);
  view.setUint32(76, lin);
  view.setUint32(80, non);
  copy.set([file[18] ?? 0, file[19] ?? 0], 84);
  crypto.getRandomValues(copy.subarray(86, 92));
  copy[18] = 255;
  return copy;
}

export function stamped(file: Uint8Array, claim: number): Uint8Array {
  const copy = file.slice();
  copy.set(new TextEncoder().encode("DMU1"), 72);
  new DataView(copy.buffer).setUint32(76, claim);
  crypto.getRandomValues(copy.subarray(80, 92));
  return copy;
}

export function tombstone(lin: number, non: number, padding = 0): Uint8Array {
  const record = { lin, non, user: "someone", receipt: { padding: "x".repeat(padding) } };
  return new TextEncoder().encode(`dbmigrate tombstone 1\n${JSON.stringify(record)}\n`);
}
