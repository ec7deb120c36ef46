// Generates programs for a D1 database: hundreds of calls of the whole interface; many fail.
import { Random } from "../fuzz/random.ts";

/** One call. */
export interface Step {
  readonly text: string;
  run(db: D1Database): Promise<unknown>;
}

/** What the program has made before its steps, so that most statements fit. */
const SCHEMA = [
  "CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT UNIQUE, score REAL CHECK (score IS NULL OR score < 1e9), cover BLOB, any)",
  "CREATE TABLE clips (id INTEGER PRIMARY KEY AUTOINCREMENT, game INTEGER REFERENCES games(id) ON DELETE CASCADE, title NOT NULL DEFAULT 'none')",
  'CREATE TABLE "Odd name" ("a b" INTEGER, any, PRIMARY KEY ("a b", any)) WITHOUT ROWID',
  "CREATE TABLE log (what, at INTEGER)",
  "CREATE TRIGGER noted AFTER INSERT ON games BEGIN INSERT INTO log VALUES ('game', new.id); END",
  "CREATE INDEX by_score ON games (score DESC)",
  "CREATE VIEW best AS SELECT name, score FROM games WHERE score > 2",
];

/** Parameters of each kind that D1 takes, and of kinds that it does not. */
const VALUES: readonly (() => unknown)[] = [
  ...[0, 1, -1, 7, 7.5, -0, 1e300, -1e-300, 2 ** 31, 2 ** 53, -(2 ** 53) - 2, NaN, Infinity, -Infinity].map(
    (value) => () => value,
  ),
  ...["", "go", "chess", "é", "日本", "a\0b", "'; --", "12", "1e3", " 5 "].map((value) => () => value),
  () => null,
  () => true,
  () => false,
  () => new Uint8Array([0, 255, 1]),
  () => new Uint8Array(0),
  () => new Uint8Array([9, 8, 7]).subarray(1),
  () => new Uint8Array([3, 2]).buffer,
  () => new Uint16Array([1, 258]),
  () => new Float64Array([1.5, 3]),
  () => new DataView(new Uint8Array([5, 6]).buffer),
  () => [1, 2, 255],
  () => [],
];
const REFUSED: readonly (() => unknown)[] = [
  () => undefined,
  () => 7n,
  () => ({ a: 1 }),
  () => new Date(0),
  () => Symbol("s"),
  () => () => 1,
  () => [256],
  () => [-1],
  () => [1.5],
  () => ["a"],
  () => [null],
  () => new Map(),
  () => /x/,
];

/** Statements with the number of parameters that they have. */
const STATEMENTS: readonly (readonly [string, number])[] = [
  ["INSERT INTO games (name, score) VALUES (?, ?)", 2],
  ["INSERT INTO games (name, any) VALUES (?1, ?2) RETURNING *", 2],
  ["INSERT OR IGNORE INTO games (name, any) VALUES (?, ?)", 2],
  ["INSERT OR REPLACE INTO games (id, name, cover) VALUES (?, ?, ?)", 3],
  [
    "INSERT INTO games (name, score) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET score = coalesce(score, 0) + 1",
    1,
  ],
  ["INSERT INTO games (id, any) VALUES (?, ?)", 2],
  ["INSERT INTO clips (game, title) SELECT id, name FROM games WHERE name IS NOT NULL", 0],
  ["INSERT INTO clips (game, title) VALUES (?, ?)", 2],
  ["INSERT INTO clips DEFAULT VALUES", 0],
  ['INSERT INTO "Odd name" VALUES (?, ?)', 2],
  ["UPDATE games SET score = score + 1 WHERE score < ?", 1],
  ["UPDATE games SET any = ? WHERE id = ? RETURNING id, any, typeof(any) AS kind", 2],
  ["UPDATE games SET name = name", 0],
  ["UPDATE clips SET title = NULL WHERE id = ?", 1],
  ["DELETE FROM games WHERE id = ?", 1],
  ["DELETE FROM clips WHERE id > ?", 1],
  ["DELETE FROM games WHERE name IS ? RETURNING name", 1],
  ["REPLACE INTO log VALUES (?, ?)", 2],
  ["SELECT * FROM games ORDER BY id", 0],
  ["SELECT * FROM clips ORDER BY id DESC LIMIT 3", 0],
  ['SELECT "a b", any FROM "Odd name" ORDER BY 1, 2', 0],
  ["SELECT id, id AS id, name, name AS ID FROM games ORDER BY 1", 0],
  ["SELECT g.*, c.* FROM games g JOIN clips c ON c.game = g.id ORDER BY c.id", 0],
  ["SELECT count(*) FROM games", 0],
  ["SELECT count(*) AS n, sum(score) AS s, avg(score), max(any), group_concat(name) FROM games", 0],
  ["SELECT name FROM games WHERE score > ? ORDER BY name", 1],
  ["SELECT ? AS v, typeof(?1) AS t, quote(?1) AS q", 1],
  ["SELECT ?2 AS b, ?1 AS a", 2],
  ["SELECT ? + ? AS sum, ? || 'x' AS text", 3],
  ["SELECT hex(?) AS h, length(?) AS l", 2],
  ["SELECT 9007199254740993 AS long, 5.0 AS whole, 1e400 AS endless, x'00ff' AS bytes, -0.0 AS zero", 0],
  ["SELECT name AS n FROM games UNION SELECT title FROM clips ORDER BY n", 0],
  ["SELECT 1 WHERE 0", 0],
  ["VALUES (1, 'a'), (2, NULL)", 0],
  ["WITH n(i) AS (VALUES (1), (2)) SELECT i FROM n", 0],
  ["WITH n(i) AS (VALUES (1), (2)) INSERT INTO log (at) SELECT i FROM n", 0],
  [
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50 AND i < ?) SELECT sum(i) FROM n",
    1,
  ],
  ["SELECT json_extract(?, '$.a') AS a", 1],
  ["SELECT * FROM best ORDER BY name", 0],
  ["SELECT name FROM pragma_table_info('games')", 0],
  ["PRAGMA table_info(clips)", 0],
  ["PRAGMA foreign_key_list(clips)", 0],
  ["PRAGMA user_version = 3", 0],
  ["EXPLAIN QUERY PLAN SELECT * FROM log", 0],
  ["CREATE TABLE IF NOT EXISTS extra (a, b)", 0],
  ["ALTER TABLE log ADD COLUMN more DEFAULT 5", 0],
  ["DROP TABLE IF EXISTS extra", 0],
  ["CREATE TABLE games (a)", 0],
  ["SELECT nope FROM games", 0],
  ["SELECT * FROM nowhere", 0],
  ["SELEC 1", 0],
  ["SELECT (1", 0],
  ["SELECT 'open", 0],
  ["INSERT INTO games VALUES (1)", 0],
  ["INSERT INTO log (nope) VALUES (?)", 1],
  ["SELECT abs()", 0],
  ["SELECT unknown_function(1)", 0],
  ["SELECT json('{')", 0],
  ["SELECT abs(-9223372036854775808)", 0],
  ["BEGIN", 0],
  ["COMMIT", 0],
  ["SELECT 1;", 0],
  ["  SELECT 2 AS two -- behind", 0],
  ["/* before */ SELECT 3", 0],
  ["", 0],
  ["  -- nothing", 0],
  [";", 0],
  ["SELECT :name AS n", 1],
];

/** Ends of a text behind which D1 looks for one more statement, and ends that it passes over. */
const GOES_ON = ["; -- c", ";;", "; ;", "; /* c */", ";/* c */ ;", "; -- c\n;", "; /* open"];
const ODD = [";\0", "\0;", ";\ufeff", ";\u00a0"];
const ENDS = [";", "; ", ";\v", ";\n\f", " -- c", " /* c */", " -- c\n ;", " /*", " /* a */ -- b\n"];
const FRONTS = ["; ", ";; /* a */ ", "-- a\n; ", "\ufeff", "INSERT INTO log (at) VALUES (3); /* b */ ;"];

/**
 * Texts with comments, semicolons, spaces and NULs around their statements. None has a SELECT of a table, or a
 * RETURNING, before the last statement: the local D1 would leave the table locked.
 */
const UNUSUAL: readonly string[] = [
  ...["SELECT 1", "INSERT INTO log (at) VALUES (1)"].flatMap((sql) =>
    [...GOES_ON, ...ODD, ...ENDS].map((end) => sql + end),
  ),
  ...["SELECT id + 1 FROM games", "INSERT INTO log (at) VALUES (2) RETURNING at + 1"].flatMap((sql) => [
    ...ENDS.map((end) => sql + end),
    ...FRONTS.map((start) => start + sql),
  ]),
  ...["/* c */", "/* open", " ; ", "; -- c", "\0", "\ufeff", "\t", "  -- a\n\t-- b"],
  ...["SELECT 1 AS n /* open", "SELECT 1; /*", "INSERT INTO log (at) VALUES (4) /* open"],
  ...[
    "CREATE INDEX IF NOT EXISTS by_time ON log (at) -- c",
    "CREATE VIEW IF NOT EXISTS one AS SELECT 1 -- c",
  ],
  ...["SELECT name, sql FROM sqlite_schema WHERE name IN ('by_time', 'one')", "SELECT * FROM one"],
  ...["SELEC; -- c", "SELECT nope; /* c */", "SELECT 1 UNION SELECT 2 -- c", "VALUES (1) -- c"],
];

export function program(seed: number, length: number): Step[] {
  const generator = new Generator(new Random(seed));
  const steps = SCHEMA.map((sql) => callOf(`run ${sql}`, (db) => db.prepare(sql).run()));
  while (steps.length < length) steps.push(generator.step());
  return steps;
}

function callOf(text: string, run: (db: D1Database) => Promise<unknown>): Step {
  return { text, run };
}

type Prepare = (db: Pick<D1Database, "prepare">) => D1PreparedStatement;

class Generator {
  constructor(private readonly random: Random) {}

  step(): Step {
    const [text, prepare] = this.statement();
    const session = this.random.pick(["none", "none", "first-primary", "first-unconstrained"]);
    const on = (db: D1Database) => (session === "none" ? db : db.withSession(session));
    const of = (name: string, call: (s: D1PreparedStatement) => Promise<unknown>) =>
      callOf(`${name} ${text}`, async (db) => call(prepare(on(db))));
    switch (this.random.below(9)) {
      case 0:
        return of("first", (s) => s.first());
      case 1:
        return of("first(name)", (s) => s.first("name"));
      case 2:
        return of("run", (s) => s.run());
      case 3:
        return of("raw", (s) => s.raw());
      case 4:
        return of("raw with names", (s) => s.raw({ columnNames: true }));
      case 5:
        return this.batch(on);
      case 6:
        return this.exec();
      default:
        return of("all", (s) => s.all());
    }
  }

  private batch(on: (db: D1Database) => Pick<D1Database, "prepare" | "batch">): Step {
    const parts = Array.from({ length: 1 + this.random.below(4) }, () => this.statement());
    return callOf(`batch ${parts.map(([text]) => text).join(" | ")}`, async (db) =>
      on(db).batch(parts.map(([, prepare]) => prepare(on(db)))),
    );
  }

  private exec(): Step {
    const fit = STATEMENTS.flatMap(([sql, count]) => (count === 0 ? [sql] : []));
    const all = [...fit, ...UNUSUAL].filter((sql) => !/^\s*--/m.test(sql)); // see d1.test.ts
    const lines = Array.from({ length: 1 + this.random.below(3) }, () => this.random.pick(all));
    const text = lines.join("\n");
    return callOf(`exec ${JSON.stringify(text)}`, (db) => db.exec(text));
  }

  /** Mostly with as many parameters as it has, of kinds that D1 takes. */
  private statement(): [string, Prepare] {
    const unusual = this.random.below(4) === 0;
    const [sql, count] = unusual ? [this.random.pick(UNUSUAL), 0] : this.random.pick(STATEMENTS);
    const given = this.random.below(12) === 0 ? this.random.below(4) : count;
    const values = Array.from({ length: given }, () =>
      this.random.pick(this.random.below(15) === 0 ? REFUSED : VALUES),
    );
    const shown = values.map((value) => `${typeof value()} ${String(value).replace(/^\(\) => /, "")}`);
    const bare = values.length === 0 && this.random.below(2) === 0;
    return [
      `${sql} [${shown.join(", ")}]`,
      (db) => (bare ? db.prepare(sql) : db.prepare(sql).bind(...values.map((value) => value()))),
    ];
  }
}
