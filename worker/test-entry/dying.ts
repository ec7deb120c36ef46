// Requests that let their user begin in the Durable Object, and isolates that die in the middle of one.
import type { Env } from "../sample/index.ts";

/** A request with this header lets its user begin where it says. */
const NEW_USERS = "test-new-users";
/** The isolate dies at the call of a binding with this number, from 0; "3 behind": behind its effect. */
export const DIE = "test-die-at";
/** The calls that were made, in the answer to a request with DIE. */
const CALLS = "test-calls";

/** What serves a request with these bindings. */
type Serve = (env: Env) => Promise<Response>;

/** Serves the request, with what its headers ask for. */
export async function serveDying(request: Request, env: Env, serve: Serve): Promise<Response> {
  const newUsers = request.headers.get(NEW_USERS);
  const asked: Env = newUsers === "store" || newUsers === "file" ? { ...env, NEW_USERS: newUsers } : env;
  const die = request.headers.get(DIE);
  return die === null ? serve(asked) : serveMortal(asked, die, serve);
}

async function serveMortal(env: Env, die: string, serve: Serve): Promise<Response> {
  const [at, behind] = die.split(" ");
  const calls: string[] = [];
  let kill = (): void => undefined;
  const dead = new Promise<Response>((resolve) => {
    kill = () => {
      resolve(new Response("the isolate died\n", { status: 500, headers: { [CALLS]: calls.join(",") } }));
    };
  });
  const forever = new Promise<never>(() => undefined);
  const call: Call = async (name, run) => {
    const number = calls.push(name) - 1;
    const isLast = number === Number(at);
    if (number > Number(at)) return forever;
    if (!isLast) return run();
    if (behind !== undefined) await run();
    kill();
    return forever;
  };
  const answered = serve({
    ...env,
    BUCKET: watched("R2", env.BUCKET, call),
    FLAGS: watched("KV", env.FLAGS, call),
    USER_DATA: watchedStubs(env.USER_DATA, call),
  });
  const response = await Promise.race([answered, dead]);
  const headers = new Headers(response.headers);
  headers.set(CALLS, calls.join(","));
  return new Response(response.body, { status: response.status, headers });
}

type Call = (name: string, run: () => Promise<unknown>) => Promise<unknown>;
type Method = (...args: unknown[]) => unknown;

function watched<T extends object>(place: string, binding: T, call: Call): T {
  return new Proxy(binding, {
    get(target, name) {
      const method = Reflect.get(target, name) as Method;
      return (...args: unknown[]) =>
        call(nameOf(place, String(name), args), async () => Reflect.apply(method, target, args));
    },
  });
}

/** A birth's calls of the object are one method with several steps. */
function nameOf(place: string, method: string, [first]: readonly unknown[]): string {
  const step = typeof first === "object" && first !== null ? Reflect.get(first, "step") : undefined;
  return typeof step === "string" ? `${place} ${method} ${step}` : `${place} ${method}`;
}

/** Names and stubs are made at once. */
function watchedStubs<T extends object>(namespace: T, call: Call): T {
  return new Proxy(namespace, {
    get(target, name) {
      const method = Reflect.get(target, name) as Method;
      if (name !== "get") return method.bind(target);
      return (...args: unknown[]) => watched("object", Reflect.apply(method, target, args) as object, call);
    },
  });
}
