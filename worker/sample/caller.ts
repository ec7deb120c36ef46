import { bearerToken, whichMatch } from "../src/auth.ts";

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
    bearerToken(request) ??
    /(?:^|, *)bearer\.([^\s,]+)/.exec(request.headers.get("sec-websocket-protocol") ?? "")?.[1] ??
    "";
  return whichMatch(given, [token]).includes(true);
}
