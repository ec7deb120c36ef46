// The code's transitions against the model's (docs/cutover/transitions.json, which scripts/model derives from
// the Promela): the table, and a real store that gets every message in every phase.
import { runInDurableObject } from "cloudflare:test";
import { some } from "../effort.ts";
import { describe, expect, it } from "vitest";
import model from "../../../docs/cutover/transitions.json";
import { type Message, type State, initialState, messages, ruleFor } from "../../src/state/phases.ts";
import { type Intent, type Phase, phases as phaseNames } from "../../src/wire/messages.ts";
import { type Answer, Client } from "./client.ts";
import { batch, jFrame } from "./encode.ts";
import { noDigest, objects, phases } from "./phases.ts";

const table: Record<string, Record<string, string>> = model;

const cells = Object.entries(table).flatMap(([phase, row]) =>
  Object.entries(row).map(([message, next]) => ({ phase, message, next })),
);

/**
 * The claim's number and the digest are no part of the code's table; these are its messages with another one.
 */
const variants = ["claim-conflict", "stale-claim", "ready-other-digest"];

/** What else a message depends on: the last claim, and whether the content is of it or of an earlier one. */
interface Condition {
  readonly message: Message;
  readonly intent: Intent;
  readonly lin: "earlier" | "same";
}

const conditional = ["reset", "activate", "merge", "release"] as const;
const conditions: Readonly<Record<string, Condition>> = Object.fromEntries([
  ...conditional.flatMap((message): [string, Condition][] => [
    [message, { message, intent: "migrate", lin: "earlier" }],
    [`${message}-under-rollback`, { message, intent: "rollback", lin: "earlier" }],
    [`${message}-under-split`, { message, intent: "split", lin: "earlier" }],
  ]),
  ["reset-again-under-split", { message: "reset", intent: "split", lin: "same" }],
]);

it("names the same phases and messages", () => {
  expect(Object.keys(table).toSorted()).toEqual([...phaseNames].toSorted());
  for (const row of Object.values(table)) {
    const known = new Set([...messages, ...variants, ...Object.keys(conditions)]);
    expect(Object.keys(row).toSorted()).toEqual([...known].toSorted());
  }
});

describe("the table", () => {
  const modelled = cells.filter(({ message }) => !variants.includes(message));
  it.each(modelled)("$message in $phase leads to $next", ({ phase, message, next }) => {
    expect(tableSays(phase as Phase, message)).toBe(next);
  });
});

function tableSays(phase: Phase, name: string): string {
  const { message, intent, lin }: Condition = conditions[name] ?? {
    message: name as Message,
    intent: "migrate",
    lin: "same",
  };
  const rule = ruleFor({ phase, gen: 3, lin: lin === "same" ? 3 : 2, intent }, message);
  return ["wrong-phase", "not-active", "not-split"].includes(rule.answer) ? "refused" : (rule.to ?? phase);
}

const claim = (intent: string, seen: (gen: number) => number) => (client: Client) =>
  client.post("claim", { intent, seen: seen(client.gen) });
const command = (route: string) => (client: Client) => client.post(route, { gen: client.gen });
const query = (sql: string, mode: string, scope: string) => async (client: Client) =>
  asAnswer(await client.query(sql, [], mode, scope));

type Send = (client: Client) => Promise<Answer>;

/**
 * How each of the model's messages is sent, some as more than one request: then all have to be answered
 * alike.
 */
const sends: Record<string, readonly Send[]> = {
  "claim-migrate": [claim("migrate", (gen) => gen)],
  "claim-split": [claim("split", (gen) => gen)],
  "claim-rollback": [claim("rollback", (gen) => gen)],
  "claim-conflict": [
    claim("migrate", (gen) => gen - 1),
    claim("rollback", (gen) => gen - 1),
    claim("split", (gen) => gen - 1),
    claim("migrate", (gen) => gen + 1),
  ],
  schema: [(client) => client.schema(objects)],
  rows: [(client) => client.rows(5, batch(jFrame("t", ["rowid", "a"], [[2n, "more"]])))],
  finish: [(client) => client.post("finish", { gen: client.gen, batches: 1 })],
  digest: [
    (client) => client.post("digest", { budgetMs: 0 }),
    (client) => client.post("range", { table: "t", after: null, upto: null }),
  ],
  ready: [async (client) => readyWith(client, (await finished(client)) ?? noDigest)],
  "ready-other-digest": [async (client) => (await finished(client), readyWith(client, noDigest))],
  export: [
    (client) => client.get("export/schema"),
    (client) => client.exportRows("t", null, 1000).then(() => ({ status: 200, json: {} }), thrown),
  ],
  write: [query("INSERT INTO t VALUES ('written')", "write", "hot")],
  read: [query("SELECT a FROM t", "read", "hot")],
  "cold-write": [query("INSERT INTO t VALUES ('written')", "write", "cold")],
  "cold-read": [query("SELECT a FROM t", "read", "cold")],
};
for (const [name, { message }] of Object.entries(conditions)) sends[name] = [command(message)];

const stale = [
  ...conditional.map(command),
  (client: Client) => client.schema(objects),
  (client: Client) => client.rows(5, batch(jFrame("t", ["rowid", "a"], [[2n, "more"]]))),
  (client: Client) => client.post("finish", { gen: client.gen, batches: 1 }),
  (client: Client) => readyWith(client, noDigest),
].map((send) => (client: Client) => send(ofAnOlderClaim(client)));
sends["stale-claim"] = stale;

describe("a store", () => {
  it.each(some("cells of transitions.json", cells, 40))(
    "$message in $phase leads to $next",
    async ({ phase, message, next }) => {
      const requests = sends[message];
      if (requests === undefined) throw new Error(`nobody knows how to send ${message}`);
      for (const send of requests) {
        const client = new Client();
        await phases[phase]?.(client);
        await setCondition(client, conditions[message]);
        const before = await status(client);
        const answer = await send(client);
        const after = await status(client);
        expect({ phase: before.phase, leadsTo: answered(answer) ? after.phase : "refused" }).toEqual({
          phase,
          leadsTo: next,
        });
        if (next === "refused") expect(withoutSize(after)).toEqual(withoutSize(before));
      }
    },
  );
});

/**
 * Where the file decides, a store answers reads with the content, and the asker has to look at the file
 * again.
 */
function answered({ status, json }: Answer): boolean {
  return status === 200 || json.error?.details?.result !== undefined;
}

async function status(client: Client) {
  return (await client.get("status")).json;
}

// Finishing an import is no refusal's effect: `ready` needs it.
function withoutSize({ databaseBytes: _, ...rest }: Record<string, unknown>) {
  return rest;
}

async function finished(client: Client) {
  await client.finish(1);
  return (await client.digest()).json.digest;
}

function readyWith(client: Client, digest: object): Promise<Answer> {
  return client.post("ready", { gen: client.gen, digest, receipt: {} });
}

function ofAnOlderClaim(client: Client): Client {
  const older = new Client(undefined, client.user);
  older.gen = client.gen - 1;
  return older;
}

/** Not every phase can be reached under every claim, and the checks must not lean on that. */
async function setCondition(client: Client, condition: Condition | undefined): Promise<void> {
  if (condition === undefined) return;
  const { intent, lin } = condition;
  await runInDurableObject(client.stub, (_, { storage }) => {
    const key = "_dbmigrate:state";
    const state = storage.kv.get<State>(key) ?? initialState;
    storage.kv.put(key, { ...state, intent, lin: lin === "same" ? state.gen : state.gen - 1 });
  });
}

function thrown(error: Error): Answer {
  return { status: 409, json: JSON.parse(error.message) };
}

function asAnswer(answer: { ok: boolean }): Answer {
  return { status: answer.ok ? 200 : 409, json: answer };
}
