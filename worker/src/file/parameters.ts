// Binding of parameters: by position, or by name with or without the prefix character.
import type { Params } from "../query/request.ts";
import type { SqlParam } from "../query/values.ts";
import { WireError } from "../wire/errors.ts";
import type { FileDatabase } from "./database.ts";
import { encodeText, type Pointer } from "./memory.ts";
import { withBytes } from "./sqlite.ts";

/** Tells SQLite to copy what is bound, so that our copy can be freed at once. */
const TRANSIENT = -1;

type Named = ReadonlyMap<string, SqlParam>;

/** @throws WireError sql-error when parameters and values do not match */
export function bindParameters(db: FileDatabase, prepared: Pointer, params: Params): void {
  if (isNamed(params)) bindByName(db, prepared, params);
  else bindByPosition(db, prepared, params);
}

function isNamed(params: Params): params is Named {
  return params instanceof Map;
}

function bindByPosition(db: FileDatabase, prepared: Pointer, params: readonly SqlParam[]): void {
  const count = db.lib.c.sqlite3_bind_parameter_count(prepared);
  if (count !== params.length) throw wrong(`the statement has ${count} parameters, and ${params.length} values came`);
  params.forEach((param, i) => bind(db, prepared, i + 1, param));
}

function bindByName(db: FileDatabase, prepared: Pointer, params: Named): void {
  const { c, memory } = db.lib;
  const names = Array.from({ length: c.sqlite3_bind_parameter_count(prepared) }, (_, i) =>
    memory.cString(c.sqlite3_bind_parameter_name(prepared, i + 1)),
  );
  const used = names.map((name, i) => {
    const key = [name, name.slice(1)].find((candidate) => candidate !== "" && params.has(candidate));
    const param = key === undefined ? undefined : params.get(key);
    if (param === undefined) throw wrong(`no value came for parameter ${name || `number ${i + 1}`}`);
    bind(db, prepared, i + 1, param);
    return key;
  });
  const surplus = [...params.keys()].find((key) => !used.includes(key));
  if (surplus !== undefined) throw wrong(`the statement has no parameter ${surplus}`);
}

function wrong(message: string): WireError {
  return new WireError("sql-error", message);
}

function bind(db: FileDatabase, prepared: Pointer, index: number, param: SqlParam): void {
  db.check(bindValue(db, prepared, index, param));
}

function bindValue({ lib }: FileDatabase, prepared: Pointer, index: number, param: SqlParam): number {
  const { c } = lib;
  switch (param.type) {
    case "null":
      return c.sqlite3_bind_null(prepared, index);
    case "integer":
      return c.sqlite3_bind_int64(prepared, index, param.value);
    case "real":
      return c.sqlite3_bind_double(prepared, index, param.value);
    case "text": {
      const bytes = encodeText(param.value);
      return withBytes(lib, bytes, (at) => c.sqlite3_bind_text(prepared, index, at, bytes.byteLength, TRANSIENT));
    }
    case "blob": {
      const bytes = param.value;
      return withBytes(lib, bytes, (at) => c.sqlite3_bind_blob(prepared, index, at, bytes.byteLength, TRANSIENT));
    }
  }
}
