// Reads JSON that came over the wire: everything is `unknown` until one of these has looked at it.
import { badRequest } from "./errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** @throws WireError bad-request */
export function asObject(value: unknown, where: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw badRequest(where, "an object");
  return value as JsonObject;
}

/** @throws WireError bad-request */
export function asArray(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw badRequest(where, "an array");
  return value;
}

/** @throws WireError bad-request */
export function asString(value: unknown, where: string): string {
  if (typeof value !== "string") throw badRequest(where, "a string");
  return value;
}

/** @throws WireError bad-request */
export function asBoolean(value: unknown, where: string): boolean {
  if (typeof value !== "boolean") throw badRequest(where, "true or false");
  return value;
}

/** A whole number in [min, max]. @throws WireError bad-request */
export function asInteger(value: unknown, where: string, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
    throw badRequest(where, `a whole number from ${min} to ${max}`);
  }
  return value;
}

/** One of the given strings. @throws WireError bad-request */
export function asOneOf<T extends string>(value: unknown, where: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw badRequest(where, `one of ${allowed.join(", ")}`);
  return found;
}

/** @throws WireError bad-request */
export function asStrings(value: unknown, where: string): readonly string[] {
  return asArray(value, where).map((item, index) => asString(item, `${where}[${index}]`));
}

const CLAIM_MAX = 2 ** 32 - 1;

/** A claim number: it stands in the file's marks as 32 bits. @throws WireError bad-request */
export function asClaim(value: unknown, where: string): number {
  return asInteger(value, where, 0, CLAIM_MAX);
}

const DIGEST = /^[0-9a-f]{64}$/;

/** A SHA-256 in lower-case hex. @throws WireError bad-request */
export function asDigest(value: unknown, where: string): string {
  const text = asString(value, where);
  if (!DIGEST.test(text)) throw badRequest(where, "64 lower-case hex digits");
  return text;
}
