// The sample application for scripts/bench: calls to R2 and to Durable Objects take longer, by what a network between them and the Worker would
// add. The times are assumptions of whoever measures. Nothing here is part of what users deploy.
import sample, { type Env } from "../sample/index.ts";

export { UserDataStore } from "../src/index.ts";

interface SlowEnv extends Env {
  /** Milliseconds that each call of the bucket, or of a Durable Object, takes longer. */
  readonly R2_DELAY_MS: string;
  readonly STORE_DELAY_MS: string;
}

export default {
  async fetch(request: Request, env: SlowEnv): Promise<Response> {
    // The operator's own requests are not what is measured.
    if (new URL(request.url).pathname.startsWith("/_dbmigrate/")) return sample.fetch(request, env);
    return sample.fetch(request, {
      ...env,
      BUCKET: slow(env.BUCKET, Number(env.R2_DELAY_MS)),
      USER_DATA: slowStubs(env.USER_DATA, Number(env.STORE_DELAY_MS)),
    });
  },
} satisfies ExportedHandler<SlowEnv>;

type Method = (...args: unknown[]) => unknown;

/** Delays every method of a binding. */
function slow<T extends object>(binding: T, ms: number): T {
  return new Proxy(binding, {
    get(target, name) {
      const method = Reflect.get(target, name) as Method;
      return async (...args: unknown[]) => {
        await new Promise((resolve) => setTimeout(resolve, ms));
        return Reflect.apply(method, target, args);
      };
    },
  });
}

/** Names and stubs are made at once; what a stub is asked takes longer. */
function slowStubs<T extends object>(namespace: T, ms: number): T {
  return new Proxy(namespace, {
    get(target, name) {
      const method = Reflect.get(target, name) as Method;
      if (name !== "get") return method.bind(target);
      return (...args: unknown[]) => slow(Reflect.apply(method, target, args) as object, ms);
    },
  });
}
