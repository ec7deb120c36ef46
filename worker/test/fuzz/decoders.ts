// Everything in the Worker that reads bytes or JSON from outside, with what has to hold for each of them
// whatever it is given: it answers or throws a WireError, and what it answers can be written again as the
// same.
import batches from "../../../pkg/wire/testdata/vectors/batches.json" with { type: "json" };
import digests from "../../../pkg/wire/testdata/vectors/digests.json" with { type: "json" };
import query from "../../../pkg/wire/testdata/vectors/query.json" with { type: "json" };
import rowVectors from "../../../pkg/wire/testdata/vectors/rows.json" with { type: "json" };
import values from "../../../pkg/wire/testdata/vectors/values.json" with { type: "json" };
import { parseLocationHint } from "../../src/admin/location.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import { countBeforeLimit, endsWithValues, parseStatement } from "../../src/query/statement.ts";
import { parseThawRequest } from "../../src/query/thaw-request.ts";
import { tokenize } from "../../src/query/tokens.ts";
import { parseParam } from "../../src/query/values.ts";
import { objectKeys } from "../../src/router/layout.ts";
import { classify, isTombstone } from "../../src/wire/marker.ts";
import { fromBase64, toBase64 } from "../../src/wire/base64.ts";
import { decodeBatch } from "../../src/wire/batch.ts";
import { decodeCells, encodeCell } from "../../src/wire/cells.ts";
import { schemaDigest } from "../../src/wire/digest.ts";
import { WireError } from "../../src/wire/errors.ts";
import { emitVirtual, parseDatabaseDigest, parseSchema } from "../../src/wire/messages.ts";
import { parseAdminRoute, parseUserId } from "../../src/wire/routes.ts";
import { emitKey, emitWireValue, parseKey, parseWireValue } from "../../src/wire/values.ts";
import { Random, mutateBytes, mutateJson, mutateText } from "./random.ts";

/** One decoder: how to make an input of a random one of its seeds, and what to do with it. */
export interface Target {
  readonly name: string;
  input(random: Random): unknown;
  check(input: never): void;
}

const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function bytesTarget(name: string, seeds: readonly Uint8Array[], check: (input: Uint8Array) => void): Target {
  return { name, input: (random) => mutateBytes(random, random.pick(seeds)), check };
}

function textTarget(name: string, seeds: readonly string[], check: (input: string) => void): Target {
  return { name, input: (random) => mutateText(random, random.pick(seeds)), check };
}

function jsonTarget(name: string, seeds: readonly unknown[], check: (input: unknown) => void): Target {
  return {
    name,
    input: (random) => {
      let value = random.pick(seeds);
      for (let changes = 1 + random.below(3); changes > 0; changes--) value = mutateJson(random, value);
      return value;
    },
    check,
  };
}

function demand(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

interface RowsInput {
  readonly cells: Uint8Array;
  readonly reals: Uint8Array;
}

const rowSeeds: readonly RowsInput[] = (rowVectors as { cells: string; reals: string }[]).map(
  ({ cells, reals }) => ({
    cells: fromHex(cells),
    reals: fromHex(reals),
  }),
);

const cellsTarget: Target = {
  name: "decodeCells",
  input: (random) => {
    const { cells, reals } = random.pick(rowSeeds);
    return {
      cells: mutateBytes(random, cells),
      reals: random.below(3) > 0 ? reals : mutateBytes(random, reals),
    };
  },
  check: ({ cells, reals }: RowsInput) => {
    const decoded = decodeCells(cells, reals);
    demand(
      Buffer.concat(decoded.flatMap(encodeCell)).equals(cells),
      "the cells are written otherwise than they were read",
    );
  },
};

const SQL = [
  "SELECT a, 'it''s', \"b\" FROM t WHERE a = ?1 AND b = :name -- end",
  "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT * FROM n ORDER BY 1 LIMIT 5 OFFSET 2",
  "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET a = 1; DELETE FROM t; END;",
  "PRAGMA main.foreign_keys = off; /* c */",
  "INSERT INTO t VALUES(x'00ff', 1e5, 0x10, $a::b(c)) RETURNING *",
];

const marked = new Uint8Array(100);
marked.set(ascii("SQLite format 3\0"));
const fenced = marked.slice();
fenced.set(ascii("DMF1\0\0\0\x03\0\0\0\x04\x02\x02abcdef"), 72);
fenced[18] = 255;
const stamped = marked.slice();
stamped.set(ascii("DMU1\0\0\0\x05abcdefghijkl"), 72);
const tombstone = ascii('dbmigrate tombstone 1\n{"lin":1,"non":2,"user":"u","receipt":{"claim":1}}\n');

const schemas = (digests.schemas as { schema: unknown }[]).map(({ schema }) => schema);
const digest = {
  database: "0".repeat(64),
  schema: "a".repeat(64),
  tables: [{ name: "t", rows: 3, digest: "b".repeat(64) }],
};
const wireValues = (values as { json: unknown }[]).map(({ json }) => json);

export const targets: readonly Target[] = [
  bytesTarget(
    "decodeBatch",
    (batches as { body: string }[]).map(({ body }) => fromHex(body)),
    (body) => {
      for (const frame of decodeBatch(body)) {
        demand(frame.columns.length > 0, "a frame without columns");
        if (frame.kind === "D") decodeCells(frame.cells, frame.reals);
      }
    },
  ),
  cellsTarget,
  bytesTarget("classify", [marked, fenced, stamped, tombstone, new Uint8Array()], (bytes) => {
    const mark = classify(bytes);
    isTombstone(bytes);
    demand(mark.fenced || Number.isInteger(mark.stamp), "a mark that is none");
  }),
  textTarget("fromBase64", ["YQ==", "YWI=", "YWJj", ""], (text) => {
    demand(toBase64(fromBase64(text, "text")) === text, "base64 with two spellings");
  }),
  jsonTarget("parseWireValue", wireValues, (value) => {
    demand(
      same(emitWireValue(parseWireValue(value, "value")), value),
      "the value is written otherwise than it was read",
    );
  }),
  jsonTarget("parseKey", [null, [{ int: "5" }], [{ text: "YQ==" }, { blob: "AA==" }]], (value) => {
    demand(same(emitKey(parseKey(value, "key")), value), "the key is written otherwise than it was read");
  }),
  jsonTarget("parseSchema", schemas, (value) => {
    const schema = parseSchema(value);
    schemaDigest(schema.header, schema.objects);
    schema.virtual.forEach(emitVirtual);
    const emitted = { ...schema, virtual: schema.virtual.map(emitVirtual) };
    demand(
      same({ ...parseSchema(emitted), virtual: 0 }, { ...schema, virtual: 0 }),
      "the schema reads differently",
    );
  }),
  jsonTarget("parseDatabaseDigest", [digest], (value) => {
    const parsed = parseDatabaseDigest(value);
    demand(same(parseDatabaseDigest(parsed), parsed), "the digest reads differently");
  }),
  jsonTarget(
    "parseParam",
    (query.parameters as { json: string }[]).map(({ json }) => JSON.parse(json)),
    (value) => {
      const param = parseParam(value, "parameter");
      demand(
        param.type !== "integer" || BigInt.asIntN(64, param.value) === param.value,
        "an INTEGER beyond 64 bits",
      );
      demand(param.type !== "real" || !Number.isNaN(param.value), "a REAL that is NaN");
    },
  ),
  jsonTarget(
    "parseThawRequest",
    [
      { table: "games", where: "id = ? OR name = ?", params: [7, { blob: "AA==" }] },
      { table: "t", where: ":a", params: { a: 1 } },
    ],
    (value) => demand(parseThawRequest(value).where.trim() !== "", "a request for no rows"),
  ),
  jsonTarget(
    "parseQueryRequest",
    [
      { statements: [{ sql: SQL[0], params: [1, null, { int: "5" }] }], mode: "read" },
      { statements: [{ sql: SQL[1], params: { ":a": 1 } }] },
    ],
    (value) => demand(parseQueryRequest(value).statements.length > 0, "a request without statements"),
  ),
  textTarget("tokenize", SQL, (sql) => {
    const tokens = tokenize(sql);
    demand(tokens.map(({ text }) => text).join("") === sql, "the tokens are not the text");
  }),
  textTarget("parseStatement", SQL, (sql) => {
    const { tokens } = parseStatement(sql);
    const before = countBeforeLimit(tokens);
    endsWithValues(tokens);
    demand(before >= 0 && before <= tokens.length, "a LIMIT outside the statement");
  }),
  textTarget("parseUserId", ["user-1", "é", ".", "a/b", "x".repeat(503)], (text) => {
    demand(parseUserId(text) === text, "another user");
  }),
  textTarget(
    "parseAdminRoute",
    ["/_dbmigrate/v1/users/u/status", "/_dbmigrate/v1/users/a%2Fb/export/rows", "/_dbmigrate/v1/hello"],
    (path) => {
      const route = parseAdminRoute("GET", path);
      demand(
        route.kind === "hello" || route.kind === "ids" || parseUserId(route.user) === route.user,
        "a route to no user",
      );
    },
  ),
  textTarget("objectKeys", ["{user}/database.sqlite", "databases/{user}.sqlite"], (layout) => {
    const keyOf = objectKeys(layout);
    demand(keyOf("u1") !== keyOf("u2"), "two users with one key");
  }),
  textTarget("parseLocationHint", ["weur", "apac-ne", ""], (text) => {
    const hint = parseLocationHint(text);
    demand(hint === undefined ? text === "" : hint === text, "another place");
  }),
];

/** A decoder broke its word. */
export class Broken extends Error {
  constructor(target: Target, count: number, input: unknown, cause: unknown) {
    super(`${target.name}, input ${count}, ${describe(input)}: ${String(cause)}`, { cause });
  }
}

function describe(input: unknown): string {
  if (input instanceof Uint8Array) return `bytes ${Buffer.from(input).toString("hex")}`;
  return JSON.stringify(input, (_, member: unknown) =>
    member instanceof Uint8Array ? Buffer.from(member).toString("hex") : member,
  );
}

// The router's own readers throw plain errors, which never leave the Worker.
function isRefusal(error: unknown): boolean {
  return (
    error instanceof WireError ||
    (error instanceof Error && /^(read tombstone|createRouter): /.test(error.message))
  );
}

/** Gives the target `count` inputs of a seed; returns how many it refused. @throws Broken */
export function fuzz(target: Target, seed: number, count: number): number {
  const random = new Random(seed);
  let refused = 0;
  for (let index = 0; index < count; index++) {
    const input = target.input(random);
    try {
      target.check(input as never);
    } catch (error) {
      if (!isRefusal(error)) throw new Broken(target, index, input, error);
      refused++;
    }
  }
  return refused;
}
