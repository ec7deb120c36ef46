// What follows the rows: indexes, views, triggers, full-text indexes, sqlite_sequence. Step by step, each of
// them durable.
import { WireError } from "../wire/errors.ts";
import type { BatchRange } from "../wire/messages.ts";
import { demandNoGaps } from "./arrivals.ts";
import { missingBatches } from "./batches.ts";
import type { FinishStep } from "../state/bookkeeping.ts";
import { hasTable, virtualModule } from "./catalog.ts";
import type { StoreContext } from "../state/context.ts";
import { beginImportEvent, demandClaim } from "../state/guard.ts";
import { insertFrame } from "./rows.ts";
import { countRows, createObject, refuseErrors, schemaRefused } from "./schema.ts";
import { exactExpression, quoteName, quoteText } from "../state/sql-text.ts";

// Steps are weighed by the rows that they read, since the clock stands still while they run.
const ROWS_PER_REQUEST = 500_000;
const STEPS_PER_REQUEST = 200;
const MISSING_SHOWN = 100;

export interface FinishAnswer {
  readonly done: boolean;
  /** Steps that remain. */
  readonly remaining: number;
}

/**
 * Does the next steps, at least one. To be repeated until done; then it changes nothing more.
 * @throws WireError batches-missing, schema-refused and those of every claim
 */
export async function finish(store: StoreContext, gen: number, batches: number): Promise<FinishAnswer> {
  await beginImportEvent(store, gen, "finish");
  store.storage.transactionSync(() => begin(store, gen, batches));
  for (let budget = ROWS_PER_REQUEST, steps = 0; budget > 0 && steps < STEPS_PER_REQUEST; steps++) {
    const cost = store.storage.transactionSync(() => nextStep(store));
    if (cost === undefined) break;
    budget -= cost;
  }
  const { done, total } = store.books.finish ?? { done: 0, total: 0 };
  return { done: done === total, remaining: total - done };
}

/** Whether `finish` is done. */
export function isFinished({ books }: StoreContext): boolean {
  return books.finishing && books.finish !== undefined && books.finish.done === books.finish.total;
}

function begin(store: StoreContext, gen: number, batches: number): void {
  const { books } = store;
  demandClaim(books.state, gen, "finish");
  if (books.finish === undefined) {
    throw new WireError("wrong-phase", "finish came before the schema", { phase: books.state.phase, gen });
  }
  demandAllBatches(books.applied, batches);
  if (books.finishing) return;
  if (books.watchesPlaces) demandNoGaps(books);
  books.dropArrivals();
  books.markFinishing();
}

function demandAllBatches(applied: readonly BatchRange[], batches: number): void {
  const missing = missingBatches(applied, batches);
  if (missing.length > 0) {
    throw new WireError("batches-missing", `${missing.length} ranges of batches did not arrive`, {
      missing: missing.slice(0, MISSING_SHOWN),
    });
  }
  const last = applied.at(-1)?.[1] ?? -1;
  if (last >= batches)
    throw new WireError("bad-request", `batches: batch ${last} was applied, so there are more`);
}

// What the step cost, in rows; undefined when none was left.
function nextStep(store: StoreContext): number | undefined {
  const { books } = store;
  const progress = books.finish ?? { done: 0, total: 0 };
  if (progress.done === progress.total) return undefined;
  const step = books.step(progress.done);
  if (step === undefined) throw new Error(`finish step ${progress.done} is not there`);
  const cost = costOf(store.sql, step);
  run(store, step);
  books.finish = { ...progress, done: progress.done + 1 };
  books.contentChanged();
  return cost;
}

function costOf(sql: SqlStorage, step: FinishStep): number {
  if (step.kind === "object" && step.object.type === "index") return countRows(sql, step.object.table);
  // The rows of an external content table can only be guessed by what it takes to read them: one such step at
  // a time.
  return step.kind === "rebuild" || step.kind === "check" ? ROWS_PER_REQUEST : 1;
}

function run(store: StoreContext, step: FinishStep): void {
  switch (step.kind) {
    case "object":
      return createObject(store.sql, step.object);
    case "config":
      return configure(store.sql, step.table, step.option);
    case "rebuild":
      return refuseErrors(step.table, () => store.sql.exec(ftsCommand(step.table, "rebuild")));
    case "check":
      return check(store.sql, step.table);
    case "sequence":
      return writeSequence(store);
  }
}

function configure(
  sql: SqlStorage,
  table: string,
  [name, value]: Extract<FinishStep, { kind: "config" }>["option"],
): void {
  const option = exactExpression(name);
  const setting = exactExpression(value);
  const columns = `${quoteName(table)}, rank`;
  refuseErrors(table, () =>
    sql.exec(
      `INSERT INTO ${quoteName(table)} (${columns}) VALUES (${option.sql}, ${setting.sql})`,
      ...option.bindings,
      ...setting.bindings,
    ),
  );
}

function check(sql: SqlStorage, table: string): void {
  if (virtualModule(sql, table) === "fts5") {
    return refuseErrors(table, () => sql.exec(ftsCommand(table, "integrity-check")));
  }
  const verdict = sql.exec("SELECT rtreecheck(?)", table).raw().next().value?.[0];
  if (verdict !== "ok") throw schemaRefused(table, String(verdict));
}

function ftsCommand(table: string, command: string): string {
  return `INSERT INTO ${quoteName(table)} (${quoteName(table)}) VALUES (${quoteText(command)})`;
}

// Tables with AUTOINCREMENT filled it while their rows came in; what counts is what the file has.
function writeSequence(store: StoreContext): void {
  if (!hasTable(store.sql, "sqlite_sequence")) return;
  store.sql.exec("DELETE FROM sqlite_sequence");
  for (const frame of store.books.sequenceFrames()) insertFrame(store.sql, frame);
}
