// Little-endian framing.
import { Buffer } from "node:buffer";
import { WireError } from "./errors.ts";

/** Walks over binary framing; every short read is a bad-batch. */
export class BinaryReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws WireError bad-batch */
  take(count: number, what: string): Uint8Array {
    if (this.#bytes.length - this.#at < count) throw badBatch(`the body ends inside ${what}`);
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** @throws WireError bad-batch */
  u32(what: string): number {
    this.take(4, what);
    return this.#view.getUint32(this.#at - 4, true);
  }

  /** Bytes behind their u32 count. @throws WireError bad-batch */
  counted(what: string): Uint8Array {
    return this.take(this.u32(what), what);
  }

  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at, "the rest");
  }
}

export function badBatch(reason: string): WireError {
  return new WireError("bad-batch", reason);
}

/** A u32, little-endian. */
export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** A u64, little-endian. */
export function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

/** The parts side by side. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Compares strings as UTF-8 bytes. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}
