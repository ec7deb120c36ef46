// Tells the ids of users' Durable Objects. Cloudflare's API lists objects by id only, and only the Worker's
// binding can derive an id from a name.
import { WireError } from "../wire/errors.ts";
import { readJson } from "../wire/body.ts";
import { asArray, asObject, asString } from "../wire/json.ts";
import { parseUserId } from "../wire/routes.ts";

/** The most users of one request. */
export const MOST_IDS = 1000;

/** The part of a namespace that this needs. */
interface Namer {
  idFromName(name: string): { toString(): string };
}

/** Reads `{"users":[...]}`, touches no object, and answers with the ids in that order. */
export async function tellIds(request: Request, store: Namer): Promise<{ ids: string[] }> {
  const body = asObject(await readJson(request, "application/octet-stream"), "body");
  const users = asArray(body["users"], "users");
  if (users.length > MOST_IDS) throw new WireError("too-large", `users: more than ${MOST_IDS}`);
  return { ids: users.map((user) => store.idFromName(parseUserId(asString(user, "user"))).toString()) };
}
