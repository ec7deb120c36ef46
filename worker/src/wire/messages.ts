// The messages of the admin protocol (docs/wire-format.md); a mirror of pkg/wire/messages.go.
import { badRequest } from "./errors.ts";
import { asArray, asDigest, asInteger, asObject, asOneOf, asString } from "./json.ts";
import { type ExactValue, emitWireValue, parseWireValue } from "./values.ts";

export const phases = [
  "EMPTY",
  "IMPORTING",
  "READY",
  "ACTIVE",
  "SEALED",
  "SPLITTING",
  "SPLIT_READY",
  "COLD",
  "COLD_SEALED",
  "MERGING",
] as const;
/** The state of a user's Durable Object (docs/cutover.md, docs/split.md). */
export type Phase = (typeof phases)[number];

export const intents = ["migrate", "split", "rollback"] as const;
/** What a claim is for. */
export type Intent = (typeof intents)[number];

/** What a claim found, and so what its command does next. */
export type Outcome = "import" | "active" | "resume" | "export" | "lift" | "undo" | "merge";

/** A closed range of batch numbers. */
export type BatchRange = readonly [number, number];

export interface Status {
  readonly phase: Phase;
  readonly gen: number;
  readonly lin: number;
  readonly intent: Intent | null;
  readonly writes: number;
  readonly writesAtActivation: number;
  readonly databaseBytes: number;
  readonly batches: { readonly applied: readonly BatchRange[] };
  /** What `ready` brought, unread: it belongs to the operator's side. */
  readonly receipt: unknown;
  /** How many rows the application wants back in the file. */
  readonly thaws: number;
  /** The claim under which the whole database last began to serve; absent where it never did. */
  readonly opened?: number;
  /** Content that was given up is not deleted to the end: `reset` or `release` again goes on with it. */
  readonly clearing?: boolean;
  /** PRAGMA user_version of the content; absent where there is none. */
  readonly userVersion?: number;
  /** The newest claim is one of a birth that has not come to its end (docs/cutover.md). */
  readonly birth?: true;
}

export interface Claimed extends Status {
  readonly outcome: Outcome;
}

export const encodings = ["UTF-8", "UTF-16le", "UTF-16be"] as const;

/** What a Durable Object cannot hold in its own database header. */
export interface Header {
  readonly pageSize: number;
  readonly encoding: (typeof encodings)[number];
  readonly userVersion: number;
  readonly applicationId: number;
  readonly autoVacuum: number;
  readonly writeVersion: number;
  readonly readVersion: number;
  readonly internal: readonly InternalTable[];
}

export const internalTables = ["sqlite_sequence", "sqlite_stat1"] as const;
/** A table of SQLite's own that a user's database can have. */
export type InternalTable = (typeof internalTables)[number];

export const objectTypes = ["table", "index", "view", "trigger"] as const;
export type ObjectType = (typeof objectTypes)[number];

/** One entry of sqlite_schema that has a CREATE text. */
export interface SchemaObject {
  readonly type: ObjectType;
  readonly name: string;
  readonly table: string;
  readonly sql: string;
}

/** How a virtual table gets its content: rows that are sent, or FTS5's rebuild. */
export type Load = "rows" | "rebuild";

export interface VirtualTable {
  readonly name: string;
  readonly load: Load;
  /** FTS5 options as pairs of name and value. */
  readonly config: readonly (readonly [ExactValue, ExactValue])[];
}

export interface Schema {
  readonly header: Header;
  readonly objects: readonly SchemaObject[];
  readonly virtual: readonly VirtualTable[];
}

/**
 * What one plain scan counts in a table (docs/wire-format.md, section 6). It shares no code and no query with
 * the readers of rows, so it finds what two readers with the same fault overlook alike.
 */
export interface Census {
  readonly rows: number;
  /** Cells, the rowid among them. */
  readonly integers: number;
  readonly reals: number;
  readonly nulls: number;
  /** Bytes, as UTF-8. */
  readonly text: number;
  readonly blob: number;
  /** The smallest and the largest rowid; absent where the table has none. */
  readonly first?: string;
  readonly last?: string;
  /** A sum of row hashes that does not depend on their order. */
  readonly sum: string;
}

export interface TableDigest {
  readonly name: string;
  readonly rows: number;
  readonly digest: string;
  /** Absent for an empty table, and from a side that takes none. */
  readonly census?: Census;
}

export interface DatabaseDigest {
  readonly database: string;
  readonly schema: string;
  /** Sorted by name as bytes. */
  readonly tables: readonly TableDigest[];
}

const INT32_MAX = 2 ** 31 - 1;

/** @throws WireError bad-request */
export function parseSchema(value: unknown): Schema {
  const schema = asObject(value, "schema");
  return {
    header: parseHeader(schema["header"]),
    objects: asArray(schema["objects"] ?? [], "objects").map(parseObject),
    virtual: asArray(schema["virtual"] ?? [], "virtual").map(parseVirtual),
  };
}

function parseHeader(value: unknown): Header {
  const header = asObject(value, "header");
  const number = (name: string, min: number, max: number) =>
    asInteger(header[name], `header.${name}`, min, max);
  return {
    pageSize: number("pageSize", 512, 65536),
    encoding: asOneOf(header["encoding"], "header.encoding", encodings),
    userVersion: number("userVersion", -INT32_MAX - 1, INT32_MAX),
    applicationId: number("applicationId", -INT32_MAX - 1, INT32_MAX),
    autoVacuum: number("autoVacuum", 0, 2),
    writeVersion: number("writeVersion", 0, 255),
    readVersion: number("readVersion", 0, 255),
    internal: asArray(header["internal"] ?? [], "header.internal").map((name) =>
      asOneOf(name, "header.internal", internalTables),
    ),
  };
}

function parseObject(value: unknown, index: number): SchemaObject {
  const where = `objects[${index}]`;
  const object = asObject(value, where);
  return {
    type: asOneOf(object["type"], `${where}.type`, objectTypes),
    name: asString(object["name"], `${where}.name`),
    table: asString(object["table"], `${where}.table`),
    sql: asString(object["sql"], `${where}.sql`),
  };
}

function parseVirtual(value: unknown, index: number): VirtualTable {
  const where = `virtual[${index}]`;
  const virtual = asObject(value, where);
  return {
    name: asString(virtual["name"], `${where}.name`),
    load: asOneOf(virtual["load"], `${where}.load`, ["rows", "rebuild"]),
    config: asArray(virtual["config"] ?? [], `${where}.config`).map((pair) =>
      parsePair(pair, `${where}.config`),
    ),
  };
}

function parsePair(value: unknown, where: string): readonly [ExactValue, ExactValue] {
  const [name, option, ...more] = asArray(value, where);
  if (name === undefined || option === undefined || more.length > 0)
    throw badRequest(where, "pairs of wire values");
  return [parseWireValue(name, where), parseWireValue(option, where)];
}

/** The JSON form of a virtual table's entry. */
export function emitVirtual(virtual: VirtualTable): unknown {
  const config = virtual.config.map(([name, option]) => [emitWireValue(name), emitWireValue(option)]);
  return { name: virtual.name, load: virtual.load, ...(config.length > 0 && { config }) };
}

/** @throws WireError bad-request */
export function parseDatabaseDigest(value: unknown): DatabaseDigest {
  const digest = asObject(value, "digest");
  return {
    database: asDigest(digest["database"], "digest.database"),
    schema: asDigest(digest["schema"], "digest.schema"),
    tables: asArray(digest["tables"] ?? [], "digest.tables").map((item, index) => {
      const where = `digest.tables[${index}]`;
      const table = asObject(item, where);
      return {
        name: asString(table["name"], `${where}.name`),
        rows: asInteger(table["rows"], `${where}.rows`, 0, Number.MAX_SAFE_INTEGER),
        digest: asDigest(table["digest"], `${where}.digest`),
        ...(table["census"] !== undefined && { census: parseCensus(table["census"], `${where}.census`) }),
      };
    }),
  };
}

function parseCensus(value: unknown, where: string): Census {
  const census = asObject(value, where);
  const number = (name: string) =>
    asInteger(census[name] ?? 0, `${where}.${name}`, 0, Number.MAX_SAFE_INTEGER);
  const text = (name: string) => asString(census[name], `${where}.${name}`);
  return {
    rows: number("rows"),
    integers: number("integers"),
    reals: number("reals"),
    nulls: number("nulls"),
    text: number("text"),
    blob: number("blob"),
    ...(census["first"] !== undefined && { first: text("first"), last: text("last") }),
    sum: text("sum"),
  };
}

/** In what two censuses of one table differ; nothing where one of them was not taken. */
export function censusDifference(ours: Census | undefined, theirs: Census | undefined): string {
  if (ours === undefined || theirs === undefined) return "";
  const names = ["rows", "integers", "reals", "nulls", "text", "blob", "first", "last", "sum"] as const;
  return names
    .filter((name) => ours[name] !== theirs[name])
    .map((name) => `${name} ${ours[name] ?? "none"} against ${theirs[name] ?? "none"}`)
    .join(", ");
}
