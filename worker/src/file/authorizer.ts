// What a statement may not do. A Durable Object denies the same (workerd's SqliteDatabase::isAuthorized), so
// an application meets the same refusals before and after its users move.

import { storeFunctions } from "./functions.ts";
import { isReservedName } from "./reserved.ts";

const OK = 0;
const DENY = 1;

/** SQLite's authorizer action codes (sqlite3.h). */
const ACTION = {
  CREATE_INDEX: 1,
  CREATE_TABLE: 2,
  CREATE_TEMP_INDEX: 3,
  CREATE_TEMP_TABLE: 4,
  CREATE_TEMP_TRIGGER: 5,
  CREATE_TEMP_VIEW: 6,
  CREATE_TRIGGER: 7,
  CREATE_VIEW: 8,
  PRAGMA: 19, // with the pragma's name and argument
  TRANSACTION: 22,
  ATTACH: 24,
  DETACH: 25,
  CREATE_VTABLE: 29,
  FUNCTION: 31, // with nothing and the function's name
  SAVEPOINT: 32,
} as const;

const DENIED: ReadonlySet<number> = new Set([
  ACTION.CREATE_TEMP_INDEX,
  ACTION.CREATE_TEMP_TABLE,
  ACTION.CREATE_TEMP_TRIGGER,
  ACTION.CREATE_TEMP_VIEW,
  ACTION.TRANSACTION,
  ACTION.ATTACH,
  ACTION.DETACH,
  ACTION.SAVEPOINT,
]);

/** SQLite reports `CREATE TABLE temp.t` as an ordinary creation, in the schema "temp". */
const CREATING: ReadonlySet<number> = new Set([
  ACTION.CREATE_INDEX,
  ACTION.CREATE_TABLE,
  ACTION.CREATE_TRIGGER,
  ACTION.CREATE_VIEW,
  ACTION.CREATE_VTABLE,
]);

const MODULES: ReadonlySet<string> = new Set(["fts5", "fts5vocab", "rtree", "rtree_i32"]);

/** Pragmas that a store runs with any argument, or none. */
const PRAGMAS: ReadonlySet<string> = new Set(["foreign_key_check", "quick_check", "table_list"]);

/** Pragmas about one table or index. */
const PRAGMAS_OF_OBJECT: ReadonlySet<string> = new Set([
  "foreign_key_list",
  "index_info",
  "index_list",
  "index_xinfo",
  "table_info",
  "table_xinfo",
]);

/**
 * Pragmas that a store runs without an argument only: it keeps its connection, and a setting would outlast
 * the request.
 */
const PRAGMAS_TO_READ: ReadonlySet<string> = new Set([
  "case_sensitive_like",
  "data_version",
  "defer_foreign_keys",
  "foreign_keys",
  "ignore_check_constraints",
  "legacy_alter_table",
  "page_size",
  "recursive_triggers",
  "reverse_unordered_selects",
]);

let trusted = false;
let lenient = false;

/** Runs `use` with the functions, modules and names of SQLite itself, not those of a Durable Object alone. */
export function leniently<T>(use: () => T): T {
  lenient = true;
  try {
    return use();
  } finally {
    lenient = false;
  }
}

/** Runs `use` with every statement allowed: for the transaction around an application's statements. */
export function asOurselves<T>(use: () => T): T {
  trusted = true;
  try {
    return use();
  } finally {
    trusted = false;
  }
}

/** What SQLite says of one thing that a statement would do; null is C's NULL. */
export interface Asked {
  readonly action: number;
  readonly first: string | null;
  readonly second: string | null;
  readonly schema: string | null;
}

/** SQLite's authorizer callback: called while a statement is prepared, once per thing that it would do. */
export function authorize(asked: Asked): number {
  return trusted || mayDo(asked) ? OK : DENY;
}

function mayDo({ action, first: named, second: more, schema }: Asked): boolean {
  const [first, second] = [named ?? "", more ?? ""];
  if (action === ACTION.PRAGMA) return mayRunPragma(first.toLowerCase(), more);
  if (action === ACTION.FUNCTION) return lenient || storeFunctions.has(second.toLowerCase());
  if (action === ACTION.CREATE_VTABLE && !lenient && !MODULES.has(second.toLowerCase())) return false;
  if (CREATING.has(action)) return schema !== "temp" && (lenient || !isReservedName(first));
  return !DENIED.has(action);
}

// An empty argument is one: `PRAGMA table_info('')` asks of a table that is not there, and answers no rows.
function mayRunPragma(name: string, argument: string | null): boolean {
  if (name === "optimize") return argument === null || /^(0x[0-9a-f]+|\d+)$/i.test(argument);
  return PRAGMAS.has(name) || (argument === null ? PRAGMAS_TO_READ : PRAGMAS_OF_OBJECT).has(name);
}
