// The Worker that the tests of logic and schema run in. What is mounted is the test's to say.
import { parts } from "../../service/mounted.ts";
import { type StoreOptions, UserDataStore } from "../../src/user-data-store.ts";

/** What router and store are told, now. */
export const mounted: { -readonly [Name in keyof StoreOptions]: StoreOptions[Name] } = { ...parts };

export class AppStore extends UserDataStore {
  protected override readonly storeOptions: StoreOptions = mounted;
}

export default { fetch: () => new Response("nothing here", { status: 404 }) };
