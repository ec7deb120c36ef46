// The sample after a deploy that went wrong: its Durable Objects throw once POST /deploy/bad was asked for, and
// serve again after POST /deploy/good. The probe of hello still gets through: only users are met by it. After
// POST /deploy/constructor they throw while they are made, and after POST /deploy/gate what they wait for then
// fails: no object gets through.
import sample, { type Env, UserDataStore as Good } from "../sample/index.ts";

type Deploy = "good" | "bad" | "constructor" | "gate";

let deployed: Deploy = "good";

/** Who is asked for it goes out of memory, as the objects that a deploy finds in memory do. */
const LEAVE = "/test-entry/leave";

function demandNot(bad: Deploy): void {
  if (deployed === bad) throw new TypeError("Cannot read properties of undefined (reading 'plan')");
}

export class UserDataStore extends Good {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    demandNot("constructor");
    if (deployed === "gate") void ctx.blockConcurrencyWhile(async () => demandNot("gate"));
  }

  override async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname === LEAVE) this.ctx.abort("a deploy");
    demandNot("bad");
    return super.fetch(request);
  }

  override async query(request: unknown): ReturnType<Good["query"]> {
    demandNot("bad");
    return super.query(request);
  }
}

/** @param users have objects that are in memory, or may be */
async function deploy(to: Deploy, env: Env, users: readonly string[]): Promise<void> {
  deployed = "good"; // so that an object that is not in memory can be made, and leave
  for (const user of users) {
    const stub = env.USER_DATA.get(env.USER_DATA.idFromName(user));
    await stub.fetch(`https://object${LEAVE}`).catch(() => undefined);
  }
  deployed = to;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.startsWith("/deploy/")) return sample.fetch(request, env);
    await deploy(pathname.slice("/deploy/".length) as Deploy, env, searchParams.getAll("user"));
    return new Response("deployed\n");
  },
} satisfies ExportedHandler<Env>;
