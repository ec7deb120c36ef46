// How virtual tables get their content, read from the tables themselves.
import type { VirtualTable } from "../wire/messages.ts";
import type { ExactValue } from "../wire/values.ts";
import { schemaObjects, tablesWithRows, userTables, virtualModule } from "./catalog.ts";
import { quoteName } from "../state/sql-text.ts";

/**
 * Every virtual table that has content, in the order of the schema: rows of its own, or an FTS5 index over
 * the content of another table.
 */
export function virtualTables(sql: SqlStorage): VirtualTable[] {
  const withRows = new Set(tablesWithRows(sql));
  const virtual = new Set(userTables(sql).flatMap(({ name, type }) => (type === "virtual" ? [name] : [])));
  return schemaObjects(sql).flatMap(({ name, type }) => {
    if (type !== "table" || !virtual.has(name)) return [];
    const fts5 = virtualModule(sql, name) === "fts5";
    if (!fts5 && !withRows.has(name)) return [];
    return [
      { name, load: withRows.has(name) ? "rows" : "rebuild", config: fts5 ? fts5Options(sql, name) : [] },
    ];
  });
}

/** The options that were set on an FTS5 table. The version is FTS5's own affair. */
function fts5Options(sql: SqlStorage, table: string): (readonly [ExactValue, ExactValue])[] {
  const config = quoteName(`${table}_config`);
  const query = `SELECT CAST(k AS BLOB), typeof(v), CAST(v AS TEXT), CAST(v AS BLOB) FROM ${config} WHERE k <> 'version' ORDER BY k`;
  return [...sql.exec(query).raw()].map(([name, type, text, bytes]) => [
    { class: "text", bytes: bytesOf(name) },
    optionValue(String(type), String(text), bytes),
  ]);
}

function optionValue(type: string, text: string, bytes: unknown): ExactValue {
  switch (type) {
    case "integer":
      return { class: "integer", decimal: text };
    case "real":
      return { class: "real", number: Number(text) };
    case "text":
      return { class: "text", bytes: bytesOf(bytes) };
    case "blob":
      return { class: "blob", bytes: bytesOf(bytes) };
    default:
      return { class: "null" };
  }
}

function bytesOf(value: unknown): Uint8Array {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(0);
}
