// What D1 and other APIs tell of a statement beyond its rows: how many it changed, and the rowid that it
// inserted last.
import { ChangeWatch } from "./change-watch.ts";
import type { Sql } from "./sql.ts";
import type { StatementResult } from "./types.ts";
import { emitInteger } from "./values.ts";

/** Runs a statement and adds its counts. */
export function withCounts(sql: Sql, run: () => StatementResult): StatementResult {
  const before = counters(sql).changes;
  const watch = new ChangeWatch(sql);
  const result = run();
  const after = counters(sql);
  const changes = Number(after.changes - before);
  // A statement that inserts nothing leaves the number of an earlier one, even of another request, behind.
  return {
    ...result,
    changed: watch.changed([result]),
    changes,
    lastRowId: changes > 0 ? emitInteger(after.lastRowId) : 0,
  };
}

// As text: a number would not show every rowid.
function counters(sql: Sql): { changes: bigint; lastRowId: bigint } {
  const [row = []] = sql.exec("SELECT total_changes(), CAST(last_insert_rowid() AS TEXT)").raw();
  return { changes: BigInt(Number(row[0])), lastRowId: BigInt(String(row[1])) };
}
