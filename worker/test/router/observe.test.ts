// What an observer is told: each request with what it cost, and users with a large file.
import { parts } from "../../service/mounted.ts";
import { describe, expect, it, vi } from "vitest";
import {
  createRouter,
  dataPoints,
  jsonLines,
  type Observer,
  type QueryRequest,
  type RequestEvent,
  type RouterEvent,
} from "../../src/index.ts";
import { LargeFiles } from "../../src/router/large-files.ts";
import type { RouterConfig } from "../../src/router/router.ts";
import { bindings, database, fenced, fileKey, newUser } from "./fixtures.ts";
import { bringTo } from "./store-driver.ts";

const READ: QueryRequest = { statements: [{ sql: "SELECT a FROM t" }], mode: "read" };
const WRITE: QueryRequest = { statements: [{ sql: "INSERT INTO t VALUES (1)" }], mode: "write" };

async function eventsOf(
  user: string,
  request: QueryRequest,
  config: Partial<RouterConfig> = {},
): Promise<RouterEvent[]> {
  const events: RouterEvent[] = [];
  const { BUCKET: bucket, FLAGS: flags, USER_DATA: store } = bindings;
  const router = createRouter({
    ...parts,
    bucket,
    flags,
    store,
    observe: (event) => events.push(event),
    ...config,
  });
  await router.query(user, request);
  return events;
}

async function requestOf(...asked: Parameters<typeof eventsOf>): Promise<RequestEvent> {
  const [event] = (await eventsOf(...asked)).filter((event) => event.kind === "request");
  if (event === undefined) throw new Error("nothing was told");
  return event;
}

describe("a request", () => {
  it("from the file: bytes, one hop", async () => {
    const [user, file] = [newUser(), database("x")];
    await bindings.BUCKET.put(fileKey(user), file);
    for (const request of [READ, WRITE]) {
      const event = await requestOf(user, request);
      const { durationMs, ...rest } = event;
      expect(rest).toEqual({
        kind: "request",
        user,
        mode: request.mode,
        scope: "hot",
        side: "file",
        error: null,
        hops: 1,
        retries: 0,
        bytesLoaded: file.byteLength,
        waitMs: 0,
      });
      expect(durationMs).toBeGreaterThanOrEqual(0);
    }
  });

  it("from the object without its flag: the file was asked first", async () => {
    const user = newUser();
    await bringTo("ACTIVE", user);
    const file = fenced(database("x"), 1, 1);
    await bindings.BUCKET.put(fileKey(user), file);
    expect(await requestOf(user, READ)).toMatchObject({ side: "store", hops: 2, retries: 0 });
    await bindings.FLAGS.put(`migrated:${user}`, "true");
    const other = await requestOf(newUser(), { ...READ, scope: "cold" });
    expect(other).toMatchObject({ scope: "cold", hops: 1, side: "store", error: "not-split" });
  });

  it("that nobody answers: its error, its pauses, its retries", async () => {
    const user = newUser();
    await bindings.BUCKET.put(fileKey(user), fenced(database("x"), 1, 1));
    const event = await requestOf(user, WRITE, { deadlineMs: 50 });
    expect(event).toMatchObject({ side: null, error: "cutover-in-progress" });
    expect(event.retries).toBeGreaterThan(0);
    expect(event.waitMs).toBeGreaterThan(0);
  });

  it("whose statement fails in the object or on the file: its error", async () => {
    const bad: QueryRequest = { statements: [{ sql: "SELECT nope" }], mode: "read" };
    const user = newUser();
    await bindings.BUCKET.put(fileKey(user), database("x"));
    expect(await requestOf(user, bad)).toMatchObject({ error: "sql-error" });
    await bringTo("ACTIVE", user);
    await bindings.BUCKET.put(fileKey(user), fenced(database("x"), 1, 1));
    expect(await requestOf(user, bad)).toMatchObject({ side: "store", error: "sql-error" });
  });

  it("is answered though the observer fails", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const user = newUser();
    await bindings.BUCKET.put(fileKey(user), database("x"));
    const observe: Observer = () => {
      throw new Error("no log");
    };
    const { BUCKET: bucket, FLAGS: flags, USER_DATA: store } = bindings;
    const answer = await createRouter({ bucket, flags, store, observe }).query(user, READ);
    expect(answer).toMatchObject({ ok: true });
    expect(warn).toHaveBeenCalledWith(expect.stringContaining("no log"));
    warn.mockRestore();
  });
});

describe("a large file", () => {
  const KB = 1024;

  it.each([
    [512 * KB - 1, undefined],
    [512 * KB, "info"],
    [1024 * KB - 1, "info"],
    [1024 * KB, "warning"],
  ])("of %d bytes: %s", (bytes, level) => {
    expect(new LargeFiles().notice("u", bytes, 0)?.kind === "large-file").toBe(level !== undefined);
    expect(new LargeFiles().notice("u", bytes, 0) ?? {}).toMatchObject(level === undefined ? {} : { level });
  });

  it("is told of once an hour for a user and level, and remembers so many users", () => {
    const files = new LargeFiles(2);
    const told = (user: string, bytes: number, now: number): boolean =>
      files.notice(user, bytes, now) !== undefined;
    expect(told("a", 600 * KB, 0)).toBe(true);
    expect(told("a", 600 * KB, 3_599_999)).toBe(false);
    expect(told("a", 2000 * KB, 3_599_999)).toBe(true); // it has grown over the next threshold
    expect(told("a", 600 * KB, 3_600_000)).toBe(true);
    expect(told("b", 600 * KB, 3_600_000)).toBe(true); // the oldest entry goes
    expect(told("a", 2000 * KB, 3_600_001)).toBe(true);
  });

  it("is named with user, size and what to do, by the router", async () => {
    const user = newUser();
    const file = database("x".repeat(1024 * KB));
    await bindings.BUCKET.put(fileKey(user), file);
    const [report] = (await eventsOf(user, READ)).filter(({ kind }) => kind === "large-file");
    const message = expect.stringMatching(/database migration recommended$/);
    expect(report).toEqual({ kind: "large-file", user, level: "warning", bytes: file.byteLength, message });
    expect((await eventsOf(user, READ)).map(({ kind }) => kind)).toEqual(["request"]);
  });
});

describe("ready observers", () => {
  const event: RequestEvent = {
    kind: "request",
    user: "ü".repeat(60),
    mode: "read",
    scope: "hot",
    side: null,
    error: "overloaded",
    hops: 2,
    retries: 1,
    bytesLoaded: 3,
    waitMs: 4,
    durationMs: 5,
  };

  it("write lines of JSON", () => {
    const lines: string[] = [];
    jsonLines((line) => lines.push(line))(event);
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([event]);
  });

  it("write points of data: an index of at most 96 bytes, no half characters", () => {
    const points: AnalyticsEngineDataPoint[] = [];
    const others: RouterEvent[] = [];
    const observe = dataPoints({ writeDataPoint: (point) => void points.push(point ?? {}) }, (other) =>
      others.push(other),
    );
    observe(event);
    observe({ kind: "set-back", user: "u", message: "m" });
    expect(points).toEqual([
      { indexes: ["ü".repeat(48)], blobs: ["none", "read", "hot", "overloaded"], doubles: [2, 1, 3, 4, 5] },
    ]);
    expect(others).toHaveLength(1);
  });
});
