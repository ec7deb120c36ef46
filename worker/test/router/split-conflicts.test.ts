// Writes to one half of a split user that would stand in the way of a merge, refused on request; and changes of the
// schema that come to both halves, wherever a step of them fails. The sides are real.
import { parts as mounted } from "../../service/mounted.ts";
import { beforeEach, describe, expect, it } from "vitest";
import { routeBetween, userDatabase, UserLogic } from "../../src/index.ts";
import type { LogicClasses } from "../../src/logic/registry.ts";
import type { FileSide, QueryAnswer, QueryRequest, Router, StoreSide } from "../../src/index.ts";
import { runOnFile } from "../../src/file/engine.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import { R2FileSide } from "../../src/router/file-side.ts";
import { DurableStoreSide } from "../../src/router/store-side.ts";
import { bindings, fileKey, newUser, stamped } from "./fixtures.ts";
import { bringTo, LINEAGE, queryStore, seal, send } from "./store-driver.ts";

const files = new R2FileSide(bindings.BUCKET, fileKey, 1_000_000);
const store = new DurableStoreSide(bindings.USER_DATA, undefined);

let user: string;
beforeEach(() => {
  user = newUser();
});

class Keyed extends UserLogic {
  add(id: number): void {
    this.sql.exec("INSERT INTO keyed VALUES (?)", id);
  }
}

interface Parts {
  files?: Partial<FileSide>;
  store?: Partial<StoreSide>;
  path?: "auto" | "r2";
  splitConflicts?: "accept" | "refuse";
  logic?: LogicClasses;
}

function router({
  path = "auto",
  splitConflicts = "refuse",
  logic = { keyed: Keyed },
  ...parts
}: Parts = {}): Router {
  return routeBetween(
    {
      flag: { isMigrated: async () => false },
      files: {
        get: (u) => files.get(u),
        look: (u, k) => files.look(u, k),
        save: (r, b) => files.save(r, b),
        ...parts.files,
      },
      store: {
        query: (u, r) => store.query(u, r),
        thaw: (u, r) => store.thaw(u, r),
        live: (u, r) => store.live(u, r),
        ...parts.store,
      },
    },
    { path, splitConflicts, deadlineMs: 5000, maxFileBytes: 1_000_000, logic, ...mounted },
  );
}

/** The schema of the driver's stores, with what else is asked for. */
function hotFile(...statements: string[]): Uint8Array {
  const all = ["CREATE TABLE t(a)", "CREATE TABLE keyed(id INTEGER PRIMARY KEY)", ...statements];
  const request = parseQueryRequest({ statements: all.map((sql) => ({ sql })) });
  return runOnFile(new Uint8Array(0), request).changed ?? new Uint8Array(0);
}

async function put(bytes: Uint8Array): Promise<void> {
  await bindings.BUCKET.put(fileKey(user), bytes);
}

/** The hot rows 1 and 2 in the file, and the cold rows 7 and 8 in the object. */
async function split(): Promise<void> {
  await put(stamped(hotFile("INSERT INTO keyed VALUES (1), (2)"), LINEAGE));
  await bringTo("COLD", user);
  await queryStore(user, "INSERT INTO keyed VALUES (7), (8)", "cold");
}

const write = (sql: string, scope: "hot" | "cold" = "hot", parts: Parts = {}): Promise<QueryAnswer> =>
  router(parts).query(user, { statements: [{ sql }], scope });

/** Runs `first` before the call of this number, counted from 1. */
function before<A extends unknown[], R>(
  call: number,
  first: () => Promise<unknown>,
  then: (...given: A) => Promise<R>,
): (...given: A) => Promise<R> {
  let calls = 0;
  return async (...given) => {
    if (++calls === call) await first();
    return then(...given);
  };
}

async function ids(scope: "hot" | "cold"): Promise<unknown> {
  const answer = await router().query(user, {
    statements: [{ sql: "SELECT id FROM keyed ORDER BY id" }],
    mode: "read",
    scope,
  });
  return answer.ok ? answer.results[0]?.rows.flat() : answer.error.kind;
}

const conflict = { ok: false, error: { kind: "split-conflict" } };

describe("a hot row under a cold row's key", () => {
  it.each([
    "INSERT INTO keyed VALUES (7)",
    "INSERT INTO keyed VALUES (3), (8)",
    "INSERT OR REPLACE INTO keyed VALUES (7)",
    "INSERT INTO keyed VALUES (7) ON CONFLICT DO UPDATE SET id = 7",
    "UPDATE keyed SET id = id + 6",
    "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO keyed SELECT i FROM n UNION ALL SELECT 8",
  ])("is refused: %s", async (sql) => {
    await split();
    const answer = await write(sql);
    expect(answer).toMatchObject({
      error: { ...conflict.error, details: { table: "keyed", columns: ["id"] } },
    });
    expect(await ids("hot")).toEqual([1, 2]);
    expect(await write(sql, "hot", { splitConflicts: "accept" })).toMatchObject({ ok: true });
  });

  it("is refused of a method, too", async () => {
    await split();
    const keyed = router().call(user, Keyed);
    await expect(keyed.add(7)).rejects.toMatchObject({ kind: "split-conflict" });
    await keyed.add(3);
    expect(await ids("hot")).toEqual([1, 2, 3]);
  });

  it("does not come in beside a split", async () => {
    await put(hotFile("INSERT INTO keyed VALUES (1), (7), (8)"));
    // The row is archived and written again between the read and the save.
    const save = before(1, split, files.save.bind(files));
    const answer = await write("INSERT OR REPLACE INTO keyed VALUES (7)", "hot", { files: { save } });
    expect(answer).toMatchObject(conflict);
  });

  it.each([
    "INSERT INTO keyed VALUES (3)",
    "INSERT OR REPLACE INTO keyed VALUES (2)",
    "DELETE FROM keyed",
    "INSERT INTO t VALUES (7)",
  ])("is not: %s", async (sql) => {
    await split();
    expect(await write(sql)).toMatchObject({ ok: true });
  });

  it("cannot be where the user is not split, and the emergency switch asks nobody", async () => {
    await put(hotFile());
    expect(await write("INSERT INTO keyed VALUES (7)")).toMatchObject({ ok: true });
    await split();
    const query = () => Promise.reject(new Error("no object can be reached"));
    const inserted = await write("INSERT INTO keyed VALUES (7)", "hot", { path: "r2", store: { query } });
    expect(inserted).toMatchObject({ ok: true });
  });

  it("costs no question where no key is given", async () => {
    await split();
    const query = () => Promise.reject(new Error("nobody is to be asked"));
    for (const sql of ["UPDATE keyed SET id = id", "DELETE FROM keyed", "INSERT INTO t VALUES (1)"])
      expect(await write(sql, "hot", { store: { query } })).toMatchObject({ ok: true });
  });
});

describe("a schema of one half", () => {
  it.each(["hot", "cold"] as const)("is refused of the %s half", async (scope) => {
    await split();
    for (const sql of ["ALTER TABLE t ADD b", "/* new */ create index i on t(a)", "DROP TABLE t"])
      expect(await write(sql, scope)).toMatchObject(conflict);
    expect(await write("ALTER TABLE t ADD b", scope, { splitConflicts: "accept" })).toMatchObject({
      ok: true,
    });
  });

  it("is that of users who are not split", async () => {
    await put(hotFile());
    expect(await write("ALTER TABLE t ADD b")).toMatchObject({ ok: true });
  });
});

const COLUMNS = "SELECT group_concat(name) FROM pragma_table_info('t')";

/** The columns of t in both halves. */
async function columns(): Promise<unknown> {
  const answer = await router().queryBoth(user, { statements: [{ sql: COLUMNS }] });
  if (!answer.ok) return answer.error;
  return [answer.hot, answer.cold].map((half) => half?.results[0]?.rows[0]?.[0]);
}

const addB = { statements: [{ sql: "ALTER TABLE t ADD b" }, { sql: "UPDATE t SET b = 1" }] };

/** What a rollback does, step by step. */
async function mergeAll(): Promise<void> {
  await seal(user);
  await send(user, "merge", { gen: LINEAGE + 1 });
  await put(stamped(hotFile("INSERT INTO keyed VALUES (1), (2), (7), (8)"), LINEAGE + 1));
  await send(user, "release", { gen: LINEAGE + 1 });
}

describe("a change of the schema", () => {
  it("comes to both halves", async () => {
    await split();
    expect(await router().schema(user, addB)).toEqual({ ok: true, scopes: ["cold", "hot"] });
    expect(await columns()).toEqual(["a,b", "a,b"]);
  });

  it("comes to the file of a user who is not split, and to the object of one who moved", async () => {
    await put(hotFile());
    expect(await router().schema(user, addB)).toEqual({ ok: true, scopes: ["hot"] });
    expect(await columns()).toEqual(["a,b", undefined]);
    user = newUser();
    await bringTo("ACTIVE", user);
    expect(await router().schema(user, addB)).toEqual({ ok: true, scopes: ["hot"] });
    expect(await columns()).toEqual(["a,b", undefined]);
  });

  it("is refused where one half does not take it, and neither has it then", async () => {
    await split();
    await queryStore(user, "INSERT INTO t VALUES ('twice'), ('twice')", "cold");
    const unique = { statements: [{ sql: "CREATE UNIQUE INDEX u ON t(a)" }] };
    expect(await router().schema(user, unique)).toMatchObject({
      error: { kind: "sql-error", details: { statement: 0 } },
    });
    await write("INSERT INTO t VALUES ('x'), ('x')");
    await queryStore(user, "DELETE FROM t", "cold");
    expect(await router().schema(user, unique)).toMatchObject({ error: { kind: "sql-error" } });
    await write("DELETE FROM t");
    expect(await router().schema(user, unique)).toMatchObject({ ok: true });
  });

  it.each(["hot", "cold"] as const)("ends what was begun in the %s half", async (scope) => {
    await split();
    for (const { sql } of addB.statements) await write(sql, scope, { splitConflicts: "accept" });
    const other = scope === "hot" ? "cold" : "hot";
    expect(await router().schema(user, addB)).toEqual({ ok: true, scopes: [other] });
    expect(await columns()).toEqual(["a,b", "a,b"]);
  });

  it("says when the halves differ by something else, or nothing changes", async () => {
    await split();
    const nothing = { statements: [{ sql: "UPDATE t SET a = 1" }] };
    expect(await router().schema(user, nothing)).toMatchObject({ error: { kind: "bad-request" } });
    expect(await router().schema(user, { statements: [] })).toMatchObject({ error: { kind: "bad-request" } });
    await write("ALTER TABLE keyed ADD c", "hot", { splitConflicts: "accept" });
    expect(await router().schema(user, addB)).toMatchObject(conflict);
    expect(await columns()).toEqual(["a", "a"]);
  });

  // Wherever a call of either side fails or loses its answer, the same call again ends it.
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9])(
    "is ended by another call when step %i loses its answer",
    async (step) => {
      await split();
      let calls = 0;
      const lose = async <T>(answer: Promise<T>): Promise<T> => {
        const got = await answer;
        if (++calls === step) throw new Error("the answer was lost");
        return got;
      };
      const broken = router({
        store: { query: (u, r) => lose(store.query(u, r)) },
        files: { save: (r, b) => lose(files.save(r, b)) },
      });
      const first = await broken.schema(user, addB);
      const again = first.ok ? first : await router().schema(user, addB);
      if (!again.ok) expect(again.error.message).toContain("duplicate column"); // it was done
      expect(await columns()).toEqual(["a,b", "a,b"]);
    },
  );

  it.each([1, 2, 3])("follows a user who comes home before question %i of the object", async (call) => {
    await split();
    const query = before(call, mergeAll, store.query.bind(store));
    expect(await router({ store: { query } }).schema(user, addB)).toMatchObject({ ok: true });
    expect(await columns()).toEqual(["a,b", undefined]);
  });

  it.each([1, 2])("follows a user who is split before read %i of the file", async (call) => {
    await put(hotFile("INSERT INTO keyed VALUES (1), (2), (7), (8)"));
    const get = before(call, split, files.get.bind(files));
    expect(await router({ files: { get } }).schema(user, addB)).toMatchObject({ ok: true });
    expect(await columns()).toEqual(["a,b", "a,b"]);
  });
});

describe("a full-text search", () => {
  const find = {
    sql: "SELECT rowid, rank FROM search WHERE search MATCH ? ORDER BY rank LIMIT 10",
    params: ["winter"],
  };
  const request = {
    find,
    statements: [
      {
        sql: "SELECT n.id, n.title, f.value ->> 1 AS rank FROM json_each(:found) AS f JOIN notes AS n ON n.id = f.value ->> 0",
      },
    ],
    merge: [{ orderBy: [{ column: "rank" }], limit: 10 }],
  };

  it.each(["fts5(body)", "fts5(body, prefix='2', tokenize='porter')"])(
    "over %s finds rows in both halves, in the order of their rank",
    async (index) => {
      const notes = "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT)";
      await put(
        stamped(
          hotFile(
            notes,
            `CREATE VIRTUAL TABLE search USING ${index}`,
            "INSERT INTO notes VALUES (1, 'hot'), (2, 'other')",
            "INSERT INTO search (rowid, body) VALUES (1, 'a winter in the far north of the country'), (2, 'summer'), (7, 'winter winter'), (8, 'spring')",
          ),
          LINEAGE,
        ),
      );
      await bringTo("COLD", user);
      await queryStore(user, notes, "cold");
      await queryStore(user, "INSERT INTO notes VALUES (7, 'cold'), (8, 'colder')", "cold");
      const answer = await router().queryBoth(user, request);
      expect(answer.ok && answer.merged?.[0]?.rows.map(([id, title]) => [id, title])).toEqual([
        [7, "cold"],
        [1, "hot"],
      ]);
      const joined = await router().queryBoth(user, {
        statements: [
          {
            sql: "SELECT n.id FROM search JOIN notes AS n ON n.id = search.rowid WHERE search MATCH 'winter'",
          },
        ],
      });
      expect(joined).toMatchObject({ ok: false, error: { kind: "sql-error" } }); // only the hot half has it
    },
  );

  it("answers a user who is not split, and says what is wrong with it", async () => {
    await put(
      hotFile(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT)",
        "CREATE VIRTUAL TABLE search USING fts5(body)",
        "INSERT INTO notes VALUES (1, 'hot')",
        "INSERT INTO search (rowid, body) VALUES (1, 'winter')",
      ),
    );
    expect(await router().queryBoth(user, request)).toMatchObject({
      merged: [{ rows: [[1, "hot", expect.anything()]] }],
    });
    const wrong = async (changed: object) => {
      const answer = await router().queryBoth(user, { ...request, ...changed });
      return answer.ok ? "ok" : answer.error.kind;
    };
    expect(await wrong({ find: { sql: "SELECT nothing" } })).toBe("sql-error");
    expect(await wrong({ find: { sql: "DELETE FROM notes" } })).toBe("write-in-read");
    expect(await wrong({ find: { sql: "SELECT x'00'" } })).toBe("bad-request");
    expect(await wrong({ statements: [{ sql: "SELECT :found", params: [1] }] })).toBe("bad-request");
  });

  it("gives what was found exactly", async () => {
    await put(hotFile());
    const exact: QueryRequest["statements"] = [{ sql: "SELECT :found" }];
    const sql = "SELECT 9007199254740993, 'a''\"', NULL, 5.0, 0.1, -7";
    const answer = await router().queryBoth(user, { find: { sql }, statements: exact });
    expect(answer.ok && answer.hot.results[0]?.rows).toEqual([
      ['[[9007199254740993,"a\'\\"",null,5.0,0.1,-7]]'],
    ]);
  });
});

// A half of a split user sees its own rows only. Whichever way a statement comes to a half, the error says so.
describe("a foreign key with its parent in the other half", () => {
  const TABLES = [
    "CREATE TABLE parent(id INTEGER PRIMARY KEY)",
    "CREATE TABLE child(id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent DEFERRABLE INITIALLY IMMEDIATE)",
    "CREATE TABLE late(id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
  ];

  class Parents extends UserLogic {
    adopt(p: number): void {
      this.sql.exec("INSERT INTO child (p) VALUES (?)", p);
    }
  }

  /** The parent 1 is hot, and 7 is cold. */
  async function families(): Promise<void> {
    await put(stamped(hotFile(...TABLES, "INSERT INTO parent VALUES (1)"), LINEAGE));
    await bringTo("COLD", user);
    for (const sql of [...TABLES, "INSERT INTO parent VALUES (7)"])
      expect(await queryStore(user, sql, "cold")).toMatchObject({ ok: true });
  }

  const hot = /FOREIGN KEY constraint failed.*among the cold ones/;
  const cold = /FOREIGN KEY constraint failed.*among the hot ones/;
  const ask = (request: QueryRequest, parts: Parts = {}) => router(parts).query(user, request);

  it.each<[string, RegExp, () => Promise<unknown>]>([
    ["a statement", hot, () => write("INSERT INTO child (p) VALUES (7)")],
    ["a deferred key", hot, () => write("INSERT INTO late (p) VALUES (7)")],
    ["an upsert", hot, () => write("INSERT INTO child VALUES (1, 7) ON CONFLICT DO NOTHING")],
    [
      "the second of two statements",
      hot,
      () =>
        ask({ statements: [{ sql: "INSERT INTO child VALUES (3, 1)" }, { sql: "UPDATE child SET p = 7" }] }),
    ],
    [
      "beside refused conflicts",
      hot,
      () => write("INSERT INTO child (p) VALUES (7)", "hot", { splitConflicts: "refuse" }),
    ],
    [
      "beside accepted ones",
      hot,
      () => write("INSERT INTO child (p) VALUES (7)", "hot", { splitConflicts: "accept" }),
    ],
    [
      "writeBoth",
      hot,
      () =>
        router().writeBoth(user, {
          table: "parent",
          key: { id: 1 },
          statements: [{ sql: "INSERT INTO child (p) VALUES (7)" }],
        }),
    ],
    [
      "a change of the schema",
      hot,
      () =>
        router().schema(user, {
          statements: [{ sql: "CREATE TABLE x(a)" }, { sql: "INSERT INTO child (p) VALUES (7)" }],
        }),
    ],
    [
      "the D1 interface",
      hot,
      () => userDatabase(router(), user).prepare("INSERT INTO child (p) VALUES (7)").run(),
    ],
    [
      "a batch of the D1 interface",
      hot,
      async () => {
        const db = userDatabase(router(), user);
        return db.batch([db.prepare("INSERT INTO late (p) VALUES (?)").bind(7)]);
      },
    ],
    [
      "a method",
      hot,
      () =>
        router({ logic: { parents: Parents } })
          .call(user, Parents)
          .adopt(7),
    ],
    ["the cold half", cold, () => write("INSERT INTO child (p) VALUES (1)", "cold")],
    ["a deferred key of the cold half", cold, () => write("INSERT INTO late (p) VALUES (1)", "cold")],
  ])("is explained: %s", async (_way, words, run) => {
    await families();
    const said = await run().then(
      (answer) => (answer as { error?: { message: string } }).error?.message,
      (error: Error) => error.message,
    );
    expect(said).toMatch(words);
  });

  it("is explained while nobody can say whether the user is split", async () => {
    await families();
    const unknown = async () => Promise.reject(new Error("no answer"));
    const answer = await write("INSERT INTO child (p) VALUES (7)", "hot", {
      splitConflicts: "accept",
      store: { query: unknown },
    });
    expect(answer).toMatchObject({ error: { message: expect.stringMatching(hot) as string } });
  });

  it("is no other for a user who is not split", async () => {
    await put(hotFile(...TABLES));
    const answer = await write("INSERT INTO child (p) VALUES (7)");
    expect(answer).toMatchObject({ error: { message: expect.not.stringContaining("split") as string } });
  });
});
