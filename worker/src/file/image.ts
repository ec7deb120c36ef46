// The bytes of a database file before SQLite opens them in memory, and before they are saved.

import { Buffer } from "node:buffer";
import { WireError } from "../wire/errors.ts";

const MAGIC = "SQLite format 3\0";
/**
 * Offsets in the database header: file format write and read version (sqlite.org/fileformat2.html, section
 * 1.3.5).
 */
const WRITE_VERSION = 18;
const READ_VERSION = 19;
/**
 * Version 2 says WAL. A database in memory cannot have a -wal beside it, so SQLite refuses to open such a
 * file there.
 */
const WAL = 2;
const ROLLBACK_JOURNAL = 1;

/** Offset of the text encoding, a big-endian u32: 1 is UTF-8, 2 and 3 are UTF-16. */
const TEXT_ENCODING = 56;
const UTF8 = 1;

/**
 * The official WebAssembly build leaves UTF-16 out, and would call such a file malformed.
 * @throws WireError internal
 */
export function refuseUtf16(image: Uint8Array): void {
  const encoding = image[TEXT_ENCODING + 3] ?? 0;
  if (!hasHeader(image) || encoding <= UTF8) return;
  throw new WireError(
    "internal",
    "open the database file: its text is UTF-16, which SQLite's WebAssembly build cannot read: " +
      "move the user into a Durable Object, or rewrite the file as UTF-8",
  );
}

function hasHeader(image: Uint8Array): boolean {
  return Buffer.from(image.subarray(0, MAGIC.length)).toString("latin1") === MAGIC;
}

/** Makes a copy of a file one that opens in memory: takes the WAL version numbers out, in place. */
export function clearWalFlags(image: Uint8Array): void {
  for (const offset of walFlags(image)) image[offset] = ROLLBACK_JOURNAL;
}

/**
 * `image` with the WAL version numbers that `original` has, which its other readers expect: a copy, or
 * `image` itself.
 */
export function withWalFlagsOf(original: Uint8Array, image: Uint8Array): Uint8Array {
  const offsets = walFlags(original);
  if (offsets.length === 0) return image;
  const copy = image.slice();
  for (const offset of offsets) copy[offset] = WAL;
  return copy;
}

function walFlags(image: Uint8Array): number[] {
  return [WRITE_VERSION, READ_VERSION].filter((offset) => image[offset] === WAL);
}
