import { describe, expect, it } from "vitest";
import { core, isCore, turnOf, turns, waiting } from "../turns.ts";

const files = Object.keys(
  import.meta.glob("../**/*.test.ts", { query: "?raw", import: "default", eager: true }),
).map((path) => (path.startsWith("./") ? `test/wire/${path.slice(2)}` : path.replace("../", "test/")));

const all = Array.from({ length: turns }, (_, turn) => turn);

describe("the turns of the test files", () => {
  it("run every file in six turns, and the core in each", () => {
    for (const file of files) {
      const ran = all.map((turn) => 70 + turn).filter((turn) => !waiting(files, turn, []).includes(file));
      expect([file, ran.length]).toEqual([file, isCore(file) ? turns : 1]);
    }
  });

  it("leave nothing out of a whole run", () => {
    expect(waiting(files, null, [])).toEqual([]);
  });

  it("name files that are there", () => {
    const gone = core.filter(
      (entry) => !files.some((f) => (entry.endsWith("/") ? f.startsWith(entry) : f === entry)),
    );
    expect(gone).toEqual([]);
  });

  it("leave nothing out that you changed", () => {
    const asked = files.filter((f) => !isCore(f));
    for (const file of asked) {
      const other = turnOf(file) + 1;
      expect(waiting(files, other, [])).toContain(file);
      expect(waiting(files, other, [`worker/${file}`])).not.toContain(file);
    }
    expect(
      waiting(files, turnOf("test/router/birth.test.ts") + 1, ["worker/src/router/birth.ts"]),
    ).not.toContain("test/router/birth.test.ts");
  });

  it("are about as long as each other", () => {
    const counts = all.map((turn) => files.filter((f) => !isCore(f) && turnOf(f) === turn).length);
    expect(Math.max(...counts)).toBeLessThan(2 * Math.min(...counts));
  });
});
