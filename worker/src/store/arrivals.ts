// Holds the rows of an import against the order of their keys and the places that their frames name
// (docs/wire-format.md, section 4), so that a page that is swapped, repeated, left out or overlaps is refused
// by name.
import { createHash } from "node:crypto";
import type { CellFrame, Frame, JsonbFrame } from "../wire/batch.ts";
import { badBatch } from "../wire/binary.ts";
import { decodeCells } from "../wire/cells.ts";
import { WireError } from "../wire/errors.ts";
import { compareValues } from "../wire/order.ts";
import type { ExactValue } from "../wire/values.ts";
import type { Bookkeeping, KeyPart, RowKey, Span } from "../state/bookkeeping.ts";
import { ROWID_NAMES, type TableShape } from "./catalog.ts";

// A sender keeps a few batches under way, so there are never many gaps. The bounds keep an entry far below 2
// MB.
const MAX_SPANS = 200;
const MAX_KEPT_KEY_BYTES = 1000;

/**
 * Notes a frame, before its rows are inserted.
 * @throws WireError digest-mismatch where its rows are not in order, or arrived before
 */
export function noteArrival(books: Bookkeeping, shape: TableShape, frame: Frame): void {
  const { first, last } = new KeyWalk(shape, frame).ends();
  const rows = frame.kind === "D" ? 1 : frame.rows;
  if (frame.from === undefined || rows === 0) return; // an older sender names no places
  const id = createHash("sha256").update(shape.name).digest("hex");
  const spans = books.arrival(id)?.spans ?? [];
  const span = { from: frame.from, to: frame.from + rows, first: kept(first), last: kept(last) };
  books.putArrival(id, { table: shape.name, spans: withSpan(shape, spans, span) });
}

/**
 * Demands that no rows are missing between those that arrived. What is missing behind them the digest shows.
 * @throws WireError digest-mismatch
 */
export function demandNoGaps(books: Bookkeeping): void {
  for (const { table, spans } of books.arrivals()) {
    let next = 0;
    for (const { from, to } of spans) {
      if (from > next) throw wronglySent(table, `rows ${next + 1} to ${from} did not arrive`);
      next = to;
    }
  }
}

function withSpan(shape: TableShape, spans: readonly Span[], span: Span): Span[] {
  const before = spans.filter(({ from }) => from < span.from);
  const behind = spans.slice(before.length);
  const [left, right] = [before.at(-1), behind[0]];
  if ((left !== undefined && left.to > span.from) || (right !== undefined && right.from < span.to)) {
    throw wronglySent(shape.name, `rows ${span.from + 1} to ${span.to} overlap rows that arrived before`);
  }
  demandOrder(shape, left?.last, span.first);
  demandOrder(shape, span.last, right?.first);
  const merged = withoutSeams([...before, span, ...behind]);
  if (merged.length > MAX_SPANS) throw wronglySent(shape.name, "its rows arrive in too many pieces");
  return merged;
}

function withoutSeams(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans) {
    const left = merged.at(-1);
    if (left?.to === span.from)
      merged.splice(-1, 1, { from: left.from, to: span.to, first: left.first, last: span.last });
    else merged.push(span);
  }
  return merged;
}

function demandOrder(
  shape: TableShape,
  before: RowKey | null | undefined,
  key: RowKey | null | undefined,
): void {
  if (before === null || before === undefined || key === null || key === undefined) return;
  if (compareKeys(shape, before, key) >= 0) throw outOfOrder(shape, before, key);
}

function outOfOrder(shape: TableShape, before: RowKey, key: RowKey): WireError {
  return wronglySent(
    shape.name,
    `row ${describe(key)} comes behind row ${describe(before)}, which is not the order of the keys`,
  );
}

function wronglySent(table: string, reason: string): WireError {
  const message = `table ${table.slice(0, 200)}: ${reason}; the sender is at fault, not its data`;
  return new WireError("digest-mismatch", message, { table: table.slice(0, 200) });
}

function compareKeys(shape: TableShape, a: RowKey, b: RowKey): number {
  if (!isValues(a) || !isValues(b)) return a < b ? -1 : a > b ? 1 : 0;
  for (const [index, { collation, descending }] of shape.key.entries()) {
    const [x, y] = [a[index], b[index]];
    const order = x === undefined || y === undefined ? 0 : compareParts(x, y, collation ?? "BINARY");
    if (order === undefined) return UNKNOWN_IS_IN_ORDER;
    if (order !== 0) return descending ? -order : order;
  }
  return 0;
}

const UNKNOWN_IS_IN_ORDER = -1;

/** Undefined where two long values begin alike and are not the same: the digest compares them whole. */
function compareParts(x: KeyPart, y: KeyPart, collation: string): number | undefined {
  if (x.whole === undefined && y.whole === undefined) return compareValues(x, y, collation);
  if (!("bytes" in x) || !("bytes" in y) || x.class !== y.class) return compareValues(x, y, collation);
  if (x.whole === y.whole) return 0;
  if (collation.toUpperCase() === "RTRIM") return undefined; // what is behind the spaces is not known
  const common = Math.min(x.bytes.length, y.bytes.length);
  const order = compareValues(beginning(x, common), beginning(y, common), collation);
  if (order !== 0) return order;
  if (y.whole === undefined && y.bytes.length === common) return 1;
  return x.whole === undefined && x.bytes.length === common ? -1 : undefined;
}

function beginning<T extends { readonly bytes: Uint8Array }>(value: T, length: number): T {
  return { ...value, bytes: value.bytes.subarray(0, length) };
}

function isValues(key: RowKey): key is readonly KeyPart[] {
  return typeof key === "object";
}

// With bytes of its own: a view into the body would be stored with all of it.
function kept(key: RowKey | null): RowKey | null {
  if (key === null || !isValues(key)) return key;
  const each = Math.floor(MAX_KEPT_KEY_BYTES / key.length);
  const size = key.reduce((sum, value) => sum + ("bytes" in value ? value.bytes.length : 0), 0);
  return key.map((value) => keptPart(value, size > MAX_KEPT_KEY_BYTES ? each : size));
}

function keptPart(value: KeyPart, most: number): KeyPart {
  if (!("bytes" in value)) return value;
  const bytes = Uint8Array.from(value.bytes.subarray(0, most));
  if (bytes.length === value.bytes.length) return { ...value, bytes };
  return { ...value, bytes, whole: createHash("sha256").update(value.bytes).digest("hex") };
}

const SHOWN_BYTES = 60;

function describe(key: RowKey): string {
  if (!isValues(key)) return `${key}`;
  const parts = key.map((value) => {
    if (value.class === "null") return "NULL";
    if (value.class === "integer") return value.decimal;
    if (value.class === "real") return `${value.number}`;
    const shown = value.bytes.subarray(0, SHOWN_BYTES);
    const more = value.bytes.length > SHOWN_BYTES ? "..." : "";
    if (value.class === "text") return JSON.stringify(new TextDecoder().decode(shown)) + more;
    return `x'${[...shown].map((byte) => byte.toString(16).padStart(2, "0")).join("")}'${more}`;
  });
  return parts.length === 1 ? `${parts[0]}` : `(${parts.join(", ")})`;
}

// SQLite's JSONB: the type is the low half of the first byte, the size its high half or the bytes behind it.
const JSONB = { null: 0, int: 3, float: 5, textRaw: 10, array: 11 } as const;
const INLINE_SIZE = 11;
const EXACT_DIGITS = 15;
const [MINUS, ZERO] = [45, 48];

const NOWHERE = -1;

// Where a part of the key stands in the frame. A rowid that no column shows stands first, under whichever of
// its names, or is not sent.
function placeOf(shape: TableShape, frame: Frame, name: string): number {
  const place = frame.columns.indexOf(name);
  if (place >= 0 || !shape.hiddenRowid) return place;
  const [first] = frame.columns;
  return first !== undefined && ROWID_NAMES.includes(first) && !shape.columns.slice(1).includes(first)
    ? 0
    : NOWHERE;
}

/** Reads the keys of a frame and nothing else of it; SQLite reads the rest. */
class KeyWalk {
  readonly #shape: TableShape;
  readonly #frame: Frame;
  /** Where the key's columns stand in a row. */
  readonly #cells: readonly number[];
  readonly #behindKey: number;
  readonly #isRowid: boolean;
  #bytes: Uint8Array = new Uint8Array(0);
  #type = 0;
  #start = 0;
  #end = 0;

  constructor(shape: TableShape, frame: Frame) {
    this.#shape = shape;
    this.#frame = frame;
    this.#isRowid = shape.key[0]?.collation === null;
    this.#cells = shape.key.map(({ name }) => placeOf(shape, frame, name));
    this.#behindKey = Math.max(...this.#cells) + 1;
  }

  /**
   * The first and the last key. @throws WireError bad-batch, or digest-mismatch where the keys do not grow
   */
  ends(): { first: RowKey | null; last: RowKey | null } {
    if (this.#cells.includes(NOWHERE)) return { first: null, last: null };
    return this.#frame.kind === "D" ? this.#onlyKey(this.#frame) : this.#keys(this.#frame);
  }

  #onlyKey({ cells, reals }: CellFrame) {
    const values = decodeCells(cells, reals);
    const parts = this.#cells.map((cell): ExactValue => values[cell] ?? { class: "null" });
    const [only] = parts;
    const key = this.#isRowid && only?.class === "integer" ? integerOf(only.decimal) : parts;
    return { first: key, last: key };
  }

  #keys({ jsonb }: JsonbFrame) {
    let first: RowKey | null = null;
    let last: RowKey | null = null;
    this.#bytes = jsonb;
    this.#enter(0, jsonb.length, JSONB.array);
    for (let [at, end] = [this.#start, this.#end]; at < end;) {
      this.#enter(at, end, JSONB.array);
      at = this.#end;
      const key = this.#key();
      if (last !== null && compareKeys(this.#shape, last, key) >= 0) throw outOfOrder(this.#shape, last, key);
      first ??= key;
      last = key;
    }
    return { first, last };
  }

  // The key of the row at hand.
  #key(): RowKey {
    const end = this.#end;
    const parts: ExactValue[] = [];
    for (let cell = 0, at = this.#start; cell < this.#behindKey; cell++, at = this.#end) {
      this.#element(at, end);
      if (this.#isRowid) {
        if (cell === this.#cells[0]) return this.#rowid();
        continue;
      }
      if (this.#cells.includes(cell)) this.#fill(parts, cell);
    }
    return parts;
  }

  // A key may hold a column twice, under two collations.
  #fill(parts: ExactValue[], cell: number): void {
    const value = this.#value(cell);
    for (let part = 0; part < this.#cells.length; part++) if (this.#cells[part] === cell) parts[part] = value;
  }

  #rowid(): number | bigint {
    if (this.#type !== JSONB.int) throw badBatch(`table ${this.#frame.table}: a row has no rowid`);
    const negative = this.#bytes[this.#start] === MINUS;
    const digits = this.#start + Number(negative);
    if (this.#end - digits > EXACT_DIGITS) return integerOf(this.#ascii());
    let value = 0;
    for (let at = digits; at < this.#end; at++) value = value * 10 + (this.#bytes[at] ?? 0) - ZERO;
    return negative ? -value : value;
  }

  #value(cell: number): ExactValue {
    switch (this.#type) {
      case JSONB.null:
        return { class: "null" };
      case JSONB.int:
        return { class: "integer", decimal: this.#ascii() };
      case JSONB.float:
        return { class: "real", number: Number(this.#ascii()) };
      case JSONB.textRaw: {
        const blob = this.#frame.kind === "J" && this.#frame.plan[cell] === "b";
        return { class: blob ? "blob" : "text", bytes: this.#bytes.subarray(this.#start, this.#end) };
      }
      case JSONB.array:
        return this.#wrapped();
      default:
        throw badBatch(`table ${this.#frame.table}: a key of JSONB type ${this.#type}`);
    }
  }

  #wrapped(): ExactValue {
    const end = this.#end;
    this.#enter(this.#start, end, JSONB.textRaw);
    const bytes = this.#bytes.subarray(this.#start, this.#end);
    this.#end = end;
    return { class: "blob", bytes };
  }

  #ascii(): string {
    return String.fromCharCode(...this.#bytes.subarray(this.#start, Math.min(this.#end, this.#start + 100)));
  }

  #enter(at: number, end: number, type: number): void {
    this.#element(at, end);
    if (this.#type !== type) throw badBatch(`table ${this.#frame.table}: malformed JSONB`);
  }

  // Finds the payload of the element at `at`, which ends at `end` at the latest.
  #element(at: number, end: number): void {
    const head = this.#bytes[at] ?? 0;
    const form = head >> 4;
    const sizeBytes = form > INLINE_SIZE ? 1 << (form - INLINE_SIZE - 1) : 0;
    let size = form > INLINE_SIZE ? 0 : form;
    for (let i = 1; i <= sizeBytes; i++) size = size * 256 + (this.#bytes[at + i] ?? 0);
    this.#type = head & 15;
    this.#start = at + 1 + sizeBytes;
    this.#end = this.#start + size;
    if (at >= end || this.#end > end) throw badBatch(`table ${this.#frame.table}: malformed JSONB`);
  }
}

function integerOf(decimal: string): number | bigint {
  const value = Number(decimal);
  return Number.isSafeInteger(value) ? value : BigInt(decimal);
}
