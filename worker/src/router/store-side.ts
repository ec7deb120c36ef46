// The users' Durable Objects, through the Worker's binding.
import type { ThawAnswer, ThawRequest } from "../query/thaw-request.ts";
import type { CallAnswer, CallRequest } from "../logic/call.ts";
import type { QueryAnswer, QueryRequest } from "../query/types.ts";
import { LIVE_PATH } from "../live/protocol.ts";
import type { StoreSide } from "./sides.ts";

/** What the router needs of a stub: UserDataStore and its subclasses have it. */
export interface Queryable extends Rpc.DurableObjectBranded {
  query(request: QueryRequest): Promise<QueryAnswer>;
  thaw(request: ThawRequest): Promise<ThawAnswer>;
  callLogic(request: unknown): Promise<unknown>;
}

/**
 * The binding of the users' Durable Objects, by shape: TypeScript before 6 takes a DurableObjectNamespace of one
 * class for that of no other. Which class it is, hello asks a real object.
 */
export interface UserObjects {
  idFromName(name: string): DurableObjectId;
  get(
    id: DurableObjectId,
    options?: DurableObjectNamespaceGetDurableObjectOptions,
  ): Pick<DurableObjectStub, "fetch">;
}

interface Disconnecting {
  dbmigrateDisconnect(reason: string): Promise<number>;
}

/** Durable Objects behind the interface. */
export class DurableStoreSide implements StoreSide {
  constructor(
    private readonly namespace: UserObjects,
    private readonly locationHint: ((user: string) => DurableObjectLocationHint | undefined) | undefined,
  ) {}

  async query(user: string, request: QueryRequest): Promise<QueryAnswer> {
    return this.stubOf(user).query(request);
  }

  async call(user: string, request: CallRequest): Promise<CallAnswer> {
    // RPC's types leave out values of a kind they do not know.
    return (await this.stubOf(user).callLogic(request)) as CallAnswer;
  }

  async thaw(user: string, request: ThawRequest): Promise<ThawAnswer> {
    return this.stubOf(user).thaw(request);
  }

  async live(user: string, request: Request): Promise<Response> {
    // The application's own headers stay behind: the object is told nothing but what it needs.
    const upgrade = { headers: { upgrade: "websocket" }, signal: request.signal };
    return this.stubOf(user).fetch(`https://store${LIVE_PATH}`, upgrade);
  }

  async disconnect(user: string, reason: string): Promise<number> {
    return (this.stubOf(user) as unknown as Disconnecting).dbmigrateDisconnect(reason);
  }

  // A stub is broken for good after some errors, so each call takes a new one.
  private stubOf(user: string): DurableObjectStub<Queryable> {
    const hint = this.locationHint?.(user);
    const stub = this.namespace.get(
      this.namespace.idFromName(user),
      hint === undefined ? {} : { locationHint: hint },
    );
    return stub as DurableObjectStub<Queryable>;
  }
}
