// The export page (docs/wire-format.md, section 5).
import { concatBytes, u32 } from "./binary.ts";
import { type Key, emitKey } from "./values.ts";
import type { Phase } from "./messages.ts";

const MAGIC = "DMX1";

export interface PageHeader {
  readonly table: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly last: Key | null;
  readonly done: boolean;
  readonly writes: number;
  readonly phase: Phase;
  readonly gen: number;
}

/** The bytes of an export page. */
export function encodePage(
  header: PageHeader,
  cells: readonly Uint8Array[],
  reals: readonly Uint8Array[],
): Uint8Array {
  const encoder = new TextEncoder();
  const json = encoder.encode(JSON.stringify({ ...header, last: emitKey(header.last) }));
  return concatBytes([
    encoder.encode(MAGIC),
    u32(json.length),
    json,
    u32(totalLength(cells)),
    ...cells,
    u32(totalLength(reals)),
    ...reals,
  ]);
}

function totalLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((size, part) => size + part.length, 0);
}
