// A router that is mounted without optional parts.
import { describe, expect, it } from "vitest";
import { createRouter, routeBetween, type Sides } from "../../src/index.ts";
import { CLOSE, liveUpdates } from "../../src/live-updates.ts";
import { errorResponse, notMounted } from "../../src/wire/errors.ts";
import { bindings, database, fileKey, newUser, stamped } from "./fixtures.ts";
import { bringTo, LINEAGE } from "./store-driver.ts";

const bare = { bucket: bindings.BUCKET, flags: bindings.FLAGS, store: bindings.USER_DATA };
const router = createRouter(bare);
const statements = [{ sql: "SELECT a FROM t" }];
const refused = (part: string) => ({
  ok: false,
  error: { kind: "not-mounted", message: expect.stringContaining(`mounted without ${part}`) },
});

/** The file has the hot row "file"; a split user's object has the cold one. */
async function userIn(phase: "EMPTY" | "COLD"): Promise<string> {
  const user = newUser();
  await bringTo(phase, user);
  const file = database("file");
  await bindings.BUCKET.put(fileKey(user), phase === "COLD" ? stamped(file, LINEAGE) : file);
  return user;
}

describe("without split mode", () => {
  it.each(["EMPTY", "COLD"] as const)("answers for the hot rows alone: %s", async (phase) => {
    const user = await userIn(phase);
    expect(await router.query(user, { statements })).toMatchObject({
      ok: true,
      side: "file",
      results: [{ rows: [["file"]] }],
    });
    const no = refused("split mode");
    expect(await router.query(user, { statements, scope: "cold" })).toMatchObject(no);
    expect(await router.queryBoth(user, { statements })).toMatchObject(no);
    expect(await router.locate(user, "t", { a: "file" })).toMatchObject(no);
    expect(await router.writeBoth(user, { table: "t", key: { a: "file" }, statements })).toMatchObject(no);
    expect(await router.schema(user, { statements })).toMatchObject(no);
    expect(await router.thaw(user, { table: "t", where: "1" })).toMatchObject(no);
    const servedBy = phase === "COLD" ? "split" : "file";
    expect(await router.servedBy(user)).toMatchObject({ ok: true, servedBy });
  });

  it("answers errors of statements and calls", async () => {
    const user = await userIn("EMPTY");
    const wrong = await router.query(user, { statements: [{ sql: "SELEC" }] });
    expect(wrong).toMatchObject({ ok: false, error: { kind: "sql-error" } });
  });

  it("cannot be told to refuse split conflicts", () => {
    const without = "has no `split: splitMode`";
    expect(() => createRouter({ ...bare, splitConflicts: "refuse" })).toThrow(without);
    const options = { path: "auto", deadlineMs: 1000, maxFileBytes: 1e6, splitConflicts: "refuse" } as const;
    expect(() => routeBetween({} as Sides, options)).toThrow(without);
  });
});

describe("without live updates", () => {
  /** What a client hears last: it is final for every version of worker/client/live.js. */
  const final = { code: CLOSE.badMessage, reason: expect.stringContaining("mounted without live updates") };
  const upgrade = () => new Request("https://worker.test/live", { headers: { upgrade: "websocket" } });
  async function closing({ status, webSocket }: Response): Promise<unknown> {
    if (webSocket === null) return status;
    webSocket.accept();
    return new Promise((resolve) => webSocket.addEventListener("close", resolve));
  }

  it("closes subscribers for good, and has none to disconnect", async () => {
    const user = await userIn("EMPTY");
    expect(await closing(await router.live(user, upgrade()))).toMatchObject(final);
    const plain = await router.live(user, new Request("https://worker.test/live"));
    expect([plain.status, await plain.json()]).toMatchObject([501, { error: { kind: "not-mounted" } }]);
    expect(await router.disconnect(user)).toMatchObject(refused("live updates"));
  });

  it("closes subscribers for good where only the objects are without them", async () => {
    const flag = { isMigrated: async () => true };
    const store = { live: async () => errorResponse(notMounted("live")) };
    const sides = { flag, store } as unknown as Sides;
    const mounted = { path: "auto", deadlineMs: 1000, maxFileBytes: 1e6, live: liveUpdates } as const;
    expect(await closing(await routeBetween(sides, mounted).live(newUser(), upgrade()))).toMatchObject(final);
  });
});
