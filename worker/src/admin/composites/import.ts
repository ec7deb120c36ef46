// Claims a user and fills the object with the rows of the request, if the file still is the version that they
// were read from.
import { readBinary } from "../../wire/body.ts";
import { parseImport } from "../../wire/import.ts";
import { LIMITS } from "../../wire/limits.ts";
import { fileChanged } from "../mark.ts";
import { announced, holding } from "./held.ts";
import { type Place, step } from "./place.ts";

export async function importUser(request: Request, place: Place): Promise<object> {
  return holding(announced(request, LIMITS.batchBytes), () => imported(request, place));
}

async function imported(request: Request, { key, bucket, object }: Place): Promise<object> {
  const body = await readBinary(request);
  const { claim, etag } = parseImport(body);
  const claimed = await step("claim", () => object.ask("claim", claim));
  // Somebody else was faster, or the user is there already: the operator's side decides.
  if (claimed["outcome"] !== "import") return { claimed };
  await step("look", async () => {
    if ((await bucket.head(key))?.etag !== etag) throw fileChanged(key);
  });
  const filled = await step("fill", () => object.ask("fill", body, { gen: String(claimed["gen"]) }));
  return { claimed, ...filled };
}
