import { expect, it } from "vitest";
import { handleAdmin } from "../../src/index.ts";
import { isApplications } from "../../src/admin/thrown.ts";
import { bindings } from "../router/fixtures.ts";

const TOKEN = "token-of-the-operator-now";

function thrown(message: string, properties: Record<string, boolean>): Error {
  return Object.assign(new Error(message), properties);
}

/** What the platform says of an error, and whether the application's code is to blame. */
const cases: [string, Error, boolean][] = [
  ["code of the object", thrown("x is not a function", { remote: true }), true],
  ["code that says what it likes", thrown("", { remote: true }), true],
  ["nothing is known", thrown("x is not a function", {}), false],
  ["may be tried again", thrown("something", { remote: true, retryable: true }), false],
  ["overloaded", thrown("too busy", { remote: true, overloaded: true }), false],
  // What the local runtime says of code that throws in a constructor or in blockConcurrencyWhile: to fetch, and
  // over RPC.
  ["reset by its code", thrown("x is undefined", { remote: true, durableObjectReset: true }), true],
  ["reset by its code, over RPC", thrown("x is undefined", { durableObjectReset: true }), true],
  ["a table of its own", thrown("no such table: plans: SQLITE_ERROR", { durableObjectReset: true }), true],
  [
    "reset at its own wish",
    thrown("Application called abort() to reset Durable Object.", { durableObjectReset: true }),
    true,
  ],
  [
    "a constraint at the end",
    thrown(
      "Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: FOREIGN KEY constraint failed",
      { remote: true, durableObjectReset: true },
    ),
    true,
  ],
  [
    "reset, may be tried again",
    thrown("x is undefined", { durableObjectReset: true, retryable: true }),
    false,
  ],
  ["reset, overloaded", thrown("x is undefined", { durableObjectReset: true, overloaded: true }), false],
  ["reset, in words", thrown("Durable Object reset because its code was updated.", { remote: true }), false],
  ["full, without a reset", thrown("database or disk is full: SQLITE_FULL", { remote: true }), false],
  ...[
    "Durable Object reset because its code was updated.",
    "The Durable Object's code has been updated, this version can no longer access storage.",
    "Durable Object's isolate exceeded its memory limit and was reset.",
    "Durable Object exceeded its CPU time limit and was reset.",
    "Durable Object storage operation exceeded timeout which caused object to be reset.",
    "Internal error in Durable Object storage write caused object to be reset; reference = 1",
    "internal error; reference = 1",
    "Network connection lost.",
    "Durable Object storage is no longer accessible.",
    "Cannot access storage because object has moved to a different machine",
    "Connection closed: this Durable Object instance is no longer active",
    "Actor exceeded event execution time and was disconnected.",
    "Actor aborted for unknown reason.",
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.",
    "database or disk is full: SQLITE_FULL",
    "disk I/O error: SQLITE_IOERR",
    "Exceeded allowed rows written in Durable Objects free tier.",
  ].map((text): [string, Error, boolean] => [
    `reset by the platform: ${text}`,
    thrown(text, { remote: true, durableObjectReset: true }),
    false,
  ]),
  ["over its CPU time", thrown("Durable Object exceeded its CPU time limit", { remote: true }), false],
  ["lost", thrown("Network connection lost.", { remote: true }), false],
  ["of the platform", thrown("internal error; reference = 1", { remote: true }), false],
];

it.each(cases)("%s", (_name, cause, applications) => {
  expect(isApplications(cause)).toBe(applications);
});

it.each(cases)("is told by the routes of a user, and by hello: %s", async (_name, cause, applications) => {
  const store = {
    idFromName: () => ({}),
    get: () => ({
      fetch: () => Promise.reject(cause),
      dbmigrateProbe: () => Promise.reject(cause),
    }),
  } as unknown as typeof bindings.USER_DATA;
  const ask = async (path: string) => {
    const request = new Request(`https://worker.test/_dbmigrate/v1${path}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const response = await handleAdmin(request, { env: { DBMIGRATE_TOKEN: TOKEN }, store });
    return response?.json<{ error?: { kind: string }; object?: { cause: string } }>();
  };
  const kind = (await ask("/users/alice/status"))?.error?.kind;
  expect(kind === "application-threw").toBe(applications);
  expect((await ask("/hello"))?.object?.cause === "threw").toBe(applications);
});

it("says nothing of a router unless it is asked to", async () => {
  const ask = async (query: string) => {
    const request = new Request(`https://worker.test/_dbmigrate/v1/hello${query}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const config = { env: { DBMIGRATE_TOKEN: TOKEN }, store: bindings.USER_DATA };
    return (await handleAdmin(request, config))?.json<{ through?: unknown }>();
  };
  expect(await ask("")).not.toHaveProperty("through");
  expect(await ask("?through=alice")).toHaveProperty("through");
});
