import { expect, it } from "vitest";
import { presentBookmark, withBookmarks } from "../../src/store/bookmark.ts";
import type { StoreContext } from "../../src/state/context.ts";
import { Client, table } from "./client.ts";

const storeWith = (getCurrentBookmark: unknown) =>
  ({ storage: { getCurrentBookmark } }) as unknown as StoreContext;

it("takes a bookmark where the runtime offers one, and does without elsewhere", async () => {
  expect(await presentBookmark(storeWith(() => Promise.resolve("0000-1")))).toBe("0000-1");
  expect(await presentBookmark(storeWith(() => Promise.reject(new Error("not here"))))).toBe(undefined);
  expect(await presentBookmark(storeWith(undefined))).toBe(undefined);
});

it("notes them in a receipt once", () => {
  const bookmarks = { claim: "a", activation: "b" };
  expect(withBookmarks({ run: "r" }, bookmarks)).toEqual({ run: "r", bookmarks });
  expect(withBookmarks({ run: "r", bookmarks }, { claim: "c" })).toEqual({ run: "r", bookmarks });
  expect(withBookmarks({ run: "r" }, {})).toEqual({ run: "r" });
  expect(withBookmarks(null, bookmarks)).toBe(null);
});

it("an object that was opened has a receipt with the bookmarks of claim and activation", async () => {
  const client = new Client();
  const rows = { t: { columns: ["id"], rows: [[1n]] } };
  await client.import([table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY)")], rows as never);
  const { json } = await client.post("activate", { gen: client.gen });
  expect(json).toMatchObject({ phase: "ACTIVE", receipt: { user: client.user, claim: client.gen } });
  expect(json.receipt.bookmarks).toEqual({ claim: expect.any(String), activation: expect.any(String) });
});
