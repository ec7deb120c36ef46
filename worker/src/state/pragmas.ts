// The two settings of a connection that decide whether rows are checked. Both outlive the event that sets
// them, so every event that depends on one sets it first and looks whether that had an effect.

const ATTEMPTS = 3;

/**
 * Switches foreign keys on or off for this event.
 *
 * SQLite ignores the pragma inside a transaction, and the writes of an event that is just ending may still
 * hold one open. The caller does its work in the same turn, before any await.
 */
export async function setForeignKeys(storage: DurableObjectStorage, on: boolean): Promise<void> {
  for (let attempt = 1; !trySetForeignKeys(storage.sql, on); attempt++) {
    if (attempt === ATTEMPTS) throw new Error(`foreign_keys could not be switched ${on ? "on" : "off"}`);
    await storage.sync();
  }
}

function trySetForeignKeys(sql: SqlStorage, on: boolean): boolean {
  if (readPragma(sql, "foreign_keys") === on) return true;
  sql.exec(`PRAGMA foreign_keys = ${on ? "on" : "off"}`);
  return readPragma(sql, "foreign_keys") === on;
}

/**
 * Runs `work` while CHECK constraints are not looked at: rows that were there before a CHECK was come across
 * too.
 */
export function withoutChecks<T>(sql: SqlStorage, work: () => T): T {
  sql.exec("PRAGMA ignore_check_constraints = on");
  try {
    return work();
  } finally {
    sql.exec("PRAGMA ignore_check_constraints = off");
  }
}

/** Makes the connection check rows again, whatever an earlier event left behind. */
export async function checkEverything(storage: DurableObjectStorage): Promise<void> {
  if (readPragma(storage.sql, "ignore_check_constraints"))
    storage.sql.exec("PRAGMA ignore_check_constraints = off");
  await setForeignKeys(storage, true);
}

/**
 * The same for code that cannot wait; foreign keys are off in an active store only when something else
 * switched them.
 */
export function demandChecks(sql: SqlStorage): void {
  if (readPragma(sql, "ignore_check_constraints")) sql.exec("PRAGMA ignore_check_constraints = off");
  demandForeignKeys(sql, true);
}

/** @throws Error while a transaction is open */
export function demandForeignKeys(sql: SqlStorage, on: boolean): void {
  if (!trySetForeignKeys(sql, on))
    throw new Error(`foreign_keys are ${on ? "off" : "on"}, and a transaction is open`);
}

function readPragma(sql: SqlStorage, name: "foreign_keys" | "ignore_check_constraints"): boolean {
  return sql.exec(`PRAGMA ${name}`).raw().next().value?.[0] === 1;
}
