// What a connection does when its token is refused, the network goes silent, or the user's file answers.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { connect, type Options, subscribe } from "../../client/live.js";

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

it("takes a snapshot in place of a reading, and reads where there is none", async () => {
  const onSnapshot = vi.fn(async () => undefined);
  const onChange = vi.fn();
  const { onResync } = open({ tables: ["t"], onSnapshot, onChange });
  await passed(1);
  newest().happen("open");
  expect(JSON.parse(newest().sent[0] ?? "")).toMatchObject({
    type: "subscribe",
    tables: ["t"],
    snapshot: true,
  });
  const tables = [{ table: "t", columns: ["a"], rows: [[1]] }];
  newest().say({ type: "hello", snapshot: true, lin: 1, seq: 4 });
  newest().say({ type: "snapshot", lin: 1, seq: 4, tables });
  newest().say({ type: "change", lin: 1, seq: 5, changes: null });
  await passed(1);
  expect(onSnapshot.mock.calls).toEqual([[expect.objectContaining({ lin: 1, seq: 4, tables })]]);
  expect(onChange).toHaveBeenCalledTimes(1);
  expect(newest().sent.slice(1)).toEqual(['{"type":"ack","seq":4}', '{"type":"ack","seq":5}']);
  newest().say({ type: "resync", reason: "gap", lin: 1, seq: 9 });
  await passed(1);
  expect(JSON.parse(newest().sent.at(-1) ?? "")).toMatchObject({
    type: "subscribe",
    snapshot: true,
    after: null,
  });
  expect(onResync).not.toHaveBeenCalled();
  newest().say({ type: "hello", snapshot: true, lin: 1, seq: 9 });
  newest().say({ type: "snapshot", lin: 1, seq: 9, tables: null }); // too large
  await passed(1);
  expect(onResync).toHaveBeenCalledTimes(1);
  expect(() => subscribe({ url: "", onSnapshot, onResync, onChange })).toThrow("onSnapshot needs tables");
});

it("runs a live query after changes of the tables that its statement read", async () => {
  Socket.made = [];
  const answers = vi.fn(async () => ({
    results: [{ columns: ["n"], rows: [[answers.mock.calls.length]], reads }],
  }));
  let reads: string[] | null = ["Games"];
  const shown: unknown[] = [];
  const { liveQuery, close } = connect({
    url: "wss://worker.test/live",
    WebSocket: Socket as unknown as typeof WebSocket,
    query: answers,
  });
  liveQuery("SELECT count(*) FROM games", [], ({ rows }) => shown.push(rows[0]?.[0]));
  await passed(1);
  newest().happen("open");
  newest().say({ type: "hello", lin: 1, seq: 0 });
  await passed(1);
  const before = shown.length;
  const changed = async (seq: number, changes: unknown) => {
    newest().say({ type: "change", lin: 1, seq, changes });
    await passed(1);
    return shown.length - before;
  };
  expect(await changed(1, [{ table: "clips", keys: null }])).toBe(0);
  expect(await changed(2, [{ table: "games", keys: [[1]] }])).toBe(1);
  expect(await changed(3, null)).toBe(2);
  reads = null;
  expect(await changed(4, [{ table: "GAMES", keys: null }])).toBe(3);
  expect(await changed(5, [{ table: "clips", keys: null }])).toBe(4); // nobody knows what it read
  close();
});
