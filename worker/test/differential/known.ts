// What differs between the sides and cannot be made alike: the table of docs/mount.md.

export interface Difference {
  /** The first column of the table. */
  readonly what: string;
  /** Statements that may show it; undefined where no statement of the tests can. */
  readonly sql?: RegExp;
}

export const known: readonly Difference[] = [
  { what: "`total_changes()`", sql: /total_changes/i },
  { what: "`last_insert_rowid()` before the request's first INSERT", sql: /last_insert_rowid/i },
  { what: "`changes()` in a view, before the request's first write" },
  {
    what: "the platform's tables (`_cf_KV`, `_cf_METADATA`)",
    sql: /table_list|sqlite_stat1|_cf_(kv|metadata)/i,
  },
  {
    what: "`printf` and `format` with a width or precision over 100,000",
    sql: /(printf|format)\('%\.?\d{6,}/i,
  },
  {
    what: "page numbers, `data_version`, `page_size`, the programs of EXPLAIN",
    sql: /explain|page_size|data_version|rootpage/i,
  },
  { what: "`pragma_encoding`", sql: /pragma_encoding/i },
  { what: "a schema that no Durable Object takes" },
  { what: "`rowsRead` and `rowsWritten`" },
  { what: "databases in UTF-16" },
];

/** What no two calls give alike, on one side either. */
const BY_NATURE = /random|'now'|julianday"?\(\)|unixepoch"?\(\)|current_time|\b(date|time|datetime)"?\(\)/i;

export function isKnown(sql: string): boolean {
  return BY_NATURE.test(sql) || known.some((difference) => difference.sql?.test(sql));
}
