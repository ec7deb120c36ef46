import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Phase } from "../wire/messages.ts";
import { type Key, emitKey } from "../wire/values.ts";
import type { StoreContext } from "../state/context.ts";
import { demandTable } from "./export.ts";
import { demandPhase } from "../state/guard.ts";
import { type Chunk, RowReader } from "./row-reader.ts";
import type { Tally } from "./tally.ts";

/** The digest of consecutive rows. */
export interface HashedRows {
  readonly rows: number;
  /** Of their cells and reals. */
  readonly bytes: number;
  readonly digest: Uint8Array;
  readonly last: Key | null;
}

/** After so many bytes of rows an answer ends, whatever its limit of rows. */
export const RANGE_BYTES = 64 * 1024 * 1024;

/**
 * SHA-256 over the cells of at most `limit` rows with `after` < key <= `upto`, and then over their reals. It
 * ends with the chunk that reaches `most` bytes.
 * @throws Misread where the rows are not in the order of their keys, or do not count up
 */
export function hashRows(
  reader: RowReader,
  after: Key | null,
  upto: Key | null,
  limit: number,
  tally?: Tally,
  keep?: (chunk: Chunk) => void,
  most = Infinity,
): HashedRows {
  const hash = createHash("sha256");
  const reals: Uint8Array[] = [];
  let rows = 0;
  let bytes = 0;
  let last: Key | null = null;
  while (rows < limit && bytes < most) {
    const chunk = reader.next(last ?? after, upto, limit - rows);
    if (chunk.rows === 0) break;
    for (const cells of chunk.cells) {
      hash.update(cells);
      bytes += cells.length;
    }
    tally?.add(chunk.cells, chunk.reals);
    keep?.(chunk);
    reals.push(chunk.reals);
    bytes += chunk.reals.length;
    rows += chunk.rows;
    last = chunk.last;
  }
  for (const part of reals) hash.update(part);
  return { rows, bytes, digest: hash.digest(), last };
}

export interface RangeRequest {
  readonly table: string;
  readonly after: Key | null;
  readonly upto: Key | null;
  /** In rows; Infinity for none. */
  readonly limit: number;
  /** Whether the rows themselves are wanted; they come when they are short, or only one. */
  readonly content?: boolean;
  /** After about so many bytes of rows the answer ends; absent: RANGE_BYTES. */
  readonly most?: number;
}

export interface RangeDigest {
  readonly rows: number;
  readonly digest: string;
  readonly last: unknown;
  readonly writes: number;
  readonly phase: Phase;
  /** The range may go on: the answer ended because of its bytes. Absent: it did not. */
  readonly more?: true;
  readonly cells?: string;
  readonly reals?: string;
}

// Above it the asker has to ask for fewer rows.
const CONTENT_BYTES = 1024 * 1024;

/**
 * The digest of a range of a table, to find out where two sides differ. @throws WireError wrong-phase or
 * not-found
 */
export function rangeDigest(store: StoreContext, request: RangeRequest): RangeDigest {
  const { table, after, upto, limit, content = false, most = RANGE_BYTES } = request;
  const { state, writes } = store.books;
  demandPhase(state, "digest");
  const reader = new RowReader(store.sql, demandTable(store.sql, table), most);
  const kept: Chunk[] = [];
  let room = CONTENT_BYTES;
  const keep = (chunk: Chunk) => {
    room -= chunk.cells.reduce((sum, part) => sum + part.length, 0);
    if (room >= 0 || limit === 1) kept.push(chunk);
  };
  const hashed = hashRows(reader, after, upto, limit, undefined, content ? keep : undefined, most);
  const { rows, bytes, digest, last } = hashed;
  const answer = {
    rows,
    digest: Buffer.from(digest).toString("hex"),
    last: emitKey(last),
    writes,
    phase: state.phase,
    ...(rows < limit && bytes >= most && { more: true as const }),
  };
  return content && (room >= 0 || limit === 1) ? { ...answer, ...contentOf(kept) } : answer;
}

function contentOf(chunks: readonly Chunk[]): { cells: string; reals: string } {
  return {
    cells: Buffer.concat(chunks.flatMap(({ cells }) => cells)).toString("base64"),
    reals: Buffer.concat(chunks.map(({ reals }) => reals)).toString("base64"),
  };
}
