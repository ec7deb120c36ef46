// How SQLite's indexes order values; a mirror of pkg/wire/order.go.
import { Buffer } from "node:buffer";
import type { ExactValue } from "./values.ts";

const classOrder = { null: 0, integer: 1, real: 1, text: 2, blob: 3 } as const;

/** Negative, 0 or positive. TEXT compares by BINARY, NOCASE or RTRIM. */
export function compareValues(a: ExactValue, b: ExactValue, collation: string): number {
  if (classOrder[a.class] !== classOrder[b.class]) return classOrder[a.class] - classOrder[b.class];
  if ("bytes" in a && "bytes" in b) {
    return a.class === "text" ? compareText(a.bytes, b.bytes, collation) : Buffer.compare(a.bytes, b.bytes);
  }
  const [x, y] = [numberOf(a), numberOf(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

// JavaScript compares a bigint with a number exactly.
function numberOf(value: ExactValue): bigint | number {
  if (value.class === "integer") return BigInt(value.decimal);
  return value.class === "real" ? value.number : 0;
}

function compareText(a: Uint8Array, b: Uint8Array, collation: string): number {
  switch (collation.toUpperCase()) {
    case "NOCASE":
      return compareFolded(a, b);
    case "RTRIM":
      return Buffer.compare(trimmed(a), trimmed(b));
    default:
      return Buffer.compare(a, b);
  }
}

// SQLite folds ASCII letters only, and looks at nothing behind a zero byte that both have.
function compareFolded(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const [x, y] = [folded(a[i] ?? 0), folded(b[i] ?? 0)];
    if (x !== y) return x - y;
    if (x === 0) break;
  }
  return a.length - b.length;
}

function folded(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

function trimmed(text: Uint8Array): Uint8Array {
  let end = text.length;
  while (end > 0 && text[end - 1] === 32) end--;
  return text.subarray(0, end);
}
