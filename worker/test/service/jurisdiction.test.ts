// A namespace narrowed to a jurisdiction. The local runtime has none, so the narrowed namespace is modelled: its
// objects are others than those of the whole namespace, as Cloudflare documents it.
import { expect, it } from "vitest";
import service from "../../service/index.ts";
import type { Env } from "../../service/index.ts";
import { createRouter, handleAdmin } from "../../src/index.ts";
import { bindings, database, fenced, fileKey, newUser } from "../router/fixtures.ts";
import { bringTo, LINEAGE } from "../router/store-driver.ts";

type Namespace = Env["USER_DATA"];
type Id = { readonly name: string; readonly jurisdiction: string; readonly inner: DurableObjectId };

const inEu = (user: string): string => `eu ${user}`;

/** The namespace of the whole world: to ask it for an object means that somebody forgot to narrow it. */
function wholeWorld(): Namespace {
  const forgotten = (): never => expect.unreachable("an object outside the jurisdiction was asked for");
  return {
    jurisdiction: (where: string) => narrowed(where),
    idFromName: forgotten,
    idFromString: forgotten,
    newUniqueId: forgotten,
    get: forgotten,
    getByName: forgotten,
  } as unknown as Namespace;
}

function narrowed(jurisdiction: string): Namespace {
  return {
    idFromName: (name: string): Id => ({
      name,
      jurisdiction,
      inner: bindings.USER_DATA.idFromName(inEu(name)),
    }),
    get({ inner, jurisdiction: where }: Id) {
      const stub = bindings.USER_DATA.get(inner);
      return {
        query: (request: never) => stub.query(request),
        thaw: (request: never) => stub.thaw(request),
        fetch: (request: Request) => stub.fetch(request),
        // The object tells its id's own jurisdiction, which has to be looked up where it runs.
        dbmigrateProbe: async () => ({ ...((await stub.dbmigrateProbe()) as object), jurisdiction: where }),
      };
    },
  } as unknown as Namespace;
}

const TOKEN = "writer-token-0123456789-0123456789";
const env = {
  ...bindings,
  USER_DATA: wholeWorld(),
  JURISDICTION: "eu",
  BACKENDS: { app: "write" },
  TOKEN_APP: TOKEN,
  DBMIGRATE_TOKEN: "token-of-the-operator-now",
} as unknown as Env;

async function ask(path: string, token: string, body?: object): Promise<Record<string, unknown>> {
  const request = new Request(`https://service.test${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return (await service.fetch(request, env)).json();
}

it("is where router and admin routes find every object", async () => {
  const user = newUser();
  await bindings.BUCKET.put(fileKey(user), fenced(database("one"), LINEAGE, LINEAGE));
  await bringTo("ACTIVE", inEu(user)); // as a migrate through these admin routes leaves it
  const statements = [{ sql: "SELECT a FROM t" }];
  expect(await ask(`/api/users/${user}/query`, TOKEN, { statements })).toMatchObject({
    side: "store",
    results: [{ rows: [["store"]] }],
  });
  expect(await ask(`/api/users/${user}`, TOKEN)).toMatchObject({ servedBy: "object" });
  expect(await ask(`/api/users/${user}/both`, TOKEN, { statements })).toMatchObject({ cold: null });
  const operator = "token-of-the-operator-now";
  expect(await ask(`/_dbmigrate/v1/users/${user}/status`, operator)).toMatchObject({ phase: "ACTIVE" });
  expect(await ask("/_dbmigrate/v1/hello", operator)).toMatchObject({
    object: { answers: true, jurisdiction: "eu" },
  });
});

it("has objects of its own: one of another jurisdiction knows nothing of the user", async () => {
  const user = newUser();
  await bringTo("ACTIVE", user); // moved before somebody narrowed the namespace
  const config = { env, store: wholeWorld().jurisdiction("eu") };
  const request = new Request(`https://service.test/_dbmigrate/v1/users/${user}/status`, {
    headers: { authorization: "Bearer token-of-the-operator-now" },
  });
  const response = await handleAdmin(request, config as unknown as Parameters<typeof handleAdmin>[1]);
  expect(await response?.json()).toMatchObject({ phase: "EMPTY" });
});

it("is refused by the local runtime, as docs/mount.md says", () => {
  expect(() => bindings.USER_DATA.jurisdiction("eu")).toThrow("not implemented in workerd");
});

it("is asked of no binding while the variable is empty", async () => {
  const whole = { ...env, USER_DATA: bindings.USER_DATA, JURISDICTION: "" } as unknown as Env;
  const request = new Request("https://service.test/healthz");
  expect((await service.fetch(request, whole)).status).toBe(200);
  expect(createRouter({ bucket: whole.BUCKET, flags: whole.FLAGS, store: whole.USER_DATA })).toBeDefined();
});
