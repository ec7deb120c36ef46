// What a transaction wrote to a file, as far as a split user's other half may be in its way: keys that rows were
// given, and the schema. SQLite's session extension records it: what happened counts, whatever the text looks like,
// with triggers, cascades and upserts.
import { ExactReader } from "../query/read-exact.ts";
import { parseParams } from "../query/request.ts";
import { quoteName, SCHEMA_TEXT } from "../query/schema-text.ts";
import { bindStatement, runStatement } from "../query/statements.ts";
import type { QueryValue, ResultValue } from "../query/types.ts";
import { asOurselves } from "./authorizer.ts";
import type { FileDatabase } from "./database.ts";
import { FileSql } from "./file-sql.ts";
import { decodeText, type Pointer } from "./memory.ts";
import { withBytes, withText } from "./sqlite.ts";

/** Values that rows have now, and had not before, in columns that no two rows may share. */
export interface WrittenKeys {
  readonly table: string;
  readonly columns: readonly string[];
  /** Without those that have a NULL: they are equal to none. */
  readonly rows: readonly (readonly QueryValue[])[];
}

/** What a transaction wrote. */
export interface Written {
  readonly schemaChanged: boolean;
  /** Of primary keys and other UNIQUE ones, but for partial indexes and expressions. Empty where the schema changed. */
  readonly keys: readonly WrittenKeys[];
}

/** sqlite3.h */
const ROW = 100;
const OP = { INSERT: 18, UPDATE: 23 } as const;
const CLASS = { INTEGER: 1, REAL: 2, TEXT: 3, BLOB: 4 } as const;

/** A table, with the keys that no two of its rows may share. */
interface Keyed {
  readonly columns: readonly string[];
  readonly primary: readonly string[];
  readonly keys: readonly (readonly string[])[];
}

/** A row that was written: its columns by name, as far as they are known, and those that were given a value. */
interface WrittenRow {
  readonly values: ReadonlyMap<string, QueryValue>;
  readonly given: ReadonlySet<string>;
}

/** Watches one transaction. End it always, before the file is closed. */
export class WriteWatch {
  readonly #sql: FileSql;
  readonly #schema: string;
  readonly #session: Pointer;
  readonly #tables = new Map<string, Keyed | undefined>();

  constructor(private readonly db: FileDatabase) {
    this.#sql = new FileSql(db);
    this.#schema = this.#schemaText();
    const { lib, handle } = db;
    this.#session = withText(lib, "main", (main) =>
      withBytes(lib, new Uint8Array(4), (out) => {
        db.check(lib.c.sqlite3session_create(handle, main, out));
        return lib.memory.readInt32(out);
      }),
    );
    db.check(lib.c.sqlite3session_attach(this.#session, 0));
  }

  end(): void {
    this.db.lib.c.sqlite3session_delete(this.#session);
  }

  /** Call it once, behind the transaction. */
  written(): Written {
    if (this.#schemaText() !== this.#schema) return { schemaChanged: true, keys: [] };
    const found = new Map<string, { table: string; columns: readonly string[]; rows: QueryValue[][] }>();
    this.#eachRow((table, row) => {
      const keyed = this.#keyed(table);
      for (const columns of keyed?.keys ?? []) {
        const values = keyed && this.#valuesOf(table, keyed, columns, row);
        if (values === undefined || values.includes(null)) continue;
        const name = JSON.stringify([table, columns]);
        const entry = found.get(name) ?? { table, columns, rows: [] };
        entry.rows.push(values);
        found.set(name, entry);
      }
    });
    return { schemaChanged: false, keys: [...found.values()] };
  }

  /** The key of a row; undefined where the row was not given it. */
  #valuesOf(
    table: string,
    { primary }: Keyed,
    columns: readonly string[],
    { values, given }: WrittenRow,
  ): QueryValue[] | undefined {
    if (!columns.some((column) => given.has(column))) return undefined;
    const known = columns.map((column) => values.get(column));
    if (known.every((value) => value !== undefined)) return known;
    // The session leaves out what an UPDATE did not change.
    const where = primary.map((column) => `${quoteName(column)} IS ?`).join(" AND ");
    const params = primary.map((column) => values.get(column) ?? null);
    const [row] = this.#ask(
      `SELECT ${columns.map(quoteName).join(", ")} FROM main.${quoteName(table)} WHERE ${where}`,
      params,
    );
    return row === undefined ? undefined : [...row];
  }

  #eachRow(use: (table: string, row: WrittenRow) => void): void {
    const { lib } = this.db;
    const { c, memory } = lib;
    withBytes(lib, new Uint8Array(8), (out) => {
      // It reads within a savepoint of its own.
      this.db.check(asOurselves(() => c.sqlite3session_changeset(this.#session, out, out + 4)));
      const [size, changes] = [memory.readInt32(out), memory.readInt32(out + 4)];
      try {
        this.db.check(c.sqlite3changeset_start(out, size, changes));
        const at = memory.readInt32(out);
        try {
          while (c.sqlite3changeset_next(at) === ROW) this.#row(at, use);
        } finally {
          this.db.check(c.sqlite3changeset_finalize(at));
        }
      } finally {
        c.sqlite3_free(changes);
      }
    });
  }

  #row(at: Pointer, use: (table: string, row: WrittenRow) => void): void {
    const { lib } = this.db;
    const { c, memory } = lib;
    const [table, count, op] = withBytes(lib, new Uint8Array(16), (out) => {
      this.db.check(c.sqlite3changeset_op(at, out, out + 4, out + 8, out + 12));
      return [
        memory.cString(memory.readInt32(out)),
        memory.readInt32(out + 4),
        memory.readInt32(out + 8),
      ] as const;
    });
    if (op !== OP.INSERT && op !== OP.UPDATE) return;
    const columns = this.#keyed(table)?.columns;
    if (columns === undefined) return;
    if (columns.length !== count)
      throw new Error(`record what was written to ${table}: it has ${count} columns`);
    const values = new Map<string, QueryValue>();
    const given = new Set<string>();
    for (const [index, column] of columns.entries()) {
      const now = this.#value(at, index, c.sqlite3changeset_new);
      if (now !== undefined) given.add(column);
      const value = now ?? (op === OP.UPDATE ? this.#value(at, index, c.sqlite3changeset_old) : undefined);
      if (value !== undefined) values.set(column, value);
    }
    use(table, { values, given });
  }

  /** A value of a change; undefined where the change does not have it. */
  #value(
    at: Pointer,
    index: number,
    read: (at: Pointer, index: number, out: Pointer) => number,
  ): QueryValue | undefined {
    const { lib } = this.db;
    const { c, memory } = lib;
    const value = withBytes(lib, new Uint8Array(4), (out) => {
      this.db.check(read(at, index, out));
      return memory.readInt32(out);
    });
    if (value === 0) return undefined;
    switch (c.sqlite3_value_type(value)) {
      case CLASS.INTEGER:
        return c.sqlite3_value_int64(value);
      case CLASS.REAL:
        return c.sqlite3_value_double(value);
      case CLASS.TEXT: {
        const text = c.sqlite3_value_text(value);
        return decodeText(memory.view(text, c.sqlite3_value_bytes(value)));
      }
      case CLASS.BLOB: {
        const blob = c.sqlite3_value_blob(value);
        return memory.copy(blob, c.sqlite3_value_bytes(value));
      }
      default:
        return null;
    }
  }

  /** Undefined for what is no table of the application's, such as the tables behind an FTS5 index. */
  #keyed(table: string): Keyed | undefined {
    if (!this.#tables.has(table)) this.#tables.set(table, this.#look(table));
    return this.#tables.get(table);
  }

  #look(table: string): Keyed | undefined {
    const names = (sql: string, of = table): (string | null)[] =>
      this.#ask(sql, [of]).map(([name = null]) => (name === null ? null : String(name)));
    const ordinary =
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name = ?";
    if (names(ordinary).length === 0) return undefined;
    const primary = names("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk").map(String);
    const indexes = names(
      `SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial AND origin <> 'pk' ORDER BY seq`,
    );
    const unique = indexes
      .map((index) => names("SELECT name FROM pragma_index_info(?) ORDER BY seqno", String(index)))
      .filter((columns): columns is string[] => !columns.includes(null));
    const columns = names("SELECT name FROM pragma_table_info(?) ORDER BY cid").map(String);
    return { columns, primary, keys: [primary, ...unique] };
  }

  #schemaText(): string {
    return JSON.stringify(this.#ask(SCHEMA_TEXT, []));
  }

  /** Reads exactly, and with the rights of our own. */
  #ask(sql: string, params: readonly QueryValue[]): readonly (readonly ResultValue[])[] {
    const statement = bindStatement({ sql, params: parseParams(params, "key") });
    return asOurselves(() => runStatement(new ExactReader(this.#sql, [], true), statement, 0).rows);
  }
}
