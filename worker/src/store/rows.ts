// A batch of rows: all of it in one transaction, together with the note that it was applied.
import { type CellFrame, type Frame, type JsonbFrame, decodeBatch } from "../wire/batch.ts";
import { badBatch } from "../wire/binary.ts";
import { decodeCells } from "../wire/cells.ts";
import { WireError, messageOf } from "../wire/errors.ts";
import { LIMITS } from "../wire/limits.ts";
import { noteArrival } from "./arrivals.ts";
import { hasBatch, withBatch } from "./batches.ts";
import { type TableShape, tableShape, takesRows } from "./catalog.ts";
import type { StoreContext } from "../state/context.ts";
import { beginImportEvent, demandClaim } from "../state/guard.ts";
import { withoutChecks } from "../state/pragmas.ts";
import { exactLiteral, ownBuffer, quoteName, tableFunction } from "../state/sql-text.ts";

export interface RowsAnswer {
  readonly seq: number;
  /** False when the batch had been applied before. */
  readonly applied: boolean;
}

/**
 * Inserts a batch, unless it was applied before. Batches may arrive in any order.
 * @throws WireError bad-batch, rows-refused, digest-mismatch (of what the sender did wrong), wrong-phase (also once `finish` has begun) and stale-claim
 */
export async function applyRows(
  store: StoreContext,
  gen: number,
  seq: number,
  body: Uint8Array,
): Promise<RowsAnswer> {
  const frames = decodeBatch(body);
  await beginImportEvent(store, gen, "rows");
  return store.storage.transactionSync(() => {
    const { books } = store;
    demandClaim(books.state, gen, "rows");
    if (hasBatch(books.applied, seq)) return { seq, applied: false };
    if (books.finishing) {
      throw new WireError("wrong-phase", "finish has begun: no more rows", { phase: books.state.phase, gen });
    }
    withoutChecks(store.sql, () => insertFrames(store, seq, frames));
    books.applied = withBatch(books.applied, seq);
    books.contentChanged();
    return { seq, applied: true };
  });
}

function insertFrames(store: StoreContext, seq: number, frames: readonly Frame[]): void {
  const shapes = new Map<string, TableShape | undefined>();
  frames.forEach((frame, index) => {
    if (!shapes.has(frame.table)) {
      demandTarget(store.sql, frame.table);
      shapes.set(frame.table, tableShape(store.sql, frame.table));
    }
    const shape = shapes.get(frame.table);
    if (shape !== undefined) noteArrival(store.books, shape, frame);
    // SQLite fills sqlite_sequence itself while rows arrive; `finish` writes what the file has.
    if (frame.table === "sqlite_sequence") store.books.keepSequenceFrame(`${seq}:${index}`, ownBytes(frame));
    else insertFrame(store.sql, frame);
  });
}

function demandTarget(sql: SqlStorage, table: string): void {
  if (!takesRows(sql, table)) throw rowsRefused(table, "there is no such table");
}

function rowsRefused(table: string, reason: string): WireError {
  return new WireError("rows-refused", `table ${table}: ${reason}`, { table, reason });
}

// The frame with bytes of its own: a view into the request's body would be stored with all of it.
function ownBytes(frame: Frame): Frame {
  if (frame.kind === "J") return { ...frame, jsonb: Uint8Array.from(frame.jsonb) };
  return { ...frame, cells: Uint8Array.from(frame.cells), reals: Uint8Array.from(frame.reals) };
}

/**
 * Inserts the rows of one frame.
 * @throws WireError bad-batch or rows-refused
 */
export function insertFrame(sql: SqlStorage, frame: Frame): void {
  if (frame.kind === "D") return insertCells(sql, frame);
  // A result has at most 100 columns, so a table of 100 with a rowid beside them goes row by row.
  const inserted =
    frame.columns.length > LIMITS.columns ? insertRowByRow(sql, frame) : insertTogether(sql, frame);
  if (inserted !== frame.rows) {
    throw badBatch(
      `table ${frame.table}: the header says ${frame.rows} rows, and the payload has ${inserted}`,
    );
  }
}

function insertTogether(sql: SqlStorage, frame: JsonbFrame): number {
  const values = [...frame.plan].map((plan, index) => jsonbValue("value", plan, index));
  const query = `${insertInto(frame)} SELECT ${values.join(", ")} FROM ${tableFunction("jsonb_each")}(?)`;
  refuseErrors(frame.table, () => sql.exec(query, ownBuffer(frame.jsonb)));
  return Number(sql.exec("SELECT changes()").raw().next().value?.[0] ?? 0);
}

function insertRowByRow(sql: SqlStorage, frame: JsonbFrame): number {
  const values = [...frame.plan].map((plan, index) => jsonbValue("?1", plan, index));
  const query = `${insertInto(frame)} VALUES (${values.join(", ")})`;
  return refuseErrors(frame.table, () => {
    const rows = [
      ...sql.exec(`SELECT value FROM ${tableFunction("jsonb_each")}(?)`, ownBuffer(frame.jsonb)).raw(),
    ];
    for (const [row] of rows) sql.exec(query, row);
    return rows.length;
  });
}

/** The value of column `index` of a JSONB row, as the plan says (docs/wire-format.md, section 3.3). */
function jsonbValue(row: string, plan: string, index: number): string {
  // A path instead of the bare number, which SQLite would first write out as a path, for every cell.
  const value = `${row}->>'$[${index}]'`;
  if (plan === "v") return value;
  if (plan === "b") return `cast(${value} as blob)`;
  const blob = `cast(${row}->>'$[${index}][0]' as blob)`;
  return `CASE json_type(${row}, '$[${index}]') WHEN 'array' THEN ${blob} ELSE ${value} END`;
}

function insertCells(sql: SqlStorage, frame: CellFrame): void {
  const values = decodeCells(frame.cells, frame.reals);
  if (values.length !== frame.columns.length)
    throw badBatch(`table ${frame.table}: a row of ${values.length} cells`);
  for (const value of values) {
    // The local runtime would take it, production does not.
    if ("bytes" in value && value.bytes.length > LIMITS.cellBytes) {
      throw rowsRefused(
        frame.table,
        `a cell of ${value.bytes.length} bytes, and ${LIMITS.cellBytes} is the most`,
      );
    }
  }
  const expressions = values.map(exactLiteral);
  const query = `${insertInto(frame)} VALUES (${expressions.map((expression) => expression.sql).join(", ")})`;
  refuseErrors(frame.table, () => sql.exec(query, ...expressions.flatMap(({ bindings }) => bindings)));
}

// OR ABORT overrides conflict clauses of the schema, which would drop rows in silence.
function insertInto({ table, columns }: Frame): string {
  return `INSERT OR ABORT INTO ${quoteName(table)} (${columns.map(quoteName).join(", ")})`;
}

function refuseErrors<T>(table: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    const reason = messageOf(cause);
    throw /malformed JSON/.test(reason) ? badBatch(`table ${table}: ${reason}`) : rowsRefused(table, reason);
  }
}
