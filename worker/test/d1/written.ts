// A program for a D1 database, written by hand: the whole interface, and what is odd about it.
import type { Step } from "./program.ts";

type Run = (db: D1Database) => Promise<unknown>;

const all =
  (sql: string, ...values: unknown[]): Run =>
  (db) =>
    db
      .prepare(sql)
      .bind(...values)
      .all();
const of =
  (sql: string, use: (statement: D1PreparedStatement) => Promise<unknown>): Run =>
  (db) =>
    use(db.prepare(sql));

const odd = (value: unknown): never => value as never;

/** Texts that SQLite refuses, most of them at some place. */
const MISTAKEN: readonly string[] = [
  "  SELECT nope FROM games",
  "/* \u00e9 */ SELECT '\u00e9\ud83d\ude00', nope FROM games",
  "\ufeffSELECT nope FROM games",
  "SELECT\u00a0nope",
  "; SELECT nope FROM games",
  "SELECT 1; SELECT nope FROM games",
  "SELECT 1;\n  /* \u00e9 ; */ SELECT nope FROM games",
  "SELECT 1; -- x\n;; SELECT nope FROM games",
  "SELECT 1; SELECT nope; SELECT 2",
  "SELECT nope FROM games /* open",
  "SELECT 'open",
  'SELECT 1 WHERE "a" = [b]',
  "SELECT abs()",
  "SELECT median(1)",
  "SELECT sqlite_version()",
  "SELECT unknown_function(1)",
  "SELECT 1 ORDER BY nope",
  "SELECT id FROM games UNION ALL SELECT nope FROM games",
  "SELECT id FROM games UNION ALL SELECT id FROM games ORDER BY nope",
  "VALUES (1), (nope)",
  "WITH a AS (SELECT nope) SELECT * FROM a",
  "SELECT (SELECT nope FROM games)",
  "SELECT id FROM games LIMIT nope",
  "SELECT ?1 + nope",
  "SELECT * FROM games JOIN clips USING (nope)",
  "SELECT g.nope FROM games g",
  "SELECT id FROM games, clips",
  "SELECT count(*) OVER w FROM games",
  "CREATE TABLE games (a)",
  "CREATE TABLE twice (a, A)",
  "CREATE INDEX i ON games (nope)",
  "CREATE TRIGGER t AFTER INSERT ON nowhere BEGIN SELECT 1; END",
  "CREATE VIEW bad AS SELECT nope FROM games; SELECT * FROM bad",
  "ALTER TABLE games RENAME COLUMN nope TO x",
  "INSERT INTO games (id) VALUES (5) RETURNING nope",
  "INSERT INTO games (id, nope) VALUES (5, 1)",
  "INSERT INTO games (id) VALUES (5) ON CONFLICT (nope) DO NOTHING",
  "UPDATE games SET id = nope",
  "UPDATE games SET nope = 1 RETURNING id",
  "DELETE FROM games WHERE nope",
  "EXPLAIN SELECT nope FROM games",
  "EXPLAIN QUERY PLAN SELECT nope",
  "PRAGMA table_info(",
  "ATTACH 'x' AS y",
];

/** Of two mistakes the first one is told. */
const TWICE_MISTAKEN: readonly Run[] = [
  all("SELECT nope", 1),
  all("SELECT ?, nope"),
  all("SELECT ?", 1, 2),
  all("INSERT INTO games (nope) VALUES (?); SELECT 1", 1),
  all("INSERT INTO games (id) VALUES (1); SELECT ?; SELECT 1", 1),
  all("INSERT INTO games (id) VALUES (700); SELECT ?; SELECT 1", 1),
  ...["BEGIN", "SELECT ?", "SELECT nope", "SELECT 1; -- c", "SELECT\0"].map(
    (sql): Run =>
      (db) =>
        db.batch([db.prepare("INSERT INTO games (id) VALUES (1)"), db.prepare(sql)]),
  ),
];

/** What is no text, no list and no prepared statement. */
const ODD: readonly Run[] = [
  ...[5, null, undefined, { a: 1 }, true].flatMap((text): Run[] => [
    (db) => db.prepare(odd(text)).all(),
    (db) => db.prepare(odd(text)).bind(1).first(),
    (db) => db.batch([db.prepare("INSERT INTO games (id) VALUES (800)"), db.prepare(odd(text))]),
    (db) => db.batch([{ statement: text, params: [] } as never]),
  ]),
  ...[undefined, null, "SELECT 1", 5, {}, [null], [undefined], [{}], [5], ["SELECT 1"]].map(
    (list): Run =>
      (db) =>
        db.batch(odd(list)),
  ),
  ...[[], undefined, null, [2], ["x"], [null], [[1, 255]], "x", { a: 1 }].map(
    (params): Run =>
      (db) =>
        db.batch([{ statement: "SELECT 1 AS a", params } as never]),
  ),
  (db) =>
    db.batch([{ statement: "SELECT ? AS a", params: [[1, 255]] } as never, db.prepare("SELECT 2 AS b")]),
  (db) => db.exec(odd(5)),
  (db) => db.exec(odd(undefined)),
  (db) => db.exec(odd(null)),
  (db) => db.dump(),
  async (db) => {
    const statement = db.prepare("SELECT ? AS a");
    return [Object.keys(statement), (statement as unknown as { statement: string }).statement];
  },
];

/** Run in this order. A SELECT before the last statement of a text would lock the tables of the local D1. */
const program: readonly Run[] = [
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
  all("UPDATE games SET score = score + 1 WHERE score IS NOT NULL"),
  all("DELETE FROM games WHERE name = 'x'"),
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
  all("INSERT OR IGNORE INTO games (name) VALUES ('go')"),
  (db) =>
    db.batch(
      [
        "UPDATE games SET any = 1",
        "INSERT INTO clips (id) VALUES (900)",
        "UPDATE games SET any = 2",
        "SELECT 1",
      ].map((sql) => db.prepare(sql)),
    ),
  all("CREATE VIEW names AS SELECT name FROM games"),
  all("ALTER TABLE games ADD COLUMN more"),
  all("DROP VIEW names"),
  all("CREATE TABLE blobs (a)"),
  all("INSERT INTO blobs VALUES (zeroblob(20000))"),
  all("DROP TABLE blobs"),
  all("CREATE TABLE blobs (a)"),
  all("INSERT INTO blobs VALUES (zeroblob(5000)), (zeroblob(60000))"),
  all("DELETE FROM blobs"),
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
  ...MISTAKEN.map((sql) => all(sql)),
  (db) => db.exec("INSERT INTO clips (title) VALUES ('e4')\n SELECT nope"),
  (db) => db.batch([db.prepare("SELECT 1"), db.prepare(" SELECT 2; SELECT nope")]),
  ...TWICE_MISTAKEN,
  ...ODD,
  async (db) => db.prepare("SELECT ?").bind(undefined),
  async (db) => db.prepare("SELECT ?").bind(7n),
  async (db) => db.prepare("SELECT ?").bind({ a: 1 }),
  async (db) =>
    (await db.withSession("first-primary").prepare("SELECT count(*) AS n FROM clips").all()).results,
];

export const written: readonly Step[] = program.map((run, index) => ({
  text: `step ${index}: ${String(run)}`,
  run,
}));
