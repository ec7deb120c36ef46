// D1's values, in and out.
import type { QueryValue, ResultValue } from "../query/types.ts";
import { fromBase64 } from "../wire/base64.ts";
import { typeError } from "./errors.ts";

/** A parameter as D1 takes it. @throws Error D1_TYPE_ERROR for anything else */
export function bindValue(value: unknown): QueryValue {
  switch (typeof value) {
    case "number":
      return numberValue(value);
    case "string":
      return wellFormed(value);
    case "boolean":
      return numberValue(value ? 1 : 0);
    case "object":
      return objectValue(value);
  }
  throw typeError(value);
}

/** A lone surrogate is three bytes in D1, and comes out of it like this. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd\ufffd\ufffd");
}

// Every number is a REAL to D1, until a column's affinity makes an INTEGER of it; and JSON has no infinities.
function numberValue(value: number): QueryValue {
  if (!Number.isFinite(value)) return null;
  return Number.isInteger(value) && !Object.is(value, -0) ? { real: String(value) } : value;
}

function objectValue(value: object | null): QueryValue {
  if (value === null || value instanceof ArrayBuffer) return value;
  // Elements are bytes to D1, however wide the view's are.
  if (ArrayBuffer.isView(value)) return Uint8Array.from(value as unknown as ArrayLike<number>);
  if (Array.isArray(value) && value.every(isByte)) return new Uint8Array(value);
  throw typeError(value);
}

function isByte(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < 256;
}

/** A value as D1 gives it: BLOBs are arrays of bytes, and large INTEGERs lose digits. */
export function readValue(value: ResultValue): unknown {
  if (value === null || typeof value !== "object") return value;
  if ("blob" in value) return Array.from(fromBase64(value.blob, "blob"));
  const number = Number("int" in value ? value.int : value.real);
  if (!Number.isFinite(number)) return null; // JSON has no infinities, and no -0
  return number === 0 ? 0 : number;
}
