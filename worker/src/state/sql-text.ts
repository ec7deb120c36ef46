// SQL texts from names and exact values.
import type { ExactValue } from "../wire/values.ts";

/** A value as exec() binds it. */
export type Binding = string | number | ArrayBuffer | null;

/** An SQL expression and what its parameters are bound to. */
export interface BoundExpression {
  readonly sql: string;
  readonly bindings: readonly Binding[];
}

/** A quoted identifier. Nothing about a name is trusted beyond this. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The alias under which the rows of a user's table are read. */
export const ROW = "_dbmigrate_row";

/**
 * A column of the row that is read. A bare name could mean an alias of the result list instead: in ORDER BY,
 * aliases win over columns.
 */
export function rowColumn(name: string): string {
  return `${ROW}.${quoteName(name)}`;
}

/**
 * One of SQLite's own table-valued functions. Under its bare name a user's table is found first; schema temp
 * holds no tables, so the name there always means the function.
 */
export function tableFunction(name: string): string {
  return `temp.${name}`;
}

/** A string literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * An expression with exactly this value, of no affinity: a cast has one, and the unary plus takes it away
 * again. It is the same text for all values of a class, so that SQLite's statement cache finds it.
 */
export function exactExpression(value: ExactValue): BoundExpression {
  switch (value.class) {
    case "null":
      return { sql: "NULL", bindings: [] };
    case "integer":
      return { sql: "+cast(? as integer)", bindings: [value.decimal] };
    case "real":
      return { sql: "?", bindings: [value.number] };
    case "text":
      return { sql: "+cast(? as text)", bindings: [ownBuffer(value.bytes)] };
    case "blob":
      return { sql: "?", bindings: [ownBuffer(value.bytes)] };
  }
}

/**
 * The same with INTEGERs in the text: a row of 100 columns and a rowid then needs no more than 100
 * parameters.
 */
export function exactLiteral(value: ExactValue): BoundExpression {
  return value.class === "integer" ? { sql: value.decimal, bindings: [] } : exactExpression(value);
}

/**
 * The operands joined by a left-associative operator as a balanced tree: SQLite takes no expression deeper
 * than 100.
 */
export function balanced(operands: readonly string[], operator: string): string {
  if (operands.length <= 1) return operands[0] ?? "0";
  const middle = operands.length >> 1;
  return `(${balanced(operands.slice(0, middle), operator)}${operator}${balanced(operands.slice(middle), operator)})`;
}

/** The bytes alone, without what else their buffer holds. */
export function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
