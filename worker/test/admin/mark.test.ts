import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { type AdminConfig, handleAdmin } from "../../src/index.ts";
import { markFile, unportable } from "../../src/admin/mark.ts";
import { MARK_BYTES, MOST_MARK_BYTES } from "../../src/wire/limits.ts";
import { bindings, database, fenced, fileKey, newUser, stamped, tombstone } from "../router/fixtures.ts";

const { BUCKET } = bindings;
const file = database("a", "b".repeat(300_000));
let user: string;

beforeEach(() => {
  user = newUser();
});

const md5Of = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

/** What dbmigrate sends for `marked` over the object as it is now. */
async function messageFor(marked: Uint8Array): Promise<Record<string, unknown>> {
  const object = await BUCKET.head(fileKey(user));
  return {
    etag: object?.etag ?? md5Of(file),
    modified: Math.floor((object?.uploaded.getTime() ?? 0) / 1000),
    head: Buffer.from(marked.subarray(0, 100)).toString("base64"),
    md5: md5Of(marked),
    metadata: { "dbmigrate-fence": "3.4" },
  };
}

async function send(body: unknown, config: Partial<AdminConfig> = { bucket: BUCKET }): Promise<unknown> {
  const request = new Request(`https://worker.test/_dbmigrate/v1/users/${user}/mark`, {
    method: "POST",
    headers: { authorization: "Bearer token-of-the-operator", "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const response = await handleAdmin(request, {
    env: { DBMIGRATE_TOKEN: "token-of-the-operator" },
    store: bindings.USER_DATA,
    ...config,
  });
  const answer = await response?.json<{ error?: { kind: string } }>();
  return answer?.error?.kind ?? answer;
}

function read(of: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(of, name);
  return typeof value === "function" ? value.bind(of) : value;
}

async function names(): Promise<string[]> {
  return (await seen()).names;
}

/** What the Worker says of the file. */
async function seen(): Promise<{ names: string[]; file?: unknown }> {
  const request = new Request(`https://worker.test/_dbmigrate/v1/users/${user}/names`, {
    headers: { authorization: "Bearer token-of-the-operator" },
  });
  const env = { DBMIGRATE_TOKEN: "token-of-the-operator" };
  const response = await handleAdmin(request, { env, store: bindings.USER_DATA, bucket: BUCKET });
  return (await response?.json<{ names: string[] }>()) ?? { names: [] };
}

/** The MD5 of what the bucket has. */
async function stored(): Promise<string | undefined> {
  const object = await BUCKET.get(fileKey(user));
  return object === null ? undefined : md5Of(new Uint8Array(await object.arrayBuffer()));
}

it.each([
  ["displayName", false],
  ["größe", false],
  ["with space", false],
  ["display-name", true],
  ["x_1.y", true],
  ["dbmigrate-Stamp", true],
])("takes over an object with the metadata %s: %s", async (name, taken) => {
  await BUCKET.put(fileKey(user), file, { customMetadata: { [name]: "value in any script: é" } });
  const marked = fenced(file, 3, 4);
  expect(await send(await messageFor(marked))).toEqual(taken ? { etag: md5Of(marked) } : "metadata-names");
  expect(await stored()).toBe(md5Of(taken ? marked : file));
});

it.each([
  ["a space at the end", { owner: "x " }],
  ["a space at the beginning", { owner: " x" }],
  ["a line end", { owner: "a\nb" }],
  ["a NUL", { owner: "a\0b" }],
])("refuses, and names, a value with %s", async (_name, customMetadata) => {
  await BUCKET.put(fileKey(user), file, { customMetadata });
  expect(await send(await messageFor(fenced(file, 3, 4)))).toBe("metadata-names");
  expect(await stored()).toBe(md5Of(file));
  expect((await names()).length).toBe(1);
});

it.each([
  [7930, []],
  [7932, ["7937 bytes of metadata"]],
])("counts what is left for a mark beside a value of %i bytes", (bytes, expected) => {
  const object = { customMetadata: { owner: "x".repeat(bytes), "dbmigrate-stamp": "x".repeat(500) } };
  expect(unportable(object as unknown as R2Object)).toEqual(expected); // the local R2 takes less
});

it("refuses a header that S3 would change", async () => {
  await BUCKET.put(fileKey(user), file, {
    httpMetadata: { contentDisposition: 'attachment; filename="größe.db"' },
  });
  expect(await send(await messageFor(fenced(file, 3, 4)))).toBe("metadata-names");
  expect(await names()).toEqual(["contentDisposition"]);
});

it.each([
  ["under a fence", fenced(file, 2, 2)],
  ["not fenced", file],
])("puts a stamp, and keeps metadata that S3 would not carry: a file %s", async (_name, before) => {
  const kept = { displayName: "x ", größe: "1" };
  await BUCKET.put(fileKey(user), before, { customMetadata: { ...kept, "dbmigrate-fence": "2.2" } });
  const marked = stamped(file, 4);
  const message = { ...(await messageFor(marked)), metadata: { "dbmigrate-stamp": "4" } };
  expect(await send(message)).toEqual({ etag: md5Of(marked) });
  expect(await stored()).toBe(md5Of(marked));
  expect((await BUCKET.head(fileKey(user)))?.customMetadata).toEqual({ ...kept, "dbmigrate-stamp": "4" });
  expect((await names()).toSorted()).toEqual(["displayName", "größe"]);
});

it("tells which version it sees, so that another bucket of the operator's shows", async () => {
  await BUCKET.delete(fileKey(user));
  expect(await seen()).toEqual({ names: [], file: { etag: "", uploaded: 0 } });
  const { etag, uploaded } = (await BUCKET.put(fileKey(user), file)) ?? {};
  expect(await seen()).toEqual({ names: [], file: { etag, uploaded: uploaded?.getTime() } });
});

it("keeps the storage class", async () => {
  const classes: unknown[] = [];
  const bucket = {
    // The local R2 knows one class only.
    get: async (...given: Parameters<R2Bucket["get"]>) => {
      const object = await BUCKET.get(...given);
      return (
        object &&
        new Proxy(object, {
          get: (of, name) => (name === "storageClass" ? "InfrequentAccess" : read(of, name)),
        })
      );
    },
    put: async (key: string, body: ReadableStream, options: R2PutOptions) => {
      classes.push(options.storageClass);
      return BUCKET.put(key, body, options);
    },
  } as unknown as R2Bucket;
  await BUCKET.put(fileKey(user), file);
  const marked = fenced(file, 3, 4);
  expect(await send(await messageFor(marked), { bucket })).toEqual({ etag: md5Of(marked) });
  expect(classes).toEqual(["InfrequentAccess"]);
});

it("fences a user again who moved with such a name before", async () => {
  await BUCKET.put(fileKey(user), fenced(file, 2, 2), { customMetadata: { displayName: "x" } });
  const marked = fenced(file, 2, 4);
  expect(await send(await messageFor(marked))).toEqual({ etag: md5Of(marked) });
});

it("replaces the file by itself under the fence, and keeps what else the object says", async () => {
  const httpMetadata = { contentType: "application/vnd.sqlite3", cacheControl: "no-store" };
  const customMetadata = { owner: "the application", "dbmigrate-stamp": "2" };
  await BUCKET.put(fileKey(user), file, { httpMetadata, customMetadata });
  const marked = fenced(file, 3, 4);
  expect(await send(await messageFor(marked))).toEqual({ etag: md5Of(marked) });
  expect(await stored()).toBe(md5Of(marked));
  const after = await BUCKET.head(fileKey(user));
  expect(after?.customMetadata).toEqual({ owner: "the application", "dbmigrate-fence": "3.4" });
  expect(after?.httpMetadata).toMatchObject(httpMetadata);
});

it("puts a new fence in place of an old one", async () => {
  await BUCKET.put(fileKey(user), fenced(file, 3, 3));
  const marked = fenced(file, 3, 9);
  expect(await send(await messageFor(marked))).toEqual({ etag: md5Of(marked) });
  expect(await stored()).toBe(md5Of(marked));
});

describe("another version is left alone", () => {
  it("when it was written before", async () => {
    await BUCKET.put(fileKey(user), file);
    const message = await messageFor(fenced(file, 3, 3));
    const newer = database("newer");
    await BUCKET.put(fileKey(user), newer);
    expect(await send(message)).toBe("file-changed");
    expect(await stored()).toBe(md5Of(newer));
  });

  it("when it is written between our read and our write", async () => {
    await BUCKET.put(fileKey(user), file);
    const message = await messageFor(fenced(file, 3, 3));
    const newer = database("newer");
    const overtaken = {
      get: BUCKET.get.bind(BUCKET),
      put: async (...given: Parameters<R2Bucket["put"]>) => {
        await BUCKET.put(fileKey(user), newer);
        return BUCKET.put(...given);
      },
    } as unknown as R2Bucket;
    expect(await send(message, { bucket: overtaken })).toBe("file-changed");
    expect(await stored()).toBe(md5Of(newer));
  });

  it("when the same bytes have another date, as in another bucket", async () => {
    await BUCKET.put(fileKey(user), file);
    const message = await messageFor(fenced(file, 3, 3));
    expect(await send({ ...message, modified: (message["modified"] as number) - 60 })).toBe("file-changed");
    expect(await stored()).toBe(md5Of(file));
  });

  it("when there is none", async () => {
    expect(await send(await messageFor(fenced(file, 3, 3)))).toBe("file-changed");
    expect(await stored()).toBeUndefined();
  });
});

describe("refuses", () => {
  const flipped = (bytes: Uint8Array, at: number, to?: number): Uint8Array =>
    bytes.map((byte, i) => (i === at ? (to ?? byte ^ 1) : byte));

  it.each([
    ["no mark", file],
    ["a stamp that keeps the fence's lock", flipped(stamped(file, 3), 18, 255)],
    ["a fence that lets SQLite write", flipped(fenced(file, 3, 3), 18)],
    ["a tombstone", tombstone(3, 3, 200)],
    ["another page count", flipped(fenced(file, 3, 3), 31)],
    ["another file's first byte", flipped(fenced(file, 3, 3), 0)],
  ])("%s", async (_name, marked) => {
    await BUCKET.put(fileKey(user), file);
    expect(await send(await messageFor(marked))).toBe("bad-request");
    expect(await stored()).toBe(md5Of(file));
  });

  it.each([
    ["an ETag that is none", { etag: "*" }],
    ["an MD5 that is none", { md5: "x" }],
    ["a short header", { head: "AAAA" }],
    ["metadata of the application", { metadata: { owner: "me" } }],
    ["metadata that is no text", { metadata: { "dbmigrate-fence": 3 } }],
    ["no date", { modified: null }],
  ])("%s", async (_name, wrong) => {
    await BUCKET.put(fileKey(user), file);
    expect(await send({ ...(await messageFor(fenced(file, 3, 3))), ...wrong })).toBe("bad-request");
    expect(await stored()).toBe(md5Of(file));
  });

  it("bytes that are not those which were checked", async () => {
    await BUCKET.put(fileKey(user), file);
    const message = { ...(await messageFor(fenced(file, 3, 3))), md5: md5Of(file) };
    expect(await send(message)).toBe("internal");
    expect(await stored()).toBe(md5Of(file));
  });

  it("everything without a bucket, and hello does not offer it", async () => {
    await BUCKET.put(fileKey(user), file);
    expect(await send(await messageFor(fenced(file, 3, 3)), {})).toBe("not-found");
    expect(await stored()).toBe(md5Of(file));
  });
});

it("R2's wish for a slower pace is passed on", async () => {
  await BUCKET.put(fileKey(user), file);
  const throttled = {
    get: BUCKET.get.bind(BUCKET),
    put: async () =>
      Promise.reject(new Error("put: Reduce your concurrent request rate for the same object. (10058)")),
  } as unknown as R2Bucket;
  expect(await send(await messageFor(fenced(file, 3, 3)), { bucket: throttled })).toBe("overloaded");
});

describe("a tombstone", () => {
  const stoneMessage = (stone: Uint8Array, etag: string): Record<string, unknown> => ({
    etag,
    modified: 0,
    tombstone: Buffer.from(stone).toString("base64"),
    md5: md5Of(stone),
    metadata: { "dbmigrate-fence": "2.5" },
  });
  const stone = tombstone(2, 5);

  it("takes the place of an older one, which keeps what else it says", async () => {
    const before = tombstone(2, 2);
    await BUCKET.put(fileKey(user), before, { customMetadata: { owner: "x", "dbmigrate-fence": "2.2" } });
    expect(await send(stoneMessage(stone, md5Of(before)))).toEqual({ etag: md5Of(stone) });
    expect((await BUCKET.head(fileKey(user)))?.customMetadata).toEqual({
      owner: "x",
      "dbmigrate-fence": "2.5",
    });
  });

  it("comes where there is nothing, once", async () => {
    expect(await send(stoneMessage(stone, ""))).toEqual({ etag: md5Of(stone) });
    expect(await send(stoneMessage(tombstone(2, 6), ""))).toBe("file-changed");
    expect(await stored()).toBe(md5Of(stone));
  });

  it.each([
    ["over a file", file, md5Of(file), stone, "file-changed"],
    ["over a fenced file", fenced(file, 2, 2), null, stone, "file-changed"],
    ["where there is an object", file, "", stone, "file-changed"],
    ["that is none", tombstone(2, 2), null, new Uint8Array(10), "bad-request"],
    ["that cannot be read", tombstone(2, 2), null, tombstone(0, 2), "bad-request"],
    ["that is too long", tombstone(2, 2), null, tombstone(2, 5, 20_000), "bad-request"],
  ])("does not come %s", async (_name, before, etag, wanted, kind) => {
    await BUCKET.put(fileKey(user), before);
    expect(await send(stoneMessage(wanted, etag ?? md5Of(before)))).toBe(kind);
    expect(await stored()).toBe(md5Of(before));
  });
});

// What the binding would do with a file that is too large for a test.
describe("a large file", () => {
  const PART = 16 * 1024 * 1024;

  function bucketOf(size: number) {
    const head = stamped(file, 3);
    let sent = 0;
    const etag = "0".repeat(32);
    const body = () =>
      new ReadableStream({
        type: "bytes",
        pull: (controller) => {
          const part = new Uint8Array(Math.min(PART, size - sent));
          if (sent === 0) part.set(head.subarray(0, 100));
          sent += part.length;
          controller.enqueue(part);
          if (sent === size) controller.close();
        },
      });
    const object = () => ({ key: "large", etag, size, uploaded: new Date(0), checksums: {}, body: body() });
    let arrived = 0;
    const bucket = {
      get: async () => object(),
      put: async (_key: string, content: ReadableStream<Uint8Array>) => {
        for await (const part of content) arrived += part.length;
        return { etag: "1".repeat(32) };
      },
    } as unknown as R2Bucket;
    const wanted = { etag, modified: 0, head: head.subarray(0, 100), md5: etag, metadata: {} };
    return { bucket, wanted, arrived: () => arrived };
  }

  it("is marked on request, beyond what hello offers", async () => {
    const { bucket, wanted, arrived } = bucketOf(MARK_BYTES + PART + 1);
    expect(await markFile(bucket, "large", wanted)).toEqual({ etag: "1".repeat(32) });
    expect(arrived()).toBe(MARK_BYTES + PART + 1);
  });

  it("is refused where R2 would not take it in one piece", async () => {
    const { bucket, wanted, arrived } = bucketOf(MOST_MARK_BYTES + 1);
    await expect(markFile(bucket, "large", wanted)).rejects.toMatchObject({ kind: "too-large" });
    expect(arrived()).toBe(0);
  });
});
