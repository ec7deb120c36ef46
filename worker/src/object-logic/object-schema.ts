// The application's schema in a Durable Object: before a request, and only while the object is the authority.
import type { ChangeLog } from "../query/change-log.ts";
import { queryRule } from "../query/execute.ts";
import type { ExactReader } from "../query/read-exact.ts";
import type { QueryScope } from "../query/types.ts";
import { applySchema, isBehind, wantsNoForeignKeys } from "../schema/apply.ts";
import type { Schema } from "../schema/schema.ts";
import type { StoreContext } from "../state/context.ts";
import { demandForeignKeys, setForeignKeys } from "../state/pragmas.ts";

/** Brings an object to the version that the application needs. */
export class ObjectSchema {
  /** What the present content has: asked once, and again after each message of the operator. */
  #current: Schema | undefined;

  constructor(
    private readonly store: StoreContext,
    private readonly reader: ExactReader,
    private readonly liveOf: () => ChangeLog,
  ) {}

  /** The content may be another one. */
  forget(): void {
    this.#current = undefined;
  }

  /** Whether nothing is to be done. */
  isCurrent(schema: Schema | undefined): boolean {
    if (schema === undefined || schema === this.#current) return true;
    if (isBehind(schema, this.store.books.userVersion)) return false;
    this.#current = schema;
    return true;
  }

  /** @returns whether something was written @throws WireError schema-failed: the object stays as it was */
  async apply(schema: Schema | undefined, scope: QueryScope): Promise<boolean> {
    if (schema === undefined || !this.#isDue(schema, scope)) return false;
    try {
      await setForeignKeys(this.store.storage, this.#wantsForeignKeys(schema));
      this.#run(schema, scope);
      return true;
    } finally {
      await setForeignKeys(this.store.storage, true);
    }
  }

  /** The same for code that cannot wait. */
  applyNow(schema: Schema | undefined, scope: QueryScope): void {
    if (schema === undefined || !this.#isDue(schema, scope)) return;
    try {
      demandForeignKeys(this.store.sql, this.#wantsForeignKeys(schema));
      this.#run(schema, scope);
    } finally {
      demandForeignKeys(this.store.sql, true);
    }
  }

  /** An object that does not accept writes leaves it to the side that does. */
  #isDue(schema: Schema, scope: QueryScope): boolean {
    return !this.isCurrent(schema) && queryRule(this.store.books, scope, "write").answer === "ok";
  }

  #wantsForeignKeys(schema: Schema): boolean {
    return !wantsNoForeignKeys(schema, this.store.books.userVersion);
  }

  #run(schema: Schema, scope: QueryScope): void {
    const { storage, sql, books } = this.store;
    const live = this.liveOf();
    try {
      storage.transactionSync(() => {
        // Another request may have been faster.
        if (!this.#isDue(schema, scope)) return;
        const recorder = live.record();
        recorder?.noteEverything();
        applySchema(schema, {
          sql,
          get userVersion() {
            return books.userVersion;
          },
          set userVersion(version) {
            books.userVersion = version;
          },
        });
        books.countWrite();
        live.commit(recorder);
      });
    } finally {
      this.reader.forget();
      live.forget();
    }
  }
}
