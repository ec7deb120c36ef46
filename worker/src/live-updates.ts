// Live updates, for applications that use them: `import { liveUpdates } from "@dbmigrate/worker/live-updates"`
// (docs/live-updates.md).
import { LiveHub } from "./live/hub.ts";
import { connectLive, disconnectLive } from "./router/live.ts";
import type { LiveUpdates } from "./router/live-part.ts";

export { CLOSE, LIVE_LIMITS, type ClientMessage, type ServerMessage } from "./live/protocol.ts";
export { refuseLive } from "./router/live.ts";
export { liveToken } from "./router/upgrade.ts";

/** Subscriptions to a user's writes, and copies that follow them: give it to the router and the store. */
export const liveUpdates: LiveUpdates = {
  store: (ctx, store, reader) => new LiveHub(ctx, store, reader),
  router: { connect: connectLive, disconnect: disconnectLive },
};
