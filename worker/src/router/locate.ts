// Where a row of a split user is, and a write that finds its row wherever it is (docs/split.md). A row moves only
// with a command of the operator, so the place is looked up again whenever the row was not where it was seen.
import { quoteName } from "../query/schema-text.ts";
import type { QueryAnswer, QueryRequest, QueryScope, QueryStatement, QueryValue } from "../query/types.ts";
import { badRequest, type ErrorInfo, WireError } from "../wire/errors.ts";
import type { BothAnswer } from "./cold.ts";
import { cutoverInProgress, failedStatement, renumbered } from "./failures.ts";
import { pause } from "./pause.ts";

/** Names one row: the columns of a key, and its values. */
export type RowKey = Readonly<Record<string, QueryValue>>;

/**
 * Where a row is. A row of a reference table is `both`; `none`: neither half has it, or the user has no such row.
 * For a user who is not split a row is `hot`.
 */
export type RowPlace = "hot" | "cold" | "both" | "none";

/** The place, at the moment of the look. */
export type LocateAnswer =
  { readonly ok: true; readonly place: RowPlace } | { readonly ok: false; readonly error: ErrorInfo };

/** A write of one row and what belongs to it. */
export interface WriteBothRequest {
  readonly table: string;
  /** The row that has to be there, in the half in which the statements run. */
  readonly key: RowKey;
  /** They run in one transaction, in the half that has the row. */
  readonly statements: readonly QueryStatement[];
  readonly counts?: boolean;
}

/** The answer of the half that has the row, which `scope` names. */
export type WriteBothAnswer = QueryAnswer & { readonly scope?: QueryScope };

/** What the two functions need of a router. */
export interface Halves {
  readonly deadlineMs: number;
  query(user: string, request: QueryRequest): Promise<QueryAnswer>;
  queryBoth(user: string, request: Pick<QueryRequest, "statements">): Promise<BothAnswer>;
}

const MIN_ATTEMPTS = 2;

/** Looks in both halves, at one moment. @throws WireError bad-request */
export async function locate(
  halves: Halves,
  user: string,
  table: string,
  key: RowKey,
): Promise<LocateAnswer> {
  const { where, params } = condition(key);
  const sql = `SELECT EXISTS (SELECT 1 FROM ${quoteName(table)} WHERE ${where})`;
  const answer = await halves.queryBoth(user, { statements: [{ sql, params }] });
  if (!answer.ok) return answer;
  const has = (half: typeof answer.cold) => half?.results[0]?.rows[0]?.[0] === 1;
  const [hot, cold] = [has(answer.hot), has(answer.cold)];
  return { ok: true, place: hot && cold ? "both" : hot ? "hot" : cold ? "cold" : "none" };
}

/**
 * Runs the statements where the row is. Of a row that is in both halves, the hot one counts.
 * @throws WireError bad-request, or cutover-in-progress at the deadline
 */
export async function writeBoth(
  halves: Halves,
  user: string,
  request: WriteBothRequest,
): Promise<WriteBothAnswer> {
  const deadline = Date.now() + halves.deadlineMs;
  for (let attempts = 1; ; attempts++) {
    const found = await locate(halves, user, request.table, request.key);
    if (!found.ok) return found;
    if (found.place === "none") return { ok: false, error: noRow(request).info };
    const scope = found.place === "cold" ? "cold" : "hot";
    const answer = await writeAt(halves, user, request, scope);
    if (answer !== undefined) return { ...answer, scope };
    if (attempts >= MIN_ATTEMPTS && Date.now() >= deadline) throw cutoverInProgress();
    await pause();
  }
}

/** Writes in one half, if the row is there still; undefined: it has moved, and nothing was written. */
async function writeAt(
  halves: Halves,
  user: string,
  request: WriteBothRequest,
  scope: QueryScope,
): Promise<QueryAnswer | undefined> {
  const statements = [guard(request), ...request.statements];
  const counts = request.counts === undefined ? {} : { counts: request.counts };
  const answer = await halves.query(user, { statements, mode: "write", scope, ...counts });
  if (answer.ok) return { ...answer, results: answer.results.slice(1) };
  const { kind, message } = answer.error;
  const guarded = failedStatement(answer.error) === 0 && message.includes(GUARD_FAILS);
  if (guarded || kind === "not-split") return undefined;
  return { ...answer, error: renumbered(answer.error, 1) };
}

/** What SQLite says where the guard finds no row. */
const GUARD_FAILS = "malformed JSON";

/** A statement that fails, and so rolls the request back, where the row is not there. */
function guard({ table, key }: WriteBothRequest): QueryStatement {
  const { where, params } = condition(key);
  const there = `EXISTS (SELECT 1 FROM ${quoteName(table)} WHERE ${where})`;
  return { sql: `SELECT json_extract(CASE WHEN ${there} THEN '1' ELSE 'no row' END, '$')`, params };
}

function condition(key: RowKey): { where: string; params: QueryValue[] } {
  const columns = Object.entries(key);
  if (columns.length === 0) throw badRequest("key", "the columns of a key and their values");
  return {
    where: columns.map(([name]) => `${quoteName(name)} = ?`).join(" AND "),
    params: columns.map(([, value]) => value),
  };
}

function noRow({ table, key }: WriteBothRequest): WireError {
  const columns = Object.keys(key).join(", ");
  return new WireError("not-found", `table ${table} has no row with this ${columns}, neither hot nor cold`);
}
