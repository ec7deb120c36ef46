// What is put around a statement never becomes part of it, and never completes it: SQLite, asked about the
// text alone, says the same.
import { expect, it } from "vitest";
import { FileDatabase } from "../../src/file/database.ts";
import { runOnFile } from "../../src/file/engine.ts";
import { FileSql } from "../../src/file/file-sql.ts";
import { encodeText } from "../../src/file/memory.ts";
import { type Sqlite, sqlite, withBytes } from "../../src/file/sqlite.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import { WireError, messageOf } from "../../src/wire/errors.ts";
import { some } from "../effort.ts";
import { firstStatements, misleading } from "../statements.ts";
import { isKnown } from "./known.ts";
import { Pair, differences } from "./pair.ts";

const setUp = [
  "CREATE TABLE u (id INTEGER PRIMARY KEY, role, x)",
  "INSERT INTO u VALUES (1, 'user', NULL), (2, 'user', 0.5)",
];
const unfinished = [
  ..."SELECT|SELECT 1,|SELECT 1 LIMIT|SELECT 1 UNION|SELECT 1 UNION VALUES|SELECT CASE WHEN 1 THEN 2|WITH q AS (SELECT 1)|VALUES".split(
    "|",
  ),
  ..."DELETE FROM u RETURNING|DELETE FROM u RETURNING id,|UPDATE u SET x = 1 WHERE|SELECT $a(x|SELECT $a(|SELECT 1 /*|(|)|/*|'".split(
    "|",
  ),
  ..."SELECT id FROM u ORDER BY|SELECT 1 /*/|SELECT x'1|SELECT -|EXPLAIN SELECT (1|EXPLAIN QUERY PLAN SELECT 'a|QUERY PLAN SELECT (".split(
    "|",
  ),
  "INSERT INTO u(id) VALUES (1) RETURNING CASE WHEN id THEN 'a'",
  " \vSELECT 1",
  " \vPRAGMA case_sensitive_like = 1",
  "SELECT 1 -- (",
  "SELECT ')', \"(\" AS \"(\", x'' -- '",
];
const generated = some("generated texts", firstStatements(20_261_130, 4000), 800);
const texts = [...unfinished, ...misleading, ...generated];

// Ours, for texts that SQLite takes, or where it reads the first statement only.
const OWN_WORDS =
  /NUL character|holds no statement|one statement, and this one holds more|PRAGMA \w+ cannot be set|one transaction|the statement has \d|\/\* does not end/;

interface Outcome {
  readonly said: string;
  /** What SQLite was given. */
  readonly given: readonly string[];
}

it("on a file", () => {
  const file = newFile();
  let open = 0;
  const counts = {
    answered: 0,
    "refused in SQLite's words": 0,
    "refused in ours": 0,
    "refused for another fault": 0,
  };
  for (const sql of texts) {
    const { said, given } = ask(file, sql);
    if (isOpen(sql)) {
      open++;
      expect(said, sql).not.toBe("ok");
      expect(
        given.filter((text) => !sql.includes(text.replace("EXPLAIN/**/", ""))),
        sql,
      ).toEqual([]);
    }
    if (OWN_WORDS.test(said)) counts["refused in ours"]++;
    else {
      expect(said === "ok", sql).toBe(alone(file, sql) === "ok");
      // The semicolon does not reach SQLite, which would name it where more was expected.
      const alike = [alone(file, sql), alone(file, sql.replace(/[;\s]+$/, ""))].includes(said);
      // A text with two faults may be refused for either.
      if (isOpen(sql)) expect(alike, `${sql}: ${said}`).toBe(true);
      else if (!alike) counts["refused for another fault"]++;
      counts[said === "ok" ? "answered" : "refused in SQLite's words"]++;
    }
  }
  console.log(JSON.stringify({ texts: texts.length, ...counts, open }));
  expect(counts["refused for another fault"]).toBeLessThan(texts.length / 100);
  expect(open).toBeGreaterThan(texts.length / 9);
  expect(counts.answered).toBeGreaterThan(texts.length / 9);
  expect(counts["refused in SQLite's words"]).toBeGreaterThan(texts.length / 9);
});

it("in a Durable Object, in the same words", async () => {
  const statements = some("texts in a Durable Object", texts.slice(0, 900), 200).map((sql) => ({ sql }));
  const alike = statements.filter(({ sql }) => !isKnown(sql));
  expect(await differences(await Pair.open(setUp), alike)).toEqual([]);
});

function newFile(): Uint8Array {
  const { changed } = runOnFile(
    new Uint8Array(0),
    parseQueryRequest({ statements: setUp.map((sql) => ({ sql })) }),
  );
  return changed ?? new Uint8Array(0);
}

function ask(file: Uint8Array, sql: string): Outcome {
  const given: string[] = [];
  const { exec } = FileSql.prototype;
  FileSql.prototype.exec = function (this: FileSql, text, ...bindings) {
    given.push(text);
    return exec.call(this, text, ...bindings);
  };
  try {
    runOnFile(file, parseQueryRequest({ statements: [{ sql }] }));
    return { said: "ok", given };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { said: error.message, given };
  } finally {
    FileSql.prototype.exec = exec;
  }
}

/** What SQLite says of the text with nothing around it. */
function alone(file: Uint8Array, sql: string): string {
  const db = FileDatabase.open(file, { mode: "write", maxBytes: 1e7, rules: "store" });
  try {
    db.begin();
    new FileSql(db).exec(sql);
    return "ok";
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return messageOf(cause);
  } finally {
    db.close();
  }
}

/**
 * Asked in another way than the code does: quotes and comments of SQLite itself, parentheses by taking pairs
 * away.
 */
function isOpen(sql: string): boolean {
  if (!isComplete(sqlite(), sql)) return true;
  let text = sql.replace(/'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[^]*?\*\//g, " ");
  for (let before = ""; before !== text;) [before, text] = [text, text.replace(/\([^()]*\)/g, " ")];
  return /[()]/.test(text);
}

function isComplete({ c }: Sqlite, sql: string): boolean {
  const asks = c as unknown as { sqlite3_complete(text: number): number };
  return withBytes(sqlite(), encodeText(`${sql}\n;\0`), (text) => asks.sqlite3_complete(text) === 1);
}
