// Counts the rows that a reader returns into the census that a scan of their table has to give (census.ts),
// and demands that each key lies behind the one before.
import { concatBytes } from "../wire/binary.ts";
import { decodeCells } from "../wire/cells.ts";
import type { Census } from "../wire/messages.ts";
import { compareValues } from "../wire/order.ts";
import type { ExactValue } from "../wire/values.ts";
import type { TableShape } from "./catalog.ts";

/** What was counted, as it lies in the store between two requests. */
export interface Counted {
  rows: number;
  integers: number;
  reals: number;
  nulls: number;
  text: number;
  blob: number;
  sum: bigint;
  /** The first and the last rowid. */
  first: number | bigint | null;
  last: number | bigint | null;
  /** The last key where it is no rowid. */
  key: readonly ExactValue[] | null;
}

/** Before the first row. */
export function nothingCounted(): Counted {
  const none = { rows: 0, integers: 0, reals: 0, nulls: 0, text: 0, blob: 0 };
  return { ...none, sum: 0n, first: null, last: null, key: null };
}

/** What the table's census has to be; undefined before the first row. */
export function censusOf({
  rows,
  integers,
  reals,
  nulls,
  text,
  blob,
  first,
  last,
  sum,
}: Counted): Census | undefined {
  if (rows === 0) return undefined;
  const ends = first !== null && { first: `${first}`, last: `${last}` };
  return { rows, integers, reals, nulls, text, blob, ...ends, sum: `${sum}` };
}

// The weights of docs/wire-format.md, section 6, the last one reduced: a sum of them would not be exact.
const HASH_MODULUS = 32749;
const REAL_WEIGHT = 2 ** 7;
const TEXT_WEIGHT = 2 ** 14;
const BLOB_WEIGHT = 2 ** 38 % HASH_MODULUS;
const PLACE_RANGE = 2 ** 16;

const [NULL, REAL, INTEGER, TEXT, BLOB, MINUS, ZERO] = [..."NRITB-0"].map((letter) => letter.charCodeAt(0));
const EXACT_DIGITS = 15;

/** Thrown for rows that no reader without faults returns. */
export class Misread extends Error {}

/** Counts the rows of one table into `counted`. */
export class Tally {
  readonly counted: Counted;
  readonly #shape: TableShape;
  readonly #keyCells: readonly number[];
  /** The cell that is the rowid; -1 where the table has none. */
  readonly #rowid: number;
  #cells: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(shape: TableShape, counted: Counted) {
    this.#shape = shape;
    this.counted = { ...counted };
    this.#keyCells = shape.key.map(({ name }) => shape.columns.indexOf(name));
    this.#rowid = shape.key[0]?.collation === null ? (this.#keyCells[0] ?? -1) : -1;
  }

  /** Counts whole rows. @throws Misread */
  add(cells: readonly Uint8Array[], reals: Uint8Array): void {
    this.#cells = cells.length === 1 && cells[0] !== undefined ? cells[0] : concatBytes(cells);
    const before = this.counted.reals;
    let sum = 0;
    for (this.#at = 0; this.#at < this.#cells.length;) sum += this.#row(reals, before);
    this.counted.sum += BigInt(sum);
    const found = (this.counted.reals - before) * 8;
    if (found !== reals.length)
      throw new Misread(`${found / 8} REALs among the cells, and ${reals.length / 8} values`);
  }

  // One row; its hash.
  #row(reals: Uint8Array, realsBefore: number): number {
    const { counted } = this;
    const start = {
      integers: counted.integers,
      reals: counted.reals,
      text: counted.text,
      blob: counted.blob,
    };
    const keyAt: number[] = [];
    let place = -1;
    for (let cell = 0; cell < this.#shape.columns.length; cell++) {
      const at = this.#at;
      const rowid = this.#cell(cell === this.#rowid);
      if (cell === this.#rowid) place = this.#advance(rowid);
      else if (this.#rowid < 0) keyAt.push(at);
    }
    const integers = counted.integers - start.integers;
    const realCells = counted.reals - start.reals;
    const text = counted.text - start.text;
    const weight =
      integers + realCells * REAL_WEIGHT + text * TEXT_WEIGHT + (counted.blob - start.blob) * BLOB_WEIGHT;
    if (this.#rowid < 0) {
      keyAt.push(this.#at);
      this.#advanceKey(keyAt, reals.subarray((start.reals - realsBefore) * 8));
      place = (integers + realCells * REAL_WEIGHT + (text % 4) * TEXT_WEIGHT) % PLACE_RANGE;
    }
    counted.rows++;
    return (weight % HASH_MODULUS) * (1 + place);
  }

  // Counts the cell at hand and goes behind it; the value of an INTEGER where it is wanted.
  #cell(wanted: boolean): number | bigint | null {
    const { counted } = this;
    switch (this.#cells[this.#at++]) {
      case NULL:
        counted.nulls++;
        return null;
      case REAL:
        counted.reals++;
        return null;
      case INTEGER:
        counted.integers++;
        return this.#integer(wanted);
      case TEXT:
        counted.text += this.#skip();
        return null;
      case BLOB:
        counted.blob += this.#skip();
        return null;
      default:
        throw new Misread(`row ${counted.rows + 1} ends within its cells`);
    }
  }

  #integer(wanted: boolean): number | bigint {
    const start = this.#at;
    const negative = this.#cells[start] === MINUS;
    if (negative) this.#at++;
    const value = this.#digits();
    const digits = this.#at - 1 - start;
    if (wanted && digits > EXACT_DIGITS)
      return BigInt(String.fromCharCode(...this.#cells.subarray(start, this.#at - 1)));
    return negative ? -value : value;
  }

  // A length, and the bytes behind it.
  #skip(): number {
    const length = this.#digits();
    this.#at += length;
    if (this.#at > this.#cells.length) throw new Misread("a cell is longer than the rows");
    return length;
  }

  // The digits at hand, and the mark that ends them.
  #digits(): number {
    for (let value = 0; ;) {
      const digit = (this.#cells[this.#at++] ?? 0) - (ZERO ?? 0);
      if (digit < 0 || digit > 9) return value;
      value = value * 10 + digit;
    }
  }

  // The rowid of the row at hand; its part of the row's hash.
  #advance(rowid: number | bigint | null): number {
    const { counted } = this;
    if (rowid === null) throw new Misread(`row ${counted.rows + 1} has no rowid`);
    if (counted.last !== null && rowid <= counted.last) throw behind(`${rowid}`, `${counted.last}`);
    counted.first ??= rowid;
    counted.last = rowid;
    if (typeof rowid === "bigint") return Number(BigInt.asUintN(16, rowid));
    return ((rowid % PLACE_RANGE) + PLACE_RANGE) % PLACE_RANGE;
  }

  // `keyAt`: where each cell begins, and where the row ends; `reals`: those of the row and what follows.
  #advanceKey(keyAt: readonly number[], reals: Uint8Array): void {
    const row = this.#cells.subarray(keyAt[0], keyAt.at(-1));
    const count = rowReals(this.#cells, keyAt);
    const values = decodeCells(row, reals.subarray(0, count * 8));
    const key = this.#keyCells.flatMap((cell) => values[cell] ?? []).map(ownValue);
    if (this.counted.key !== null && this.#compareKey(this.counted.key, key) >= 0) {
      throw behind(describe(key), describe(this.counted.key));
    }
    this.counted.key = key;
  }

  #compareKey(before: readonly ExactValue[], key: readonly ExactValue[]): number {
    for (const [index, { collation, descending }] of this.#shape.key.entries()) {
      const [a, b] = [before[index], key[index]];
      const order = a === undefined || b === undefined ? 0 : compareValues(a, b, collation ?? "BINARY");
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  }
}

function rowReals(cells: Uint8Array, keyAt: readonly number[]): number {
  return keyAt.slice(0, -1).filter((at) => cells[at] === REAL).length;
}

// With bytes of its own: a view into the cells would be stored with all of them.
function ownValue(value: ExactValue): ExactValue {
  return "bytes" in value ? { ...value, bytes: Uint8Array.from(value.bytes) } : value;
}

function describe(key: readonly ExactValue[]): string {
  const shown = key.map((value) => {
    if (value.class === "integer") return value.decimal;
    if (value.class === "real") return String(value.number);
    return "bytes" in value ? JSON.stringify(new TextDecoder().decode(value.bytes.subarray(0, 60))) : "NULL";
  });
  return shown.join(", ");
}

function behind(key: string, before: string): Misread {
  return new Misread(`row ${key} comes behind row ${before}, which is not the order of the keys`);
}
