import { createHash, timingSafeEqual } from "node:crypto";

/** The subprotocol of live updates. */
export const LIVE_PROTOCOL = "dbmigrate-live";

/**
 * Whether the request carries the application's own bearer token; nobody does while none is set. A browser's
 * WebSocket has no headers to put one into, so it offers a second subprotocol, "bearer." and the token: in
 * the URL the token would lie in logs.
 */
export function isCaller(request: Request, token: string | undefined): boolean {
  if (token === undefined || token === "") return false;
  const given =
    /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1] ??
    /(?:^|, *)bearer\.([^\s,]+)/.exec(request.headers.get("sec-websocket-protocol") ?? "")?.[1] ??
    "";
  // Hashes have equal lengths, so the time taken tells nothing about the token.
  return timingSafeEqual(sha256(given), sha256(token));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
