// What D1 and other APIs tell of a statement beyond its rows: how many it changed, the rowid inserted last,
// and the size of the database.
import { ChangeWatch } from "./change-watch.ts";
import type { Sql } from "./sql.ts";
import type { StatementResult } from "./types.ts";
import { emitInteger } from "./values.ts";

/** A database that knows its size. */
export interface SizedSql extends Sql {
  readonly databaseSize: number;
}

/** Runs a statement and adds its counts. */
export function withCounts(sql: SizedSql, run: () => StatementResult): StatementResult {
  const before = counters(sql);
  const watch = new ChangeWatch(sql);
  const result = run();
  const after = counters(sql);
  const changes = Number(after.changes - before.changes);
  return {
    ...result,
    changed: watch.changed([result]),
    changes,
    lastRowId: emitInteger(after.lastRowId),
    size: after.size,
    changedDb: changes !== 0 || after.lastRowId !== before.lastRowId || after.size !== before.size,
  };
}

interface Counters {
  readonly changes: bigint;
  readonly lastRowId: bigint;
  readonly size: number;
}

// As text: a number would not show every rowid.
function counters(sql: SizedSql): Counters {
  const [row = []] = sql.exec("SELECT total_changes(), CAST(last_insert_rowid() AS TEXT)").raw();
  return {
    changes: BigInt(Number(row[0])),
    lastRowId: BigInt(String(row[1])),
    size: sql.databaseSize,
  };
}
