// Live updates through the router: only a user's Durable Object has them, so the question is whether that is
// where the user lives.
import { CLOSE, type ServerMessage } from "../live/protocol.ts";
import { asWireError, type ErrorInfo, errorResponse, notMounted, WireError } from "../wire/errors.ts";
import { parseUserId } from "../wire/routes.ts";
import { closedWith, isUpgrade, upgraded } from "./upgrade.ts";
import type { JourneyOptions } from "./journey.ts";
import type { Sides } from "./sides.ts";

/**
 * Connects a subscriber. While the user is served from the file, the connection is accepted and closed with
 * `CLOSE.moved`: a browser does not show the status of an upgrade that was refused. Never rejects.
 */
export async function connectLive(
  sides: Sides,
  user: string,
  request: Request,
  path: JourneyOptions["path"],
): Promise<Response> {
  try {
    if (!isUpgrade(request)) throw new WireError("bad-request", "live updates: expected a WebSocket upgrade");
    parseUserId(user);
    // A Durable Object that is asked comes into being; users who never moved need none.
    if (path === "r2" || !(await livesInStore(sides, user))) return await closedAtOnce(sides, user, request);
    const response = await sides.store.live(user, request);
    if (response.status === 501) return closedWith(CLOSE.badMessage, notMounted("live").message, request);
    if (response.status === 409) return await closedAtOnce(sides, user, request);
    return response.webSocket === null ? response : upgraded(response.webSocket, request);
  } catch (error) {
    return errorResponse(error);
  }
}

/** How many connections were closed, or an error of a known kind. */
export type DisconnectAnswer =
  { readonly ok: true; readonly closed: number } | { readonly ok: false; readonly error: ErrorInfo };

/** Closes all live connections of a user. Those of users in R2 are closed at once anyway. Never rejects. */
export async function disconnectLive(sides: Sides, user: string, reason: string): Promise<DisconnectAnswer> {
  try {
    parseUserId(user);
    if (sides.store.disconnect === undefined || !(await livesInStore(sides, user)))
      return { ok: true, closed: 0 };
    return { ok: true, closed: await sides.store.disconnect(user, reason) };
  } catch (error) {
    return { ok: false, error: asWireError(error).info };
  }
}

async function livesInStore({ flag, files }: Sides, user: string): Promise<boolean> {
  const flagged = await flag.isMigrated(user).catch(() => false);
  return flagged || (await files.look(user)).mark.fenced;
}

/**
 * A connection that says what the file is, and why it ends. The client comes back to poll: while the version
 * stays the same, it has nothing to read. Lineage 0 is of no store, so that a position of it continues nothing.
 */
async function closedAtOnce({ files }: Sides, user: string, request: Request): Promise<Response> {
  const { etag } = await files.look(user);
  const moved: ServerMessage = { type: "resync", reason: "moved", lin: 0, seq: 0, version: etag ?? "none" };
  return closedWith(CLOSE.moved, "the database is a file in R2, which is polled", request, moved);
}

/**
 * Refuses a subscriber's token with a reason that the client can read: a browser shows no status of an upgrade.
 * `request` is the one that asks for the upgrade.
 */
export function refuseLive(reason: string, request: Request): Response {
  return closedWith(CLOSE.token, reason, request);
}
