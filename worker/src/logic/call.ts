// One call of a method, the same in both homes.
import type { Answer, Position, QueryMode, Side } from "../query/types.ts";
import { WireError, messageOf } from "../wire/errors.ts";
import { asArray, asObject, asOneOf, asString } from "../wire/json.ts";
import type { LogicHome } from "./home.ts";
import { findMethod, type LogicClasses } from "./registry.ts";
import { isSqlError } from "./sql.ts";

/** What the router sends. */
export interface CallRequest {
  /** The name under which the class is registered. */
  readonly logic: string;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly mode: QueryMode;
}

export interface CallResults {
  /** What the method returned. */
  readonly value: unknown;
  readonly side: Side;
  readonly position?: Position;
}

export type CallAnswer = Answer<CallResults>;

/** @throws WireError bad-request */
export function parseCall(value: unknown): CallRequest {
  const call = asObject(value, "call");
  return {
    logic: asString(call["logic"], "call.logic"),
    method: asString(call["method"], "call.method"),
    args: asArray(call["args"] ?? [], "call.args"),
    mode: asOneOf(call["mode"] ?? "write", "call.mode", ["read", "write"]),
  };
}

/**
 * Runs a method in its home, inside the transaction.
 * @throws WireError not-found, bad-request for what cannot be cloned or is async, sql-error, application-threw with the error's name, and what the home throws
 */
export function runCall(classes: LogicClasses, call: CallRequest, home: LogicHome): unknown {
  const { logic, run } = findMethod(classes, call.logic, call.method);
  const where = `${call.logic}.${call.method}`;
  if (run instanceof AsyncFunction) throw isAsync(where);
  const args = cloned(call.args, `an argument of ${where}`);
  const lease = new Lease(home, where);
  try {
    const value = calledBy(where, () => run.apply(new logic(lease), args as unknown[]));
    lease.demandSound();
    if (isThenable(value)) throw isAsync(where);
    return cloned(value, `what ${where} returns`);
  } catch (thrown) {
    lease.demandSound();
    throw thrown;
  } finally {
    lease.end();
  }
}

const AsyncFunction = (async () => {}).constructor;

/** What the application throws comes as an answer: it has a name and a message of its own. */
function calledBy<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (isSqlError(thrown))
      throw new WireError("sql-error", `${where}: ${messageOf(thrown)}`, {
        name: "Error",
        text: messageOf(thrown),
      });
    if (thrown instanceof WireError) throw thrown;
    const name = thrown instanceof Error ? thrown.name : "Error";
    throw new WireError("application-threw", messageOf(thrown), { name });
  }
}

/** A copy, as RPC makes one: both homes see the same. @throws WireError bad-request */
export function cloned<T>(value: T, what: string): T {
  try {
    return structuredClone(value);
  } catch (error) {
    throw new WireError("bad-request", `${what} cannot be cloned: ${messageOf(error)}`);
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function isAsync(where: string): WireError {
  return new WireError(
    "bad-request",
    `${where} is async: a call is one synchronous transaction; await before it or after it; nothing was written`,
  );
}

/** A home for as long as the call lasts. What the home itself fails with ends the call, even where it is caught. */
class Lease implements LogicHome {
  #failed: WireError | undefined;
  #over = false;

  constructor(
    private readonly home: LogicHome,
    private readonly where: string,
  ) {}

  get databaseSize(): number {
    return this.#held().databaseSize;
  }

  get userVersion(): number {
    return this.#held().userVersion;
  }

  exec(...args: Parameters<LogicHome["exec"]>): ReturnType<LogicHome["exec"]> {
    const home = this.#held();
    try {
      return home.exec(...args);
    } catch (thrown) {
      if (thrown instanceof WireError && thrown.kind !== "sql-error") this.#failed ??= thrown;
      throw thrown;
    }
  }

  transactionSync<T>(work: () => T): T {
    return this.#held().transactionSync(() => {
      const value = work();
      if (isThenable(value)) throw isAsync(this.where);
      return value;
    });
  }

  end(): void {
    this.#over = true;
  }

  /** @throws WireError */
  demandSound(): void {
    if (this.#failed !== undefined) throw this.#failed;
  }

  #held(): LogicHome {
    if (this.#over) throw new Error(`${this.where} has ended: its database can no longer be used`);
    this.demandSound();
    return this.home;
  }
}
