import { expect, it } from "vitest";
import { SNAPSHOT_BYTES } from "../../src/wire/limits.ts";
import { Client, databaseDigest, table } from "./client.ts";

const objects = [table("t", "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")];
const rows = [
  [1n, "one"],
  [2n, "two"],
] as const;
const tables = { t: { columns: ["id", "v"], rows: rows.map((row) => [...row]) } };

async function active(): Promise<Client> {
  const client = new Client();
  expect((await client.import(objects, tables)).json).toMatchObject({ phase: "READY" });
  expect((await client.post("activate", { gen: client.gen })).json).toMatchObject({ phase: "ACTIVE" });
  return client;
}

async function all(client: Client) {
  const headers = { "content-type": "application/json" };
  const response = await client.raw("POST", "export/all", { body: "{}", headers });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 200)
    return { status: response.status, ...JSON.parse(new TextDecoder().decode(bytes)) };
  const length = new DataView(bytes.buffer).getUint32(4, true);
  return { status: 200, ...JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) };
}

it("answers with digest, schema and rows of one moment, while the application writes", async () => {
  const client = await active();
  expect(await all(client)).toMatchObject({
    digest: { digest: databaseDigest(objects, tables), complete: true },
  });
  const statement = "INSERT INTO t (v) VALUES ('x')";
  const write = () => client.stub.query({ mode: "write", statements: [{ sql: statement }] });
  const [answers] = await Promise.all([
    Promise.all(Array.from({ length: 8 }, () => all(client))),
    Promise.all(Array.from({ length: 40 }, async () => expect((await write()).ok).toBe(true))),
  ]);
  for (const { status, digest, schema } of answers) {
    expect(status).toBe(200);
    expect(schema.writes).toBe(digest.writes);
    expect(digest.digest.tables[0].rows).toBe(2 + digest.writes);
  }
});

it("refuses an object that is empty, and one that is too large", async () => {
  expect(await all(new Client())).toMatchObject({ status: 409, error: { kind: "wrong-phase" } });
  const client = await active();
  for (let at = 0; at < SNAPSHOT_BYTES; at += 1_000_000) {
    const statement = "INSERT INTO t (v) VALUES (CAST(zeroblob(1000000) AS TEXT))";
    expect((await client.stub.query({ mode: "write", statements: [{ sql: statement }] })).ok).toBe(true);
  }
  expect(await all(client)).toMatchObject({ error: { kind: "too-large" } });
});
