// The answer to `export` (docs/wire-format.md, section 11).
import { concatBytes, u32 } from "./binary.ts";

const MAGIC = "DMA1";

/** A header, and the export page of each table. */
export function encodeExported(head: object, pages: readonly Uint8Array[]): Uint8Array {
  const encoder = new TextEncoder();
  const json = encoder.encode(JSON.stringify(head));
  const framed = pages.flatMap((page) => [u32(page.length), page]);
  return concatBytes([encoder.encode(MAGIC), u32(json.length), json, ...framed]);
}
