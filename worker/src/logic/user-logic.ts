// The application's own code beside a user's database, the same for users in R2 and in a Durable Object.
import { LogicSql } from "./sql.ts";
import type { LogicHome } from "./home.ts";

/** A class of the application that extends UserLogic. */
export type LogicClass<Logic extends UserLogic = UserLogic> = new (home: LogicHome) => Logic;

/**
 * Extend it with methods that read and write one user's database. Each call of a method is one transaction
 * with an instance of its own, in the user's Durable Object or over the user's file. Methods are synchronous.
 * What they throw rolls everything back. A call may run more than once before it is acknowledged, and only
 * the last run counts: let it change nothing but the database.
 */
export abstract class UserLogic {
  /** Runs statements, as `ctx.storage.sql` of a Durable Object does. Cursors hold all their rows. */
  protected readonly sql: SqlStorage;
  /**
   * What libraries such as drizzle-orm/durable-sqlite take. It has `sql` and `transactionSync`, and nothing
   * else of a Durable Object's storage.
   */
  protected readonly storage: DurableObjectStorage;

  constructor(home: LogicHome) {
    const sql = new LogicSql(home) as unknown as SqlStorage;
    const transactionSync = <T>(work: () => T): T => home.transactionSync(work);
    this.sql = sql;
    this.storage = Object.freeze({ sql, transactionSync }) as unknown as DurableObjectStorage;
  }

  /** Runs `work`; what it throws takes back what it wrote, and nothing before it. They may be nested. */
  protected transactionSync<T>(work: () => T): T {
    return this.storage.transactionSync(work);
  }
}

/** The methods of a class as a caller sees them. */
export type Callable<Logic extends UserLogic> = {
  readonly [
    Name in keyof Logic as Logic[Name] extends (...args: never[]) => unknown
      ? Name extends `_${string}` | keyof object
        ? never
        : Name
      : never
  ]: Logic[Name] extends (...args: infer Args) => infer Result
    ? [Result] extends [never] // it always throws
      ? (...args: Args) => Promise<never>
      : Result extends PromiseLike<unknown>
        ? never
        : (...args: Args) => Promise<Result>
    : never;
};
