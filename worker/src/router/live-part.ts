// What live updates add to a router (docs/live-updates.md).
import type { MakeLive } from "../query/change-log.ts";
import type { DisconnectAnswer } from "./live.ts";
import type { Sides } from "./sides.ts";

/** Live updates, as a router sees them. */
export interface LiveRouting {
  /** Connects a subscriber. Never rejects. */
  connect(sides: Sides, user: string, request: Request, path: "auto" | "r2"): Promise<Response>;
  /** Closes all live connections of a user. Never rejects. */
  disconnect(sides: Sides, user: string, reason: string): Promise<DisconnectAnswer>;
}

/** `liveUpdates` of `@dbmigrate/worker/live-updates`. */
export interface LiveUpdates {
  readonly store: MakeLive;
  readonly router: LiveRouting;
}
