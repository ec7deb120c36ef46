// On the file side, too, a read never changes anything, whatever its text looks like.
import { expect, it } from "vitest";
import { runOnFile } from "../../src/file/engine.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import { WireError } from "../../src/wire/errors.ts";
import { firstStatements, misleading } from "../statements.ts";

const setUp = [
  "CREATE TABLE u (id INTEGER PRIMARY KEY, role, x)",
  "INSERT INTO u VALUES (1,'user',NULL),(2,'user',0.5)",
];

it("refuses a read that writes, and saves nothing", () => {
  const made = runOnFile(
    new Uint8Array(0),
    parseQueryRequest({ statements: setUp.map((sql) => ({ sql })) }),
  ).changed;
  const file = made ?? new Uint8Array(0);
  const before = file.slice();
  const outcomes: Record<string, number> = {};
  for (const sql of [...misleading, ...firstStatements(20261129, 1500)]) {
    const outcome = outcomeOf(file, sql);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  expect(file).toEqual(before);
  expect(Object.keys(outcomes).sort()).toEqual(["ok", "sql-error", "write-in-read"]);
  expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(20);
});

function outcomeOf(file: Uint8Array, sql: string): string {
  try {
    const { changed } = runOnFile(file, parseQueryRequest({ statements: [{ sql }], mode: "read" }));
    expect(changed, sql).toBeNull();
    return "ok";
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return error.kind;
  }
}
