// The sample application for scripts/bench: it can send itself a request many times. Calls to R2 and to
// Durable Objects can take longer, by what a network between them and the Worker would add. The times are
// assumptions of the measurement. Nothing here is part of what users deploy.
import sample, { type Env, UserDataStore as Store } from "../sample/index.ts";
import { slow, slowStubs } from "./delay.ts";

interface BenchEnv extends Env {
  /** Milliseconds that each call of the bucket, or of a Durable Object, takes longer. */
  readonly R2_DELAY_MS: string;
  readonly STORE_DELAY_MS: string;
  /** `odd`: only the objects of users with an odd number look at their files when they wake up. */
  readonly WAKE_CHECK: string;
}

/** The store, with or without its look at the file's mark. */
export class UserDataStore extends Store {
  protected override filesOf(env: Env): R2Bucket | undefined {
    const even = /[02468]$/.test(this.ctx.id.name ?? "");
    return (env as BenchEnv).WAKE_CHECK === "odd" && even ? undefined : super.filesOf(env);
  }
}

const REPEAT_ROUTE = /^\/test\/repeat\/([1-9]\d*)(\/.*)$/;

export default {
  async fetch(request: Request, env: BenchEnv): Promise<Response> {
    const { pathname, origin } = new URL(request.url);
    // The operator's own requests are not what is measured.
    if (pathname.startsWith("/_dbmigrate/")) return sample.fetch(request, env);
    const [, times, path] = REPEAT_ROUTE.exec(pathname) ?? [];
    if (path === undefined) return sample.fetch(request, delayed(env));
    return repeat(Number(times), new Request(origin + path, request), delayed(env));
  },
} satisfies ExportedHandler<BenchEnv>;

/** Without a delay a binding is what it is elsewhere. */
function delayed(env: BenchEnv): Env {
  const [ofR2, ofStores] = [Number(env.R2_DELAY_MS), Number(env.STORE_DELAY_MS)];
  return {
    ...env,
    ...(ofR2 > 0 && { BUCKET: slow(env.BUCKET, () => ofR2) }),
    ...(ofStores > 0 && { USER_DATA: slowStubs(env.USER_DATA, () => ofStores) }),
  };
}

/**
 * Sends a request so many times, one after the other, and says how often it was answered, by which side; or
 * passes on the first answer that is none.
 */
async function repeat(times: number, request: Request, env: Env): Promise<Response> {
  const body = await request.text();
  const sides = new Set<string>();
  for (let i = 0; i < times; i++) {
    const answer = await sample.fetch(new Request(request, { body }), env);
    if (answer.status !== 200) return answer;
    sides.add(/"side":"(\w+)"/.exec(await answer.text())?.[1] ?? "nobody");
  }
  return Response.json({ answered: times, side: [...sides].join(" and ") });
}
