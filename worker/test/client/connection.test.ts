// What a connection does when its token is refused, the network goes silent, or the user's file answers.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Options, subscribe } from "../../client/live.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
});
afterEach(() => void vi.useRealTimers());

/** A socket; the test is its other end. */
class Socket extends EventTarget {
  static made: Socket[] = [];
  readyState = 1;
  readonly sent: string[] = [];

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    super();
    Socket.made.push(this);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.readyState = 3;
  }

  happen(type: string, more: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), more));
  }

  say(message: object): void {
    this.happen("message", { data: JSON.stringify(message) });
  }
}

const newest = () => Socket.made.at(-1) as Socket;
const passed = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function open(options: Partial<Options> = {}) {
  Socket.made = [];
  const states: string[] = [];
  const onResync = vi.fn(async () => undefined);
  const live = subscribe({
    url: "wss://worker.test/live",
    WebSocket: Socket as unknown as typeof WebSocket,
    onResync,
    onChange() {},
    onState: (state, why) => states.push(why === "" ? state : `${state}: ${why}`),
    ...options,
  });
  return { live, states, onResync };
}

const refuse = () => newest().happen("close", { code: 4401, reason: "the token has expired" });

it("stops with the reason when its only token is refused", async () => {
  const { states } = open({ protocols: ["bearer.old"] });
  await passed(1);
  refuse();
  await passed(60_000);
  expect(states).toEqual(["connecting", "refused: the token has expired"]);
  expect(Socket.made).toHaveLength(1);
});

it("asks once for another token, and stops when that one is refused", async () => {
  let asked = 0;
  const { states } = open({ protocols: async () => [`bearer.${++asked}`] });
  await passed(1);
  refuse();
  await passed(1);
  expect(newest().protocols).toEqual(["bearer.2"]);
  newest().happen("open");
  newest().say({ type: "hello", lin: 1, seq: 0 });
  refuse(); // this one was good for a while
  await passed(1);
  refuse();
  await passed(60_000);
  expect(asked).toBe(3);
  expect(states.at(-1)).toBe("refused: the token has expired");
});

it("finds a dead network by a ping, and an idle one alive by its answer", async () => {
  const { live } = open();
  await passed(1);
  const first = newest();
  first.happen("open");
  first.say({ type: "hello", lin: 1, seq: 0 });
  await passed(15_000);
  expect(first.sent).toContain("ping");
  first.happen("message", { data: "pong" });
  await passed(10_000);
  expect(first.readyState).toBe(1);
  await passed(20_000);
  expect(first.readyState).toBe(3);
  live.close();
});

it("does not wait when the network is back", async () => {
  const { live } = open();
  await passed(1);
  newest().happen("close", { code: 1006, reason: "" });
  globalThis.dispatchEvent(new Event("online") as never);
  await passed(0);
  expect(Socket.made).toHaveLength(2);
  live.close();
});

it("polls a file, and reads it when it is another one", async () => {
  const { live, states, onResync } = open({ pollMs: 1_000 });
  const versions = ["a", "a", "b", "b"];
  await passed(1);
  for (const version of versions) {
    newest().say({ type: "resync", reason: "moved", lin: 0, seq: 0, version });
    newest().happen("close", { code: 4001, reason: "a file" });
    await passed(1_000);
  }
  expect(onResync).toHaveBeenCalledTimes(2);
  expect(new Set(states)).toEqual(new Set(["connecting", "moved: a file"]));
  live.close();
});
