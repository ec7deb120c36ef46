// A router that is mounted without an optional part: what needs the part is refused by name.
import { asWireError, errorResponse, notMounted, type Part } from "../wire/errors.ts";
import { CLOSE } from "../live/protocol.ts";
import { closedWith, isUpgrade } from "./upgrade.ts";
import type { LiveRouting } from "./live-part.ts";
import type { Halves } from "./split-part.ts";

export const noLive: LiveRouting = {
  async connect(_sides, _user, request) {
    const why = notMounted("live");
    return isUpgrade(request) ? closedWith(CLOSE.badMessage, why.message, request) : errorResponse(why);
  },
  disconnect: async () => refusal("live"),
};

export const noSplit: Halves = {
  queries: {
    queryBoth: async () => refusal("split"),
    locate: async () => refusal("split"),
    writeBoth: async () => refusal("split"),
    schema: async () => refusal("split"),
    thaw: async () => refusal("split"),
  },
  askCold: async () => refusal("split"),
  async explained(_user, _scope, run) {
    try {
      return await run();
    } catch (error) {
      return { ok: false, error: asWireError(error).info };
    }
  },
};

function refusal(part: Part) {
  return { ok: false, error: notMounted(part).info } as const;
}
