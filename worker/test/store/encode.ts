// Writes the wire format from the sender's side, independently of src/: what Go's pkg/wire does.
import { createHash } from "node:crypto";

/** bigint: INTEGER; number: REAL; string or {text}: TEXT; {blob}: BLOB. */
export type Cell = null | bigint | number | string | { text: number[] } | { blob: number[] | Uint8Array };
export type Row = readonly Cell[];

const utf8 = new TextEncoder();

export function bytes(...parts: (string | Uint8Array | number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...(typeof part === "string" ? utf8.encode(part) : part)]));
}

function le32(n: number): number[] {
  return [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, (n >>> 24) & 255];
}

function element(type: number, payload: Uint8Array): Uint8Array {
  const n = payload.length;
  const head =
    n < 12
      ? [(n << 4) | type]
      : n < 256
        ? [0xc0 | type, n]
        : n < 65536
          ? [0xd0 | type, n >> 8, n & 255]
          : [0xe0 | type, n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
  const out = new Uint8Array(head.length + n);
  out.set(head);
  out.set(payload, head.length);
  return out;
}

function join(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function realText(n: number): string {
  if (!Number.isFinite(n)) return n > 0 ? "9e999" : "-9e999";
  const text = Object.is(n, -0) ? "-0" : String(n);
  return /[.e]/.test(text) ? text : text + ".0";
}

function jsonbCell(cell: Cell, plan: string): Uint8Array {
  if (cell === null) return element(0, new Uint8Array(0));
  if (typeof cell === "bigint") return element(3, utf8.encode(String(cell)));
  if (typeof cell === "number") return element(5, utf8.encode(realText(cell)));
  if (typeof cell === "string") return element(10, utf8.encode(cell));
  if ("text" in cell) return element(10, Uint8Array.from(cell.text));
  const raw = element(10, Uint8Array.from(cell.blob));
  return plan === "m" ? element(11, raw) : raw;
}

export function jsonb(rows: readonly Row[], plan: string): Uint8Array {
  return element(
    11,
    join(rows.map((row) => element(11, join(row.map((cell, i) => jsonbCell(cell, plan[i] ?? "v")))))),
  );
}

function planOf(rows: readonly Row[], columns: number): string {
  let plan = "";
  for (let i = 0; i < columns; i++) {
    const cells = rows.map((row) => row[i] ?? null).filter((cell) => cell !== null);
    const blobs = cells.filter((cell) => typeof cell === "object" && "blob" in cell).length;
    plan += blobs === 0 ? "v" : blobs === cells.length ? "b" : "m";
  }
  return plan;
}

export function frame(kind: string, header: unknown, payload: Uint8Array): Uint8Array {
  const head = utf8.encode(JSON.stringify(header));
  return join([bytes(kind, le32(head.length)), head, bytes(le32(payload.length)), payload]);
}

/** `from`: how many rows of the table come before; an older sender does not say. */
export function jFrame(
  table: string,
  columns: readonly string[],
  rows: readonly Row[],
  from?: number,
): Uint8Array {
  const plan = planOf(rows, columns.length);
  return frame("J", { table, columns, plan, rows: rows.length, from }, jsonb(rows, plan));
}

export function dFrame(table: string, columns: readonly string[], row: Row, from?: number): Uint8Array {
  const { cells, reals } = encodeRows([row]);
  return frame(
    "D",
    { table, columns, plan: "", rows: 1, from },
    join([bytes(le32(cells.length)), cells, reals]),
  );
}

export function batch(...frames: Uint8Array[]): Uint8Array {
  return join([bytes("DMR1"), ...frames]);
}

/** The cells and reals of rows (section 3.1). */
export function encodeRows(rows: readonly Row[]): { cells: Uint8Array; reals: Uint8Array } {
  const cells: Uint8Array[] = [];
  const reals: number[] = [];
  const add = (text: string, content?: Uint8Array) =>
    cells.push(utf8.encode(text), ...(content ? [content] : []));
  for (const cell of rows.flat()) {
    if (cell === null) add("N");
    else if (typeof cell === "bigint") add(`I${cell};`);
    else if (typeof cell === "number") {
      add("R");
      reals.push(cell);
    } else {
      const content =
        typeof cell === "string"
          ? utf8.encode(cell)
          : Uint8Array.from("text" in cell ? cell.text : cell.blob);
      add(`${typeof cell === "object" && "blob" in cell ? "B" : "T"}${content.length}:`, content);
    }
  }
  return { cells: join(cells), reals: new Uint8Array(Float64Array.from(reals).buffer) };
}

export function sha256(...parts: Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** The digest of rows as one range. */
export function rangeDigest(rows: readonly Row[]): string {
  const { cells, reals } = encodeRows(rows);
  return sha256(cells, reals);
}

/** The digest of a table (section 6). */
export function tableDigest(rows: readonly Row[]): string {
  const pages: Uint8Array[] = [];
  for (let at = 0; at < rows.length; at += 2048) {
    pages.push(Buffer.from(rangeDigest(rows.slice(at, at + 2048)), "hex"));
  }
  return sha256(...pages);
}
