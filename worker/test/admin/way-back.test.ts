// `return` and `export`, against a real Durable Object and a real bucket. Every step inside them is lost,
// cut off behind its effect, doubled, or overtaken by a newer command; the same request again, or the single
// messages, have to end what was begun.
import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { handleAdmin } from "../../src/index.ts";
import { some } from "../effort.ts";
import { bindings, database, fenced, fileKey, newUser, stamped } from "../router/fixtures.ts";
import { batch, jFrame } from "../store/encode.ts";
import { header, table } from "../store/client.ts";

const { BUCKET, USER_DATA } = bindings;
const TOKEN = "token-of-the-operator-now";
const file = database("kept", "k".repeat(200_000));
let user: string;
let kept: Uint8Array;

const hashOf = (name: string, bytes: Uint8Array): string => createHash(name).update(bytes).digest("hex");
const plainOf = (bytes: Uint8Array): Uint8Array => {
  const plain = bytes.slice();
  plain.fill(0, 72, 92);
  return plain;
};

interface Answer {
  readonly status: number;
  // Tests look into whatever came.
  // eslint-disable-next-line
  readonly json: any;
  readonly bytes: Uint8Array;
}

/** What is between the Worker and its bindings. */
interface Around {
  readonly bucket?: Partial<R2Bucket>;
  readonly store?: typeof USER_DATA;
}

async function send(route: string, body?: unknown, around: Around = {}): Promise<Answer> {
  const json = !(body instanceof Uint8Array);
  const request = new Request(`https://worker.test/_dbmigrate/v1/users/${user}/${route}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      authorization: `Bearer ${TOKEN}`,
      "content-type": json ? "application/json" : "application/octet-stream",
    },
    ...(body !== undefined && { body: json ? JSON.stringify(body) : (body as Uint8Array<ArrayBuffer>) }),
  });
  const response = await handleAdmin(request, {
    env: { DBMIGRATE_TOKEN: TOKEN },
    store: around.store ?? USER_DATA,
    bucket: (around.bucket ?? BUCKET) as R2Bucket,
  });
  const bytes = new Uint8Array((await response?.arrayBuffer()) ?? new ArrayBuffer(0));
  const isJson = response?.headers.get("content-type") === "application/json";
  return {
    status: response?.status ?? 0,
    json: isJson ? JSON.parse(new TextDecoder().decode(bytes)) : undefined,
    bytes,
  };
}

/** A user who is active under claim 1, with the kept file behind its fence. */
beforeEach(async () => {
  user = newUser();
  await send("claim", { intent: "migrate", seen: 0 });
  const schema = { header, objects: [table("t", "CREATE TABLE t(a)")], virtual: [] };
  await send("schema", new TextEncoder().encode(JSON.stringify({ gen: 1, schema })));
  await send("rows?gen=1&seq=0", batch(jFrame("t", ["rowid", "a"], [[1n, "kept"]])));
  await send("finish", { gen: 1, batches: 1 });
  const { digest } = (await send("digest", { budgetMs: 5000 })).json;
  await send("ready", { gen: 1, digest, receipt: { user, claim: 1, digest } });
  await send("activate", { gen: 1 });
  kept = fenced(file, 1, 1);
  await BUCKET.put(fileKey(user), kept, {
    customMetadata: { owner: "the application", "dbmigrate-fence": "1.1" },
    httpMetadata: { contentType: "application/vnd.sqlite3" },
  });
  expect((await send("status")).json.phase).toBe("ACTIVE");
});

async function wanted(more: object = {}): Promise<object> {
  const object = await BUCKET.head(fileKey(user));
  return {
    claim: { intent: "rollback", seen: 1, id: `id-of-${user}`.slice(0, 40) },
    etag: object?.etag,
    modified: Math.floor((object?.uploaded.getTime() ?? 0) / 1000),
    source: hashOf("sha256", plainOf(file)),
    ...more,
  };
}

const write = (): Promise<unknown> =>
  USER_DATA.getByName(user).query({ statements: [{ sql: "INSERT INTO t VALUES ('written')" }] });

async function stored(): Promise<{ bytes: Uint8Array; object: R2Object }> {
  const object = await BUCKET.get(fileKey(user));
  if (object === null) throw new Error("the file is gone");
  return { bytes: new Uint8Array(await object.arrayBuffer()), object };
}

/** The file is back: the migrated bytes under the stamp, with its note and all that the object carried. */
async function isBack(claim: number): Promise<void> {
  const { bytes, object } = await stored();
  expect(hashOf("md5", plainOf(bytes))).toBe(hashOf("md5", plainOf(file)));
  expect([...bytes.subarray(72, 80)]).toEqual([...stamped(file, claim).subarray(72, 80)]);
  expect(object.customMetadata).toEqual({
    owner: "the application",
    "dbmigrate-stamp": String(claim),
    "dbmigrate-content": object.etag,
  });
  expect(object.httpMetadata?.contentType).toBe("application/vnd.sqlite3");
}

async function isKept(phase: string): Promise<void> {
  expect(hashOf("md5", (await stored()).bytes)).toBe(hashOf("md5", kept));
  expect((await send("status")).json.phase).toBe(phase);
}

type Cut = "before" | "behind" | "twice";

/** Runs a call of a binding with a fault around it. */
async function faulty<T>(cut: Cut, run: () => Promise<T>): Promise<T> {
  if (cut === "before") throw new Error("Network connection lost.");
  const answer = await run();
  if (cut === "behind") throw new Error("Network connection lost.");
  return cut === "twice" ? run() : answer;
}

/** Bindings with a fault at the call number `at`, of those that one request makes. */
function withFault(at: number, cut: Cut): Around & { readonly calls: () => number } {
  return bindingsWith((run, call) => (call === at ? faulty(cut, run) : run()));
}

type Between = <T>(run: () => Promise<T>, call: number) => Promise<T>;

/** Bindings with something between each call of one request, counted from 0, and its effect. */
function bindingsWith(between: Between): Around & { readonly calls: () => number } {
  let calls = 0;
  const on = <T>(run: () => Promise<T>): Promise<T> => between(run, calls++);
  const bucket = {
    get: (...given: Parameters<R2Bucket["get"]>) => on(() => BUCKET.get(...given)),
    head: (...given: Parameters<R2Bucket["head"]>) => on(() => BUCKET.head(...given)),
    put: (...given: Parameters<R2Bucket["put"]>) => on(() => BUCKET.put(...given)),
  } as unknown as Partial<R2Bucket>;
  const store = {
    idFromName: (name: string) => USER_DATA.idFromName(name),
    get: (id: DurableObjectId) => ({
      fetch: (request: Request) => on(() => USER_DATA.get(id).fetch(request.clone())),
    }),
  } as unknown as typeof USER_DATA;
  return { bucket, store, calls: () => calls };
}

const cuts: readonly Cut[] = ["before", "behind", "twice"];
interface State {
  readonly etag: string;
  readonly phase: string;
  readonly gen: number;
}

async function stateNow(): Promise<State> {
  const { phase, gen } = (await send("status")).json;
  return { etag: (await stored()).object.etag, phase, gen };
}

/** A migrate claims, and ends what it can: where the object is sealed behind its fence, it serves again. */
async function takenOver(): Promise<State> {
  const { gen } = (await send("status")).json;
  const claimed = (await send("claim", { intent: "migrate", seen: gen })).json;
  if (claimed.phase === "SEALED" && (await stored()).bytes[18] === 255) {
    await BUCKET.put(fileKey(user), fenced(file, 1, claimed.gen));
    await send("activate", { gen: claimed.gen });
  }
  return stateNow();
}

const steps = [0, 1, 2, 3, 4, 5];
const faults = steps.flatMap((at) => cuts.map((cut) => ({ at, cut })));

describe("return", () => {
  it("puts the kept file back in one request, and empties the object", async () => {
    const around = withFault(-1, "before");
    const { status, json } = await send("return", await wanted(), around);
    expect([status, json?.status?.phase, json?.status?.gen]).toEqual([200, "EMPTY", 2]);
    expect(around.calls()).toBe(4); // GET, seal, PUT, release
    await isBack(2);
  });

  it("is the same when it comes again", async () => {
    const body = await wanted();
    await send("return", body);
    const before = await stored();
    expect((await send("return", body)).status).toBe(200);
    expect((await stored()).object.etag).toBe(before.object.etag);
  });

  it("streams what is too large to keep in memory", async () => {
    const large = database("l".repeat(5_000_000));
    kept = fenced(large, 1, 1);
    await BUCKET.put(fileKey(user), kept);
    const { status } = await send("return", await wanted({ source: hashOf("sha256", plainOf(large)) }));
    expect(status).toBe(200);
    expect(hashOf("md5", plainOf((await stored()).bytes))).toBe(hashOf("md5", plainOf(large)));
  });

  it.each([
    ["the file is another version", {}, () => BUCKET.put(fileKey(user), fenced(file, 1, 1)), "file-changed"],
    ["the file has another date", { modified: 5 }, undefined, "file-changed"],
    ["the file is not the migrated one", { source: "0".repeat(64) }, undefined, "file-changed"],
    [
      "another command came between",
      { claim: { intent: "rollback", seen: 0, id: "another-id" } },
      undefined,
      "claim-conflict",
    ],
    [
      "the claim is to migrate",
      { claim: { intent: "migrate", seen: 1, id: "another-id" } },
      undefined,
      "bad-request",
    ],
    ["the claim has no id", { claim: { intent: "rollback", seen: 1 } }, undefined, "bad-request"],
  ])("changes nothing where %s", async (_name, more, before, kind) => {
    const body = await wanted(more);
    await before?.();
    const { etag } = (await stored()).object;
    expect((await send("return", body)).json.error.kind).toBe(kind);
    expect((await stored()).object.etag).toBe(etag);
    expect((await send("status")).json).toMatchObject({ phase: "ACTIVE", gen: 1 });
  });

  it("changes nothing of a file with metadata that S3 would not carry", async () => {
    await BUCKET.put(fileKey(user), kept, { customMetadata: { displayName: "x" } });
    expect((await send("return", await wanted())).json.error).toMatchObject({
      kind: "metadata-names",
      details: { step: "look" },
    });
    await isKept("ACTIVE");
  });

  it("changes nothing of a file that has no fence", async () => {
    const open = stamped(file, 1);
    await BUCKET.put(fileKey(user), open);
    expect((await send("return", await wanted())).json.error.kind).toBe("file-changed");
    expect((await send("status")).json.phase).toBe("ACTIVE");
  });

  it("leaves a user sealed who has written", async () => {
    await write();
    expect((await send("return", await wanted())).json.error).toMatchObject({
      kind: "digest-mismatch",
      details: { step: "compare" },
    });
    await isKept("SEALED");
  });

  it("leaves a user sealed whose rows were changed past the object's code", async () => {
    const { runInDurableObject } = await import("cloudflare:test");
    await runInDurableObject(USER_DATA.getByName(user), (_object, state) => {
      state.storage.sql.exec("UPDATE t SET a = 'altered'");
    });
    expect((await send("return", await wanted())).json.error.kind).toBe("digest-mismatch");
    await isKept("SEALED");
  });

  it.each(some("cuts of a return", faults, 6))(
    "comes through when call $at is cut $cut: sent again, it ends",
    async ({ at, cut }) => {
      const body = await wanted();
      const first = await send("return", body, withFault(at, cut));
      if (first.status !== 200) expect((await send("return", body)).status).toBe(200);
      await isBack(2);
      expect((await send("status")).json).toMatchObject({ phase: "EMPTY", gen: 2 });
    },
  );

  it.each(some("migrates after a cut", faults, 6))(
    "is harmless when a migrate takes over after call $at ($cut)",
    async ({ at, cut }) => {
      const body = await wanted();
      await send("return", body, withFault(at, cut));
      const state = await takenOver();
      await send("return", body); // the message of the dead command lands late
      expect(await stateNow()).toEqual(state);
    },
  );

  it.each(steps)("is harmless when it goes on behind a migrate that took over before call %i", async (at) => {
    const body = await wanted();
    let state: unknown;
    await send(
      "return",
      body,
      bindingsWith(async (run, call) => {
        if (call === at) state = await takenOver();
        return run();
      }),
    );
    if (state !== undefined) expect(await stateNow()).toEqual(state);
  });

  it("two of them at a time end the same way", async () => {
    const body = await wanted();
    await Promise.all([send("return", body), send("return", body), send("return", body)]);
    expect((await send("return", body)).status).toBe(200);
    await isBack(2);
  });

  it("releases nothing where the application has written into the file since", async () => {
    const body = await wanted();
    await send("return", body, withFault(3, "before")); // the release is lost
    await BUCKET.put(fileKey(user), database("saved by the old path"), {
      customMetadata: (await stored()).object.customMetadata ?? {},
    });
    expect((await send("return", body)).json.error.kind).toBe("file-changed");
    expect((await send("status")).json.phase).toBe("SEALED");
  });
});

describe("export", () => {
  it("seals and answers with everything", async () => {
    await write();
    const { status, bytes } = await send("export", await wanted());
    expect(status).toBe(200);
    const view = new DataView(bytes.buffer);
    const length = view.getUint32(4, true);
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(new TextDecoder().decode(bytes.subarray(0, 4))).toBe("DMA1");
    expect(head).toMatchObject({
      claimed: { phase: "SEALED", gen: 2, outcome: "export", writes: 1 },
      digest: { complete: true, gen: 2, digest: { tables: [{ name: "t", rows: 2 }] } },
      schema: { phase: "SEALED", writes: 1 },
    });
    expect(view.getUint32(8 + length, true)).toBe(bytes.length - 12 - length);
    expect(new TextDecoder().decode(bytes.subarray(12 + length, 16 + length))).toBe("DMX1");
    await isKept("SEALED");
  });

  it("is the same when it comes again", async () => {
    const body = await wanted();
    const first = await send("export", body);
    expect(hashOf("md5", (await send("export", body)).bytes)).toBe(hashOf("md5", first.bytes));
  });

  it("seals a user with too many rows, and says so: the single messages go on", async () => {
    await USER_DATA.getByName(user).query({
      statements: [{ sql: "INSERT INTO t SELECT hex(zeroblob(900000)) FROM (VALUES (1), (2))" }],
    });
    expect((await send("export", await wanted())).json.error).toMatchObject({
      kind: "too-large",
      details: { step: "seal" },
    });
    await isKept("SEALED");
  });

  it("changes nothing where the file is another version, or carries what S3 does not", async () => {
    await BUCKET.put(fileKey(user), kept, { customMetadata: { displayName: "x" } });
    const body = await wanted(); // it names the file's second
    expect((await send("export", body)).json.error.kind).toBe("metadata-names");
    kept = fenced(file, 1, 1);
    await BUCKET.put(fileKey(user), kept);
    expect((await send("export", body)).json.error.kind).toBe("file-changed");
    await isKept("ACTIVE");
  });
});

it("the object answers seal and hand-over to a claim to roll back only", async () => {
  for (const route of ["seal", "hand-over"]) {
    const answer = await send(route, { intent: "migrate", seen: 1, id: "some-random-id" });
    expect(answer.json.error.kind).toBe("bad-request");
  }
  await isKept("ACTIVE");
});
