// What the answer to one request may hold. Rows are counted while they are read: afterwards it is too late for the isolate.
import { WireError } from "../wire/errors.ts";
import { QUERY_LIMITS } from "../wire/limits.ts";
import type { Cell } from "./sql.ts";

const NUMBER_BYTES = 8;

/** What is left of the rows and bytes of one request. */
export class ResultBudget {
  #rows: number = QUERY_LIMITS.resultRows;
  #bytes: number = QUERY_LIMITS.resultBytes;

  /**
   * Hands out rows as they are read.
   * @param parts how many rows make one row of the result
   * @throws WireError too-costly
   */
  *of<Row extends readonly (Cell | undefined)[]>(rows: Iterable<Row>, parts = 1): Generator<Row> {
    for (const row of rows) {
      this.take(row, parts);
      yield row;
    }
  }

  /** @throws WireError too-costly */
  take(row: readonly (Cell | undefined)[], parts = 1): void {
    if ((this.#rows -= 1 / parts) < 0) throw tooCostly("rows", QUERY_LIMITS.resultRows);
    for (const cell of row) this.#bytes -= bytesOf(cell);
    if (this.#bytes < 0) throw tooCostly("bytes", QUERY_LIMITS.resultBytes);
  }
}

function bytesOf(cell: Cell | undefined): number {
  if (typeof cell === "string") return cell.length;
  if (cell instanceof ArrayBuffer) return Math.ceil(cell.byteLength / 3) * 4;
  return NUMBER_BYTES;
}

function tooCostly(what: string, limit: number): WireError {
  return new WireError("too-costly", `the request's results have more than ${limit} ${what}: ask for less at once`, {
    limit,
  });
}
