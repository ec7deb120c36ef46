// Methods of one class, called for users in either home.
import { inspect } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { UserLogic, WireError } from "../../src/index.ts";
import { bindings, fenced, fileKey } from "../router/fixtures.ts";
import { send } from "../router/store-driver.ts";
import { mounted } from "./entry.ts";
import { HOMES, type Mover, router, userIn } from "./homes.ts";

class Base extends UserLogic {
  inherited(): string {
    return "from the base";
  }
}

class Games extends Base {
  readonly field = (): string => "a function in a field";

  add(text: string): number {
    this.sql.exec("INSERT INTO t VALUES (?)", text);
    return this.count();
  }

  count(): number {
    return Number(this.sql.exec("SELECT count(*) AS n FROM t").one()["n"]);
  }

  nothing(): void {
    this.sql.exec("DELETE FROM t WHERE 0");
  }

  addAndThrow(text: string): never {
    this.add(text);
    throw new RangeError(`no ${text}`);
  }

  throwText(): void {
    throw "just a text";
  }

  duplicate(): void {
    this.sql.exec("CREATE UNIQUE INDEX u ON t(a)");
    this.sql.exec("INSERT INTO t VALUES ('one')");
  }

  /** Catches what a statement throws, and goes on. */
  catches(): string {
    this.sql.exec("CREATE UNIQUE INDEX u ON t(a)");
    try {
      this.sql.exec("INSERT INTO t VALUES ('one')");
    } catch (error) {
      this.add("two");
      return (error as Error).message;
    }
    return "nothing thrown";
  }

  nested(): unknown {
    const seen: number[] = [];
    this.transactionSync(() => {
      this.add("kept");
      try {
        this.transactionSync(() => {
          this.add("dropped");
          this.transactionSync(() => this.add("dropped, too"));
          seen.push(this.count());
          throw new Error("back");
        });
      } catch (error) {
        seen.push(this.count());
        if ((error as Error).message !== "back") throw error;
      }
    });
    return seen;
  }

  async later(): Promise<number> {
    return this.add("later");
  }

  promise(): unknown {
    this.add("promised");
    return Promise.resolve(1);
  }

  returnsFunction(): unknown {
    this.add("function");
    return () => 1;
  }

  echo(...args: unknown[]): unknown {
    return args;
  }

  leak(): void {
    leaked = this;
  }

  values(): unknown {
    const cursor = this.sql.exec(
      "SELECT 1 AS i, 2.5 AS r, 'x' AS t, x'00ff' AS b, NULL AS n, 9007199254740993 AS long, 5.0 AS whole",
    );
    return [cursor.columnNames, cursor.toArray()];
  }

  cursor(): unknown {
    const many = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y' ORDER BY 1";
    const cursor = this.sql.exec(many);
    const first = cursor.next();
    const rest = [...cursor];
    const end = cursor.next();
    const raw = this.sql.exec(many).raw();
    const { rowsRead, rowsWritten } = this.sql.exec("INSERT INTO t VALUES ('r')");
    return {
      first: { ...first, done: first.done === true },
      rest,
      end: { done: end.done },
      raw: [raw.next().value, arrayOf(raw)],
      twice: this.sql.exec("SELECT 1 AS a, 2 AS a").toArray(),
      rawTwice: arrayOf(this.sql.exec("SELECT 1 AS a, 2 AS a").raw()),
      read: typeof rowsRead,
      written: rowsWritten > 0,
      size: this.sql.databaseSize > 0,
      version: this.sql.exec("PRAGMA user_version").toArray(),
    };
  }

  run(text: string, ...bindings: unknown[]): unknown {
    try {
      return this.sql.exec(text, ...(bindings as never[])).toArray();
    } catch (error) {
      return [(error as Error).name, (error as Error).message];
    }
  }

  one(sql: string): unknown {
    return this.sql.exec(sql).one();
  }

  get accessor(): string {
    return "no method";
  }

  _hidden(): number {
    return 1;
  }

  override toString(): string {
    return "overridden";
  }

  static fixed(): number {
    return 1;
  }
}

/** Iterators have it in the runtime, and not in the types of today. */
function arrayOf<T>(iterator: IterableIterator<T>): T[] {
  return (iterator as unknown as { toArray(): T[] }).toArray();
}

class Unknown extends UserLogic {
  count(): number {
    return 1;
  }
}

let leaked: Games | undefined;

beforeAll(() => {
  mounted.logic = { Games };
});

type Method = keyof ReturnType<typeof games>;
const games = ({ user }: Mover) => router().call(user, Games);

/** What a call gives, or how it fails. */
async function outcome(mover: Mover, method: string, ...args: unknown[]): Promise<unknown> {
  try {
    const called = games(mover)[method as Method] as (...args: unknown[]) => Promise<unknown>;
    return await called(...args);
  } catch (error) {
    const { name, message, cause } = error as Error;
    const { kind } = (error instanceof WireError ? error : cause) as WireError;
    return { name, message, kind };
  }
}

async function texts(mover: Mover): Promise<unknown> {
  return mover.column("SELECT a FROM t ORDER BY rowid");
}

describe.each(HOMES)("in the %s", (home) => {
  it("a method writes, and its value comes back", async () => {
    const mover = await userIn(home);
    expect(await games(mover).add("two")).toBe(2);
    expect(await games(mover).inherited()).toBe("from the base");
    expect(await texts(mover)).toEqual(["one", "two"]);
    expect(await mover.side()).toBe(home === "file" ? "file" : "store");
  });

  it("what is thrown rolls back and comes with name and message", async () => {
    const mover = await userIn(home);
    const thrown = { name: "RangeError", message: "no two", kind: "application-threw" };
    expect(await outcome(mover, "addAndThrow", "two")).toEqual(thrown);
    expect(await outcome(mover, "throwText")).toEqual({ ...thrown, name: "Error", message: "just a text" });
    const failed = "Games.duplicate: UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT";
    expect(await outcome(mover, "duplicate")).toMatchObject({
      kind: "sql-error",
      message: expect.stringContaining(failed),
    });
    expect(await texts(mover)).toEqual(["one"]);
    expect(await mover.column("SELECT count(*) FROM sqlite_schema WHERE name = 'u'")).toEqual([0]);
  });

  it("an error of a statement can be caught", async () => {
    const mover = await userIn(home);
    expect(await outcome(mover, "catches")).toMatch(/^UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT/);
    expect(await texts(mover)).toEqual(["one", "two"]);
  });

  it("transactions may be nested", async () => {
    const mover = await userIn(home);
    expect(await outcome(mover, "nested")).toEqual([4, 2]);
    expect(await texts(mover)).toEqual(["one", "kept"]);
  });

  it.each([
    ["later", /^Games.later is async: /],
    ["promise", /^Games.promise is async: /],
    ["returnsFunction", /^what Games.returnsFunction returns cannot be cloned: /],
  ])("%s is refused, and wrote nothing", async (method, message) => {
    const mover = await userIn(home);
    const refused = { kind: "bad-request", message: expect.stringMatching(message) };
    expect(await outcome(mover, method)).toMatchObject(refused);
    expect(await texts(mover)).toEqual(["one"]);
  });

  it("only methods that the class declares can be called", async () => {
    const mover = await userIn(home);
    const names =
      "_hidden constructor toString hasOwnProperty __proto__ valueOf accessor field sql storage transactionSync exec fixed nope then";
    for (const method of [...names.split(" "), ""]) {
      const request = { logic: "Games", method, args: [] };
      const direct = await bindings.USER_DATA.getByName(mover.user).callLogic(request);
      expect(direct, method).toMatchObject({ ok: false, error: { kind: "not-found" } });
      const remote = games(mover)[method as Method] as unknown;
      if (remote === undefined) continue;
      await expect((remote as () => Promise<unknown>)(), method).rejects.toMatchObject({ kind: "not-found" });
    }
    for (const logic of ["Unknown", "constructor", "__proto__", "toString", ""]) {
      const request = { logic, method: "count", args: [] };
      const direct = await bindings.USER_DATA.getByName(mover.user).callLogic(request);
      expect(direct, logic).toMatchObject({ ok: false, error: { kind: "not-found" } });
    }
    await expect(router().call(mover.user, Unknown).count()).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining("Unknown is not registered"),
    });
  });

  it("arguments are copied, and have to be cloneable", async () => {
    const mover = await userIn(home);
    const args = [
      1,
      "x",
      null,
      undefined,
      2n ** 70n,
      new Date(0),
      new Map([[1, { a: [2] }]]),
      Uint8Array.of(1),
    ];
    expect(await outcome(mover, "echo", ...args)).toEqual(args);
    const refused = {
      kind: "bad-request",
      message: expect.stringMatching(/^an argument of Games.echo cannot/),
    };
    expect(await outcome(mover, "echo", () => 1)).toMatchObject(refused);
  });

  it("a database that outlives its call is closed", async () => {
    const mover = await userIn(home);
    await games(mover).leak();
    expect(() => leaked?.count()).toThrow("Games.leak has ended");
  });

  it("a call that writes nothing saves and counts nothing; another one does, once", async () => {
    const mover = await userIn(home);
    const before = [await mover.etag(), await mover.writes()];
    await games(mover).nothing();
    await games(mover).count();
    expect([await mover.etag(), await mover.writes()]).toEqual(before);
    await games(mover).add("two");
    const [etag, writes] = [await mover.etag(), await mover.writes()];
    if (home === "file") expect(etag).not.toBe(before[0]);
    else expect([etag, writes]).toEqual([before[0], Number(before[1]) + 1]);
  });

  it("a call in read mode may not write", async () => {
    const mover = await userIn(home);
    const reading = router().call(mover.user, Games, { mode: "read" });
    expect(await reading.count()).toBe(1);
    await expect(reading.add("two")).rejects.toMatchObject({ kind: "write-in-read" });
    expect(await texts(mover)).toEqual(["one"]);
  });

  it("a cursor has at most as many rows as an answer", async () => {
    const mover = await userIn(home);
    const many = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001) SELECT i FROM n";
    expect(await outcome(mover, "one", many)).toMatchObject({ kind: "too-costly" });
  });
});

/** Each runs on both sides, and has to give the same. */
const SAME: readonly (readonly [method: string, ...args: unknown[]])[] = [
  ["values"],
  ["cursor"],
  ["one", "SELECT 1 WHERE 0"],
  ["one", "SELECT 1 UNION SELECT 2"],
  ["one", "SELECT 1 AS a"],
  ["run", ""],
  ["run", "-- nothing"],
  ["run", "SELECT 1 AS a; SELECT 2 AS b"],
  ["run", "SELECT 1;"],
  ["run", "INSERT INTO t VALUES ('x'); SELECT count(*) AS n FROM t WHERE a = ?", "x"],
  ["run", "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END; SELECT 5 AS five"],
  ["run", "SELECT ? AS a"],
  ["run", "SELECT ? AS a", 1, 2],
  ["run", "SELECT 1 AS a", 1],
  ...[
    1,
    1.5,
    -0,
    NaN,
    Infinity,
    "text",
    "",
    null,
    undefined,
    true,
    false,
    2n,
    {},
    [],
    Symbol("s"),
    "\ud800",
  ].map((value) => ["run", "SELECT typeof(?1) AS type, ?1 AS value", value] as const),
  ["run", "SELECT typeof(?1) AS type, ?1 AS value", Uint8Array.of(1, 2).subarray(1)],
  ["run", "SELECT typeof(?1) AS type, ?1 AS value", Uint8Array.of(1, 2).buffer],
  ["run", "SELEC 1"],
  ["run", "SELECT nope FROM t"],
  ["run", "SELECT * FROM nowhere"],
  ["run", "SELECT (1"],
  ["run", "SELECT 'open"],
  ["run", "SELECT 1 /* open"],
  ["run", "SELECT 'a\0b'"],
  ["run", "BEGIN"],
  ["run", "COMMIT"],
  ["run", "ROLLBACK"],
  ["run", "SAVEPOINT x"],
  ["run", "SELECT 1; COMMIT; SELECT 2"],
  ["run", "ATTACH ':memory:' AS x"],
  ["run", "PRAGMA user_version"],
  ["run", "PRAGMA main.user_version"],
  ["run", "PRAGMA user_version = 5"],
  ["run", "PRAGMA foreign_keys"],
  ["run", "PRAGMA foreign_keys = off"],
  ["run", "PRAGMA defer_foreign_keys = on"],
  ["run", "PRAGMA table_info(t)"],
  ["run", "ALTER TABLE t RENAME TO _cf_t"],
  ["run", "CREATE TABLE _cf_x(a)"],
  ["run", "SELECT changes() AS c"],
  ["run", "INSERT INTO t VALUES ('c'); SELECT changes() AS c"],
  ["run", "INSERT INTO t VALUES ('c') RETURNING a"],
  ["run", "SELECT sqlite_version()"],
  ["run", `SELECT ${Array.from({ length: 101 }, () => "1").join()}`],
];

it("both homes answer alike", async () => {
  const different: unknown[] = [];
  const movers = await Promise.all(HOMES.map(userIn));
  for (const [method, ...args] of SAME) {
    const answers = [];
    for (const mover of movers) {
      answers.push(shown([await outcome(mover, method, ...args), await texts(mover)]));
    }
    if (answers[0] !== answers[1]) different.push([method, shown(args), ...answers]);
  }
  expect(different).toEqual([]);
});

/** What cannot be told in UTF-8, too. */
function shown(value: unknown): string {
  return inspect(value, { depth: null, breakLength: Infinity });
}

it("a call goes on while the user is under way, or waits, as a query does", async () => {
  const mover = await userIn("object");
  await send(mover.user, "claim", { intent: "rollback", seen: 1 });
  const impatient = router({ deadlineMs: 300 });
  expect(await impatient.call(mover.user, Games, { mode: "read" }).count()).toBe(1);
  await expect(impatient.call(mover.user, Games, { mode: "read" }).addAndThrow("x")).rejects.toMatchObject({
    name: "RangeError",
  });
  await expect(impatient.call(mover.user, Games).add("two")).rejects.toMatchObject({
    kind: "cutover-in-progress",
  });
  expect(await texts(mover)).toEqual(["one"]);
});

it("nobody knows of a call whose object failed, whether it was applied", async () => {
  const mover = await userIn("object");
  const store = {
    idFromName: (name: string) => bindings.USER_DATA.idFromName(name),
    get: () => ({ callLogic: () => Promise.reject(new Error("gone")) }),
  } as unknown as typeof bindings.USER_DATA;
  const failing = router({ store, deadlineMs: 100 });
  await expect(failing.call(mover.user, Games).add("two")).rejects.toMatchObject({ kind: "outcome-unknown" });
  await expect(failing.call(mover.user, Games, { mode: "read" }).count()).rejects.toMatchObject({
    kind: "internal",
  });
});

it("a call on a file is saved over exactly what it read, or made again", async () => {
  const mover = await userIn("file");
  const sums = await Promise.all(Array.from({ length: 3 }, (_, i) => games(mover).add(`${i}`)));
  expect(sums.sort()).toEqual([2, 3, 4]);
  expect(await mover.column("SELECT count(*) FROM t")).toEqual([4]);
});

it("a call for a user whose file is fenced by a migration is the object's", async () => {
  const mover = await userIn("file");
  const file = new Uint8Array(await (await bindings.BUCKET.get(fileKey(mover.user)))!.arrayBuffer());
  await bindings.BUCKET.put(fileKey(mover.user), fenced(file, 1, 1));
  const impatient = router({ deadlineMs: 200 }).call(mover.user, Games);
  await expect(impatient.add("two")).rejects.toMatchObject({ kind: "cutover-in-progress" });
});

it("observe is told of a call", async () => {
  const events: unknown[] = [];
  const mover = await userIn("object");
  await router({ observe: (event) => events.push(event) })
    .call(mover.user, Games)
    .count();
  expect(events).toMatchObject([{ kind: "request", method: "Games.count", mode: "write", side: "store" }]);
});
