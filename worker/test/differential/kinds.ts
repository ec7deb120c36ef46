// Statements of every kind that once differed between the sides, or could: what a Durable Object limits,
// lacks, keeps for itself, or says in its own words. They run one after the other on the database of `setUp`.
import type { QueryStatement } from "../../src/query/types.ts";

export const setUp = [
  "CREATE TABLE t(a INTEGER PRIMARY KEY, n, x REAL, s TEXT COLLATE NOCASE, b BLOB)",
  `INSERT INTO t VALUES (1, 5.0, 5, 'abc', x'00ff'), (2, 9007199254740993, 2.5, 'ABC', NULL), (3, -0.0, 9e999, 'é', zeroblob(3)),
    (4, -9223372036854775808, -9e999, '', x''), (5, 'a' || char(0) || 'b', 1e15, NULL, x'53')`,
];

const list = (count: number, item: (i: number) => string, joint = ", "): string =>
  Array.from({ length: count }, (_, i) => item(i)).join(joint);
const one = (sql: string, params: QueryStatement["params"] = []): QueryStatement => ({ sql, params });
const all = (...texts: readonly string[]): QueryStatement[] => texts.map((sql) => ({ sql }));
const INTEGERS = Array<number>(200).fill(1);
const around = (limit: number): number[] => [
  limit >> 1,
  limit - 5,
  limit - 2,
  limit - 1,
  limit,
  limit + 1,
  limit + 50,
];

const limits = [
  one("select count(*) from t where s like ?", ["%60 characters ...... ...... ...... ...... ...... ......%"]),
  ...around(50).flatMap((n) => [
    one(`select s like '${"x".repeat(n)}', s glob '${"*".repeat(n)}' from t`),
    one("select like(?, s) from t", ["é".repeat(n >> 1) + "x".repeat(n & 1)]),
  ]),
  ...around(100).flatMap((n) => [
    one(`select 1 in (${list(n, () => "?")})`, INTEGERS.slice(0, n)),
    one(`select 1 in (${list(n, () => "?")})`, Array<string>(n).fill("1")),
    one(
      `select 1 in (${list(n, (i) => `:p${i}`)})`,
      Object.fromEntries(INTEGERS.slice(0, n).map((v, i) => [`p${i}`, v])),
    ),
    one(`select ?${n}`, INTEGERS.slice(0, n)),
    one(`select ${list(n, String)}`),
    one(`select 1 from t order by ${list(n, (i) => `${i}+a`)}`),
    one(`select 1 from t group by ${list(n, (i) => `${i}+a`)}`),
    one(`create table wide${n}(${list(n, (i) => `c${i}`)})`),
    one(`select ${list(n, () => "n", "+")} from t`),
    one(`select ?+${list(n, () => "n", "+")} from t`, [1]),
    one(`update t set n = n where ${list(n, () => "a", "+")} < 0`),
    one(`update t set n = n where 0 returning ${list(n, () => "n", "+")}`),
    one(`update t set n = n where a < 3 returning ${list(n, () => "n")}`),
    one(`select ${"(".repeat(n)}1${")".repeat(n)}`),
    one(`select ${list(n, () => "case when 1 then", " ")} 1 ${list(n, () => "end", " ")}`),
    one(`select ${list(n, () => "abs(", "")}1${")".repeat(n)}`),
  ]),
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((n) => [
    one(list(n, (i) => `select ${i}`, " union all ")),
    one(list(n, (i) => `select ${i}.0`, " union ")),
    one(`select * from (${list(n, (i) => `select ${i}.0`, " union all ")})`),
    one(`create view parts${n} as ${list(n, (i) => `select ${i}`, " union all ")}`),
    one(`insert into t(n) ${list(n, (i) => `select ${i}`, " union all ")} returning n`),
  ]),
  ...around(127).map((n) => one(`select max(${list(n, String)})`)),
  ...[99_000, 99_991, 99_992, 100_000, 150_000].flatMap((n) => [
    one(`select '${"x".repeat(n)}'`),
    one(`update t set s = s where s = '${"x".repeat(n)}'`),
  ]),
  one(`select count(*) from (values ${list(600, (i) => `(${i})`)})`),
  one("select length(zeroblob(8388642))"),
  one("select length(zeroblob(8388643))"),
  one("select length(hex(zeroblob(5000000)))"),
  ...all(
    ...Array.from({ length: 15 }, (_, i) => `create table chain${i}(a)`),
    ...Array.from(
      { length: 14 },
      (_, i) =>
        `create trigger g${i} after insert on chain${i} begin insert into chain${i + 1} values(new.a); end`,
    ),
    "insert into chain0 values (1)",
    "insert into chain5 values (1)",
    "select count(*) from chain0",
    "select ?0",
    "select #1",
    "select ?",
    "select 1 limit 'a'",
  ),
  one("select ?99999", [1]),
  one("select ?", [1, 2]),
  one("select :a", { b: 1 }),
  one("select 1 limit ?", ["a"]),
  one("select 1 limit ?", [1.5]),
];

const values = [
  ...all(
    "select a, n, x, s, b from t",
    "select n, x from t union all select 1, 2",
    "select x from t union all select 2",
    "select n from t union select 5",
    "select 9007199254740993 union select 5.0",
    "select n from t union select x from t order by 1",
    "select x from t union all select a from t order by 1 limit 3",
    "with w as (select x from t) select x from w union all select 9007199254740993",
    "select s from t union select upper(s) from t",
    "select x, a from t union all values (1, 2)",
    "values (1.0) union select 1",
    "select x as k from t except select 5 order by k desc",
    "select x from t intersect select 5",
    "select s from t union all select 'x' order by 1 collate binary",
    "select 1 union all select 2 union all select 3.0 union all select 4 union all select 5.0",
    "select x from t union all select 1 union all select 2 union all select 3.0 union all select 9007199254740993",
    "update t set a = a returning *",
    "update t set a = a returning n",
    'update t set n = n returning n as q, n z, n, x+1 "w w", case when n then 5.0 end, n isnull, n is null, s collate nocase, -n',
    "update t set n = n returning *, n + 0.0, count(*)",
    "update t set n = n returning nope",
    'with q as (select 1) update t set n = n returning n /* c */, 1 as "a"',
    "update t as tt set n = n returning tt.n, 7.0",
    "delete from t where a > 4 returning a, (select max(n) from t), n",
    "insert or replace into main.t(a, n) values (1, 5.0) returning *",
    "insert into t(a) values (1) on conflict do update set n = excluded.a returning n, x",
    "insert into t(a) values (1) on conflict do nothing returning a",
    "delete from t where 0 returning *",
    "select a, a from t t1",
    "select t.a, T.A, \"a\", [a], a as 'x y' from t",
    "select *, 1+1, count(*) from t",
    "select rowid, oid from t",
    "values (1, 2), (3)",
    "values (1), (2.0)",
    "with recursive c(x) as (select 1 union all select x+1 from c where x < 5) select x from c",
    "select changes()",
    "update t set n = n where a < 3",
    "select changes()",
  ),
  { sql: "select (select 1), ?, :x from t limit 1", params: [1, 2] },
  { sql: "select ?1, ?1, :a, @b, $c", params: [1, { real: "2.0" }, { int: "9007199254740993" }, -0] },
  { sql: "select n + ? from t", params: [1] },
  {
    sql: "select typeof(?), typeof(?), typeof(?), typeof(?), typeof(?), typeof(?)",
    params: [1, 1.5, "x", null, true, { blob: "" }],
  },
  {
    sql: "insert into t(n) values (?) returning n, ?, typeof(n) -- x",
    params: [{ real: "5.0" }, { int: "9007199254740993" }],
  },
  { sql: "select ? union all select ? order by 1 limit ?", params: [2, { real: "1.0" }, 2] },
];

const names = all(
  "create table _cf_x(a)",
  "create table _CF_y(a)",
  "create table __cf_z(a)",
  "create view _cf_v as select 1",
  "create index _cf_i on t(n)",
  "create trigger _cf_tr after insert on t begin select 1; end",
  "create virtual table _cf_f using fts5(a)",
  "alter table t rename to _cf_t",
  "alter table t rename to [_CF_t]",
  "create table q(_cf_c)",
  "alter table q rename column _cf_c to _cf_d",
  "alter table q add column e default 1",
  "alter table q drop column e",
  "alter table q rename to q2",
  "with _cf_a as (select 1) select * from _cf_a",
  "create table _cf_KV(a)",
  "create table sqlite_x(a)",
  "select name from sqlite_master where type = 'table' and name like '%t' order by 1",
  "select type, name, tbl_name, sql from sqlite_schema order by name",
);

const denied = all(
  "insert or rollback into t(a) values (1)",
  "update or rollback t set a = 1",
  "with c as (select 1) insert or\n/* */ rollback into t(a) select * from c",
  "create table rb(k text primary key on conflict rollback)",
  "create trigger rbt before insert on t begin select raise(rollback, 'no'); end",
  "create trigger rbt before insert on t begin insert or rollback into t(a) values (1); end",
  "select 1 or rollback from (select 0 as rollback)",
  ..."begin|commit|end|rollback|savepoint x|release x|rollback to x|begin immediate|explain begin".split("|"),
  ..."attach ':memory:' as x|detach x|vacuum|vacuum into 'x'|create temp table x(a)|create table temp.x(a)".split(
    "|",
  ),
  ..."insert into sqlite_master values(1,2,3,4,5)|delete from sqlite_sequence|drop table sqlite_master".split(
    "|",
  ),
  ..."select * from pragma_user_version|select * from sqlite_stmt|select * from dbstat|select * from sqlite_dbpage".split(
    "|",
  ),
  ..."select * from bytecode('select 1')|select * from tables_used('select 1')|select * from generate_series(1, 2)".split(
    "|",
  ),
  ..."geopoly fts3 fts4 nope dbstat csv fts5vocab"
    .split(" ")
    .map((module) => `create virtual table g using ${module}(a)`),
  "create virtual table g using rtree(id, a, b)",
  "create virtual table f using fts5(a)",
  "create virtual table fi using fts5(a, tokenize = 'icu')",
  "insert into f_data values (1, 2)",
  "insert into f values ('some words')",
  "select highlight(f, 0, '<', '>') from f where f match 'some'",
);

const PRAGMAS =
  "analysis_limit application_id auto_vacuum automatic_index busy_timeout cache_size case_sensitive_like collation_list compile_options " +
  "database_list defer_foreign_keys encoding foreign_key_check foreign_key_list foreign_keys freelist_count " +
  "function_list hard_heap_limit ignore_check_constraints index_info index_list index_xinfo integrity_check journal_mode legacy_alter_table " +
  "locking_mode max_page_count mmap_size module_list optimize page_count page_size pragma_list query_only quick_check read_uncommitted " +
  "recursive_triggers reverse_unordered_selects schema_version secure_delete soft_heap_limit synchronous table_info table_xinfo " +
  "temp_store threads trusted_schema user_version wal_autocheckpoint wal_checkpoint writable_schema nope";

const pragmas = PRAGMAS.split(" ").flatMap((name) =>
  all(
    `pragma ${name}`,
    `pragma ${name}(t)`,
    `pragma ${name}('')`,
    `pragma ${name} = ""`,
    `pragma ${name} = 1`,
    `pragma main.${name}`,
    `select * from pragma_${name}`,
    `select * from pragma_${name}('')`,
    `select * from pragma_${name}('t')`,
  ),
);

const errors = all(
  ..."select nope from t|selec 1|select * from nowhere|select (1|select 'abc||select 1; select 2|insert into t(a) values (2)".split(
    "|",
  ),
  ..."select abs(-9223372036854775808)|select json('{')|select sum(9223372036854775807) from t, t u|create table t(a)".split(
    "|",
  ),
  ..."select 1/0, 1%0|select zeroblob(-1)|insert into t(nope) values (1)|select s collate nope from t|select raise(abort, 'x')".split(
    "|",
  ),
  ..."create index ii on t(s collate nope)|create table c1(a check(log10(a) > 1))|create view v1 as select log10(1)|select * from v1".split(
    "|",
  ),
  "create trigger tg after insert on t begin select log10(1); end",
  "insert into t(n) values (1)",
  "drop trigger tg",
  "create table g1(a, b as (nope(a)))",
  ..."select 1 union select 1, 2|select a from t order by 9|select a from t group by 9|select a from t having 1|select max(a), n".split(
    "|",
  ),
  ..."create table st(a int) strict|insert into st values ('x')|insert into st values (1.5)|create table p(i integer primary key)".split(
    "|",
  ),
  ..."create table cc(a check(a > 0), b not null, c unique)|insert into cc values (0, 1, 1)|insert into cc values (1, null, 1)".split(
    "|",
  ),
  ..."insert into cc values (1, 1, 1), (1, 1, 1)|create table k(p references p)|insert into k values (5)|drop table nope".split(
    "|",
  ),
  ..."create table kd(p references p deferrable initially deferred)|insert into kd values (5)|select * from t natural join t u".split(
    "|",
  ),
  ..."insert into v1 values (1)|create trigger ta before insert on t begin select raise(abort, 'no: ''x'''); end|insert into t(n) values (1)".split(
    "|",
  ),
  ..."insert or ignore into t(n) values (1)|drop trigger ta|select * from t where match('a', 'b')|select * from f where f match '\"'".split(
    "|",
  ),
  "drop index ii",
  "explain select",
  "select\u00a01",
);

/** All of them, with what they are about. */
export const kinds: Readonly<Record<string, readonly QueryStatement[]>> = {
  limits,
  values,
  names,
  denied,
  pragmas,
  errors,
};
