// A class as its callers see it: methods that answer with promises.
import { WireError, type ErrorInfo } from "../wire/errors.ts";
import type { CallAnswer } from "./call.ts";
import { methodOf } from "./registry.ts";
import type { Callable, LogicClass, UserLogic } from "./user-logic.ts";

/** Sends one call. */
type Send = (method: string, args: readonly unknown[]) => Promise<CallAnswer>;

/** Calls methods of a class through `send`. Answers that are errors are thrown. */
export function remote<Logic extends UserLogic>(logic: LogicClass<Logic>, send: Send): Callable<Logic> {
  const get = (_target: object, name: string | symbol): unknown => {
    if (typeof name === "symbol" || name in Object.prototype || name === "then") return undefined;
    return async (...args: unknown[]): Promise<unknown> => {
      if (methodOf(logic, name) === undefined)
        throw new WireError("not-found", `call: ${logic.name} has no method ${name} that can be called`);
      const answer = await send(name, args);
      if (!answer.ok) throw thrownFrom(answer.error);
      return answer.value;
    };
  };
  return new Proxy(Object.freeze(Object.create(null) as object), { get }) as Callable<Logic>;
}

/** The application's own error has its name and message again; `cause` has the kind. */
function thrownFrom({ kind, message, details }: ErrorInfo): Error {
  const error = new WireError(kind, message, details);
  if (kind !== "application-threw") return error;
  const thrown = new Error(message, { cause: error });
  Object.defineProperty(thrown, "name", { value: details?.["name"] ?? "Error", configurable: true });
  return thrown;
}
