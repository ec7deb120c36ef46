import { WireError, badRequest, methodNotAllowed } from "./errors.ts";

/** The path under which the admin routes lie. */
export const ADMIN_PREFIX = "/_dbmigrate/v1";

/** The request header that carries a Durable Object location hint. */
export const LOCATION_HEADER = "x-dbmigrate-location";

/** What stands before the user in the KV key of a user's flag. */
export const FLAG_PREFIX = "migrated:";

/** The same of the flag of a split user, which only commands read. */
export const SPLIT_FLAG_PREFIX = "split:";

const MAX_FLAG_KEY_BYTES = 512;

export type BodyKind = "none" | "json" | "binary" | "hidden-json";

interface RouteRule {
  readonly method: "GET" | "POST";
  readonly body: BodyKind;
}

/** The routes under /users/{user}/. */
export const userRoutes = {
  status: { method: "GET", body: "none" },
  claim: { method: "POST", body: "json" },
  reset: { method: "POST", body: "json" },
  schema: { method: "POST", body: "hidden-json" },
  rows: { method: "POST", body: "binary" },
  finish: { method: "POST", body: "json" },
  digest: { method: "POST", body: "json" },
  range: { method: "POST", body: "json" },
  ready: { method: "POST", body: "json" },
  activate: { method: "POST", body: "json" },
  "export/schema": { method: "GET", body: "none" },
  "export/rows": { method: "POST", body: "json" },
  // The digest, the schema and all rows, of one moment.
  "export/all": { method: "POST", body: "json" },
  // Some rows, and what changed since the answer before.
  "export/follow": { method: "POST", body: "json" },
  thaws: { method: "GET", body: "none" },
  // One row, in the table of selftest's own user, as the application would write it.
  "try-write": { method: "POST", body: "json" },
  // The object of selftest's own user goes, with its claim counter.
  vanish: { method: "POST", body: "json" },
  merge: { method: "POST", body: "json" },
  release: { method: "POST", body: "json" },
  // The messages of an import behind its claim, and those of a switch behind its fence, each in one request.
  fill: { method: "POST", body: "binary" },
  open: { method: "POST", body: "json" },
  // A claim to roll back and the digest of what it sealed; the same with everything that the object holds.
  seal: { method: "POST", body: "json" },
  "hand-over": { method: "POST", body: "json" },
} as const satisfies Record<string, RouteRule>;

export type UserRoute = keyof typeof userRoutes;

/** The composite requests: the Worker takes several steps, at the file and at the object. Append-only. */
export const compositeNames = ["import", "switch", "return", "export"] as const;

export type CompositeName = (typeof compositeNames)[number];

/** `mark`, `fence` and `names` are about the user's file; the Worker answers them, as it does hello and ids. */
export type AdminRoute =
  | { readonly kind: "hello" }
  | { readonly kind: "ids" }
  | { readonly kind: "mark" | "fence" | "names"; readonly user: string }
  | { readonly kind: "composite"; readonly user: string; readonly composite: CompositeName }
  | { readonly kind: "user"; readonly user: string; readonly route: UserRoute };

/** Whether the path belongs to the admin protocol, known route or not. */
export function isAdminPath(pathname: string): boolean {
  return pathname === ADMIN_PREFIX || pathname.startsWith(ADMIN_PREFIX + "/");
}

/**
 * Finds the admin route of a request.
 * @throws WireError not-found, method-not-allowed or bad-request (user id)
 */
export function parseAdminRoute(method: string, pathname: string): AdminRoute {
  const path = isAdminPath(pathname) ? pathname.slice(ADMIN_PREFIX.length) : "";
  if (path === "/hello") {
    if (method !== "GET") throw methodNotAllowed(method, "GET");
    return { kind: "hello" };
  }
  if (path === "/ids") {
    if (method !== "POST") throw methodNotAllowed(method, "POST");
    return { kind: "ids" };
  }
  const match = /^\/users\/([^/]+)\/(.+)$/.exec(path);
  const route = match?.[2];
  if (match !== null && (route === "mark" || route === "fence" || route === "names")) {
    const allowed = route === "names" ? "GET" : "POST";
    if (method !== allowed) throw methodNotAllowed(method, allowed);
    return { kind: route, user: decodeUserId(match[1] ?? "") };
  }
  const composite = compositeNames.find((name) => name === route);
  if (match !== null && composite !== undefined) {
    if (method !== "POST") throw methodNotAllowed(method, "POST");
    return { kind: "composite", user: decodeUserId(match[1] ?? ""), composite };
  }
  if (match === null || !isUserRoute(route))
    throw new WireError("not-found", `no route ${pathname.slice(0, 200)}`);
  const allowed = userRoutes[route].method;
  if (method !== allowed) throw methodNotAllowed(method, allowed);
  return { kind: "user", user: decodeUserId(match[1] ?? ""), route };
}

function isUserRoute(route: string | undefined): route is UserRoute {
  return route !== undefined && Object.hasOwn(userRoutes, route);
}

function decodeUserId(segment: string): string {
  let user: string;
  try {
    user = decodeURIComponent(segment);
  } catch {
    throw badRequest("user", "percent-encoded UTF-8");
  }
  return parseUserId(user);
}

/**
 * Accepts what can stand in an R2 key, a KV key and a URL path and means the same in all three; the same
 * rules as userdb.ParseUserID.
 * @throws WireError bad-request
 */
export function parseUserId(user: string): string {
  const reason = whyNotUserId(user);
  if (reason !== undefined) throw new WireError("bad-request", `user id refused: ${reason}`);
  return user;
}

function whyNotUserId(user: string): string | undefined {
  const room = MAX_FLAG_KEY_BYTES - FLAG_PREFIX.length;
  if (typeof user !== "string") return "it is not a string"; // RPC hands over whatever the caller has
  if (user === "") return "it is empty";
  if (!user.isWellFormed()) return "it is not UTF-8";
  if (new TextEncoder().encode(user).length > room) return `a KV key leaves room for ${room} bytes`;
  if (user === "." || user === "..") return "it would be read as a folder";
  if (user === RESERVED_NAME) return "dbmigrate keeps its own records under this name";
  if (/[/\\%?#]/.test(user)) return "it holds one of / \\ % ? #, which a path or URL reads differently";
  if (/\p{Cc}/u.test(user)) return "it holds a control character";
  return undefined;
}

/**
 * The folder of the bucket in which dbmigrate keeps what is its own: the default layout would lead this user
 * into it.
 */
const RESERVED_NAME = ".dbmigrate";

/** The path of a user's admin route. */
export function userPath(user: string, route: UserRoute): string {
  return `${ADMIN_PREFIX}/users/${encodeURIComponent(user)}/${route}`;
}
