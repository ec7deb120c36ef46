// The sample application with a reader that can be damaged: POST /damage?how=<name>&where=<all|export>.
import sample, { type Env, UserDataStore as SampleStore } from "../../sample/index.ts";
import { type Chunk, RowReader } from "../../src/store/row-reader.ts";
import { concatBytes } from "../../src/wire/binary.ts";
import { decodeCells, encodeCell } from "../../src/wire/cells.ts";
import type { ExactValue } from "../../src/wire/values.ts";
import { trace, traced } from "../../test-entry/traced.ts";

export class UserDataStore extends SampleStore {
  constructor(ctx: DurableObjectState, env: Env) {
    trace(ctx.storage.sql);
    super(ctx, env);
  }
}

type Row = ExactValue[];
type Next = RowReader["next"];

const healthy = RowReader.prototype.next;
const none: Chunk = { rows: 0, cells: [], reals: new Uint8Array(0), last: null };
let damage = { how: "", where: "" };
let repeated = false;

/** A damaged `next`, given the healthy one and how wide a row is. */
const damages: Record<string, (next: Next, width: number) => Next> = {
  skip: (next, width) => (after, upto, limit) => {
    const chunk = next(after, upto, limit);
    return after === null ? chunk : changed(chunk, width, (rows) => rows.slice(1));
  },
  repeat: (next) => (after, upto, limit) => {
    const again = after !== null && !repeated;
    repeated ||= again;
    return next(again ? null : after, upto, limit);
  },
  stop: (next) => (after, upto, limit) => (after === null ? next(after, upto, limit) : none),
  sort: (next, width) => (after, upto, limit) =>
    changed(next(after, upto, limit), width, (rows) =>
      rows.toSorted((a, b) => (text(a[1]) < text(b[1]) ? -1 : 1)),
    ),
  reals: (next, width) => (after, upto, limit) =>
    changed(next(after, upto, limit), width, (rows) =>
      rows.map((row) => row.map((value): ExactValue => (value.class === "real" ? { class: "null" } : value))),
    ),
};

function text(value: ExactValue | undefined): string {
  return value !== undefined && "bytes" in value ? new TextDecoder().decode(value.bytes) : "";
}

function changed(chunk: Chunk, width: number, change: (rows: Row[]) => Row[]): Chunk {
  if (chunk.rows === 0) return chunk;
  const values = decodeCells(concatBytes(chunk.cells), chunk.reals);
  const rows = Array.from({ length: chunk.rows }, (_, i) => values.slice(i * width, (i + 1) * width));
  const kept = change(rows).flat();
  const numbers = kept.flatMap((value) => (value.class === "real" ? [value.number] : []));
  const reals = new Uint8Array(Float64Array.from(numbers).buffer);
  return {
    rows: kept.length / width,
    cells: [concatBytes(kept.flatMap(encodeCell))],
    reals,
    last: chunk.last,
  };
}

RowReader.prototype.next = function (this: RowReader, after, upto, limit) {
  const next: Next = (...args) => healthy.apply(this, args);
  const exporting = limit === Number.MAX_SAFE_INTEGER;
  const damaged =
    damage.where === "all" || (damage.where === "export" && exporting) ? damages[damage.how] : undefined;
  // The table in which SQLite counts is small: only the user's own are damaged.
  if (damaged === undefined || this.shape.name.startsWith("sqlite_")) return next(after, upto, limit);
  return damaged(next, this.shape.columns.length)(after, upto, limit);
};

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/test/traced") return traced();
    if (url.pathname !== "/damage") return sample.fetch(request, env);
    damage = { how: url.searchParams.get("how") ?? "", where: url.searchParams.get("where") ?? "" };
    repeated = false;
    return new Response("damaged");
  },
};
