// What the database holds, read from the database itself: tables, their columns, their keys, CREATE texts.
import { isKeyword, isSignificant, tokenize } from "../query/tokens.ts";
import { compareBytes } from "../wire/binary.ts";
import { type ObjectType, type SchemaObject, internalTables, objectTypes } from "../wire/messages.ts";
import { tableFunction } from "../state/sql-text.ts";

/** One column of a row's key, in key order. */
export interface KeyColumn {
  readonly name: string;
  /** The collation of the index that orders the rows; null for a rowid. */
  readonly collation: string | null;
  readonly descending: boolean;
}

/** How to read the rows of a table in key order. */
export interface TableShape {
  readonly name: string;
  /** The columns of a row, the rowid's name first where no column shows it. */
  readonly columns: readonly string[];
  /** Whether the first of `columns` is such a rowid. */
  readonly hiddenRowid: boolean;
  /** What each of `columns` is declared as. */
  readonly types: readonly string[];
  readonly key: readonly KeyColumn[];
}

interface TableEntry {
  readonly name: string;
  readonly type: string;
  readonly withoutRowid: boolean;
}

interface ColumnEntry {
  readonly name: string;
  readonly type: string;
  readonly keyPosition: number;
  readonly hidden: number;
}

// table_xinfo's "hidden": a hidden column of a virtual table, a VIRTUAL generated column, a STORED one.
const HIDDEN_NORMAL = 0;
const HIDDEN_ALWAYS = 1;
const HIDDEN_STORED = 3;

/** The names that SQLite gives a rowid. */
export const ROWID_NAMES: readonly string[] = ["rowid", "_rowid_", "oid"];

/** Tables that are the platform's. */
export const PLATFORM_TABLES = ["_cf_KV", "_cf_METADATA", "_cf_EXTERNALS", "__miniflare_do_name"];

/** Names that are the platform's: Cloudflare's own tables, and one that the local runtime makes. */
export function isPlatformName(name: string): boolean {
  return /^_cf_/i.test(name) || name === "__miniflare_do_name";
}

/** Names that are SQLite's. */
export function isSqliteName(name: string): boolean {
  return /^sqlite_/i.test(name);
}

/** All tables that are the user's: ordinary and virtual, no shadow tables. */
export function userTables(sql: SqlStorage): TableEntry[] {
  return tableEntries(sql).filter(
    ({ name, type }) =>
      (type === "table" || type === "virtual") && !isSqliteName(name) && !isPlatformName(name),
  );
}

export function virtualNames(sql: SqlStorage): string[] {
  return tableEntries(sql).flatMap(({ name, type }) => (type === "virtual" ? [name] : []));
}

function tableEntries(sql: SqlStorage): TableEntry[] {
  const rows = sql.exec<{ name: string; type: string; wr: number }>(
    `SELECT name, type, wr FROM ${tableFunction("pragma_table_list")} WHERE schema = 'main'`,
  );
  return [...rows].map(({ name, type, wr }) => ({ name, type, withoutRowid: wr === 1 }));
}

// One table, without listing the others: a database may have thousands, and this is asked for each of them.
function tableEntry(sql: SqlStorage, name: string): TableEntry | undefined {
  const rows = sql.exec<{ name: string; type: string; wr: number }>(
    `SELECT name, type, wr FROM ${tableFunction("pragma_table_list")}(?) WHERE schema = 'main'`,
    name,
  );
  const row = [...rows].find((candidate) => candidate.name === name);
  return row && { name, type: row.type, withoutRowid: row.wr === 1 };
}

/**
 * Whether rows can be sent to a table of that name: a user's, or one of SQLite's own that users' databases
 * have.
 */
export function takesRows(sql: SqlStorage, name: string): boolean {
  if (isPlatformName(name) || (isSqliteName(name) && !isInternalTable(name))) return false;
  const type = tableEntry(sql, name)?.type;
  return type === "table" || type === "virtual";
}

/** The tables of the rows that digests and exports cover, sorted by name as bytes. */
export function tablesWithRows(sql: SqlStorage): string[] {
  return tableEntries(sql)
    .filter((entry) => holdsRows(sql, entry))
    .map(({ name }) => name)
    .sort(compareBytes);
}

/** The shape of one of them, or undefined when there is none of that name. */
export function tableShape(sql: SqlStorage, name: string): TableShape | undefined {
  const entry = tableEntry(sql, name);
  return entry !== undefined && holdsRows(sql, entry) ? shapeOf(sql, entry) : undefined;
}

function holdsRows(sql: SqlStorage, entry: TableEntry): boolean {
  if (isPlatformName(entry.name)) return false;
  if (entry.type === "table") return !isSqliteName(entry.name) || isInternalTable(entry.name);
  if (entry.type !== "virtual") return false;
  const module = virtualModule(sql, entry.name);
  if (module === "rtree" || module === "rtree_i32") return true;
  // FTS5 keeps a content table exactly when the content is its own.
  return module === "fts5" && hasTableNamed(sql, `${entry.name}_content`);
}

function hasTableNamed(sql: SqlStorage, name: string): boolean {
  return (
    [...sql.exec(`SELECT 1 FROM ${tableFunction("pragma_table_list")}(?) WHERE schema = 'main'`, name)]
      .length > 0
  );
}

function isInternalTable(name: string): boolean {
  return internalTables.some((internal) => internal === name);
}

/** The module of a virtual table, in lower case. */
export function virtualModule(sql: SqlStorage, name: string): string {
  const [row] = sql.exec<{ sql: string }>(
    "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?",
    name,
  );
  const tokens = tokenize(row?.sql ?? "").filter(isSignificant);
  const using = tokens.findIndex((token) => isKeyword(token, "USING"));
  const module = tokens[using + 1]?.text ?? "";
  return module.replace(/^["'`[]|["'`\]]$/g, "").toLowerCase();
}

/** The columns that a table declares as its primary key, in that order; none where it declares none. */
export interface DeclaredKey {
  /** The table's name as it stands in the schema. */
  readonly table: string;
  readonly columns: readonly string[];
}

/** Of an ordinary table that is the user's; undefined when there is none of that name, whatever its case. */
export function declaredKey(sql: SqlStorage, table: string): DeclaredKey | undefined {
  const found = userTables(sql).find(({ name, type }) => type === "table" && sameName(name, table));
  if (found === undefined) return undefined;
  return { table: found.name, columns: declaredKeyOf(sql, found.name) };
}

/** The columns of the declared primary key of a table, under its name in the schema. */
export function declaredKeyOf(sql: SqlStorage, table: string): string[] {
  const keyed = columnEntries(sql, table).filter(({ keyPosition }) => keyPosition > 0);
  return keyed.sort((a, b) => a.keyPosition - b.keyPosition).map(({ name }) => name);
}

/** Whether SQLite takes both for the same name. */
export function sameName(one: string, other: string): boolean {
  return asciiLower(one) === asciiLower(other);
}

/** A name as SQLite compares it: it folds the case of ASCII letters only. */
export function asciiLower(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function shapeOf(sql: SqlStorage, entry: TableEntry): TableShape {
  const columns = columnEntries(sql, entry.name);
  const stored = columns.filter(({ hidden }) => hidden === HIDDEN_NORMAL || hidden === HIDDEN_STORED);
  const names = stored.map(({ name }) => name);
  const types = stored.map(({ type }) => type);
  if (entry.withoutRowid) {
    return { name: entry.name, columns: names, hiddenRowid: false, types, key: primaryKey(sql, entry.name) };
  }
  const shown = rowidColumn(sql, entry, columns);
  const rowid = shown ?? rowidName(entry.name, columns);
  return {
    name: entry.name,
    columns: shown === undefined ? [rowid, ...names] : names,
    hiddenRowid: shown === undefined,
    types: shown === undefined ? ["INTEGER", ...types] : types,
    key: [{ name: rowid, collation: null, descending: false }],
  };
}

/** The columns that `SELECT *` gives, generated ones too. */
export function shownColumns(sql: SqlStorage, table: string): string[] {
  return columnEntries(sql, table)
    .filter(({ hidden }) => hidden !== HIDDEN_ALWAYS)
    .map(({ name }) => name);
}

function columnEntries(sql: SqlStorage, table: string): ColumnEntry[] {
  const rows = sql.exec<{ name: string; type: string; pk: number; hidden: number }>(
    `SELECT name, type, pk, hidden FROM ${tableFunction("pragma_table_xinfo")}(?) ORDER BY cid`,
    table,
  );
  return [...rows].map(({ name, type, pk, hidden }) => ({ name, type, keyPosition: pk, hidden }));
}

// The column that is the rowid: an INTEGER PRIMARY KEY, which is the only primary key that needs no index; an
// R-tree's first.
function rowidColumn(
  sql: SqlStorage,
  entry: TableEntry,
  columns: readonly ColumnEntry[],
): string | undefined {
  if (entry.type === "virtual") {
    return virtualModule(sql, entry.name) === "fts5" ? undefined : columns[0]?.name;
  }
  const key = columns.filter(({ keyPosition }) => keyPosition > 0);
  if (key.length !== 1 || primaryKeyIndex(sql, entry.name) !== undefined) return undefined;
  return key[0]?.name;
}

function rowidName(table: string, columns: readonly ColumnEntry[]): string {
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()));
  const free = ROWID_NAMES.find((name) => !taken.has(name));
  if (free === undefined) throw new Error(`table ${table}: its columns take every name of the rowid`);
  return free;
}

function primaryKeyIndex(sql: SqlStorage, table: string): string | undefined {
  return [
    ...sql.exec<{ name: string }>(
      `SELECT name FROM ${tableFunction("pragma_index_list")}(?) WHERE origin = 'pk'`,
      table,
    ),
  ][0]?.name;
}

// The columns of a WITHOUT ROWID key as its index has them: a column that the declaration repeats stands
// there once.
function primaryKey(sql: SqlStorage, table: string): KeyColumn[] {
  const index = primaryKeyIndex(sql, table);
  if (index === undefined) throw new Error(`table ${table}: no primary key`);
  const rows = sql.exec<{ name: string; coll: string; desc: number }>(
    `SELECT name, coll, "desc" FROM ${tableFunction("pragma_index_xinfo")}(?) WHERE key = 1 ORDER BY seqno`,
    index,
  );
  return [...rows].map(({ name, coll, desc }) => ({ name, collation: coll, descending: desc === 1 }));
}

/**
 * The schema objects that have a CREATE text and are the user's, in sqlite_schema order, without shadow
 * tables.
 */
export function schemaObjects(sql: SqlStorage): SchemaObject[] {
  const shadows = new Set(tableEntries(sql).flatMap(({ name, type }) => (type === "shadow" ? [name] : [])));
  const rows = sql.exec<{ type: string; name: string; table: string; sql: string }>(
    `SELECT type, name, tbl_name AS "table", sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid`,
  );
  return [...rows].flatMap((row) => {
    const type = objectTypes.find((candidate) => candidate === row.type);
    const ours =
      type !== undefined && !isSqliteName(row.name) && !isPlatformName(row.name) && !shadows.has(row.name);
    return ours ? [{ type, name: row.name, table: row.table, sql: row.sql }] : [];
  });
}

/** The one object of that type and name, if there is one. */
export function schemaObject(sql: SqlStorage, type: ObjectType, name: string): SchemaObject | undefined {
  const query = "SELECT tbl_name, sql FROM sqlite_schema WHERE type = ? AND name = ? AND sql IS NOT NULL";
  const [row] = sql.exec<{ tbl_name: string; sql: string }>(query, type, name);
  return row === undefined ? undefined : { type, name, table: row.tbl_name, sql: row.sql };
}

/** Whether the database has a table of SQLite's own. */
export function hasTable(sql: SqlStorage, name: string): boolean {
  return [...sql.exec("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", name)].length > 0;
}
