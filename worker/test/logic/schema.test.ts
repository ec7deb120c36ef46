// The application's schema: what a user's database lacks of it comes before the next request, in either home.
import { afterEach, describe, expect, it } from "vitest";
import { UserLogic, type SchemaConfig } from "../../src/index.ts";
import { fileVersion } from "../../src/file/file-schema.ts";
import { Schema } from "../../src/schema/schema.ts";
import { bindings, database, fenced, fileKey, stamped } from "../router/fixtures.ts";
import { bringTo, send } from "../router/store-driver.ts";
import { TestSubscriber } from "../store/subscriber.ts";
import { mounted } from "./entry.ts";
import { HOMES, Mover, router, userIn } from "./homes.ts";

afterEach(() => {
  delete mounted.schema;
  delete mounted.logic;
});

function mount(...migrations: string[]): void {
  mounted.schema = { migrations };
}

const FIRST = "CREATE TABLE IF NOT EXISTS t(a); CREATE TABLE games(id INTEGER PRIMARY KEY, name TEXT)";
const SECOND = "INSERT INTO games(name) VALUES ('go;'); ALTER TABLE games ADD COLUMN score REAL DEFAULT 1";
const THIRD =
  "CREATE TRIGGER scored AFTER INSERT ON games BEGIN UPDATE games SET score = 5 WHERE id = new.id; SELECT 1; END; PRAGMA user_version = 30";

class Scores extends UserLogic {
  columns(): unknown {
    return [...this.sql.exec("SELECT name FROM pragma_table_info('games')").raw()];
  }

  add(name: string): void {
    this.sql.exec("INSERT INTO games(name) VALUES (?)", name);
  }

  /** What the database is to blame for cannot be caught away. */
  endless(): void {
    for (;;) {
      try {
        this.sql.exec("WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
      } catch (error) {
        if (!/too|steps/.test((error as Error).message)) throw error;
        break;
      }
    }
  }

  version(): unknown {
    return this.sql.exec("PRAGMA user_version").one()["user_version"];
  }
}

async function query(mover: Mover, sql: string, mode: "read" | "write" = "read", options = {}) {
  const answer = await router(options).query(mover.user, { statements: [{ sql }], mode });
  return answer.ok ? answer.results[0]?.rows : answer.error;
}

const version = async (mover: Mover) => query(mover, "PRAGMA user_version");

describe.each(HOMES)("in the %s", (home) => {
  it("migrations run once, at the next request of any kind", async () => {
    const mover = await userIn(home);
    mount(FIRST);
    expect(await version(mover)).toEqual([[1]]);
    mount(FIRST, SECOND);
    expect(await query(mover, "SELECT name, score FROM games")).toEqual([["go;", { real: "1.0" }]]);
    mount(FIRST, SECOND, THIRD);
    await query(mover, "INSERT INTO games(name) VALUES ('chess')", "write");
    expect(await query(mover, "SELECT name, score FROM games WHERE id = 2")).toEqual([
      ["chess", { real: "5.0" }],
    ]);
    expect(await version(mover)).toEqual([[30]]);
    const before = [await mover.etag(), await mover.writes()];
    expect(await query(mover, "SELECT count(*) FROM games")).toEqual([[2]]);
    expect([await mover.etag(), await mover.writes()]).toEqual(before);
  });

  it("a call finds the schema, too", async () => {
    const mover = await userIn(home);
    mount(FIRST, SECOND);
    mounted.logic = { Scores };
    const scores = router().call(mover.user, Scores, { mode: "read" });
    expect(await scores.columns()).toEqual([["id"], ["name"], ["score"]]);
    expect(await scores.version()).toBe(2);
  });

  it("requests side by side run them once", async () => {
    const mover = await userIn(home);
    mount(FIRST, SECOND);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => query(mover, "SELECT name FROM games")),
    );
    expect(answers).toEqual(Array(4).fill([["go;"]]));
  });

  it("one that fails leaves the user at the old version, and says so", async () => {
    const mover = await userIn(home);
    mount(FIRST);
    await version(mover);
    const before = [await mover.etag(), await mover.writes()];
    mount(FIRST, SECOND, "INSERT INTO games(id) VALUES (1)");
    for (const mode of ["read", "write"] as const) {
      expect(await query(mover, "SELECT 1", mode)).toEqual({
        kind: "schema-failed",
        message: expect.stringMatching(
          /^schema migration 3 failed: .*UNIQUE constraint failed: games.id.*; the user's database stays at version 1$/,
        ),
        details: { version: 1, migration: "3" },
      });
    }
    mount(FIRST);
    expect([await mover.etag(), await mover.writes()]).toEqual(before);
    expect(await version(mover)).toEqual([[1]]);
    expect(await mover.column("SELECT name FROM pragma_table_info('games')")).toEqual(["id", "name"]);
  });

  it("a newer version than the code's is served as it is", async () => {
    const mover = await userIn(home);
    mount(FIRST, SECOND, THIRD);
    await version(mover);
    mount(FIRST);
    expect(await version(mover)).toEqual([[30]]);
  });

  it("a table is made again without its children losing their parents", async () => {
    const mover = await userIn(home);
    mount("CREATE TABLE p(i INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p ON DELETE CASCADE)");
    await query(mover, "INSERT INTO p VALUES (1)", "write");
    await query(mover, "INSERT INTO c VALUES (1)", "write");
    const again =
      "PRAGMA foreign_keys=OFF;--> statement-breakpoint\nCREATE TABLE n(i INTEGER PRIMARY KEY, more);--> statement-breakpoint\n" +
      "INSERT INTO n(i) SELECT i FROM p;--> statement-breakpoint\nDROP TABLE p;--> statement-breakpoint\nALTER TABLE n RENAME TO p;--> statement-breakpoint\nPRAGMA foreign_keys=ON;";
    const { migrations } = mounted.schema as { migrations: string[] };
    mount(...migrations, again);
    expect(await query(mover, "SELECT p FROM c")).toEqual([[1]]);
    expect(await query(mover, "INSERT INTO c VALUES (9)", "write")).toMatchObject({ kind: "sql-error" });
    mount(...migrations, again, "PRAGMA foreign_keys = 0; DELETE FROM p");
    expect(await version(mover)).toMatchObject({
      kind: "schema-failed",
      message: expect.stringContaining("FOREIGN KEY constraint failed"),
    });
  });

  it("an application that ran drizzle's migrations before goes on where they ended", async () => {
    const mover = await userIn(home);
    await query(mover, "CREATE TABLE __drizzle_migrations(id, hash, created_at NUMERIC)", "write");
    await query(mover, "INSERT INTO __drizzle_migrations VALUES (NULL, '', 2000)", "write");
    const entries = [1000, 2000, 3000].map((when, idx) => ({
      idx,
      when,
      tag: `000${idx}_step`,
      breakpoints: true,
    }));
    const migrations = { m0000: "CREATE TABLE t(a)", m0001: "CREATE TABLE t(a)", m0002: "CREATE TABLE u(b)" };
    mounted.schema = { migrations: { journal: { entries }, migrations } };
    expect(await version(mover)).toEqual([[3]]);
    expect(await query(mover, "SELECT name FROM sqlite_schema WHERE name IN ('t', 'u')")).toHaveLength(2);
  });

  it("nothing but a migration sets the version", async () => {
    const mover = await userIn(home);
    expect(await query(mover, "PRAGMA user_version = 5", "write")).toMatchObject({ kind: "sql-error" });
    expect(await query(mover, "PRAGMA main.user_version")).toEqual([[0]]);
    expect(await query(mover, "SELECT * FROM pragma_user_version")).toMatchObject({ kind: "sql-error" });
  });
});

it("the version travels there and back, and goes on from where it is", async () => {
  const mover = await userIn("file");
  mount(FIRST);
  await version(mover);
  await mover.toObject();
  expect(await version(mover)).toEqual([[1]]);
  mount(FIRST, SECOND, THIRD);
  expect(await version(mover)).toEqual([[30]]);
  await mover.toFile();
  expect(await mover.side()).toBe("file");
  expect(await version(mover)).toEqual([[30]]);
  mount(FIRST, SECOND, THIRD, "CREATE TABLE late(a)");
  expect(await version(mover)).toEqual([[31]]);
  await mover.toObject();
  expect(await version(mover)).toEqual([[31]]);
});

it("a new user gets the schema, and no file before the first write", async () => {
  mount(FIRST, SECOND);
  const mover = new Mover();
  expect(await query(mover, "SELECT name FROM games")).toEqual([["go;"]]);
  expect(await query(mover, "SELECT name FROM games", "write")).toEqual([["go;"]]);
  expect(await mover.etag()).toBeUndefined();
  await query(mover, "INSERT INTO t VALUES (1)", "write");
  const file = await bindings.BUCKET.get(fileKey(mover.user));
  expect(fileVersion(new Uint8Array(await file!.arrayBuffer()))).toBe(2);
});

it("nothing runs where the router may not save, and nothing on sealed data", async () => {
  const mover = await userIn("file");
  mount(FIRST);
  const etag = await mover.etag();
  expect(await query(mover, "PRAGMA user_version", "read", { savesFiles: false })).toEqual([[0]]);
  expect(await mover.etag()).toBe(etag);

  const moved = await userIn("object");
  await send(moved.user, "claim", { intent: "rollback", seen: 1 });
  const waited = await query(moved, "SELECT * FROM games", "read", { deadlineMs: 300 });
  expect(waited).toMatchObject({ kind: "cutover-in-progress" });
});

it("a fenced file without the schema waits for the side that gives it", async () => {
  const mover = new Mover();
  await bindings.BUCKET.put(fileKey(mover.user), fenced(database("one"), 1, 1));
  mount(FIRST);
  expect(await query(mover, "SELECT a FROM t", "read", { deadlineMs: 300 })).toMatchObject({
    kind: "cutover-in-progress",
  });
  delete mounted.schema;
  expect(await query(mover, "SELECT a FROM t")).toEqual([["one"]]);
});

it("a read that brings the schema is no write whose outcome nobody knows", async () => {
  const mover = await userIn("file");
  mount(FIRST);
  let failures = 2;
  const bucket = new Proxy(bindings.BUCKET, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (name === "put" && failures-- > 0) return Promise.reject(new Error("no answer"));
        return Reflect.apply(method, target, args);
      };
    },
  });
  expect(await query(mover, "SELECT count(*) FROM games", "read", { bucket })).toEqual([[0]]);
  failures = 1;
  mount(FIRST, SECOND);
  expect(await query(mover, "DELETE FROM t", "write", { bucket })).toMatchObject({ kind: "outcome-unknown" });
  expect(await query(mover, "SELECT count(*) FROM t")).toEqual([[1]]);
});

it("each half of a split user gets the schema at its own request", async () => {
  const mover = new Mover();
  await bringTo("COLD", mover.user);
  await bindings.BUCKET.put(fileKey(mover.user), stamped(database("one"), 1));
  mount(FIRST);
  const both = await router().queryBoth(mover.user, { statements: [{ sql: "PRAGMA user_version" }] });
  expect(both).toMatchObject({
    hot: { side: "file", results: [{ rows: [[1]] }] },
    cold: { side: "store", results: [{ rows: [[1]] }] },
  });
});

it("subscribers to live updates hear of a call, and of a migration", async () => {
  const mover = await userIn("object");
  mounted.logic = { Scores };
  const stub = bindings.USER_DATA.getByName(mover.user);
  const subscriber = await TestSubscriber.connect({ stub });
  mount(FIRST);
  const scores = router().call(mover.user, Scores);
  await query(mover, "SELECT 1");
  expect(await subscriber.next()).toMatchObject({ type: "change", changes: null });
  await scores.add("go");
  expect(await subscriber.next()).toMatchObject({ type: "change", changes: [{ table: "games" }] });
});

it("a call that never ends is ended on a file", async () => {
  const mover = await userIn("file");
  mounted.logic = { Scores };
  await expect(router().call(mover.user, Scores).endless()).rejects.toMatchObject({ kind: "too-costly" });
});

const bad: [name: string, config: SchemaConfig, message: string][] = [
  ["a transaction", { migrations: ["BEGIN; CREATE TABLE a(b); COMMIT"] }, "migration 1 has BEGIN"],
  [
    "a version that does not grow",
    { migrations: ["PRAGMA user_version = 7", "PRAGMA user_version = 7"] },
    "version 7",
  ],
  ["a version that is no number", { migrations: ["PRAGMA user_version = x"] }, "version NaN"],
  [
    "a journal without its text",
    { migrations: { journal: { entries: [{ idx: 0, when: 1, tag: "0000_a" }] }, migrations: {} } },
    "names 0000_a",
  ],
];
it.each(bad)("refuses %s", (_name, config, message) => {
  expect(() => Schema.of(config)).toThrow(message);
  expect(() => router({ schema: config })).toThrow(message);
});
