// The Worker that the store's tests run in.
import { UserDataStore, type StoreEnv } from "../../src/store/user-data-store.ts";

export { UserDataStore };

/** An application's own methods on top of the store. */
export class NotesStore extends UserDataStore {
  add(text: string): number {
    return this.transaction((sql) => {
      sql.exec("INSERT INTO notes (text) VALUES (?)", text);
      return Number(sql.exec("SELECT count(*) AS n FROM notes").one()["n"]);
    });
  }

  addAndFail(text: string): void {
    this.transaction((sql) => {
      sql.exec("INSERT INTO notes (text) VALUES (?)", text);
      throw new Error("changed my mind");
    });
  }

  count(): number {
    return this.transaction((sql) => Number(sql.exec("SELECT count(*) AS n FROM notes").one()["n"]));
  }

  async addLater(text: string): Promise<void> {
    await this.transaction(async (sql) => sql.exec("INSERT INTO notes (text) VALUES (?)", text));
  }
}

/** A store of a Worker without the admin secret. */
export class ClosedStore extends UserDataStore {
  constructor(ctx: DurableObjectState, _env: StoreEnv) {
    super(ctx, { DBMIGRATE_TOKEN: "" });
  }
}

export default { fetch: () => new Response("nothing here", { status: 404 }) };
