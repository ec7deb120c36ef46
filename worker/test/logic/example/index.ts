import type { Env } from "../../../sample/index.ts";
declare const yourAuthentication: (request: Request) => Promise<string>;
// From here on it is docs/logic.md's.
import { createRouter, handleAdmin, UserDataStore } from "../../../src/index.ts";
import { mounted, Wallets } from "./app.ts";

export class AppData extends UserDataStore<Env> {
  protected override readonly storeOptions = mounted;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const router = createRouter({ bucket: env.BUCKET, flags: env.FLAGS, store: env.USER_DATA, ...mounted });
    const admin = await handleAdmin(request, { env, store: env.USER_DATA, bucket: env.BUCKET });
    if (admin !== null) return admin;

    const user = await yourAuthentication(request);
    const { from, to, coins } = await request.json<{ from: number; to: number; coins: number }>();
    return Response.json({ left: await router.call(user, Wallets).pay(from, to, coins) });
  },
} satisfies ExportedHandler<Env>;
