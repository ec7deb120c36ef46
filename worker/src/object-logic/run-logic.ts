// A call of the application's method in a Durable Object.
import { type CallRequest, type CallResults, runCall } from "../logic/call.ts";
import type { LogicHome } from "../logic/home.ts";
import { findMethod, type LogicClasses } from "../logic/registry.ts";
import type { ChangeLog } from "../query/change-log.ts";
import { ChangeWatch } from "../query/change-watch.ts";
import { DeferredKeys } from "../query/deferred-keys.ts";
import { underRule } from "../query/execute.ts";
import type { Binding } from "../query/parameters.ts";
import type { ExactReader } from "../query/read-exact.ts";
import type { SqlCursor } from "../query/sql.ts";
import type { StoreContext } from "../state/context.ts";
import { checkEverything } from "../state/pragmas.ts";
import { WireError } from "../wire/errors.ts";

/** What a call runs on: the store, and who is told of writes. */
export interface CallContext {
  readonly store: StoreContext;
  readonly reader: ExactReader;
  readonly live: ChangeLog;
  readonly isCurrent: () => boolean;
}

/**
 * Runs a method in one transaction, as `query` runs statements.
 * @throws WireError not-active, write-in-read, and as runCall does
 */
export async function callOnStore(
  context: CallContext,
  call: CallRequest,
  classes: LogicClasses,
): Promise<CallResults> {
  const { store, reader, live } = context;
  findMethod(classes, call.logic, call.method); // before it matters which side serves the user
  await checkEverything(store.storage);
  try {
    return store.storage.transactionSync(() =>
      underRule(context, { scope: "hot", mode: call.mode }, () => answer(context, call, classes)),
    );
  } catch (error) {
    live.forget();
    throw error;
  } finally {
    reader.forget(); // the method may have changed the schema
  }
}

function answer({ store, live }: CallContext, call: CallRequest, classes: LogicClasses): CallResults {
  const { sql, books } = store;
  const watch = new ChangeWatch(sql);
  const deferred = call.mode === "write" ? new DeferredKeys(sql) : undefined;
  const recorder = call.mode === "write" ? live.record() : undefined;
  const watched = recorder?.watching(sql) ?? sql;
  const value = runCall(classes, call, new ObjectHome(store, watched));
  deferred?.check();
  // What happened decides, not what the method is called.
  if (watch.changed()) {
    if (call.mode === "read") throw new WireError("write-in-read", "a call in read mode wrote");
    books.countWrite();
    live.commit(recorder);
  }
  return { value, side: "store", position: { lin: books.state.lin, seq: books.writes } };
}

class ObjectHome implements LogicHome {
  /** Whether a statement of this call may have. */
  #wrote = false;

  constructor(
    private readonly store: StoreContext,
    private readonly sql: SqlStorage,
  ) {}

  get databaseSize(): number {
    return this.sql.databaseSize;
  }

  get userVersion(): number {
    return this.store.books.userVersion;
  }

  exec(query: string, bindings: readonly Binding[]): SqlCursor {
    // What an earlier request changed is not this one's business.
    if (!this.#wrote && /changes/i.test(query)) this.store.books.forgetChanges();
    this.#wrote ||= !/^\s*(select|with|values|pragma|explain)\b/i.test(query);
    return this.sql.exec(query, ...bindings);
  }

  transactionSync<T>(work: () => T): T {
    return this.store.storage.transactionSync(work);
  }
}
