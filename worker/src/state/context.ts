import type { Bookkeeping } from "./bookkeeping.ts";

/** What every part of a store works on. */
export interface StoreContext {
  readonly storage: DurableObjectStorage;
  readonly sql: SqlStorage;
  readonly books: Bookkeeping;
}

/** Names the present content: it changes with every write of either side. */
export function contentVersion({ books }: StoreContext): string {
  return `${books.revision}:${books.writes}`;
}
