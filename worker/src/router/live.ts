// Live updates through the router: only a user's Durable Object has them, so the question is whether that is
// where the user lives.
import { CLOSE } from "../live/protocol.ts";
import { errorResponse, WireError } from "../wire/errors.ts";
import { parseUserId } from "../wire/routes.ts";
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
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      throw new WireError("bad-request", "live updates: expected a WebSocket upgrade");
    }
    parseUserId(user);
    // A Durable Object that is asked comes into being; users who never moved need none.
    if (path === "r2" || !(await livesInStore(sides, user))) return closedAtOnce();
    const response = await sides.store.live(user, request);
    return response.status === 409 ? closedAtOnce() : response;
  } catch (error) {
    return errorResponse(error);
  }
}

async function livesInStore({ flag, files }: Sides, user: string): Promise<boolean> {
  const flagged = await flag.isMigrated(user).catch(() => false);
  return flagged || (await files.look(user)).mark.fenced;
}

/** A connection that says why it ends. */
function closedAtOnce(): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.close(CLOSE.moved, "the database is a file in R2, which has no live updates");
  return new Response(null, { status: 101, webSocket: client });
}
