// The admin routes: authentication, then the user's Durable Object (docs/wire-format.md, section 1). They
// share no credential with the application's routes.
import { authorize, type AuthEnv } from "../auth.ts";
import { errorResponse, WireError } from "../wire/errors.ts";
import { readJson } from "../wire/body.ts";
import { asInteger, asObject } from "../wire/json.ts";
import { FENCE_BYTES, LIMITS, MARK_BYTES, SNAPSHOT_BYTES } from "../wire/limits.ts";
import { VERSION_HEADER, commonVersion } from "./version.ts";
import { compositeNames, isAdminPath, LOCATION_HEADER, parseAdminRoute } from "../wire/routes.ts";
import { version } from "../version.ts";
import { declaredParts, declaredSavesFiles } from "../router/declared.ts";
import { DEFAULT_LAYOUT, objectKeys } from "../router/layout.ts";
import type { UserObjects } from "../router/store-side.ts";
import { parseLocationHint } from "./location.ts";
import { fenceFile, parseFenceRequest } from "./fence.ts";
import { MOST_IDS, tellIds } from "./ids.ts";
import { markFile, parseMarkRequest, parseStoneRequest, putTombstone, unportable } from "./mark.ts";
import { probeObject, type ProbeReport } from "./probe.ts";
import { askThrough, type ThroughReport } from "./through.ts";
import { runComposite } from "./composites/composites.ts";
import { type Fetcher, fetchFrom, ObjectSteps } from "./composites/place.ts";

/** What the admin routes need of the Worker. */
export interface AdminConfig {
  /**
   * The Worker's environment, for the secrets DBMIGRATE_TOKEN and DBMIGRATE_TOKEN_PREVIOUS. Types that
   * `wrangler types` makes do not name secrets. Its `version_metadata` binding CF_VERSION_METADATA, if it has
   * one, lets dbmigrate see a gradual deployment of the application.
   */
  readonly env: AuthEnv | object;
  /** The users' Durable Objects: UserDataStore or a subclass. */
  readonly store: UserObjects;
  /** The users' files, as the router has them. Without it dbmigrate uploads a file once more to mark it. */
  readonly bucket?: R2Bucket;
  /**
   * The router's layout. dbmigrate is told, so that it never moves an object that the router does not look
   * at.
   */
  readonly layout?: string;
  /**
   * The router's savesFiles. dbmigrate is told: beside an old path that saves without conditions it needs a
   * router that does not.
   */
  readonly savesFiles?: boolean;
  /**
   * The router's. A hint that dbmigrate sends comes first; without either, an object is created near the
   * first to touch it, for good.
   */
  readonly locationHint?: (user: string) => DurableObjectLocationHint | undefined;
}

/** Answers a request under the admin prefix; null for any other path, which is the application's. */
export async function handleAdmin(request: Request, config: AdminConfig): Promise<Response | null> {
  const { pathname } = new URL(request.url);
  if (!isAdminPath(pathname)) return null;
  try {
    authorize(request, config.env);
    return await answer(request, pathname, config);
  } catch (error) {
    return errorResponse(error);
  }
}

async function answer(
  request: Request,
  pathname: string,
  { env, store, bucket, layout = DEFAULT_LAYOUT, savesFiles = true, locationHint: hintOf }: AdminConfig,
): Promise<Response> {
  const route = parseAdminRoute(request.method, pathname);
  const given = parseLocationHint(request.headers.get(LOCATION_HEADER));
  if (route.kind === "hello") {
    const protocol = commonVersion(request.headers.get(VERSION_HEADER));
    const versionId = versionIdOf(env);
    const says = {
      ...(versionId !== undefined && { versionId }),
      protocol,
      layout,
      savesFiles,
      locationHint: hintOf !== undefined,
    };
    const user = new URL(request.url).searchParams.get("through");
    const through = user === null ? undefined : await askThrough(user);
    return hello(says, bucket !== undefined, await probeObject(store), through);
  }
  if (route.kind === "ids") return Response.json(await tellIds(request, store), NO_STORE);
  if (route.kind === "names") return names(bucket, objectKeys(layout)(route.user));
  if (route.kind === "mark") return mark(request, bucket, objectKeys(layout)(route.user));
  const locationHint = given ?? hintOf?.(route.user);
  const stub = store.get(store.idFromName(route.user), locationHint === undefined ? {} : { locationHint });
  if (route.kind === "fence")
    return fence(request, bucket, objectKeys(layout)(route.user), () => lastClaim(stub, request));
  if (route.kind === "composite") {
    const object = new ObjectSteps(stub, route.user, request);
    const place = {
      user: route.user,
      key: objectKeys(layout)(route.user),
      bucket: demandBucket(bucket),
      object,
    };
    return runComposite(route.composite, request, place);
  }
  return fetchFrom(stub, request);
}

const NO_STORE = { headers: { "cache-control": "no-store" } };

/** The object's last claim, by its status. */
async function lastClaim(stub: Fetcher, { url, headers }: Request): Promise<number> {
  const status = new URL("status", url);
  const response = await fetchFrom(
    stub,
    new Request(status, { headers: { authorization: headers.get("authorization") ?? "" } }),
  );
  const body = asObject(await response.json(), "status");
  return asInteger(body["gen"], "status.gen", 0, Number.MAX_SAFE_INTEGER);
}

function demandBucket(bucket: R2Bucket | undefined): R2Bucket {
  if (bucket === undefined)
    throw new WireError("not-found", "the admin routes were mounted without a bucket");
  return bucket;
}

async function mark(request: Request, bucket: R2Bucket | undefined, key: string): Promise<Response> {
  const files = demandBucket(bucket);
  const body = asObject(await readJson(request), "body");
  const marked =
    body["tombstone"] === undefined
      ? await markFile(files, key, parseMarkRequest(body))
      : await putTombstone(files, key, parseStoneRequest(body));
  return Response.json(marked, { headers: { "cache-control": "no-store" } });
}

async function names(bucket: R2Bucket | undefined, key: string): Promise<Response> {
  const object = await demandBucket(bucket).head(key);
  const body = {
    names: object === null ? [] : unportable(object),
    // An operator with another bucket learns it so, before anything is put there.
    file: { etag: object?.etag ?? "", uploaded: object?.uploaded.getTime() ?? 0 },
  };
  return Response.json(body, { headers: { "cache-control": "no-store" } });
}

async function fence(
  request: Request,
  bucket: R2Bucket | undefined,
  key: string,
  claim: () => Promise<number>,
): Promise<Response> {
  const files = demandBucket(bucket);
  const wanted = parseFenceRequest(asObject(await readJson(request), "body"));
  return Response.json(await fenceFile(files, key, wanted, claim), {
    headers: { "cache-control": "no-store" },
  });
}

/** What hello says of the protocol and the application. */
interface Says {
  /** Absent where the Worker has no binding that tells it. */
  readonly versionId?: string;
  readonly protocol: number;
  readonly layout: string;
  readonly savesFiles: boolean;
  /** Whether the admin routes place objects by themselves. */
  readonly locationHint: boolean;
}

function hello(
  says: Says,
  marks: boolean,
  object: ProbeReport,
  through: ThroughReport | null | undefined,
): Response {
  const body = {
    worker: version,
    now: Date.now(),
    // Older commands look at this only.
    store: object.answers ? "sqlite" : object.cause,
    object,
    ...says,
    limits: LIMITS,
    markBytes: marks ? MARK_BYTES : 0,
    fenceBytes: marks ? FENCE_BYTES : 0,
    snapshotBytes: SNAPSHOT_BYTES,
    composites: marks ? compositeNames : [],
    names: marks,
    // What a router of this isolate was told; null before there was one.
    routerSavesFiles: declaredSavesFiles(says.savesFiles),
    split: servesSplit(object),
    // Of the routers of this isolate; null before there was one.
    routerParts: declaredParts(),
    ids: MOST_IDS,
    // Only where it was asked for: what the router says of one user, null where this isolate has made none.
    ...(through !== undefined && { through }),
  };
  return Response.json(body, { headers: { "cache-control": "no-store" } });
}

/** The id of the Worker version that answers, a new one for each deploy: an optional binding tells it. */
function versionIdOf(env: object): string | undefined {
  const { CF_VERSION_METADATA: metadata } = env as {
    readonly CF_VERSION_METADATA?: { readonly id?: unknown };
  };
  const id = metadata?.id;
  return typeof id === "string" && id !== "" ? id : undefined;
}

/** The object has to serve cold rows, and the application to reach them. */
function servesSplit(object: ProbeReport): boolean {
  return (!object.answers || object.parts.includes("split")) && declaredParts()?.includes("split") !== false;
}
