// The sample after a deploy that went wrong: its Durable Objects throw once POST /deploy/bad was asked for, and
// serve again after POST /deploy/good. The probe of hello still gets through: only users are met by it.
import sample, { type Env, UserDataStore as Good } from "../sample/index.ts";

let bad = false;

function demandGood(): void {
  if (bad) throw new TypeError("Cannot read properties of undefined (reading 'plan')");
}

export class UserDataStore extends Good {
  override async fetch(request: Request): Promise<Response> {
    demandGood();
    return super.fetch(request);
  }

  override async query(request: unknown): ReturnType<Good["query"]> {
    demandGood();
    return super.query(request);
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith("/deploy/")) return sample.fetch(request, env);
    bad = pathname === "/deploy/bad";
    return new Response("deployed\n");
  },
} satisfies ExportedHandler<Env>;
