// What statements run on: a Durable Object's SqlStorage, or a file that behaves like one
// (src/file/file-sql.ts).
import type { Binding } from "./parameters.ts";

/** A value as exec() gives it: every number is a JavaScript number. */
export type Cell = SqlStorageValue;

/** The rows of one statement. */
export interface SqlCursor {
  readonly columnNames: readonly string[];
  readonly rowsRead: number;
  readonly rowsWritten: number;
  raw(): Iterable<readonly (Cell | undefined)[]>;
}

/** The part of SqlStorage that runs statements. */
export interface Sql {
  exec(query: string, ...bindings: Binding[]): SqlCursor;
  /** Reads a statement and runs nothing, where that can be asked for. @throws what `exec` would */
  compile?(query: string): void;
}
