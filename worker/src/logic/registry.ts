// Which classes and methods can be called. A name comes over RPC: it finds what was registered, and nothing
// that JavaScript puts beside it.
import { WireError } from "../wire/errors.ts";
import { type LogicClass, UserLogic } from "./user-logic.ts";

/** The application's classes, each under the name by which both sides know it. */
export type LogicClasses = Readonly<Record<string, LogicClass>>;

type Method = (this: UserLogic, ...args: unknown[]) => unknown;

/** The name of a class. @throws WireError not-found when it is not registered */
export function nameOf(classes: LogicClasses, logic: LogicClass): string {
  const found = Object.entries(classes).find(([, candidate]) => candidate === logic);
  if (found === undefined)
    throw new WireError(
      "not-found",
      `call: the class ${logic.name} is not registered: name it under \`logic\` in createRouter and in the store's options`,
    );
  return found[0];
}

/** The class and the method of a call. @throws WireError not-found */
export function findMethod(
  classes: LogicClasses,
  logic: string,
  method: string,
): { readonly logic: LogicClass; readonly run: Method } {
  const found = Object.hasOwn(classes, logic) ? classes[logic] : undefined;
  if (found === undefined || !isLogic(found))
    throw new WireError("not-found", `call: no class ${shown(logic)} is registered`);
  const run = methodOf(found, method);
  if (run === undefined)
    throw new WireError(
      "not-found",
      `call: ${shown(logic)} has no method ${shown(method)} that can be called`,
    );
  return { logic: found, run };
}

/**
 * A method that the class declares, or a class between it and UserLogic. Those of UserLogic and of Object are
 * not the application's, names with an underscore are its own business, and accessors are no methods.
 */
export function methodOf(logic: LogicClass, name: string): Method | undefined {
  if (name.startsWith("_") || name in Object.prototype || name === "then") return undefined;
  let at = logic.prototype as object | null;
  for (; at !== null && at !== UserLogic.prototype; at = Object.getPrototypeOf(at) as object | null) {
    const property = Object.getOwnPropertyDescriptor(at, name);
    if (property !== undefined)
      return typeof property.value === "function" ? (property.value as Method) : undefined;
  }
  return undefined;
}

function isLogic(logic: unknown): logic is LogicClass {
  return typeof logic === "function" && logic.prototype instanceof UserLogic;
}

function shown(name: string): string {
  return name.slice(0, 100);
}
