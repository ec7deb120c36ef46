// A sample application: one route of its own, with a token of its own, and the two things that dbmigrate
// needs mounted.
import {
  answerResponse,
  bothResponse,
  createRouter,
  errorResponse,
  handleAdmin,
  parseUserId,
  readQuery,
  readThaw,
  thawResponse,
  WireError,
} from "../src/index.ts";
import type { Router, UserDataStore } from "../src/index.ts";
import { isCaller, LIVE_PROTOCOL } from "./caller.ts";

export { UserDataStore } from "../src/index.ts";

/** The bindings of wrangler.jsonc, the secrets, and two variables. */
export interface Env {
  readonly BUCKET: R2Bucket;
  readonly FLAGS: KVNamespace;
  readonly USER_DATA: DurableObjectNamespace<UserDataStore>;
  /** The application's own token. */
  readonly APP_TOKEN?: string;
  /** The operator's token, and the one before it during a rotation. */
  readonly DBMIGRATE_TOKEN?: string;
  readonly DBMIGRATE_TOKEN_PREVIOUS?: string;
  /** `r2` sends all traffic to the files: the emergency switch. */
  readonly DATABASE_PATH?: "auto" | "r2";
  /**
   * `unconditional` says that an old path of the application still saves files without conditions: this
   * Worker then never saves one.
   */
  readonly OLD_PATH?: "none" | "unconditional";
}

const USER_ROUTE = /^\/api\/users\/([^/]+)\/(query|both|thaw|live)$/;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const router = routerOf(env); // made first, so that hello can compare what both were told
    const admin = await handleAdmin(request, {
      env,
      store: env.USER_DATA,
      bucket: env.BUCKET,
      savesFiles: savesFiles(env),
    });
    if (admin !== null) return admin;
    try {
      return await serve(request, env, router);
    } catch (error) {
      return errorResponse(error);
    }
  },
} satisfies ExportedHandler<Env>;

async function serve(request: Request, env: Env, router: Router): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === "/healthz") return new Response("ok\n");
  const [, segment, route] = USER_ROUTE.exec(pathname) ?? [];
  if (segment === undefined) throw new WireError("not-found", `no route ${pathname}`);
  const method = route === "live" ? "GET" : "POST";
  if (request.method !== method)
    throw new WireError("method-not-allowed", `the route takes ${method}`, { allow: method });
  if (!isCaller(request, env.APP_TOKEN))
    throw new WireError("unauthorized", "the bearer token is not this application's");
  const user = decodeUser(segment);
  if (route === "live") return live(user, request, router);
  if (route === "thaw") return thaw(user, request, router);
  return route === "both" ? both(user, request, router) : query(user, request, router);
}

async function query(user: string, request: Request, router: Router): Promise<Response> {
  return answerResponse(await router.query(user, await readQuery(request)));
}

/** What a page needs that shows old rows among new ones: of a split user they lie in two databases. */
async function both(user: string, request: Request, router: Router): Promise<Response> {
  return bothResponse(await router.queryBoth(user, await readQuery(request)));
}

/** Old rows that somebody works with again. */
async function thaw(user: string, request: Request, router: Router): Promise<Response> {
  return thawResponse(await router.thaw(user, await readThaw(request)));
}

/** A subprotocol that a client offers has to be taken up by the answer. */
async function live(user: string, request: Request, router: Router): Promise<Response> {
  const { status, webSocket, headers, body } = await router.live(user, request);
  if (webSocket === null) return new Response(body, { status, headers });
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  const taken = offered.includes(LIVE_PROTOCOL) ? { "sec-websocket-protocol": LIVE_PROTOCOL } : {};
  return new Response(null, { status, webSocket, headers: taken });
}

function routerOf(env: Env): Router {
  return createRouter({
    bucket: env.BUCKET,
    flags: env.FLAGS,
    store: env.USER_DATA,
    path: env.DATABASE_PATH ?? "auto",
    savesFiles: savesFiles(env),
  });
}

function savesFiles({ OLD_PATH = "none" }: Env): boolean {
  return OLD_PATH !== "unconditional";
}

function decodeUser(segment: string): string {
  try {
    return parseUserId(decodeURIComponent(segment));
  } catch (cause) {
    if (cause instanceof WireError) throw cause;
    throw new WireError("bad-request", "user: expected percent-encoded UTF-8", undefined, { cause });
  }
}
