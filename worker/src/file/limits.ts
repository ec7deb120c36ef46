// A Durable Object's limits, as workerd sets them (pkg/wire/testdata/vectors/statements.json tries each on
// both sides).
import { Buffer } from "node:buffer";
import { encodeText, type Pointer } from "./memory.ts";
import { type Sqlite, withBytes } from "./sqlite.ts";

/** SQLITE_LIMIT_* of sqlite3.h, and the figure. */
const STORE_LIMITS: readonly (readonly [id: number, value: number])[] = [
  [0, 8_388_642], // LENGTH: one value or row; production promises 2,000,000, and the local runtime sets this
  [1, 100_000], // SQL_LENGTH
  [2, 100], // COLUMN: of a table, a result, an index, an ORDER BY
  [3, 100], // EXPR_DEPTH
  [4, 5], // COMPOUND_SELECT
  [5, 25_000], // VDBE_OP
  [6, 127], // FUNCTION_ARG
  [7, 0], // ATTACHED
  [8, 50], // LIKE_PATTERN_LENGTH
  [9, 100], // VARIABLE_NUMBER
  [10, 10], // TRIGGER_DEPTH
];

/** What is left of SQLite's virtual tables: those of a Durable Object. */
const STORE_MODULES = [
  "fts5",
  "fts5vocab",
  "rtree",
  "rtree_i32",
  "json_each",
  "json_tree",
  "jsonb_each",
  "jsonb_tree",
];

/**
 * Puts a connection under a Durable Object's limits. Its schema is to be loaded before: a file may hold a
 * view or table that no Durable Object takes, and its other tables are to be served all the same.
 */
export function limitLikeStore({ c }: Sqlite, db: Pointer): void {
  for (const [id, value] of STORE_LIMITS) c.sqlite3_limit(db, id, value);
}

/** Those that texts of the schema may be over: SQL_LENGTH to FUNCTION_ARG. */
const SCHEMA_LIMITS = [1, 2, 3, 4, 5, 6];
/** More than any limit: SQLite then takes the highest that it was built with. */
const ANY = 0x7fffffff;

/** Runs `use` with SQLite's own limits for the texts of the schema. */
export function withOwnLimits<T>({ c }: Sqlite, db: Pointer, use: () => T): T {
  const before = SCHEMA_LIMITS.map((id) => [id, c.sqlite3_limit(db, id, ANY)] as const);
  try {
    return use();
  } finally {
    for (const [id, value] of before) c.sqlite3_limit(db, id, value);
  }
}

/** How many bytes the text of a statement may have now. */
export function textLimit({ c }: Sqlite, db: Pointer): number {
  return c.sqlite3_limit(db, 1, -1);
}

/** Takes away the modules that a Durable Object does not have. */
export function dropModules(lib: Sqlite, db: Pointer): void {
  const names = STORE_MODULES.map((name) => encodeText(`${name}\0`));
  withBytes(lib, Buffer.concat(names), (text) => {
    const pointers = new Int32Array(names.length + 1);
    let at = text;
    names.forEach((name, i) => {
      pointers[i] = at;
      at += name.byteLength;
    });
    withBytes(lib, new Uint8Array(pointers.buffer), (list) => lib.c.sqlite3_drop_modules(db, list));
  });
}
