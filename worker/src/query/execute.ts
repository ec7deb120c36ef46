// Runs the application's statements on a store: all of them, or none.
import { notMounted, WireError } from "../wire/errors.ts";
import { isBirth } from "../state/birth-claim.ts";
import type { Bookkeeping } from "../state/bookkeeping.ts";
import type { StoreContext } from "../state/context.ts";
import { checkEverything } from "../state/pragmas.ts";
import { type Rule, ruleFor } from "../state/phases.ts";
import { DeferredKeys } from "./deferred-keys.ts";
import type { ChangeLog, ChangeRecorder, SplitStore } from "./change-log.ts";
import { ChangeWatch } from "./change-watch.ts";
import { copiesIn, demandCopiesUntouched, withCopied } from "./copies.ts";
import { withCounts } from "./counts.ts";
import { withReads } from "./reads.ts";
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
import { isUserVersion, userVersionResult } from "./user-version.ts";

/** What a request runs on: the store, how it is read, and who is told of writes. */
export interface QueryContext {
  readonly store: StoreContext;
  readonly reader: ExactReader;
  readonly live: ChangeLog;
  /** Absent in a store that is mounted without split mode. */
  readonly split?: SplitStore | undefined;
  /** Whether the database has the application's schema. */
  readonly isCurrent: () => boolean;
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
  return underRule(context, request, () => {
    const results = runStatements(context, request);
    return request.scope === "cold" ? { ...results, moment: momentOf(books) } : results;
  });
}

/**
 * Runs a request if the store may answer it now. A read of sealed data is refused with its answer: the caller
 * finds out whether it counts.
 * @throws WireError not-active or not-split, and what `run` throws
 */
export function underRule<T>(
  { store: { books }, isCurrent }: Pick<QueryContext, "store" | "isCurrent">,
  { scope, mode }: { readonly scope: QueryScope; readonly mode: QueryMode },
  run: () => T,
): T {
  const rule = queryRule(books, scope, mode);
  // Statements for the new schema mean nothing to the old one: the caller waits for the side that takes it.
  if (rule.answer === "sealed-read") throw notActive(books, isCurrent() ? sealedRead(run) : {});
  demandServing(books, rule);
  return run();
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

/** Refuses cold rows that are here, where nothing serves them. @throws WireError not-mounted */
export function demandPartFor(scope: QueryScope, books: Bookkeeping, split: SplitStore | undefined): void {
  if (scope !== "cold" || split !== undefined) return;
  const { answer } = queryRule(books, scope, "read");
  if (answer === "ok" || answer === "sealed-read") throw notMounted("split");
}

function notActive(books: Bookkeeping, sealed: Sealed<unknown> = {}): WireError {
  const details: NotActiveDetails<unknown> = { ...momentOf(books), ...sealed };
  return new WireError("not-active", `the store is ${details.phase}: ask the file`, { ...details });
}

function momentOf(books: Bookkeeping): Moment {
  const { state, writes } = books;
  const { phase, gen, lin } = state;
  return { phase, gen, lin, writes, ...(isBirth(books) && { birth: true }) };
}

/** What a request gives on the sealed data, its failure too. */
type Sealed<Results> = Pick<NotActiveDetails<Results>, "result" | "error">;

function sealedRead<Results>(run: () => Results): Sealed<Results> {
  try {
    return { result: run() };
  } catch (error) {
    if (error instanceof WireError) return { error: error.info };
    throw error;
  }
}

function runStatements({ store, reader, live, split }: QueryContext, request: ParsedRequest): QueryResults {
  const statements = request.statements.map(bindStatement);
  if (statements.some(asksForChanges)) store.books.forgetChanges();
  const mayWrite = statements.some(({ kind }) => kind === "other");
  const watch = new ChangeWatch(store.sql);
  const deferred = mayWrite ? new DeferredKeys(store.sql) : undefined;
  const copies = request.scope === "cold" ? copiesIn(store.books.receipt) : [];
  const watched = copies.length > 0 ? split?.watch(store.sql, reader) : undefined;
  const recorder = mayWrite ? (watched ?? live.record()) : undefined;
  const run = (statement: RunnableStatement, index: number) => {
    const result = runStatement(reader, statement, index, (bound) =>
      isUserVersion(bound.tokens) ? userVersionResult(store.books.userVersion) : recorder?.run(bound),
    );
    if (copies.length === 0) return request.reads ? withReads(store.sql, statement, result) : result;
    const { reads, ...copied } = withCopied(copies, withReads(store.sql, statement, result));
    return request.reads && reads !== undefined ? { ...copied, reads } : copied;
  };
  const results = statements.map((statement, index) =>
    request.counts ? withCounts(store.sql, () => run(statement, index)) : run(statement, index),
  );
  deferred?.check();
  // What happened decides, not what the text looks like.
  if (watch.changed(results)) {
    if (request.mode === "read") throw new WireError("write-in-read", "a statement of a read request wrote");
    if (recorder !== undefined && copies.length > 0) demandCopiesUntouched(copies, recorder.changes());
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
