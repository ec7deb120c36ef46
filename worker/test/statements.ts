// Statements that a parser might take for something else: a grammar's pieces in any order, and damage of
// sound ones.

/**
 * Texts by which a guard was once misled, and each way to leave a text open behind a parenthesis too many.
 */
export const misleading: readonly string[] = [
  "SELECT 7,'admin' LIMIT 1) REPLACE INTO u(id,role,x) WITH q AS (SELECT 1",
  "SELECT 1) DELETE FROM u WHERE id IN (SELECT 1",
  "SELECT 1 /* ) INSERT INTO u(id) VALUES (9) -- ",
  "WITH q AS (SELECT 8) INSERT INTO u(id) SELECT * FROM q",
  "UPDATE u SET x = 1 RETURNING id",
  "SELECT 1 UNION SELECT 2) DELETE FROM u WHERE id IN (SELECT 1",
  ..."DELETE FROM u|DROP TABLE u|CREATE TABLE zz(a)|ALTER TABLE u ADD COLUMN y|PRAGMA user_version = 9".split(
    "|",
  ),
  ..."CREATE TEMP TABLE tt(a)|ANALYZE|REINDEX|VACUUM".split("|"),
  ...["'", '"', "`", "[", "x'", "\0", "\0'", "\0(", "/*", "--", "\0 (("].flatMap((open) => [
    `SELECT 7,'admin' LIMIT 1) DELETE FROM u ${open}`,
    `SELECT 7) REPLACE INTO u(id) SELECT 9 ${open}`,
    `SELECT 7 ${open} ) DELETE FROM u`,
    `VALUES (7)) DELETE FROM u ${open}`,
  ]),
];

const pieces = [
  ..."SELECT 1|VALUES (7)|WITH q AS (|) |( |LIMIT 1|LIMIT 0|DELETE FROM u|REPLACE INTO u(id) |INSERT INTO u(id, role) ".split(
    "|",
  ),
  ..."UNION ALL |SELECT id, role FROM u|WHERE id = 1|RETURNING id|, |'|\"|`|[|]|--\n|--|/*|*/|;|q |AS MATERIALIZED (".split(
    "|",
  ),
  ..."EXPLAIN |SELECT 9|UPDATE u SET x = x + 1 |CREATE TABLE z AS |DROP TABLE z|\0|\v|\uFEFF|x'|$a(|ON CONFLICT DO NOTHING".split(
    "|",
  ),
];

const sound = [
  "SELECT id, role FROM u LIMIT 1",
  "WITH q AS (SELECT 8) SELECT * FROM q",
  "SELECT 1, 2 UNION SELECT id, x FROM u",
  "WITH q(a) AS (SELECT max(id) + 1 FROM u) INSERT INTO u(id) SELECT a FROM q",
  "INSERT INTO u(id, role) SELECT max(id) + 1, 'new' FROM u RETURNING id",
  "DELETE FROM u WHERE id = (SELECT max(id) FROM u)",
  "UPDATE u SET x = random() WHERE id = 1",
  "CREATE TABLE IF NOT EXISTS z (a, b)",
  "INSERT INTO z VALUES (1, (SELECT count(*) FROM u))",
  "DROP TABLE IF EXISTS z",
  "PRAGMA table_list",
];

/** Yields statements without end; the same seed gives the same ones. */
export function* damagedStatements(seed: number): Generator<string, never> {
  let state = seed;
  const below = (n: number) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % n;
  const one = (texts: readonly string[]) => texts[below(texts.length)] ?? "";
  for (;;) {
    const choice = below(4);
    if (choice === 0) yield one(sound);
    else if (choice === 1) yield Array.from({ length: 1 + below(8) }, () => one(pieces)).join(" ");
    else yield damage(one(choice === 2 ? sound : misleading), below, one);
  }
}

function damage(
  text: string,
  below: (n: number) => number,
  one: (texts: readonly string[]) => string,
): string {
  let damaged = text;
  for (let left = 1 + below(3); left > 0; left--) {
    const at = below(damaged.length + 1);
    damaged = `${damaged.slice(0, at)} ${one(pieces)} ${damaged.slice(at + below(3))}`;
  }
  return damaged;
}

export function firstStatements(seed: number, count: number): readonly string[] {
  const statements = damagedStatements(seed);
  return Array.from({ length: count }, () => statements.next().value);
}
