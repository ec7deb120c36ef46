import { expect, it } from "vitest";
import { type Row } from "./encode.ts";
import { Client, databaseDigest, encodeRows, table } from "./client.ts";

const int64 = [
  0n,
  1n,
  -1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const reals = [
  0.1,
  -0,
  5,
  1e300,
  5e-324,
  2.2250738585072009e-308,
  1.7976931348623157e308,
  Infinity,
  -Infinity,
  2 ** 53,
];
const texts = [
  "",
  "a",
  "a\0b",
  "\0",
  "žluťoučký 🐎",
  "'\"",
  "5",
  "x".repeat(300),
  { text: [0xff, 0xfe, 0x00, 0xc3] },
];
const blobs = [[], [0], [0xff, 0x00, 0x41], new Uint8Array(70_000).fill(7)];

const everything: Row[] = [
  ...int64.map((value): Row => [value, value]),
  ...reals.map((value): Row => [0n, value]),
  ...texts.map((value): Row => [0n, value]),
  ...blobs.map((blob): Row => [0n, { blob }]),
  [0n, null],
];

it("brings every storage class across exactly", async () => {
  const client = new Client();
  const objects = [table("t", "CREATE TABLE t (n INTEGER, v)")];
  const stored = everything.map((row, index): Row => [BigInt(index * 3 + 1), ...row]);
  const tables = { t: { columns: ["rowid", "n", "v"], rows: stored } };
  expect((await client.import(objects, tables)).json).toMatchObject({ phase: "READY" });
  expect((await client.digest()).json.digest).toMatchObject(databaseDigest(objects, tables));
  const page = await client.exportRows("t", null, 8_000_000);
  expect(page.header).toMatchObject({ columns: ["rowid", "n", "v"], rows: stored.length, done: true });
  expect(page).toMatchObject(encodeRows(stored));
});
