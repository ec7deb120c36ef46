// Seals a small user who has written since the migrate, and answers with everything that the object holds.
import { readJson } from "../../wire/body.ts";
import { parseBack } from "../../wire/back.ts";
import { asObject } from "../../wire/json.ts";
import { EXPORT_BYTES } from "../../wire/limits.ts";
import { fileChanged } from "../mark.ts";
import { holding } from "./held.ts";
import { demandSeen } from "./kept.ts";
import { type Place, step } from "./place.ts";

export async function exportUser(request: Request, place: Place): Promise<Uint8Array> {
  return holding(EXPORT_BYTES, () => exported(request, place));
}

async function exported(request: Request, { key, bucket, object }: Place): Promise<Uint8Array> {
  const wanted = parseBack(asObject(await readJson(request), "body"));
  await step("look", async () => {
    const seen = await bucket.head(key);
    if (seen === null) throw fileChanged(key);
    demandSeen(seen, wanted);
  });
  const answer = await step("seal", () => object.send("hand-over", wanted.claim));
  return new Uint8Array(await step("seal", () => answer.arrayBuffer()));
}
