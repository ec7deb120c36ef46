// Bindings with calls that take longer.

/** Milliseconds by which a call takes longer; asked before each. */
export type Delay = () => number;

type Method = (...args: unknown[]) => unknown;

/** Delays every method of a binding. */
export function slow<T extends object>(binding: T, delay: Delay): T {
  return new Proxy(binding, {
    get(target, name) {
      const method = Reflect.get(target, name) as Method;
      return async (...args: unknown[]) => {
        await new Promise((resolve) => setTimeout(resolve, delay()));
        return Reflect.apply(method, target, args);
      };
    },
  });
}

/** Names and stubs are made at once; what a stub is asked takes longer. */
export function slowStubs<T extends object>(namespace: T, delay: Delay): T {
  return new Proxy(namespace, {
    get(target, name) {
      const method = Reflect.get(target, name) as Method;
      if (name !== "get") return method.bind(target);
      return (...args: unknown[]) => slow(Reflect.apply(method, target, args) as object, delay);
    },
  });
}
