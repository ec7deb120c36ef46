// Which backends may call the service, and what each may do.
import { bearerToken, whichMatch } from "../src/auth.ts";
import { WireError } from "../src/index.ts";

/** What a backend may do. `read` runs every request as a read: what writes is rolled back and refused. */
export type Access = "read" | "write";

/** Who a request came from. */
export interface Backend {
  readonly name: string;
  readonly access: Access;
}

/** The shortest token, in bytes: the service is asked from anywhere, as often as one likes. */
export const MIN_BACKEND_TOKEN_BYTES = 32;

/** The Worker's variables and secrets. `TOKEN_{NAME}` and `TOKEN_{NAME}_PREVIOUS` are read by name. */
export type BackendEnv = Readonly<Record<string, unknown>>;

interface Entry extends Backend {
  readonly token: string;
}

/** Of the backend's secrets only the name is derived: `reports-eu` has TOKEN_REPORTS_EU. */
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const PREVIOUS = "_PREVIOUS";
const OPERATORS = ["DBMIGRATE_TOKEN", "DBMIGRATE_TOKEN_PREVIOUS"];

/**
 * Finds the backend that sent a request.
 * @throws WireError `closed` where the configuration cannot be trusted, `unauthorized` without a known token
 */
export function authenticate(request: Request, env: BackendEnv): Backend {
  const entries = entriesOf(env);
  if (entries.length === 0) throw new WireError("closed", "no backend has a token (docs/backends.md)");
  const token = bearerToken(request);
  if (token === undefined)
    throw new WireError("unauthorized", "the Authorization header carries no bearer token");
  const matches = whichMatch(
    token,
    entries.map((entry) => entry.token),
  );
  const found = entries[matches.indexOf(true)];
  if (found === undefined) throw new WireError("unauthorized", "the token is not one of a backend");
  return { name: found.name, access: found.access };
}

function entriesOf(env: BackendEnv): readonly Entry[] {
  const entries = readBackends(env["BACKENDS"]).flatMap(({ name, access }) =>
    secretsOf(name).flatMap((secret) => entryOf(env, secret, name, access)),
  );
  refuseShared(entries, env);
  return entries;
}

function secretsOf(name: string): readonly string[] {
  const secret = `TOKEN_${name.toUpperCase().replaceAll("-", "_")}`;
  return [secret, secret + PREVIOUS];
}

/** A backend without a secret may not call: so one is shut out by deleting it. */
function entryOf(env: BackendEnv, secret: string, name: string, access: Access): readonly Entry[] {
  const token = env[secret];
  if (token === undefined || token === "") return [];
  if (typeof token !== "string" || new TextEncoder().encode(token).length < MIN_BACKEND_TOKEN_BYTES)
    throw misconfigured(`${secret} has fewer than ${MIN_BACKEND_TOKEN_BYTES} bytes`);
  if (/\s/.test(token)) throw misconfigured(`${secret} holds white space, which no header carries`);
  return [{ name, access, token }];
}

/** A token of two backends would have the rights of either. */
function refuseShared(entries: readonly Entry[], env: BackendEnv): void {
  const owners = new Map<unknown, string>(OPERATORS.map((secret) => [env[secret], "dbmigrate"]));
  for (const { name, token } of entries) {
    const other = owners.get(token);
    if (other !== undefined && other !== name) throw misconfigured(`${name} and ${other} have one token`);
    owners.set(token, name);
  }
}

/** `BACKENDS` as an object of wrangler.jsonc, or as the text of one. */
function readBackends(value: unknown): readonly Backend[] {
  const backends = typeof value === "string" ? parse(value) : (value ?? {});
  if (typeof backends !== "object" || backends === null || Array.isArray(backends))
    throw misconfigured(`BACKENDS is not an object such as {"billing":"write"}`);
  return Object.entries(backends).map(([name, access]) => readBackend(name, access));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw misconfigured("BACKENDS is not JSON");
  }
}

function readBackend(name: string, access: unknown): Backend {
  if (!NAME.test(name) || name.endsWith("-previous"))
    throw misconfigured(
      `BACKENDS names ${JSON.stringify(name)}: use a-z, 0-9 and -, and not -previous at the end`,
    );
  if (access !== "read" && access !== "write")
    throw misconfigured(`BACKENDS gives ${name} neither "read" nor "write"`);
  return { name, access };
}

/** Callers are not told: what is wrong is the operator's business, and stands in the log. */
function misconfigured(why: string): WireError {
  console.error(`dbmigrate service: ${why} (docs/backends.md)`);
  return new WireError("closed", "the service's backends are not configured: its log says what is wrong");
}
