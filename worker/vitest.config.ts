import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { defineConfig } from "vitest/config";
import { waiting } from "./test/turns.ts";

// The pool brings a workerd of its own; its SQLite has no jsonb_each yet. The one of wrangler is the one that
// we develop and deploy with.
const require = createRequire(import.meta.url);
const wranglersRequire = createRequire(require.resolve("wrangler/package.json"));
process.env["MINIFLARE_WORKERD_PATH"] ??= (wranglersRequire("workerd") as { default: string }).default;

/** The one switch of how much is done: test/effort.ts. Without it the day chooses the part. */
function effort(): { turn: number | null } {
  const text = process.env["DBMIGRATE_EFFORT"] ?? "";
  if (text === "whole") return { turn: null };
  if (text === "") return { turn: Math.floor(Date.now() / 86_400_000) };
  if (!/^\d{1,9}$/.test(text))
    throw new Error(`DBMIGRATE_EFFORT is ${text}: give "whole" or the number of a turn`);
  return { turn: Number(text) };
}

/** What waits for another turn (test/turns.ts): nothing in a run that names files. */
function waitingNow(): string[] {
  const { turn } = effort();
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" });
  const tests = files.filter((f) => f.startsWith("test/") && f.endsWith(".test.ts"));
  if (process.argv.slice(3).some((argument) => !argument.startsWith("-"))) return [];
  const wait = waiting(tests, turn, (process.env["DBMIGRATE_CHANGED"] ?? "").split(/\s+/));
  if (wait.length > 0)
    console.log(
      `effort: ${tests.length - wait.length} of ${tests.length} test files (DBMIGRATE_EFFORT=${turn})`,
    );
  return wait;
}

const exclude = waitingNow();

/**
 * One runtime for all files of a project, and its modules read once: a start costs more than most files. Not
 * for a project that tests what an isolate remembers, such as `worker`.
 */
const shared = { isolate: false, maxWorkers: 1, sequence: { groupOrder: 1 } };

// Every project runs inside workerd. `store` has a Worker of its own, that exports the Durable Object and a
// subclass of it; `worker` is the sample application, router and admin routes included.
export default defineConfig({
  test: {
    projects: [
      {
        plugins: [
          cloudflareTest({
            main: "test/store/entry.ts",
            miniflare: {
              compatibilityDate: "2026-08-01",
              // What the sample's later date switches on: timers and waitUntil keep an object in memory.
              compatibilityFlags: ["nodejs_compat", "durable_object_io_tasks_prevent_eviction"],
              bindings: {
                DBMIGRATE_TOKEN: "token-of-the-operator-now",
                DBMIGRATE_TOKEN_PREVIOUS: "token-of-the-operator-before",
              },
              durableObjects: {
                STORE: { className: "UserDataStore", useSQLite: true },
                COUNTED: { className: "CountedStore", useSQLite: true },
                PLAIN: { className: "PlainStore", useSQLite: true },
                NOTES: { className: "NotesStore", useSQLite: true },
                CLOSED: { className: "ClosedStore", useSQLite: true },
              },
            },
          }),
        ],
        test: {
          name: "store",
          provide: { effort: effort() },
          testTimeout: 60_000,
          exclude,
          include: ["test/store/**/*.test.ts", "test/{wire,architecture,client}/**/*.test.ts"],
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "wrangler.jsonc" },
            miniflare: {
              compatibilityDate: "2026-08-01",
              bindings: { DBMIGRATE_TOKEN: "token-of-the-operator-now" },
              // To compare with, one for each program: sizes and rowids depend on what was done before.
              d1Databases: ["WRITTEN", ...Array(10).keys()].map((name) => `D1_${name}`),
            },
          }),
        ],
        test: {
          name: "worker",
          provide: { effort: effort() },
          testTimeout: 60_000,
          exclude,
          include: ["test/{admin,d1,router,file,sample,service,differential}/**/*.test.ts"],
        },
      },
      {
        plugins: [
          cloudflareTest({
            main: "test/logic/entry.ts",
            miniflare: {
              compatibilityDate: "2026-08-01",
              compatibilityFlags: ["nodejs_compat"],
              modulesRules: [{ type: "CompiledWasm", include: ["**/*.wasm?module"] }],
              bindings: { DBMIGRATE_TOKEN: "token-of-the-operator-now" },
              r2Buckets: ["BUCKET"],
              kvNamespaces: ["FLAGS"],
              durableObjects: { USER_DATA: { className: "AppStore", useSQLite: true } },
            },
          }),
        ],
        test: {
          name: "logic",
          ...shared,
          provide: { effort: effort() },
          testTimeout: 60_000,
          exclude,
          include: ["test/logic/**/*.test.ts"],
        },
      },
    ],
  },
});
