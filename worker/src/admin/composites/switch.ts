// Fences the file, and opens the object that holds the same content. The application's writes wait from the
// fence to `open`.
import { readJson } from "../../wire/body.ts";
import { WireError } from "../../wire/errors.ts";
import { type JsonObject, asClaim, asObject } from "../../wire/json.ts";
import { parseDatabaseDigest } from "../../wire/messages.ts";
import { type MarkRequest, markFile, parseMarkRequest } from "../mark.ts";
import { type Place, step } from "./place.ts";

/** What a switch does: the fence, and the body of `open`. */
interface SwitchMessage {
  readonly gen: number;
  readonly mark: MarkRequest;
  readonly digest: unknown;
  readonly receipt: JsonObject;
}

/** Whatever is malformed is refused before the fence. @throws WireError bad-request */
export function parseSwitch(body: JsonObject): SwitchMessage {
  parseDatabaseDigest(body["digest"]);
  return {
    gen: asClaim(body["gen"], "gen"),
    mark: parseMarkRequest(asObject(body["mark"], "mark")),
    digest: body["digest"],
    receipt: asObject(body["receipt"], "receipt"),
  };
}

export async function switchUser(request: Request, place: Place): Promise<object> {
  const { gen, mark, digest, receipt } = parseSwitch(asObject(await readJson(request), "body"));
  await step("mark", () => fence(place, mark));
  const status = await step("open", () => place.object.ask("open", { gen, digest, receipt }));
  const [kept, file] = await Promise.all([keepReceipt(place, gen, toKeep(status, receipt)), lookAt(place)]);
  return { status, receiptKept: kept, file };
}

/** The same request again finds its fence: its random bytes make the ETag one that no other file has. */
async function fence({ bucket, key }: Place, mark: MarkRequest): Promise<void> {
  try {
    const { etag } = await markFile(bucket, key, mark);
    if (etag !== mark.md5) throw new WireError("internal", `${key} is not in R2 as it was sent`);
  } catch (error) {
    if (!(error instanceof WireError) || error.kind !== "file-changed") throw error;
    if ((await bucket.head(key))?.etag !== mark.md5) throw error;
  }
}

/** That of the object, which has noted its points in time. */
function toKeep({ receipt }: JsonObject, sent: JsonObject): JsonObject {
  return typeof receipt === "object" && receipt !== null ? asObject(receipt, "receipt") : sent;
}

/** Nothing waits for R2's copy of the receipt: without it the operator's side puts it. */
async function keepReceipt({ bucket, user }: Place, gen: number, receipt: JsonObject): Promise<boolean> {
  try {
    await bucket.put(`.dbmigrate/receipts/${user}/${gen}.json`, JSON.stringify(receipt) + "\n", {
      httpMetadata: { contentType: "application/json" },
    });
    return true;
  } catch {
    return false;
  }
}

/** What the file is once the object serves; nothing where the look fails. */
async function lookAt({ bucket, key }: Place): Promise<{ etag: string | null } | null> {
  try {
    return { etag: (await bucket.head(key))?.etag ?? null };
  } catch {
    return null;
  }
}
