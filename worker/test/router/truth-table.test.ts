// Where a request is answered, for every combination of what the flag says, what the file is and what the
// store is. The expected side is derived from the rule of authority (docs/cutover.md, section 1), not from
// the router's steps.
import { describe, expect, it } from "vitest";
import { some } from "../effort.ts";
import { createRouter } from "../../src/index.ts";
import type { QueryAnswer, QueryMode } from "../../src/index.ts";
import type { Observer, RouterReport } from "../../src/index.ts";
import {
  bindings,
  database,
  fenced,
  fileKey,
  newUser,
  reportsInto,
  stamped,
  textsIn,
  tombstone,
} from "./fixtures.ts";
import { type Phase, phases } from "../../src/wire/messages.ts";
import { bringTo, LINEAGE, queryStore } from "./store-driver.ts";

/** The object holds rows that are in no file, or a command is about to open it. */
const ALIVE: readonly string[] = phases.filter((phase) => phase !== "EMPTY");

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
  readonly phase: Phase;
  readonly mode: QueryMode;
}

type Expected = "file" | "store" | "refused" | "missing" | "set-back";

const CASES: Case[] = FLAGS.flatMap((flag) =>
  FILES.flatMap((file) =>
    (file === "absent" ? phases : PHASES).flatMap((phase) =>
      MODES.map((mode) => ({ flag, file, phase, mode })),
    ),
  ),
);

/**
 * The file shows a claim that this object never gave out, or that it went back: its storage was set back, and
 * it does not serve.
 */
const isSetBack = ({ file, phase }: Case): boolean =>
  phase === "ACTIVE" && (file === "stamped" || file.includes("another"));

function expected(given: Case): Expected {
  if (!isSetBack(given)) return expectedOfCurrent(given);
  // An open file has the authority then; under a fence nobody has.
  return given.file === "stamped" ? "file" : "set-back";
}

function expectedOfCurrent({ flag, file, phase, mode }: Case): Expected {
  const isFenced = !["absent", "unfenced", "stamped"].includes(file);
  const sameLineage = !file.includes("another");
  // A request that finds no file asks the store, and creates none beside one that is alive.
  if (file === "absent" && ALIVE.includes(phase)) return phase === "ACTIVE" ? "store" : "missing";
  // An open file beside an active store is a state that the protocol excludes; the side asked first answers.
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

function ask(user: string, { flag, mode }: Case, observe: Observer): Promise<QueryAnswer> {
  const router = createRouter({
    observe,
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

const lastRows = (answer: QueryAnswer): unknown =>
  answer.ok ? answer.results.at(-1)?.rows.flat() : answer.error;

async function stored(user: string): Promise<Uint8Array | null> {
  const object = await bindings.BUCKET.get(fileKey(user));
  return object === null ? null : new Uint8Array(await object.arrayBuffer());
}

describe("the side that answers", () => {
  it.concurrent.each(some("rows of the router's table", CASES, 30))(
    "flag $flag, file $file, store $phase, $mode",
    { timeout: 30_000 },
    async (given) => {
      const user = newUser();
      const before = await arrange(user, given);
      const reports: RouterReport[] = [];
      const answer = await ask(user, given, reportsInto(reports));
      // With its flag true an active store answers before anybody looks for the file.
      const noticed =
        given.file === "absent" &&
        ALIVE.includes(given.phase) &&
        (given.phase !== "ACTIVE" || given.flag !== "true");
      expect(reports.some(({ kind }) => kind === "file-missing")).toBe(noticed);
      const mine = given.mode === "write" ? ["mine"] : [];

      switch (expected(given)) {
        case "refused":
          expect(answer).toMatchObject({ ok: false, error: { kind: "cutover-in-progress" } });
          expect(await stored(user)).toEqual(before);
          break;
        case "set-back":
          expect(answer).toMatchObject({ ok: false, error: { kind: "set-back" } });
          expect(await stored(user)).toEqual(before);
          break;
        case "missing":
          expect(answer).toMatchObject({
            ok: false,
            error: { kind: "file-missing", details: { phase: given.phase } },
          });
          expect(await stored(user)).toBeNull();
          break;
        case "store":
          expect(answer).toMatchObject({ ok: true, side: "store" });
          expect(lastRows(answer)).toEqual(["store", ...mine]);
          expect(await stored(user)).toEqual(before);
          break;
        case "file":
          await expectAnswerOfFile(user, given, answer, before);
      }
    },
  );
});

async function expectAnswerOfFile(
  user: string,
  given: Case,
  answer: QueryAnswer,
  before: Uint8Array | null,
): Promise<void> {
  if (given.file === "absent" && given.mode === "read") {
    // As an empty database, and nothing is created.
    expect(answer).toMatchObject({
      ok: false,
      error: { kind: "sql-error", message: "no such table: t: SQLITE_ERROR" },
    });
    expect(await stored(user)).toBeNull();
    return;
  }
  const after = given.mode === "write" ? [...(before === null ? [] : ["file"]), "mine"] : ["file"];
  expect(answer).toMatchObject({ ok: true, side: "file" });
  expect(lastRows(answer)).toEqual(after);
  const file = await stored(user);
  if (given.mode === "read") expect(file).toEqual(before);
  else expect(textsIn(file ?? new Uint8Array(0))).toEqual(after);
  if (given.phase !== "ACTIVE") return;
  const beside = await queryStore(user, "SELECT a FROM t");
  if (isSetBack(given)) expect(beside).toMatchObject({ ok: false, error: { kind: "set-back" } });
  else expect(lastRows(beside)).toEqual(["store"]);
}
