import { env, SELF } from "cloudflare:test";
import { createRouter, userDatabase } from "@dbmigrate/worker";
import { expect, it } from "vitest";

it("serves a user", async () => {
  const response = await SELF.fetch("https://app.test/go?user=alice");
  expect(await response.json()).toEqual([{ name: "/go" }]);
});

it("can be mounted in a test", async () => {
  const router = createRouter({ bucket: env.BUCKET, store: env.USER_DATA, flags: env.FLAGS });
  expect(await userDatabase(router, "bob").prepare("SELECT 1 AS one").first("one")).toBe(1);
});

it("has the Durable Object", async () => {
  const answer = await env.USER_DATA.getByName("bob").query({ statements: [{ sql: "SELECT 1" }] });
  expect(answer).toMatchObject({ ok: false, error: { kind: "not-active" } });
});
