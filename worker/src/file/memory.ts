// The linear memory of SQLite's WebAssembly instance. Views are taken again on every access, because each
// growth of the memory detaches the ones before.

/** An address in the instance's memory; 0 is C's NULL. */
export type Pointer = number;

const encoder = new TextEncoder();
// ignoreBOM keeps a U+FEFF that the text starts with: it belongs to the value.
const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** UTF-8 of a text, as SQLite stores it. */
export const encodeText = (text: string): Uint8Array => encoder.encode(text);

/** Text of UTF-8 bytes; what is not UTF-8 becomes U+FFFD, as it does in a Durable Object. */
export const decodeText = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Reads and writes of the memory that the C side and we share. */
export class LinearMemory {
  /** What the open file's request may make of it, in bytes, and whether more was asked for. */
  limit = Infinity;
  refused = false;

  constructor(readonly memory: WebAssembly.Memory) {}

  /** Size of the whole memory in bytes; it grows and never shrinks. */
  get size(): number {
    return this.memory.buffer.byteLength;
  }

  /** A view, valid only until the next call into SQLite. */
  view(at: Pointer, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, length);
  }

  /** A copy that stays. */
  copy(at: Pointer, length: number): Uint8Array {
    return this.view(at, length).slice();
  }

  write(at: Pointer, bytes: Uint8Array): void {
    this.view(at, bytes.byteLength).set(bytes);
  }

  readInt32(at: Pointer): number {
    return new DataView(this.memory.buffer).getInt32(at, true);
  }

  writeInt32(at: Pointer, value: number): void {
    new DataView(this.memory.buffer).setInt32(at, value, true);
  }

  readInt64(at: Pointer): bigint {
    return new DataView(this.memory.buffer).getBigInt64(at, true);
  }

  writeInt64(at: Pointer, value: bigint): void {
    new DataView(this.memory.buffer).setBigInt64(at, value, true);
  }

  /** A NUL-terminated UTF-8 text; "" for NULL. */
  cString(at: Pointer): string {
    if (at === 0) return "";
    const all = new Uint8Array(this.memory.buffer);
    return decodeText(all.subarray(at, all.indexOf(0, at)));
  }
}
