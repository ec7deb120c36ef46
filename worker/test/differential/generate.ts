// Statements from a seed: schemas, writes and reads over them, with parameters of every kind. What they name
// is mostly there.
import { Random } from "../fuzz/random.ts";
import type { QueryStatement, QueryValue } from "../../src/query/types.ts";

/** What a statement is, for the table that the test prints. */
export type Kind =
  "DDL" | "INSERT" | "UPDATE" | "DELETE" | "SELECT" | "compound" | "WITH" | "PRAGMA" | "broken";

export interface Generated {
  readonly kind: Kind;
  readonly statement: QueryStatement;
}

interface Column {
  readonly name: string;
  readonly type: string;
}

interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

// Names that a text-based tool trips over, ours among them.
const NAMES = [
  "plain",
  "with space",
  'quo"te',
  "semi;colon",
  "r",
  "n",
  "k",
  "rowid",
  "select",
  "c0",
  "käse",
  "_dbmigrate_result_",
  "CamelCase",
  "x--y",
  "?1",
  "'",
];
const TYPES = [
  "",
  "INTEGER",
  "REAL",
  "TEXT",
  "BLOB",
  "NUMERIC",
  "TEXT COLLATE NOCASE",
  "VARCHAR(3)",
  "DOUBLE",
  "ANYTHING",
];
const LITERALS = [
  ..."0 1 -1 5.0 -0.0 2.5 1e100 9e999 -9e999 9007199254740991 9007199254740992 9007199254740993 -9223372036854775808".split(
    " ",
  ),
  ..."9223372036854775807 9223372036854775808 1e15 0x7fffffffffffffff NULL '' 'abc' 'ABC' '5' '5.0' ' 7 ' x'' x'00ff' TRUE FALSE".split(
    " ",
  ),
  "'it''s'",
  "'käse 🧀'",
  "'a' || char(0) || 'b'",
  "zeroblob(5)",
  "CURRENT_DATE IS NULL",
  '"no such column"',
];
const VALUES: readonly QueryValue[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    -0,
    2.5,
    1e100,
    2 ** 53,
    2 ** 53 + 2,
    "",
    "abc",
    "5.0",
    "a\0b",
    "käse 🧀",
    "\uFEFFx",
  ],
  ...["9007199254740993", "-9223372036854775808", "9223372036854775807", "5"].map((int) => ({ int })),
  ...["5.0", "-0", "Infinity", "-Infinity", "1e15", "0.1"].map((real) => ({ real })),
  { blob: "" },
  { blob: "AP8A" },
];
const UNARY = ["-", "+", "~", "NOT "];
const BINARY = [
  "+",
  "-",
  "*",
  "/",
  "%",
  "||",
  "=",
  "<>",
  "<",
  "<=",
  ">",
  ">=",
  "IS",
  "IS NOT",
  "AND",
  "OR",
  "&",
  "|",
  "<<",
  ">>",
  "LIKE",
  "GLOB",
];
const FUNCTIONS = [
  ..."abs upper lower length typeof quote hex trim ltrim round sign unicode json_quote json_array octet_length unhex".split(
    " ",
  ),
  ..."nullif ifnull coalesce instr min max concat concat_ws printf replace substr iif format json_object date datetime".split(
    " ",
  ),
  ..."sqlite_version log10 power median nope load_extension json_pretty if sqrt floor log trunc".split(" "),
];
const AGGREGATES = ["count", "sum", "total", "avg", "min", "max", "group_concat", "json_group_array"];

/** Makes statements; every table that it names was made before, and may be gone by now. */
export class Generator {
  readonly #random: Random;
  readonly #tables: Table[] = [];
  #made = 0;
  #params: QueryValue[] = [];

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  next(): Generated {
    this.#params = [];
    const kind = this.#tables.length < 3 ? "DDL" : this.#kind();
    const sql = this.#sql(kind);
    const params = this.#params;
    const named = params.length > 0 && this.#chance(4);
    if (!named) return { kind, statement: { sql, params } };
    return { kind, statement: this.#withNames(sql, params) };
  }

  #kind(): Kind {
    const roll = this.#random.below(100);
    if (roll < 12) return "DDL";
    if (roll < 32) return "INSERT";
    if (roll < 42) return "UPDATE";
    if (roll < 47) return "DELETE";
    if (roll < 72) return "SELECT";
    if (roll < 85) return "compound";
    if (roll < 91) return "WITH";
    return roll < 95 ? "PRAGMA" : "broken";
  }

  #sql(kind: Kind): string {
    switch (kind) {
      case "DDL":
        return this.#ddl();
      case "INSERT":
        return this.#insert();
      case "UPDATE":
        return this.#update();
      case "DELETE":
        return this.#delete();
      case "SELECT":
        return this.#select();
      case "compound":
        return this.#compound();
      case "WITH":
        return this.#with();
      case "PRAGMA":
        return this.#pragma();
      case "broken":
        return this.#broken();
    }
  }

  #chance(one: number): boolean {
    return this.#random.below(one) === 0;
  }

  #pick<T>(list: readonly T[]): T {
    return this.#random.pick(list);
  }

  #list(most: number, item: (i: number) => string, joint = ", "): string {
    return Array.from({ length: 1 + this.#random.below(most) }, (_, i) => item(i)).join(joint);
  }

  #ddl(): string {
    const table = this.#tables.at(-1);
    const roll = this.#tables.length < 3 || table === undefined ? 0 : this.#random.below(12);
    const number = ++this.#made;
    if (roll < 4 || table === undefined) return this.#createTable(number);
    const column = quote(this.#pick(table.columns).name);
    const at = quote(table.name);
    switch (roll) {
      case 4:
        return `CREATE ${this.#chance(3) ? "UNIQUE " : ""}INDEX ${quote(`i${number}`)} ON ${at}(${column}${this.#chance(2) ? " DESC" : ""})`;
      case 5:
        return `CREATE INDEX ${quote(`e${number}`)} ON ${at}(${this.#constant()}) WHERE ${column} IS NOT NULL`;
      case 6:
        return `CREATE VIEW ${quote(`v${number}`)} AS ${this.#select(false)}`;
      case 7:
        return `CREATE TRIGGER ${quote(`g${number}`)} AFTER INSERT ON ${at} WHEN new.${column} = 'never' BEGIN DELETE FROM ${at} WHERE 0; SELECT ${this.#constant()}; END`;
      case 8:
        return `ALTER TABLE ${at} ADD COLUMN ${quote(`added${number}`)} DEFAULT ${this.#literal()}`;
      case 9:
        return `ALTER TABLE ${at} RENAME COLUMN ${column} TO ${quote(this.#pick(["renamed", "_cf_column", "r"]) + number)}`;
      case 10:
        return this.#chance(2)
          ? `DROP TABLE ${quote(this.#table().name)}`
          : `DROP VIEW IF EXISTS ${quote(`v${number - 1}`)}`;
      default:
        return this.#pick([
          `CREATE TABLE _cf_${number}(a)`,
          `CREATE TEMP TABLE t${number}(a)`,
          `CREATE VIRTUAL TABLE "f${number}" USING fts5(a, b)`,
          `CREATE TABLE IF NOT EXISTS ${at}(a)`,
          `CREATE TABLE c${number}(a CHECK (a LIKE '${"x".repeat(this.#pick([50, 51]))}'))`,
          `CREATE TABLE "as${number}" AS ${this.#select(false)}`,
          `ALTER TABLE ${at} RENAME TO _CF_${number}`,
          "REINDEX",
        ]);
    }
  }

  #createTable(number: number): string {
    const columns = Array.from({ length: 1 + this.#random.below(6) }, (_, i) => ({
      name: `${this.#pick(NAMES)}${i}`,
      type: this.#pick(TYPES),
    }));
    const table = { name: `${this.#pick(NAMES)} ${number}`, columns };
    this.#tables.push(table);
    const key = this.#pick([
      "",
      "",
      " UNIQUE",
      " NOT NULL",
      " DEFAULT 5.0",
      ` CHECK (typeof(${quote(columns[0]?.name ?? "")}) <> 'blob')`,
    ]);
    const lead = this.#pick([
      "",
      "id INTEGER PRIMARY KEY, ",
      "id INTEGER PRIMARY KEY AUTOINCREMENT, ",
      "gen AS (1 + 1.0), ",
    ]);
    const parts = columns.map(({ name, type }, i) => `${quote(name)} ${type}${i === 0 ? key : ""}`);
    return `CREATE TABLE ${quote(table.name)} (${lead}${parts.join(", ")})`;
  }

  #table(): Table {
    return this.#pick(this.#tables.slice(-8));
  }

  #insert(): string {
    const table = this.#table();
    const columns = table.columns.slice(0, 1 + this.#random.below(table.columns.length));
    const verb = this.#pick([
      "INSERT",
      "INSERT",
      "INSERT",
      "INSERT OR REPLACE",
      "INSERT OR IGNORE",
      "INSERT OR FAIL",
      "INSERT OR ABORT",
      "INSERT OR ROLLBACK",
      "REPLACE",
    ]);
    const into = `${verb} INTO ${quote(table.name)} (${columns.map(({ name }) => quote(name)).join(", ")})`;
    const source = this.#chance(8)
      ? `SELECT ${columns.map(() => this.#constant()).join(", ")} WHERE ${this.#constant()}`
      : `VALUES ${this.#list(3, () => `(${columns.map(() => this.#constant()).join(", ")})`)}`;
    return into + " " + source + (this.#chance(8) ? " ON CONFLICT DO NOTHING" : "") + this.#returning(table);
  }

  #update(): string {
    const table = this.#table();
    const { name } = this.#pick(table.columns);
    const set = `${quote(name)} = ${this.#expression(table, 2)}`;
    return (
      `UPDATE ${this.#chance(5) ? this.#pick(["OR IGNORE ", "OR FAIL ", "OR ROLLBACK "]) : ""}${quote(table.name)} SET ${set} ${this.#where(table)}` +
      this.#returning(table)
    );
  }

  #delete(): string {
    const table = this.#table();
    return (
      `DELETE FROM ${quote(table.name)} WHERE ${this.#expression(table, 1)} = ${this.#constant()}` +
      this.#returning(table)
    );
  }

  #returning(table: Table): string {
    if (!this.#chance(2)) return "";
    if (this.#chance(3)) return " RETURNING *";
    const name = (): string => this.#pick(["", "", " AS a", " b", ' "c d"', " 'e'"]);
    return ` RETURNING ${this.#list(3, () => this.#expression(table, 2) + name())}`;
  }

  #select(parameters = true): string {
    const table = this.#table();
    const item = (): string =>
      this.#expression(table, parameters ? 2 : 0) + this.#pick(["", "", " AS a", " AS a", ' AS "x y"']);
    const what = this.#chance(4)
      ? "*"
      : this.#chance(5)
        ? `${this.#pick(AGGREGATES)}(${this.#column(table)})`
        : this.#list(4, item);
    const tail = parameters ? `${this.#where(table)}${this.#order(table)}${this.#limit()}` : "";
    return `SELECT ${this.#chance(6) ? "DISTINCT " : ""}${what} FROM ${quote(table.name)} ${tail}`;
  }

  // Rows come in the order of the rowid, or in one that the statement asks for.
  #order(table: Table): string {
    return this.#chance(3) ? ` ORDER BY ${this.#column(table)}${this.#chance(2) ? " DESC" : ""}, 1` : "";
  }

  #limit(): string {
    return this.#chance(5) ? ` LIMIT ${this.#pick(["2", "0", "-1", this.#parameter(3)])}` : "";
  }

  #where(table: Table): string {
    return this.#chance(2) ? `WHERE ${this.#expression(table, 2)}` : "";
  }

  #compound(): string {
    const width = 1 + this.#random.below(3);
    const part = (): string => {
      const table = this.#table();
      const items = Array.from({ length: this.#chance(30) ? width + 1 : width }, () =>
        this.#chance(2) ? this.#column(table) : this.#constant(),
      );
      return this.#chance(6)
        ? `VALUES (${items.map(() => this.#constant()).join(", ")})`
        : `SELECT ${items.join(", ")} FROM ${quote(table.name)}`;
    };
    let sql = part();
    for (let more = 1 + this.#random.below(this.#chance(4) ? 6 : 3); more > 0; more--) {
      sql += ` ${this.#pick(["UNION", "UNION ALL", "UNION ALL", "EXCEPT", "INTERSECT"])} ${part()}`;
    }
    return this.#chance(3) && !sql.includes("VALUES")
      ? `${sql} ORDER BY 1${this.#chance(2) ? " DESC" : ""}`
      : sql;
  }

  #with(): string {
    const inner = this.#chance(2) ? this.#select() : this.#compound();
    const head = `WITH q AS (${inner}), "w 2"(a) AS (VALUES (1), (2.0), (${this.#constant()}))`;
    return `${head} ${this.#pick(["SELECT * FROM q", "SELECT count(*) FROM q", 'SELECT a FROM "w 2"', 'SELECT a FROM "w 2" UNION ALL SELECT 1', "SELECT q.*, 1 AS one FROM q"])}`;
  }

  #pragma(): string {
    const at = quote(this.#table().name);
    return this.#pick([
      ...["table_info", "table_xinfo", "index_list", "foreign_key_list"].map(
        (name) => `PRAGMA ${name}(${at})`,
      ),
      ..."foreign_keys quick_check user_version journal_mode foreign_key_check recursive_triggers"
        .split(" ")
        .map((name) => `PRAGMA ${name}`),
      "PRAGMA foreign_keys = off",
      "PRAGMA case_sensitive_like = 1",
      "SELECT count(*) FROM sqlite_schema",
      "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2",
      "SELECT changes()",
    ]);
  }

  #broken(): string {
    const sql = this.#pick([() => this.#select(), () => this.#insert(), () => this.#compound()])();
    const at = this.#random.below(sql.length + 1);
    const put = this.#pick([
      "",
      "(",
      ")",
      "'",
      '"',
      ";",
      " ,",
      " FROM ",
      " nope",
      " UNION ",
      "--",
      "/*",
      " 1 ",
      "LIMIT",
    ]);
    return sql.slice(0, at) + put + sql.slice(at + this.#random.below(3));
  }

  #column(table: Table): string {
    return this.#chance(12)
      ? this.#pick(["rowid", "gen", "id", "nope"])
      : quote(this.#pick(table.columns).name);
  }

  #literal(): string {
    return this.#pick(LITERALS.slice(0, -5));
  }

  #constant(): string {
    return this.#chance(3) ? this.#parameter() : this.#pick(LITERALS);
  }

  #parameter(value: QueryValue = this.#pick(VALUES)): string {
    this.#params.push(value);
    return "?";
  }

  #expression(table: Table, depth: number): string {
    const inner = (): string => this.#expression(table, depth - 1);
    const roll = depth > 0 ? this.#random.below(12) : this.#random.below(5);
    if (roll < 3) return this.#column(table);
    if (roll < 5) return depth > 0 ? this.#constant() : this.#pick(LITERALS);
    switch (roll) {
      case 5:
        return `${this.#pick(UNARY)}${inner()}`;
      case 6:
      case 7:
        return `(${inner()} ${this.#pick(BINARY)} ${inner()})`;
      case 8:
        return `${this.#pick(FUNCTIONS)}(${this.#list(3, inner)})`;
      case 9:
        return `CASE WHEN ${inner()} THEN ${inner()} ELSE ${inner()} END`;
      case 10:
        return `CAST(${inner()} AS ${this.#pick(["INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC"])})`;
      default:
        return `(${inner()} ${this.#pick(["IN (1, 5.0, 'abc')", "BETWEEN -1 AND 10", "ISNULL", "NOT NULL", "COLLATE nocase", "IS NOT NULL"])})`;
    }
  }

  /** The same with names in place of positions, of every prefix. */
  #withNames(sql: string, params: readonly QueryValue[]): QueryStatement {
    let at = 0;
    const named: Record<string, QueryValue> = {};
    const text = sql.replaceAll("?", (found, offset: number) => {
      const value = params[at];
      // A name's own question mark is none.
      if (value === undefined || sql[offset + 1] === "1") return found;
      const name = `p${at++}`;
      named[name] = value;
      return this.#pick([":", "@", "$"]) + name;
    });
    return { sql: text, params: named };
  }
}
