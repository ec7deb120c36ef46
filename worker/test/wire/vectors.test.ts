// The vectors that Go writes (pkg/wire/testdata/vectors/README.md): both sides must agree on every one of
// them.
import { describe, expect, it } from "vitest";
import back from "../../../pkg/wire/testdata/vectors/back.json";
import batches from "../../../pkg/wire/testdata/vectors/batches.json";
import digests from "../../../pkg/wire/testdata/vectors/digests.json";
import forth from "../../../pkg/wire/testdata/vectors/forth.json";
import pages from "../../../pkg/wire/testdata/vectors/pages.json";
import query from "../../../pkg/wire/testdata/vectors/query.json";
import rowVectors from "../../../pkg/wire/testdata/vectors/rows.json";
import tables from "../../../pkg/wire/testdata/vectors/tables.json";
import values from "../../../pkg/wire/testdata/vectors/values.json";
import { parseJson } from "../../src/wire/parse-json.ts";
import { type SqlParam, emitBlob, emitInteger, emitReal, parseParam } from "../../src/query/values.ts";
import { parseBack, parseSource } from "../../src/wire/back.ts";
import { decodeBatch } from "../../src/wire/batch.ts";
import { decodeCells, encodeCell, realCells } from "../../src/wire/cells.ts";
import { databaseDigest, schemaDigest } from "../../src/wire/digest.ts";
import { WireError } from "../../src/wire/errors.ts";
import { parseImport } from "../../src/wire/import.ts";
import { encodeExported } from "../../src/wire/exported.ts";
import { asObject } from "../../src/wire/json.ts";
import { type TableDigest, parseSchema, phases } from "../../src/wire/messages.ts";
import { encodePage } from "../../src/wire/page.ts";
import { type ExactValue, emitWireValue, parseKey, parseWireValue } from "../../src/wire/values.ts";
import { Client, table } from "../store/client.ts";
import { type Cell, type Row, rangeDigest, tableDigest } from "../store/encode.ts";

interface Vector {
  readonly name: string;
  readonly level?: string;
  // Each file has its own members; the README describes them.
  // eslint-disable-next-line
  readonly [member: string]: any;
}

const vectors = (list: unknown): Vector[] => list as Vector[];
const good = (list: unknown): Vector[] => vectors(list).filter(({ expect }) => expect?.error === undefined);
const broken = (list: unknown): Vector[] =>
  vectors(list).filter(({ expect, level }) => expect?.error !== undefined && level !== "strict");

const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function kindOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof WireError ? error.kind : String(error);
  }
  return "accepted";
}

describe("values.json", () => {
  it.each(good(values))("$name", ({ json, expect: { class: storageClass, int, bits, hex = "" } }) => {
    const value = parseWireValue(json, "value");
    expect(value.class).toBe(storageClass.toLowerCase());
    if (value.class === "integer") expect(value.decimal).toBe(int);
    if (value.class === "real") expect(emitWireValue(value)).toEqual({ real: bits });
    if ("bytes" in value) expect(toHex(value.bytes)).toBe(hex);
    expect(emitWireValue(value)).toEqual(json);
  });

  it.each(broken(values))("$name", ({ json, expect: { error } }) => {
    expect(kindOf(() => parseWireValue(json, "value"))).toBe(error);
  });
});

describe("rows.json", () => {
  it.each(good(rowVectors))("$name", ({ columns, cells, reals, expect: { rows } }) => {
    const decoded = decodeCells(fromHex(cells), fromHex(reals));
    expect(decoded.length).toBe(columns * rows.length);
    expect(decoded.map(emitWireValue)).toEqual(rows.flat());
    expect(toHex(Buffer.concat(decoded.flatMap(encodeCell)))).toBe(cells);
    const counted = new Array<number>(columns).fill(0);
    for (const [index, value] of decoded.entries())
      if (value.class === "real") counted[index % columns] = (counted[index % columns] ?? 0) + 1;
    expect(realCells(fromHex(cells), columns)).toEqual(counted);
  });

  it.each(broken(rowVectors))("$name", ({ cells, reals, expect: { error } }) => {
    expect(kindOf(() => decodeCells(fromHex(cells), fromHex(reals)))).toBe(error);
  });
});

// The table of the README.
function generatedRows(count: number): Row[] {
  return Array.from({ length: count }, (_, i): Row => {
    const a = ((BigInt(i) * BigInt(i) * 7919n) % 1000003n) - 500000n;
    const d: Cell = i % 3 === 0 ? null : { blob: Array(i % 20).fill(i % 256) };
    return [BigInt(i + 1), a, (i - 1000) / 7, i % 10 === 0 ? `zehn ä ${i}` : `row ${i}`, d];
  });
}

describe("tables.json", () => {
  it.each(vectors(tables))("$rows rows, in a store", async ({ rows: count, expect: expected }) => {
    const rows = generatedRows(count);
    expect(tableDigest(rows)).toBe(expected.table);
    expect(rangeDigest(rows)).toBe(expected.range);
    const client = new Client();
    const sent = { t: { columns: ["rowid", "a", "b", "c", "d"], rows } };
    await client.import([table("t", "CREATE TABLE t (a, b, c, d)")], sent);
    expect((await client.digest()).json.digest.tables).toMatchObject([
      { name: "t", rows: count, digest: expected.table },
    ]);
    const range = await client.post("range", { table: "t", after: null, upto: null });
    expect(range.json).toMatchObject({ rows: count, digest: expected.range });
  });
});

describe("digests.json", () => {
  it.each(vectors(digests.schemas))("schema: $name", ({ schema, expect: { digest } }) => {
    const { header, objects } = parseSchema(schema);
    expect(toHex(schemaDigest(header, objects))).toBe(digest);
  });

  it.each(vectors(digests.databases))("database: $name", ({ schema, tables: list, expect: expected }) => {
    expect(databaseDigest(fromHex(schema), list as TableDigest[])).toEqual(expected);
  });
});

interface ExpectedFrame {
  readonly kind: string;
  readonly table: string;
  readonly columns: string[];
  readonly plan: string;
  readonly payload: string;
  readonly values: unknown[][];
}

describe("batches.json", () => {
  it.each(good(batches))("$name", async ({ body, expect: expected }) => {
    const frames = (expected?.frames ?? []) as ExpectedFrame[];
    const decoded = decodeBatch(fromHex(body));
    expect(decoded.map(({ kind, table, columns }) => ({ kind, table, columns }))).toEqual(
      frames.map(({ kind, table, columns }) => ({ kind, table, columns })),
    );
    const client = new Client();
    const names = [...new Set(frames.map((frame) => frame.table))];
    const columnsOf = (name: string) => frames.find((frame) => frame.table === name)?.columns ?? [];
    await client.claim("migrate");
    await client.schema(names.map((name) => table(name, createTable(name, columnsOf(name)))));
    expect(await client.rows(0, fromHex(body))).toMatchObject({ status: 200, json: { applied: true } });
    await client.finish(1);
    await client.ready();
    for (const name of names) {
      const page = await client.exportRows(name, null, 1_000_000);
      const held = decodeCells(page.cells, page.reals).map(emitWireValue);
      const shown =
        columnsOf(name)[0] === "rowid" ? held : held.filter((_, i) => i % page.header.columns.length > 0);
      expect(shown).toEqual(
        frames.filter((frame) => frame.table === name).flatMap((frame) => frame.values.flat()),
      );
    }
  });

  it.each(broken(batches))("$name", async ({ body, expect: { error } }) => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([
      table("t", "CREATE TABLE t (a, b, c, d, e)"),
      table("games", "CREATE TABLE games (a, b, c, d)"),
    ]);
    expect(await client.rows(0, fromHex(body))).toMatchObject({
      status: 400,
      json: { error: { kind: error } },
    });
  });
});

function createTable(name: string, columns: readonly string[]): string {
  const quoted = [name, ...columns.filter((column) => column !== "rowid")].map(
    (word) => `"${word.replaceAll('"', '""')}"`,
  );
  return `CREATE TABLE ${quoted[0]} (${quoted.slice(1).join(", ")})`;
}

describe("pages.json", () => {
  it.each(good(pages))("$name", ({ body, expect: { header, rows = [] } }) => {
    const cells = (rows as unknown[][]).flat().map((value) => parseWireValue(value, "cell"));
    const reals = cells.flatMap((value) => (value.class === "real" ? [value.number] : []));
    const { phase, last, ...rest } = header;
    expect(phases).toContain(phase);
    const parts = {
      cells: cells.flatMap(encodeCell),
      reals: [new Uint8Array(Float64Array.from(reals).buffer)],
    };
    const { table: name, columns, rows: count, done, writes, gen } = rest;
    const key = parseKey(last, "last");
    const encoded = encodePage(
      { table: name, columns, rows: count, last: key, done, writes, phase, gen },
      parts.cells,
      parts.reals,
    );
    expect(toHex(encoded)).toBe(body);
  });
});

describe("forth.json", () => {
  it.each(good(forth.imports))("import: $name", ({ body, expect: { header, batch: rows = "" } }) => {
    const { claim, etag, schema, batch } = parseImport(fromHex(body));
    expect({ claim, etag, schema }).toEqual(header);
    expect(toHex(batch)).toBe(rows);
  });

  it.each(broken(forth.imports))("import: $name", ({ body, expect: { error } }) => {
    expect(kindOf(() => parseImport(fromHex(body)))).toBe(error);
  });
});

describe("back.json", () => {
  it.each(vectors(back.requests))("request: $name", ({ json, expect: { error = "accepted" } }) => {
    const body = asObject(JSON.parse(json), "body");
    expect(kindOf(() => [parseBack(body), parseSource(body)])).toBe(error);
    if (error !== "accepted") return;
    const { claim, etag, modified } = parseBack(body);
    expect({ claim, etag, modified, source: parseSource(body) }).toEqual(body);
    expect(parseBack(body).gen).toBe(Number(claim["seen"]) + 1);
  });

  it.each(good(back.answers))("answer: $name", ({ body, expect: { head, pages: list = [] } }) => {
    const parts = (list as string[]).map(fromHex);
    expect(toHex(encodeExported(JSON.parse(head), parts))).toBe(body);
  });
});

function toExact(param: SqlParam): ExactValue {
  switch (param.type) {
    case "null":
      return { class: "null" };
    case "integer":
      return { class: "integer", decimal: param.value.toString() };
    case "real":
      return { class: "real", number: param.value };
    case "text":
      return { class: "text", bytes: new TextEncoder().encode(param.value) };
    case "blob":
      return { class: "blob", bytes: param.value };
  }
}

function emit(value: ExactValue): unknown {
  switch (value.class) {
    case "null":
      return null;
    case "integer":
      return emitInteger(BigInt(value.decimal));
    case "real":
      return emitReal(value.number);
    case "text":
      return new TextDecoder().decode(value.bytes);
    case "blob":
      return emitBlob(value.bytes);
  }
}

const parsed = (json: string): unknown => parseJson(new TextEncoder().encode(json), "parameter");

describe("query.json", () => {
  it.each(good(query.parameters))("parameter: $name", ({ json, expect: { value, result } }) => {
    const exact = toExact(parseParam(parsed(json), "parameter"));
    expect(emitWireValue(exact)).toEqual(value);
    expect(emit(exact)).toEqual(JSON.parse(result));
  });

  it.each(broken(query.parameters))("parameter: $name", ({ json, expect: { error } }) => {
    expect(kindOf(() => parseParam(parsed(json), "parameter"))).toBe(error);
  });

  it.each(vectors(query.results))("result: $name", ({ value, expect: { json } }) => {
    expect(emit(parseWireValue(value, "value"))).toEqual(JSON.parse(json));
  });

  it("results, through a store", async () => {
    const cells = vectors(query.results).map(({ value }) => parseWireValue(value, "value"));
    const rows = cells.map((value, index): Row => [BigInt(index), cellOf(value)]);
    const client = new Client();
    await client.import([table("t", "CREATE TABLE t (v)")], { t: { columns: ["rowid", "v"], rows } });
    await client.activate();
    const answer = await client.query("SELECT v FROM t ORDER BY rowid");
    const expected = vectors(query.results).map(({ expect: { json } }) => [JSON.parse(json)]);
    expect(answer).toMatchObject({ ok: true, results: [{ rows: expected }] });
  });
});

function cellOf(value: ExactValue): Cell {
  if (value.class === "null") return null;
  if (value.class === "integer") return BigInt(value.decimal);
  if (value.class === "real") return value.number;
  return value.class === "text" ? { text: [...value.bytes] } : { blob: value.bytes };
}
