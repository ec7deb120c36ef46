// What an operator's side does with one store.
import { env } from "cloudflare:workers";
import { evictDurableObject } from "cloudflare:test";
import type { CountedStore, NotesStore, UserDataStore } from "./entry.ts";
import { type Row, batch, encodeRows, jFrame, rangeDigest, sha256, tableDigest, bytes } from "./encode.ts";

interface TestEnv {
  readonly STORE: DurableObjectNamespace<UserDataStore>;
  readonly COUNTED: DurableObjectNamespace<CountedStore>;
  readonly PLAIN: DurableObjectNamespace<UserDataStore>;
  readonly NOTES: DurableObjectNamespace<NotesStore>;
  readonly CLOSED: DurableObjectNamespace<UserDataStore>;
}

export const bindings = env as unknown as TestEnv;

export interface Answer {
  readonly status: number;
  // Tests look into whatever came.
  // eslint-disable-next-line
  readonly json: any;
}

export interface SentObject {
  type: string;
  name: string;
  table: string;
  sql: string;
}

export interface SentTable {
  /** As in the frame header; `undefined` rows: no rows are sent. */
  readonly columns?: readonly string[];
  readonly rows: readonly Row[];
  /** The rows as they lie in the table, where that is more than was sent. */
  readonly stored?: readonly Row[];
}

export const header = {
  pageSize: 4096,
  encoding: "UTF-8",
  userVersion: 7,
  applicationId: -5,
  autoVacuum: 0,
  writeVersion: 1,
  readVersion: 1,
  internal: [] as string[],
};

let users = 0;

export class Client {
  readonly user: string;
  readonly stub: DurableObjectStub<UserDataStore>;
  gen = 0;

  constructor(
    namespace: DurableObjectNamespace<UserDataStore> = bindings.STORE,
    user = `user-${++users}-${crypto.randomUUID()}`,
  ) {
    this.user = user;
    this.stub = namespace.getByName(user);
  }

  raw(
    method: string,
    route: string,
    init: RequestInit = {},
    token: string | null = "token-of-the-operator-now",
  ): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    const url = `https://worker.test/_dbmigrate/v1/users/${encodeURIComponent(this.user)}/${route}`;
    return this.stub.fetch(new Request(url, { ...init, method, headers }));
  }

  async get(route: string): Promise<Answer> {
    return read(await this.raw("GET", route));
  }

  async post(route: string, body: unknown): Promise<Answer> {
    const headers = { "content-type": "application/json" };
    return read(await this.raw("POST", route, { body: JSON.stringify(body), headers }));
  }

  async claim(intent: string): Promise<Answer> {
    const { json } = await this.get("status");
    const answer = await this.post("claim", { intent, seen: json.gen });
    if (answer.status === 200) this.gen = answer.json.gen;
    return answer;
  }

  async rows(seq: number, body: Uint8Array, gen = this.gen): Promise<Answer> {
    const headers = { "content-type": "application/octet-stream" };
    return read(await this.raw("POST", `rows?gen=${gen}&seq=${seq}`, { body, headers }));
  }

  schema(objects: readonly SentObject[], more: object = {}, virtual: unknown[] = []): Promise<Answer> {
    return this.post("schema", {
      gen: this.gen,
      schema: { header: { ...header, ...more }, objects, virtual },
    });
  }

  async finish(batches: number): Promise<Answer> {
    for (;;) {
      const answer = await this.post("finish", { gen: this.gen, batches });
      if (answer.status !== 200 || answer.json.done) return answer;
    }
  }

  async digest(): Promise<Answer> {
    for (;;) {
      const answer = await this.post("digest", { budgetMs: 50 });
      if (answer.status !== 200 || answer.json.complete) return answer;
    }
  }

  async exportRows(table: string, after: unknown, maxBytes: number) {
    const headers = { "content-type": "application/json" };
    const response = await this.raw("POST", "export/rows", {
      body: JSON.stringify({ table, after, maxBytes }),
      headers,
    });
    if (response.status !== 200) throw new Error(await response.text());
    return parsePage(new Uint8Array(await response.arrayBuffer()));
  }

  /**
   * Everything up to READY for some tables, each in a batch of its own; up to SPLIT_READY under a split
   * claim.
   */
  async import(
    objects: readonly SentObject[],
    tables: Record<string, SentTable> = {},
    more: object = {},
    intent = "migrate",
  ) {
    await this.claim(intent);
    await this.schema(objects, more);
    let seq = 0;
    for (const [name, table] of Object.entries(tables)) {
      if (table.columns !== undefined) await this.rows(seq++, batch(jFrame(name, table.columns, table.rows)));
    }
    await this.finish(seq);
    return this.ready();
  }

  /** Claims that what the store holds is right. */
  async ready(): Promise<Answer> {
    const { digest } = (await this.digest()).json;
    return this.post("ready", { gen: this.gen, digest, receipt: { user: this.user, claim: this.gen } });
  }

  activate(): Promise<Answer> {
    return this.post("activate", { gen: this.gen });
  }

  async query(sql: string, params: unknown = [], mode = "write", scope = "hot") {
    return this.stub.query({ statements: [{ sql, params }], mode, scope });
  }

  evict(): Promise<void> {
    return evictDurableObject(this.stub);
  }
}

/** A new store with these objects and rows that the application can use. */
export async function activeStore(
  objects: readonly SentObject[],
  tables: Record<string, SentTable> = {},
  more = {},
) {
  const client = new Client();
  await client.import(objects, tables, more);
  await client.activate();
  return client;
}

export function table(name: string, sql: string): SentObject {
  return { type: "table", name, table: name, sql };
}

async function read(response: Response): Promise<Answer> {
  return { status: response.status, json: await response.json() };
}

/** The parts of an export page (section 5). */
export function parsePage(page: Uint8Array) {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  let at = 4;
  const part = () => {
    const size = view.getUint32(at, true);
    at += 4 + size;
    return page.slice(at - size, at);
  };
  const head = JSON.parse(new TextDecoder().decode(part()));
  return { magic: new TextDecoder().decode(page.slice(0, 4)), header: head, cells: part(), reals: part() };
}

/** The digest that the operator's side computes (section 6). */
export function databaseDigest(
  objects: readonly SentObject[],
  tables: Record<string, SentTable>,
  more: object = {},
) {
  const h = { ...header, ...more };
  const text = (s: string) => bytes(`T${new TextEncoder().encode(s).length}:`, s);
  const head = ["userVersion", h.userVersion, "applicationId", h.applicationId, "encoding", h.encoding];
  const size = ["pageSize", h.pageSize, "autoVacuum", h.autoVacuum];
  const sorted = objects.toSorted((a, b) => (a.type + "\0" + a.name < b.type + "\0" + b.name ? -1 : 1));
  const words = [...head, ...size, ...sorted.flatMap((o) => [o.type, o.name, o.table, o.sql])];
  const schema = sha256(...words.map((word) => text(String(word))));
  const digests = Object.entries(tables)
    .map(([name, { rows, stored }]) => {
      const held = stored ?? rows;
      return { name, rows: held.length, digest: tableDigest(held) };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const parts = digests
    .filter(({ rows }) => rows > 0)
    .flatMap(({ name, rows, digest }) => {
      const nameBytes = bytes(name);
      const count = new Uint8Array(new BigUint64Array([BigInt(rows)]).buffer);
      return [
        new Uint8Array(new Uint32Array([nameBytes.length]).buffer),
        nameBytes,
        count,
        Buffer.from(digest, "hex"),
      ];
    });
  return { database: sha256(Buffer.from(schema, "hex"), ...parts), schema, tables: digests };
}

export { encodeRows, rangeDigest };
