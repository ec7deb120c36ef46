// Reading a store back: its schema, its rows page by page.
import { badRequest, WireError } from "../wire/errors.ts";
import {
  type Header,
  type InternalTable,
  type Phase,
  type SchemaObject,
  emitVirtual,
} from "../wire/messages.ts";
import { encodePage } from "../wire/page.ts";
import type { Key } from "../wire/values.ts";
import { isKeyword, tokenize } from "../query/tokens.ts";
import { type TableShape, hasTable, schemaObjects, tableShape } from "./catalog.ts";
import type { StoreContext } from "../state/context.ts";
import { demandPhase } from "../state/guard.ts";
import { virtualTables } from "./virtual.ts";
import { type Chunk, RowReader } from "./row-reader.ts";

export interface ExportedSchema {
  readonly schema: {
    readonly header: Header;
    readonly objects: readonly SchemaObject[];
    readonly virtual: readonly unknown[];
  };
  readonly writes: number;
  readonly phase: Phase;
}

/** The schema as it is now. @throws WireError wrong-phase */
export function exportSchema(store: StoreContext): ExportedSchema {
  const { state, schema, writes } = store.books;
  demandPhase(state, "export");
  if (schema === undefined) throw new Error("a store with content has no schema record");
  const objects = schemaObjects(store.sql);
  const header = { ...schema.header, internal: internalTables(store, schema.header, objects) };
  // As they are now: the application may have made, changed or dropped some since the import.
  const virtual = virtualTables(store.sql).map(emitVirtual);
  return { schema: { header, objects, virtual }, writes, phase: state.phase };
}

// A wipe leaves an empty sqlite_sequence behind, that says nothing; sqlite_stat1 can be dropped, and is.
function internalTables(
  store: StoreContext,
  header: Header,
  objects: readonly SchemaObject[],
): InternalTable[] {
  const found: InternalTable[] = [];
  const counts = header.internal.includes("sqlite_sequence") || objects.some(isAutoincrement);
  if (counts && hasTable(store.sql, "sqlite_sequence")) found.push("sqlite_sequence");
  if (hasTable(store.sql, "sqlite_stat1")) found.push("sqlite_stat1");
  return found;
}

function isAutoincrement({ sql }: SchemaObject): boolean {
  return tokenize(sql).some((token) => isKeyword(token, "AUTOINCREMENT"));
}

/**
 * Some rows of a table behind `after`, as one export page of about `maxBytes`. A page is read without a
 * break: it is a snapshot.
 * @throws WireError wrong-phase, not-found or bad-request
 */
export function exportRows(
  store: StoreContext,
  table: string,
  after: Key | null,
  maxBytes: number,
): Uint8Array {
  return exportUpTo(store, table, after, maxBytes).page;
}

/** The same, and whether it ends the table. @throws WireError wrong-phase, not-found or bad-request */
export function exportUpTo(
  store: StoreContext,
  table: string,
  after: Key | null,
  maxBytes: number,
): { readonly page: Uint8Array; readonly done: boolean } {
  demandPhase(store.books.state, "export");
  const shape = demandTable(store.sql, table);
  const found = collect(new RowReader(store.sql, shape, maxBytes), after, maxBytes);
  return { page: pageOf(store, shape, found), done: found.done };
}

/**
 * The rows with these keys, as far as they are there; undefined where they have over `maxBytes`.
 * @throws WireError wrong-phase or not-found
 */
export function exportKeys(
  store: StoreContext,
  table: string,
  keys: readonly Key[],
  maxBytes: number,
): Uint8Array | undefined {
  demandPhase(store.books.state, "export");
  const shape = demandTable(store.sql, table);
  const reader = new RowReader(store.sql, shape);
  const chunks: Chunk[] = [];
  let bytes = 0;
  for (const key of keys) {
    const chunk = reader.at(key);
    if (chunk.rows === 0) continue;
    chunks.push(chunk);
    bytes += chunk.reals.length + chunk.cells.reduce((sum, part) => sum + part.length, 0);
    if (bytes > maxBytes) return undefined;
  }
  return pageOf(store, shape, {
    rows: chunks.length,
    cells: chunks.flatMap(({ cells }) => cells),
    reals: chunks.map(({ reals }) => reals),
    last: chunks.at(-1)?.last ?? null,
    done: true,
  });
}

function pageOf(store: StoreContext, shape: TableShape, found: Collected): Uint8Array {
  const { state, writes } = store.books;
  const { rows, cells, reals, last, done } = found;
  const header = {
    table: shape.name,
    columns: shape.columns,
    rows,
    last,
    done,
    writes,
    phase: state.phase,
    gen: state.gen,
  };
  return encodePage(header, cells, reals);
}

/** The shape of a table that holds rows. @throws WireError not-found */
export function demandTable(sql: SqlStorage, table: string): TableShape {
  const shape = tableShape(sql, table);
  if (shape === undefined)
    throw new WireError("not-found", `no table ${table.slice(0, 200)} holds rows`, { table });
  return shape;
}

interface Collected {
  readonly rows: number;
  readonly cells: readonly Uint8Array[];
  readonly reals: readonly Uint8Array[];
  readonly last: Key | null;
  readonly done: boolean;
}

function collect(reader: RowReader, after: Key | null, maxBytes: number): Collected {
  const cells: Uint8Array[] = [];
  const reals: Uint8Array[] = [];
  let rows = 0;
  let bytes = 0;
  let last: Key | null = null;
  while (bytes < maxBytes) {
    const chunk = reader.next(last ?? after, null, Number.MAX_SAFE_INTEGER);
    if (chunk.rows === 0) return { rows, cells, reals, last, done: true };
    cells.push(...chunk.cells);
    reals.push(chunk.reals);
    rows += chunk.rows;
    bytes += chunk.reals.length + chunk.cells.reduce((sum, part) => sum + part.length, 0);
    last = chunk.last;
  }
  if (rows === 0) throw badRequest("maxBytes", "room for a row");
  return { rows, cells, reals, last, done: false };
}
