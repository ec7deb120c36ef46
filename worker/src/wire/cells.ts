// Cells: the self-delimiting bytes of values in exports, digests and D frames (docs/wire-format.md, section
// 3.1).
import { badBatch } from "./binary.ts";
import { type ExactValue, isInt64 } from "./values.ts";

const ascii = new TextEncoder();
const latin = new TextDecoder("latin1", { fatal: false, ignoreBOM: true });

/** A value as a cell; a REAL's bits go elsewhere. */
export function encodeCell(value: ExactValue): Uint8Array[] {
  switch (value.class) {
    case "null":
      return [ascii.encode("N")];
    case "integer":
      return [ascii.encode(`I${value.decimal};`)];
    case "real":
      return [ascii.encode("R")];
    default:
      return [ascii.encode(`${value.class === "text" ? "T" : "B"}${value.bytes.length}:`), value.bytes];
  }
}

/** A string as a TEXT cell. */
export function encodeTextCell(text: string): Uint8Array[] {
  return encodeCell({ class: "text", bytes: ascii.encode(text) });
}

/**
 * The values of cells and their reals.
 * @throws WireError bad-batch
 */
export function decodeCells(cells: Uint8Array, reals: Uint8Array): ExactValue[] {
  const values: ExactValue[] = [];
  const realView = new DataView(reals.buffer, reals.byteOffset, reals.byteLength);
  let realAt = 0;
  for (let at = 0; at < cells.length;) {
    const cell = readCell(cells, at);
    at = cell.end;
    if (cell.value !== "real") {
      values.push(cell.value);
      continue;
    }
    if (realAt + 8 > reals.length) throw badBatch("fewer reals than R cells");
    values.push(realValue(realView.getFloat64(realAt, true)));
    realAt += 8;
  }
  if (realAt !== reals.length) throw badBatch("more reals than R cells");
  return values;
}

const [NULL_TAG, REAL_TAG, INTEGER_TAG] = [..."NRI"].map((tag) => tag.charCodeAt(0));
const [ZERO, COLON, SEMICOLON] = [..."0:;"].map((mark) => mark.charCodeAt(0)) as [number, number, number];

/** How many REALs are in each column of whole rows. SQLite counts them more slowly than this. */
export function realCells(cells: Uint8Array, columns: number): number[] {
  const counts = new Array<number>(columns).fill(0);
  let column = 0;
  for (let at = 0; at < cells.length;) {
    const tag = cells[at++];
    if (tag === REAL_TAG) counts[column] = (counts[column] ?? 0) + 1;
    else if (tag === INTEGER_TAG) {
      while (at < cells.length && cells[at] !== SEMICOLON) at++;
      at++;
    } else if (tag !== NULL_TAG) {
      let length = 0;
      while (at < cells.length && cells[at] !== COLON) length = length * 10 + (cells[at++] ?? 0) - ZERO;
      at += 1 + length;
    }
    column = column + 1 === columns ? 0 : column + 1;
  }
  return counts;
}

function realValue(number: number): ExactValue {
  if (Number.isNaN(number)) throw badBatch("a REAL is NaN, which SQLite does not hold");
  return { class: "real", number };
}

interface ReadCell {
  readonly value: ExactValue | "real";
  readonly end: number;
}

function readCell(cells: Uint8Array, at: number): ReadCell {
  const tag = String.fromCharCode(cells[at] ?? 0);
  switch (tag) {
    case "N":
      return { value: { class: "null" }, end: at + 1 };
    case "R":
      return { value: "real", end: at + 1 };
    case "I":
      return readInteger(cells, at + 1);
    case "T":
      return readBytes(cells, at + 1, "text");
    case "B":
      return readBytes(cells, at + 1, "blob");
    default:
      throw badBatch(`no cell starts with byte ${cells[at]}`);
  }
}

function readInteger(cells: Uint8Array, at: number): ReadCell {
  const { text: decimal, end } = readUntil(cells, at, ";", 20);
  if (!isInt64(decimal)) throw badBatch("an I cell is no int64");
  return { value: { class: "integer", decimal }, end };
}

function readBytes(cells: Uint8Array, at: number, cellClass: "text" | "blob"): ReadCell {
  const { text: count, end: start } = readUntil(cells, at, ":", 10);
  if (!/^(0|[1-9]\d*)$/.test(count)) throw badBatch("a cell's length is no plain number");
  const end = start + Number(count);
  if (end > cells.length) throw badBatch("a cell is longer than the row");
  return { value: { class: cellClass, bytes: cells.subarray(start, end) }, end };
}

function readUntil(
  cells: Uint8Array,
  at: number,
  mark: string,
  maxLength: number,
): { text: string; end: number } {
  const markAt = cells.subarray(at, at + maxLength + 1).indexOf(mark.charCodeAt(0));
  if (markAt < 0) throw badBatch(`a cell misses its "${mark}"`);
  return { text: latin.decode(cells.subarray(at, at + markAt)), end: at + markAt + 1 };
}
