// The body of `return` and `export` (docs/wire-format.md, section 11).
import { badRequest } from "./errors.ts";
import { type JsonObject, asClaim, asDigest, asInteger, asObject, asString } from "./json.ts";

const ETAG = /^[0-9a-f]{32}(-\d+)?$/;

/** A claim to roll back, and the version of the file that its sender has seen behind the fence. */
export interface BackMessage {
  /** The body of `claim`. */
  readonly claim: JsonObject;
  /** The number that the claim gets, if it is granted. */
  readonly gen: number;
  readonly etag: string;
  /** When that version was written, in seconds: another bucket may hold the same bytes. */
  readonly modified: number;
}

/** @throws WireError bad-request */
export function parseBack(body: JsonObject): BackMessage {
  const etag = asString(body["etag"], "etag");
  if (!ETAG.test(etag)) throw badRequest("etag", "that of a file in R2");
  const claim = asObject(body["claim"], "claim");
  if (claim["intent"] !== "rollback") throw badRequest("claim.intent", "rollback");
  const seen = asClaim(claim["seen"], "claim.seen");
  return {
    // A claim without an id could not be repeated, and this request may have to be.
    claim: { intent: "rollback", seen, id: asString(claim["id"], "claim.id") },
    gen: seen + 1,
    etag,
    modified: asInteger(body["modified"], "modified", 0, Number.MAX_SAFE_INTEGER),
  };
}

/** SHA-256 of the file without its mark, by the receipt of its migrate. @throws WireError bad-request */
export function parseSource(body: JsonObject): string {
  return asDigest(body["source"], "source");
}
