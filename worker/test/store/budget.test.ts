// What a request may cost in a Durable Object: counted, never timed.
import { beforeEach, describe, expect, it } from "vitest";
import { type Client, activeStore, table } from "./client.ts";
import { costly, deep, modest, tooMany } from "../costly.ts";

let store: Client;
beforeEach(async () => {
  store = await activeStore([table("notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text)")]);
});

const ask = (...sql: string[]) => store.stub.query({ statements: sql.map((text) => ({ sql: text })) });

describe("a request to a store ends", () => {
  it.each(costly)("when it asks for %s", async (_name, ...sql) => {
    expect(await ask(...sql)).toMatchObject({ ok: false, error: { kind: "too-costly" } });
    expect(await ask("SELECT count(*) FROM notes")).toMatchObject({ ok: true });
  });

  it.each(modest)("and answers %s", async (_name, rows, sql) => {
    const answer = await ask(sql);
    expect(answer.ok && answer.results.at(-1)?.rows.length).toBe(rows);
  });

  it.each(tooMany)("and is read up to a bound of %s", async (_name, request) => {
    expect(await store.stub.query(request())).toMatchObject({ ok: false, error: { kind: "too-costly" } });
  });

  it.each(deep.filter(([, , refused]) => refused))("and its JSON, %s, up to a depth", async (_name, text) => {
    const headers = { "content-type": "application/json" };
    const response = await store.stub.fetch("https://store/query", { method: "POST", headers, body: text });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ error: { kind: "too-costly" } });
  });
});
