// Exact SQLite values, and their JSON form (docs/wire-format.md, section 3.2).
import { fromBase64, toBase64 } from "./base64.ts";
import { badRequest } from "./errors.ts";
import { asArray, asObject } from "./json.ts";

/** One SQLite value, exact. TEXT is bytes, since it need not be UTF-8; INTEGER is decimal. */
export type ExactValue =
  | { readonly class: "null" }
  | { readonly class: "integer"; readonly decimal: string }
  | { readonly class: "real"; readonly number: number }
  | { readonly class: "text"; readonly bytes: Uint8Array }
  | { readonly class: "blob"; readonly bytes: Uint8Array };

/** The key of a row: its rowid, or the primary key of a WITHOUT ROWID table. */
export type Key = readonly ExactValue[];

const INT64_LIMIT = 2n ** 63n;

/** Whether the text is the canonical decimal of an int64. */
export function isInt64(text: string): boolean {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return false;
  const value = BigInt(text);
  return value >= -INT64_LIMIT && value < INT64_LIMIT;
}

/** @throws WireError bad-request */
export function parseWireValue(value: unknown, where: string): ExactValue {
  if (value === null) return { class: "null" };
  const entries = Object.entries(asObject(value, where));
  const [form, content] = entries[0] ?? [];
  if (entries.length !== 1 || typeof content !== "string") throw badRequest(where, "a wire value");
  switch (form) {
    case "int":
      if (!isInt64(content)) throw badRequest(where, "a decimal int64");
      return { class: "integer", decimal: content };
    case "real":
      return { class: "real", number: parseRealBits(content, where) };
    case "text":
    case "blob":
      return { class: form, bytes: fromBase64(content, where) };
    default:
      throw badRequest(where, "a wire value");
  }
}

/** @throws WireError bad-request */
export function parseKey(value: unknown, where: string): Key | null {
  if (value === null || value === undefined) return null;
  return asArray(value, where).map((item, index) => parseWireValue(item, `${where}[${index}]`));
}

/** The JSON form of a value. */
export function emitWireValue(value: ExactValue): unknown {
  switch (value.class) {
    case "null":
      return null;
    case "integer":
      return { int: value.decimal };
    case "real":
      return { real: realBits(value.number) };
    default:
      return { [value.class]: toBase64(value.bytes) };
  }
}

/** The JSON form of a key. */
export function emitKey(key: Key | null): unknown {
  return key === null ? null : key.map(emitWireValue);
}

function parseRealBits(hex: string, where: string): number {
  if (!/^[0-9a-f]{16}$/.test(hex)) throw badRequest(where, "16 lower-case hex digits");
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt("0x" + hex));
  const number = view.getFloat64(0);
  if (Number.isNaN(number)) throw badRequest(where, "a REAL, and SQLite has no NaN");
  return number;
}

function realBits(number: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, number);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}
