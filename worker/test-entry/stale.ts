// The sample application for the race (test/race): its flags are noise, its Durable Objects can be evicted,
// and requests can be made to dawdle. Nothing here is part of what users deploy.
import sample, { type Env } from "../sample/index.ts";
import { parts } from "../service/mounted.ts";
import { createRouter, UserDataStore as Base } from "../src/index.ts";
import { answerByCall, storeOptions } from "./calls.ts";
import { slow, slowStubs } from "./delay.ts";
import { DIE, serveDying } from "./dying.ts";
import { trace, traced } from "./traced.ts";

/** A Durable Object that a test can throw out of memory, whatever it is doing at that moment. */
export class UserDataStore extends Base {
  protected override readonly storeOptions = storeOptions(this.ctx.id);

  constructor(ctx: DurableObjectState, env: RaceEnv) {
    trace(ctx.storage.sql);
    super(ctx, env);
  }

  evict(): void {
    this.ctx.abort("evicted by a test");
  }
}

interface RaceEnv extends Env {
  readonly USER_DATA: DurableObjectNamespace<UserDataStore>;
}

/**
 * A request with this header takes its time between the things that it does: each begins up to so many
 * milliseconds later.
 */
const DAWDLE = "test-dawdle-ms";

function dawdling(env: RaceEnv, ms: number): RaceEnv {
  if (ms === 0) return env;
  const delay = () => Math.random() * ms;
  return { ...env, BUCKET: slow(env.BUCKET, delay), USER_DATA: slowStubs(env.USER_DATA, delay) };
}

/** What is done to a user: the object is thrown out of memory, or asked for the name of its file; all is deleted. */
const USER_ROUTE = /^\/test\/(evict|id|delete)\/([a-z0-9-]+)$/;

export default {
  async fetch(request: Request, env: RaceEnv): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/test/traced") return traced();
    const [, deed, user] = USER_ROUTE.exec(pathname) ?? [];
    if (user !== undefined) return DEEDS[deed as keyof typeof DEEDS](user, env);
    const disturbed = {
      ...dawdling(env, Number(request.headers.get(DAWDLE))),
      FLAGS: request.headers.has(DIE) ? env.FLAGS : flagsOf(env),
    };
    return serveDying(
      request,
      disturbed,
      async (mortal) => (await answerByCall(request, mortal)) ?? sample.fetch(request, mortal),
    );
  },
} satisfies ExportedHandler<RaceEnv>;

const DEEDS = { evict, id: idOf, delete: deleteAll };

/** As an application deletes an account. */
async function deleteAll(user: string, env: RaceEnv): Promise<Response> {
  const router = createRouter({ ...parts, bucket: env.BUCKET, flags: env.FLAGS, store: env.USER_DATA });
  const answer = await router.deleteUser(user);
  return Response.json(answer, { status: answer.ok ? 200 : 503 });
}

let remembered: KVNamespace | undefined;

/**
 * What an isolate remembers of flags belongs to the binding: half of the requests share one, and the others
 * know nothing.
 */
function flagsOf({ FLAGS }: RaceEnv): KVNamespace {
  remembered ??= stale(FLAGS);
  return Math.random() < 0.5 ? remembered : stale(FLAGS);
}

function idOf(user: string, { USER_DATA }: RaceEnv): Response {
  return new Response(USER_DATA.idFromName(user).toString());
}

/** The call itself fails, since the object that should answer it is gone: that is its success. */
async function evict(user: string, env: RaceEnv): Promise<Response> {
  const stub = env.USER_DATA.get(env.USER_DATA.idFromName(user));
  try {
    await stub.evict();
  } catch {
    return new Response("evicted\n");
  }
  return new Response("the object survived\n", { status: 500 });
}

/**
 * A namespace that forgets for ever: each get returns the value of now, or the one that a migrated user once
 * had, or the absence from before. A flag has no other values, so this is every staleness that there can be,
 * changing from request to request.
 */
function stale(flags: KVNamespace): KVNamespace {
  return new Proxy(flags, {
    get(target, name) {
      if (name !== "get") return Reflect.get(target, name);
      return async (key: string) => {
        const age = Math.random();
        if (age < 0.4) return "true";
        return age < 0.8 ? null : target.get(key);
      };
    },
  });
}
