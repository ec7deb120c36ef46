// Brings a user's real Durable Object into a phase, through the admin routes as the operator's tool does.
import { handleAdmin } from "../../src/index.ts";
import type { QueryAnswer, QueryScope } from "../../src/index.ts";
import type { Phase } from "../../src/wire/messages.ts";
import { userPath, type UserRoute } from "../../src/wire/routes.ts";
import { batch, jFrame } from "../store/encode.ts";
import { bindings } from "./fixtures.ts";

/** The lineage of every store that these tests import: its first claim. */
export const LINEAGE = 1;

const SCHEMA = {
  header: {
    pageSize: 4096,
    encoding: "UTF-8",
    userVersion: 0,
    applicationId: 0,
    autoVacuum: 0,
    writeVersion: 1,
    readVersion: 1,
    internal: [],
  },
  objects: [
    { type: "table", name: "t", table: "t", sql: "CREATE TABLE t(a)" },
    { type: "table", name: "keyed", table: "keyed", sql: "CREATE TABLE keyed(id INTEGER PRIMARY KEY)" },
  ],
  virtual: [],
};

const SPLIT_PHASES: readonly Phase[] = ["SPLITTING", "SPLIT_READY", "COLD", "COLD_SEALED", "MERGING"];

/**
 * A fresh store, brought into this phase. It holds a table t; from ACTIVE on, and in all phases of split
 * mode, with the row "store"; and an empty table keyed.
 */
export async function bringTo(phase: Phase, user: string): Promise<void> {
  if (phase === "EMPTY") return;
  if (SPLIT_PHASES.includes(phase)) return bringToSplit(phase, user);
  await send(user, "claim", { intent: "migrate", seen: 0 });
  if (phase === "IMPORTING") return;
  await makeReady(user, LINEAGE);
  if (phase === "READY") return;
  await send(user, "activate", { gen: LINEAGE });
  await queryStore(user, "INSERT INTO t VALUES ('store')");
  if (phase === "SEALED") await seal(user);
}

async function bringToSplit(phase: Phase, user: string): Promise<void> {
  await send(user, "claim", { intent: "split", seen: 0 });
  const steps: [Phase, () => Promise<unknown>][] = [
    ["SPLITTING", () => makeReady(user, LINEAGE, coldRow)],
    ["SPLIT_READY", () => send(user, "activate", { gen: LINEAGE })],
    ["COLD", () => seal(user)],
    ["COLD_SEALED", () => send(user, "merge", { gen: LINEAGE + 1 })],
  ];
  for (const [before, step] of steps) {
    if (phase === before) return;
    await step();
  }
}

const coldRow = batch(jFrame("t", ["rowid", "a"], [[1n, "store"]]));

/** Throws away what an earlier claim has imported, and brings it again. */
export async function splitAnew(user: string, gen: number): Promise<void> {
  await send(user, "reset", { gen });
  await makeReady(user, gen, coldRow);
}

async function makeReady(user: string, gen: number, rows?: Uint8Array): Promise<void> {
  await importInto(user, gen, SCHEMA.objects, rows);
}

/** From the claim to READY. */
export async function importInto(
  user: string,
  gen: number,
  objects: readonly object[],
  rows?: Uint8Array,
  header: object = {},
): Promise<void> {
  const schema = { ...SCHEMA, header: { ...SCHEMA.header, ...header }, objects };
  await send(user, "schema", { gen, schema });
  if (rows !== undefined) await send(user, "rows", rows, `?gen=${gen}&seq=0`);
  await until(user, "finish", { gen, batches: rows === undefined ? 0 : 1 }, "done");
  const { digest } = await until(user, "digest", { budgetMs: 5000 }, "complete");
  await send(user, "ready", { gen, digest, receipt: receipt(user, digest) });
}

/** Begins a rollback: the store takes no more writes. */
export async function seal(user: string): Promise<void> {
  await send(user, "claim", { intent: "rollback", seen: LINEAGE });
}

/** Ends a rollback: the store is empty. */
export async function release(user: string): Promise<void> {
  await send(user, "release", { gen: LINEAGE + 1 });
}

/** Asks the store itself, past the router. */
export async function queryStore(user: string, sql: string, scope: QueryScope = "hot"): Promise<QueryAnswer> {
  return bindings.USER_DATA.getByName(user).query({ statements: [{ sql }], scope });
}

function receipt(user: string, digest: unknown): Record<string, unknown> {
  return {
    user,
    key: `${user}/database.sqlite`,
    claim: LINEAGE,
    sourceEtag: '"00"',
    sourceSha256: "0".repeat(64),
    sourceBytes: 8192,
    fencedEtag: '"01"',
    digest,
    migratedAt: 1_780_000_000_000,
    run: "test",
    version: "test",
  };
}

async function until(
  user: string,
  route: UserRoute,
  body: object,
  flag: string,
): Promise<Record<string, unknown>> {
  for (;;) {
    const answer = await send(user, route, body);
    if (answer[flag] === true) return answer;
  }
}

/** Sends a message of the operator's side. */
export async function send(
  user: string,
  route: UserRoute,
  body: object | Uint8Array | null,
  search = "",
): Promise<Record<string, unknown>> {
  const binary = body instanceof Uint8Array;
  const contentType = binary ? "application/octet-stream" : "application/json";
  const request = new Request(`https://worker.test${userPath(user, route)}${search}`, {
    method: body === null ? "GET" : "POST",
    headers: { authorization: "Bearer token-of-the-operator-now", "content-type": contentType },
    ...(body !== null && { body: binary ? body : JSON.stringify(body) }),
  });
  const response = await handleAdmin(request, {
    env: { DBMIGRATE_TOKEN: "token-of-the-operator-now" },
    store: bindings.USER_DATA,
  });
  if (response?.ok !== true) throw new Error(`${route}: ${await response?.text()}`);
  return response.json();
}
