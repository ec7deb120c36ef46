// What the application meets while a service is down, against the table with which docs/outages.md begins. The
// bindings are real, and fail where the row says so.
import { describe, expect, it } from "vitest";
import { createRouter } from "../../src/index.ts";
import type { QueryRequest, RouterConfig } from "../../src/index.ts";
import page from "../../../docs/outages.md?raw";
import { bindings, database, fenced, fileKey, newUser } from "./fixtures.ts";
import { bringTo, LINEAGE } from "./store-driver.ts";

type Down = Partial<RouterConfig>;

/** A service that answers no call of these names. */
function without<Service extends object>(service: Service, ...calls: string[]): Service {
  return new Proxy(service, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (calls.includes(String(name)))
        return async () => Promise.reject(new Error("Network connection lost."));
      return value.bind(target);
    },
  });
}

const kv = without(bindings.FLAGS, "get");
const r2 = without(bindings.BUCKET, "get", "head", "put");
const objects = new Proxy(bindings.USER_DATA, {
  get(target, name) {
    if (name === "get") return () => without({ query: async () => undefined }, "query");
    const value: unknown = Reflect.get(target, name);
    return typeof value === "function" ? value.bind(target) : value;
  },
});

const downs: Record<string, Down> = {
  KV: { flags: kv },
  "Cloudflare API": {}, // no request of the application goes there
  R2: { bucket: r2 },
  "R2, writes only": { bucket: without(bindings.BUCKET, "put") },
  "KV and R2": { flags: kv, bucket: r2 },
  "Durable Objects": { store: objects },
  "Durable Objects, and path: r2 is deployed": { store: objects, path: "r2" },
};

interface Cell {
  readonly down: string;
  readonly home: "file" | "object";
  readonly mode: "read" | "write";
  readonly says: string;
}

/** The rows of the first table, without links and marks of code. */
function cells(): Cell[] {
  const table = page.split("\n\n").find((block) => block.startsWith("| down |")) ?? "";
  const rows = table.split("\n").slice(2);
  return rows.flatMap((row) => {
    const plain = row.replace(/\]\([^)]*\)/g, "").replace(/[`"[]/g, "");
    const [, down = "", ...says] = plain.split("|").map((cell) => cell.trim());
    return (["file", "object"] as const).flatMap((home, h) =>
      (["read", "write"] as const).map((mode, m) => ({ down, home, mode, says: says[2 * h + m] ?? "" })),
    );
  });
}

const asks: Record<Cell["mode"], QueryRequest> = {
  read: { mode: "read", statements: [{ sql: "SELECT a FROM t" }] },
  write: { statements: [{ sql: "INSERT INTO t VALUES ('more')" }] },
};

async function userIn(home: Cell["home"]): Promise<string> {
  const user = newUser();
  const file = database("file");
  if (home === "object") {
    await bringTo("ACTIVE", user);
    await bindings.FLAGS.put(`migrated:${user}`, "true");
  }
  await bindings.BUCKET.put(fileKey(user), home === "object" ? fenced(file, LINEAGE, LINEAGE) : file);
  return user;
}

function routerWithout(down: Down) {
  const services = { bucket: bindings.BUCKET, flags: bindings.FLAGS, store: bindings.USER_DATA, ...down };
  return createRouter({ ...services, deadlineMs: 600 });
}

it("the page has a row for each service", () => {
  expect([...new Set(cells().map(({ down }) => down))]).toEqual(Object.keys(downs));
});

describe("while a service is down", () => {
  it.each(cells())("$down: a user in the $home, $mode: $says", async ({ down, home, mode, says }) => {
    const answer = await routerWithout(downs[down] ?? {}).query(await userIn(home), asks[mode]);
    expect(answer.ok ? answer.side.replace("store", "object") : answer.error.kind).toBe(says);
  });

  it("a user without a file is served without KV, and not without Durable Objects", async () => {
    const ask = (down: Down) => routerWithout(down).query(newUser(), asks.read);
    expect(await ask({ flags: kv })).toMatchObject({ ok: false, error: { kind: "sql-error" } }); // no such table: t
    expect(await ask({ store: objects })).toMatchObject({ ok: false, error: { kind: "internal" } });
  });

  it("a user without a flag so far is not served without R2", async () => {
    const user = await userIn("object");
    await bindings.FLAGS.delete(`migrated:${user}`);
    expect(await routerWithout({ bucket: r2 }).query(user, asks.read)).toMatchObject({
      ok: false,
      error: { kind: "internal" },
    });
  });
});
