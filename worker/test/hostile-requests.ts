// Requests that a hostile or careless application may send, made by a grammar: what grows, how far, and how
// it is asked for. Each ends by counted work, never by a clock.
import type { QueryMode } from "../src/query/types.ts";
import { QUERY_LIMITS } from "../src/wire/limits.ts";

interface Statement {
  readonly sql: string;
  readonly params?: unknown;
}

export interface HostileRequest {
  readonly kind: Kind;
  readonly request: { readonly statements: readonly Statement[]; readonly mode: QueryMode };
  /**
   * Only a count of steps ends it soon. A Durable Object counts none (docs/mount.md): there the platform's limit of CPU time
   * ends it, which the local runtime does not have.
   */
  readonly endless: boolean;
  /** About how many bytes of results it asks for, where that is known. */
  readonly bytes: number;
}

interface Made {
  readonly statements: readonly Statement[];
  readonly endless?: boolean;
  readonly bytes?: number;
}

/** A table that is there before, with some rows. */
export const HOSTILE_SETUP = [
  "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c)",
  "INSERT INTO t WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 300) SELECT n, 'text ' || n, n / 4.0 FROM r",
];

/** Chances that a seed decides. */
class Dice {
  #state: number;

  constructor(readonly seed: number) {
    this.#state = seed;
  }

  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * n);
  }

  one<T>(...of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }
}

const one = (sql: string, params?: unknown): Statement => (params === undefined ? { sql } : { sql, params });
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Finite work that is small enough for a side which does not count steps. */
const SMALL = 100_000;
const NO_END = 1_000_000_000_000;

function rowsUpTo(rows: number): string {
  const end = rows === NO_END ? "" : ` WHERE n < ${rows}`;
  return `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r${end})`;
}

const value = (dice: Dice, bytes: number): string =>
  dice.one(
    "n",
    `printf('%.*c', ${Math.min(bytes, 100_000)}, 'x')`,
    `zeroblob(${bytes} + n % 2)`,
    `hex(zeroblob(${bytes} + n % 2))`,
    `'${"y".repeat(Math.min(bytes, 2000))}' || n`,
    "n / 3.0",
    "'é' || n",
  );

const kinds = {
  recursion(dice: Dice): Made {
    const rows = dice.one(100, 20_000, SMALL, 2 * SMALL, NO_END);
    const shape = dice.one("count", "sorted", "distinct", "window", "nested", "text", "rows", "limited");
    const asked = {
      count: "SELECT count(*) FROM r",
      sorted: "SELECT n FROM r ORDER BY -n",
      distinct: "SELECT DISTINCT n % 7 FROM r",
      window: "SELECT sum(n) OVER (ORDER BY n) FROM r",
      nested: "SELECT (SELECT count(*) FROM r AS s WHERE s.n < 50 AND r.n > 0) FROM r LIMIT 30",
      text: "SELECT group_concat(n) FROM r",
      rows: "SELECT n FROM r",
      limited: `SELECT n FROM r LIMIT ${dice.one(10, 50_000, 200_000)}`,
    }[shape];
    const isStopped = shape === "rows" || (shape === "limited" && rows === NO_END);
    return {
      statements: [one(`${rowsUpTo(rows)} ${asked}`)],
      endless: (rows > 2 * SMALL && !isStopped) || shape === "nested",
    };
  },

  joins(dice: Dice): Made {
    const rows = dice.one(2, 10, 40, 300);
    const tables = 1 + dice.below(6);
    const from = times(tables, (i) => `(SELECT a FROM t LIMIT ${rows}) AS j${i}`).join(", ");
    const asked = dice.one("count(*)", "*", "max(j0.a)", "j0.a");
    const product = rows ** tables;
    return {
      statements: [one(`SELECT ${asked} FROM ${from}`)],
      endless: product > SMALL && asked !== "j0.a" && asked !== "*",
    };
  },

  results(dice: Dice): Made {
    const rows = dice.one(1, 50, 2000, SMALL + 1, NO_END);
    const columns = dice.one(1, 7, 60, 99, 100, 101);
    const bytes = dice.one(1, 1000, 200_000, 2_000_000);
    const width = times(columns, (i) => `${i < 3 ? value(dice, bytes) : "n"} AS c${i}`).join(", ");
    // The rows of a SELECT without an end of its own are materialized up to the limit of rows.
    const held = Math.min(rows, SMALL) * Math.min(columns, 3) * bytes;
    return {
      statements: [one(`${rowsUpTo(rows)} SELECT ${width} FROM r`)],
      endless: held > 200_000_000,
      bytes: held,
    };
  },

  columns(dice: Dice): Made {
    const names = times(dice.one(10, 100), (i) => `${"n".repeat(dice.one(10, 900))}${i}`);
    const asks = dice.one(10, 100, 400);
    return {
      statements: [
        one(`CREATE TABLE wide${dice.seed} (${names.join(", ")})`),
        ...times(asks - 1, () =>
          one(
            dice.one(
              `SELECT * FROM wide${dice.seed}`,
              `SELECT * FROM wide${dice.seed} UNION ALL SELECT * FROM wide${dice.seed}`,
            ),
          ),
        ),
      ],
      bytes: (asks - 1) * names.reduce((sum, { length }) => sum + length, 0),
    };
  },

  parameters(dice: Dice): Made {
    const count = dice.one(
      0,
      1,
      99,
      100,
      101,
      1000,
      QUERY_LIMITS.parameters,
      QUERY_LIMITS.parameters + 1,
      40_000,
    );
    const bound = dice.one<unknown>(
      1,
      null,
      "x".repeat(100),
      { int: "9223372036854775807" },
      { blob: "AAAA" },
      [1],
      {},
    );
    const params =
      dice.below(2) === 0
        ? times(count, () => bound)
        : Object.fromEntries(times(count, (i) => [dice.below(9) === 0 ? `:p${i}` : `p${i}`, bound]));
    if (dice.below(3) === 0) {
      const many = Math.min(count, 3000);
      const places = many === 0 ? "1" : times(many, () => "?").join(", ");
      return {
        statements: [
          one(
            `SELECT a FROM t WHERE a IN (${places})`,
            times(many, (k) => k),
          ),
        ],
      };
    }
    const sql = dice.one(
      `SELECT ${times(Math.max(1, Math.min(count, 3000)), () => "?").join(", ")}`,
      `SELECT max(${times(Math.max(1, Math.min(count, 3000)), (i) => `:p${i}`).join(", ")})`,
      "SELECT ?1, ?32766",
      "SELECT ?999999999",
      "SELECT ?0, :p0, @p0, $p0",
      `SELECT a FROM t WHERE a IN (${times(Math.max(1, Math.min(count, 3000)), () => "?").join(", ")})`,
    );
    return { statements: [one(sql, params)] };
  },

  nesting(dice: Dice): Made {
    const depth = dice.one(5, 60, 99, 101, 1000, 20_000);
    const [open, close, core] = dice.one<readonly [string, string, string]>(
      ["(", ")", "1"],
      ["abs(", ")", "1"],
      ["-(", ")", "1"],
      ["NOT ", "", "1"],
      ["- ", "", "1"],
      ["CASE WHEN 1 THEN ", " END", "1"],
      ["(SELECT ", ")", "1"],
      ["json_array(", ")", "1"],
      ["coalesce(NULL, ", ")", "1"],
      ["1 + (", ")", "1"],
      ["EXISTS (SELECT ", ")", "1"],
      ["a IN (SELECT a FROM t WHERE ", ")", "1"],
    );
    const count = Math.min(depth, Math.floor(99_000 / (open.length + close.length)));
    const text = `${open.repeat(count)}${core}${dice.below(8) === 0 ? "" : close.repeat(count)}`;
    return { statements: [one(dice.one(`SELECT ${text}`, `SELECT a FROM t WHERE ${text} LIMIT 3`))] };
  },

  json(dice: Dice): Made {
    const depth = dice.one(10, 500, 900, 1100, 40_000);
    const [open, close] = dice.one<readonly [string, string]>(["[", "]"], ['{"a":', "}"], ['[{"a":[', "]}]"]);
    const nested = open.repeat(depth) + "1" + close.repeat(depth);
    const wide = `[${times(dice.one(10, 20_000), (i) => i).join(",")}]`;
    const text = dice.one(nested, wide, nested.slice(0, -1));
    const sql = dice.one(
      "SELECT json(?)",
      "SELECT count(*) FROM json_tree(?)",
      "SELECT value FROM json_each(?)",
      "SELECT json_group_array(value) FROM json_each(?)",
      "SELECT json_patch(?1, ?1)",
      "SELECT json_set(?1, '$.a.b.c', json(?1))",
      "SELECT jsonb(?)",
      "SELECT ?1 ->> '$[1]'",
      "SELECT fullkey FROM json_tree(?)",
    );
    // Of a deep one, the paths of all its parts together grow as the square of its depth.
    return { statements: [one(sql, [text])] };
  },

  patterns(dice: Dice): Made {
    const long = `printf('%.*c', ${dice.one(100, 5000, 100_000)}, 'a')`;
    const part = dice.one("%a", "%a_", "%aa", "_");
    const like = part.repeat(dice.one(3, 12, 24, 40));
    const glob = dice.one("*a", "*[ab]", "*[^b]", "?").repeat(dice.one(3, 10, 24));
    const sql = dice.one(
      `SELECT ${long} LIKE '${like}b'`,
      `SELECT ${long} LIKE '${like}b' ESCAPE '_'`,
      `SELECT ${long} GLOB '${glob}b'`,
      `SELECT count(*) FROM t WHERE b || ${long} LIKE '${like}b'`,
      `SELECT instr(${long}, substr(${long}, 1, 2000) || 'b')`,
      `SELECT length(replace(${long}, 'aa', '${dice.one("", "b", "bbb".repeat(50))}'))`,
      `SELECT trim(${long}, 'ba')`,
    );
    return { statements: [one(sql)] };
  },

  growth(dice: Dice): Made {
    const steps = dice.one(3, 10, 30, 60);
    const wrapped = (open: string, close: string): string =>
      `SELECT ${open.repeat(steps)}'aa'${close.repeat(steps)}`;
    const sql = dice.one(
      `WITH RECURSIVE r(n, x) AS (SELECT 1, 'ab' UNION ALL SELECT n + 1, x || x FROM r WHERE n < ${steps}) SELECT length(x) FROM r`,
      `WITH RECURSIVE r(n, x) AS (SELECT 1, 'ab' UNION ALL SELECT n + 1, x || x FROM r WHERE n < ${steps}) SELECT x FROM r`,
      `${rowsUpTo(dice.one(100, 20_000))} SELECT group_concat(${value(dice, 1000)}) FROM r`,
      `${rowsUpTo(dice.one(100, 20_000))} SELECT json_group_array(printf('%.*c', 500, 'x')) FROM r`,
      `${rowsUpTo(dice.one(100, 20_000))} SELECT json_group_object(n, hex(zeroblob(200))) FROM r`,
      wrapped("hex(", ")"),
      wrapped("replace(", ", 'a', 'aaaaaaaa')"),
      wrapped("quote(", ")"),
      `SELECT printf('%${dice.one(10, 99_999, 99_999_999)}d', 1)`,
      `SELECT printf('%.${dice.one(10, 99_999)}f', 1.5)`,
      `SELECT zeroblob(${dice.one(1000, 5_000_000, 100_000_000, 4_000_000_000)})`,
      `SELECT length(randomblob(${dice.one(1000, 5_000_000, 100_000_000)}))`,
      `SELECT hex(zeroblob(${dice.one(1000, 2_000_000, 6_000_000)}))`,
    );
    return { statements: [one(sql)] };
  },

  batches(dice: Dice): Made {
    const count = dice.one(2, 200, 3000, QUERY_LIMITS.statements, QUERY_LIMITS.statements + 1);
    const sql = dice.one(
      "SELECT 1",
      "SELECT * FROM t LIMIT 20",
      `SELECT printf('%.*c', 20000, 'x')`,
      "INSERT INTO t (b) VALUES ('more') RETURNING *",
      "UPDATE t SET c = a",
      "SELECT count(*) FROM t, t AS u",
      "",
      ";",
      "SELECT 1; SELECT 2",
    );
    const work =
      sql.includes("u") && sql.startsWith("SELECT count")
        ? count * 90_000
        : sql.startsWith("UPDATE")
          ? count * 300
          : 0;
    return { statements: times(count, () => one(sql)), endless: work > 1_000_000 };
  },

  texts(dice: Dice): Made {
    const size = dice.one(1000, 50_000, 99_000, 120_000);
    const fill = dice.one(
      " ",
      "-",
      "/*",
      "*/",
      "--\n",
      "'",
      '"',
      "[",
      ";",
      "(",
      ")",
      "$a(",
      "?",
      ",",
      "a.",
      "\u{1F600}",
      "SELECT ",
      "x'",
      "1e",
      "::",
    );
    const filled = fill.repeat(Math.floor(size / fill.length));
    return {
      statements: [
        one(
          dice.one(
            `SELECT 1 ${filled}`,
            `SELECT ${filled}`,
            `${filled} SELECT 1`,
            `SELECT '${filled}'`,
            filled,
          ),
        ),
      ],
    };
  },

  writes(dice: Dice): Made {
    const rows = dice.one(100, 20_000, SMALL + 1, NO_END);
    const bytes = dice.one(10, 500, 100_000);
    const sql = dice.one(
      `INSERT INTO t (b) ${rowsUpTo(rows)} SELECT ${value(dice, bytes)} FROM r`,
      `INSERT INTO t (b) ${rowsUpTo(rows)} SELECT ${value(dice, bytes)} FROM r RETURNING *`,
      `CREATE TABLE made${dice.seed} AS ${rowsUpTo(rows)} SELECT n, ${value(dice, bytes)} FROM r`,
      `UPDATE t SET b = ${value(dice, bytes).replaceAll(/\bn\b/g, "a")} RETURNING b`,
      `INSERT OR REPLACE INTO t SELECT a + 1, b || b, c FROM t`,
    );
    const held = sql.startsWith("UPDATE") || sql.startsWith("INSERT OR") ? 0 : rows * bytes;
    return { statements: [one(sql)], endless: held > 200_000_000 };
  },

  schemas(dice: Dice): Made {
    const levels = dice.one(2, 6, 12, 40);
    const kind = dice.one("views", "triggers", "indexes", "search");
    const [v, c] = [(i: number) => `v${dice.seed}_${i}`, (i: number) => `c${dice.seed}_${i}`];
    if (kind === "views") {
      const views = times(levels, (i) =>
        one(
          `CREATE VIEW ${v(i)} AS SELECT x.a FROM ${i === 0 ? "t" : v(i - 1)} AS x, ${i === 0 ? "(SELECT 1)" : v(i - 1)} AS y`,
        ),
      );
      return { statements: [...views, one(`SELECT count(*) FROM ${v(levels - 1)}`)], endless: levels > 2 };
    }
    if (kind === "triggers") {
      const tables = times(levels + 1, (i) => one(`CREATE TABLE ${c(i)} (a)`));
      const triggers = times(levels, (i) =>
        one(
          `CREATE TRIGGER on_${c(i)} AFTER INSERT ON ${c(i)} BEGIN INSERT INTO ${c(i + 1)} VALUES (new.a), (new.a + 1); END`,
        ),
      );
      return { statements: [...tables, ...triggers, one(`INSERT INTO ${c(0)} VALUES (1)`)] };
    }
    if (kind === "indexes") {
      return {
        statements: times(levels, (i) =>
          one(`CREATE INDEX i${dice.seed}_${i} ON t (hex(b || printf('%.*c', 3000, 'x')))`),
        ),
      };
    }
    const words = times(dice.one(3, 200, 2000), (i) => `w${i % 50}*`).join(" OR ");
    return {
      statements: [
        one(`CREATE VIRTUAL TABLE f${dice.seed} USING fts5 (x)`),
        one(`INSERT INTO f${dice.seed} SELECT b || ' w1 w2 w3' FROM t`),
        one(`SELECT count(*) FROM f${dice.seed} WHERE f${dice.seed} MATCH ?`, [words]),
      ],
    };
  },
} as const;

export type Kind = keyof typeof kinds;

export const KINDS = Object.keys(kinds) as Kind[];

/** The first of the seeds of a kind with a request, in a mode that runs it, for more bytes than there may be. */
export function firstTooLarge(kind: Kind, seeds: readonly number[]): readonly number[] {
  const first = seeds.find((seed) => {
    const { bytes, request } = hostileRequest(kind, seed);
    return request.mode === "write" && bytes > QUERY_LIMITS.resultBytes;
  });
  return first === undefined ? [] : [first];
}

/** The same seed makes the same request. */
export function hostileRequest(kind: Kind, seed: number): HostileRequest {
  const dice = new Dice(seed * 7919 + KINDS.indexOf(kind));
  for (let i = 0; i < 4; i++) dice.below(2);
  const made: Made = kinds[kind](dice);
  const mode = dice.below(4) === 0 ? "read" : "write";
  return {
    kind,
    request: { statements: made.statements, mode },
    endless: made.endless ?? false,
    bytes: made.bytes ?? 0,
  };
}

/** What a request may end with: an answer, or one of these. */
export const DOCUMENTED: ReadonlySet<string> = new Set([
  "bad-request",
  "sql-error",
  "too-costly",
  "too-large",
  "write-in-read",
  "integer-precision",
]);
