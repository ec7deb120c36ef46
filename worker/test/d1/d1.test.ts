// One program on a real D1 and on a user's database, on both sides: the same answers and the same errors.
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { userDatabase } from "../../src/index.ts";
import { newUser } from "../router/fixtures.ts";
import { inFile, inObject, outcome, router } from "./compare.ts";

const { D1 } = env as unknown as { readonly D1: D1Database };

type Step = (db: D1Database) => Promise<unknown>;

const all =
  (sql: string, ...values: unknown[]): Step =>
  (db) =>
    db
      .prepare(sql)
      .bind(...values)
      .all();
const of =
  (sql: string, use: (statement: D1PreparedStatement) => Promise<unknown>): Step =>
  (db) =>
    use(db.prepare(sql));

/**
 * A statement that inserts nothing: D1 then repeats the rowid of an earlier one, which a file's connection
 * never saw.
 */
const changing =
  (sql: string): Step =>
  async (db) => {
    const { results, success, meta } = await db.prepare(sql).run();
    return { results, success, meta: { ...meta, last_row_id: 0 } };
  };

/** Run in this order. A SELECT before the last statement of a text would lock the tables of the local D1. */
const program: readonly Step[] = [
  async (db) => {
    const session = db.withSession("first-primary");
    const before = session.getBookmark();
    await session.prepare("SELECT 1").all();
    const after = session.getBookmark();
    await db
      .withSession(after ?? "")
      .prepare("SELECT 1")
      .all();
    return [before, typeof after];
  },
  of("SELECT 1 AS a", (statement) => statement.raw({ columnNames: 1 as unknown as true })),
  all("CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT UNIQUE, score REAL, cover BLOB, any)"),
  all(
    "CREATE TABLE clips (id INTEGER PRIMARY KEY, game INTEGER REFERENCES games(id) ON DELETE CASCADE, title)",
  ),
  all("INSERT INTO games (name, score) VALUES (?, ?)", "go", 1.5),
  all(
    "INSERT INTO games (name, score, cover) VALUES (?, ?, ?), (?, ?, ?)",
    "chess",
    5,
    new Uint8Array([1, 2, 255]),
    "x",
    null,
    [0, 9],
  ),
  all("INSERT INTO games (name, any) VALUES (?1, ?2) RETURNING *", "returned", true),
  all("INSERT INTO clips (game, title) SELECT id, name FROM games"),
  all("SELECT * FROM games ORDER BY id"),
  all("SELECT id, id AS id, name FROM games ORDER BY id LIMIT 1"),
  all("SELECT * FROM games WHERE id = ?", 99),
  all(
    "SELECT 5.0 AS whole, 2.5 AS half, 1e300 AS large, 9007199254740993 AS long, NULL AS none, x'00ff' AS bytes, 'é' AS text",
  ),
  all("SELECT typeof(?) AS t, ? AS v", "s", "s"),
  all("SELECT typeof(?) AS t, ? AS v", 7, 7),
  all("SELECT typeof(?) AS t, ? AS v", 7.5, 7.5),
  all("SELECT typeof(?) AS t, ? AS v", -0, -0),
  all("SELECT typeof(?) AS t, ? AS v", 1e300, 9007199254740992),
  all("SELECT typeof(?) AS t, ? AS v", NaN, Infinity),
  all("SELECT quote(?) AS q", new Uint16Array([1, 256])),
  all("SELECT typeof(?) AS t, ? AS v", null, null),
  all("SELECT typeof(?) AS t, ? AS v", false, false),
  all("SELECT typeof(?) AS t, ? AS v", new Uint8Array([3]).buffer, new Uint8Array([3])),
  all("SELECT 1 AS a UNION SELECT 2 AS a"),
  changing("UPDATE games SET score = score + 1 WHERE score IS NOT NULL"),
  changing("DELETE FROM games WHERE name = 'x'"),
  all("SELECT count(*) AS n FROM clips"),
  all("PRAGMA table_info(clips)"),
  all("WITH n(i) AS (VALUES (1), (2)) INSERT INTO clips (title) SELECT i FROM n"),
  of("SELECT * FROM games ORDER BY id", (s) => s.first()),
  of("SELECT * FROM games ORDER BY id", (s) => s.first("name")),
  of("SELECT * FROM games WHERE 0", (s) => s.first("name")),
  of("SELECT * FROM games", (s) => s.first("nope")),
  of("SELECT id, id, name FROM games ORDER BY id", (s) => s.raw()),
  of("SELECT id, id, name FROM games ORDER BY id", (s) => s.raw({ columnNames: true })),
  of("SELECT * FROM games WHERE 0", (s) => s.raw({ columnNames: true })),
  of("INSERT INTO games (name) VALUES ('run')", (s) => s.run()),
  (db) =>
    db.batch([
      db.prepare("INSERT INTO games (name) VALUES (?)").bind("b1"),
      db.prepare("SELECT count(*) AS n FROM games"),
    ]),
  (db) =>
    db.batch([
      db.prepare("INSERT INTO games (name) VALUES ('b2')"),
      db.prepare("INSERT INTO games (name) VALUES ('go')"),
    ]),
  all("SELECT count(*) AS n FROM games"),
  async (db) => ({
    ...(await db.exec("INSERT INTO clips (title) VALUES ('e1')\nINSERT INTO clips (title) VALUES ('e2')")),
    duration: 0,
  }),
  (db) =>
    db.exec("INSERT INTO clips (title) VALUES ('s1'); INSERT INTO clips (title) VALUES (';--')\nSELECT 2;"),
  (db) => db.exec("INSERT INTO clips (title) VALUES ('s2');; INSERT INTO games (name) VALUES ('go')"),
  (db) => db.exec("INSERT INTO clips (title) VALUES ('s3'); SELEC"),
  (db) =>
    db.exec(
      "CREATE TABLE q (x); CREATE TRIGGER tq AFTER INSERT ON q BEGIN DELETE FROM q WHERE x = 1; SELECT 1; END; INSERT INTO q VALUES (1); INSERT INTO q VALUES (3)",
    ),
  all("SELECT * FROM q"),
  all("INSERT INTO q VALUES (4); INSERT INTO q VALUES (?)", 5),
  all("INSERT INTO q VALUES (6); SELECT count(*) AS n FROM q"),
  all("INSERT INTO q VALUES (?); INSERT INTO q VALUES (?)", 7, 8),
  all("INSERT INTO q VALUES (?); SELECT 1", 9),
  all("INSERT INTO q VALUES (10); INSERT INTO games (name) VALUES ('go')"),
  (db) =>
    db.batch([
      db.prepare("INSERT INTO q VALUES (11); SELECT 7 AS seven"),
      db.prepare("INSERT INTO q VALUES (12); SELECT 8 AS eight;"),
    ]),
  all("INSERT INTO q VALUES (13); -- behind"),
  all("INSERT INTO q VALUES (?); -- behind", 14),
  all("INSERT INTO q VALUES (15);;"),
  all("INSERT INTO q VALUES (16)\0; INSERT INTO q VALUES (17)"),
  all("INSERT INTO q VALUES (18); SELEC; -- behind"),
  all("INSERT INTO games (name) VALUES ('go'); -- behind"),
  (db) => db.batch([db.prepare("INSERT INTO q VALUES (19)"), db.prepare("SELECT 1; /* behind */")]),
  (db) => db.exec("INSERT INTO q VALUES (20)\nINSERT INTO q VALUES (21); -- behind"),
  all("; /* a */ ;INSERT INTO q VALUES (22) /* open"),
  of("SELECT 1 + 1 /* behind */ -- it\n ;", (s) => s.first()),
  all("SELECT 1 /*"),
  all("SELECT 1; /*"),
  (db) => db.batch([]),
  all("SELECT group_concat(x) AS x FROM q; "),
  all("DROP TABLE q"),
  all("SELECT title FROM clips ORDER BY id"),
  all("SELECT 'a\ud800b' AS text, '\udc00' AS \"n\udbff\""),
  all("SELECT ? AS text", "a\ud800b\udc00"),
  all("SELECT '\ud83d\ude00' AS text, hex('\ud83d\ude00') AS h"),
  (db) => db.exec("INSERT INTO nowhere VALUES (1)\nINSERT INTO clips (title) VALUES ('e3')"),
  all("INSERT INTO games (name) VALUES ('go')"),
  all("INSERT INTO clips (game) VALUES (12345)"),
  all("SELECT nope FROM games"),
  all("SELECT * FROM nowhere"),
  all("SELEC 1"),
  async (db) => db.prepare("SELECT ?").bind(undefined),
  async (db) => db.prepare("SELECT ?").bind(7n),
  async (db) => db.prepare("SELECT ?").bind({ a: 1 }),
  async (db) =>
    (await db.withSession("first-primary").prepare("SELECT count(*) AS n FROM clips").all()).results,
];

describe.each([
  ["a file", inFile],
  ["a Durable Object", inObject],
])("a user in %s", (_, make) => {
  it("answers as D1 does", async () => {
    for (const name of ["games", "clips"])
      await D1.prepare(`DROP TABLE IF EXISTS ${name === "games" ? "clips" : "games"}`).run();
    const db = await make();
    for (const [index, step] of program.entries()) {
      const wanted = await outcome(step, D1);
      expect(await outcome(step, db), `step ${index}: ${String(step)}`).toEqual(wanted);
    }
  });

  it("takes a text for a session, or nothing", async () => {
    for (const d1 of [D1, await make()])
      expect(() => d1.withSession({} as unknown as string)).toThrow(TypeError);
  });

  it.each(["sqlite_master", '"sqlite_master"', "`sqlite_schema`", "[sqlite_master]", '"SQLITE_Schema"'])(
    "shows the application's tables alone in %s",
    async (schema) => {
      const db = await make();
      await db.exec("CREATE TABLE mine (a)");
      const sql = `SELECT m.name, p.name AS c FROM ${schema} AS m, pragma_table_info(m.name) AS p`;
      expect(await db.prepare(`${sql} WHERE m.name LIKE '%m%'`).raw()).toEqual([["mine", "a"]]);
    },
  );

  // As the D1 of wrangler does. That of the tests is older: it passes over such a line where it is indented.
  it("passes over lines that hold only a comment", async () => {
    const db = await make();
    expect(await db.exec("-- a\nCREATE TABLE lines (a)\n-- b\nINSERT INTO lines VALUES (1)")).toMatchObject({
      count: 2,
    });
    const given = await db.batch([db.prepare("-- a\n  -- b"), db.prepare("SELECT a FROM lines")]);
    expect(given.map(({ results }) => results)).toEqual([[{ a: 1 }]]);
    await expect(db.prepare("-- a").all()).rejects.toThrow("D1_ERROR: No SQL statements detected.");
  });

  it("names the entry that failed, not its statement", async () => {
    const db = await make();
    expect((await db.prepare("SELECT 1 AS a; SELECT 2 AS b").all()).results).toEqual([{ b: 2 }]);
    const made = [
      "CREATE TABLE e (a UNIQUE); INSERT INTO e VALUES (1)",
      "SELECT 1; SELECT 2; INSERT INTO e VALUES (1)",
    ];
    await expect(db.batch(made.map((sql) => db.prepare(sql)))).rejects.toMatchObject({
      cause: { details: { statement: 1 } },
    });
  });

  it("keeps every digit and byte where asked to", async () => {
    const db = userDatabase(router, newUser(), { exact: true });
    expect((await db.prepare("SELECT 9007199254740993 AS i, 5.0 AS r, x'00ff' AS b").all()).results).toEqual([
      { i: { int: "9007199254740993" }, r: { real: "5.0" }, b: { blob: "AP8=" } },
    ]);
  });
});

describe("errors of a move", () => {
  const failing = (kind: string, message: string) =>
    userDatabase({ query: async () => ({ ok: false, error: { kind, message } }) as never }, "user");
  const failure = async (kind: string, message = "said"): Promise<[string, unknown]> => {
    const error = (await failing(kind, message)
      .prepare("SELECT 1")
      .all()
      .catch((thrown: unknown) => thrown)) as Error;
    return [error.message, (error.cause as { kind?: string }).kind];
  };
  /** What Cloudflare's documentation repeats a request for. */
  const isRetried = (message: string): boolean =>
    [
      "Network connection lost",
      "storage caused object to be reset",
      "reset because its code was updated",
    ].some((text) => message.includes(text));

  it("says that the connection was lost where the request may be repeated", async () => {
    const [message, kind] = await failure("cutover-in-progress");
    expect([message, kind]).toEqual(["D1_ERROR: Network connection lost. said", "cutover-in-progress"]);
    expect(isRetried(message)).toBe(true);
  });

  it.each([
    "Network connection lost.",
    "it was reset because its code was updated.",
    "storage caused object to be reset",
  ])("says no such thing after a write that may have been applied: %s", async (text) => {
    const [message, kind] = await failure(
      "outcome-unknown",
      `ask the Durable Object: ${text}: it may have been`,
    );
    expect([isRetried(message), kind]).toEqual([false, "outcome-unknown"]);
  });

  it("repeats a read that wrote as a write", async () => {
    const modes: unknown[] = [];
    const db = userDatabase(
      {
        query: async (_, { mode }) => {
          modes.push(mode);
          if (mode === "read") return { ok: false, error: { kind: "write-in-read", message: "it wrote" } };
          return {
            ok: true,
            side: "file",
            results: [{ columns: ["a"], rows: [[1]], rowsRead: 0, rowsWritten: 1 }],
          };
        },
      },
      "user",
    );
    expect(await db.prepare("SELECT 1 AS a").first("a")).toBe(1);
    expect(modes).toEqual(["read", "write"]);
  });
});
