// Tables at the edge of what preflight lets through: keys of 33 columns, 100 columns with names of 390 bytes.
// Each is read, counted and compared whole and in parts.
import { expect, it } from "vitest";
import { Client, databaseDigest, encodeRows, table } from "./client.ts";
import type { Row } from "./encode.ts";

// More rows than the reader's first guess, so that it has to go on behind a key.
const ROWS = 70;
const LONGEST_NAME = 390;
// With a rowid a result has no room for short names beside.
const LONGEST_BESIDE_ROWID = 90;
const LARGEST_KEY = 33;

function names(count: number, length: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i}`.padEnd(length, "n"));
}

// Keys come in their order: texts of one length, then row by row.
function valueAt(row: number, column: number): Row[number] {
  return [`t${String(row).padStart(3, "0")}`, BigInt(row), row + 0.5, "x"][column % 4] ?? null;
}

function columnsOf(list: readonly string[]): string {
  return list.map((name) => `"${name}"`).join(", ");
}

interface Wide {
  readonly says: string;
  readonly columns: readonly string[];
  /** How many of the columns are the key; none: the rowid is. */
  readonly keys: number;
}

const wide: Wide[] = [
  { says: "99 columns with long names", columns: names(99, LONGEST_NAME), keys: 0 },
  { says: "100 columns and a rowid", columns: names(100, LONGEST_BESIDE_ROWID), keys: 0 },
  { says: "long names and a key of three", columns: names(60, 900), keys: 3 },
  ...[2, 17, LARGEST_KEY].map((keys) => ({ says: `a key of ${keys} columns`, columns: names(99, 3), keys })),
  { says: "a long key with long names", columns: names(100, LONGEST_NAME), keys: LARGEST_KEY },
];

it.each(wide)("reads and proves $says", async ({ columns, keys }) => {
  const own = keys === 0 ? "" : `, PRIMARY KEY (${columnsOf(columns.slice(0, keys))})) WITHOUT ROWID`;
  const object = table("wide", `CREATE TABLE wide(${columnsOf(columns)}${own || ")"}`);
  const rows = Array.from({ length: ROWS }, (_, row): Row => {
    const shared = (column: number) => row < ROWS / 2 && column < keys - 1;
    const cells = columns.map((__, column) => valueAt(shared(column) ? 0 : row, column));
    return keys === 0 ? [BigInt(row + 1), ...cells] : cells;
  });
  const shown = keys === 0 ? ["rowid", ...columns] : columns;
  const tables = { wide: { columns: shown, rows } };
  const client = new Client();
  const imported = (await client.import([object], tables)).json;
  expect(imported).toMatchObject({ phase: "READY" });
  expect((await client.digest()).json.digest).toMatchObject(databaseDigest([object], tables));
  const page = await client.exportRows("wide", null, 8_000_000);
  expect(page).toMatchObject(encodeRows(rows));
  const { last: after, rows: before } = (await client.exportRows("wide", null, 1)).header;
  const range = { table: "wide", after, upto: page.header.last, limit: ROWS };
  expect((await client.post("range", range)).json).toMatchObject({ rows: ROWS - before });
});
