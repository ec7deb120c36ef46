// The digest of what the tables hold (docs/wire-format.md, section 6), computed page by page over many
// requests.
import { createHash } from "node:crypto";
import { concatBytes } from "../wire/binary.ts";
import { databaseDigest, schemaDigest } from "../wire/digest.ts";
import { WireError } from "../wire/errors.ts";
import {
  type Census,
  type DatabaseDigest,
  type Header,
  type Phase,
  type TableDigest,
  censusDifference,
} from "../wire/messages.ts";
import type { Key } from "../wire/values.ts";
import { type TableShape, schemaObjects, tablesWithRows } from "./catalog.ts";
import { type StoreContext, contentVersion } from "../state/context.ts";
import { demandTable } from "./export.ts";
import { demandPhase } from "../state/guard.ts";
import { takeCensus } from "./census.ts";
import { hashRows } from "./range.ts";
import { type Chunk, RowReader } from "./row-reader.ts";
import { type HashState, ResumableSha256, nothingHashed } from "./sha256.ts";
import { type Counted, Misread, Tally, censusOf, nothingCounted } from "./tally.ts";

/** How many rows make a page. */
const PAGE_ROWS = 2048;
// Work is counted: in production the clock stands still while code runs, and a request may use 30 seconds of
// CPU time. A page of ordinary rows and a census are the smallest steps; a large census is the last thing that
// its request does.
const SLICE_BYTES = 8 * 1024 * 1024;
const SLICE_PAGES = 64;
const SLICES_PER_REQUEST = 8;
// A page of longer rows, up to 4 GB, is hashed in parts.
const LONG_PAGE_BYTES = 32 * 1024 * 1024;
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
  readonly counted: Counted;
  readonly pages: number;
  readonly after: Key | null;
  /** All pages are hashed; the census is due. */
  readonly ended?: boolean;
  /** The page at hand, in a table with a page that is too long for one step. */
  readonly part?: PartOfPage | undefined;
}

interface PartOfPage {
  readonly rows: number;
  readonly hash: HashState;
  readonly reals: Uint8Array;
}

interface Result {
  readonly version: string;
  readonly digest: DatabaseDigest;
}

/**
 * Computes at least one slice, and at most as many as a request may; it ends earlier after about `budgetMs`
 * milliseconds. `fresh` forgets what was computed before, for the caller who does not trust that every change
 * of the tables went through this class.
 * @throws WireError wrong-phase
 */
export async function advanceDigest(
  store: StoreContext,
  budgetMs: number,
  fresh = false,
): Promise<DigestReport> {
  const start = Date.now();
  if (fresh) store.storage.transactionSync(() => forgetDigest(store));
  for (let done = 0; done < SLICES_PER_REQUEST;) {
    const budget = new SliceBudget();
    if (store.storage.transactionSync(() => digestSlice(store, budget))) break;
    done += budget.slices;
    // Lets the clock move and other requests in; a write among them makes the digest start over.
    await scheduler.wait(0);
    if (Date.now() - start >= budgetMs) break;
  }
  return report(store);
}

/**
 * The digest from the tables themselves, without a break: nothing is written meanwhile. It is for stores that
 * the caller knows to be small.
 * @throws WireError wrong-phase
 */
export function digestAtOnce(store: StoreContext): DigestReport {
  store.storage.transactionSync(() => forgetDigest(store));
  while (!store.storage.transactionSync(() => digestSlice(store, new SliceBudget())));
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
function digestSlice(store: StoreContext, budget: SliceBudget): boolean {
  demandPhase(store.books.state, "digest");
  const header = demandHeader(store);
  if (completeDigest(store) !== undefined) return true;
  const tables = tablesWithRows(store.sql);
  let progress = currentProgress(store);
  let table = tables[progress.done.length];
  while (table !== undefined && !budget.spent) {
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
  // Without `counted` it is an older Worker's.
  if (progress?.version === version && progress.counted !== undefined) return progress;
  store.books.dropDigest();
  return { version, done: [], counted: nothingCounted(), pages: 0, after: null };
}

class SliceBudget {
  #bytes = 0;
  #pages = 0;
  #closed = false;

  /** How many slices the work was, at least one. */
  get slices(): number {
    return Math.max(1, this.#bytes / SLICE_BYTES, this.#pages / SLICE_PAGES);
  }

  get spent(): boolean {
    return this.#closed || this.#bytes >= SLICE_BYTES || this.#pages >= SLICE_PAGES;
  }

  charge(bytes: number, pages = 1): void {
    this.#bytes += bytes;
    this.#pages += pages;
  }

  /**
   * Charges one piece of work, if there is room for it or it is the first of the slice; otherwise the slice
   * is over.
   */
  takes(bytes: number, pages: number): boolean {
    const fits = this.#bytes + bytes <= SLICE_BYTES && this.#pages + pages <= SLICE_PAGES;
    if (fits || this.#pages === 0) this.charge(bytes, pages);
    else this.#closed = true;
    return !this.#closed;
  }
}

// Goes on with one table until it is done or the budget is spent.
function digestTable(store: StoreContext, shape: TableShape, from: Progress, budget: SliceBudget): Progress {
  const reader = new RowReader(store.sql, shape);
  const pages: Uint8Array[] = [];
  let tally = new Tally(shape, from.counted);
  let { after, ended = false, part } = from;
  while (!ended && !budget.spent) {
    const before = { ...tally.counted };
    const next =
      part === undefined
        ? hashPage(reader, after, tally, budget)
        : hashPart(reader, after, tally, budget, part);
    if (next === undefined) {
      tally = new Tally(shape, before);
      part = nothingOfPage;
      continue;
    }
    if (next.digest !== undefined) pages.push(next.digest);
    ({ after, ended, part } = next);
  }
  keepPages(store, from.done.length, from.pages, pages);
  const count = from.pages + pages.length;
  const { counted } = tally;
  if (!ended || !budget.takes(...censusCost(counted)))
    return { ...from, counted, pages: count, after, ended, part };
  const census = demandCensus(store.sql, shape, counted);
  const digest = joinPages(store, from.done.length, count);
  const done = { name: shape.name, rows: counted.rows, digest, ...(census !== undefined && { census }) };
  return {
    ...from,
    done: [...from.done, done],
    counted: nothingCounted(),
    pages: 0,
    after: null,
    ended: false,
    part: undefined,
  };
}

/** Bytes and pages of the plain scan. */
function censusCost({ rows, text, blob, integers, reals }: Counted): [bytes: number, pages: number] {
  return [text + blob + 8 * (integers + reals), Math.ceil(rows / PAGE_ROWS)];
}

// Holds what the reader returned against the census.
function demandCensus(sql: SqlStorage, shape: TableShape, read: Counted): Census | undefined {
  const counted = takeCensus(sql, shape);
  const found = censusOf(read);
  if ((counted === undefined) === (found === undefined) && censusDifference(counted, found) === "")
    return counted;
  const difference =
    censusDifference(counted, found) || `rows ${counted?.rows ?? 0} against ${found?.rows ?? 0}`;
  throw misread(
    shape.name,
    `a plain scan of the table and what was read of it differ: ${difference}`,
    counted?.rows ?? 0,
    read.rows,
  );
}

// The reader is at fault, not the data.
function misread(table: string, reason: string, counted: number | null, read: number): WireError {
  const message = `table ${table.slice(0, 200)}: ${reason}; the object's reader is at fault, not its data`;
  return new WireError("digest-mismatch", message, { table, counted, read });
}

/** Where a page, or a part of one, ended. */
interface Hashed {
  readonly after: Key | null;
  /** No row is left in the table. */
  readonly ended: boolean;
  /** Of a whole page. */
  readonly digest?: Uint8Array;
  readonly part?: PartOfPage;
}

const nothingOfPage: PartOfPage = { rows: 0, hash: nothingHashed(), reals: new Uint8Array(0) };

/** Thrown out of a page that is too long for one step. */
class LongPage extends Error {}

// The next page; undefined where it is too long for one step.
function hashPage(
  reader: RowReader,
  after: Key | null,
  tally: Tally,
  budget: SliceBudget,
): Hashed | undefined {
  let bytes = 0;
  const demandRoom = ({ cells }: Chunk) => {
    bytes += cells.reduce((sum, part) => sum + part.length, 0);
    if (bytes > LONG_PAGE_BYTES) throw new LongPage();
  };
  try {
    const { rows, digest, last } = naming(reader, tally, () =>
      hashRows(reader, after, null, PAGE_ROWS, tally, demandRoom),
    );
    return { after: last, ended: rows < PAGE_ROWS, ...(rows > 0 && { digest }) };
  } catch (error) {
    if (!(error instanceof LongPage)) throw error;
    return undefined;
  } finally {
    budget.charge(bytes);
  }
}

// Goes on with a page, and with the table in this way: the pages behind a long one are likely to be long.
function hashPart(
  reader: RowReader,
  after: Key | null,
  tally: Tally,
  budget: SliceBudget,
  part: PartOfPage,
): Hashed {
  const hash = new ResumableSha256(part.hash);
  const reals = [part.reals];
  let { rows } = part;
  let last = after;
  let ended = false;
  while (!ended && rows < PAGE_ROWS && !budget.spent) {
    const chunk = reader.next(last, null, PAGE_ROWS - rows);
    for (const cells of chunk.cells) {
      hash.update(cells);
      budget.charge(cells.length, 0);
    }
    naming(reader, tally, () => tally.add(chunk.cells, chunk.reals));
    reals.push(chunk.reals);
    rows += chunk.rows;
    ended = chunk.rows === 0;
    last = chunk.last ?? last;
  }
  const ofReals = concatBytes(reals);
  if (!ended && rows < PAGE_ROWS) {
    return { after: last, ended, part: { rows, hash: hash.state, reals: ofReals } };
  }
  hash.update(ofReals);
  budget.charge(0, 1);
  return { after: last, ended, part: nothingOfPage, ...(rows > 0 && { digest: hash.digest() }) };
}

// Names the table of a misread row.
function naming<T>(reader: RowReader, tally: Tally, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Misread)) throw error;
    throw misread(reader.shape.name, error.message, null, tally.counted.rows);
  }
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
