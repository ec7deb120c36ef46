// The composite requests, with bindings that fail at each of their calls in each way: the same request again
// ends what was begun, and what arrives late changes nothing.
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import forth from "../../../pkg/wire/testdata/vectors/forth.json";
import { parseSwitch } from "../../src/admin/composites/switch.ts";
import { WireError } from "../../src/wire/errors.ts";
import { type AdminConfig, handleAdmin } from "../../src/index.ts";
import { bindings, database, fenced, fileKey, newUser, stamped } from "../router/fixtures.ts";
import { DEFAULT_LOADED_BYTES, isolateRoom } from "../../src/router/room.ts";
import { batch, bytes, jFrame } from "../store/encode.ts";
import { Disturbed, type Fate, fates } from "./disturbed.ts";

const { BUCKET } = bindings;
const healthy = { bucket: BUCKET, store: bindings.USER_DATA };
const token = "token-of-the-operator-now";
const file = database("a", "b");

interface Answer {
  readonly status: number;
  // Tests look into whatever came.
  // eslint-disable-next-line
  readonly json: any;
}

type Config = Pick<AdminConfig, "bucket" | "store">;

async function send(
  user: string,
  route: string,
  body: Uint8Array | object | undefined,
  config: Config = healthy,
): Promise<Answer> {
  const binary = body instanceof Uint8Array;
  const type = binary ? "application/octet-stream" : "application/json";
  const request = new Request(`https://worker.test/_dbmigrate/v1/users/${user}/${route}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { "content-type": type }) },
    ...(body !== undefined && { body: binary ? body : JSON.stringify(body) }),
  });
  const response = await handleAdmin(request, { env: { DBMIGRATE_TOKEN: token }, ...config });
  if (response === null) throw new Error("no admin route");
  return { status: response.status, json: await response.json() };
}

const md5Of = (content: Uint8Array): string => createHash("md5").update(content).digest("hex");

const schema = {
  header: {
    pageSize: 4096,
    encoding: "UTF-8",
    userVersion: 0,
    applicationId: 0,
    autoVacuum: 0,
    writeVersion: 1,
    readVersion: 1,
    internal: [],
  },
  objects: [{ type: "table", name: "t", table: "t", sql: "CREATE TABLE t(a)" }],
  virtual: [],
};

const rows = batch(
  jFrame(
    "t",
    ["rowid", "a"],
    [
      [1n, "a"],
      [2n, "b"],
    ],
    0,
  ),
);

function importBody(etag: string, seen = 0, id = "a-claim-of-this-test", content = rows): Uint8Array {
  const header = bytes(JSON.stringify({ claim: { intent: "migrate", seen, id }, etag, schema }));
  const size = new Uint8Array(new Uint32Array([header.length]).buffer);
  return Uint8Array.from([...bytes("DMI1", size), ...header, ...content]);
}

/** A user with a file, and what an operator sends to move that user. */
class Mover {
  readonly user = newUser();
  readonly marked = fenced(file, 1, 1);

  async begin(): Promise<this> {
    await BUCKET.put(fileKey(this.user), file);
    return this;
  }

  import(config?: Config): Promise<Answer> {
    return send(this.user, "import", importBody(md5Of(file)), config);
  }

  async switchBody(digest: object): Promise<object> {
    const object = await BUCKET.head(fileKey(this.user));
    return {
      gen: 1,
      digest,
      receipt: { user: this.user, claim: 1, fencedEtag: `"${md5Of(this.marked)}"` },
      mark: {
        etag: md5Of(file),
        modified: Math.floor((object?.uploaded.getTime() ?? 0) / 1000),
        head: Buffer.from(this.marked.subarray(0, 100)).toString("base64"),
        md5: md5Of(this.marked),
        metadata: { "dbmigrate-fence": "1.1" },
      },
    };
  }

  async status(): Promise<{ phase: string; gen: number }> {
    const { json } = await send(this.user, "status", undefined);
    return { phase: json.phase, gen: json.gen };
  }

  async etag(): Promise<string | undefined> {
    return (await BUCKET.head(fileKey(this.user)))?.etag;
  }
}

/** Runs `test` for each call that a composite makes, until it makes no more. */
async function forEachCall(fate: Fate, test: (bindings: Disturbed) => Promise<void>): Promise<string[]> {
  const met: string[] = [];
  for (let at = 0; ; at++) {
    const disturbed = new Disturbed(at, fate);
    await test(disturbed);
    if (disturbed.met === undefined) return met;
    met.push(disturbed.met.replace(/ [^ ]*database\.sqlite$/, " file").replace(/ \.dbmigrate.*/, " receipt"));
  }
}

const importCalls = ["fetch claim", "head file", "fetch fill"];
const switchCalls = ["get file", "put file", "fetch open"];
const endOfSwitch = ["head file", "put receipt"];

describe("import", () => {
  it("claims, fills and digests in one request, and finds it done when it is repeated", async () => {
    const mover = await new Mover().begin();
    const first = await mover.import();
    expect(first.status).toBe(200);
    expect(first.json.claimed).toMatchObject({ outcome: "import", phase: "IMPORTING", gen: 1, lin: 1 });
    expect(first.json.finish).toEqual({ done: true, remaining: 0 });
    expect(first.json.digest).toMatchObject({ complete: true, gen: 1 });
    expect(first.json.digest.digest.tables).toMatchObject([
      { name: "t", rows: 2, census: { rows: 2, text: 2 } },
    ]);
    const second = await mover.import();
    expect(second.json.digest.digest).toEqual(first.json.digest.digest);
    expect(await mover.status()).toEqual({ phase: "IMPORTING", gen: 1 });
  });

  it("claims nothing while the users' files have all the memory, and gives back its own", async () => {
    const mover = await new Mover().begin();
    const all = { bytes: DEFAULT_LOADED_BYTES, limit: DEFAULT_LOADED_BYTES };
    const release = await isolateRoom.take({ ...all, deadline: Date.now() });
    const refused = await mover.import();
    const back = await send(mover.user, "export", {});
    release();
    for (const { status, json } of [refused, back])
      expect([status, json.error.kind, json.error.details.step]).toEqual([503, "overloaded", "room"]);
    expect(await mover.status()).toEqual({ phase: "EMPTY", gen: 0 });
    await send(mover.user, "import", bytes("no import"));
    expect((await mover.import()).status).toBe(200);
    expect(isolateRoom.heldBytes).toBe(0);
  });

  it("takes a file without rows", async () => {
    const mover = await new Mover().begin();
    const { status, json } = await send(
      mover.user,
      "import",
      importBody(md5Of(file), 0, "a-claim-without-rows", new Uint8Array(0)),
    );
    expect(status).toBe(200);
    expect(json.digest).toMatchObject({ complete: true, digest: { tables: [{ name: "t", rows: 0 }] } });
  });

  it("stops behind its claim when the file is another one", async () => {
    const mover = await new Mover().begin();
    await BUCKET.put(fileKey(mover.user), database("c"));
    const { status, json } = await mover.import();
    expect([status, json.error.kind, json.error.details.step]).toEqual([412, "file-changed", "look"]);
    expect(await mover.status()).toEqual({ phase: "IMPORTING", gen: 1 });
    const { json: after } = await send(mover.user, "status", undefined);
    expect(after.batches.applied).toEqual([]);
  });

  it("stops at a claim that finds something else, and at one that is refused", async () => {
    const mover = await new Mover().begin();
    const { json } = await mover.import();
    await send(mover.user, "switch", await mover.switchBody(json.digest.digest));
    const there = await send(mover.user, "import", importBody(md5Of(file), 1, "another-claim-of-it"));
    expect(there.json).toEqual({ claimed: expect.objectContaining({ outcome: "active", gen: 2 }) });
    const late = await send(mover.user, "import", importBody(md5Of(file), 1, "a-claim-that-is-late"));
    expect([late.status, late.json.error.kind, late.json.error.details.step]).toEqual([
      409,
      "claim-conflict",
      "claim",
    ]);
  });

  it.each([
    ["other bytes", bytes("DMR1")],
    ["no id", Uint8Array.from([...bytes("DMI1"), 2, 0, 0, 0, ...bytes("{}")])],
    ["half a header", Uint8Array.from([...bytes("DMI1"), 9, 0, 0, 0, ...bytes("{}")])],
  ])("refuses %s before it claims", async (_, body) => {
    const mover = await new Mover().begin();
    expect((await send(mover.user, "import", body)).json.error.kind).toMatch(/^bad-(batch|request)$/);
    expect(await mover.status()).toEqual({ phase: "EMPTY", gen: 0 });
  });

  it.each(fates)("ends, repeated, wherever a call was %s", async (fate) => {
    const met = await forEachCall(fate, async (disturbed) => {
      const mover = await new Mover().begin();
      const first = await mover.import(disturbed.of(healthy));
      if (first.status !== 200)
        expect(first.json.error).toMatchObject({ kind: "internal", details: { step: /./ } });
      const again = await mover.import();
      expect(again.json.digest).toMatchObject({ complete: true, gen: 1 });
      await disturbed.arrive();
      expect(await mover.status()).toEqual({ phase: "IMPORTING", gen: 1 });
      const { status } = await send(mover.user, "switch", await mover.switchBody(again.json.digest.digest));
      expect(status).toBe(200);
    });
    expect(met).toEqual(importCalls);
  });

  it.each(fates)("changes nothing of a newer claim's, however late a call that was %s", async (fate) => {
    await forEachCall(fate, async (disturbed) => {
      const mover = await new Mover().begin();
      await mover.import(disturbed.of(healthy));
      const { gen } = await mover.status();
      await send(mover.user, "claim", { intent: "rollback", seen: gen, id: "the-claim-that-is-newer" });
      await disturbed.arrive();
      expect(await mover.status()).toEqual({ phase: "EMPTY", gen: gen + 1 });
      expect((await mover.import()).json.error?.kind).toBe("claim-conflict");
    });
  });
});

describe("switch", () => {
  async function imported(): Promise<{ mover: Mover; body: object }> {
    const mover = await new Mover().begin();
    const { json } = await mover.import();
    return { mover, body: await mover.switchBody(json.digest.digest) };
  }

  it("fences, opens and keeps the receipt in one request, and finds it done when it is repeated", async () => {
    const { mover, body } = await imported();
    for (let turn = 0; turn < 2; turn++) {
      const { status, json } = await send(mover.user, "switch", body);
      expect(status).toBe(200);
      expect(json).toMatchObject({ status: { phase: "ACTIVE", gen: 1, lin: 1 }, receiptKept: true });
      expect(json.file).toEqual({ etag: md5Of(mover.marked) });
      expect(await mover.etag()).toBe(md5Of(mover.marked));
    }
    const kept = await BUCKET.get(`.dbmigrate/receipts/${mover.user}/1.json`);
    expect(await kept?.json()).toMatchObject({ user: mover.user, claim: 1 });
  });

  it("fences nothing when the file is another one", async () => {
    const { mover, body } = await imported();
    await BUCKET.put(fileKey(mover.user), database("c"));
    const { status, json } = await send(mover.user, "switch", body);
    expect([status, json.error.kind, json.error.details.step]).toEqual([412, "file-changed", "mark"]);
    expect(await mover.etag()).toBe(md5Of(database("c")));
    expect(await mover.status()).toEqual({ phase: "IMPORTING", gen: 1 });
  });

  it("does not take another command's fence for its own", async () => {
    const { mover, body } = await imported();
    await BUCKET.put(fileKey(mover.user), fenced(file, 1, 1)); // the same marks, and other random bytes
    expect((await send(mover.user, "switch", body)).json.error.kind).toBe("file-changed");
    expect(await mover.status()).toEqual({ phase: "IMPORTING", gen: 1 });
  });

  it("does not open what holds something else", async () => {
    const { mover, body } = await imported();
    const digest = { database: "0".repeat(64), schema: "0".repeat(64), tables: [] };
    const { json } = await send(mover.user, "switch", { ...body, digest });
    expect([json.error.kind, json.error.details.step]).toEqual(["digest-mismatch", "open"]);
    expect(await mover.status()).toEqual({ phase: "IMPORTING", gen: 1 });
  });

  it.each(forth.switches as { name: string; json: string; expect: { error?: string } }[])(
    "reads as forth.json says: $name",
    ({ json, expect: { error = "accepted" } }) => {
      const read = () => {
        try {
          parseSwitch(JSON.parse(json));
          return "accepted";
        } catch (thrown) {
          return thrown instanceof WireError ? thrown.kind : String(thrown);
        }
      };
      expect(read()).toBe(error);
    },
  );

  it("refuses what is malformed before it fences", async () => {
    const { mover, body } = await imported();
    for (const change of [{ digest: {} }, { receipt: null }, { gen: "1" }, { mark: {} }])
      expect((await send(mover.user, "switch", { ...body, ...change })).json.error.kind).toBe("bad-request");
    expect(await mover.etag()).toBe(md5Of(file));
  });

  it.each(fates)("ends, repeated, wherever a call was %s", async (fate) => {
    const met = await forEachCall(fate, async (disturbed) => {
      const { mover, body } = await imported();
      await send(mover.user, "switch", body, disturbed.of(healthy));
      const again = await send(mover.user, "switch", body);
      expect(again.json).toMatchObject({ status: { phase: "ACTIVE", gen: 1 }, receiptKept: true });
      await disturbed.arrive();
      expect(await mover.status()).toEqual({ phase: "ACTIVE", gen: 1 });
      expect(await mover.etag()).toBe(md5Of(mover.marked));
    });
    expect(met.slice(0, 3)).toEqual(switchCalls);
    expect(met.slice(3).sort()).toEqual(endOfSwitch);
  });

  it.each(fates)("opens nothing behind a newer claim, however late a call that was %s", async (fate) => {
    await forEachCall(fate, async (disturbed) => {
      const { mover, body } = await imported();
      await send(mover.user, "switch", body, disturbed.of(healthy));
      await send(mover.user, "claim", { intent: "rollback", seen: 1, id: "the-claim-that-is-newer" });
      const lifted = stamped(file, 2);
      await BUCKET.put(fileKey(mover.user), lifted);
      await disturbed.arrive();
      const { status, json } = await send(mover.user, "switch", body);
      expect([status, json.error.kind]).toEqual([412, "file-changed"]);
      const { phase, gen } = await mover.status();
      expect([gen, phase === "ACTIVE"]).toEqual([2, false]);
      expect(await mover.etag()).toBe(md5Of(lifted));
    });
  });
});

it("is not offered without a bucket", async () => {
  const config = { store: bindings.USER_DATA };
  expect((await send(newUser(), "import", importBody(md5Of(file)), config)).json.error.kind).toBe(
    "not-found",
  );
  const request = new Request("https://worker.test/_dbmigrate/v1/hello", {
    headers: { authorization: `Bearer ${token}` },
  });
  const offered = async (given: Config) => {
    const response = await handleAdmin(request, { env: { DBMIGRATE_TOKEN: token }, ...given });
    return (await response?.json<{ composites: string[] }>())?.composites;
  };
  expect(await offered(config)).toEqual([]);
  expect(await offered(healthy)).toEqual(expect.arrayContaining(["import", "switch"]));
});
