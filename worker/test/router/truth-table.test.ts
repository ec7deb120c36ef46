// Where a request is answered, for every combination of what the flag says, what the file is and what the store is. The expected
// side is derived from the rule of authority (docs/cutover.md, section 1), not from the router's steps.
import { describe, expect, it } from "vitest";
import { createRouter } from "../../src/index.ts";
import type { QueryAnswer, QueryMode } from "../../src/index.ts";
import { bindings, database, fenced, fileKey, newUser, stamped, textsIn, tombstone } from "./fixtures.ts";
import { bringTo, LINEAGE, queryStore } from "./store-driver.ts";

const FLAGS = ["absent", "true", "failing"] as const;
const FILES = [
  "absent",
  "unfenced",
  "stamped",
  "fenced by the store",
  "fenced by another",
  "tombstone",
  "tombstone of another",
] as const;
const PHASES = ["EMPTY", "IMPORTING", "READY", "ACTIVE", "SEALED"] as const;
const MODES = ["read", "write"] as const;

interface Case {
  readonly flag: (typeof FLAGS)[number];
  readonly file: (typeof FILES)[number];
  readonly phase: (typeof PHASES)[number];
  readonly mode: QueryMode;
}

type Expected = "file" | "store" | "refused";

const CASES: Case[] = FLAGS.flatMap((flag) =>
  FILES.flatMap((file) => PHASES.flatMap((phase) => MODES.map((mode) => ({ flag, file, phase, mode })))),
);

function expected({ flag, file, phase, mode }: Case): Expected {
  const isFenced = !["absent", "unfenced", "stamped"].includes(file);
  const sameLineage = !file.includes("another");
  // An open file beside an active store is a state that the protocol excludes; whoever is asked first answers.
  if (!isFenced) return phase === "ACTIVE" && flag === "true" ? "store" : "file";
  if (phase === "ACTIVE") return "store";
  if (mode === "write") return "refused";
  if (phase === "SEALED" && sameLineage) return "store";
  return file.startsWith("tombstone") ? "refused" : "file";
}

const OBJECTS: Record<Case["file"], () => Uint8Array | null> = {
  absent: () => null,
  unfenced: () => database("file"),
  stamped: () => stamped(database("file"), 1),
  "fenced by the store": () => fenced(database("file"), LINEAGE, LINEAGE),
  "fenced by another": () => fenced(database("file"), 9, 9),
  tombstone: () => tombstone(LINEAGE, LINEAGE),
  "tombstone of another": () => tombstone(9, 9),
};

async function arrange(user: string, { flag, file, phase }: Case): Promise<Uint8Array | null> {
  const object = OBJECTS[file]();
  if (object !== null) await bindings.BUCKET.put(fileKey(user), object);
  if (flag === "true") await bindings.FLAGS.put(`migrated:${user}`, "true");
  await bringTo(phase, user);
  return object;
}

const failingKv = { get: () => Promise.reject(new Error("KV is down")) } as unknown as KVNamespace;

function ask(user: string, { flag, mode }: Case): Promise<QueryAnswer> {
  const router = createRouter({
    bucket: bindings.BUCKET,
    flags: flag === "failing" ? failingKv : bindings.FLAGS,
    store: bindings.USER_DATA,
    deadlineMs: 50,
  });
  const read = { sql: "SELECT a FROM t ORDER BY rowid" };
  // IF NOT EXISTS: an absent file has no table yet.
  const write = [{ sql: "CREATE TABLE IF NOT EXISTS t(a)" }, { sql: "INSERT INTO t VALUES ('mine')" }, read];
  return router.query(user, mode === "read" ? { statements: [read], mode } : { statements: write, mode });
}

const lastRows = (answer: QueryAnswer): unknown => (answer.ok ? answer.results.at(-1)?.rows.flat() : answer.error);

async function stored(user: string): Promise<Uint8Array | null> {
  const object = await bindings.BUCKET.get(fileKey(user));
  return object === null ? null : new Uint8Array(await object.arrayBuffer());
}

describe("the side that answers", () => {
  it.concurrent.each(CASES)("flag $flag, file $file, store $phase, $mode", { timeout: 30_000 }, async (given) => {
    const user = newUser();
    const before = await arrange(user, given);
    const answer = await ask(user, given);
    const mine = given.mode === "write" ? ["mine"] : [];

    switch (expected(given)) {
      case "refused":
        expect(answer).toMatchObject({ ok: false, error: { kind: "cutover-in-progress" } });
        expect(await stored(user)).toEqual(before);
        break;
      case "store":
        expect(answer).toMatchObject({ ok: true, side: "store" });
        expect(lastRows(answer)).toEqual(["store", ...mine]);
        expect(await stored(user)).toEqual(before);
        break;
      case "file":
        await expectAnswerOfFile(user, given, answer, before);
    }
  });
});

async function expectAnswerOfFile(
  user: string,
  given: Case,
  answer: QueryAnswer,
  before: Uint8Array | null,
): Promise<void> {
  if (given.file === "absent" && given.mode === "read") {
    // As an empty database, and nothing is created.
    expect(answer).toMatchObject({ ok: false, error: { kind: "sql-error", message: "no such table: t" } });
    expect(await stored(user)).toBeNull();
    return;
  }
  const after = given.mode === "write" ? [...(before === null ? [] : ["file"]), "mine"] : ["file"];
  expect(answer).toMatchObject({ ok: true, side: "file" });
  expect(lastRows(answer)).toEqual(after);
  const file = await stored(user);
  if (given.mode === "read") expect(file).toEqual(before);
  else expect(textsIn(file ?? new Uint8Array(0))).toEqual(after);
  if (given.phase === "ACTIVE") expect(lastRows(await queryStore(user, "SELECT a FROM t"))).toEqual(["store"]);
}
