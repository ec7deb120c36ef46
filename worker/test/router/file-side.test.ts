import { beforeEach, describe, expect, it } from "vitest";
import { R2FileSide } from "../../src/router/file-side.ts";
import { PEEK_BYTES } from "../../src/wire/marker.ts";
import { TOMBSTONE_BYTES } from "../../src/wire/limits.ts";
import { bindings, database, fenced, fileKey, newUser, stamped, textsIn, tombstone } from "./fixtures.ts";

const MAX = 1_000_000;
const { BUCKET } = bindings;
let user: string;
let side: R2FileSide;

beforeEach(() => {
  user = newUser();
  side = new R2FileSide(BUCKET, fileKey, MAX);
});

describe("get and save", () => {
  it("creates an absent file only while it is absent", async () => {
    const absent = await side.get(user);
    expect(absent).toMatchObject({ etag: null, mark: { fenced: false, stamp: 0 }, bytes: new Uint8Array(0) });
    expect(await side.save(absent, database("first"))).toBe("saved");
    expect(await side.save(absent, database("second"))).toBe("lost");
    expect(textsIn((await side.get(user)).bytes ?? new Uint8Array(0))).toEqual(["first"]);
  });

  it("saves over exactly what it read", async () => {
    await BUCKET.put(fileKey(user), database("old"));
    const read = await side.get(user);
    await BUCKET.put(fileKey(user), database("newer"));
    expect(await side.save(read, database("mine"))).toBe("lost");
    expect(await side.save(await side.get(user), database("mine"))).toBe("saved");
    expect(textsIn((await side.get(user)).bytes ?? new Uint8Array(0))).toEqual(["mine"]);
  });

  it("does not create what was deleted meanwhile", async () => {
    await BUCKET.put(fileKey(user), database("old"));
    const read = await side.get(user);
    await BUCKET.delete(fileKey(user));
    expect(await side.save(read, database("mine"))).toBe("lost");
    expect(await BUCKET.head(fileKey(user))).toBeNull();
  });

  it("carries metadata along", async () => {
    const customMetadata = { "dbmigrate-stamp": "4", owner: "the application" };
    const httpMetadata = { contentType: "application/vnd.sqlite3", cacheControl: "no-store" };
    await BUCKET.put(fileKey(user), stamped(database("old"), 4), { customMetadata, httpMetadata });
    await side.save(await side.get(user), database("new"));
    expect(await BUCKET.head(fileKey(user))).toMatchObject({ customMetadata, httpMetadata });
  });

  it("believes the bytes, not the metadata", async () => {
    await BUCKET.put(fileKey(user), database("old"), { customMetadata: { "dbmigrate-fence": "1.1" } });
    expect((await side.get(user)).mark).toEqual({ fenced: false, stamp: 0 });
    await BUCKET.put(fileKey(user), fenced(database("old"), 2, 3));
    expect((await side.get(user)).mark).toEqual({ fenced: true, lin: 2, non: 3, split: false, kind: "file" });
  });

  it("tells throttling, which wrote nothing, from errors that may have", async () => {
    const failing = (message: string): R2FileSide =>
      new R2FileSide({ put: () => Promise.reject(new Error(message)) } as unknown as R2Bucket, fileKey, MAX);
    const read = await side.get(user);
    const throttled = failing("put: Reduce your concurrent request rate for the same object. (10058)");
    expect(await throttled.save(read, database("mine"))).toBe("throttled");
    await expect(
      failing("put: We encountered an internal error (10001)").save(read, database("mine")),
    ).rejects.toThrow("10001");
  });
});

describe("large objects", () => {
  it("says that an unfenced one is too large, and how large", async () => {
    await BUCKET.put(fileKey(user), new Uint8Array(MAX + 1));
    await expect(side.get(user)).rejects.toMatchObject({
      kind: "too-large",
      details: { bytes: MAX + 1, maxBytes: MAX },
    });
  });

  it("needs only the mark of a fenced one", async () => {
    const large = new Uint8Array(MAX + 1);
    large.set(fenced(database("one"), 2, 3));
    await BUCKET.put(fileKey(user), large);
    expect(await side.get(user)).toMatchObject({ mark: { fenced: true, lin: 2, non: 3 }, bytes: null });
  });
});

describe("look", () => {
  it.each([
    ["an absent object", null, { fenced: false, stamp: 0 }],
    ["an empty object", new Uint8Array(0), { fenced: false, stamp: 0 }],
    ["a database", database("one"), { fenced: false, stamp: 0 }],
    [
      "a fenced database",
      fenced(database("one"), 2, 3),
      { fenced: true, lin: 2, non: 3, split: false, kind: "file" },
    ],
    ["a tombstone", tombstone(2, 3), { fenced: true, lin: 2, non: 3, split: false, kind: "tombstone" }],
    [
      "a tombstone longer than the first look",
      tombstone(2, 3, 10_000),
      { fenced: true, lin: 2, non: 3, split: false, kind: "tombstone" },
    ],
  ])("reads the mark of %s", async (_name, bytes, mark) => {
    const put = bytes === null ? null : await BUCKET.put(fileKey(user), bytes);
    expect(await side.look(user)).toEqual({ etag: put?.etag ?? null, mark });
  });

  it("has the ETag that get has, and knows an object again by it", async () => {
    await BUCKET.put(fileKey(user), fenced(database("one"), 2, 3));
    const read = await side.get(user);
    expect(await side.look(user, read)).toMatchObject({ etag: read.etag, mark: read.mark });
    await BUCKET.put(fileKey(user), fenced(database("one"), 4, 5));
    const again = await side.look(user, read);
    expect(again.etag).not.toBe(read.etag);
    expect(again.mark).toMatchObject({ lin: 4, non: 5 });
  });
});

// Somebody's object that begins like a tombstone: what it fences is unknown, and no more of it is read than a
// tombstone has.
describe("an object that begins like a tombstone", () => {
  const first = "dbmigrate tombstone 1\n";
  const long = new Uint8Array(MAX + 1);
  long.set(new TextEncoder().encode(first));
  const ranges: unknown[] = [];
  const watched = new Proxy(BUCKET, {
    get: (bucket, name) => {
      const member: unknown = Reflect.get(bucket, name, bucket);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        if (name === "get") ranges.push((args[1] as R2GetOptions | undefined)?.range ?? "all");
        return member.apply(bucket, args) as unknown;
      };
    },
  });

  it.each([
    ["is refused at once", long],
    ["is refused where it could be opened, too", long.subarray(0, TOMBSTONE_BYTES + 1)],
  ])("%s", async (_name, bytes) => {
    await BUCKET.put(fileKey(user), bytes);
    await expect(side.get(user)).rejects.toMatchObject({ kind: "internal" });
    await expect(side.look(user)).rejects.toThrow(`has ${bytes.length}`);
  });

  it("is read up to a bound", async () => {
    await BUCKET.put(fileKey(user), long);
    ranges.length = 0;
    await expect(new R2FileSide(watched, fileKey, MAX).look(user)).rejects.toThrow("begins like a tombstone");
    expect(ranges).toEqual([
      { offset: 0, length: PEEK_BYTES },
      { offset: 0, length: TOMBSTONE_BYTES },
    ]);
  });
});

describe("the note of the bytes that a rollback sent", () => {
  const metadata = async (): Promise<Record<string, string> | undefined> =>
    (await BUCKET.head(fileKey(user)))?.customMetadata;

  it.each([
    ["goes with a save over exactly these", true],
    ["stays over others, for dbmigrate to see", false],
  ])("%s", async (_name, same) => {
    const bytes = stamped(database("a"), 4);
    const etag = (await BUCKET.put(fileKey(user), bytes))?.etag ?? "";
    const note = same ? etag : "0".repeat(32);
    const noted = { owner: "x", "dbmigrate-stamp": "4", "dbmigrate-content": note };
    await BUCKET.put(fileKey(user), bytes, { customMetadata: noted });
    for (const text of ["b", "c"])
      expect(await side.save(await side.get(user), database(text))).toBe("saved");
    const { "dbmigrate-content": _note, ...others } = noted;
    expect(await metadata()).toEqual(same ? others : noted);
  });
});
