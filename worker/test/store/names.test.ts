// Every word in the strings of the code that writes SQL, used as a user's name: none may meet a name of our
// own.
import { expect, it } from "vitest";
import { some } from "../effort.ts";
import { Client, databaseDigest, encodeRows, table } from "./client.ts";
import type { Row } from "./encode.ts";

const sources = import.meta.glob("../../src/{state,store,query,live}/*.ts", {
  query: "?raw",
  import: "default",
  eager: true,
});

// More rows than the reader's first guess, so that it has to go on behind a key.
const ROWS = 70;

function quote(name: string): string {
  return `"${name}"`;
}

// SQLite folds the case of names, so each comes once; which of three letter cases, its place decides.
function ourWords(): string[] {
  const words = new Set<string>(["jsonb_each", "json_tree", "r0", "r1", "c0", "c1"]);
  for (const text of Object.values(sources)) {
    // Identifiers of SQL stand in strings.
    for (const [literal] of text.matchAll(/"[^"\n]*"|`[^`]*`/g)) {
      for (const [word] of literal.matchAll(/\b[a-z_][a-z0-9_]*\b/gi)) words.add(word.toLowerCase());
    }
  }
  const cases = [
    (word: string) => word,
    (word: string) => word.toUpperCase(),
    (word: string) => word.slice(0, 1).toUpperCase() + word.slice(1),
  ];
  return [...words].sort().map((word, index) => cases[index % 3]?.(word) ?? word);
}

function isTableName(word: string): boolean {
  return !/^(sqlite_|_cf_|__miniflare|_dbmigrate)/i.test(word);
}

function rowsByRowid(): Row[] {
  return Array.from({ length: ROWS }, (_, i): Row => [
    BigInt(i + 1),
    i % 3 === 0 ? null : (ROWS - i) * 1.25,
    `x${i}`,
  ]);
}

function rowsByText(): Row[] {
  return Array.from({ length: ROWS }, (_, i): Row => [
    `k${100 + i}`,
    BigInt(ROWS - i),
    i % 2 === 0 ? i + 0.5 : "b",
  ]);
}

/** Tables that have the word as their key or as their name. */
function tablesOf(word: string, index: number) {
  const [q, other] = [quote(word), quote(`other_${word}`)];
  const found = [
    {
      object: table(
        `rowid_${index}`,
        `CREATE TABLE rowid_${index} (${q} INTEGER PRIMARY KEY, a REAL, ${other})`,
      ),
      data: { columns: [word, "a", `other_${word}`], rows: rowsByRowid() },
    },
    {
      object: table(
        `text_${index}`,
        `CREATE TABLE text_${index} (${q} TEXT, l INT, v_, PRIMARY KEY (${q}, l)) WITHOUT ROWID`,
      ),
      data: { columns: [word, "l", "v_"], rows: rowsByText() },
    },
    {
      object: table(word, `CREATE TABLE ${q} (id_ INTEGER PRIMARY KEY, a_)`),
      data: {
        columns: ["id_", "a_"],
        rows: [
          [1n, 0.5],
          [7n, "x"],
        ] as Row[],
      },
    },
  ];
  const clashes = ["l", "v_", "a", `other_${word}`].includes(word.toLowerCase());
  return found.filter(({ object }) => (object.name === word ? isTableName(word) : !clashes));
}

const words = ourWords();
// The aliases that once met users' columns, in every run; all words by turns.
const aliases = ["n", "r", "k", "r1"];
const groups = Array.from({ length: Math.ceil(words.length / 40) }, (_, i) =>
  words.slice(i * 40, (i + 1) * 40),
);

it("finds the words of our own SQL", () => {
  expect(words.map((word) => word.toLowerCase())).toEqual(
    expect.arrayContaining(["r", "n", "k", "jsonb_each", "pragma_table_xinfo", "pragma_table_list", "value"]),
  );
});

const chosen = [aliases, ...some("groups of our words", groups, 3)];

it.each(chosen.map((group, at) => [group[0], at] as const))(
  "takes them as a user's names, from %s on",
  async (_, at) => {
    const found = chosen[at]?.flatMap((word, index) => tablesOf(word, index)) ?? [];
    const objects = found.map(({ object }) => object);
    const tables = Object.fromEntries(found.map(({ object, data }) => [object.name, data]));
    const client = new Client();
    expect((await client.import(objects, tables)).json).toMatchObject({ phase: "READY" });
    expect((await client.digest()).json.digest).toMatchObject(databaseDigest(objects, tables));
    for (const { object, data } of found) {
      const page = await client.exportRows(object.name, null, 8_000_000);
      expect({ name: object.name, header: page.header }).toMatchObject({
        header: { columns: data.columns, rows: data.rows.length, done: true },
      });
      expect(page).toMatchObject(encodeRows(data.rows));
    }
  },
);
