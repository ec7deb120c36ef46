// A store that is mounted without live updates.
import type { Bookkeeping } from "../state/bookkeeping.ts";
import { notMounted, WireError } from "../wire/errors.ts";
import type { ChangeRecorder, LiveStore } from "./change-log.ts";

/** Nobody listens, and who asks is refused. The first write ends a log that a version with live updates began. */
export function noLive(books: Bookkeeping): LiveStore {
  return {
    record: (): ChangeRecorder | undefined => undefined,
    commit: () => {
      if (books.liveSince !== undefined) books.dropLive();
    },
    forget: () => {},
    accept: () => {
      throw notMounted("live");
    },
    owns: () => false,
    receive: async () => {},
    leave: () => {},
    announce: async () => {},
    closeIfMoved: () => {},
    sendAway: () => {},
    disconnect: () => 0,
    // The kind that commands know of Workers of before: they copy in another way.
    follow: () => {
      throw new WireError("not-found", `export/follow: ${notMounted("live").message}`);
    },
  };
}
