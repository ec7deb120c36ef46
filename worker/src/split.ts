// Split mode, for applications that use it: `import { splitMode } from "@dbmigrate/worker/split"` (docs/split.md).
import { WriteWatch } from "./file/written.ts";
import { Effects } from "./live/effects.ts";
import { Recorder } from "./live/recorder.ts";
import { parseThawRequest } from "./query/thaw-request.ts";
import { splitRouting } from "./router/split-routing.ts";
import type { SplitMode } from "./router/split-part.ts";
import { noteThaw } from "./store/thaw.ts";

export {
  bothResponse,
  locateResponse,
  readBothRequest,
  readLocate,
  readSchema,
  readThaw,
  readWriteBoth,
  schemaResponse,
  thawResponse,
  writeBothResponse,
} from "./router/split-http.ts";
export { type MergeRule, mergeRows, type OrderTerm, type Total } from "./router/merge-rows.ts";

/** Old rows of a user in the Durable Object, and new ones in the file: give it to the router and the store. */
export const splitMode: SplitMode = {
  store: {
    watch: (sql, reader) => new Recorder(sql, new Effects(sql), reader),
    noteThaw: (store, request) => noteThaw(store, parseThawRequest(request)),
  },
  router: splitRouting((db) => new WriteWatch(db)),
};
