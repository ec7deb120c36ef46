// A question to both halves of a split user, with what the hot half alone can find for it: an FTS5 index stays in
// the file whole, and names hot rows and cold ones (docs/split.md).
import type { QueryAnswer, QueryRequest, QueryStatement, ResultValue } from "../query/types.ts";
import { badRequest, WireError } from "../wire/errors.ts";
import type { MergeRule } from "./merge-rows.ts";

/** Statements that only read, and how the rows of both halves become one result for each statement. */
export interface BothRequest extends Pick<QueryRequest, "statements"> {
  readonly merge?: readonly MergeRule[];
  /**
   * Is asked first, of the hot rows alone, such as a full-text search. Its rows are the value of `:found` in the
   * statements: a JSON array with an array for each row.
   */
  readonly find?: QueryStatement;
}

/** The parameter that has what was found. */
const FOUND = "found";
const IN_SQL = /:found\b/;

/** The statements, with what was found. @throws WireError of the search, or bad-request */
export async function withFound(
  { statements, find }: BothRequest,
  readHot: (request: QueryRequest) => Promise<QueryAnswer>,
): Promise<readonly QueryStatement[]> {
  if (find === undefined) return statements;
  const answer = await readHot({ statements: [find], mode: "read" });
  if (!answer.ok) throw new WireError(answer.error.kind, `find: ${answer.error.message}`);
  const found = jsonOf(answer.results[0]?.rows ?? []);
  return statements.map((statement) => (IN_SQL.test(statement.sql) ? given(statement, found) : statement));
}

function given({ sql, params = {} }: QueryStatement, found: string): QueryStatement {
  if (Array.isArray(params) && params.length > 0)
    throw badRequest("params", "parameters by name, beside :found");
  return { sql, params: { ...(Array.isArray(params) ? {} : params), [FOUND]: found } };
}

function jsonOf(rows: readonly (readonly ResultValue[])[]): string {
  return `[${rows.map((row) => `[${row.map(literal).join(",")}]`).join(",")}]`;
}

/** A value as JSON that SQLite reads exactly. */
function literal(value: ResultValue): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if ("int" in value) return value.int;
  if ("real" in value && Number.isFinite(Number(value.real))) return value.real;
  throw badRequest("find", "columns with texts, numbers and NULL");
}
