// Live updates through the router and the sample application: who gets them, and who is sent away.
import { describe, expect, it } from "vitest";
import sample, { type Env } from "../../sample/index.ts";
import { createRouter } from "../../src/index.ts";
import { CLOSE, liveToken, refuseLive, type ServerMessage } from "../../src/live-updates.ts";
import { parts } from "../../service/mounted.ts";
import { bringTo, queryStore, seal } from "./store-driver.ts";
import { bindings, database, fenced, fileKey, newUser } from "./fixtures.ts";

const env: Env = { ...bindings, APP_TOKEN: "app-token" };
const upgrade = { headers: { upgrade: "websocket" } };

function live(user: string, init: RequestInit = upgrade, path: "auto" | "r2" = "auto"): Promise<Response> {
  const router = createRouter({ bucket: env.BUCKET, flags: env.FLAGS, store: env.USER_DATA, path, ...parts });
  return router.live(user, new Request("https://worker.test/live", init));
}

async function socketOf(response: Response): Promise<WebSocket> {
  if (response.webSocket === null) throw new Error(`${response.status} ${await response.text()}`);
  response.webSocket.accept();
  return response.webSocket;
}

async function closing(response: Response): Promise<number> {
  const socket = await socketOf(response);
  return new Promise((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
}

function messages(socket: WebSocket): () => Promise<ServerMessage> {
  const waiting: ((message: ServerMessage) => void)[] = [];
  const received: ServerMessage[] = [];
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as ServerMessage;
    const taker = waiting.shift();
    if (taker === undefined) received.push(message);
    else taker(message);
  });
  return async () => received.shift() ?? new Promise((resolve) => waiting.push(resolve));
}

describe("router.live", () => {
  it.each([
    ["the flag", async (user: string) => env.FLAGS.put(`migrated:${user}`, "true")],
    [
      "the fence alone",
      async (user: string) => void (await env.BUCKET.put(fileKey(user), fenced(database(), 1, 1))),
    ],
  ])("finds a migrated user by %s", async (_name, mark) => {
    const user = newUser();
    await bringTo("ACTIVE", user);
    await mark(user);
    const socket = await socketOf(await live(user));
    const next = messages(socket);
    socket.send(JSON.stringify({ type: "subscribe" }));
    expect(await next()).toMatchObject({ type: "hello", lin: 1 });
    await queryStore(user, "INSERT INTO t VALUES ('more')");
    expect(await next()).toMatchObject({ type: "change", changes: [{ table: "t", keys: [[2]] }] });
  });

  it("closes a user whose file answers, and makes no Durable Object for him", async () => {
    const user = newUser();
    await env.BUCKET.put(fileKey(user), database("one"));
    expect(await closing(await live(user))).toBe(CLOSE.moved);
  });

  it("says what the file is, so that another attempt polls it", async () => {
    const user = newUser();
    const version = async () => messages(await socketOf(await live(user)))();
    expect(await version()).toMatchObject({ type: "resync", reason: "moved", version: "none" });
    await env.BUCKET.put(fileKey(user), database("one"));
    const one = await version();
    expect(await version()).toEqual(one);
    await env.BUCKET.put(fileKey(user), database("two"));
    expect(await version()).not.toEqual(one);
  });

  it("closes a user in the middle of a rollback, whatever the flag says", async () => {
    const user = newUser();
    await bringTo("ACTIVE", user);
    await seal(user);
    await env.FLAGS.put(`migrated:${user}`, "true");
    expect(await closing(await live(user))).toBe(CLOSE.moved);
  });

  it("closes everybody under the emergency switch", async () => {
    const user = newUser();
    await bringTo("ACTIVE", user);
    await env.FLAGS.put(`migrated:${user}`, "true");
    expect(await closing(await live(user, upgrade, "r2"))).toBe(CLOSE.moved);
  });

  it.each([
    ["what is no upgrade", "user", {}],
    ["a bad user", "a/b", upgrade],
  ])("refuses %s", async (_name, user, init) => {
    expect((await live(user, init)).status).toBe(400);
  });
});

describe("router.disconnect", () => {
  const router = createRouter({ bucket: env.BUCKET, flags: env.FLAGS, store: env.USER_DATA, ...parts });

  it("closes all connections of a user, and no others", async () => {
    const [user, other] = [newUser(), newUser()];
    for (const one of [user, other]) {
      await bringTo("ACTIVE", one);
      await env.FLAGS.put(`migrated:${one}`, "true");
    }
    const closed = [socketOf(await live(user)), socketOf(await live(user))].map(async (socket) => {
      const accepted = await socket;
      return new Promise<{ code: number; reason: string }>((resolve) =>
        accepted.addEventListener("close", resolve),
      );
    });
    const stays = await socketOf(await live(other));
    const next = messages(stays);
    expect(await router.disconnect(user, "signed out")).toEqual({ ok: true, closed: 2 });
    for (const { code, reason } of await Promise.all(closed))
      expect({ code, reason }).toEqual({ code: CLOSE.token, reason: "signed out" });
    stays.send(JSON.stringify({ type: "subscribe" }));
    expect(await next()).toMatchObject({ type: "hello" });
    expect(await router.disconnect(user)).toEqual({ ok: true, closed: 0 });
  });

  it("makes no Durable Object for a user whose file answers, and answers errors", async () => {
    const user = newUser();
    await env.BUCKET.put(fileKey(user), database("one"));
    expect(await router.disconnect(user)).toEqual({ ok: true, closed: 0 });
    expect(await router.disconnect("..")).toMatchObject({ ok: false, error: { kind: "bad-request" } });
  });
});

describe("a browser, which closes what takes up none of its subprotocols", () => {
  const router = createRouter({ bucket: env.BUCKET, flags: env.FLAGS, store: env.USER_DATA, ...parts });
  const asking = (protocols: string | undefined) =>
    new Request("https://worker.test/live", {
      headers: {
        upgrade: "websocket",
        ...(protocols === undefined ? {} : { "sec-websocket-protocol": protocols }),
      },
    });

  it.each([
    ["dbmigrate-live, bearer.a", "dbmigrate-live"],
    ["bearer.a,mine , other", "mine"],
    ["bearer.a", null],
    [undefined, null],
  ])("offers %j and gets %j, wherever the user is", async (protocols, taken) => {
    const moved = newUser();
    await bringTo("ACTIVE", moved);
    await env.FLAGS.put(`migrated:${moved}`, "true");
    const answers = [
      await router.live(moved, asking(protocols)),
      await router.live(newUser(), asking(protocols)),
      refuseLive("expired", asking(protocols)),
    ];
    for (const answer of answers) {
      expect([answer.status, answer.headers.get("sec-websocket-protocol")]).toEqual([101, taken]);
      await socketOf(answer);
    }
  });

  it("tells its token", () => {
    expect(liveToken(asking("dbmigrate-live, bearer.a.b-c="))).toBe("a.b-c=");
    expect(liveToken(asking("dbmigrate-live"))).toBeUndefined();
    expect(liveToken(asking(undefined))).toBeUndefined();
  });
});

describe("the sample application", () => {
  const connect = (user: string, protocols: string) =>
    sample.fetch(
      new Request(`https://worker.test/api/users/${user}/live`, {
        headers: { upgrade: "websocket", "sec-websocket-protocol": protocols },
      }),
      env,
    );

  it("takes the token from a subprotocol and takes up the other one", async () => {
    const response = await connect(newUser(), "dbmigrate-live, bearer.app-token");
    expect([response.status, response.headers.get("sec-websocket-protocol")]).toEqual([
      101,
      "dbmigrate-live",
    ]);
    await socketOf(response);
  });

  it("refuses another token", async () => {
    expect(await closing(await connect(newUser(), "dbmigrate-live, bearer.wrong"))).toBe(CLOSE.token);
  });
});
