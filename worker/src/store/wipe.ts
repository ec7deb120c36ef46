import { hasTable, isPlatformName, isSqliteName, userTables } from "./catalog.ts";
import type { Bookkeeping } from "../state/bookkeeping.ts";
import { quoteName } from "../state/sql-text.ts";

/**
 * Drops everything that is the user's and forgets what we knew about it. Runs inside the caller's
 * transaction, with foreign keys off: dropping a parent table would otherwise fail. deleteAll() is no way: it
 * would take the claim counter along.
 */
export function wipe(sql: SqlStorage, books: Bookkeeping): void {
  dropAll(sql, "trigger");
  dropAll(sql, "view");
  const tables = userTables(sql);
  for (const { name } of tables.filter(({ type }) => type === "virtual")) dropTable(sql, name);
  for (const { name } of tables.filter(({ type }) => type === "table")) dropTable(sql, name);
  if (hasTable(sql, "sqlite_sequence")) sql.exec("DELETE FROM sqlite_sequence");
  if (hasTable(sql, "sqlite_stat1")) sql.exec("DROP TABLE sqlite_stat1");
  books.wipe();
}

function dropAll(sql: SqlStorage, type: "trigger" | "view"): void {
  const rows = [...sql.exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = ?", type)];
  for (const { name } of rows) {
    if (!isSqliteName(name) && !isPlatformName(name)) sql.exec(`DROP ${type} ${quoteName(name)}`);
  }
}

function dropTable(sql: SqlStorage, name: string): void {
  sql.exec(`DROP TABLE IF EXISTS ${quoteName(name)}`);
}
