// A copy of a large store while the application writes: each answer is some rows, and what changed since the answer
// before, all of one moment. A copy that takes all changes in is the store at the last answer.
import { WireError, badRequest } from "../wire/errors.ts";
import { encodeExported } from "../wire/exported.ts";
import { type JsonObject, asBoolean, asInteger, asObject, asString, asStrings } from "../wire/json.ts";
import { LIMITS, SNAPSHOT_BYTES } from "../wire/limits.ts";
import { type ExactValue, type Key, emitKey, parseKey } from "../wire/values.ts";
import type { ResultValue } from "../query/types.ts";
import { type SqlParam, parseParam } from "../query/values.ts";
import type { StoreContext } from "../state/context.ts";
import { demandPhase } from "../state/guard.ts";
import { isSqliteName, tableShape, tablesWithRows, virtualNames } from "../store/catalog.ts";
import { exportKeys, exportSchema, exportUpTo } from "../store/export.ts";
import { type RangeDigest, rangeDigest } from "../store/range.ts";
import { LIVE_LIMITS } from "./protocol.ts";
import type { LiveLog } from "./log.ts";

/** A table that changed in ways that nobody named comes whole, if it is no larger. */
const WHOLE_BYTES = 256 * 1024;
/** More changed rows in one answer are not looked up one by one: its writes would wait. */
const MOST_KEYS = 5_000;
/** Nor are they sent if they are larger: an isolate has 128 MB. */
const CHANGED_BYTES = 8 * 1024 * 1024;

/** A digest of rows ends here, since the writes wait for it. The limit in rows may be that of short ones. */
const CHECK_BYTES = 256 * 1024;

/** What changed in one table. */
interface Changed {
  readonly table: string;
  /** null: any of its rows may have. */
  readonly keys: readonly unknown[] | null;
  /** Whether a page follows: the rows of these keys that are there, or all rows of the table. */
  readonly page: boolean;
}

interface Answer {
  readonly changes: Changed[];
  readonly pages: Uint8Array[];
  /** The digests of the tables that were asked for whole; null where one is too large. */
  readonly wholes: (RangeDigest | null)[];
}

/** The keys that changed in each table; null for a table where they are not known. */
type Keys = Map<string, Map<string, Key> | null>;

/**
 * Answers one request of a copy (docs/wire-format.md, section 13). `began`: this request turned the log on.
 * @throws WireError wrong-phase, not-found or bad-request
 */
export function follow(store: StoreContext, log: LiveLog, json: JsonObject, began: boolean): Uint8Array {
  const { state, writes, revision } = store.books;
  demandPhase(state, "export");
  const since = json["since"] === null ? null : asInteger(json["since"], "since", 0, Number.MAX_SAFE_INTEGER);
  const whole = optionalNames(json["whole"]);
  const knowsVirtual = asBoolean(json["virtual"] ?? false, "virtual");
  const keys = since === null ? new Map() : began ? null : changedKeys(store, log, since, knowsVirtual);
  const { changes, pages, wholes } = keys === null ? nothing() : changed(store, keys, whole);
  // No log names them. Who asks for whole tables at the end has them then.
  if (keys !== null && since !== writes && !knowsVirtual) addSqliteTables(store, { changes, pages, wholes });
  const read = keys === null ? undefined : optional(json["read"], (wanted) => readPage(store, wanted));
  const check = keys === null ? undefined : optional(json["check"], (wanted) => rangeOf(store, wanted));
  const head = {
    phase: state.phase,
    gen: state.gen,
    lin: state.lin,
    writes,
    revision,
    began,
    virtual: true,
    lost: keys === null,
    log: LIVE_LIMITS.logEntries,
    changes,
    read: read !== undefined,
    ...(check !== undefined && { check }),
    ...((since === null || whole !== undefined) && { schema: exportSchema(store) }),
    ...(since === null && { tables: tablesWithRows(store.sql) }),
    ...(whole !== undefined && keys !== null && { wholes }),
  };
  return encodeExported(head, read === undefined ? pages : [...pages, read]);
}

/** Whether the copy is made, and needs no log any more. */
export function endsFollowing(json: JsonObject): boolean {
  return asBoolean(json["end"] ?? false, "end");
}

function nothing(): Answer {
  return { changes: [], pages: [], wholes: [] };
}

function optionalNames(value: unknown): readonly string[] | undefined {
  return value === undefined || value === null ? undefined : asStrings(value, "whole");
}

function optional<T>(value: unknown, use: (wanted: JsonObject) => T): T | undefined {
  return value === undefined || value === null ? undefined : use(asObject(value, "read"));
}

function readPage(store: StoreContext, wanted: JsonObject): Uint8Array {
  const table = asString(wanted["table"], "read.table");
  const bytes = asInteger(wanted["maxBytes"], "read.maxBytes", 1, LIMITS.batchBytes);
  return exportUpTo(store, table, parseKey(wanted["after"], "read.after"), bytes).page;
}

function rangeOf(store: StoreContext, wanted: JsonObject) {
  const table = asString(wanted["table"], "check.table");
  const after = parseKey(wanted["after"], "check.after");
  const limit = asInteger(wanted["limit"], "check.limit", 1, 1_000_000);
  return rangeDigest(store, { table, after, upto: null, limit, most: CHECK_BYTES });
}

/** null: something changed that the log does not name, or that the asker does not know about. */
function changedKeys(store: StoreContext, log: LiveLog, since: number, knowsVirtual: boolean): Keys | null {
  const upto = store.books.writes;
  if (since > upto) throw badRequest("since", "a position that the store had");
  if (upto - since > LIVE_LIMITS.logEntries) return null;
  const found: Keys = new Map();
  const entries = log.readUpTo(since, upto);
  if (entries === undefined) return null;
  for (const { changes } of entries) {
    if (changes === null) return null;
    for (const { table, keys } of changes) note(found, table, keys);
  }
  if (![...found.values()].includes(null)) return found;
  return !knowsVirtual && virtualNames(store.sql).some((table) => found.has(table)) ? null : found;
}

function note(found: Keys, table: string, keys: readonly (readonly ResultValue[])[] | null): void {
  const exact = keys?.map(exactKey);
  const known = found.get(table) ?? (found.has(table) ? null : new Map<string, Key>());
  if (exact === undefined || known === null || !exact.every((key) => key !== undefined)) {
    found.set(table, null);
    return;
  }
  for (const key of exact) known.set(JSON.stringify(emitKey(key)), key);
  found.set(table, known);
}

/** undefined where the log's form of the key has lost something: text that is not UTF-8. */
function exactKey(key: readonly ResultValue[]): Key | undefined {
  const values = key.map((value) => exactValue(parseParam(value, "key")));
  return values.every((value) => value !== undefined) ? values : undefined;
}

function exactValue(param: SqlParam): ExactValue | undefined {
  switch (param.type) {
    case "null":
      return { class: "null" };
    case "integer":
      return { class: "integer", decimal: param.value.toString() };
    case "real":
      return { class: "real", number: param.value };
    case "blob":
      return { class: "blob", bytes: param.value };
    case "text":
      if (param.value.includes("\uFFFD")) return undefined;
      return { class: "text", bytes: new TextEncoder().encode(param.value) };
  }
}

/** @param whole tables that shall come with all rows, since their changes cannot be named */
function changed(store: StoreContext, keys: Keys, whole: readonly string[] = []): Answer {
  const answer = nothing();
  const unnamed = [...keys.values()].includes(null);
  const virtual = unnamed ? virtualNames(store.sql) : [];
  let room = MOST_KEYS;
  let bytes = CHANGED_BYTES;
  for (const [table, known] of keys) {
    if (whole.includes(table)) continue;
    if (virtual.includes(table)) {
      // The index of an FTS5 table without content of its own is made again from the rows that it is about.
      if (tableShape(store.sql, table) !== undefined) answer.changes.push({ table, keys: null, page: false });
      continue;
    }
    room -= known?.size ?? 0;
    const rows = known === null || room < 0 ? undefined : rowsAt(store, table, [...known.values()], bytes);
    if (known === null || rows === undefined) {
      addWhole(store, table, answer);
      continue;
    }
    bytes -= rows.length;
    answer.changes.push({ table, keys: [...known.values()].map(emitKey), page: true });
    answer.pages.push(rows);
  }
  addWholes(store, whole, answer);
  return answer;
}

function addSqliteTables(store: StoreContext, answer: Answer): void {
  for (const table of tablesWithRows(store.sql).filter(isSqliteName)) addWhole(store, table, answer);
}

function rowsAt(store: StoreContext, table: string, keys: readonly Key[], bytes: number) {
  if (tableShape(store.sql, table) === undefined) throw new WireError("not-found", `no table ${table}`);
  return exportKeys(store, table, keys, Math.max(bytes, 0));
}

/** The tables with their digests: of one moment with the changes, for as long as the writes wait. */
function addWholes(store: StoreContext, tables: readonly string[], answer: Answer): void {
  let room = SNAPSHOT_BYTES;
  for (const table of tables) {
    const { page, done } = exportUpTo(store, table, null, Math.max(1, room));
    room -= page.length;
    answer.changes.push({ table, keys: null, page: done });
    if (done) answer.pages.push(page);
    const request = { table, after: null, upto: null, limit: Number.MAX_SAFE_INTEGER };
    answer.wholes.push(done ? rangeDigest(store, request) : null);
  }
}

function addWhole(store: StoreContext, table: string, answer: Answer): void {
  const whole =
    tableShape(store.sql, table) === undefined ? undefined : exportUpTo(store, table, null, WHOLE_BYTES);
  answer.changes.push({ table, keys: null, page: whole?.done === true });
  if (whole?.done === true) answer.pages.push(whole.page);
}
