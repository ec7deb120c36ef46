// The body of `import` (docs/wire-format.md, section 11): a header, and one batch of rows behind it.
import { BinaryReader, badBatch } from "./binary.ts";
import { badRequest } from "./errors.ts";
import { asClaim, asObject, asOneOf, asString, type JsonObject } from "./json.ts";
import { parseJson } from "./parse-json.ts";
import { type Schema, intents, parseSchema } from "./messages.ts";

const MAGIC = "DMI1";
const ETAG = /^[0-9a-f]{32}(-\d+)?$/;

/** A claim, and all that the object shall hold. */
export interface ImportMessage {
  /** The body of `claim`. */
  readonly claim: JsonObject;
  /** The version of the file that the rows were read from. */
  readonly etag: string;
  readonly schema: Schema;
  /** The batch, empty where the file has no rows. */
  readonly batch: Uint8Array;
}

/** @throws WireError bad-batch or bad-request */
export function parseImport(body: Uint8Array): ImportMessage {
  const reader = new BinaryReader(body);
  if (new TextDecoder().decode(reader.take(4, "the magic")) !== MAGIC)
    throw badBatch(`the body does not begin with ${MAGIC}`);
  const header = parseHeader(reader.counted("the header"));
  const etag = asString(header["etag"], "etag");
  if (!ETAG.test(etag)) throw badRequest("etag", "that of a file in R2");
  return {
    claim: parseClaim(asObject(header["claim"], "claim")),
    etag,
    schema: parseSchema(header["schema"]),
    batch: reader.rest(),
  };
}

function parseHeader(bytes: Uint8Array): JsonObject {
  return asObject(parseJson(bytes, "header"), "header");
}

/** A claim without an id could not be repeated, and this request may have to be. */
function parseClaim(claim: JsonObject): JsonObject {
  return {
    intent: asOneOf(claim["intent"], "intent", intents),
    seen: asClaim(claim["seen"], "seen"),
    id: asString(claim["id"], "id"),
  };
}
