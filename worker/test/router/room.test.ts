// Many requests at once in one isolate: never more bytes of files than the budget, in their order, and a
// named refusal after too long a wait.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { routeBetween, type Sides } from "../../src/index.ts";
import { R2FileSide } from "../../src/router/file-side.ts";
import { Room } from "../../src/router/room.ts";
import { bindings, database, fenced, fileKey, newUser, textsIn } from "./fixtures.ts";

const LIMIT = 100;
const soon = (): number => Date.now() + 5000;

describe("the room", () => {
  it("is never overdrawn, and everybody gets a turn in order", async () => {
    const room = new Room();
    const order: number[] = [];
    let peak = 0;
    const sizes = Array.from({ length: 60 }, (_, index) => 1 + ((index * 37) % 120));
    const requests = sizes.map(async (bytes, index) => {
      const release = await room.take({ bytes, limit: LIMIT, deadline: soon() });
      order.push(index);
      peak = Math.max(peak, room.heldBytes);
      await scheduler.wait(1);
      release();
      release();
    });
    await Promise.all(requests);
    expect(peak).toBeLessThanOrEqual(LIMIT);
    expect(order).toEqual(sizes.map((_, index) => index));
    expect([room.heldBytes, room.waiting]).toEqual([0, 0]);
  });

  it("refuses by name after too long a wait, and leaves the queue", async () => {
    const room = new Room();
    const release = await room.take({ bytes: 90, limit: LIMIT, deadline: soon() });
    await expect(room.take({ bytes: 20, limit: LIMIT, deadline: 0 })).rejects.toMatchObject({
      kind: "overloaded",
      details: { bytes: 20, held: 90, limit: LIMIT },
    });
    expect(room.waiting).toBe(0);
    release();
    (await room.take({ bytes: 1000, limit: LIMIT, deadline: 0 }))(); // larger than everything: it goes alone
  });

  describe("by a clock", () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });
    const ALL = { bytes: LIMIT, limit: LIMIT };
    const NEVER = Number.MAX_SAFE_INTEGER;

    /** Somebody who takes room, gives it back after a moment, and notes its name. */
    async function comesAndGoes(room: Room, name: string, order: string[], deadline: number): Promise<void> {
      const release = await room.take({ ...ALL, deadline });
      order.push(name);
      setTimeout(release, 20);
    }

    it("forgets requests that ended without a word within 3 seconds", async () => {
      const room = new Room();
      await room.take({ ...ALL, deadline: NEVER });
      void room.take({ ...ALL, deadline: NEVER });
      vi.clearAllTimers(); // the platform cancelled both
      const next = room.take({ ...ALL, deadline: Date.now() + 3000 });
      await vi.advanceTimersByTimeAsync(3000);
      (await next)();
      expect([room.heldBytes, room.waiting]).toEqual([0, 0]);
    });

    it("keeps the room of a request that takes long", async () => {
      const room = new Room();
      const release = await room.take({ ...ALL, deadline: NEVER });
      const next = expect(room.take({ ...ALL, deadline: Date.now() + 60_000 })).rejects.toMatchObject({
        kind: "overloaded",
      });
      await vi.advanceTimersByTimeAsync(61_000);
      await next;
      release();
      await vi.advanceTimersByTimeAsync(1000);
      expect(room.heldBytes).toBe(0);
    });

    it("takes nobody for ended after a pause of the isolate", async () => {
      const [room, order] = [new Room(), [] as string[]];
      const release = await room.take({ ...ALL, deadline: NEVER });
      const all = ["A", "B", "C"].map((name) => comesAndGoes(room, name, order, Date.now() + 30_000));
      await vi.advanceTimersByTimeAsync(100);
      vi.setSystemTime(Date.now() + 20_000); // no timer ran meanwhile
      await vi.advanceTimersByTimeAsync(100);
      expect([room.heldBytes, room.waiting, order]).toEqual([LIMIT, 3, []]);
      release();
      await vi.advanceTimersByTimeAsync(1000);
      await Promise.all(all);
      expect([order, room.heldBytes, room.waiting]).toEqual([["A", "B", "C"], 0, 0]);
    });

    it("counts a place again that is renewed late", async () => {
      const room = new Room();
      const interval = vi.spyOn(globalThis, "setInterval");
      const renewals: (() => void)[] = [];
      interval.mockImplementationOnce((renew) => renewals.push(renew as () => void) as never);
      const first = await room.take({ ...ALL, deadline: NEVER });
      interval.mockRestore();
      const next = room.take({ ...ALL, deadline: NEVER });
      await vi.advanceTimersByTimeAsync(3000);
      const second = await next;
      renewals[0]?.();
      expect(room.heldBytes).toBe(2 * LIMIT);
      first();
      second();
      expect(room.heldBytes).toBe(0);
    });

    it("puts a turn that asks late back in order of arrival", async () => {
      const [room, order] = [new Room(), [] as string[]];
      const release = await room.take({ ...ALL, deadline: NEVER });
      const timeout = vi.spyOn(globalThis, "setTimeout");
      const asks: (() => void)[] = [];
      timeout.mockImplementationOnce((ask) => asks.push(ask as () => void) as never);
      const first = comesAndGoes(room, "first", order, NEVER);
      timeout.mockRestore();
      const second = comesAndGoes(room, "second", order, NEVER);
      await vi.advanceTimersByTimeAsync(1500);
      expect(room.waiting).toBe(1);
      asks[0]?.();
      await vi.advanceTimersByTimeAsync(100);
      expect(room.waiting).toBe(2);
      release();
      await vi.advanceTimersByTimeAsync(1000);
      await Promise.all([first, second]);
      expect(order).toEqual(["first", "second"]);
    });
  });
});

describe("requests on files", () => {
  // Rows make the file large, so that three copies of it are most of the budget.
  const FILE = database("x".repeat(200_000));
  const ROOM = 4 * FILE.byteLength;

  /** A side that counts the requests that hold a file, between reading its bytes and the end of its save. */
  function counted(room: Room, limit: number, peaks: number[]): Sides {
    let loaded = 0;
    const watched = (object: R2ObjectBody) =>
      new Proxy(object, {
        get(target, property) {
          const value: unknown = Reflect.get(target, property, target);
          if (property === "arrayBuffer") peaks.push(++loaded);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    const bucket = new Proxy(bindings.BUCKET, {
      get(target, property) {
        if (property === "get")
          return async (key: string, options?: R2GetOptions) =>
            options === undefined
              ? watched((await target.get(key)) as R2ObjectBody)
              : target.get(key, options);
        if (property !== "put") return Reflect.get(target, property).bind(target);
        return async (...given: Parameters<R2Bucket["put"]>) => {
          await scheduler.wait(20);
          const saved = await target.put(...given);
          loaded--;
          return saved;
        };
      },
    });
    return {
      flag: { isMigrated: async () => false },
      files: new R2FileSide(bucket as R2Bucket, fileKey, FILE.byteLength * 2, limit, room),
      store: { query: notAsked, thaw: notAsked, live: notAsked },
    };
  }

  const notAsked = () => Promise.reject(new Error("nobody asks the store"));
  const INSERT = { statements: [{ sql: "INSERT INTO t VALUES (?)", params: ["more"] }] };

  it("hold no more than the budget, and all are answered", async () => {
    const [room, peaks] = [new Room(), [] as number[]];
    const router = routeBetween(counted(room, ROOM, peaks), {
      path: "auto",
      deadlineMs: 20_000,
      maxFileBytes: 1e6,
    });
    const users = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const user = newUser();
        await bindings.BUCKET.put(fileKey(user), FILE);
        return user;
      }),
    );
    const answers = await Promise.all(users.map((user) => router.query(user, INSERT)));
    expect(answers.map(({ ok }) => ok)).toEqual(users.map(() => true));
    expect(Math.max(...peaks)).toBe(1); // four files have room, and a write holds three
    expect(peaks).toHaveLength(users.length);
    expect(room.heldBytes).toBe(0);
    const saved = await bindings.BUCKET.get(fileKey(users[0] ?? ""));
    expect(textsIn(new Uint8Array((await saved?.arrayBuffer()) ?? new ArrayBuffer(0))).at(-1)).toBe("more");
  });

  it("are answered overloaded when others hold everything for too long, and write nothing", async () => {
    const room = new Room();
    const router = routeBetween(counted(room, ROOM, []), { path: "auto", deadlineMs: 50, maxFileBytes: 1e6 });
    const user = newUser();
    await bindings.BUCKET.put(fileKey(user), FILE);
    const before = (await bindings.BUCKET.head(fileKey(user)))?.etag;
    const release = await room.take({ bytes: ROOM, limit: ROOM, deadline: soon() });
    expect(await router.query(user, INSERT)).toMatchObject({ ok: false, error: { kind: "overloaded" } });
    expect((await bindings.BUCKET.head(fileKey(user)))?.etag).toBe(before);
    release();
    expect(await router.query(user, INSERT)).toMatchObject({ ok: true, side: "file" });
  });

  describe("on a fenced file, while others hold everything", () => {
    const MIGRATED = { ok: true as const, side: "store" as const, results: [] };
    const REFUSED = (phase: string) => ({
      ok: false as const,
      error: { kind: "not-active" as const, message: "", details: { phase, lin: 3 } },
    });
    const SELECT = { mode: "read" as const, statements: [{ sql: "SELECT count(*) AS n FROM t" }] };

    async function fencedUser(): Promise<string> {
      const user = newUser();
      await bindings.BUCKET.put(fileKey(user), fenced(FILE, 3, 3));
      return user;
    }

    it.each([
      ["a write", INSERT],
      ["a read", SELECT],
    ])("%s is answered by the Durable Object at once", async (_name, request) => {
      const [room, peaks] = [new Room(), [] as number[]];
      const store = { query: async () => MIGRATED, thaw: notAsked, live: notAsked };
      const sides = { ...counted(room, ROOM, peaks), store };
      const router = routeBetween(sides, { path: "auto", deadlineMs: 60_000, maxFileBytes: 1e6 });
      await room.take({ bytes: ROOM, limit: ROOM, deadline: soon() });
      expect(await router.query(await fencedUser(), request)).toEqual(MIGRATED);
      expect([peaks, room.waiting]).toEqual([[], 0]);
    });

    it("a read that needs the copy waits for room, and is answered from it", async () => {
      const room = new Room();
      const release = await room.take({ bytes: ROOM, limit: ROOM, deadline: soon() });
      let asked = 0;
      const query = async () => {
        if (++asked === 1) setTimeout(release, 20);
        return REFUSED("READY");
      };
      const sides = { ...counted(room, ROOM, []), store: { query, thaw: notAsked, live: notAsked } };
      const router = routeBetween(sides as Sides, { path: "auto", deadlineMs: 20_000, maxFileBytes: 1e6 });
      expect(await router.query(await fencedUser(), SELECT)).toMatchObject({ ok: true, side: "file" });
      expect([asked, room.heldBytes]).toEqual([2, 0]);
    });
  });
});
