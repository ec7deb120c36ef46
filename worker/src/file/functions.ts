// The SQL functions of a Durable Object (tried against workerd, in
// pkg/wire/testdata/vectors/statements.json).

/**
 * Those that it allows, in lower case. Operators that are functions underneath, such as LIKE, are among them.
 */
export const storeFunctions: ReadonlySet<string> = new Set(
  [
    // Core.
    `abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid length like likelihood
     likely lower ltrim max min nullif octet_length printf quote random randomblob replace round rtrim sign substr substring
     total_changes trim typeof unhex unicode unlikely upper zeroblob`,
    // Date and time; CURRENT_TIME and its like are functions too.
    `date time datetime julianday unixepoch strftime timediff current_date current_time current_timestamp`,
    // Aggregates and window functions.
    `avg count group_concat string_agg sum total row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value
     last_value nth_value`,
    // Mathematics.
    `acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees exp floor ln log log2 mod pi pow radians sin sinh sqrt tan
     tanh trunc`,
    // JSON; -> and ->> are functions too.
    `json json_array json_array_length json_each json_extract json_group_array json_group_object json_insert json_object
     json_patch json_quote json_remove json_replace json_set json_tree json_type json_valid jsonb jsonb_array jsonb_each
     jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace
     jsonb_set jsonb_tree -> ->>`,
    // Full-text search and rtree.
    `highlight bm25 snippet match rtreecheck`,
    // It is there, and refuses when it is called.
    `load_extension`,
    // What ALTER TABLE calls. Nobody else can: SQLite says that there are none.
    `sqlite_rename_column sqlite_rename_table sqlite_rename_test sqlite_rename_quotefix sqlite_drop_column sqlite_fail
     sqlite_add_constraint sqlite_drop_constraint sqlite_find_constraint`,
  ].flatMap((group) => group.split(/\s+/)),
);

/**
 * Those of the WebAssembly build that a Durable Object's SQLite was built without. It refuses the others by
 * name.
 */
const ABSENT: ReadonlySet<string> = new Set([
  "median",
  "percentile",
  "percentile_cont",
  "percentile_disc",
  "sqlite_offset",
  "unknown",
]);

/** What a Durable Object says where SQLite says `message` here. */
export function asStoreSays(message: string): string {
  if (message === "unable to use function load_extension in the requested context") return "not authorized";
  const [, unsafe] = /^unsafe use of (\w+)\(\)$/.exec(message) ?? [];
  // There, too, this one is not for views and triggers.
  if (unsafe !== undefined && unsafe !== "sqlite_log") {
    return asStoreSays(`not authorized to use function: ${unsafe}`);
  }
  const [, name] =
    /^(?:not authorized to use function: |wrong number of arguments to function )(\w+)(?:\(\))?$/.exec(
      message,
    ) ?? [];
  return name !== undefined && ABSENT.has(name.toLowerCase()) ? `no such function: ${name}` : message;
}
