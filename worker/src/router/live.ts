// Live updates through the router: only a user's Durable Object has them, so the question is whether that is where the user lives.
import { errorResponse, WireError } from "../wire/errors.ts";
import { parseUserId } from "../wire/routes.ts";
import type { Sides } from "./sides.ts";

/** Connects a subscriber, or answers why not: 409 `not-active` while the user is served from the file. Never rejects. */
export async function connectLive(sides: Sides, user: string, request: Request): Promise<Response> {
  try {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      throw new WireError("bad-request", "live updates: expected a WebSocket upgrade");
    }
    parseUserId(user);
    // A Durable Object that is asked comes into being; users who never moved need none.
    if (!(await livesInStore(sides, user))) throw inFile();
    return await sides.store.live(user, request);
  } catch (error) {
    return errorResponse(error);
  }
}

/** The answer while files answer everything. */
export function noLive(): Response {
  return errorResponse(inFile());
}

async function livesInStore({ flag, files }: Sides, user: string): Promise<boolean> {
  const flagged = await flag.isMigrated(user).catch(() => false);
  return flagged || (await files.look(user)).mark.fenced;
}

function inFile(): WireError {
  return new WireError(
    "not-active",
    "the user's database is a file in R2, which has no live updates: poll, and try again later",
  );
}
