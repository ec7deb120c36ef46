import { Buffer } from "node:buffer";
import { WireError } from "./errors.ts";

// The last character carries no bits behind the end: every content has one spelling.
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;

/**
 * Decodes standard base64 with padding.
 * @param where names the field in errors
 * @throws WireError bad-request
 */
export function fromBase64(text: string, where: string): Uint8Array {
  if (!BASE64.test(text)) throw new WireError("bad-request", `${where}: not base64 with padding`);
  const bytes = Buffer.from(text, "base64");
  // A copy of its own: small Buffers share a pool, and bindings would see all of it.
  return Uint8Array.from(bytes);
}

/** Encodes as standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
