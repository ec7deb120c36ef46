// worker/service for test/backends, with a Worker that reaches it by service bindings: here the same one.
// Nothing here is part of what users deploy.
import service, { type Env, type UserDatabases, type UserDatabasesReadOnly } from "../service/index.ts";
import type { QueryRequest } from "../src/index.ts";

export { UserDatabases, UserDatabasesReadOnly, UserDataStore } from "../service/index.ts";

interface TestEnv extends Env {
  readonly USERS: Service<typeof UserDatabases>;
  readonly USERS_READ_ONLY: Service<typeof UserDatabasesReadOnly>;
}

const ROUTE = /^\/test\/(writes|reads|serves)\/([a-z0-9-]+)$/;

export default {
  async fetch(request: Request, env: TestEnv): Promise<Response> {
    const [, way, user] = ROUTE.exec(new URL(request.url).pathname) ?? [];
    if (user === undefined) return service.fetch(request, env);
    if (way === "serves") return Response.json(await env.USERS_READ_ONLY.servedBy(user));
    const users = way === "writes" ? env.USERS : env.USERS_READ_ONLY;
    return Response.json(await users.query(user, await request.json<QueryRequest>()));
  },
} satisfies ExportedHandler<TestEnv>;
