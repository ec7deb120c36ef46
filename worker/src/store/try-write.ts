// The write of `dbmigrate selftest`: it goes by the rules of the application's writes, and to one table that
// no application has.
import { queryRule } from "../query/execute.ts";
import { WireError, badRequest } from "../wire/errors.ts";
import type { Phase } from "../wire/messages.ts";
import type { StoreContext } from "../state/context.ts";

/** The one table that is written to: of this name, and of exactly this text (internal/selftest). */
const TABLE = "dbmigrate_selftest";
const TABLE_TEXT = `CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, note TEXT)`;

/** The user of a selftest (internal/selftest): no other object is ever deleted as a whole. */
const USER = "dbmigrate-selftest";

export interface TryWriteAnswer {
  /** False where another side may be authoritative: the application would ask the file. */
  readonly written: boolean;
  readonly phase: Phase;
}

/** @throws WireError not-found where the store serves somebody else */
export function tryWrite(store: StoreContext, note: string): TryWriteAnswer {
  if (!/^[a-z0-9-]{1,40}$/.test(note)) throw badRequest("note", "1 to 40 of a-z, 0-9 and -");
  const { storage, sql, books } = store;
  return storage.transactionSync(() => {
    const { phase } = books.state;
    if (queryRule(books, "hot", "write").answer !== "ok") return { written: false, phase };
    const [found] = sql.exec("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", TABLE);
    if (found?.["sql"] !== TABLE_TEXT) throw new WireError("not-found", "it is not the user of a selftest");
    // The same write again, after a lost answer, is the same write.
    const again = sql.exec(`SELECT 1 FROM ${TABLE} WHERE note = ?`, note).toArray().length > 0;
    if (!again) {
      sql.exec(`INSERT INTO ${TABLE} (note) VALUES (?)`, note);
      books.countWrite();
    }
    return { written: true, phase };
  });
}

/**
 * Deletes the empty object of a selftest, its claim counter too: the platform keeps nothing of it then.
 * @throws WireError not-found for any other user
 */
export async function vanish({ storage, books }: StoreContext, user: string): Promise<{ vanished: boolean }> {
  if (user !== USER) throw new WireError("not-found", "it is not the user of a selftest");
  if (books.state.phase !== "EMPTY" || books.hasRest) return { vanished: false };
  await storage.deleteAll();
  return { vanished: true };
}
