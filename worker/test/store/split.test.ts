// A store that holds the cold rows of a split user (docs/split.md): a whole way there and back, messages that
// come late or twice, and what the application gets meanwhile.
import { describe, expect, it } from "vitest";
import type { StatementResult } from "../../src/query/types.ts";
import type { ErrorInfo } from "../../src/wire/errors.ts";
import type { Status } from "../../src/wire/messages.ts";
import { bindings, Client, databaseDigest, table } from "./client.ts";
import type { NotesStore } from "./entry.ts";
import { objects, phases } from "./phases.ts";

const games = [
  table("games", "CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT)"),
  table("log", "CREATE TABLE log (what TEXT)"),
  { type: "index", name: "by_name", table: "games", sql: "CREATE UNIQUE INDEX by_name ON games (name)" },
  {
    type: "trigger",
    name: "noted",
    table: "games",
    sql: "CREATE TRIGGER noted AFTER UPDATE ON games BEGIN INSERT INTO log VALUES (new.name); END",
  },
];
const cold = {
  columns: ["id", "name"],
  rows: [
    [1n, "chess"],
    [7n, "go"],
  ],
} as const;

const splitPhases = Object.keys(phases).filter((phase) => /SPLIT|COLD|MERGING/.test(phase));

async function statusOf(client: Client): Promise<Status> {
  return (await client.get("status")).json;
}

function send(client: Client, message: string, gen = client.gen) {
  return client.post(message, { gen });
}

describe("a split", () => {
  it("brings the whole schema and the cold rows, and the application writes them", async () => {
    const client = new Client();
    await client.import(games, { games: cold }, {}, "split");
    const { digest } = (await client.digest()).json;
    expect(digest).toMatchObject(databaseDigest(games, { games: cold, log: { rows: [] } }));
    expect(await statusOf(client)).toMatchObject({ phase: "SPLIT_READY", gen: 1, lin: 1, intent: "split" });
    expect((await client.activate()).json).toMatchObject({ phase: "COLD", writes: 0, writesAtActivation: 0 });

    const write = await client.query("UPDATE games SET name = 'Go' WHERE id = 7", [], "write", "cold");
    expect(write).toMatchObject({
      ok: true,
      side: "store",
      moment: { phase: "COLD", gen: 1, lin: 1, writes: 1 },
    });
    await client.evict();
    const read = await client.query("SELECT what FROM log", [], "read", "cold");
    expect(read).toMatchObject({ results: [{ rows: [["Go"]] }], moment: { writes: 1 } });
    expect((await client.digest()).json.digest).not.toEqual(digest);
  });

  it("is merged: sealed, told of the PUT, emptied", async () => {
    const client = new Client();
    await phases["COLD"]?.(client);
    expect((await client.claim("rollback")).json).toMatchObject({
      outcome: "merge",
      phase: "COLD_SEALED",
      lin: 1,
    });
    expect((await client.exportRows("t", null, 1000)).header).toMatchObject({
      rows: 1,
      phase: "COLD_SEALED",
    });
    expect((await send(client, "merge")).json).toMatchObject({ phase: "MERGING", gen: 2, lin: 1 });
    expect((await send(client, "release")).json).toMatchObject({
      phase: "EMPTY",
      gen: 2,
      lin: 0,
      receipt: null,
    });
  });

  it("gives the same outcome for the same claim", async () => {
    const client = new Client();
    await phases["COLD"]?.(client);
    const rollback = { intent: "rollback", seen: 1, id: "first-rollback" };
    const first = await client.post("claim", rollback);
    expect(first.json).toMatchObject({ gen: 2, outcome: "merge" });
    expect(await client.post("claim", rollback)).toEqual(first);
  });
});

describe("late and repeated messages", () => {
  it("resets what an earlier claim has imported once: what this claim has brought stays", async () => {
    const client = new Client();
    await phases["SPLIT_READY resumed"]?.(client);
    expect((await send(client, "reset")).json).toMatchObject({ phase: "SPLITTING", gen: 2, lin: 2 });
    await client.schema(objects);
    await client.finish(0);
    expect((await client.ready()).json).toMatchObject({ phase: "SPLIT_READY", gen: 2, lin: 2 });
    expect(await send(client, "reset")).toMatchObject({
      status: 409,
      json: { error: { kind: "wrong-phase" } },
    });
    expect(await statusOf(client)).toMatchObject({ phase: "SPLIT_READY", lin: 2 });
  });

  it.each(["merge", "release", "activate", "reset"])(
    "refuses the %s of a rollback that was given back",
    async (message) => {
      const client = new Client();
      await phases["MERGING resumed"]?.(client);
      await client.activate();
      const before = await statusOf(client);
      expect(before).toMatchObject({ phase: "COLD", gen: 3, lin: 1 });
      const late = await send(client, message, 2);
      expect(late).toMatchObject({ status: 409, json: { error: { kind: "stale-claim" } } });
      expect(await statusOf(client)).toEqual(before);
    },
  );

  it.each(["merge", "activate"])("refuses %s after release", async (message) => {
    const client = new Client();
    await phases["MERGING"]?.(client);
    await send(client, "release");
    expect(await send(client, message)).toMatchObject({
      status: 409,
      json: { error: { kind: "wrong-phase" } },
    });
    expect(await send(client, "release")).toMatchObject({ status: 200, json: { phase: "EMPTY" } });
  });

  it("answers a repeated ready alike, and one with another digest not", async () => {
    const client = new Client();
    await phases["SPLIT_READY"]?.(client);
    expect((await client.ready()).status).toBe(200);
    const { digest } = (await client.digest()).json;
    const other = { ...digest, database: "0".repeat(64) };
    expect(await client.post("ready", { gen: client.gen, digest: other, receipt: {} })).toMatchObject({
      status: 409,
      json: { error: { kind: "wrong-phase" } },
    });
  });
});

describe("the application", () => {
  it.each(splitPhases)("never gets an answer without the scope in %s", async (phase) => {
    const client = new Client();
    await phases[phase]?.(client);
    for (const mode of ["read", "write"]) {
      const answer = await client.stub.query({ statements: [{ sql: "SELECT a FROM t" }], mode });
      const { error } = answer as unknown as { error: ErrorInfo };
      expect(error.kind).toBe("not-active");
      expect(Object.keys(error.details ?? {})).toEqual(["phase", "gen", "lin", "writes"]);
    }
    const live = await client.stub.fetch("https://store/live", { headers: { upgrade: "websocket" } });
    expect(live.status).toBe(409);
  });

  it.each(["SPLIT_READY", "MERGING"])("gets cold rows in %s, to be held against the file", async (phase) => {
    const client = new Client();
    await phases[phase]?.(client);
    const { gen } = client;
    expect(await client.query("SELECT a FROM t", [], "read", "cold")).toMatchObject({
      error: {
        kind: "not-active",
        details: { phase, gen, lin: 1, writes: 0, result: { results: [{ rows: [["kept"]] }] } },
      },
    });
    expect(await client.query("DELETE FROM t", [], "read", "cold")).toMatchObject({
      error: { details: { error: { kind: "write-in-read" } } },
    });
  });

  it("is refused a scope that does not exist", async () => {
    const client = new Client();
    for (const scope of ["warm", "", null, 1]) {
      const answer = await client.stub.query({ statements: [{ sql: "SELECT 1" }], scope });
      expect(answer).toMatchObject({ ok: false, error: { kind: "bad-request" } });
    }
  });

  it("has transactions of its own on cold rows, and on those only", async () => {
    const client = new Client(bindings.NOTES as unknown as typeof bindings.STORE);
    const notes = client.stub as unknown as DurableObjectStub<NotesStore>;
    expect(await notes.addCold("too early")).toBe("the store is EMPTY: it holds no cold rows");
    await client.import(
      [table("notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")],
      {},
      {},
      "split",
    );
    expect(await notes.addCold("not yet")).toBe("the store is SPLIT_READY: ask the file");
    await client.activate();
    expect(await notes.add("hot")).toBe("the store is COLD: ask the file");
    expect(await notes.addCold("cold")).toBe(1);
    expect(await statusOf(client)).toMatchObject({ phase: "COLD", writes: 1 });
  });
});

describe("the copy of a reference table", () => {
  async function withCopy(): Promise<Client> {
    const client = new Client();
    await client.claim("split");
    await client.schema([
      table("tags", "CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT)"),
      table("notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, tag REFERENCES tags ON DELETE CASCADE)"),
      table("log", "CREATE TABLE log (what TEXT)"),
      {
        type: "trigger",
        name: "writes",
        table: "log",
        sql: "CREATE TRIGGER writes AFTER INSERT ON log BEGIN UPDATE tags SET name = new.what; END",
      },
    ]);
    await client.finish(0);
    const { digest } = (await client.digest()).json;
    await client.post("ready", {
      gen: client.gen,
      digest,
      receipt: { user: client.user, claim: client.gen, reference: ["TAGS"] },
    });
    await client.activate();
    return client;
  }

  it("is read-only, directly and through triggers", async () => {
    const client = await withCopy();
    for (const sql of [
      "INSERT INTO tags VALUES (1, 'a')",
      "REPLACE INTO main.\"tags\" VALUES (1, 'a')",
      "WITH x AS (SELECT 1 AS i) INSERT INTO tags SELECT i, 'x' FROM x",
      "INSERT INTO log VALUES ('through a trigger')",
    ]) {
      const answer = await client.query(sql, [], "write", "cold");
      expect(answer, sql).toMatchObject({ ok: false, error: { kind: "sql-error" } });
      expect(answer).toHaveProperty("error.message", expect.stringContaining("reference table"));
    }
    expect(await client.query("SELECT count(*) FROM tags", [], "read", "cold")).toMatchObject({
      results: [{ rows: [[0]] }],
    });
  });

  it.each([
    ["SELECT count(*) AS n FROM tags", true],
    ["SELECT a.id FROM tags AS a JOIN main.Tags AS b", true],
    ["SELECT count(*) AS n FROM notes", undefined],
    ["SELECT n.id FROM notes AS n JOIN tags AS t ON t.id = n.tag", undefined],
    ["SELECT 1 AS n", undefined],
    ["SELECT count(*) AS n FROM sqlite_schema", undefined],
  ])("is told where a read has nothing else: %s", async (sql, copied) => {
    const client = await withCopy();
    const { results } = (await client.query(sql, [], "read", "cold")) as unknown as {
      results: StatementResult[];
    };
    expect(results[0]?.copied).toBe(copied);
    expect(results[0]).not.toHaveProperty("reads");
  });

  it("hinders no write of the other tables", async () => {
    const client = await withCopy();
    const write = await client.query("INSERT INTO notes VALUES (1, NULL)", [], "write", "cold");
    expect(write).toMatchObject({ ok: true, moment: { writes: 1 } });
  });
});
