// Live updates: what a subscriber is told, when, and what happens to one who falls behind, goes away or has
// to leave.
import { runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { CLOSE, LIVE_LIMITS } from "../../src/live/protocol.ts";
import type { QueryAnswer } from "../../src/query/types.ts";
import { Client, activeStore, bindings, table } from "./client.ts";
import type { NotesStore } from "./entry.ts";
import { TestSubscriber } from "./subscriber.ts";

const SCHEMA = [
  table("games", "CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT, score)"),
  table(
    "clips",
    "CREATE TABLE clips (id INTEGER PRIMARY KEY, game REFERENCES games ON DELETE CASCADE, title)",
  ),
  table("tags", "CREATE TABLE tags (a TEXT, b INTEGER, note, PRIMARY KEY (a, b)) WITHOUT ROWID"),
  table("slots", "CREATE TABLE slots (id INTEGER PRIMARY KEY, name UNIQUE ON CONFLICT REPLACE)"),
  table("audit", "CREATE TABLE audit (what)"),
  table("watched", "CREATE TABLE watched (x)"),
  table("frames", "CREATE TABLE frames (id INTEGER PRIMARY KEY, clip REFERENCES clips ON DELETE CASCADE)"),
  table(
    "seen",
    "CREATE TABLE seen (who TEXT PRIMARY KEY, clip REFERENCES clips ON DELETE SET NULL) WITHOUT ROWID",
  ),
  table("touched", "CREATE TABLE touched (id INTEGER PRIMARY KEY, name, at)"),
  {
    type: "trigger",
    name: "touch",
    table: "touched",
    sql: "CREATE TRIGGER touch AFTER UPDATE ON touched BEGIN UPDATE touched SET at = 1 WHERE id = NEW.id; END",
  },
  table("named", "CREATE TABLE named (slug TEXT PRIMARY KEY, n, at)"),
  {
    type: "trigger" as const,
    name: "renew",
    table: "named",
    sql: "CREATE TRIGGER renew AFTER UPDATE ON named BEGIN UPDATE named SET at = 1 WHERE slug = NEW.slug; END",
  },
  table("folded", "CREATE TABLE folded (slug TEXT COLLATE NOCASE, n, at, PRIMARY KEY (slug COLLATE BINARY))"),
  {
    type: "trigger" as const,
    name: "fold",
    table: "folded",
    sql: "CREATE TRIGGER fold AFTER UPDATE ON folded BEGIN UPDATE folded SET at = n WHERE slug = NEW.slug; END",
  },
  table(
    "spelled",
    "CREATE TABLE spelled (word TEXT COLLATE NOCASE, n, PRIMARY KEY (word COLLATE BINARY)) WITHOUT ROWID",
  ),
  {
    type: "trigger" as const,
    name: "count_spelled",
    table: "spelled",
    sql: "CREATE TRIGGER count_spelled AFTER INSERT ON spelled BEGIN UPDATE spelled SET n = 1 WHERE word = NEW.word; END",
  },
  table("Grouped", "CREATE TABLE Grouped (id INTEGER PRIMARY KEY, oid, n)"),
  {
    type: "trigger" as const,
    name: "group_changes",
    table: "grouped",
    sql: "CREATE TRIGGER group_changes AFTER INSERT ON grouped BEGIN UPDATE grouped SET n = 1 WHERE oid = NEW.oid; END",
  },
  table("sums", "CREATE TABLE sums (a INTEGER, v AS (a * 2), s AS (a * 3) STORED, note TEXT)"),
  table("levelled", "CREATE TABLE levelled (id INTEGER PRIMARY KEY, n)"),
  {
    type: "trigger",
    name: "level",
    table: "levelled",
    sql: "CREATE TRIGGER level AFTER INSERT ON levelled BEGIN UPDATE levelled SET n = 1 WHERE id = NEW.id OR n = 0; END",
  },
  {
    type: "trigger",
    name: "tr",
    table: "watched",
    sql: "CREATE TRIGGER tr AFTER INSERT ON watched BEGIN INSERT INTO audit VALUES (new.x); END",
  },
];

let store: Client;
beforeEach(async () => {
  store = await activeStore(SCHEMA);
});

describe("what a write changed", () => {
  const keyed = (name: string, ...keys: unknown[]) => [{ table: name, keys }];
  const cases: [string, string[], unknown][] = [
    ["an insert", ["INSERT INTO games (id, name) VALUES (7, 'go'), (8, 'chess')"], keyed("games", [7], [8])],
    [
      "a large key",
      ["INSERT INTO games (id) VALUES (9223372036854775807)"],
      keyed("games", [{ int: "9223372036854775807" }]),
    ],
    [
      "an update",
      ["INSERT INTO games (id) VALUES (1), (2)", "UPDATE games SET score = 5 WHERE id = 2"],
      keyed("games", [1], [2]),
    ],
    [
      "a delete",
      ["INSERT INTO tags VALUES ('x', 1, 0), ('y', 2, 0)", "DELETE FROM tags WHERE a = 'y'"],
      keyed("tags", ["x", 1], ["y", 2]),
    ],
    ["a hidden rowid", ["INSERT INTO audit VALUES (1)"], keyed("audit", [1])],
    [
      "an upsert",
      ["INSERT INTO games (id) VALUES (1) ON CONFLICT DO UPDATE SET score = 1"],
      keyed("games", [1]),
    ],
    [
      "two tables",
      ["INSERT INTO games (id) VALUES (1)", "INSERT INTO audit VALUES (0)"],
      [...keyed("games", [1]), ...keyed("audit", [1])],
    ],
    [
      "a changed key",
      ["INSERT INTO games (id) VALUES (1)", "UPDATE games SET id = id + 1"],
      [{ table: "games", keys: null }],
    ],
    [
      "a changed rowid",
      ["INSERT INTO audit VALUES (1)", "UPDATE audit SET rowid = 9"],
      [{ table: "audit", keys: null }],
    ],
    ["REPLACE", ["REPLACE INTO slots VALUES (1, 'a')"], [{ table: "slots", keys: null }]],
    [
      "REPLACE by declaration",
      ["INSERT INTO slots VALUES (1, 'a')", "INSERT INTO slots VALUES (2, 'a')"],
      [{ table: "slots", keys: null }],
    ],
    [
      "a trigger that writes another table",
      ["INSERT INTO watched VALUES (1)"],
      expect.arrayContaining([...keyed("watched", [1]), { table: "audit", keys: null }]),
    ],
    [
      "a trigger that sets a time of change",
      ["INSERT INTO touched (id) VALUES (4), (5)", "UPDATE touched SET name = 'x' WHERE id = 5"],
      keyed("touched", [4], [5]),
    ],
    [
      "a trigger that sets a time of change under a TEXT key",
      ["INSERT INTO named (slug) VALUES ('a'), ('b')", "UPDATE named SET n = 1 WHERE slug = 'b'"],
      keyed("named", [1], [2]),
    ],
    [
      "a trigger under a key that it compares in another way",
      [
        "INSERT INTO folded (slug) VALUES ('a'), ('A')",
        "UPDATE folded SET n = 1 WHERE slug COLLATE BINARY = 'a'",
      ],
      [{ table: "folded", keys: null }],
    ],
    [
      "a trigger under a key without rowid that it compares in another way",
      ["INSERT INTO spelled (word) VALUES ('a')"],
      [{ table: "spelled", keys: null }],
    ],
    [
      "a trigger that names rows by a column that is no rowid",
      ["INSERT INTO Grouped (id, oid) VALUES (4, 9)"],
      [{ table: "Grouped", keys: null }],
    ],
    [
      "a trigger that writes other rows",
      ["INSERT INTO levelled (id) VALUES (4)"],
      [{ table: "levelled", keys: null }],
    ],
    [
      "RETURNING",
      ["INSERT INTO games (id, name) VALUES (7, 'go') RETURNING name AS n, 2.0"],
      keyed("games", [7]),
    ],
    [
      "WITH",
      ["WITH n(id) AS (VALUES (3)) INSERT INTO games (id) SELECT id FROM n LIMIT 1"],
      keyed("games", [3]),
    ],
    [
      "a function that is called like a clause",
      ["INSERT INTO games (id, name) VALUES (1, replace('a', 'a', 'b'))"],
      keyed("games", [1]),
    ],
    [
      "a key that is only read",
      [
        "INSERT INTO games (id) VALUES (1)",
        "UPDATE games SET score = id + 1, name = (SELECT max(id) FROM clips)",
      ],
      keyed("games", [1]),
    ],
    [
      "a key among others",
      ["INSERT INTO games (id) VALUES (1)", "UPDATE games SET (score, id) = (1, 2)"],
      [{ table: "games", keys: null }],
    ],
    [
      "REPLACE by the key alone",
      ["REPLACE INTO tags VALUES ('x', 1, 0)", "REPLACE INTO tags VALUES ('x', 1, 1)"],
      keyed("tags", ["x", 1]),
    ],
    [
      "a cascade",
      [
        "INSERT INTO games (id) VALUES (1)",
        "INSERT INTO clips VALUES (1, 1, 't')",
        "DELETE FROM games WHERE id = 1",
      ],
      expect.arrayContaining([...keyed("games", [1]), ...keyed("clips", [1])]),
    ],
    [
      "a cascade of a cascade, and a reference that is set to nothing",
      [
        "INSERT INTO games (id) VALUES (1), (2)",
        "INSERT INTO clips VALUES (10, 1, 't'), (11, 2, 't')",
        "INSERT INTO frames VALUES (20, 10), (21, 11), (22, 10)",
        "INSERT INTO seen VALUES ('a', 10), ('b', 11)",
        "DELETE FROM games WHERE id = 1",
      ],
      expect.arrayContaining([
        ...keyed("games", [1], [2]),
        ...keyed("clips", [10], [11]),
        ...keyed("frames", [20], [21], [22]),
        ...keyed("seen", ["a"], ["b"]),
      ]),
    ],
    [
      "emptying a table",
      ["INSERT INTO audit VALUES (1)", "DELETE FROM audit"],
      [{ table: "audit", keys: null }],
    ],
    ["the schema", ["CREATE TABLE more (a)"], null],
    ["the schema and then rows", ["CREATE TABLE more (a)", "INSERT INTO more VALUES (1)"], null],
  ];
  it.each(cases)("%s", async (_name, statements, changes) => {
    const subscriber = await TestSubscriber.connect(store);
    const answer = await store.stub.query({ statements: statements.map((sql) => ({ sql })) });
    expect(answer).toMatchObject({ ok: true });
    expect(await subscriber.next()).toEqual({ type: "change", lin: 1, seq: 1, changes });
  });

  it("answers a statement as if nobody listened", async () => {
    const insert = "INSERT INTO games (id, name) VALUES (3, 'x')";
    const before = await (await activeStore(SCHEMA)).query(insert);
    await TestSubscriber.connect(store);
    const rowsRead = expect.any(Number); // the key is read, too
    expect(await store.query(insert)).toEqual({
      ...before,
      results: [{ columns: [], rows: [], rowsRead, rowsWritten: 1 }],
    });
    expect(await store.query("UPDATE games SET name = 'y' RETURNING id, name")).toMatchObject({
      results: [{ rows: [[3, "y"]] }],
    });
    expect(await store.query("EXPLAIN INSERT INTO games (id) VALUES (1)")).toMatchObject({ ok: true });
  });

  it("says in each answer which changes it contains", async () => {
    expect(await store.query("SELECT 1", [], "read")).toMatchObject({ position: { lin: 1, seq: 0 } });
    const written = await store.query("INSERT INTO games (id) VALUES (1)");
    expect(written).toMatchObject({ position: { lin: 1, seq: 1 } });
  });

  it("does not fail a statement that has no room for more", async () => {
    const subscriber = await TestSubscriber.connect(store);
    const sql = `INSERT INTO games (name) VALUES ('${"x".repeat(99_950)}')`;
    expect(await store.query(sql)).toMatchObject({ ok: true });
    expect(await subscriber.next()).toMatchObject({ seq: 1 });
    expect(await store.query("SELEC")).toMatchObject({
      error: { message: expect.stringContaining('near "SELEC"') },
    });
  });

  it("tells nothing of a write that failed, of a read, and of a statement that changed nothing", async () => {
    const subscriber = await TestSubscriber.connect(store);
    await store.query("INSERT INTO games (id) VALUES (1), (1)");
    await store.query("SELECT * FROM games", [], "read");
    await store.query("UPDATE games SET score = 1 WHERE id = 99");
    await store.query("INSERT INTO games (id) VALUES (5)");
    expect(await subscriber.next()).toMatchObject({ seq: 1, changes: [{ keys: [[5]] }] });
  });

  it("learns a schema that was changed and taken back", async () => {
    const subscriber = await TestSubscriber.connect(store);
    const failing = [
      { sql: "ALTER TABLE audit RENAME TO other" },
      { sql: "INSERT INTO other VALUES (1)" },
      { sql: "SELEC" },
    ];
    await store.stub.query({ statements: failing });
    await store.query("INSERT INTO audit VALUES (1)");
    expect(await subscriber.next()).toMatchObject({ changes: [{ table: "audit" }] });
  });

  it("names tables alone when the keys are too many", async () => {
    const subscriber = await TestSubscriber.connect(store);
    await store.query("INSERT INTO games (name) SELECT value FROM json_each(?)", [
      JSON.stringify(Array(4000).fill("x")),
    ]);
    expect(await subscriber.next()).toMatchObject({ changes: [{ table: "games", keys: null }] });
  });

  describe("of virtual tables", () => {
    const keyed = (name: string, key: number) => [{ table: name, keys: [[key]] }];
    const named = (...tables: string[]) => tables.map((name) => ({ table: name, keys: null }));
    beforeEach(async () => {
      for (const sql of [
        "CREATE VIRTUAL TABLE words USING fts5(a)",
        "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)",
        "CREATE VIRTUAL TABLE found USING fts5(name, content='games', content_rowid='id')",
        "CREATE VIRTUAL TABLE bare USING fts5(a, content='')",
      ])
        expect(await store.query(sql)).toMatchObject({ ok: true });
    });

    it.each([
      ["INSERT INTO words VALUES ('x')", named("words")],
      ["INSERT INTO words(words) VALUES ('optimize')", named("words")],
      ["INSERT INTO boxes VALUES (1, 2, 3)", named("boxes")],
      ["INSERT INTO bare(rowid, a) VALUES (1, 'x')", named("bare")],
      // No row of the content changes.
      ["INSERT INTO found(rowid, name) VALUES (7, 'go')", named("found")],
      ["INSERT INTO found(found) VALUES ('rebuild')", named("found")],
    ])("are told by their own names: %s", async (sql, changes) => {
      const subscriber = await TestSubscriber.connect(store);
      expect(await store.query(sql)).toMatchObject({ ok: true });
      expect(await subscriber.next()).toMatchObject({ changes });
    });

    it("reach who names the index, beside those of its content", async () => {
      const trigger =
        "CREATE TRIGGER keep AFTER INSERT ON games BEGIN INSERT INTO found(rowid, name) VALUES (NEW.id, NEW.name); END";
      expect(await store.query(trigger)).toMatchObject({ ok: true });
      const ofIndex = await TestSubscriber.connect(store, { tables: ["found"] });
      const ofContent = await TestSubscriber.connect(store, { tables: ["games"] });
      await store.query("INSERT INTO games (id, name) VALUES (1, 'go')");
      expect(await ofIndex.next()).toMatchObject({ changes: named("found") });
      expect(await ofContent.next()).toMatchObject({ changes: keyed("games", 1) });
      await store.query("INSERT INTO found(found) VALUES ('rebuild')");
      await store.query("INSERT INTO games (id, name) VALUES (2, 'chess')");
      expect(await ofIndex.next()).toMatchObject({ changes: named("found") });
      expect(await ofContent.next()).toMatchObject({ changes: keyed("games", 2) });
    });

    it("cannot be made behind their backs: nobody else writes a shadow table", async () => {
      await store.query("INSERT INTO words VALUES ('x')");
      for (const sql of [
        "INSERT INTO words_data VALUES (99, x'00')",
        "UPDATE words_content SET c0 = 'y'",
        "DELETE FROM words_idx",
        "DELETE FROM boxes_rowid",
        "DROP TABLE words_docsize",
        "ALTER TABLE words_config RENAME TO other",
        "CREATE TRIGGER behind AFTER INSERT ON games BEGIN DELETE FROM words_content; END",
      ])
        expect({ sql, answer: await store.query(sql) }).toMatchObject({
          sql,
          answer: { ok: false, error: { kind: "sql-error" } },
        });
    });
  });

  it("notes a subclass's own transactions by table", async () => {
    const notes = new Client(bindings.NOTES as unknown as DurableObjectNamespace<NotesStore>);
    await notes.import([table("notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text)")]);
    await notes.activate();
    const subscriber = await TestSubscriber.connect(notes);
    await (notes.stub as unknown as DurableObjectStub<NotesStore>).add("hello");
    expect(await subscriber.next()).toMatchObject({ seq: 1, changes: [{ table: "notes", keys: null }] });
  });
});

describe("a subscription", () => {
  it("is about the tables that it names", async () => {
    const subscriber = await TestSubscriber.connect(store, { tables: ["GAMES"] });
    await store.query("INSERT INTO audit VALUES (1)");
    await store.query("INSERT INTO games (id) VALUES (1)");
    expect(await subscriber.next()).toMatchObject({ seq: 2, changes: [{ table: "games", keys: [[1]] }] });
  });

  it("brings rows along, as they are now", async () => {
    const subscriber = await TestSubscriber.connect(store, { rows: true });
    await store.query("INSERT INTO tags VALUES ('x', 9007199254740993, x'01')");
    expect(await subscriber.next()).toMatchObject({
      changes: [
        { columns: ["a", "b", "note"], rows: [["x", { int: "9007199254740993" }, { blob: "AQ==" }]] },
      ],
    });
    await store.query("DELETE FROM tags WHERE a = 'x'");
    expect(await subscriber.next()).toMatchObject({ changes: [{ rows: [null] }] });
  });

  it("leaves rows out that are too large together", async () => {
    const subscriber = await TestSubscriber.connect(store, { rows: true });
    await store.query("INSERT INTO games (id, name) VALUES (1, zeroblob(400000)), (2, zeroblob(400000))");
    const message = await subscriber.next();
    expect(message).toMatchObject({ changes: [{ keys: [[1], [2]] }] });
    expect(JSON.stringify(message).length).toBeLessThan(1000);
  });

  it("goes on where it was cut off, over an eviction too", async () => {
    const first = await TestSubscriber.connect(store);
    await store.query("INSERT INTO games (id) VALUES (1)");
    const { lin, seq } = await first.next();
    first.close();
    await store.query("INSERT INTO games (id) VALUES (2)");
    await store.evict();
    const second = await TestSubscriber.connect(store, { after: { lin, seq } });
    expect(await second.next()).toMatchObject({ seq: 2, changes: [{ keys: [[2]] }] });
  });

  it("survives hibernation", async () => {
    const subscriber = await TestSubscriber.connect(store, { tables: ["games"] });
    await store.evict();
    await store.query("INSERT INTO audit VALUES (1)");
    await store.query("INSERT INTO games (id) VALUES (1)");
    expect(await subscriber.next()).toMatchObject({ seq: 2 });
  });

  it.each([
    ["another history", { lin: 99, seq: 0 }],
    ["a place that was never reached", { lin: 1, seq: 5 }],
  ])("begins anew after %s", async (_name, after) => {
    const subscriber = await TestSubscriber.open(store);
    subscriber.say({ type: "subscribe", after });
    expect(await subscriber.next()).toEqual({ type: "hello", lin: 1, seq: 0 });
    expect(await subscriber.next()).toEqual({ type: "resync", reason: "gap", lin: 1, seq: 0 });
  });

  it("begins anew where the log no longer reaches", async () => {
    await store.query("INSERT INTO games (id) VALUES (1)"); // before anybody listened: no log
    const subscriber = await TestSubscriber.connect(store, { after: { lin: 1, seq: 0 } });
    expect(await subscriber.next()).toEqual({ type: "resync", reason: "gap", lin: 1, seq: 1 });
  });

  it("is sent no more than it acknowledges", async () => {
    const subscriber = await TestSubscriber.connect(store);
    const extra = 5;
    for (let i = 0; i < LIVE_LIMITS.unacknowledged + extra; i++)
      await store.query("INSERT INTO audit VALUES (1)");
    await subscriber.until(() => subscriber.received.length >= LIVE_LIMITS.unacknowledged);
    await scheduler.wait(200);
    expect(subscriber.received).toHaveLength(LIVE_LIMITS.unacknowledged);
    await store.evict(); // it slept before it was acknowledged
    subscriber.say({ type: "ack", seq: LIVE_LIMITS.unacknowledged });
    await subscriber.until(() => subscriber.received.length === LIVE_LIMITS.unacknowledged + extra);
    expect(subscriber.received.map(({ seq }) => seq)).toEqual(
      subscriber.received.map((_, index) => index + 1),
    );
  });

  it("is told to read anew when it falls behind the log", async () => {
    const subscriber = await TestSubscriber.connect(store);
    const statements = [{ sql: "INSERT INTO audit VALUES (1)" }];
    const writes = LIVE_LIMITS.unacknowledged + LIVE_LIMITS.logEntries + 2;
    await runInDurableObject(store.stub, async (object) => {
      for (let i = 0; i < writes; i++) await object.query({ statements });
    });
    await subscriber.until(() => subscriber.received.length >= LIVE_LIMITS.unacknowledged);
    subscriber.say({ type: "ack", seq: LIVE_LIMITS.unacknowledged });
    await subscriber.until(() => subscriber.received.length > LIVE_LIMITS.unacknowledged);
    expect(subscriber.received.at(-1)).toEqual({ type: "resync", reason: "gap", lin: 1, seq: writes });
  });

  it.each([
    ["no JSON", "{"],
    ["another type", { type: "shout" }],
    ["too long a text", "x".repeat(LIVE_LIMITS.messageBytes + 1)],
    ["too many tables", { type: "subscribe", tables: Array(LIVE_LIMITS.tables + 1).fill("t") }],
    ["tables that are none", { type: "subscribe", tables: [1] }],
    ["a bad position", { type: "subscribe", after: { lin: 1, seq: -1 } }],
  ])("is closed after %s", async (_name, message) => {
    const subscriber = await TestSubscriber.open(store);
    subscriber.say(message);
    await subscriber.until(() => subscriber.closed !== undefined);
    expect(subscriber.closed?.code).toBe(CLOSE.badMessage);
  });

  it.each([
    ["a table that is not there", ["games", "nowhere"], "tables: there is no table nowhere"],
    ["a view", ["best"], "tables: best is a view; name its tables"],
    [
      "a shadow table",
      ["words_content"],
      "tables: words_content is a part of a virtual table; name that one",
    ],
    ["a table of the platform", ["_cf_KV"], "tables: there is no table _cf_KV"],
    ["an empty list", [], "tables: expected at least one; leave it out to hear of all tables"],
  ])("refuses %s and says why", async (_name, tables, reason) => {
    await store.query("CREATE VIEW best AS SELECT * FROM games");
    await store.query("CREATE VIRTUAL TABLE words USING fts5(a)");
    const subscriber = await TestSubscriber.open(store);
    subscriber.say({ type: "subscribe", tables });
    await subscriber.until(() => subscriber.closed !== undefined);
    expect(subscriber.closed).toEqual({ code: CLOSE.badMessage, reason });
  });

  it("keeps a quiet connection alive", async () => {
    const response = await store.stub.fetch("https://store/live", { headers: { upgrade: "websocket" } });
    const socket = response.webSocket as WebSocket;
    const pong = new Promise((resolve) => socket.addEventListener("message", ({ data }) => resolve(data)));
    socket.accept();
    socket.send("ping");
    expect(await pong).toBe("pong");
  });
});

describe("a snapshot", () => {
  const snapshot = { type: "subscribe", tables: ["GAMES", "tags"], snapshot: true };

  it("holds the tables at its position, and changes follow", async () => {
    await store.query("INSERT INTO games VALUES (2, 'go', 1.5), (1, 'chess', 9007199254740993)");
    const subscriber = await TestSubscriber.open(store);
    subscriber.say(snapshot);
    await store.query("INSERT INTO tags VALUES ('x', 1, 'n')");
    await store.query("INSERT INTO audit VALUES (1)");
    expect(await subscriber.next()).toMatchObject({ type: "hello", snapshot: true });
    const { seq, ...first } = (await subscriber.next()) as { seq: number };
    const games = { table: "games", columns: ["id", "name", "score"] };
    expect(first).toMatchObject({
      type: "snapshot",
      lin: 1,
      tables: [
        {
          ...games,
          rows: [
            [1, "chess", { int: "9007199254740993" }],
            [2, "go", 1.5],
          ],
        },
        { table: "tags" },
      ],
    });
    // Where the write came in between, it is told: once, in one of the two ways.
    const tags = (first as unknown as { tables: { rows: unknown[] }[] }).tables[1]?.rows;
    expect(tags).toHaveLength(seq >= 2 ? 1 : 0);
    if (seq < 2)
      expect(await subscriber.next()).toMatchObject({ type: "change", seq: 2, changes: [{ table: "tags" }] });
    await store.query("DELETE FROM games WHERE id = 1");
    expect(await subscriber.next()).toMatchObject({
      type: "change",
      seq: 4,
      changes: [{ table: "games", keys: [[1]] }],
    });
  });

  it("has the generated columns, as a change with rows has them", async () => {
    await store.query("INSERT INTO sums (a, note) VALUES (5, 'x')");
    const subscriber = await TestSubscriber.open(store);
    subscriber.say({ type: "subscribe", tables: ["sums"], snapshot: true, rows: true });
    await subscriber.next();
    const columns = ["a", "v", "s", "note"];
    expect(await subscriber.next()).toMatchObject({
      type: "snapshot",
      tables: [{ table: "sums", columns: ["rowid", ...columns], rows: [[1, 5, 10, 15, "x"]] }],
    });
    await store.query("UPDATE sums SET a = 6");
    expect(await subscriber.next()).toMatchObject({ changes: [{ columns, rows: [[6, 12, 18, "x"]] }] });
  });

  it("takes the place of a gap, and of nothing else", async () => {
    const away = { ...snapshot, after: { lin: 1, seq: 0 } };
    await store.query("INSERT INTO games (id) VALUES (1)"); // before anybody listened: no log
    const first = await TestSubscriber.connect(store, away);
    expect(await first.next()).toMatchObject({ type: "resync", reason: "gap", seq: 1 }); // the client asks again
    first.say(snapshot);
    expect(await first.next()).toMatchObject({ type: "hello", snapshot: true });
    expect(await first.next()).toMatchObject({
      type: "snapshot",
      seq: 1,
      tables: [{ rows: [[1, null, null]] }, {}],
    });
    const other = await TestSubscriber.open(store);
    other.say({ ...snapshot, after: { lin: 9, seq: 0 } });
    expect(await other.next()).toMatchObject({ type: "hello", snapshot: true });
  });

  it("is none where the rows are too many or too large", async () => {
    for (const sql of [
      "INSERT INTO games (name) VALUES (zeroblob(600000))",
      "DELETE FROM games",
      `INSERT INTO games (name) SELECT 1 FROM json_each('[${Array(101).fill(0)}]') a, json_each('[${Array(100).fill(0)}]')`,
    ]) {
      await store.query(sql);
      const subscriber = await TestSubscriber.open(store);
      subscriber.say(snapshot);
      await subscriber.next();
      const tables = sql.startsWith("DELETE") ? [{ rows: [] }, { rows: [] }] : null;
      expect(await subscriber.next()).toMatchObject({ type: "snapshot", tables });
    }
  });

  it("needs tables that are named", async () => {
    const subscriber = await TestSubscriber.open(store);
    subscriber.say({ type: "subscribe", snapshot: true });
    await subscriber.until(() => subscriber.closed !== undefined);
    expect(subscriber.closed).toEqual({
      code: CLOSE.badMessage,
      reason: "snapshot: expected tables that are named",
    });
  });
});

describe("what a statement read", () => {
  it.each([
    ["a table", "SELECT name FROM games WHERE id = 1", ["games"]],
    ["an index alone", "SELECT count(*) FROM slots WHERE name > 'a'", ["slots"]],
    ["a view", "SELECT * FROM best", ["clips", "games"]],
    [
      "parts and subqueries",
      "SELECT a FROM tags UNION SELECT (SELECT max(what) FROM audit) FROM games",
      ["audit", "games", "tags"],
    ],
    ["WITH", "WITH c AS (SELECT * FROM clips) SELECT * FROM c", ["clips"]],
    ["no table", "SELECT 1", []],
    ["a function", "SELECT value FROM json_each('[1]')", []],
    ["the schema", "SELECT name FROM sqlite_schema", null],
    ["what was written", "SELECT changes()", null],
    ["what is no SELECT", "PRAGMA table_info(games)", null],
  ])("%s", async (_name, sql, reads) => {
    await store.query(
      "CREATE VIEW best AS SELECT c.title FROM games g JOIN clips c ON c.game = g.id WHERE g.score > 1",
    );
    const answer = await store.stub.query({ statements: [{ sql }], mode: "read", reads: true });
    expect(answer).toMatchObject({ ok: true, results: [{ reads }] });
    expect(await store.query(sql, [], "read")).not.toHaveProperty("results.0.reads");
  });

  it("is not known beside virtual tables", async () => {
    await store.query("CREATE VIRTUAL TABLE words USING fts5(a)");
    for (const sql of ["SELECT a FROM words WHERE words MATCH 'x'", "SELECT value FROM json_each('[1]')"]) {
      const answer = await store.stub.query({ statements: [{ sql }], mode: "read", reads: true });
      expect(answer).toMatchObject({ results: [{ reads: null }] });
    }
  });
});

describe("the way back", () => {
  it("tells subscribers and sends them away", async () => {
    const subscriber = await TestSubscriber.connect(store);
    await store.claim("rollback");
    expect(await subscriber.next()).toMatchObject({ type: "resync", reason: "moved" });
    await subscriber.until(() => subscriber.closed !== undefined);
    expect(subscriber.closed?.code).toBe(CLOSE.moved);
    await expect(TestSubscriber.open(store)).rejects.toThrow("not-active");
  });

  it("waits for nobody who does not answer the close", async () => {
    const response = await store.stub.fetch("https://store/live", { headers: { upgrade: "websocket" } });
    expect(response.status).toBe(101); // and is never accepted on this end
    await store.query("INSERT INTO games (id) VALUES (1)");
    expect((await store.claim("rollback")).status).toBe(200);
    expect((await store.digest()).status).toBe(200);
    expect((await store.post("release", { gen: store.gen })).status).toBe(200);
  });

  it("goes on after a rollback that was taken back", async () => {
    const first = await TestSubscriber.connect(store);
    await store.query("INSERT INTO games (id) VALUES (1)");
    const { lin, seq } = await first.next();
    await store.query("INSERT INTO games (id) VALUES (2)");
    await store.claim("rollback");
    await store.claim("migrate");
    await store.activate();
    const second = await TestSubscriber.connect(store, { after: { lin, seq } });
    expect(await second.next()).toMatchObject({ seq: 2, changes: [{ keys: [[2]] }] });
  });

  it("begins anew after another migration, whatever was written in between", async () => {
    const first = await TestSubscriber.connect(store);
    await store.query("INSERT INTO games (id) VALUES (1)");
    const after = await first.next();
    await store.claim("rollback");
    await store.post("release", { gen: store.gen });
    await store.import(SCHEMA);
    await store.activate();
    const second = await TestSubscriber.open(store);
    second.say({ type: "subscribe", after: { lin: after.lin, seq: after.seq } });
    await second.next();
    expect(await second.next()).toMatchObject({ type: "resync", lin: 3 });
  });
});

it("costs nothing while nobody listens", async () => {
  const answer = (await store.query("INSERT INTO audit VALUES (1)")) as QueryAnswer;
  expect(answer).toMatchObject({ results: [{ rowsWritten: 1 }] });
  const kept = await runInDurableObject(store.stub, (_object, { storage }) => [
    ...storage.kv.list({ prefix: "_dbmigrate:live" }),
  ]);
  expect(kept).toEqual([]);
});
