// The keys that live updates tell, for schemas as applications have them. Every row that a statement has changed
// is among the keys that were told for its table, or the table is told without keys. How many changes carry keys
// is counted.
import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import type { TableChange } from "../../src/query/change-log.ts";
import type { ResultValue } from "../../src/query/types.ts";
import { LiveLog } from "../../src/live/log.ts";
import { Bookkeeping } from "../../src/state/bookkeeping.ts";
import { tableShape } from "../../src/store/catalog.ts";
import { some } from "../effort.ts";
import { activeStore } from "./client.ts";
import { TestSubscriber } from "./subscriber.ts";

/** A source of choices that are the same for the same number. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 2654435761 + 1;
  }

  below(n: number): number {
    this.#state = (Math.imul(this.#state ^ (this.#state >>> 15), 2246822519) + 374761393) >>> 0;
    return ((this.#state ^ (this.#state >>> 13)) >>> 0) % n;
  }

  of<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

interface Table {
  readonly name: string;
  /** How a row is found again, and the values that a new one gets. */
  readonly key: string;
  readonly columns: readonly string[];
}

interface Schema {
  readonly statements: readonly string[];
  readonly tables: readonly Table[];
}

const KEYS = [
  ["id INTEGER PRIMARY KEY AUTOINCREMENT", "id"],
  ["id INTEGER PRIMARY KEY", "id"],
  ["uuid TEXT PRIMARY KEY DEFAULT (hex(randomblob(8)))", "uuid"],
  ["slug TEXT NOT NULL DEFAULT (hex(randomblob(6))) PRIMARY KEY", "slug"],
] as const;

/** As ORMs and people write them: parents and children, times of change, counters, logs, soft deletes. */
function schemaOf(dice: Dice): Schema {
  const statements: string[] = [];
  const tables: Table[] = [];
  for (const name of ["users", "posts", "comments", "labels"].slice(0, 2 + dice.below(3))) {
    const [declared, key] = dice.of(KEYS);
    const parent = tables.length > 0 && dice.chance(75) ? dice.of(tables) : undefined;
    const action = dice.of([
      "",
      " ON DELETE CASCADE",
      " ON DELETE SET NULL",
      " ON DELETE RESTRICT",
      " ON UPDATE CASCADE ON DELETE CASCADE",
    ]);
    const columns = [declared, "title TEXT", "n INTEGER DEFAULT 0", "updated_at TEXT", "deleted_at TEXT"];
    if (dice.chance(30))
      columns.push(`code TEXT${dice.chance(30) ? " UNIQUE ON CONFLICT REPLACE" : " UNIQUE"}`);
    if (parent !== undefined) columns.push(`parent REFERENCES ${parent.name}(${parent.key})${action}`);
    if (dice.chance(15))
      columns.push(`self REFERENCES ${name}(${key})${dice.chance(50) ? " ON DELETE CASCADE" : ""}`);
    const withoutRowid = key !== "id" && dice.chance(30) ? " WITHOUT ROWID" : "";
    statements.push(`CREATE TABLE ${name} (${columns.join(", ")})${withoutRowid}`);
    const table = {
      name,
      key,
      columns: ["title", "n", ...(columns.some((c) => c.startsWith("code")) ? ["code"] : [])],
    };
    tables.push(table);
    if (dice.chance(60)) statements.push(`CREATE INDEX ${name}_n ON ${name}(n)`);
    statements.push(...triggersOf(dice, table, parent));
  }
  if (dice.chance(60)) {
    statements.push("CREATE TABLE links (a, b, weight INTEGER DEFAULT 1, PRIMARY KEY (a, b)) WITHOUT ROWID");
    statements.push("CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID");
  }
  return { statements, tables };
}

function triggersOf(dice: Dice, { name, key }: Table, parent: Table | undefined): string[] {
  const found: string[] = [];
  if (dice.chance(40))
    found.push(
      `CREATE TRIGGER ${name}_touch AFTER UPDATE ON ${name} BEGIN UPDATE ${name} SET updated_at = CURRENT_TIMESTAMP WHERE ${dice.of([key, "rowid"].slice(0, key === "id" ? 2 : 1))} = ${dice.of(["NEW", "old"])}.${key}; END`,
    );
  if (dice.chance(30)) {
    found.push(`CREATE TABLE ${name}_log (id INTEGER PRIMARY KEY, what TEXT)`);
    const event = dice.of(["INSERT", "UPDATE", "DELETE"]);
    found.push(
      `CREATE TRIGGER ${name}_logs AFTER ${event} ON ${name} BEGIN INSERT INTO ${name}_log(what) VALUES ('${event}'); END`,
    );
  }
  if (parent !== undefined && dice.chance(30))
    found.push(
      `CREATE TRIGGER ${name}_count AFTER INSERT ON ${name} BEGIN UPDATE ${parent.name} SET n = n + 1 WHERE ${parent.key} = NEW.parent; END`,
    );
  if (dice.chance(8))
    found.push(`CREATE TRIGGER ${name}_all AFTER INSERT ON ${name} BEGIN UPDATE ${name} SET n = n + 1; END`);
  if (dice.chance(8))
    found.push(
      `CREATE TRIGGER ${name}_not BEFORE INSERT ON ${name} WHEN NEW.n = 3 BEGIN SELECT RAISE(IGNORE); END`,
    );
  if (dice.chance(8))
    found.push(
      `CREATE TRIGGER ${name}_late AFTER INSERT ON ${name} WHEN NEW.n = 2 BEGIN SELECT RAISE(IGNORE); END`,
    );
  return found;
}

/** A statement that an application sends. */
function writeOf(dice: Dice, { tables, statements }: Schema): string {
  const table = dice.of(tables);
  const { name, key, columns } = table;
  const some = `${key} IN (SELECT ${key} FROM ${name} ORDER BY n, ${key} LIMIT ${1 + dice.below(2)})`;
  const values = columns
    .map((column) => (column === "n" ? String(dice.below(5)) : `'${column}-${dice.below(9)}'`))
    .join(", ");
  const parents = statements.some(
    (text) => text.startsWith(`CREATE TABLE ${name} `) && text.includes("parent REFERENCES"),
  );
  const into = `${columns.join(", ")}${parents ? ", parent" : ""}`;
  const parentOf = /parent REFERENCES (\w+)\((\w+)\)/.exec(
    statements.find((text) => text.startsWith(`CREATE TABLE ${name} `)) ?? "",
  );
  const row = `${values}${parents ? `, (SELECT ${parentOf?.[2]} FROM ${parentOf?.[1]} ORDER BY random() LIMIT 1)` : ""}`;
  const returning = dice.chance(40)
    ? dice.of([` RETURNING *`, ` RETURNING ${key}`, ` RETURNING ${key} AS id, title, n + 1`])
    : "";
  return dice.of([
    () => `INSERT INTO ${name} (${into}) VALUES (${row})${returning}`,
    () => `INSERT INTO ${name} (${into}) VALUES (${row})${returning}`,
    () => `INSERT OR IGNORE INTO ${name} (${into}) VALUES (${row})${returning}`,
    () => `INSERT OR REPLACE INTO ${name} (${into}) VALUES (${row})${returning}`,
    () => `UPDATE ${name} SET title = 'x', n = n + 1 WHERE ${some}${returning}`,
    () => `UPDATE ${name} SET title = replace(title, 'x', 'y') WHERE n < 3${returning}`,
    () => `UPDATE ${name} SET deleted_at = CURRENT_TIMESTAMP WHERE ${some}${returning}`,
    () =>
      `WITH best AS (SELECT ${key} FROM ${name} ORDER BY n DESC LIMIT 1) UPDATE ${name} SET n = n + 10 WHERE ${key} IN (SELECT ${key} FROM best)${returning}`,
    () => `UPDATE ${name} SET n = (SELECT count(*) FROM ${name} LIMIT 1) WHERE ${some}${returning}`,
    () => `DELETE FROM ${name} WHERE ${some}${returning}`,
    () => `DELETE FROM ${name} WHERE n = ${dice.below(6)}${returning}`,
    () =>
      statements.some((text) => text.startsWith("CREATE TABLE links"))
        ? "INSERT INTO settings VALUES ('theme', random()) ON CONFLICT(name) DO UPDATE SET value = excluded.value"
        : `DELETE FROM ${name} WHERE n > 20`,
    () =>
      statements.some((text) => text.startsWith("CREATE TABLE links"))
        ? `REPLACE INTO links VALUES (${dice.below(3)}, ${dice.below(3)}, ${dice.below(9)})`
        : `UPDATE ${name} SET n = 1 WHERE n = 2`,
  ])();
}

/** All rows of all tables, by table and key. */
function snapshot(sql: SqlStorage, names: readonly string[]): Map<string, Map<string, string>> {
  return new Map(
    names.map((name) => {
      const shape = tableShape(sql, name);
      const keys = shape?.key.map((column) => `"${column.name}"`).join(", ") ?? "";
      const rows = [
        ...sql
          .exec(
            `SELECT json_array(${keys}), json_array(${shape?.columns.map((c) => `"${c}"`).join(", ")}) FROM "${name}"`,
          )
          .raw(),
      ];
      return [name, new Map(rows.map(([key, row]) => [String(key), String(row)]))];
    }),
  );
}

const plain = (key: readonly ResultValue[]): string => JSON.stringify(key);

/** Why what was told is wrong; undefined where it is right. */
function missed(
  changes: readonly TableChange[] | null,
  before: Map<string, Map<string, string>>,
  after: Map<string, Map<string, string>>,
): string | undefined {
  if (changes === null) return undefined;
  for (const [name, rows] of after) {
    const told = changes.find(({ table }) => table === name);
    if (told?.keys === null) continue;
    const keys = new Set(told?.keys.map(plain));
    const old = before.get(name) ?? new Map<string, string>();
    for (const key of new Set([...rows.keys(), ...old.keys()]))
      if (rows.get(key) !== old.get(key) && !keys.has(key)) return `${name} ${key}`;
  }
  return undefined;
}

const SCHEMAS = Array.from({ length: 200 }, (_, seed) => seed);
const WRITES = 60;

it("tells every row that a statement has changed", { timeout: 1_200_000 }, async () => {
  let told = 0;
  let keyed = 0;
  let whole = 0;
  for (const seed of some("schemas of live updates", SCHEMAS, 8)) {
    const dice = new Dice(seed);
    const schema = schemaOf(dice);
    const store = await activeStore([]);
    for (const sql of schema.statements) expect(await store.query(sql)).toMatchObject({ ok: true });
    const subscriber = await TestSubscriber.connect(store);
    await runInDurableObject(store.stub, async (object, { storage }) => {
      const { sql } = storage;
      const names = [
        ...sql.exec<{ name: string }>(
          "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_%' ESCAPE '\\'",
        ),
      ].map(({ name }) => name);
      const books = new Bookkeeping(storage.kv);
      const log = new LiveLog(books);
      for (let n = 0; n < WRITES; n++) {
        const text = writeOf(dice, schema);
        const before = snapshot(sql, names);
        const count = books.writes;
        await object.query({ statements: [{ sql: text }] });
        const fresh = new Bookkeeping(storage.kv).writes;
        if (fresh === count) continue;
        const { changes } = log.read(fresh) ?? { changes: null };
        expect({ seed, text, missed: missed(changes, before, snapshot(sql, names)) }).toEqual({
          seed,
          text,
          missed: undefined,
        });
        for (const change of changes ?? []) {
          told++;
          if (change.keys !== null) keyed++;
        }
        if (changes?.every(({ keys }) => keys !== null) === true) whole++;
      }
    });
    subscriber.close();
  }
  console.log(
    `live updates: ${keyed} of ${told} changes of tables carry keys; ${whole} transactions carry all of theirs`,
  );
  expect(keyed).toBeGreaterThan(told / 2);
});
