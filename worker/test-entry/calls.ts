// Half of the writes that the tests' Worker is asked for are made by a method of a class in place of a query.
// So every proof about writes is one about calls, too. With a header, each of them brings a migration of the
// schema along: the database says how many have run, and that each has run once.
import { createRouter, errorResponse, type QueryRequest, UserLogic, WireError } from "../src/index.ts";
import type { QueryResults, QueryStatement, Side } from "../src/query/types.ts";
import type { SchemaConfig } from "../src/schema/schema.ts";
import type { StoreOptions } from "../src/user-data-store.ts";
import { isCaller } from "../sample/caller.ts";
import type { Env } from "../sample/index.ts";
import { parts } from "../service/mounted.ts";

/** The schema grows with a write that has this header, which says in which way. */
const GROW = "test-grow-schema";
/** The version before the first migration of ours, above what the tests' databases have. */
const BASE = 1000;

class Statements extends UserLogic {
  run(statements: readonly QueryStatement[]): QueryResults["results"] {
    this.demandGrown();
    return statements.map(({ sql, params = [] }) => {
      const cursor = this.sql.exec(sql, ...(params as readonly number[]));
      const rows = [...cursor.raw()] as (string | number | null)[][];
      const { columnNames, rowsRead, rowsWritten } = cursor;
      return { columns: columnNames, rows, rowsRead, rowsWritten };
    });
  }

  /** Each migration has left one row, or one table. */
  private demandGrown(): void {
    const version = Number(this.sql.exec("PRAGMA user_version").one()["user_version"]);
    if (version <= BASE) return;
    const made = "SELECT count(*) AS n FROM sqlite_schema WHERE name GLOB 'grown_by_schema_*'";
    if (this.sql.exec(made).one()["n"] === version - BASE) return;
    const { n, last } = this.sql.exec("SELECT count(*) AS n, max(step) AS last FROM grown_by_schema").one();
    if (n !== version - BASE || last !== version)
      throw new Error(`version ${version}, and ${String(n)} migrations up to ${String(last)}`);
  }
}

const logic = { Statements };

const ROWS = growing((step) => `INSERT INTO grown_by_schema VALUES (${step})`);
ROWS[0] = `CREATE TABLE grown_by_schema(step INTEGER PRIMARY KEY); ${ROWS[0]}`;
/** For split users: both halves of such a user get each migration, and may not both have a row. */
const TABLES = growing((step) => `CREATE TABLE grown_by_schema_${step}(a)`);
const WAYS: Readonly<Record<string, SchemaConfig[]>> = { rows: schemasOf(ROWS), tables: schemasOf(TABLES) };
const NONE: SchemaConfig = { migrations: [] };

function growing(sql: (step: number) => string): string[] {
  return Array.from({ length: 500 }, (_, i) => sql(BASE + 1 + i));
}

/** The first one takes the version to where ours begin. */
function schemasOf([first = "", ...others]: readonly string[]): SchemaConfig[] {
  const steps = [`PRAGMA user_version = ${BASE + 1}; ${first}`, ...others];
  return steps.map((_, i) => ({ migrations: steps.slice(0, i) }));
}

/** The schema that a user is to have now. */
const wanted = new Map<string, SchemaConfig>();

/** What the tests' Durable Object is told. */
export function storeOptions(id: DurableObjectId): StoreOptions {
  return {
    ...parts,
    logic,
    get schema() {
      return wanted.get(id.name ?? "") ?? NONE;
    },
  };
}

/** Answers a write by a call; undefined for what is left to the sample. */
export async function answerByCall(request: Request, env: Env): Promise<Response | undefined> {
  const [, segment] = /^\/api\/users\/([^/]+)\/query$/.exec(new URL(request.url).pathname) ?? [];
  if (segment === undefined || !isCaller(request, env.APP_TOKEN)) return undefined;
  const grows = request.headers.get(GROW);
  if (grows === null && Math.random() < 0.5) return undefined;
  const query = await request.clone().json<QueryRequest>();
  if (query.mode !== "write" || query.scope === "cold" || !query.statements.every(isPlain)) return undefined;
  return call(decodeURIComponent(segment), query.statements, env, grows);
}

/** Numbers are bound as REALs by a class: whatever has no column's affinity is left to queries. */
function isPlain({ params = [] }: QueryStatement): boolean {
  return Array.isArray(params) && params.every((param) => typeof param === "number");
}

async function call(
  user: string,
  statements: readonly QueryStatement[],
  env: Env,
  grows: string | null,
): Promise<Response> {
  let side: Side | null = null;
  const newUsers = env.NEW_USERS ?? "file";
  const bindings = { bucket: env.BUCKET, flags: env.FLAGS, store: env.USER_DATA, newUsers };
  const before = wanted.get(user);
  try {
    if (grows !== null) wanted.set(user, await nextSchema(user, env, WAYS[grows] ?? []));
    const router = createRouter({
      ...bindings,
      ...parts,
      logic,
      schema: wanted.get(user) ?? NONE,
      observe: (event) => {
        if (event.kind === "request") side = event.side;
      },
    });
    const results = await router.call(user, Statements).run(statements);
    return Response.json({ results, side }, { headers: { "test-called": "yes" } });
  } catch (error) {
    // Reads go on with the schema that is there.
    if (before === undefined) wanted.delete(user);
    else wanted.set(user, before);
    return errorResponse(error);
  }
}

/** That of one version more than the database has. @throws WireError when nobody says which */
async function nextSchema(user: string, env: Env, schemas: readonly SchemaConfig[]): Promise<SchemaConfig> {
  const router = createRouter({ ...parts, bucket: env.BUCKET, flags: env.FLAGS, store: env.USER_DATA });
  const answer = await router.query(user, { statements: [{ sql: "PRAGMA user_version" }], mode: "read" });
  if (!answer.ok) throw new WireError(answer.error.kind, answer.error.message);
  const version = Number(answer.results[0]?.rows[0]?.[0]);
  return schemas[Math.max(version - BASE, 0) + 1] ?? NONE;
}
