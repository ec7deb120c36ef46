// Values that may be larger than the platform keeps under one key: it refuses 2 MB, and the local runtime
// does not.
import { fromBase64, toBase64 } from "../wire/base64.ts";

/** What a text may have in one value: two bytes a character. */
const PART_CHARS = 400_000;

/** What stands under the key of a value that lies in parts. */
interface Parted {
  readonly parts: number;
}

const MARK = "_dbmigrate_parts";

/** Reads a value that `putLarge` wrote, or that an older Worker wrote as it is. */
export function getLarge<T>(kv: SyncKvStorage, key: string): T | undefined {
  const found = kv.get<unknown>(key);
  const parts = partsOf(found);
  if (parts === 0) return found as T | undefined;
  let text = "";
  for (let part = 0; part < parts; part++) {
    const piece = kv.get<string>(partKey(key, part));
    if (piece === undefined) throw new Error(`read ${key}: part ${part} of ${parts} is missing`);
    text += piece;
  }
  return JSON.parse(text, unpack) as T;
}

/** Writes a value of JSON's kinds, byte strings and whole or broken numbers, in as many parts as it needs. */
export function putLarge(kv: SyncKvStorage, key: string, value: unknown): void {
  const before = partsOf(kv.get<unknown>(key));
  const text = JSON.stringify(value, pack);
  const parts = text.length <= PART_CHARS ? 0 : Math.ceil(text.length / PART_CHARS);
  for (let part = 0; part < parts; part++) {
    kv.put(partKey(key, part), text.slice(part * PART_CHARS, (part + 1) * PART_CHARS));
  }
  for (let part = parts; part < before; part++) kv.delete(partKey(key, part));
  kv.put(key, parts === 0 ? value : { [MARK]: { parts } satisfies Parted });
}

/** Begins with the key, so dropping all keys of a prefix drops the parts, too. */
function partKey(key: string, part: number): string {
  return `${key}:part:${part}`;
}

function partsOf(found: unknown): number {
  if (typeof found !== "object" || found === null || !(MARK in found)) return 0;
  return (found[MARK] as Parted).parts;
}

// What JSON has no form for. Such an object is no value of ours.
function pack(this: unknown, key: string, plain: unknown): unknown {
  const value = (this as Readonly<Record<string, unknown>>)[key] ?? plain; // a Buffer has a JSON form of its own
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { $number: Object.is(value, -0) ? "-0" : String(value) };
  }
  return value;
}

function unpack(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("$bytes" in value) return fromBase64(String(value.$bytes), "a stored value");
  if ("$bigint" in value) return BigInt(String(value.$bigint));
  if ("$number" in value) return Number(value.$number);
  return value;
}
