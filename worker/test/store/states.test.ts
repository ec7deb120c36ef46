// Every message in every phase, over the wire. The expectations are written from docs/cutover.md, section 2,
// not from the code.
import { runInDurableObject } from "cloudflare:test";
import { some } from "../effort.ts";
import { describe, expect, it } from "vitest";
import { Client } from "./client.ts";
import { batch, jFrame } from "./encode.ts";
import { noDigest, objects, phases } from "./phases.ts";

const json = (route: string, body: (client: Client) => object) => (client: Client) =>
  client.post(route, body(client));
const gen = (client: Client) => ({ gen: client.gen });

const messages: Record<string, (client: Client) => Promise<unknown>> = {
  "claim migrate": (client) => client.claim("migrate"),
  "claim split": (client) => client.claim("split"),
  "claim rollback": (client) => client.claim("rollback"),
  reset: json("reset", gen),
  schema: (client) => client.schema(objects),
  rows: (client) => client.rows(5, batch(jFrame("t", ["rowid", "a"], [[2n, "more"]]))),
  finish: json("finish", (client) => ({ gen: client.gen, batches: 1 })),
  digest: json("digest", () => ({ budgetMs: 0 })),
  range: json("range", () => ({ table: "t", after: null, upto: null })),
  ready: async (client) => {
    await client.finish(1);
    return client.post("ready", {
      gen: client.gen,
      digest: (await client.digest()).json.digest ?? noDigest,
      receipt: {},
    });
  },
  activate: json("activate", gen),
  merge: json("merge", gen),
  "export/schema": (client) => client.get("export/schema"),
  "export/rows": (client) =>
    client.exportRows("t", null, 1000).then(() => ({ status: 200, json: {} }), parseThrown),
  release: json("release", gen),
  write: async (client) => rpc(await client.query("INSERT INTO t VALUES ('written')")),
  read: async (client) => rpc(await client.query("SELECT a FROM t", [], "read")),
  "cold write": async (client) =>
    rpc(await client.query("INSERT INTO t VALUES ('written')", [], "write", "cold")),
  "cold read": async (client) => rpc(await client.query("SELECT a FROM t", [], "read", "cold")),
};

function parseThrown(error: Error) {
  return { status: 409, json: JSON.parse(error.message) };
}

function rpc(answer: { ok: boolean }) {
  return { status: answer.ok ? 200 : 409, json: answer };
}

// What the answer says, the phase behind it, whether the row is still there, lin, and whether gen grew.
//                    EMPTY             IMPORTING         READY             ACTIVE            SEALED            RESUMED
const expected = `
claim migrate       | import IMPORTING gone gen +1 | import IMPORTING gone gen +1 | import IMPORTING gone gen +1 | active ACTIVE kept same +1 | resume SEALED kept same +1 | resume SEALED kept same +1
claim split         | import SPLITTING gone gen +1 | import SPLITTING gone gen +1 | import SPLITTING gone gen +1 | - | - | -
claim rollback      | lift EMPTY gone none +1 | lift EMPTY gone none +1 | lift EMPTY gone none +1 | export SEALED kept same +1 | export SEALED kept same +1 | export SEALED kept same +1
reset               | wrong-phase EMPTY gone none = | ok IMPORTING gone gen = | wrong-phase READY kept same = | wrong-phase ACTIVE kept same = | ok IMPORTING gone gen = | ok IMPORTING gone gen =
schema              | wrong-phase EMPTY gone none = | ok IMPORTING kept same = | wrong-phase READY kept same = | wrong-phase ACTIVE kept same = | wrong-phase SEALED kept same = | wrong-phase SEALED kept same =
rows                | wrong-phase EMPTY gone none = | ok IMPORTING kept same = | wrong-phase READY kept same = | wrong-phase ACTIVE kept same = | wrong-phase SEALED kept same = | wrong-phase SEALED kept same =
finish              | wrong-phase EMPTY gone none = | ok IMPORTING kept same = | wrong-phase READY kept same = | wrong-phase ACTIVE kept same = | wrong-phase SEALED kept same = | wrong-phase SEALED kept same =
digest              | wrong-phase EMPTY gone none = | ok IMPORTING kept same = | ok READY kept same = | ok ACTIVE kept same = | ok SEALED kept same = | ok SEALED kept same =
range               | wrong-phase EMPTY gone none = | ok IMPORTING kept same = | ok READY kept same = | ok ACTIVE kept same = | ok SEALED kept same = | ok SEALED kept same =
ready               | wrong-phase EMPTY gone none = | ok READY kept same = | ok READY kept same = | wrong-phase ACTIVE kept same = | wrong-phase SEALED kept same = | wrong-phase SEALED kept same =
activate            | wrong-phase EMPTY gone none = | wrong-phase IMPORTING kept same = | ok ACTIVE kept same = | ok ACTIVE kept same = | wrong-phase SEALED kept same = | ok ACTIVE kept same =
merge               | wrong-phase EMPTY gone none = | - | - | - | - | -
export/schema       | wrong-phase EMPTY gone none = | wrong-phase IMPORTING kept same = | ok READY kept same = | ok ACTIVE kept same = | ok SEALED kept same = | ok SEALED kept same =
export/rows         | wrong-phase EMPTY gone none = | wrong-phase IMPORTING kept same = | ok READY kept same = | ok ACTIVE kept same = | ok SEALED kept same = | ok SEALED kept same =
release             | ok EMPTY gone none = | wrong-phase IMPORTING kept same = | wrong-phase READY kept same = | wrong-phase ACTIVE kept same = | ok EMPTY gone none = | ok EMPTY gone none =
write               | not-active EMPTY gone none = | not-active IMPORTING kept same = | not-active READY kept same = | ok ACTIVE kept same = | not-active SEALED kept same = | not-active SEALED kept same =
read                | not-active EMPTY gone none = | not-active IMPORTING kept same = | not-active READY kept same = | ok ACTIVE kept same = | not-active SEALED kept same = | not-active SEALED kept same =
cold write          | not-split EMPTY gone none = | not-split | not-split | not-split | not-split | not-split
cold read           | not-split EMPTY gone none = | not-split | not-split | not-split | not-split | not-split
`;

// The same from docs/split.md, for the phases of split mode and what came last in them. One word: the answer,
// and nothing changed.
const columns = [
  "SPLITTING",
  "SPLIT_READY",
  "SPLIT_READY resumed",
  "SPLIT_READY undone",
  "COLD",
  "COLD_SEALED",
  "COLD_SEALED resumed",
  "MERGING",
  "MERGING resumed",
];
const expectedOfSplit = `
claim migrate  | import IMPORTING gone gen +1 | - | - | - | - | - | - | - | -
claim split    | import SPLITTING gone gen +1 | resume SPLIT_READY kept same +1 | resume SPLIT_READY kept same +1 | resume SPLIT_READY kept same +1 | active COLD kept same +1 | resume COLD_SEALED kept same +1 | resume COLD_SEALED kept same +1 | resume MERGING kept same +1 | resume MERGING kept same +1
claim rollback | lift EMPTY gone none +1 | undo SPLIT_READY kept same +1 | undo SPLIT_READY kept same +1 | undo SPLIT_READY kept same +1 | merge COLD_SEALED kept same +1 | merge COLD_SEALED kept same +1 | merge COLD_SEALED kept same +1 | merge MERGING kept same +1 | merge MERGING kept same +1
reset          | ok SPLITTING gone gen = | - | ok SPLITTING gone gen = | - | - | - | - | - | ok SPLITTING gone gen =
schema         | ok | - | - | - | - | - | - | - | -
rows           | ok | - | - | - | - | - | - | - | -
finish         | ok | - | - | - | - | - | - | - | -
digest         | ok | ok | ok | ok | ok | ok | ok | ok | ok
range          | ok | ok | ok | ok | ok | ok | ok | ok | ok
ready          | ok SPLIT_READY kept same = | ok | ok | ok | - | - | - | - | -
activate       | - | ok COLD kept same = | ok COLD kept same = | ok COLD_SEALED kept same = | ok | ok | ok COLD kept same = | - | ok COLD kept same =
merge          | - | - | - | - | - | ok MERGING kept same = | - | ok | -
export/schema  | - | ok | ok | ok | ok | ok | ok | ok | ok
export/rows    | - | ok | ok | ok | ok | ok | ok | ok | ok
release        | - | - | - | ok EMPTY gone none = | - | - | - | ok EMPTY gone none = | -
write          | not-active | not-active | not-active | not-active | not-active | not-active | not-active | not-active | not-active
read           | not-active | not-active | not-active | not-active | not-active | not-active | not-active | not-active | not-active
cold write     | not-split | not-active | not-active | not-active | ok | not-active | not-active | not-active | not-active
cold read      | not-split | not-active | not-active | not-active | ok | ok | ok | not-active | not-active
`;

const fullColumns = Object.keys(phases).filter((phase) => !columns.includes(phase));
const cases = [...casesOf(expected, fullColumns), ...casesOf(expectedOfSplit, columns)];

function casesOf(text: string, columns: readonly string[]) {
  return text
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [message = "", ...cells] = line.split("|").map((cell) => cell.trim());
      return columns.map((phase, index) => ({ message, phase, effect: inFull(cells[index] ?? "", phase) }));
    });
}

function inFull(effect: string, column: string): string {
  if (effect.includes(" ")) return effect;
  const phase = column === "RESUMED" ? "SEALED" : column.split(" ")[0];
  return `${effect === "-" ? "wrong-phase" : effect} ${phase} kept same =`;
}

describe("every message in every phase", () => {
  it.each(some("messages in phases", cases, 40))(
    "$message in $phase: $effect",
    async ({ message, phase, effect }) => {
      const client = new Client();
      await phases[phase]?.(client);
      const before = (await client.get("status")).json;
      const answer = (await messages[message]?.(client)) as { json: Record<string, never> };
      const after = (await client.get("status")).json;
      const { json } = answer;
      const said = (json["error"] as { kind?: string } | undefined)?.kind ?? json["outcome"] ?? "ok";
      const lin =
        after.lin === 0
          ? "none"
          : after.lin === before.lin && after.gen === before.gen + 1
            ? "same"
            : linOf(before, after);
      const content = (await rowIsThere(client)) ? "kept" : "gone";
      const gen = after.gen === before.gen ? "=" : `+${after.gen - before.gen}`;
      expect(`${said} ${after.phase} ${content} ${lin} ${gen}`).toBe(sameLin(effect, before, after));
    },
  );
});

// Not in every case above: each eviction makes the local runtime slower from then on.
describe("an object that is thrown out of memory", () => {
  it.each(some("phases before an eviction", Object.keys(phases), 3))(
    "knows in %s what it was, and what a claim made of it",
    async (phase) => {
      const client = new Client();
      await phases[phase]?.(client);
      const before = (await client.get("status")).json;
      await client.evict();
      expect((await client.get("status")).json).toEqual(before);
      const { outcome: _, ...claimed } = (await client.claim("rollback")).json;
      await client.evict();
      expect((await client.get("status")).json).toEqual(claimed);
    },
  );
});

function linOf(before: { lin: number }, after: { lin: number; gen: number }): string {
  return after.lin === before.lin ? "same" : after.lin === after.gen ? "gen" : String(after.lin);
}

// A reset under the claim that made the content gives it the lin that it had.
function sameLin(effect: string, before: { lin: number }, after: { lin: number; gen: number }): string {
  return before.lin === after.gen ? effect.replace(" gen ", " same ") : effect;
}

function rowIsThere(client: Client): Promise<boolean> {
  return runInDurableObject(client.stub, (_, state) => {
    const tables = [...state.storage.sql.exec("SELECT name FROM sqlite_schema WHERE name = 't'")];
    return tables.length > 0 && [...state.storage.sql.exec("SELECT 1 FROM t WHERE a = 'kept'")].length > 0;
  });
}

describe("claims", () => {
  it("refuses a claim that saw another gen, and changes nothing", async () => {
    const client = new Client();
    await phases["IMPORTING"]?.(client);
    const before = (await client.get("status")).json;
    for (const seen of [0, 2, 99]) {
      const { status, json } = await client.post("claim", { intent: "rollback", seen });
      expect({ status, json }).toMatchObject({
        status: 409,
        json: { error: { kind: "claim-conflict", details: { gen: 1 } } },
      });
    }
    expect((await client.get("status")).json).toEqual(before);
  });

  const commands = ["reset", "schema", "rows", "finish", "ready", "activate", "merge", "release"];
  const superseded = commands.flatMap((message) => Object.keys(phases).map((phase) => ({ message, phase })));
  it.each(some("messages of a superseded claim", superseded, 12))(
    "refuses $message of a superseded claim in $phase",
    async ({ message, phase }) => {
      const client = new Client();
      await phases[phase]?.(client);
      await client.claim(columns.includes(phase) ? "split" : "migrate");
      const before = (await client.get("status")).json;
      for (const stale of [client.gen - 1, client.gen + 1]) {
        const late = new Client(undefined, client.user);
        late.gen = stale;
        const answer =
          message === "ready"
            ? await late.post("ready", { gen: stale, digest: noDigest, receipt: {} })
            : await messages[message]?.(late);
        expect(answer).toMatchObject({
          status: 409,
          json: { error: { kind: "stale-claim", details: { gen: client.gen } } },
        });
      }
      expect((await client.get("status")).json).toEqual(before);
    },
  );

  it("gives the same claim for the same request, while no other came after it", async () => {
    const store = new Client();
    const first = { intent: "migrate", seen: 0, id: "first-claim" };
    const answer = await store.post("claim", first);
    expect(answer).toMatchObject({ status: 200, json: { gen: 1, outcome: "import" } });
    expect(await store.post("claim", first)).toMatchObject({
      status: 200,
      json: { gen: 1, outcome: "import" },
    });
    expect(await store.post("claim", { ...first, id: "another-one" })).toMatchObject({ status: 409 });
    expect(await store.post("claim", { intent: "rollback", seen: 1, id: "second-claim" })).toMatchObject({
      status: 200,
      json: { gen: 2, outcome: "lift" },
    });
    expect(await store.post("claim", first)).toMatchObject({
      status: 409,
      json: { error: { kind: "claim-conflict", details: { gen: 2 } } },
    });
    expect(await store.post("claim", { ...first, seen: 2, id: "short" })).toMatchObject({ status: 400 });
  });
  it("keeps gen and the write counter through every wipe", async () => {
    const client = new Client();
    await phases["ACTIVE"]?.(client);
    await messages["write"]?.(client);
    await client.claim("rollback");
    await client.post("release", { gen: client.gen });
    expect((await client.get("status")).json).toMatchObject({
      phase: "EMPTY",
      gen: 2,
      lin: 0,
      writes: 1,
      receipt: null,
    });
    await client.claim("migrate");
    expect((await client.get("status")).json).toMatchObject({
      phase: "IMPORTING",
      gen: 3,
      lin: 3,
      writes: 1,
    });
  });

  it("counts writes from the first activation, through a resume", async () => {
    const client = new Client();
    await phases["ACTIVE"]?.(client);
    expect((await client.get("status")).json).toMatchObject({ writes: 0, writesAtActivation: 0 });
    await messages["write"]?.(client);
    await client.claim("rollback");
    await client.claim("migrate");
    await client.activate();
    expect((await client.get("status")).json).toMatchObject({
      phase: "ACTIVE",
      writes: 1,
      writesAtActivation: 0,
    });
  });
});

it("tells under which claim it last began to serve", async () => {
  const client = new Client();
  const opened = async () => (await client.get("status")).json.opened;
  await phases["READY"]?.(client);
  expect(await opened()).toBeUndefined();
  await client.activate();
  const first = client.gen;
  expect(await opened()).toBe(first);
  await client.claim("rollback");
  expect(await opened()).toBe(first);
  await client.claim("migrate");
  expect(await opened()).toBe(first);
  await client.activate();
  expect(await opened()).toBe(first + 2);
  await client.claim("rollback");
  await client.post("release", { gen: client.gen });
  expect(await opened()).toBeUndefined();
});

describe("a read of a sealed store", () => {
  it("carries the result on the sealed data", async () => {
    const client = new Client();
    await phases["SEALED"]?.(client);
    const answer = await client.query("SELECT a FROM t", [], "read");
    expect(answer).toMatchObject({
      ok: false,
      error: {
        kind: "not-active",
        details: { phase: "SEALED", lin: 1, result: { results: [{ rows: [["kept"]] }] } },
      },
    });
  });

  it("carries the failure where there is no result, and nothing for writes", async () => {
    const client = new Client();
    await phases["SEALED"]?.(client);
    const failed = await client.query("SELECT b FROM t", [], "read");
    expect(failed).toMatchObject({
      error: { kind: "not-active", details: { error: { kind: "sql-error" } } },
    });
    const sneaky = await client.query("DELETE FROM t", [], "read");
    expect(sneaky).toMatchObject({
      error: { kind: "not-active", details: { error: { kind: "write-in-read" } } },
    });
    const write = await client.query("SELECT a FROM t");
    expect(write).toMatchObject({ error: { kind: "not-active", details: { phase: "SEALED", lin: 1 } } });
    expect(await rowIsThere(client)).toBe(true);
  });
});
