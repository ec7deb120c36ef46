// Who serves a user, in every state of file and object; and the entrypoints for service bindings.
import { createExecutionContext } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { UserDatabases, UserDatabasesReadOnly } from "../../service/index.ts";
import { createRouter, type QueryRequest } from "../../src/index.ts";
import type { Phase } from "../../src/wire/messages.ts";
import { bindings, database, fenced, fileKey, newUser, stamped, tombstone } from "../router/fixtures.ts";
import { bringTo, LINEAGE } from "../router/store-driver.ts";

const router = createRouter({ bucket: bindings.BUCKET, flags: bindings.FLAGS, store: bindings.USER_DATA });

async function user(file: Uint8Array | null, phase: Phase, flagged = false): Promise<string> {
  const name = newUser();
  if (file !== null) await bindings.BUCKET.put(fileKey(name), file);
  await bringTo(phase, name);
  if (flagged) await bindings.FLAGS.put(`migrated:${name}`, "true");
  return name;
}

const open = database("one");
const closed = fenced(open, LINEAGE, LINEAGE);
const halved = fenced(open, LINEAGE, LINEAGE, "DMS1");

describe("who serves a user", () => {
  it.each<[string, Uint8Array | null, Phase, string, boolean, string]>([
    ["a file", open, "EMPTY", "file", true, "file"],
    ["a file that is being copied", open, "IMPORTING", "file", true, "file"],
    ["a file that came back", stamped(open, 2), "EMPTY", "file", true, "file"],
    ["a fence, before the object serves", closed, "READY", "file", false, "service"],
    ["an object", closed, "ACTIVE", "object", true, "service"],
    ["an object with a tombstone", tombstone(LINEAGE, LINEAGE), "ACTIVE", "object", true, "service"],
    ["an object that is sealed", closed, "SEALED", "object", false, "service"],
    ["nobody yet", null, "EMPTY", "none", true, "file"],
    ["an object with a deleted file", null, "ACTIVE", "object", true, "service"],
    ["a deleted file during a move", null, "READY", "file", false, "service"],
    ["a split", stamped(open, LINEAGE), "COLD", "split", true, "file"],
    ["a split that is being merged", halved, "MERGING", "split", false, "service"],
    ["a split that has only begun", halved, "SPLITTING", "file", false, "service"],
  ])("says of %s", async (_name, file, phase, servedBy, writable, route) => {
    const answer = await router.servedBy(await user(file, phase));
    expect(answer).toEqual({ ok: true, servedBy, writable, route });
  });

  it("sends a user with a flag to the service, before there is a fence", async () => {
    const answer = await router.servedBy(await user(open, "EMPTY", true));
    expect(answer).toEqual({ ok: true, servedBy: "file", writable: true, route: "service" });
  });

  it("asks no object of a file that has never been marked", async () => {
    const store = { get: () => expect.unreachable("an object was made") };
    const asked = createRouter({
      bucket: bindings.BUCKET,
      flags: bindings.FLAGS,
      store: { ...store, idFromName: store.get } as unknown as typeof bindings.USER_DATA,
    });
    const name = newUser();
    await bindings.BUCKET.put(fileKey(name), open);
    expect(await asked.servedBy(name)).toMatchObject({ ok: true, servedBy: "file" });
  });
});

describe("a service binding", () => {
  const writer = new UserDatabases(createExecutionContext(), bindings);
  const reader = new UserDatabasesReadOnly(createExecutionContext(), bindings);
  const select: QueryRequest = { statements: [{ sql: "SELECT a FROM t" }], mode: "read" };
  const insert: QueryRequest = { statements: [{ sql: "INSERT INTO t VALUES ('two')" }] };

  it("reads and writes on either side", async () => {
    for (const name of [await user(open, "EMPTY"), await user(closed, "ACTIVE")]) {
      expect((await writer.query(name, insert)).ok).toBe(true);
      expect(await writer.query(name, select)).toMatchObject({
        results: [{ rows: [expect.anything(), ["two"]] }],
      });
      expect((await writer.servedBy(name)).ok).toBe(true);
      expect((await writer.queryBoth(name, { statements: select.statements })).ok).toBe(true);
    }
  });

  it("only reads where that is bound", async () => {
    const name = await user(open, "EMPTY");
    expect(await reader.query(name, { ...insert, mode: "write" })).toMatchObject({
      error: { kind: "write-in-read" },
    });
    expect(await reader.query(name, select)).toMatchObject({ results: [{ rows: [["one"]] }] });
    expect("thaw" in reader).toBe(false);
  });

  it.each([undefined, null, 1, "", "..", "a/b", {}, ["a"], "\ud800"])("refuses the user %j", async (name) => {
    expect(await writer.query(name as string, select)).toMatchObject({
      ok: false,
      error: { kind: "bad-request" },
    });
    expect(await writer.servedBy(name as string)).toMatchObject({
      ok: false,
      error: { kind: "bad-request" },
    });
  });
});
