// Reads and writes the value forms of the query API (docs/wire-format.md, section 8).
import { WireError } from "../wire/errors.ts";
import { MAX_EXACT_INTEGER } from "../wire/limits.ts";
import { fromBase64, toBase64 } from "../wire/base64.ts";
import type { ResultValue } from "./types.ts";

/** One parameter, with its storage class decided. */
export type SqlParam =
  | { readonly type: "null" }
  | { readonly type: "integer"; readonly value: bigint }
  | { readonly type: "real"; readonly value: number }
  | { readonly type: "text"; readonly value: string }
  | { readonly type: "blob"; readonly value: Uint8Array };

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/**
 * Reads a parameter.
 * @param where names it in errors
 * @throws WireError bad-request
 */
export function parseParam(value: unknown, where: string): SqlParam {
  switch (typeof value) {
    case "string":
      return textParam(value, where);
    case "number":
      return numberParam(value, where);
    case "boolean":
      return { type: "integer", value: value ? 1n : 0n };
    case "bigint":
      return integerParam(value, where);
    case "object":
      return value === null ? { type: "null" } : objectParam(value, where);
    default:
      throw refused(where, `a ${typeof value} is no SQL value`);
  }
}

function textParam(value: string, where: string): SqlParam {
  // A lone surrogate has no UTF-8 form: SQLite would hold bytes that no reader gets back.
  if (!value.isWellFormed()) throw refused(where, "the string holds a lone surrogate");
  return { type: "text", value };
}

function numberParam(value: number, where: string): SqlParam {
  if (Number.isNaN(value)) throw refused(where, "NaN is no SQL value; send null");
  return isPlainInteger(value) ? { type: "integer", value: BigInt(value) } : { type: "real", value };
}

function integerParam(value: bigint, where: string): SqlParam {
  if (value < MIN_INT64 || value > MAX_INT64) throw refused(where, "the integer does not fit 64 bits");
  return { type: "integer", value };
}

function objectParam(value: object, where: string): SqlParam {
  if (value instanceof ArrayBuffer) return { type: "blob", value: new Uint8Array(value) };
  if (ArrayBuffer.isView(value)) {
    return { type: "blob", value: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) };
  }
  const entries = Object.entries(value);
  const [key, content] = entries[0] ?? [];
  if (entries.length !== 1 || typeof content !== "string") throw refused(where, `no value form`);
  if (key === "int") return parseInt64(content, where);
  if (key === "real") return parseReal(content, where);
  if (key === "blob") return { type: "blob", value: fromBase64(content, where) };
  throw refused(where, "no value form");
}

function parseInt64(text: string, where: string): SqlParam {
  if (!/^[+-]?\d{1,20}$/.test(text)) throw refused(where, '"int" is a decimal integer');
  return integerParam(BigInt(text.replace(/^\+/, "")), where);
}

function parseReal(text: string, where: string): SqlParam {
  if (text === "Infinity") return { type: "real", value: Infinity };
  if (text === "-Infinity") return { type: "real", value: -Infinity };
  if (!DECIMAL.test(text)) throw refused(where, '"real" is a decimal number, "Infinity" or "-Infinity"');
  const value = Number(text);
  if (!Number.isFinite(value)) throw refused(where, '"real" is beyond the largest REAL; or say "Infinity"');
  return { type: "real", value };
}

function refused(where: string, reason: string): WireError {
  return new WireError("bad-request", `${where}: ${reason}`);
}

// A plain JSON number stands for an INTEGER exactly when this holds; -0 is a REAL.
function isPlainInteger(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) <= MAX_EXACT_INTEGER && !Object.is(value, -0);
}

/** An INTEGER of a result. */
export function emitInteger(value: bigint): ResultValue {
  const limit = BigInt(MAX_EXACT_INTEGER);
  return value >= -limit && value <= limit ? Number(value) : { int: value.toString() };
}

// JSON.stringify writes a number from here on with an exponent, and a whole one below without.
const FIRST_WITH_EXPONENT = 1e21;

/**
 * A REAL of a result: a plain number only where a reader would take it for a REAL, and where it may come back
 * as a parameter.
 */
export function emitReal(value: number): ResultValue {
  if (Object.is(value, -0)) return { real: "-0" };
  if (!Number.isFinite(value)) return { real: value > 0 ? "Infinity" : "-Infinity" };
  const looksWhole = Number.isInteger(value) && Math.abs(value) < FIRST_WITH_EXPONENT;
  return looksWhole ? { real: `${value}.0` } : value;
}

/** A BLOB of a result. */
export function emitBlob(value: Uint8Array): ResultValue {
  return { blob: toBase64(value) };
}
