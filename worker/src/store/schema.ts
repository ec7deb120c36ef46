// The schema message: creates the tables, and notes down what `finish` has to do once the rows are there.
import { createHash } from "node:crypto";
import { WireError, messageOf } from "../wire/errors.ts";
import {
  type Schema,
  type SchemaObject,
  type Status,
  type VirtualTable,
  emitVirtual,
} from "../wire/messages.ts";
import type { FinishStep } from "../state/bookkeeping.ts";
import { hasTable, schemaObject, schemaObjects, virtualModule } from "./catalog.ts";
import type { StoreContext } from "../state/context.ts";
import { demandClaim, statusOf } from "../state/guard.ts";
import { quoteName } from "../state/sql-text.ts";
import { clearRest } from "./wipe.ts";

/** A table that exists for a moment, so that SQLite makes its sqlite_sequence. */
const SCRATCH_TABLE = "dbmigrate_scratch";

/**
 * Creates the tables of a schema. The same schema again changes nothing.
 * @throws WireError schema-refused, wrong-phase (another schema came before), overloaded (what was there before
 * is still being deleted) and those of every claim
 */
export async function applySchema(store: StoreContext, gen: number, schema: Schema): Promise<Status> {
  demandClaim(store.books.state, gen, "schema");
  await clearRest(store);
  return store.storage.transactionSync(() => {
    demandClaim(store.books.state, gen, "schema");
    if (store.books.hasRest)
      throw new WireError("overloaded", "what was here before is still being deleted: send it again");
    const sha256 = fingerprint(schema);
    const before = store.books.schema;
    if (before === undefined) {
      createTables(store.sql, schema);
      noteSteps(store, schema);
      store.books.schema = { header: schema.header, virtual: schema.virtual, sha256 };
      store.books.watchPlaces();
      store.books.contentChanged();
    } else if (before.sha256 !== sha256) {
      const message = "another schema was sent under this claim: reset first";
      throw new WireError("wrong-phase", message, { phase: store.books.state.phase, gen });
    }
    return statusOf(store);
  });
}

function fingerprint({ header, objects, virtual }: Schema): string {
  return createHash("sha256")
    .update(JSON.stringify([header, objects, virtual.map(emitVirtual)]))
    .digest("hex");
}

function createTables(sql: SqlStorage, schema: Schema): void {
  const tables = schema.objects.filter(({ type }) => type === "table");
  // First, while no table of the user's can have the scratch table's name.
  createInternalTables(sql, schema);
  for (const table of tables) createObject(sql, table);
  const surplus = schemaObjects(sql).find(
    ({ type, name }) => !tables.some((o) => o.type === type && o.name === name),
  );
  if (surplus !== undefined)
    throw schemaRefused(surplus.name, "it came into being though no object has its name");
  for (const { name } of schema.virtual) {
    if (!tables.some((table) => table.name === name))
      throw schemaRefused(name, "no object of this name was sent");
  }
}

/**
 * Creates one object, and checks that SQLite now holds it under the same name and text.
 * @throws WireError schema-refused
 */
export function createObject(sql: SqlStorage, object: SchemaObject): void {
  refuseErrors(object.name, () => sql.exec(object.sql));
  const made = schemaObject(sql, object.type, object.name);
  if (made === undefined) throw schemaRefused(object.name, `its text creates no ${object.type} of this name`);
  if (made.sql !== object.sql || made.table !== object.table) {
    throw schemaRefused(object.name, "SQLite here would keep another text than the file has");
  }
}

/** Runs a statement of the import; what SQLite says against it becomes schema-refused. */
export function refuseErrors(object: string, run: () => unknown): void {
  try {
    run();
  } catch (cause) {
    throw schemaRefused(object, messageOf(cause));
  }
}

export function schemaRefused(object: string, reason: string): WireError {
  return new WireError("schema-refused", `SQLite here refuses ${object}: ${reason}`, { object, reason });
}

function createInternalTables(sql: SqlStorage, { header }: Schema): void {
  if (header.internal.includes("sqlite_sequence") && !hasTable(sql, "sqlite_sequence")) {
    sql.exec(`CREATE TABLE ${SCRATCH_TABLE} (id INTEGER PRIMARY KEY AUTOINCREMENT)`);
    sql.exec(`DROP TABLE ${SCRATCH_TABLE}`);
  }
  if (header.internal.includes("sqlite_stat1") && !hasTable(sql, "sqlite_stat1"))
    sql.exec("ANALYZE sqlite_schema");
}

function noteSteps(store: StoreContext, schema: Schema): void {
  const steps = finishSteps(store.sql, schema);
  steps.forEach((step, index) => store.books.putStep(index, step));
  store.books.finish = { total: steps.length, done: 0 };
}

// Views before triggers: an INSTEAD OF trigger needs its view, and content tables of FTS5 may be views. The
// sequence comes last, so that nothing moves it any more.
function finishSteps(sql: SqlStorage, { objects, virtual }: Schema): FinishStep[] {
  const created = (type: SchemaObject["type"]) =>
    objects
      .filter((object) => object.type === type)
      .map((object): FinishStep => ({ kind: "object", object }));
  return [
    ...created("index"),
    ...created("view"),
    ...created("trigger"),
    ...virtual.flatMap((table) => virtualSteps(sql, table)),
    { kind: "sequence" },
  ];
}

function virtualSteps(sql: SqlStorage, { name, load, config }: VirtualTable): FinishStep[] {
  const options = config.map((option): FinishStep => ({ kind: "config", table: name, option }));
  const rebuild: FinishStep[] = load === "rebuild" ? [{ kind: "rebuild", table: name }] : [];
  const checkable = ["fts5", "rtree", "rtree_i32"].includes(virtualModule(sql, name));
  const check: FinishStep[] = checkable ? [{ kind: "check", table: name }] : [];
  return [...options, ...rebuild, ...check];
}

/** How many rows a table has. */
export function countRows(sql: SqlStorage, table: string): number {
  return Number(
    sql
      .exec(`SELECT count(*) FROM ${quoteName(table)}`)
      .raw()
      .next().value?.[0] ?? 0,
  );
}
