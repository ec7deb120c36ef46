// The users' Durable Objects, through the Worker's binding.
import type { QueryAnswer, QueryRequest } from "../query/types.ts";
import type { StoreSide } from "./sides.ts";

/** What the router needs of a stub: UserDataStore and its subclasses have it. */
export interface Queryable extends Rpc.DurableObjectBranded {
  query(request: QueryRequest): Promise<QueryAnswer>;
}

/** Durable Objects behind the interface. */
export class DurableStoreSide implements StoreSide {
  constructor(
    private readonly namespace: DurableObjectNamespace<Queryable>,
    private readonly locationHint: ((user: string) => DurableObjectLocationHint | undefined) | undefined,
  ) {}

  async query(user: string, request: QueryRequest): Promise<QueryAnswer> {
    const hint = this.locationHint?.(user);
    // A stub is broken for good after some errors, so each call takes a new one.
    const stub = this.namespace.get(this.namespace.idFromName(user), hint === undefined ? {} : { locationHint: hint });
    return stub.query(request);
  }
}
