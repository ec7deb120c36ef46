// One program on a real D1 and on a user's database, on both sides: the same answers and the same errors.
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { userDatabase } from "../../src/index.ts";
import { newUser } from "../router/fixtures.ts";
import { inFile, inObject, ownD1, router } from "./compare.ts";
import { differencesOf } from "./differences.ts";
import { placeOf } from "./outcome.ts";
import { written } from "./written.ts";

const { D1_WRITTEN } = env as unknown as { readonly D1_WRITTEN: D1Database };

it("answers as D1 does, on both sides", async () => {
  const sides = { file: await placeOf(await inFile()), object: await placeOf(await inObject()) };
  const { differences } = await differencesOf(written, await placeOf(await ownD1("WRITTEN")), sides);
  expect(differences).toEqual([]);
});

describe.each([
  ["a file", inFile],
  ["a Durable Object", inObject],
])("a user in %s", (_, make) => {
  it("takes a text for a session, or nothing", async () => {
    for (const d1 of [D1_WRITTEN, await make()])
      expect(() => d1.withSession({} as unknown as string)).toThrow(TypeError);
  });

  it.each(["sqlite_master", '"sqlite_master"', "`sqlite_schema`", "[sqlite_master]", '"SQLITE_Schema"'])(
    "shows the application's tables alone in %s",
    async (schema) => {
      const db = await make();
      await db.exec("CREATE TABLE mine (a)");
      const sql = `SELECT m.name, p.name AS c FROM ${schema} AS m, pragma_table_info(m.name) AS p`;
      expect(await db.prepare(`${sql} WHERE m.name LIKE '%m%'`).raw()).toEqual([["mine", "a"]]);
    },
  );

  // As the D1 of wrangler does. That of the tests is older: it passes over such a line where it is indented.
  it("passes over lines that hold only a comment", async () => {
    const db = await make();
    expect(await db.exec("-- a\nCREATE TABLE lines (a)\n-- b\nINSERT INTO lines VALUES (1)")).toMatchObject({
      count: 2,
    });
    const given = await db.batch([db.prepare("-- a\n  -- b"), db.prepare("SELECT a FROM lines")]);
    expect(given.map(({ results }) => results)).toEqual([[{ a: 1 }]]);
    await expect(db.prepare("-- a").all()).rejects.toThrow("D1_ERROR: No SQL statements detected.");
  });

  it("names the entry that failed, not its statement", async () => {
    const db = await make();
    expect((await db.prepare("SELECT 1 AS a; SELECT 2 AS b").all()).results).toEqual([{ b: 2 }]);
    const made = [
      "CREATE TABLE e (a UNIQUE); INSERT INTO e VALUES (1)",
      "SELECT 1; SELECT 2; INSERT INTO e VALUES (1)",
    ];
    await expect(db.batch(made.map((sql) => db.prepare(sql)))).rejects.toMatchObject({
      cause: { details: { statement: 1 } },
    });
  });

  it("keeps every digit and byte where asked to", async () => {
    const db = userDatabase(router, newUser(), { exact: true });
    expect((await db.prepare("SELECT 9007199254740993 AS i, 5.0 AS r, x'00ff' AS b").all()).results).toEqual([
      { i: { int: "9007199254740993" }, r: { real: "5.0" }, b: { blob: "AP8=" } },
    ]);
  });
});

describe("errors of a move", () => {
  const failing = (kind: string, message: string) =>
    userDatabase({ query: async () => ({ ok: false, error: { kind, message } }) as never }, "user");
  const failure = async (kind: string, message = "said"): Promise<[string, unknown]> => {
    const error = (await failing(kind, message)
      .prepare("SELECT 1")
      .all()
      .catch((thrown: unknown) => thrown)) as Error;
    return [error.message, (error.cause as { kind?: string }).kind];
  };
  /** What Cloudflare's documentation repeats a request for. */
  const isRetried = (message: string): boolean =>
    [
      "Network connection lost",
      "storage caused object to be reset",
      "reset because its code was updated",
    ].some((text) => message.includes(text));

  it("says that the connection was lost where the request may be repeated", async () => {
    const [message, kind] = await failure("cutover-in-progress");
    expect([message, kind]).toEqual(["D1_ERROR: Network connection lost. said", "cutover-in-progress"]);
    expect(isRetried(message)).toBe(true);
  });

  it.each([
    "Network connection lost.",
    "it was reset because its code was updated.",
    "storage caused object to be reset",
  ])("says no such thing after a write that may have been applied: %s", async (text) => {
    const [message, kind] = await failure(
      "outcome-unknown",
      `ask the Durable Object: ${text}: it may have been`,
    );
    expect([isRetried(message), kind]).toEqual([false, "outcome-unknown"]);
  });

  it("repeats a read that wrote as a write", async () => {
    const modes: unknown[] = [];
    const db = userDatabase(
      {
        query: async (_, { mode }) => {
          modes.push(mode);
          if (mode === "read") return { ok: false, error: { kind: "write-in-read", message: "it wrote" } };
          return {
            ok: true,
            side: "file",
            results: [{ columns: ["a"], rows: [[1]], rowsRead: 0, rowsWritten: 1 }],
          };
        },
      },
      "user",
    );
    expect(await db.prepare("SELECT 1 AS a").first("a")).toBe(1);
    expect(modes).toEqual(["read", "write"]);
  });
});
