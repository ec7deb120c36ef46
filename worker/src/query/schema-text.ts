// What two databases with the same schema agree in, as one text, and names as SQL has them.
export { quoteName } from "../state/sql-text.ts";

/** The application's schema: without what SQLite, virtual tables and the platform make for themselves. */
export const SCHEMA_TEXT = `SELECT json_group_array(json_array(type, name, tbl_name, sql)) FROM (SELECT * FROM sqlite_schema
  WHERE substr(name, 1, 7) <> 'sqlite_' AND substr(name, 1, 4) <> '_cf_'
  AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY type, name)`;
