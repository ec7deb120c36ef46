import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRouter, handleAdmin, routeBetween, type Router } from "../../src/index.ts";
import { LONGEST_HOLD_MS, Saves, announceFence } from "../../src/router/announced.ts";
import { R2FileSide } from "../../src/router/file-side.ts";
import { beginSave, holdSaves } from "../../src/router/holds.ts";
import { DEFAULT_LOADED_BYTES, isolateRoom } from "../../src/router/room.ts";
import { DurableStoreSide } from "../../src/router/store-side.ts";
import {
  bindings,
  database,
  fenced,
  fileKey,
  newUser,
  stamped,
  textsIn,
  tombstone,
} from "../router/fixtures.ts";

const { BUCKET } = bindings;
const file = database("a", "b".repeat(300_000));
let user: string;

beforeEach(() => {
  user = newUser();
});

afterEach(() => {
  vi.useRealTimers();
});

/** The clock of what follows: it stands still, and goes on by so much when called. */
function ownClock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ["Date"] });
  return (ms) => void vi.setSystemTime(Date.now() + ms);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const md5Of = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
const metadata = { "dbmigrate-fence": "3.3" };

interface Around {
  readonly bucket?: Partial<R2Bucket>;
  /** The object's last claim. */
  readonly gen?: () => number | Promise<number>;
}

async function fence(body: unknown, { bucket = BUCKET, gen = () => 3 }: Around = {}): Promise<unknown> {
  const store = {
    idFromName: (name: string) => name,
    get: () => ({ fetch: async () => Response.json({ gen: await gen() }) }),
  } as unknown as typeof bindings.USER_DATA;
  const request = new Request(`https://worker.test/_dbmigrate/v1/users/${user}/fence`, {
    method: "POST",
    headers: { authorization: "Bearer token-of-the-operator", "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const response = await handleAdmin(request, {
    env: { DBMIGRATE_TOKEN: "token-of-the-operator" },
    store,
    bucket: bucket as R2Bucket,
  });
  const answer = await response?.json<{ error?: { kind: string } }>();
  return answer?.error?.kind ?? answer;
}

async function stored(): Promise<Uint8Array> {
  const object = await BUCKET.get(fileKey(user));
  return new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0));
}

/** Bytes 86 to 91 of a mark are random. */
const withoutSalt = (bytes: Uint8Array): string =>
  md5Of(bytes.map((byte, at) => (at >= 86 && at < 92 ? 0 : byte)));

/** A bucket in which somebody else writes before each of so many PUTs. */
function busy(times: number): Partial<R2Bucket> {
  return {
    get: BUCKET.get.bind(BUCKET),
    put: async (...given: Parameters<R2Bucket["put"]>) => {
      if (times-- > 0) await BUCKET.put(fileKey(user), database(`write ${times}`));
      return BUCKET.put(...given);
    },
  } as unknown as Partial<R2Bucket>;
}

it.each([
  ["a plain file", file, "DMF1"],
  ["a stamped one", stamped(file, 2), "DMF1"],
  ["for split mode", file, "DMS1"],
])("fences the file as it is: %s", async (_name, before, magic) => {
  const httpMetadata = { contentType: "application/vnd.sqlite3", cacheControl: "no-store" };
  await BUCKET.put(fileKey(user), before, {
    httpMetadata,
    customMetadata: { owner: "the application", "dbmigrate-stamp": "2" },
  });
  const answer = await fence({ gen: 3, split: magic === "DMS1", metadata });
  const after = await stored();
  expect(answer).toEqual({ etag: md5Of(after), source: md5Of(before) });
  expect(withoutSalt(after)).toBe(withoutSalt(fenced(before, 3, 3, magic)));
  const object = await BUCKET.head(fileKey(user));
  expect(object?.customMetadata).toEqual({ owner: "the application", ...metadata });
  expect(object?.httpMetadata).toMatchObject(httpMetadata);
});

it("keeps the versions that an older fence remembers", async () => {
  await BUCKET.put(fileKey(user), fenced(file, 2, 2));
  await fence({ gen: 3, metadata });
  expect(withoutSalt(await stored())).toBe(withoutSalt(fenced(file, 3, 3)));
});

it("goes on while others are faster", async () => {
  await BUCKET.put(fileKey(user), file);
  expect(await fence({ gen: 3, metadata }, { bucket: busy(25) })).toMatchObject({
    source: md5Of(database("write 0")),
  });
});

it("wins the first time against routers of its isolate that never pause", async () => {
  await BUCKET.put(fileKey(user), database("first"));
  const router = createRouter({
    bucket: BUCKET,
    flags: bindings.FLAGS,
    store: bindings.USER_DATA,
    deadlineMs: 1,
  });
  let done = false;
  let acknowledged = 0;
  const writer = async (): Promise<void> => {
    while (!done) {
      const answer = await router.query(user, { statements: [{ sql: "INSERT INTO t VALUES ('w')" }] });
      if (answer.ok) acknowledged += 1;
      await pause(1); // for the test's own timers
    }
  };
  const writers = Promise.all([writer(), writer(), writer()]);
  let puts = 0;
  const bucket = {
    get: BUCKET.get.bind(BUCKET),
    put: async (...given: Parameters<R2Bucket["put"]>) => {
      puts += 1;
      return BUCKET.put(...given);
    },
  } as unknown as Partial<R2Bucket>;
  while (acknowledged < 3) await pause(10);
  // Far longer than a writer needs.
  const gen = async (): Promise<number> => (await pause(100), 3);
  const answer = await fence({ gen: 3, metadata }, { bucket, gen });
  const after = await stored();
  done = true;
  await writers;
  expect(answer).toMatchObject({ etag: md5Of(after) });
  expect(puts).toBe(1);
  expect(textsIn(after).length).toBe(acknowledged + 1);
});

/** A router as it would be in an isolate of its own: what this one knows of saves and fences, it does not. */
function otherIsolate(): Router {
  const sides = {
    flag: { isMigrated: async () => false },
    files: new R2FileSide(BUCKET, fileKey, 1_000_000, undefined, undefined, new Saves()),
    store: new DurableStoreSide(bindings.USER_DATA, undefined),
  };
  return routeBetween(sides, { path: "auto", deadlineMs: 5000, maxFileBytes: 1_000_000 });
}

it(
  "wins against routers of other isolates that never pause, and lets them go on",
  { timeout: 60_000 },
  async () => {
    await BUCKET.put(fileKey(user), database("first"));
    let done = false;
    let refused = 0;
    const acknowledged: string[] = [];
    const writer = async (router: Router, name: number): Promise<void> => {
      for (let n = 0; !done; n++) {
        const text = `${name}-${n}`;
        const insert = { sql: "INSERT INTO t VALUES (?)", params: [text] };
        const answer = await router.query(user, { statements: [insert] });
        if (answer.ok) acknowledged.push(text);
        else if (!done) refused += 1;
        await pause(1);
      }
    };
    const writers = Promise.all([0, 1, 2].map((name) => writer(otherIsolate(), name)));
    while (acknowledged.length < 9) await pause(10);
    // An object that is asked so long leaves no gap between two writes.
    const gen = async (): Promise<number> => (await pause(100), 3);
    const answer = await fence({ gen: 3, metadata }, { gen });
    const after = await stored();
    expect(answer).toMatchObject({ etag: md5Of(after) });
    done = true;
    await BUCKET.put(fileKey(user), database("unfenced")); // those who wait for the cutover need not
    await writers;
    expect(refused).toBe(0);
    expect(textsIn(after)).toEqual(
      expect.arrayContaining(acknowledged.filter((text) => textsIn(after).includes(text))),
    );
    expect(await BUCKET.head(`.dbmigrate/fencing/${fileKey(user)}`)).toBeNull();
  },
);

describe("an announced fence", () => {
  it("is seen by who saves the file again, and ends by itself", async () => {
    const goOn = ownClock();
    const saves = new Saves();
    const save = async (): Promise<boolean> => {
      const end = await saves.begin(BUCKET, fileKey(user));
      end?.();
      return end !== undefined;
    };
    expect(await save()).toBe(true);
    await announceFence(BUCKET, fileKey(user), 3000);
    expect(await save()).toBe(true); // not looked for at each save
    goOn(1001);
    expect(await save()).toBe(false);
    goOn(3001);
    expect(await save()).toBe(true);
  });

  it("is looked for soon after a lost race", async () => {
    const goOn = ownClock();
    const saves = new Saves();
    await announceFence(BUCKET, fileKey(user), 3000);
    saves.lost(fileKey(user));
    goOn(251);
    expect(await saves.begin(BUCKET, fileKey(user))).toBeUndefined();
  });

  it("costs nothing where a file is saved now and then, and a bucket that fails holds nobody", async () => {
    const goOn = ownClock();
    const head = vi.fn(() => Promise.reject(new Error("R2 is down")));
    const saves = new Saves();
    const bucket = { head } as unknown as R2Bucket;
    for (let n = 0; n < 5; n++) {
      expect(await saves.begin(bucket, fileKey(user))).toBeTypeOf("function");
      goOn(5001);
    }
    expect(head).toHaveBeenCalledTimes(0);
    saves.lost(fileKey(user));
    for (let n = 0; n < 5; n++) {
      goOn(300);
      expect(await saves.begin(bucket, fileKey(user))).toBeTypeOf("function");
    }
    expect(head).toHaveBeenCalledTimes(1);
  });

  it.each([
    ["forever", "1e99"],
    ["no number", "soon"],
  ])("never holds longer than it may: %s", async (_name, ms) => {
    const goOn = ownClock();
    const saves = new Saves();
    await announceFence(BUCKET, fileKey(user), ms as unknown as number);
    saves.lost(fileKey(user));
    goOn(300);
    await saves.begin(BUCKET, fileKey(user));
    goOn(LONGEST_HOLD_MS);
    expect(await saves.begin(BUCKET, fileKey(user))).toBeTypeOf("function");
  });
});

it.each([
  ["wins every attempt", () => undefined],
  ["keeps R2 busy", () => Promise.reject(new Error("put: Reduce your concurrent request rate (10058)"))],
])("lets saves of its isolate in while another isolate %s", async (_name, put) => {
  const goOn = ownClock();
  await BUCKET.put(fileKey(user), file);
  let held = 0;
  let turns = 0;
  const gen = async (): Promise<number> => {
    const end = beginSave(fileKey(user));
    if (end === undefined) held += 1;
    else turns += 1;
    end?.();
    goOn(1000); // the length of an attempt
    await BUCKET.put(fileKey(user), database(`write ${held + turns}`));
    return 3;
  };
  const bucket = {
    get: BUCKET.get.bind(BUCKET),
    put: async (...given: Parameters<R2Bucket["put"]>) => (await put()) ?? BUCKET.put(...given),
  } as unknown as Partial<R2Bucket>;
  expect(await fence({ gen: 3, metadata }, { bucket, gen })).toBe("file-changed");
  expect({ held, turns }).toEqual({ held: 8, turns: 12 }); // seconds
  expect(md5Of(await stored())).toBe(md5Of(database("write 20")));
});

it("holds for as long after the saves that had begun as without any", async () => {
  const goOn = ownClock();
  const end = beginSave(fileKey(user));
  const hold = holdSaves(fileKey(user));
  goOn(1900);
  await pause(20);
  end?.();
  const release = await hold;
  goOn(1900);
  expect(beginSave(fileKey(user))).toBeUndefined();
  release();
  expect(beginSave(fileKey(user))).toBeTypeOf("function");
});

it("waits for no save that was cut off", async () => {
  await BUCKET.put(fileKey(user), file);
  expect(beginSave(fileKey(user))).toBeTypeOf("function"); // and never ends
  expect(await fence({ gen: 3, metadata })).toMatchObject({ source: md5Of(file) });
  expect(beginSave(fileKey(user))).toBeTypeOf("function"); // the hold is over
});

describe("memory", () => {
  const PATIENCE = { timeout: 30_000 };
  const takeAll = (): Promise<() => void> =>
    isolateRoom.take({ bytes: DEFAULT_LOADED_BYTES, limit: DEFAULT_LOADED_BYTES, deadline: Date.now() });

  /** The bucket, which tells what is read in full and what is put. */
  function watched(read: () => void, put: (key: string) => void = () => undefined): Partial<R2Bucket> {
    return {
      get: async (key: string) => {
        const object = await BUCKET.get(key);
        if (object === null) return null;
        const whole = object.arrayBuffer.bind(object);
        return Object.assign(object, { arrayBuffer: () => (read(), whole()) });
      },
      put: (...given: Parameters<R2Bucket["put"]>) => (put(given[0]), BUCKET.put(...given)),
      delete: BUCKET.delete.bind(BUCKET),
    } as unknown as Partial<R2Bucket>;
  }

  it("of an isolate that has none left: nothing is read, and nothing is done", async () => {
    await BUCKET.put(fileKey(user), file);
    const read = vi.fn();
    const release = await takeAll();
    const refused = await fence({ gen: 3, metadata }, { bucket: watched(read) });
    release();
    expect([refused, read.mock.calls.length]).toEqual(["overloaded", 0]);
    expect(md5Of(await stored())).toBe(md5Of(file));
    const answer = await fence({ gen: 3, metadata }, { bucket: watched(read) });
    expect(answer).toMatchObject({ source: md5Of(file) });
    expect([read.mock.calls.length, isolateRoom.heldBytes]).toEqual([1, 0]);
  });

  it("is waited for while saves go on", async () => {
    ownClock(); // the wait does not run out
    await BUCKET.put(fileKey(user), file);
    const release = await takeAll();
    const answer = fence({ gen: 3, metadata });
    await vi.waitFor(() => expect(isolateRoom.waiting).toBe(1), PATIENCE);
    const end = beginSave(fileKey(user));
    end?.();
    release();
    expect(await answer).toMatchObject({ source: md5Of(file) });
    expect(end).toBeTypeOf("function");
  });

  it("is given back between two attempts, and taken before the next one is announced", async () => {
    await BUCKET.put(fileKey(user), file);
    const held: [what: string, bytes: number][] = [];
    const note = (what: string): void => void held.push([what, isolateRoom.heldBytes]);
    let tries = 0;
    const gen = async (): Promise<number> => {
      note("asked");
      if (tries++ === 0) await BUCKET.put(fileKey(user), stamped(file, 2));
      return 3;
    };
    const bucket = watched(
      () => note("read"),
      (key) => note(key === fileKey(user) ? "put" : "announced"),
    );
    expect(await fence({ gen: 3, metadata }, { bucket, gen })).toHaveProperty("etag");
    const [first, grown] = [2 * file.length, 2 * (file.length + 1024 * 1024)]; // the file may have grown
    expect(held).toEqual([
      ["read", first],
      ["asked", first],
      ["put", first],
      ["announced", grown],
      ["read", grown],
      ["asked", grown],
      ["put", grown],
    ]);
    expect(isolateRoom.heldBytes).toBe(0);
  });
});

describe("changes nothing", () => {
  it.each([
    ["under a newer fence", fenced(file, 4, 4), "stale-claim"],
    ["under a newer stamp", stamped(file, 4), "stale-claim"],
    ["over a tombstone", tombstone(2, 2, 200), "file-changed"],
    ["in what is no database", new Uint8Array(200), "file-changed"],
    ["in what is too short for one", file.slice(0, 99), "file-changed"],
  ])("%s", async (_name, before, kind) => {
    await BUCKET.put(fileKey(user), before);
    expect(await fence({ gen: 3, metadata })).toBe(kind);
    expect(md5Of(await stored())).toBe(md5Of(before));
  });

  it("where there is no file", async () => {
    expect(await fence({ gen: 3, metadata })).toBe("file-changed");
    expect(await BUCKET.head(fileKey(user))).toBeNull();
  });

  it("when the object knows a newer claim, though the file's stamp went with a VACUUM", async () => {
    await BUCKET.put(fileKey(user), file);
    expect(await fence({ gen: 3, metadata }, { gen: () => 4 })).toBe("stale-claim");
    expect(md5Of(await stored())).toBe(md5Of(file));
  });

  it("when a newer command has come and gone since the object was asked", async () => {
    await BUCKET.put(fileKey(user), file);
    let asked = 0;
    const gen = async (): Promise<number> => {
      if (asked++ > 0) return 4;
      await BUCKET.put(fileKey(user), stamped(file, 4));
      return 3;
    };
    expect(await fence({ gen: 3, metadata }, { gen })).toBe("stale-claim");
    expect((await stored()).subarray(72, 76)).toEqual(new TextEncoder().encode("DMU1"));
  });

  it.each([
    ["no claim", {}],
    ["claim 0", { gen: 0 }],
    ["a claim that is no u32", { gen: 2 ** 32 }],
    ["a split that is no boolean", { gen: 3, split: 1 }],
    ["somebody else's metadata", { gen: 3, metadata: { owner: "x" } }],
  ])("on a bad request: %s", async (_name, body) => {
    await BUCKET.put(fileKey(user), file);
    expect(await fence({ metadata, ...body })).toBe("bad-request");
    expect(md5Of(await stored())).toBe(md5Of(file));
  });
});
