// A store that is mounted without optional parts. It is the same class and the same object: an application may
// have left a part out that it had before.
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { LIVE_PATH } from "../../src/live/protocol.ts";
import { bindings, Client, table } from "./client.ts";

const notes = [table("notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")];
const rows = { columns: ["id", "text"], rows: [[1n, "old"]] } as const;
const refused = { kind: "not-mounted", message: expect.stringContaining("mounted without split mode") };

async function plainUser(): Promise<Client> {
  return new Client(bindings.PLAIN);
}

/** Until the object leaves memory. */
async function mount(client: Client, part: "live" | "split"): Promise<void> {
  await runInDurableObject(client.stub, (store) => {
    (store as unknown as { mount(part: string): void }).mount(part);
  });
}

/** One who was split while the part was there: the class that comes into memory next is without it. */
async function splitUser(): Promise<Client> {
  const client = await plainUser();
  await mount(client, "split");
  await client.import(notes, { notes: rows }, {}, "split");
  await client.activate();
  await client.evict();
  expect((await client.get("status")).json).toMatchObject({ phase: "COLD" });
  return client;
}

describe("without split mode", () => {
  it("takes no claim for a split, and stays as it was", async () => {
    const client = await plainUser();
    const before = (await client.get("status")).json;
    const claim = await client.post("claim", { intent: "split", seen: 0 });
    expect(claim).toMatchObject({ status: 501, json: { error: refused } });
    expect((await client.get("status")).json).toEqual(before);
  });

  it("serves a whole user, and says of a cold request that there are no cold rows", async () => {
    const client = await plainUser();
    await client.import(notes, { notes: rows });
    await client.activate();
    expect(await client.query("INSERT INTO notes VALUES (2, 'new')")).toMatchObject({ ok: true });
    const cold = await client.query("SELECT 1", [], "read", "cold");
    expect(cold).toMatchObject({ ok: false, error: { kind: "not-split" } });
  });

  it("refuses requests for cold rows that it has, writes nothing, and gives them back", async () => {
    const client = await splitUser();
    const before = (await client.get("status")).json;
    for (const mode of ["read", "write"]) {
      const answer = await client.query("UPDATE notes SET text = 'x'", [], mode, "cold");
      expect(answer).toMatchObject({ ok: false, error: refused });
    }
    const thaw = await client.stub.thaw({ table: "notes", where: "id = 1" });
    expect(thaw).toMatchObject({ ok: false, error: refused });
    expect((await client.get("status")).json).toEqual(before);
    await client.claim("rollback");
    const page = await client.exportRows("notes", null, 1000);
    expect(page.header).toMatchObject({ rows: 1 });
    expect((await client.post("merge", { gen: client.gen })).json).toMatchObject({ phase: "MERGING" });
    expect((await client.post("release", { gen: client.gen })).json).toMatchObject({ phase: "EMPTY" });
  });

  it("refuses a subclass's transaction on cold rows, which does not run", async () => {
    const client = await splitUser();
    let ran = false;
    const said = await runInDurableObject(client.stub, (store) => {
      type Open = { transaction(work: () => void, options: { scope: "cold" }): void };
      try {
        (store as unknown as Open).transaction(() => (ran = true), { scope: "cold" });
        return "nothing";
      } catch (error) {
        return String(error);
      }
    });
    expect([said, ran]).toEqual([expect.stringContaining("mounted without split mode"), false]);
  });
});

describe("without live updates", () => {
  it("refuses subscribers by name", async () => {
    const client = await plainUser();
    await client.import(notes, { notes: rows });
    await client.activate();
    const answer = await client.stub.fetch(`https://store${LIVE_PATH}`, {
      headers: { upgrade: "websocket" },
    });
    expect([answer.status, await answer.json()]).toMatchObject([
      501,
      { error: { kind: "not-mounted", message: expect.stringContaining("mounted without live updates") } },
    ]);
  });

  it("ends the log that a version with live updates began", async () => {
    const client = await plainUser();
    await mount(client, "live");
    await client.import(notes, { notes: rows });
    await client.activate();
    const headers = { "content-type": "application/json" };
    await (await client.raw("POST", "export/follow", { body: '{"since":null}', headers })).arrayBuffer();
    await client.query("INSERT INTO notes VALUES (2, 'logged')");
    const kept = () =>
      runInDurableObject(client.stub, (_store, { storage }) => [
        ...storage.kv.list({ prefix: "_dbmigrate:live:" }),
      ]);
    expect(await kept()).toHaveLength(2);
    await client.evict();
    expect(await client.query("SELECT 1")).toMatchObject({ ok: true });
    expect(await kept()).toHaveLength(2);
    expect(await client.query("INSERT INTO notes VALUES (3, 'new')")).toMatchObject({ ok: true });
    expect(await kept()).toEqual([]);
  });

  it("says of a copy that follows what a Worker of before says", async () => {
    const client = await plainUser();
    await client.import(notes, { notes: rows });
    await client.activate();
    const answer = await client.post("export/follow", { since: null });
    expect(answer).toMatchObject({
      status: 404,
      json: { error: { kind: "not-found", message: expect.stringContaining("live updates") } },
    });
  });
});

it("says what it has", async () => {
  const { stub } = await plainUser();
  expect(await stub.dbmigrateProbe()).toMatchObject({ parts: [] });
  expect(await new Client().stub.dbmigrateProbe()).toMatchObject({ parts: ["live", "split"] });
});
