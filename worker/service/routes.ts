// The routes by which other programs reach users' databases. The sample has the same ones.
import {
  answerResponse,
  parseUserId,
  type QueryRequest,
  readQuery,
  type Router,
  servedByResponse,
  WireError,
} from "../src/index.ts";
import {
  bothResponse,
  locateResponse,
  readBothRequest,
  readLocate,
  readSchema,
  readThaw,
  readWriteBoth,
  schemaResponse,
  thawResponse,
  writeBothResponse,
} from "../src/split.ts";
import type { Access } from "./backends.ts";

const ROUTE = /^\/api\/users\/([^/]+)(?:\/([a-z]+))?$/;

interface Call {
  readonly user: string;
  readonly request: Request;
  readonly router: Router;
  readonly access: Access;
}

interface Rule {
  readonly method: "GET" | "POST";
  readonly answer: (call: Call) => Promise<Response>;
}

/** By what stands behind the user in the path. */
const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["", { method: "GET", answer: servedBy }],
  ["query", { method: "POST", answer: query }],
  ["both", { method: "POST", answer: both }],
  ["locate", { method: "POST", answer: locate }],
  ["write", { method: "POST", answer: writeBoth }],
  ["schema", { method: "POST", answer: schema }],
  ["thaw", { method: "POST", answer: thaw }],
]);

/**
 * Answers a request for a user's database, sent by somebody who may do what `access` says.
 * @throws WireError for what is no such request
 */
export async function answerUsers(request: Request, router: Router, access: Access): Promise<Response> {
  const { segment, route } = userRoute(request);
  const rule = RULES.get(route);
  if (rule === undefined) throw noRoute(request);
  demandMethod(request, rule.method);
  return rule.answer({ user: decodeUser(segment), request, router, access });
}

/** The parts of a path under /api/users/. @throws WireError not-found */
export function userRoute(request: Request): { readonly segment: string; readonly route: string } {
  const [, segment, route = ""] = ROUTE.exec(new URL(request.url).pathname) ?? [];
  if (segment === undefined) throw noRoute(request);
  return { segment, route };
}

/** @throws WireError method-not-allowed */
export function demandMethod(request: Request, method: string): void {
  if (request.method !== method)
    throw new WireError("method-not-allowed", `the route takes ${method}`, { allow: method });
}

/** The user of a path. @throws WireError bad-request */
export function decodeUser(segment: string): string {
  try {
    return parseUserId(decodeURIComponent(segment));
  } catch (cause) {
    if (cause instanceof WireError) throw cause;
    throw new WireError("bad-request", "user: expected percent-encoded UTF-8", undefined, { cause });
  }
}

/** The request as somebody may send it who may do what `access` says. */
export function within(access: Access, request: QueryRequest): QueryRequest {
  return access === "read" ? { ...request, mode: "read" } : request;
}

/** @throws WireError write-in-read */
export function demandWrite(access: Access): void {
  if (access === "read") throw new WireError("write-in-read", "this caller may only read");
}

async function servedBy({ user, router }: Call): Promise<Response> {
  return servedByResponse(await router.servedBy(user));
}

async function query({ user, request, router, access }: Call): Promise<Response> {
  return answerResponse(await router.query(user, within(access, await readQuery(request))));
}

/** What a page needs that shows old rows among new ones: of a split user they lie in two databases. */
async function both({ user, request, router }: Call): Promise<Response> {
  return bothResponse(await router.queryBoth(user, await readBothRequest(request)));
}

/** Where a row is. */
async function locate({ user, request, router }: Call): Promise<Response> {
  const { table, key } = await readLocate(request);
  return locateResponse(await router.locate(user, table, key));
}

/** A write of a row, wherever it is. */
async function writeBoth({ user, request, router, access }: Call): Promise<Response> {
  demandWrite(access);
  return writeBothResponse(await router.writeBoth(user, await readWriteBoth(request)));
}

/** A change of the schema, in both halves. */
async function schema({ user, request, router, access }: Call): Promise<Response> {
  demandWrite(access);
  return schemaResponse(await router.schema(user, await readSchema(request)));
}

/** Old rows that somebody works with again. */
async function thaw({ user, request, router, access }: Call): Promise<Response> {
  demandWrite(access);
  return thawResponse(await router.thaw(user, await readThaw(request)));
}

function noRoute(request: Request): WireError {
  return new WireError("not-found", `no route ${new URL(request.url).pathname.slice(0, 200)}`);
}
