// A sample application: one route of its own, with a token of its own, and the two things that dbmigrate needs mounted.
import {
  answerResponse,
  createRouter,
  errorResponse,
  handleAdmin,
  parseUserId,
  readQuery,
  WireError,
} from "../src/index.ts";
import type { UserDataStore } from "../src/index.ts";
import { isCaller } from "./caller.ts";

export { UserDataStore } from "../src/index.ts";

/** The bindings of wrangler.jsonc, the secrets, and one variable. */
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
}

const QUERY_ROUTE = /^\/api\/users\/([^/]+)\/query$/;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const admin = await handleAdmin(request, { env, store: env.USER_DATA });
    if (admin !== null) return admin;
    try {
      return await serve(request, env);
    } catch (error) {
      return errorResponse(error);
    }
  },
} satisfies ExportedHandler<Env>;

async function serve(request: Request, env: Env): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === "/healthz") return new Response("ok\n");
  const segment = QUERY_ROUTE.exec(pathname)?.[1];
  if (segment === undefined) throw new WireError("not-found", `no route ${pathname}`);
  if (request.method !== "POST") throw new WireError("method-not-allowed", "the route takes POST", { allow: "POST" });
  if (!isCaller(request, env.APP_TOKEN))
    throw new WireError("unauthorized", "the bearer token is not this application's");
  return query(decodeUser(segment), request, env);
}

async function query(user: string, request: Request, env: Env): Promise<Response> {
  const router = createRouter({
    bucket: env.BUCKET,
    flags: env.FLAGS,
    store: env.USER_DATA,
    path: env.DATABASE_PATH ?? "auto",
  });
  return answerResponse(await router.query(user, await readQuery(request)));
}

function decodeUser(segment: string): string {
  try {
    return parseUserId(decodeURIComponent(segment));
  } catch (cause) {
    if (cause instanceof WireError) throw cause;
    throw new WireError("bad-request", "user: expected percent-encoded UTF-8", undefined, { cause });
  }
}
