// Moves a user with all rows, as `dbmigrate` does, in small: for tests of what an application sees.
import { runOnFile } from "../../src/file/engine.ts";
import { fileVersion } from "../../src/file/file-schema.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import type {
  NotActiveDetails,
  QueryAnswer,
  QueryStatement,
  QueryValue,
  ResultValue,
  StatementResult,
} from "../../src/query/types.ts";
import { fromBase64 } from "../../src/wire/base64.ts";
import { bindings, fenced, fileKey, stamped } from "../router/fixtures.ts";
import { importInto, send } from "../router/store-driver.ts";
import { batch, type Cell, jFrame } from "../store/encode.ts";

interface Table {
  readonly name: string;
  /** The rowid first, where it is no column. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ResultValue[])[];
}

interface Content {
  readonly objects: readonly { type: string; name: string; table: string; sql: string }[];
  readonly tables: readonly Table[];
}

type Read = (statement: QueryStatement) => Promise<StatementResult>;

/** To the Durable Object. @returns the claim */
export async function toObject(user: string, seen = 0): Promise<number> {
  const stored = await bindings.BUCKET.get(fileKey(user));
  if (stored === null) throw new Error("the user has no file");
  const file = new Uint8Array(await stored.arrayBuffer());
  const content = await readAll(async (statement) => {
    const { results } = runOnFile(file, parseQueryRequest({ statements: [statement], mode: "read" }));
    return results[0] as StatementResult;
  });
  const { gen } = await send(user, "claim", { intent: "migrate", seen });
  const frames = content.tables
    .filter(({ rows }) => rows.length > 0)
    .map(({ name, columns, rows }) =>
      jFrame(
        name,
        columns,
        rows.map((row) => row.map(cellOf)),
      ),
    );
  const header = { userVersion: fileVersion(file) };
  await importInto(user, Number(gen), content.objects, batch(...frames), header);
  await bindings.BUCKET.put(fileKey(user), fenced(file, Number(gen), Number(gen)));
  await send(user, "activate", { gen });
  return Number(gen);
}

/** Back to the file. @returns the claim */
export async function toFile(user: string, seen: number): Promise<number> {
  const { gen } = await send(user, "claim", { intent: "rollback", seen });
  const { objects, tables } = await readAll((statement) => sealedRead(user, statement));
  const isTable = ({ type }: { type: string }): boolean => type === "table";
  const statements = [
    ...objects.filter(isTable),
    ...tables.flatMap(insertsOf),
    ...objects.filter((object) => !isTable(object)),
  ].map(({ sql, ...rest }) => ({ sql, params: "params" in rest ? (rest.params as QueryValue[]) : [] }));
  const { changed } = runOnFile(new Uint8Array(0), parseQueryRequest({ statements }));
  if (changed === null) throw new Error("the user has no rows");
  const { schema } = await exportSchema(user);
  new DataView(changed.buffer).setInt32(60, schema.header.userVersion);
  await bindings.BUCKET.put(fileKey(user), stamped(changed, Number(gen)));
  await send(user, "release", { gen });
  return Number(gen);
}

async function exportSchema(user: string): Promise<{ schema: { header: { userVersion: number } } }> {
  return (await send(user, "export/schema", null)) as unknown as Awaited<ReturnType<typeof exportSchema>>;
}

function insertsOf({ name, columns, rows }: Table): QueryStatement[] {
  const places = columns.map(() => "?").join(", ");
  const sql = `INSERT INTO "${name}" (${columns.map((column) => `"${column}"`).join(", ")}) VALUES (${places})`;
  return rows.map((row) => ({ sql, params: row }));
}

/** What the object's data is: reads go on while it is sealed, and the file decides whether they count. */
async function sealedRead(user: string, statement: QueryStatement): Promise<StatementResult> {
  const stub = bindings.USER_DATA.getByName(user);
  const answer = (await stub.query({ statements: [statement], mode: "read" })) as QueryAnswer;
  if (answer.ok) throw new Error("the object is not sealed");
  const { result } = answer.error.details as unknown as NotActiveDetails;
  if (result === undefined) throw new Error(answer.error.message);
  return result.results[0] as StatementResult;
}

async function readAll(read: Read): Promise<Content> {
  const { rows } = await read({
    sql: "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB '_cf_*' ORDER BY type <> 'table', rowid",
  });
  const objects = rows.map(([type, name, table, sql]) => ({
    type: String(type),
    name: String(name),
    table: String(table),
    sql: String(sql),
  }));
  const tables: Table[] = [];
  // Rows that refer to others come after them.
  const refers = ({ sql }: { sql: string }): number => Number(/\breferences\b/i.test(sql));
  for (const { type, name } of objects.toSorted((one, other) => refers(one) - refers(other)))
    if (type === "table") tables.push(await readTable(read, name));
  return { objects, tables };
}

async function readTable(read: Read, name: string): Promise<Table> {
  const info = await read({ sql: "SELECT name, upper(type), pk FROM pragma_table_info(?)", params: [name] });
  const keys = info.rows.filter(([, , pk]) => Number(pk) > 0);
  const hasAlias = keys.length === 1 && keys[0]?.[1] === "INTEGER";
  const columns = [...(hasAlias ? [] : ["rowid"]), ...info.rows.map(([column]) => String(column))];
  const list = columns.map((column) => `"${column}"`).join(", ");
  const { rows } = await read({ sql: `SELECT ${list} FROM "${name}" ORDER BY rowid` });
  return { name, columns, rows };
}

function cellOf(value: ResultValue): Cell {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (value === null || typeof value === "string") return value;
  if ("int" in value) return BigInt(value.int);
  return "real" in value ? Number(value.real) : { blob: fromBase64(value.blob, "blob") };
}
