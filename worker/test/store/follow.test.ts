// A copy that is made while the application writes: with what each answer says has changed, it is the store of the
// last answer's moment.
import { expect, it } from "vitest";
import { LIVE_LIMITS } from "../../src/live/protocol.ts";
import { Client, activeStore, parsePage, table } from "./client.ts";
import { some } from "../effort.ts";

const SCHEMA = [
  table("games", "CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT, score REAL)"),
  table("clips", "CREATE TABLE clips (id INTEGER PRIMARY KEY, game REFERENCES games ON DELETE CASCADE)"),
  table(
    "tags",
    "CREATE TABLE tags (a TEXT COLLATE NOCASE, b INTEGER, note, PRIMARY KEY (a, b)) WITHOUT ROWID",
  ),
  table("counted", "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, x)"),
  table("slots", "CREATE TABLE slots (id INTEGER PRIMARY KEY, name UNIQUE ON CONFLICT REPLACE)"),
  table("plain", "CREATE TABLE plain (x UNIQUE, y)"),
  table("large", "CREATE TABLE large (id INTEGER PRIMARY KEY, body TEXT, n)"),
  table("audit", "CREATE TABLE audit (what)"),
  {
    type: "trigger",
    name: "tr",
    table: "plain",
    sql: "CREATE TRIGGER tr AFTER INSERT ON plain BEGIN INSERT INTO audit VALUES (new.x); END",
  },
  // Its trigger changes all rows of an order, which it names by a column that is no rowid.
  table("lines", "CREATE TABLE lines (id INTEGER PRIMARY KEY, oid, total)"),
  {
    type: "trigger",
    name: "summed",
    table: "lines",
    sql: "CREATE TRIGGER summed AFTER INSERT ON lines BEGIN UPDATE lines SET total = total + 1 WHERE oid = new.oid; END",
  },
  // These change other rows, under names that SQLite takes for the table's own.
  table("Übersicht", 'CREATE TABLE "Übersicht" (id INTEGER PRIMARY KEY, n)'),
  {
    type: "trigger",
    name: "übersehen",
    table: "Übersicht",
    sql: 'CREATE TRIGGER "übersehen" AFTER INSERT ON "Übersicht" BEGIN UPDATE "Übersicht" SET n = n + 1 WHERE id = 1; END',
  },
  table("it's", `CREATE TABLE "it's" (id INTEGER PRIMARY KEY, n)`),
  {
    type: "trigger",
    name: "its",
    table: "it's",
    sql: `CREATE TRIGGER its AFTER INSERT ON "it's" BEGIN UPDATE 'it''s' SET n = n + 1 WHERE id = 1; END`,
  },
  {
    type: "trigger",
    name: "first",
    table: "Games",
    sql: "CREATE TRIGGER first AFTER UPDATE ON Games WHEN new.id <> 1 BEGIN UPDATE games SET score = ifnull(score, 0) + 1 WHERE id = 1; END",
  },
];
const KEYS: Record<string, string[]> = {
  games: ["id"],
  clips: ["id"],
  tags: ["a", "b"],
  counted: ["id"],
  slots: ["id"],
  plain: ["rowid"],
  large: ["id"],
  audit: ["rowid"],
  lines: ["id"],
  Übersicht: ["id"],
  "it's": ["id"],
  sqlite_sequence: ["rowid"],
  notes: ["rowid"],
  boxes: ["id"],
};
const LARGE_ROWS = 3_000;

/** Numbers that a seed decides. */
function random(seed: number) {
  let state = seed * 2_654_435_761 + 1;
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

/** A write of the application: what it changes is named by key, by table, or not at all. */
function statement(below: (n: number) => number): string {
  const n = below(40);
  const all = [
    `INSERT OR IGNORE INTO games VALUES (${n}, 'g${n}', ${n}.5)`,
    `INSERT INTO games VALUES (${n}, 'again', 1) ON CONFLICT (id) DO UPDATE SET score = score + 0.25`,
    `INSERT OR REPLACE INTO games VALUES (${n}, 'replaced', NULL)`,
    `UPDATE games SET name = 'n' || id WHERE id % 7 = ${n % 7}`,
    `UPDATE games SET id = (SELECT max(id) FROM games) + 1000 WHERE id = ${n} AND NOT EXISTS (SELECT 1 FROM clips WHERE game = ${n})`,
    `DELETE FROM games WHERE id = ${n}`,
    `INSERT OR IGNORE INTO clips SELECT ${n}, max(id) FROM games`,
    `INSERT OR IGNORE INTO tags VALUES ('T${n % 5}', ${n}, 'x')`,
    `INSERT OR REPLACE INTO tags VALUES ('t${n % 5}', ${n}, 'y')`,
    `DELETE FROM tags WHERE b = ${n}`,
    `INSERT INTO counted (x) VALUES (${n})`,
    `DELETE FROM counted WHERE id = (SELECT max(id) FROM counted)`,
    `INSERT INTO slots (name) VALUES ('s${n % 9}')`,
    `INSERT OR IGNORE INTO plain VALUES (${n}, 'p')`,
    `UPDATE plain SET x = -x`,
    `INSERT OR IGNORE INTO lines VALUES (${n}, ${n % 3}, 0)`,
    `INSERT OR IGNORE INTO "Übersicht" VALUES (${n}, 0)`,
    `INSERT OR IGNORE INTO "it's" VALUES (${n}, 0)`,
    `UPDATE large SET n = ${n} WHERE id = ${1 + below(LARGE_ROWS)}`,
    `DELETE FROM large WHERE id = ${1 + below(LARGE_ROWS)}`,
    `INSERT OR IGNORE INTO large VALUES (${1 + below(2 * LARGE_ROWS)}, 'new', 0)`,
  ];
  return all[below(all.length)] ?? "";
}

type Rows = Map<string, string>;

/** The rows of a page by the JSON of their keys. All texts here are ASCII. */
function rowsOf(page: ReturnType<typeof parsePage>): Rows {
  const { columns, table: name } = page.header;
  const text = new TextDecoder().decode(page.cells);
  const rows: Rows = new Map();
  let at = 0;
  let real = 0;
  while (at < text.length) {
    const cells = columns.map(() => {
      const [found = "", size] = /^(?:N|R|I-?\d+;|T(\d+):)/.exec(text.slice(at, at + 30)) ?? [];
      at += found.length + Number(size ?? 0);
      if (found === "R") return `R${page.reals.slice(real, (real += 8)).join()}`;
      return found.startsWith("T") ? `T${text.slice(at - Number(size), at)}` : found;
    });
    const key = (KEYS[name] ?? []).map((column) => {
      const cell: string = cells[columns.indexOf(column)];
      return cell.startsWith("I") ? { int: cell.slice(1, -1) } : { text: btoa(cell.slice(1)) };
    });
    rows.set(keyName(key), cells.join("|"));
  }
  return rows;
}

/** Equal keys have one name: the collation of tags does not tell cases apart. */
function keyName(key: readonly Record<string, string>[]): string {
  return JSON.stringify(
    key.map((k) => (k["text"] === undefined ? k : { text: atob(k["text"]).toLowerCase() })),
  );
}

async function follow(client: Client, request: object) {
  const headers = { "content-type": "application/json" };
  const response = await client.raw("POST", "export/follow", { body: JSON.stringify(request), headers });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 200)
    return { status: response.status, ...JSON.parse(new TextDecoder().decode(bytes)) };
  const view = new DataView(bytes.buffer);
  let at = 4;
  const block = () => {
    const size = view.getUint32(at, true);
    at += 4 + size;
    return bytes.slice(at - size, at);
  };
  const head = JSON.parse(new TextDecoder().decode(block()));
  const changes = head.changes.map((change: { page: boolean }) => ({
    ...change,
    rows: change.page ? rowsOf(parsePage(block())) : undefined,
  }));
  return { status: 200, ...head, changes, page: head.read ? parsePage(block()) : undefined };
}

/** What dbmigrate does with the answers. */
class Copy {
  readonly tables = new Map<string, Rows>();
  readonly after = new Map<string, unknown>();
  readonly done = new Set<string>();
  rereads = 0;

  take(answer: Awaited<ReturnType<typeof follow>>, asked?: string): void {
    let stale = false;
    for (const { table: name, keys, rows } of answer.changes) {
      const known = this.tables.get(name) ?? new Map();
      this.tables.set(name, known);
      if (keys === null) {
        known.clear();
        this.after.delete(name);
        if (rows === undefined) this.done.delete(name);
        else this.done.add(name);
        if (rows === undefined) this.rereads++;
        stale ||= name === asked;
      } else for (const key of keys) known.delete(keyName(key));
      for (const [key, row] of rows ?? []) known.set(key, row);
    }
    if (asked === undefined || stale || answer.page === undefined) return;
    for (const [key, row] of rowsOf(answer.page)) this.tables.get(asked)?.set(key, row);
    this.after.set(asked, answer.page.header.last);
    if (answer.page.header.done) this.done.add(asked);
  }
}

async function filled(): Promise<Client> {
  const client = await activeStore(SCHEMA);
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${LARGE_ROWS})`;
  await client.query(`${numbers} INSERT INTO large SELECT i, hex(zeroblob(60)), 0 FROM n`);
  await client.query("INSERT INTO games VALUES (1, 'one', 1.5), (2, 'two', -0.0), (3, NULL, 1e300)");
  return client;
}

async function everything(client: Client, names = Object.keys(KEYS)): Promise<Map<string, Rows>> {
  const found = new Map<string, Rows>();
  for (const name of names) {
    const rows: Rows = new Map();
    for (let after: unknown = null, done = false; !done;) {
      const page = await client.exportRows(name, after, 500_000);
      for (const [key, row] of rowsOf(page)) rows.set(key, row);
      ({ last: after, done } = page.header);
    }
    found.set(name, rows);
  }
  return found;
}

const seeds = Array.from({ length: 24 }, (_, seed) => seed);
it.for(some("seeds of a followed copy", seeds, 6))("is the store of one moment: seed %i", async (seed) => {
  const below = random(seed);
  const client = await filled();
  const copy = new Copy();
  let at = await follow(client, { since: null });
  expect(at).toMatchObject({ status: 200, began: true, lost: false });
  const { tables } = at;
  for (const name of tables) copy.tables.set(name, new Map());
  const writes = async () => {
    for (let n = below(4); n > 0; n--) {
      const text = statement(below);
      expect({ text, answer: await client.query(text) }).toMatchObject({ text, answer: { ok: true } });
    }
  };
  for (let round = 0; ; round++) {
    await writes();
    if (round === 5 && seed % 2 === 0) await client.query("UPDATE large SET n = n + 1");
    const name = tables.find((each: string) => !copy.done.has(each));
    if (name === undefined) break;
    const read = { table: name, after: copy.after.get(name) ?? null, maxBytes: 20_000 };
    at = await follow(client, { since: at.writes, read });
    expect(at).toMatchObject({ status: 200, lost: false });
    copy.take(at, name);
  }
  at = await follow(client, { since: at.writes, end: true });
  copy.take(at);
  if (seed % 2 === 0) expect(copy.rereads).toBeGreaterThan(0);
  if (copy.done.has("large")) expect(copy.tables).toEqual(await everything(client, tables));
});

it("says that it lost track of what no log names", async () => {
  const client = await filled();
  const { writes: since } = await follow(client, { since: null });
  await client.query("CREATE TABLE more (x)");
  expect(await follow(client, { since })).toMatchObject({ lost: true });
  const { writes: later } = await follow(client, { since: null });
  const many = (n: number) =>
    Promise.all(Array.from({ length: n }, () => client.query("INSERT INTO audit VALUES (1)")));
  for (let n = 0; n <= LIVE_LIMITS.logEntries; n += 100) await many(100);
  expect(await follow(client, { since: later })).toMatchObject({ lost: true });
  const { writes: last } = await follow(client, { since: null });
  await follow(client, { since: last, end: true });
  await client.query("INSERT INTO audit VALUES (1)");
  expect(await follow(client, { since: last })).toMatchObject({ lost: true, began: true });
});

it("forgets what it saw of a schema that was rolled back", async () => {
  const client = await filled();
  const { writes: since } = await follow(client, { since: null });
  const insert = "INSERT INTO plain VALUES (?, 1)";
  const failed = await client.stub.query({
    statements: [
      { sql: "DROP TRIGGER tr" },
      { sql: insert, params: ["a"] },
      { sql: "INSERT INTO games(id) VALUES (1), (1)" },
    ],
  });
  expect(failed).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining("UNIQUE") as string },
  });
  await client.query(insert, ["b"]);
  const { changes } = await follow(client, { since });
  expect(changes.map((change: { table: string }) => change.table).sort()).toEqual([
    "audit",
    "plain",
    "sqlite_sequence",
  ]);
});

it("asks anew for the key of a table that was made again", async () => {
  const client = await filled();
  await follow(client, { since: null });
  await client.query("CREATE TABLE again (id INTEGER PRIMARY KEY, n)");
  await client.query("INSERT INTO again VALUES (1, 2)");
  await client.query("DROP TABLE again");
  await client.query("CREATE TABLE again (word TEXT PRIMARY KEY) WITHOUT ROWID");
  const { writes: since } = await follow(client, { since: null });
  expect(await client.query("INSERT INTO again VALUES ('a')")).toMatchObject({ ok: true });
  const { changes } = await follow(client, { since });
  expect(changes).toMatchObject([
    { table: "again", keys: [[{ text: btoa("a") }]] },
    { table: "sqlite_sequence" },
  ]);
});

it("sends the digest of rows of the same moment", async () => {
  const client = await filled();
  const { writes: since } = await follow(client, { since: null });
  await client.query("UPDATE large SET n = 7 WHERE id = 5");
  const answer = await follow(client, { since, check: { table: "large", after: null, limit: 10 } });
  const { json } = await client.post("range", { table: "large", after: null, upto: null, limit: 10 });
  expect(answer.check).toMatchObject({ rows: 10, digest: json.digest, last: json.last });
  expect(answer.changes[0]).toMatchObject({ table: "large", keys: [[{ int: "5" }]], page: true });
});

it("ends a digest where writes would wait for it, and says that rows may follow", async () => {
  const client = await filled();
  await client.query("UPDATE large SET body = hex(zeroblob(2500)) WHERE id > 500");
  const { writes: since } = await follow(client, { since: null });
  const ends = [];
  for (let after: unknown = null, more: unknown = true; more === true;) {
    const { check } = await follow(client, { since, check: { table: "large", after, limit: 3000 } });
    const { json } = await client.post("range", { table: "large", after, upto: check.last, limit: null });
    expect(check).toMatchObject({ rows: json.rows, digest: json.digest, last: json.last });
    ends.push(check);
    ({ last: after, more } = check);
  }
  // The first one guesses its rows by the short ones.
  const long = ends.filter(({ last }) => last === null || last[0].int > 500).slice(1);
  expect(long.length).toBeGreaterThan(2);
  expect(Math.max(...long.map(({ rows }) => rows))).toBeLessThan(150);
  expect(ends.reduce((sum, { rows }) => sum + rows, 0)).toBe(LARGE_ROWS);
});

it("refuses an object that holds nothing, a position to come, and a table that is not there", async () => {
  expect(await follow(new Client(), { since: null })).toMatchObject({ error: { kind: "wrong-phase" } });
  const client = await filled();
  const { writes: since } = await follow(client, { since: null });
  expect(await follow(client, { since: since + 1 })).toMatchObject({ error: { kind: "bad-request" } });
  const read = { table: "gone", after: null, maxBytes: 1000 };
  expect(await follow(client, { since, read })).toMatchObject({ error: { kind: "not-found" } });
});

it("reads little of long rows from the first page on", async () => {
  const client = await filled();
  const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)";
  await client.query(`${numbers} INSERT INTO games SELECT 100 + i, hex(zeroblob(5000)), 0 FROM n`);
  const { cells } = await client.exportRows("games", [{ int: "100" }], 8192);
  expect(cells.length).toBeLessThan(100_000); // of ten times as much
});

it("sends no more changed rows than an isolate has room for", async () => {
  const client = await filled();
  const { writes: since } = await follow(client, { since: null });
  const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)";
  await client.query(`${numbers} INSERT INTO games SELECT 100 + i, hex(zeroblob(500000)), 0 FROM n`);
  const answer = await follow(client, { since });
  expect(answer.changes[0]).toMatchObject({ table: "games", keys: null, page: false });
});

/** A store with rows in virtual tables, and an FTS5 index over another table that triggers keep up. */
async function withVirtual(): Promise<Client> {
  const client = await filled();
  for (const text of [
    "CREATE VIRTUAL TABLE notes USING fts5(body)",
    "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)",
    "CREATE VIRTUAL TABLE game_names USING fts5(name, content='games', content_rowid='id')",
    "CREATE TRIGGER added AFTER INSERT ON games BEGIN INSERT INTO game_names(rowid, name) VALUES (new.id, new.name); END",
    "INSERT INTO notes(body) VALUES ('first note'), ('second note')",
  ])
    expect(await client.query(text)).toMatchObject({ ok: true });
  return client;
}

it("names the virtual tables that changed, and the rows of others as ever", async () => {
  const client = await withVirtual();
  const { writes: since } = await follow(client, { since: null });
  await client.query("INSERT INTO games VALUES (50, 'fifty', 0)");
  await client.query("UPDATE notes SET body = 'other' WHERE rowid = 1");
  await client.query("UPDATE large SET n = 7 WHERE id = 5");
  const answer = await follow(client, { since, virtual: true });
  expect(answer).toMatchObject({ status: 200, lost: false });
  expect(
    answer.changes.filter(({ table: name }: { table: string }) => name !== "sqlite_sequence"),
  ).toMatchObject([
    { table: "games", keys: [[{ int: "50" }]], page: true },
    { table: "notes", keys: null, page: false },
    { table: "large", keys: [[{ int: "5" }]], page: true },
  ]);
  // A dbmigrate of before does not know what to do about them.
  expect(await follow(client, { since })).toMatchObject({ lost: true });
});

it("sends virtual tables whole at the end, with their digests and the schema of that moment", async () => {
  const client = await withVirtual();
  const { writes: since, schema } = await follow(client, { since: null });
  await client.query("DELETE FROM notes WHERE rowid = 2");
  await client.query("INSERT INTO boxes VALUES (1, 0.5, 2)");
  await client.query("INSERT INTO notes(notes, rank) VALUES ('rank', 'bm25(2.0)')");
  const last = await follow(client, { since, virtual: true, whole: ["notes", "boxes"] });
  const rows = await everything(client, ["notes", "boxes"]);
  for (const [index, name] of ["notes", "boxes"].entries()) {
    expect(last.changes.find(({ table: each }: { table: string }) => each === name).rows).toEqual(
      rows.get(name),
    );
    const { json } = await client.post("range", { table: name, after: null, upto: null, limit: 1000 });
    expect(last.wholes[index]).toMatchObject({ rows: json.rows, digest: json.digest });
  }
  expect(last.schema.schema.virtual).not.toEqual(schema.schema.virtual);
  expect(await follow(client, { since, virtual: true, whole: ["gone"] })).toMatchObject({
    error: { kind: "not-found" },
  });
});

it("does not send virtual tables whole that writes would wait long for", async () => {
  const client = await withVirtual();
  const { writes: since } = await follow(client, { since: null });
  const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)";
  await client.query(`${numbers} INSERT INTO notes(body) SELECT hex(zeroblob(500000)) FROM n`);
  const last = await follow(client, { since, virtual: true, whole: ["notes", "boxes"] });
  expect(last.changes[0]).toMatchObject({ table: "notes", keys: null, page: false });
  expect(last.wholes[0]).toBe(null);
});
