// The admin routes of one store (docs/wire-format.md, section 1). One handler does method, token, decoding,
// errors and encoding; a route is then a line or two.
import { type AuthEnv, authorize } from "../auth.ts";
import { readBinary, readJson } from "../wire/body.ts";
import { WireError, badRequest, errorResponse, notMounted } from "../wire/errors.ts";
import { type JsonObject, asBoolean, asClaim, asInteger, asObject, asOneOf, asString } from "../wire/json.ts";
import { LIMITS } from "../wire/limits.ts";
import { intents, parseDatabaseDigest, parseSchema } from "../wire/messages.ts";
import { type UserRoute, parseAdminRoute, userRoutes } from "../wire/routes.ts";
import { parseKey } from "../wire/values.ts";
import type { StoreContext } from "../state/context.ts";
import { fill, open } from "./composites.ts";
import { handOver, seal } from "./seal.ts";
import { advanceDigest } from "../store/digest.ts";
import { exportRows, exportSchema } from "../store/export.ts";
import { finish } from "../store/finish.ts";
import { statusOf } from "../state/guard.ts";
import { type ClaimRequest, activate, claim, merge, ready, release, reset } from "./claim.ts";
import { rangeDigest } from "../store/range.ts";
import { applyRows } from "../store/rows.ts";
import { tryWrite, vanish } from "../store/try-write.ts";
import { applySchema } from "../store/schema.ts";
import { snapshot } from "../store/snapshot.ts";

const MAX_DIGEST_BUDGET_MS = 25_000;
const MAX_BATCH = 2 ** 31 - 1;

/** What a route is given: its JSON or its bytes, and the query of its URL. */
interface Input {
  readonly json: JsonObject;
  readonly bytes: Uint8Array;
  readonly query: URLSearchParams;
  readonly user: string;
}

/** An answer: JSON, or bytes as they are. */
type Answer = object | Uint8Array;

/** What the store is mounted with. */
export interface StoreParts {
  /** Answers a copy that follows the application's writes (live/follow.ts). */
  readonly follow: (json: JsonObject) => Uint8Array;
  /** Whether it serves cold rows. */
  readonly split: boolean;
}

type Endpoint = (store: StoreContext, input: Input, parts: StoreParts) => Answer | Promise<Answer>;

const CLAIM_ID = /^[0-9A-Za-z_-]{8,64}$/;

function claimIdOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const id = asString(value, "id");
  if (!CLAIM_ID.test(id)) throw badRequest("id", "8 to 64 letters, digits, - or _");
  return id;
}

/** @throws WireError not-mounted for cold rows that nobody would serve */
function claimToMake(json: JsonObject, { split }: StoreParts): ClaimRequest {
  const request = claimIn(json);
  if (request.intent === "split" && !split) throw notMounted("split");
  return request;
}

function claimIn(json: JsonObject): ClaimRequest {
  return {
    intent: asOneOf(json["intent"], "intent", intents),
    seen: asClaim(json["seen"], "seen"),
    id: claimIdOf(json["id"]),
  };
}

const endpoints: Readonly<Record<UserRoute, Endpoint>> = {
  status: (store) => statusOf(store),
  claim: (store, { json }, parts) => claim(store, claimToMake(json, parts)),
  reset: (store, { json }) => reset(store, genOf(json)),
  schema: (store, { json }) => applySchema(store, genOf(json), parseSchema(json["schema"])),
  rows: (store, { bytes, query }) =>
    applyRows(store, numberIn(query, "gen"), asInteger(numberIn(query, "seq"), "seq", 0, MAX_BATCH), bytes),
  finish: (store, { json }) =>
    finish(store, genOf(json), asInteger(json["batches"], "batches", 0, MAX_BATCH)),
  digest: (store, { json }) =>
    advanceDigest(
      store,
      asInteger(json["budgetMs"] ?? 0, "budgetMs", 0, MAX_DIGEST_BUDGET_MS),
      asBoolean(json["fresh"] ?? false, "fresh"),
    ),
  range: (store, { json }) =>
    rangeDigest(store, {
      table: asString(json["table"], "table"),
      after: parseKey(json["after"], "after"),
      upto: parseKey(json["upto"], "upto"),
      limit: limitOf(json["limit"]),
      content: asBoolean(json["content"] ?? false, "content"),
    }),
  ready: (store, { json }) =>
    ready(store, genOf(json), parseDatabaseDigest(json["digest"]), asObject(json["receipt"], "receipt")),
  activate: (store, { json }) => activate(store, genOf(json)),
  seal: (store, { json }) => seal(store, claimIn(json)),
  "hand-over": (store, { json }) => handOver(store, claimIn(json)),
  "export/schema": (store) => exportSchema(store),
  "export/rows": (store, { json }) =>
    exportRows(
      store,
      asString(json["table"], "table"),
      parseKey(json["after"], "after"),
      asInteger(json["maxBytes"], "maxBytes", 1, LIMITS.batchBytes),
    ),
  "export/all": (store) => snapshot(store),
  "export/follow": (_store, { json }, { follow }) => follow(json),
  thaws: ({ books }) => ({ thaws: books.thaws }),
  vanish: (store, { user }) => vanish(store, user),
  "try-write": (store, { json }) => tryWrite(store, asString(json["note"], "note")),
  merge: (store, { json }) => merge(store, genOf(json)),
  release: (store, { json }) => release(store, genOf(json)),
  fill: (store, { bytes, query }) => fill(store, numberIn(query, "gen"), bytes),
  open: (store, { json }) =>
    open(store, genOf(json), parseDatabaseDigest(json["digest"]), asObject(json["receipt"], "receipt")),
};

/** Answers an admin request. It checks the token itself: an application might forward any request. */
export async function handleAdmin(
  store: StoreContext,
  env: AuthEnv,
  request: Request,
  parts: StoreParts,
): Promise<Response> {
  try {
    authorize(request, env);
    const url = new URL(request.url);
    const found = parseAdminRoute(request.method, url.pathname);
    if (found.kind !== "user")
      throw new WireError("not-found", `the Worker answers ${found.kind}, not the store`);
    const answer = await endpoints[found.route](
      store,
      { ...(await readInput(request, found.route, url.searchParams)), user: found.user },
      parts,
    );
    // The output gate holds the answer until it is true on disk; a failing disk becomes an error here.
    await store.storage.sync();
    return encode(answer);
  } catch (error) {
    return errorResponse(error);
  }
}

type Body = Omit<Input, "user">;

async function readInput(request: Request, route: UserRoute, query: URLSearchParams): Promise<Body> {
  const nothing: Body = { json: {}, bytes: new Uint8Array(0), query };
  switch (userRoutes[route].body) {
    case "json":
      return { ...nothing, json: asObject(await readJson(request), "body") };
    case "hidden-json":
      return { ...nothing, json: asObject(await readJson(request, "application/octet-stream"), "body") };
    case "binary":
      return { ...nothing, bytes: await readBinary(request) };
    case "none":
      return nothing;
  }
}

function encode(answer: Answer): Response {
  const headers = { "cache-control": "no-store" };
  if (!(answer instanceof Uint8Array)) return Response.json(answer, { headers });
  return new Response(answer, { headers: { ...headers, "content-type": "application/octet-stream" } });
}

function genOf(json: JsonObject): number {
  return asClaim(json["gen"], "gen");
}

function numberIn(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? "";
  if (!/^\d{1,10}$/.test(text)) throw badRequest(name, "a whole number in the URL");
  return asClaim(Number(text), name);
}

// Absent, null and 0 mean no limit.
function limitOf(value: unknown): number {
  const limit = asInteger(value ?? 0, "limit", 0, Number.MAX_SAFE_INTEGER);
  return limit === 0 ? Infinity : limit;
}
