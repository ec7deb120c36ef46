// Brings one database to the version that the application needs, inside a transaction of its home.
import { DeferredKeys } from "../query/deferred-keys.ts";
import type { Sql } from "../query/sql.ts";
import { WireError, messageOf } from "../wire/errors.ts";
import type { Schema, Step } from "./schema.ts";

/** A database, and a version that can be read and set. */
export interface Versioned {
  readonly sql: Sql;
  userVersion: number;
}

/** Where drizzle-orm's migrators note what they have done. */
const DRIZZLE_TABLE = "__drizzle_migrations";

/** Whether a database lacks migrations. A newer version than ours is somebody else's newer deployment. */
export function isBehind(schema: Schema, version: number): boolean {
  return version < schema.version;
}

/** Whether one of the migrations that it lacks asks for foreign keys to be off. */
export function wantsNoForeignKeys(schema: Schema, version: number): boolean {
  return schema.after(version).some((step) => step.withoutForeignKeys);
}

/**
 * Runs the migrations that the database lacks.
 * @throws WireError schema-failed: the caller's transaction takes everything back
 */
export function applySchema(schema: Schema, database: Versioned): void {
  const found = database.userVersion;
  const before = Math.max(found, schema.versionAt(drizzleTime(database.sql)));
  const steps = schema.after(before);
  // Where keys are enforced, only deferred ones are left for the end.
  const enforced = !wantsNoForeignKeys(schema, found);
  const keys = new DeferredKeys(database.sql, enforced ? "DEFERRED" : "REFERENCES");
  for (const step of steps) apply(step, database, found);
  if (steps.length > 0) tried(steps.at(-1) as Step, found, () => keys.check());
  const version = Math.max(before, steps.at(-1)?.version ?? 0);
  if (version !== found) database.userVersion = version;
}

function apply(step: Step, { sql }: Versioned, found: number): void {
  for (const statement of step.statements) {
    tried(step, found, () => {
      for (const _ of sql.exec(statement).raw()); // to its end
    });
  }
}

function tried(step: Step, version: number, run: () => void): void {
  try {
    run();
  } catch (cause) {
    throw new WireError(
      "schema-failed",
      `schema migration ${step.name} failed: ${messageOf(cause)}; the user's database stays at version ${version}`,
      { version, migration: step.name },
      { cause },
    );
  }
}

/** The time of the last migration in drizzle's table; negative where there is none. */
function drizzleTime(sql: Sql): number {
  const there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
  if ([...sql.exec(there, DRIZZLE_TABLE).raw()].length === 0) return -1;
  const [[last] = []] = [...sql.exec(`SELECT max(CAST(created_at AS INTEGER)) FROM ${DRIZZLE_TABLE}`).raw()];
  return Number(last ?? -1);
}
