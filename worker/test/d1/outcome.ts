// What a call on a D1 database gives, and what of it is compared.

/** A database, and its size in bytes while it is empty: each server has tables of its own. */
export interface Place {
  readonly db: D1Database;
  readonly empty: number;
}

/** A database that nothing was written to. The first request may make the server's own tables. */
export async function placeOf(db: D1Database): Promise<Place> {
  await db.prepare("SELECT 1").all();
  return { db, empty: (await db.prepare("SELECT 1").all()).meta.size_after };
}

/** What a call gives, or how it fails: what is each server's own is left out. */
export async function outcome(
  run: (db: D1Database) => Promise<unknown>,
  { db, empty }: Place,
): Promise<unknown> {
  try {
    return comparable(await run(db), empty);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const cause = error.cause instanceof Error ? error.cause.message : "";
    return ["error", error.name, ...[error.message, cause].map(withoutTrace)];
  }
}

/** The local D1 tells of what is no request by the trace of its server. */
function withoutTrace(text: string): string {
  return text.replace(/(Failed to parse body as JSON, got: ).*/s, "$1");
}

export function isError(outcome: unknown): outcome is [string, string, string, string] {
  return Array.isArray(outcome) && outcome[0] === "error";
}

/** Timings and server names are each server's own. */
function comparable(value: unknown, empty: number): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item, empty));
  if (typeof value !== "object" || value === null) return value;
  if ("count" in value && "duration" in value) return { ...value, duration: 0 };
  if (!("meta" in value)) return value;
  const { changes, last_row_id, changed_db, size_after, rows_read, rows_written } = (value as D1Result).meta;
  const grown = size_after - empty;
  return { ...value, meta: { changes, last_row_id, changed_db, grown, rows_read, rows_written } };
}

/** The rowid that a database inserted last, by whatever request. */
export async function lastRowId({ db }: Place): Promise<number> {
  return (await db.prepare("SELECT 1").all()).meta.last_row_id;
}

interface Meta {
  readonly last_row_id: number;
  readonly rows_read: number;
  readonly rows_written: number;
}

/** What one side gave, with D1's figures in place of those that are known to differ (docs/mount.md). */
export function alike(side: "file" | "object", got: unknown, wanted: unknown, earlier: number): unknown {
  if (Array.isArray(got) && Array.isArray(wanted))
    return got.map((item, index) => alike(side, item, wanted[index], earlier));
  if (!hasMeta(got) || !hasMeta(wanted)) return got;
  const known = side === "file" ? onFile(got.meta, wanted.meta, earlier) : inObject(got.meta, wanted.meta);
  return { ...got, meta: { ...got.meta, ...known } };
}

/** A file has no counters of rows, and a connection for one request: it knows no rowid of an earlier one. */
function onFile(got: Meta, wanted: Meta, earlier: number): Partial<Meta> {
  const { rows_read, rows_written } = wanted;
  const knowsNone = got.last_row_id === 0 && wanted.last_row_id !== 0;
  return { rows_read, rows_written, ...(knowsNone && { last_row_id: earlier }) };
}

/** An object may read rows twice: once to count them. */
function inObject(got: Meta, wanted: Meta): Partial<Meta> {
  return got.rows_read > wanted.rows_read ? { rows_read: wanted.rows_read } : {};
}

function hasMeta(value: unknown): value is { readonly meta: Meta } {
  return typeof value === "object" && value !== null && "meta" in value;
}
