import { createHash, timingSafeEqual } from "node:crypto";
import { WireError } from "./wire/errors.ts";

/**
 * The Worker secrets that open the admin routes. Both are accepted, so that a token can be rotated without a
 * gap.
 */
export interface AuthEnv {
  readonly DBMIGRATE_TOKEN?: string;
  readonly DBMIGRATE_TOKEN_PREVIOUS?: string;
}

/**
 * The shortest secret, in bytes. The admin routes take a token from anywhere, as often as it is tried; a
 * short one can be guessed.
 */
export const MIN_TOKEN_BYTES = 16;

/**
 * Checks the bearer token of an admin request.
 * @throws WireError `closed` when no secret is set, or one that is too short, `unauthorized` when the token is missing or wrong
 */
export function authorize(request: Request, env: AuthEnv): void {
  const accepted = [env.DBMIGRATE_TOKEN, env.DBMIGRATE_TOKEN_PREVIOUS].filter(isSet);
  if (accepted.length === 0) {
    throw new WireError(
      "closed",
      "no admin secret is configured: set it with `wrangler secret put DBMIGRATE_TOKEN`",
    );
  }
  if (accepted.some(isShort)) {
    throw new WireError(
      "closed",
      `DBMIGRATE_TOKEN and DBMIGRATE_TOKEN_PREVIOUS need at least ${MIN_TOKEN_BYTES} bytes: set a random one with \`wrangler secret put\``,
    );
  }
  const token = bearerToken(request);
  if (token === undefined)
    throw new WireError("unauthorized", "the Authorization header carries no bearer token");
  if (!matchesAny(token, accepted)) {
    throw new WireError("unauthorized", "the token is not the Worker's DBMIGRATE_TOKEN");
  }
}

function isSet(secret: string | undefined): secret is string {
  return typeof secret === "string" && secret !== "";
}

function isShort(secret: string): boolean {
  return new TextEncoder().encode(secret).length < MIN_TOKEN_BYTES;
}

/** The token of a request's Authorization header, and of no other place: URLs lie in logs. */
export function bearerToken(request: Request): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

function matchesAny(token: string, accepted: readonly string[]): boolean {
  return whichMatch(token, accepted).includes(true);
}

/**
 * Says of each secret whether the token is it. Hashes have equal lengths, and every secret is compared: the
 * time taken tells nothing about either.
 */
export function whichMatch(token: string, secrets: readonly string[]): boolean[] {
  const given = sha256(token);
  return secrets.map((secret) => timingSafeEqual(given, sha256(secret)));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
