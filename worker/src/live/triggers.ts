// Triggers that write the table that fired them. Most set a time of change, on the row that fired them alone: then
// the statement names every row that changes.
import {
  ROWID_NAMES,
  type TableShape,
  asciiLower,
  declaredKeyOf,
  sameName,
  schemaObject,
  shownColumns,
  tableShape,
} from "../store/catalog.ts";
import { tableFunction } from "../state/sql-text.ts";
import { countBeforeVerb, findOutside } from "../query/statement.ts";
import { tableWritten } from "../query/returning.ts";
import { type Token, isKeyword, isSignificant, tokenize } from "../query/tokens.ts";
import { assignsKey, plainName } from "./names.ts";

interface Trigger {
  /** The table that fires it. */
  readonly on: string;
  readonly after: boolean;
  /** The words of each statement of its body. */
  readonly body: readonly (readonly Token[])[];
}

/**
 * Whether all that triggers and foreign key actions write to the table is the row that fired them, under its key.
 * @param tables that a statement writes in all
 */
export function staysOnRow(sql: SqlStorage, base: string, tables: readonly string[]): boolean {
  const shape = tableShape(sql, base);
  if (shape?.key.length !== 1 || isWrittenByKeys(sql, base, tables)) return false;
  const keys = new Set([...rowidNames(sql, shape), ...ownKey(sql, base)]);
  return triggersOf(sql, tables).every(({ on, after, body }) =>
    body
      .filter((words) => sameName(plainName(tableWritten(words) ?? ""), base))
      .every((words) => after && sameName(on, base) && isOfFiringRow(words, keys)),
  );
}

/** The names of a rowid that no other column has taken: an application may well call an order's number oid. */
function rowidNames(sql: SqlStorage, { name, key }: TableShape): string[] {
  const [first] = key;
  if (first?.collation !== null) return [];
  const columns = shownColumns(sql, name).map(asciiLower);
  return [asciiLower(first.name), ...ROWID_NAMES.filter((rowid) => !columns.includes(rowid))];
}

/**
 * The declared primary key of a table, such as a TEXT, where it names one row. Under a collation of its own the
 * comparison in a trigger may find more rows than the key tells apart.
 */
function ownKey(sql: SqlStorage, table: string): string[] {
  const columns = declaredKeyOf(sql, table);
  const words = tokenize(schemaObject(sql, "table", table)?.sql ?? "");
  if (columns.length !== 1 || words.some((token) => isKeyword(token, "COLLATE"))) return [];
  return columns.map(asciiLower);
}

/** Whether a foreign key of the table has an action that another one of the tables sets off. */
function isWrittenByKeys(sql: SqlStorage, base: string, tables: readonly string[]): boolean {
  const keys = sql.exec<{ parent: string; deletes: string; updates: string }>(
    `SELECT "table" AS parent, on_delete AS deletes, on_update AS updates FROM ${tableFunction("pragma_foreign_key_list")}(?)`,
    base,
  );
  const acts = (action: string): boolean => /^(CASCADE|SET )/i.test(action);
  return [...keys].some(
    ({ parent, deletes, updates }) =>
      tables.some((table) => sameName(table, parent)) && (acts(deletes) || acts(updates)),
  );
}

/** The triggers of the tables. SQLite keeps a trigger's table as the trigger writes it, in whatever case. */
export function triggersOf(sql: SqlStorage, tables: readonly string[]): Trigger[] {
  const rows = sql.exec<{ on: string; sql: string }>(
    `SELECT tbl_name AS "on", sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name COLLATE NOCASE IN (SELECT value FROM ${tableFunction("json_each")}(?))`,
    JSON.stringify(tables),
  );
  return [...rows].map(({ on, sql: text }) => readTrigger(on, text));
}

function readTrigger(on: string, text: string): Trigger {
  const words = tokenize(text).filter(isSignificant);
  const begin = findOutside(words, (token) => isKeyword(token, "BEGIN"));
  const after = words.slice(0, begin).some((token) => isKeyword(token, "AFTER"));
  const body: Token[][] = [[]];
  for (const token of words.slice(begin + 1, -1)) {
    if (token.type === "semicolon") body.push([]);
    else body.at(-1)?.push(token);
  }
  return { on, after, body };
}

/** UPDATE table SET no key WHERE key = NEW.key, and more conditions if need be. */
function isOfFiringRow(words: readonly Token[], key: ReadonlySet<string>): boolean {
  const statement = words.slice(countBeforeVerb(words));
  const where = findOutside(statement, (token) => isKeyword(token, "WHERE"));
  if (!isKeyword(statement[0], "UPDATE") || where < 0 || assignsKey(statement, key)) return false;
  if (statement.slice(0, where).some((token) => isKeyword(token, "REPLACE") || isKeyword(token, "FROM")))
    return false;
  const condition = statement.slice(where + 1);
  const and = findOutside(condition, (token) => isKeyword(token, "AND"));
  if (findOutside(condition, (token) => isKeyword(token, "OR")) >= 0) return false;
  return isKeyOfRow(condition.slice(0, and < 0 ? condition.length : and), key);
}

/** `id = NEW.id`, and the other way around. */
function isKeyOfRow(words: readonly Token[], key: ReadonlySet<string>): boolean {
  const [a, b, c, d, e, f] = words.map(({ text }) => text);
  const isKey = (name = ""): boolean => key.has(plainName(name));
  const isRow = (name = ""): boolean => /^(new|old)$/i.test(plainName(name));
  const before = isKey(a) && b === "=" && isRow(c) && d === "." && isKey(e);
  const behind = isRow(a) && b === "." && isKey(c) && d === "=" && isKey(e);
  return f === undefined && (before || behind);
}
