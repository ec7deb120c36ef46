// The digest of what the tables hold (docs/wire-format.md, section 6), computed page by page over many requests.
import { createHash } from "node:crypto";
import { concatBytes } from "../wire/binary.ts";
import { databaseDigest, schemaDigest } from "../wire/digest.ts";
import { WireError } from "../wire/errors.ts";
import type { DatabaseDigest, Header, Phase, TableDigest } from "../wire/messages.ts";
import type { Key } from "../wire/values.ts";
import { type TableShape, schemaObjects, tablesWithRows } from "./catalog.ts";
import { type StoreContext, contentVersion } from "./context.ts";
import { demandTable } from "./export.ts";
import { demandPhase } from "./guard.ts";
import { hashRows } from "./range.ts";
import { RowReader } from "./row-reader.ts";
import { quoteName } from "./sql-text.ts";

/** How many rows make a page. */
const PAGE_ROWS = 2048;
// What is hashed before the clock is looked at: it stands still while JavaScript runs.
const SLICE_BYTES = 8 * 1024 * 1024;
const SLICE_PAGES = 64;
// Page digests that lie under one key, well below what a value may have.
const PAGES_PER_ENTRY = 1024;
const DIGEST_BYTES = 32;

export interface DigestReport {
  readonly phase: Phase;
  readonly gen: number;
  readonly lin: number;
  readonly writes: number;
  readonly complete: boolean;
  readonly digest: DatabaseDigest | null;
}

interface Progress {
  /** The content that this is the digest of. */
  readonly version: string;
  readonly done: readonly TableDigest[];
  /** Of the table behind the last of `done`. */
  readonly rows: number;
  readonly pages: number;
  readonly after: Key | null;
}

interface Result {
  readonly version: string;
  readonly digest: DatabaseDigest;
}

/**
 * Computes for about `budgetMs` milliseconds, and at least one slice. `fresh` forgets what was computed before, for the
 * caller who does not trust that every change of the tables went through this class.
 * @throws WireError wrong-phase
 */
export async function advanceDigest(store: StoreContext, budgetMs: number, fresh = false): Promise<DigestReport> {
  const start = Date.now();
  if (fresh) store.storage.transactionSync(() => forgetDigest(store));
  while (!store.storage.transactionSync(() => digestSlice(store))) {
    // Lets the clock move and other requests in; a write among them makes the digest begin anew.
    await scheduler.wait(0);
    if (Date.now() - start >= budgetMs) break;
  }
  return report(store);
}

function forgetDigest(store: StoreContext): void {
  demandPhase(store.books.state, "digest");
  store.books.dropDigest();
}

function report(store: StoreContext): DigestReport {
  const { phase, gen, lin } = store.books.state;
  const digest = completeDigest(store) ?? null;
  return { phase, gen, lin, writes: store.books.writes, complete: digest !== null, digest };
}

/** The digest of the present content, if it has been computed to the end. */
export function completeDigest(store: StoreContext): DatabaseDigest | undefined {
  const result = store.books.digestEntry<Result>("result");
  return result?.version === contentVersion(store) ? result.digest : undefined;
}

// True when the digest is complete.
function digestSlice(store: StoreContext): boolean {
  demandPhase(store.books.state, "digest");
  const header = demandHeader(store);
  if (completeDigest(store) !== undefined) return true;
  const tables = tablesWithRows(store.sql);
  let progress = currentProgress(store);
  let table = tables[progress.done.length];
  for (const budget = new SliceBudget(); table !== undefined && !budget.spent;) {
    progress = digestTable(store, demandTable(store.sql, table), progress, budget);
    table = tables[progress.done.length];
  }
  store.books.putDigestEntry("progress", progress);
  if (table !== undefined) return false;
  const digest = databaseDigest(schemaDigest(header, schemaObjects(store.sql)), progress.done);
  store.books.dropDigest();
  store.books.putDigestEntry("result", { version: progress.version, digest } satisfies Result);
  return true;
}

function currentProgress(store: StoreContext): Progress {
  const version = contentVersion(store);
  const progress = store.books.digestEntry<Progress>("progress");
  if (progress?.version === version) return progress;
  store.books.dropDigest();
  return { version, done: [], rows: 0, pages: 0, after: null };
}

class SliceBudget {
  #bytes = SLICE_BYTES;
  #pages = SLICE_PAGES;

  get spent(): boolean {
    return this.#bytes <= 0 || this.#pages <= 0;
  }

  charge(bytes: number): void {
    this.#bytes -= bytes;
    this.#pages--;
  }
}

// Goes on with one table until it is done or the budget is spent.
function digestTable(store: StoreContext, shape: TableShape, from: Progress, budget: SliceBudget): Progress {
  const reader = new RowReader(store.sql, shape);
  const pages: Uint8Array[] = [];
  let { rows, after } = from;
  let ended = false;
  while (!ended && !budget.spent) {
    const page = hashRows(reader, after, null, PAGE_ROWS);
    budget.charge(page.bytes);
    if (page.rows > 0) pages.push(page.digest);
    rows += page.rows;
    after = page.last;
    ended = page.rows < PAGE_ROWS;
  }
  keepPages(store, from.done.length, from.pages, pages);
  const count = from.pages + pages.length;
  if (!ended) return { ...from, rows, pages: count, after };
  demandCensus(store.sql, shape.name, rows);
  const done = { name: shape.name, rows, digest: joinPages(store, from.done.length, count) };
  return { ...from, done: [...from.done, done], rows: 0, pages: 0, after: null };
}

/**
 * Holds what the reader saw against a census that shares nothing with it: a plain count without keys, order or pages. A
 * reader that skips or repeats rows does so in digest and export alike, so their agreement alone proves nothing.
 */
function demandCensus(sql: SqlStorage, table: string, rows: number): void {
  const counted = Number(
    sql
      .exec(`SELECT count(*) FROM ${quoteName(table)} NOT INDEXED`)
      .raw()
      .next().value?.[0],
  );
  if (counted === rows) return;
  throw new WireError("digest-mismatch", `table ${table.slice(0, 200)} has ${counted} rows, and ${rows} were read`, {
    table,
    counted,
    read: rows,
  });
}

function pagesEntry(table: number, entry: number): string {
  return `pages:${table}:${entry}`;
}

function keepPages(store: StoreContext, table: number, from: number, pages: readonly Uint8Array[]): void {
  for (let at = 0; at < pages.length;) {
    const entry = Math.floor((from + at) / PAGES_PER_ENTRY);
    const room = PAGES_PER_ENTRY - ((from + at) % PAGES_PER_ENTRY);
    const name = pagesEntry(table, entry);
    const kept = store.books.digestEntry<Uint8Array>(name) ?? new Uint8Array(0);
    const before = kept.subarray(0, ((from + at) % PAGES_PER_ENTRY) * DIGEST_BYTES);
    store.books.putDigestEntry(name, concatBytes([before, ...pages.slice(at, at + room)]));
    at += room;
  }
}

function joinPages(store: StoreContext, table: number, count: number): string {
  const hash = createHash("sha256");
  for (let entry = 0; entry * PAGES_PER_ENTRY < count; entry++) {
    hash.update(store.books.digestEntry<Uint8Array>(pagesEntry(table, entry)) ?? new Uint8Array(0));
  }
  return hash.digest("hex");
}

function demandHeader({ books }: StoreContext): Header {
  if (books.schema !== undefined) return books.schema.header;
  const { phase, gen } = books.state;
  throw new WireError("wrong-phase", "there is nothing to digest before the schema", { phase, gen });
}
