// The smallest Worker that has the bindings of the real one: enough for tests of the S3 and KV clients.
import { DurableObject } from "cloudflare:workers";

export class UserDataStore extends DurableObject {}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/vars") {
      return Response.json({ admin: env.DBMIGRATE_TOKEN, app: env.APP_TOKEN });
    }
    return new Response("ok");
  },
};
