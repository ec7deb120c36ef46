// Result codes of SQLite by name (sqlite3.h), as workerd puts them behind a message.

const PRIMARY: Readonly<Record<number, string>> = {
  1: "SQLITE_ERROR",
  2: "SQLITE_INTERNAL",
  3: "SQLITE_PERM",
  4: "SQLITE_ABORT",
  5: "SQLITE_BUSY",
  6: "SQLITE_LOCKED",
  7: "SQLITE_NOMEM",
  8: "SQLITE_READONLY",
  9: "SQLITE_INTERRUPT",
  10: "SQLITE_IOERR",
  11: "SQLITE_CORRUPT",
  12: "SQLITE_NOTFOUND",
  13: "SQLITE_FULL",
  14: "SQLITE_CANTOPEN",
  15: "SQLITE_PROTOCOL",
  16: "SQLITE_EMPTY",
  17: "SQLITE_SCHEMA",
  18: "SQLITE_TOOBIG",
  19: "SQLITE_CONSTRAINT",
  20: "SQLITE_MISMATCH",
  21: "SQLITE_MISUSE",
  22: "SQLITE_NOLFS",
  23: "SQLITE_AUTH",
  24: "SQLITE_FORMAT",
  25: "SQLITE_RANGE",
  26: "SQLITE_NOTADB",
};

/** Those that a statement of an application can meet. */
const EXTENDED: Readonly<Record<number, string>> = {
  [1 | (1 << 8)]: "SQLITE_ERROR_MISSING_COLLSEQ",
  [1 | (2 << 8)]: "SQLITE_ERROR_RETRY",
  [4 | (2 << 8)]: "SQLITE_ABORT_ROLLBACK",
  [11 | (1 << 8)]: "SQLITE_CORRUPT_VTAB",
  [19 | (1 << 8)]: "SQLITE_CONSTRAINT_CHECK",
  [19 | (2 << 8)]: "SQLITE_CONSTRAINT_COMMITHOOK",
  [19 | (3 << 8)]: "SQLITE_CONSTRAINT_FOREIGNKEY",
  [19 | (4 << 8)]: "SQLITE_CONSTRAINT_FUNCTION",
  [19 | (5 << 8)]: "SQLITE_CONSTRAINT_NOTNULL",
  [19 | (6 << 8)]: "SQLITE_CONSTRAINT_PRIMARYKEY",
  [19 | (7 << 8)]: "SQLITE_CONSTRAINT_TRIGGER",
  [19 | (8 << 8)]: "SQLITE_CONSTRAINT_UNIQUE",
  [19 | (9 << 8)]: "SQLITE_CONSTRAINT_VTAB",
  [19 | (10 << 8)]: "SQLITE_CONSTRAINT_ROWID",
  [19 | (11 << 8)]: "SQLITE_CONSTRAINT_PINNED",
  [19 | (12 << 8)]: "SQLITE_CONSTRAINT_DATATYPE",
};

/** The primary result code of an extended one. */
export function primary(code: number): number {
  return code & 0xff;
}

/** A message of SQLite with the code behind it, as a Durable Object's exec() throws it. */
export function withCode(message: string, code: number): string {
  const name = PRIMARY[primary(code)] ?? `SQLITE_UNKNOWN(${primary(code)})`;
  const extended = EXTENDED[code];
  return `${message}: ${name}${extended === undefined ? "" : ` (extended: ${extended})`}`;
}
