// A Worker that serves users' databases to backends that are no Workers, and to other Workers and Pages
// projects by service bindings (docs/backends.md).
import { WorkerEntrypoint } from "cloudflare:workers";
import {
  type BothAnswer,
  type BothRequest,
  errorResponse,
  handleAdmin,
  type LocateAnswer,
  type QueryAnswer,
  type QueryRequest,
  type Router,
  type RowKey,
  type SchemaAnswer,
  type SchemaRequest,
  type ServedByAnswer,
  type ThawAnswer,
  type ThawRequest,
  UserDataStore as Store,
  type WriteBothAnswer,
  type WriteBothRequest,
} from "../src/index.ts";
import { authenticate, type BackendEnv } from "./backends.ts";
import { adminConfig, type Env, parts, routerOf } from "./mounted.ts";
import { answerUsers, within } from "./routes.ts";

export type { Env } from "./mounted.ts";

/** A user's Durable Object. */
export class UserDataStore extends Store<Env> {
  protected override readonly storeOptions = parts;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    try {
      const router = routerOf(env); // made first, so that hello can compare what both were told
      const admin = await handleAdmin(request, adminConfig(env));
      if (admin !== null) return admin;
      if (new URL(request.url).pathname === "/healthz") return new Response("ok\n");
      const { access } = authenticate(request, env as unknown as BackendEnv);
      return await answerUsers(request, router, access);
    } catch (error) {
      return errorResponse(error);
    }
  },
} satisfies ExportedHandler<Env>;

/** For service bindings of Workers that only read: what would write is refused. */
export class UserDatabasesReadOnly extends WorkerEntrypoint<Env> {
  /** Answers a read of a user. Errors are answers. */
  async query(user: string, request: QueryRequest): Promise<QueryAnswer> {
    return this.router().query(user, within("read", request));
  }

  /** Reads the hot and the cold rows of a split user as they were at one moment. */
  async queryBoth(user: string, request: BothRequest): Promise<BothAnswer> {
    return this.router().queryBoth(user, request);
  }

  /** Says in which half of a split user's database a row is. */
  async locate(user: string, table: string, key: RowKey): Promise<LocateAnswer> {
    return this.router().locate(user, table, key);
  }

  /** Says which side serves a user. */
  async servedBy(user: string): Promise<ServedByAnswer> {
    return this.router().servedBy(user);
  }

  protected router(): Router {
    return routerOf(this.env);
  }
}

/** For service bindings of Workers that read and write. The binding is the credential: it needs no token. */
export class UserDatabases extends UserDatabasesReadOnly {
  /** Answers a request of a user. Errors are answers. */
  override async query(user: string, request: QueryRequest): Promise<QueryAnswer> {
    return this.router().query(user, request);
  }

  /** Writes a row wherever it is. */
  async writeBoth(user: string, request: WriteBothRequest): Promise<WriteBothAnswer> {
    return this.router().writeBoth(user, request);
  }

  /** Changes the schema of both halves. */
  async schema(user: string, request: SchemaRequest): Promise<SchemaAnswer> {
    return this.router().schema(user, request);
  }

  /** Asks for cold rows to be brought back into the file. */
  async thaw(user: string, request: ThawRequest): Promise<ThawAnswer> {
    return this.router().thaw(user, request);
  }
}
