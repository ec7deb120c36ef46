// A Worker's bindings that fail inside of a composite request: one call, counted from 0, meets a fate. Each of
// them is one that Cloudflare's network or a death of the Worker can make.
import type { AdminConfig } from "../../src/index.ts";

export const fates = ["killed before", "killed behind", "lost", "doubled", "late"] as const;
export type Fate = (typeof fates)[number];

/** Bindings where one call meets the fate. */
export class Disturbed {
  readonly #at: number;
  readonly #fate: Fate;
  readonly #under: (() => Promise<unknown>)[] = [];
  #calls = 0;
  /** What met the fate; undefined while nothing did. */
  met: string | undefined;

  constructor(at: number, fate: Fate) {
    this.#at = at;
    this.#fate = fate;
  }

  /** The bindings of a Worker, behind this. */
  of({
    bucket,
    store,
  }: {
    bucket: R2Bucket;
    store: AdminConfig["store"];
  }): Pick<AdminConfig, "bucket" | "store"> {
    return { bucket: this.#bucket(bucket), store: this.#store(store) };
  }

  /** Lets everything arrive that is still under way. */
  async arrive(): Promise<void> {
    for (const op of this.#under.splice(0)) await op().catch(() => undefined);
  }

  async #call<T>(name: string, op: () => Promise<T>): Promise<T> {
    if (this.#calls++ !== this.#at) return op();
    this.met = name;
    switch (this.#fate) {
      case "doubled": {
        const answer = await op();
        await op().catch(() => undefined);
        return answer;
      }
      case "killed behind":
        await op();
        break;
      case "late":
        this.#under.push(op);
    }
    throw new Error(`${name}: ${this.#fate}`);
  }

  #bucket(bucket: R2Bucket): R2Bucket {
    const bound = (name: string | symbol): unknown => {
      const value: unknown = Reflect.get(bucket, name);
      return typeof value === "function" ? (value.bind(bucket) as unknown) : value;
    };
    return new Proxy(bucket, {
      get: (_, name) => {
        if (name === "head") return (key: string) => this.#call(`head ${key}`, () => bucket.head(key));
        if (name === "get")
          return (key: string, options?: R2GetOptions) =>
            this.#call(`get ${key}`, () => bucket.get(key, options));
        if (name === "put")
          return async (key: string, body: BodyInit, options?: R2PutOptions) => {
            const bytes = await new Response(body).arrayBuffer(); // it may have to be sent twice, or later
            return this.#call(`put ${key}`, () => bucket.put(key, bytes, options));
          };
        return bound(name);
      },
    });
  }

  #store(store: AdminConfig["store"]): AdminConfig["store"] {
    return new Proxy(store, {
      get: (_, name) => {
        if (name === "idFromName") return (user: string) => store.idFromName(user);
        if (name !== "get") throw new Error(`the admin routes ask the namespace for ${String(name)}`);
        return (id: DurableObjectId, options?: DurableObjectNamespaceGetDurableObjectOptions) => {
          const stub = store.get(id, options);
          return { fetch: (request: Request) => this.#fetch(stub, request) };
        };
      },
    });
  }

  async #fetch(stub: Pick<DurableObjectStub, "fetch">, request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const body = request.body === null ? undefined : await request.arrayBuffer();
    const { url, method, headers } = request;
    return this.#call(`fetch ${pathname.split("/").at(-1) ?? ""}`, () =>
      stub.fetch(new Request(url, { method, headers, ...(body && { body }) })),
    );
  }
}
