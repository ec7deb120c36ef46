// The tables that a statement reads, asked of SQLite itself: the program that it compiles the statement to
// (EXPLAIN) opens every b-tree that it reads, those behind views too.
import type { BoundStatement } from "./parameters.ts";
import { tablesOf } from "./program.ts";
import type { Sql } from "./sql.ts";
import type { RunnableStatement } from "./statements.ts";
import type { StatementResult } from "./types.ts";

/** Functions that tell of writes, whatever they were to. */
const OF_WRITES = /^["`[]?(changes|total_changes|last_insert_rowid)["`\]]?$/i;

/** Adds to a result what was read for it. */
export function withReads(
  sql: Sql,
  { kind, bound }: RunnableStatement,
  result: StatementResult,
): StatementResult {
  const isRead = kind === "rows" || kind === "compound";
  return { ...result, reads: isRead ? tablesRead(sql, bound) : null };
}

/** null where it cannot be known: any change may concern the statement. */
function tablesRead(sql: Sql, statement: BoundStatement): readonly string[] | null {
  if (statement.tokens.some(({ text }) => OF_WRITES.test(text))) return null;
  try {
    return look(sql, statement);
  } catch {
    return null; // it is too long with a word more
  }
}

function look(sql: Sql, statement: BoundStatement): readonly string[] | null {
  const roots: number[] = [];
  let isVirtual = false;
  for (const [, opcode, , root, database] of sql
    .exec(`EXPLAIN ${statement.sql()}`, ...statement.bindings())
    .raw()) {
    if (opcode === "VOpen") isVirtual = true;
    // The main database is number 0; the others are SQLite's own scratch.
    if (/^(OpenRead|OpenWrite|ReopenIdx)$/.test(String(opcode)) && database === 0) roots.push(Number(root));
  }
  // Of a virtual table the program names no b-tree. One that no schema declares is a function, such as json_each.
  if (isVirtual && hasVirtualTables(sql)) return null;
  const { names, known } = tablesOf(sql, roots);
  return known ? names.sort() : null;
}

function hasVirtualTables(sql: Sql): boolean {
  const found = sql.exec("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND rootpage = 0 LIMIT 1");
  return [...found.raw()].length > 0;
}
