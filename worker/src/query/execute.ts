// Runs the application's statements on a store: all of them, or none.
import { WireError } from "../wire/errors.ts";
import type { Bookkeeping } from "../state/bookkeeping.ts";
import type { StoreContext } from "../state/context.ts";
import { checkEverything } from "../state/pragmas.ts";
import { type Rule, ruleFor } from "../state/phases.ts";
import { DeferredKeys } from "./deferred-keys.ts";
import type { ChangeLog, ChangeRecorder } from "./change-log.ts";
import { ChangeWatch } from "./change-watch.ts";
import { withCounts } from "./counts.ts";
import type { ExactReader } from "./read-exact.ts";
import type { ParsedRequest } from "./request.ts";
import { type RunnableStatement, bindStatement, runStatement } from "./statements.ts";
import type {
  Moment,
  NotActiveDetails,
  QueryMode,
  QueryResults,
  QueryScope,
  StatementResult,
} from "./types.ts";

/** What a request runs on: the store, how it is read, and who is told of writes. */
export interface QueryContext {
  readonly store: StoreContext;
  readonly reader: ExactReader;
  readonly live: ChangeLog;
}

/**
 * Runs a request in one transaction.
 * @throws WireError not-active, not-split, sql-error, write-in-read or integer-precision
 */
export async function runQuery(context: QueryContext, request: ParsedRequest): Promise<QueryResults> {
  const { storage } = context.store;
  await checkEverything(storage);
  context.reader.begin();
  try {
    return storage.transactionSync(() => answer(context, request));
  } catch (error) {
    // What was learned of the schema may have been rolled back.
    context.reader.forget();
    context.live.forget();
    throw error;
  }
}

function answer(context: QueryContext, request: ParsedRequest): QueryResults {
  const { books } = context.store;
  const { mode, scope } = request;
  const rule = queryRule(books, scope, mode);
  if (rule.answer === "sealed-read") throw notActive(books, sealedRead(context, request));
  demandServing(books, rule);
  const results = runStatements(context, request);
  return scope === "cold" ? { ...results, moment: momentOf(books) } : results;
}

/** What becomes of an application's request now. */
export function queryRule({ state }: Bookkeeping, scope: QueryScope, mode: QueryMode): Rule {
  return ruleFor(state, scope === "cold" ? `cold-${mode}` : mode);
}

/** Refuses what another side may be authoritative for. @throws WireError not-active or not-split */
export function demandServing(books: Bookkeeping, { answer }: Rule): void {
  if (answer === "ok") return;
  if (answer !== "not-split") throw notActive(books);
  const moment = momentOf(books);
  throw new WireError("not-split", `the store is ${moment.phase}: it holds no cold rows`, { ...moment });
}

function notActive(books: Bookkeeping, sealed: Partial<NotActiveDetails> = {}): WireError {
  const details: NotActiveDetails = { ...momentOf(books), ...sealed };
  return new WireError("not-active", `the store is ${details.phase}: ask the file`, { ...details });
}

function momentOf({ state: { phase, gen, lin }, writes }: Bookkeeping): Moment {
  return { phase, gen, lin, writes };
}

// What the statements give on the sealed data, their failure too: the caller decides whether it counts.
function sealedRead(context: QueryContext, request: ParsedRequest): Partial<NotActiveDetails> {
  try {
    return { result: runStatements(context, request) };
  } catch (error) {
    if (error instanceof WireError) return { error: error.info };
    throw error;
  }
}

function runStatements({ store, reader, live }: QueryContext, request: ParsedRequest): QueryResults {
  const statements = request.statements.map(bindStatement);
  if (statements.some(asksForChanges)) store.books.forgetChanges();
  const mayWrite = statements.some(({ kind }) => kind === "other");
  const watch = new ChangeWatch(store.sql);
  const deferred = mayWrite ? new DeferredKeys(store.sql) : undefined;
  const recorder = mayWrite ? live.record() : undefined;
  const run = (statement: RunnableStatement, index: number) =>
    runStatement(reader, statement, index, (bound) => recorder?.run(bound));
  const results = statements.map((statement, index) =>
    request.counts ? withCounts(store.sql, () => run(statement, index)) : run(statement, index),
  );
  deferred?.check();
  // What happened decides, not what the text looks like.
  if (watch.changed(results)) {
    if (request.mode === "read") throw new WireError("write-in-read", "a statement of a read request wrote");
    store.books.countWrite();
    live.commit(recorderOf(live, recorder, statements, results));
  }
  const { state, writes } = store.books;
  return { results, side: "store", position: { lin: state.lin, seq: writes } };
}

function asksForChanges({ bound }: RunnableStatement): boolean {
  return bound.tokens.some(({ text }) => /^["'`[]?changes["'`\]]?$/i.test(text));
}

// A statement that looked like a read and wrote was not recorded: any table may have changed.
function recorderOf(
  live: ChangeLog,
  recorder: ChangeRecorder | undefined,
  statements: readonly RunnableStatement[],
  results: readonly StatementResult[],
): ChangeRecorder | undefined {
  const unforeseen = results.some(
    ({ rowsWritten }, index) => rowsWritten > 0 && statements[index]?.kind !== "other",
  );
  if (recorder !== undefined && !unforeseen) return recorder;
  const all = live.record();
  all?.noteEverything();
  return all;
}
