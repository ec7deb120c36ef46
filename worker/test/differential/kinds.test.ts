// Both sides answer alike: a statement means the same before and after its user moves (docs/mount.md).
import { expect, it } from "vitest";
import { some } from "../effort.ts";
import { asOurselves } from "../../src/file/authorizer.ts";
import { FileDatabase } from "../../src/file/database.ts";
import { FileSql } from "../../src/file/file-sql.ts";
import page from "../../../docs/mount.md?raw";
import { kinds, setUp } from "./kinds.ts";
import { isKnown, known } from "./known.ts";
import { Pair, differences } from "./pair.ts";

it.each(some("kinds of statements", Object.keys(kinds), 3))("%s", async (kind) => {
  const pair = await Pair.open(setUp);
  const statements = (kinds[kind] ?? []).filter(({ sql }) => !isKnown(sql));
  expect(statements.length).toBeGreaterThan(10);
  expect(await differences(pair, statements)).toEqual([]);
});

// Whatever the WebAssembly build has beyond a Durable Object is refused in the same words.
it("functions of every name, with any number of arguments", async () => {
  const names = own("SELECT DISTINCT name FROM pragma_function_list");
  expect(names.length).toBeGreaterThan(150);
  const lists = ["", "1", "1, 2", "1, 2, 3", "'x'", "n"];
  const statements = some("functions", names, 40).flatMap((name) =>
    lists.map((args) => ({ sql: `SELECT "${name}"(${args}) FROM t` })),
  );
  const alike = statements.filter(({ sql }) => !isKnown(sql));
  expect(await differences(await Pair.open(setUp), alike)).toEqual([]);
});

it("there are at most ten differences, and all are documented", () => {
  const [, section] = page.split("\n### What still differs\n");
  const rows =
    (section ?? "")
      .split("\n## ")[0]
      ?.split("\n")
      .filter((line) => /^\| [^|]+ \| [^|]+ \| [^|]+ \|$/.test(line)) ?? [];
  expect(rows.slice(1).map((row) => row.split(" | ")[0]?.slice(2))).toEqual(known.map(({ what }) => what));
  expect(known.length).toBeLessThanOrEqual(10);
});

function own(sql: string): string[] {
  const db = FileDatabase.open(new Uint8Array(0), { mode: "read", maxBytes: 1e6, rules: "store" });
  try {
    return asOurselves(() => [...new FileSql(db).exec(sql).raw()].map(([name]) => String(name)));
  } finally {
    db.close();
  }
}
