// Takes a user back who has written nothing since the migrate: the file behind the fence is the user's data
// still. It goes from R2 to R2; nothing of it travels to the operator.
import { readJson } from "../../wire/body.ts";
import { parseBack, parseSource } from "../../wire/back.ts";
import { WireError } from "../../wire/errors.ts";
import { type JsonObject, asObject } from "../../wire/json.ts";
import { putKept, readKept } from "./kept.ts";
import { type Place, step } from "./place.ts";

/** For so long a digest is gone on with that is not done at once. The user's writes wait. */
const DIGEST_MS = 20_000;

export async function returnUser(request: Request, { key, bucket, object }: Place): Promise<object> {
  const body = asObject(await readJson(request), "body");
  const wanted = parseBack(body);
  const source = parseSource(body);
  const { gen } = wanted;
  const kept = await step("look", () => readKept(bucket, key, wanted, source));
  const sealed = await step("seal", () => object.ask("seal", wanted.claim));
  const claimed = asObject(sealed["claimed"], "claimed");
  if (kept !== "put") {
    await step("compare", async () =>
      demandUnchanged(claimed, await completed(sealed["digest"], object), gen),
    );
    await step("put", () => putKept(bucket, kept, gen));
  }
  const status = await step("release", () => object.ask("release", { gen }));
  return { status };
}

/** Goes on with the digest that the seal began. */
async function completed(digest: unknown, object: Place["object"]): Promise<JsonObject> {
  const until = Date.now() + DIGEST_MS;
  let report = asObject(digest, "digest");
  while (report["complete"] !== true) {
    if (Date.now() > until) throw new WireError("digest-incomplete", "the digest takes too long");
    report = await object.ask("digest", { budgetMs: 5000 });
  }
  return report;
}

/**
 * Demands that the sealed object holds what was imported into it. A write may leave every row as it was and
 * still change what no digest covers, so writes are counted, too.
 */
function demandUnchanged(claimed: JsonObject, report: JsonObject, gen: number): void {
  if (report["gen"] !== gen)
    throw new WireError("stale-claim", `claim ${gen} was superseded`, { gen: report["gen"] });
  const receipt = asObject(claimed["receipt"], "receipt");
  const imported = asObject(receipt["digest"], "receipt.digest")["database"];
  const own = asObject(report["digest"], "digest")["database"];
  if (claimed["writes"] !== claimed["writesAtActivation"] || typeof own !== "string" || own !== imported)
    throw new WireError("digest-mismatch", "the Durable Object holds more than the kept file");
}
