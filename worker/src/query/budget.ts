// What the answer to one request may hold. Rows are counted while they are read: afterwards it is too late
// for the isolate.
import { WireError } from "../wire/errors.ts";
import { QUERY_LIMITS } from "../wire/limits.ts";
import type { Cell, SqlCursor } from "./sql.ts";

type Rows = Pick<SqlCursor, "raw" | "rowsWritten">;

/** What is read behind the limit. */
const DRAINED_BYTES = 4 * QUERY_LIMITS.resultBytes;

/** Of a number, and of any value beside its content. */
const NUMBER_BYTES = 8;

/** What is left of the rows and bytes of one request. */
export class ResultBudget {
  #rows: number = QUERY_LIMITS.resultRows;
  #bytes: number = QUERY_LIMITS.resultBytes;

  /**
   * Hands out a cursor's rows as they are read.
   * @param parts how many rows make one row of the result
   * @param ours columns at the end, before the last one, that are not of the answer
   * @throws WireError too-costly
   */
  *of(cursor: Rows, parts = 1, ours = 0): Generator<readonly (Cell | undefined)[]> {
    const iterator = cursor.raw()[Symbol.iterator]();
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      try {
        this.take(ours > 0 ? next.value.slice(0, -1 - ours) : next.value, parts);
      } catch (error) {
        drain(iterator, cursor);
        throw error;
      }
      yield next.value;
    }
  }

  /**
   * Takes room for the names of a result's columns, and hands them out.
   * @throws WireError too-costly
   */
  named(columns: readonly string[]): readonly string[] {
    for (const name of columns) this.#bytes -= name.length;
    if (this.#bytes < 0) throw tooCostly("bytes", QUERY_LIMITS.resultBytes);
    return columns;
  }

  /**
   * Looks whether there will be room for rows, and takes none.
   * @param sizes for each row, the bytes of its values beside NUMBER_BYTES each
   * @param kept so many of them a LIMIT and an OFFSET leave: those that the OFFSET skips are no rows of the answer
   * @throws WireError too-costly
   */
  foresee(sizes: Iterable<readonly (Cell | undefined)[]>, columns: number, kept = Infinity): void {
    let [rows, bytes] = [0, 0];
    // One that is left in the middle is a cursor that keeps tables from being dropped (see `drain`).
    for (const [size] of sizes) {
      rows++;
      bytes += columns * NUMBER_BYTES + Number(size);
      if (bytes > this.#bytes + DRAINED_BYTES) break;
    }
    if (kept === Infinity && rows > this.#rows) throw tooCostly("rows", QUERY_LIMITS.resultRows);
    if (bytes > this.#bytes) throw tooCostly("bytes", QUERY_LIMITS.resultBytes);
  }

  /** @throws WireError too-costly */
  take(row: readonly (Cell | undefined)[], parts = 1): void {
    if ((this.#rows -= 1 / parts) < 0) throw tooCostly("rows", QUERY_LIMITS.resultRows);
    for (const cell of row) this.#bytes -= bytesOf(cell);
    if (this.#bytes < 0) throw tooCostly("bytes", QUERY_LIMITS.resultBytes);
  }
}

/**
 * A cursor that is left in the middle keeps every table of the database from being dropped, until it is
 * collected. One that has written also keeps its transaction from ending, even by a rollback: it is read to its
 * end. SQLite has made all of its rows before the first.
 */
function drain(rows: Iterator<readonly (Cell | undefined)[]>, { rowsWritten }: Rows): void {
  let bytes = DRAINED_BYTES;
  for (let left = 2 * QUERY_LIMITS.resultRows; rowsWritten > 0 || (left > 0 && bytes > 0); left--) {
    const { done, value } = rows.next();
    if (done === true) return;
    for (const cell of value) bytes -= bytesOf(cell);
  }
}

function bytesOf(cell: Cell | undefined): number {
  if (typeof cell === "string") return NUMBER_BYTES + cell.length;
  if (cell instanceof ArrayBuffer) return NUMBER_BYTES + Math.ceil(cell.byteLength / 3) * 4;
  return NUMBER_BYTES;
}

function tooCostly(what: string, limit: number): WireError {
  return new WireError(
    "too-costly",
    `the request's results have more than ${limit} ${what}: ask for less at once`,
    {
      limit,
    },
  );
}
