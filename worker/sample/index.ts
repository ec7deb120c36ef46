// A sample application: what worker/service serves, with one token of its own, live updates, and how long
// requests take by side.
import {
  createRouter,
  errorResponse,
  handleAdmin,
  type Router,
  type StoreOptions,
  UserDataStore as Store,
  WireError,
} from "../src/index.ts";
import { refuseLive } from "../src/live-updates.ts";
import { parts } from "../service/mounted.ts";
import { answerUsers, decodeUser, demandMethod, userRoute } from "../service/routes.ts";
import { isCaller } from "./caller.ts";
import { Latencies } from "./latency.ts";

/** A user's Durable Object. */
export class UserDataStore extends Store<Env> {
  protected override readonly storeOptions: StoreOptions = parts;
}

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
  /** `store` lets users without a file begin in the Durable Object. */
  readonly NEW_USERS?: "file" | "store";
  /** Which deploy answers, so that `dbmigrate doctor` sees a gradual one. */
  readonly CF_VERSION_METADATA?: WorkerVersionMetadata;
}

const latencies = new Latencies();

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
  if (new URL(request.url).pathname === "/healthz") return new Response("ok\n");
  if (new URL(request.url).pathname === "/api/latency") return latency(request, env);
  const { segment, route } = userRoute(request);
  if (!isCaller(request, env.APP_TOKEN)) {
    const reason = "the bearer token is not this application's";
    const isUpgrade = request.headers.get("upgrade")?.toLowerCase() === "websocket";
    if (route === "live" && isUpgrade) return refuseLive(reason, request);
    throw new WireError("unauthorized", reason);
  }
  if (route !== "live") return answerUsers(request, router, "write");
  demandMethod(request, "GET");
  return router.live(decodeUser(segment), request);
}

function latency(request: Request, env: Env): Response {
  demandMethod(request, "GET");
  if (!isCaller(request, env.APP_TOKEN))
    throw new WireError("unauthorized", "the bearer token is not this application's");
  return Response.json(latencies.bySide(), { headers: { "cache-control": "no-store" } });
}

function routerOf(env: Env): Router {
  return createRouter({
    ...parts,
    bucket: env.BUCKET,
    flags: env.FLAGS,
    store: env.USER_DATA,
    path: env.DATABASE_PATH ?? "auto",
    savesFiles: savesFiles(env),
    observe: latencies.observe,
    newUsers: env.NEW_USERS ?? "file",
  });
}

function savesFiles({ OLD_PATH = "none" }: Env): boolean {
  return OLD_PATH !== "unconditional";
}
