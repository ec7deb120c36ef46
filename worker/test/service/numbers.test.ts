// A number that JSON.parse would change is refused by every route that takes JSON, before anything is read.
import { expect, it } from "vitest";
import page from "../../../docs/backends.md?raw";
import sample from "../../sample/index.ts";
import service, { type Env } from "../../service/index.ts";
import { bindings, database, fileKey, newUser, textsIn } from "../router/fixtures.ts";

const TOKEN = "writer-token-0123456789-0123456789-now";
const OPERATOR = "token-of-the-operator-now";
const env = {
  ...bindings,
  APP_TOKEN: TOKEN,
  BACKENDS: { billing: "write" },
  TOKEN_BILLING: TOKEN,
  DBMIGRATE_TOKEN: OPERATOR,
} as unknown as Env;

/** By route: a body with NUMBER in it, and where that is. */
const bodies: Readonly<Record<string, readonly [body: string, where: string]>> = {
  query: ['{"statements":[{"sql":"INSERT INTO t VALUES (?)","params":[NUMBER]}]}', "statements[0].params[0]"],
  both: [
    '{"mode":"read","statements":[{"sql":"SELECT :a","params":{"a":NUMBER}}]}',
    "statements[0].params.a",
  ],
  locate: ['{"table":"t","key":{"a":NUMBER}}', "key.a"],
  write: [
    '{"table":"t","key":{"a":1},"statements":[{"sql":"DELETE FROM t WHERE a = ?","params":[NUMBER]}]}',
    "statements[0].params[0]",
  ],
  schema: ['{"statements":[{"sql":"CREATE TABLE u(a)"}],"version":NUMBER}', "version"],
  thaw: ['{"tables":[{"table":"t","keys":[[NUMBER]]}]}', "tables[0].keys[0][0]"],
};

const admin: readonly (readonly [route: string, body: string, where: string])[] = [
  ["claim", '{"intent":"migrate","seen":NUMBER}', "seen"],
  ["digest", '{"budgetMs":NUMBER}', "budgetMs"],
  ["fence", '{"mark":{"lin":NUMBER}}', "mark.lin"],
  ["switch", '{"gen":NUMBER}', "gen"],
];

const numbers = ["9007199254740993", "-9223372036854775808", "100000000000000000000", "1e400", "-1e999"];
const workers = { service, sample } as const;

async function send(worker: keyof typeof workers, path: string, token: string, body: string) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const request = new Request(`https://worker.test${path}`, { method: "POST", headers, body });
  const response = await workers[worker].fetch(request, env);
  return { status: response.status, error: (await response.json<{ error?: unknown }>()).error };
}

const named = (where: string, number: string) => ({
  status: 400,
  error: { kind: "bad-request", message: expect.stringContaining(`${where}: ${number} is`) as unknown },
});

it("knows every route of docs/backends.md", () => {
  const documented = [...page.matchAll(/^\| `POST \/api\/users\/\{user\}\/(\w+)`/gm)].map(([, name]) => name);
  expect(Object.keys(bodies).sort()).toEqual(documented.sort());
});

for (const worker of ["service", "sample"] as const) {
  it.each(Object.entries(bodies))(`${worker}: %s`, async (route, [body, where]) => {
    const user = newUser();
    await bindings.BUCKET.put(fileKey(user), database("one"));
    for (const number of numbers) {
      const answer = await send(worker, `/api/users/${user}/${route}`, TOKEN, body.replace("NUMBER", number));
      expect(answer).toMatchObject(named(where, number));
    }
    const file = await bindings.BUCKET.get(fileKey(user));
    expect(textsIn(new Uint8Array((await file?.arrayBuffer()) ?? []))).toEqual(["one"]);
  });
}

it.each(admin)("admin: %s", async (route, body, where) => {
  for (const number of numbers) {
    const path = `/_dbmigrate/v1/users/${newUser()}/${route}`;
    const answer = await send("service", path, OPERATOR, body.replace("NUMBER", number));
    expect(answer).toMatchObject(named(where, number));
  }
});
