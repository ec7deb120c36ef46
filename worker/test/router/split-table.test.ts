// Every request in every phase, against the table that docs/cutover.md shows. Each row is one real Durable
// Object and one real file.
import { parts } from "../../service/mounted.ts";
import { describe, expect, it } from "vitest";
import page from "../../../docs/cutover.md?raw";
import { routeBetween } from "../../src/index.ts";
import type { BothAnswer, QueryAnswer, QueryRequest, Router } from "../../src/index.ts";
import { R2FileSide } from "../../src/router/file-side.ts";
import { DurableStoreSide } from "../../src/router/store-side.ts";
import { type Phase, phases } from "../../src/wire/messages.ts";
import { bindings, database, fenced, fileKey, newUser, textsIn } from "./fixtures.ts";
import { bringTo, LINEAGE } from "./store-driver.ts";

interface Line {
  readonly phase: Phase;
  readonly file: "open" | "fenced";
  readonly hotRead: string;
  readonly hotWrite: string;
  readonly coldRead: string;
  readonly coldWrite: string;
  readonly both: string;
}

const table: Line[] = [...page.matchAll(/^\| ([A-Z_]+) +\|(.*)\|$/gm)].map(([, phase, rest = ""]) => {
  const [file, hotRead, hotWrite, coldRead, coldWrite, both] = rest.split("|").map((cell) => cell.trim());
  return { phase, file, hotRead, hotWrite, coldRead, coldWrite, both } as Line;
});

const READ = { sql: "SELECT a FROM t ORDER BY rowid" };
const insert = { sql: "INSERT INTO t VALUES ('mine')" };
const requests: Record<"hotRead" | "hotWrite" | "coldRead" | "coldWrite", QueryRequest> = {
  // As one asks who has never heard of scopes.
  hotRead: { statements: [READ], mode: "read" },
  hotWrite: { statements: [insert, READ] },
  coldRead: { statements: [READ], mode: "read", scope: "cold" },
  coldWrite: { statements: [insert, READ], scope: "cold" },
};

function routerWith(flag: boolean): Router {
  const sides = {
    flag: { isMigrated: async () => flag },
    files: new R2FileSide(bindings.BUCKET, fileKey, 1_000_000),
    store: new DurableStoreSide(bindings.USER_DATA, undefined),
  };
  return routeBetween(sides, { path: "auto", deadlineMs: 0, maxFileBytes: 1_000_000, ...parts });
}

const texts = (answer: QueryAnswer): unknown =>
  answer.ok ? answer.results.at(-1)?.rows.flat() : answer.error.kind;

/** What answered, by the rows: each side has one of its own name, and a write adds one. */
function answered(answer: QueryAnswer): string {
  if (!answer.ok) return answer.error.kind === "cutover-in-progress" ? "wait" : answer.error.kind;
  const [first] = texts(answer) as string[];
  expect(answer.side).toBe(first);
  return first === "store" ? "object" : "file";
}

function answeredBoth(answer: BothAnswer): string {
  if (!answer.ok) return answer.error.kind;
  const { hot, cold } = answer;
  const sides = [hot, cold].map((half) => half && answered({ ok: true, ...half }));
  if (sides[1] === null) return sides[0] ?? "";
  return sides[0] === "file" && sides[1] === "object" ? "both" : sides.join();
}

it("has every phase", () => {
  expect(new Set(table.map(({ phase }) => phase))).toEqual(new Set(phases));
  expect(table).toHaveLength(19);
});

describe.each(table)("$phase, file $file", (line) => {
  it.each([true, false])("with the flag %s", async (flag) => {
    const user = newUser();
    const open = database("file");
    const bytes = line.file === "open" ? open : fenced(open, LINEAGE, LINEAGE, "DMS1");
    await bindings.BUCKET.put(fileKey(user), bytes);
    await bringTo(line.phase, user);
    const router = routerWith(flag);

    expect(answeredBoth(await router.queryBoth(user, requests.hotRead))).toBe(line.both);
    for (const name of ["hotRead", "coldRead", "hotWrite", "coldWrite"] as const) {
      const answer = await router.query(user, requests[name]);
      expect({ name, by: answered(answer) }).toEqual({ name, by: line[name] });
      if (answer.ok && name.endsWith("Write")) expect(texts(answer)).toContain("mine");
    }
    if (line.hotWrite !== "file") expect(textsIn(await stored(user))).toEqual(["file"]);
  });
});

async function stored(user: string): Promise<Uint8Array> {
  return new Uint8Array(
    (await (await bindings.BUCKET.get(fileKey(user)))?.arrayBuffer()) ?? new ArrayBuffer(0),
  );
}
