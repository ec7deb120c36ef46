// Points in time of an object's storage, for the platform's own recovery (docs/runbook.md).
import type { StoreContext } from "../state/context.ts";

/** The present one; nothing where the runtime offers none, as the local one. */
export async function presentBookmark({ storage }: StoreContext): Promise<string | undefined> {
  try {
    const bookmark = await storage.getCurrentBookmark();
    return typeof bookmark === "string" && bookmark !== "" ? bookmark : undefined;
  } catch {
    return undefined;
  }
}

/** The receipt with the bookmarks that are known, where it has none yet. */
export function withBookmarks(receipt: unknown, bookmarks: object): unknown {
  if (typeof receipt !== "object" || receipt === null || "bookmarks" in receipt) return receipt;
  return Object.keys(bookmarks).length === 0 ? receipt : { ...receipt, bookmarks };
}
