// An open connection costs nothing while nothing happens: the object really leaves memory, and the other end
// does not notice. The runtime evicts by itself here; nothing is evicted by hand.
import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { Client, bindings, table } from "./client.ts";
import { CountedStore } from "./entry.ts";
import { TestSubscriber } from "./subscriber.ts";

/** The runtime evicts an object after 10 s without a request, if nothing keeps it awake. */
const ASLEEP_MS = 15_000;
const SCHEMA = [
  table("games", "CREATE TABLE games (id INTEGER PRIMARY KEY, name TEXT)"),
  table("clips", "CREATE TABLE clips (id INTEGER PRIMARY KEY, title)"),
];

const store = new Client(bindings.COUNTED);
const id = bindings.COUNTED.idFromName(store.user).toString();
const made = () => CountedStore.made.get(id) ?? 0;
const messages = () => CountedStore.messages.get(id) ?? 0;
const change = (seq: number, name: string, key: number) => ({
  type: "change",
  lin: 1,
  seq,
  changes: [{ table: name, keys: [[key]] }],
});

it("sleeps while subscribers are connected, and tells them everything afterwards", async () => {
  await store.import(SCHEMA);
  await store.activate();
  const everything = await TestSubscriber.connect(store);
  const games = await TestSubscriber.connect(store, { tables: ["games"] });
  const rows = await TestSubscriber.connect(store, { tables: ["clips"], rows: true });
  const all = [everything, games, rows];
  await store.query("INSERT INTO games VALUES (1, 'go')");
  expect(await everything.next()).toEqual(change(1, "games", 1));
  expect(await games.next()).toEqual(change(1, "games", 1));
  const before = { made: made(), messages: messages() };

  await scheduler.wait(ASLEEP_MS);
  for (const subscriber of all) subscriber.say("ping");
  for (const subscriber of all) await subscriber.until(() => subscriber.pongs === 1);
  expect({ made: made(), messages: messages() }, "a ping wakes nobody").toEqual(before);
  expect(all.map(({ isOpen }) => isOpen)).toEqual([true, true, true]);

  await store.query("INSERT INTO clips VALUES (7, 'goal')");
  expect(made(), "the write brought the object back into memory").toBe(before.made + 1);
  expect(await everything.next()).toEqual(change(2, "clips", 7));
  expect(await rows.next()).toMatchObject({ seq: 2, changes: [{ keys: [[7]], rows: [[7, "goal"]] }] });
  await store.query("INSERT INTO games VALUES (2, 'chess')");
  expect(await games.next(), "passed over number 2").toEqual(change(3, "games", 2));

  await scheduler.wait(ASLEEP_MS);
  everything.say({ type: "ack", seq: 2 });
  await everything.until(() => messages() > before.messages);
  expect({ made: made(), messages: messages() }, "so does a subscriber's message").toEqual({
    made: before.made + 2,
    messages: before.messages + 1,
  });
  expect(await everything.next()).toEqual(change(3, "games", 2));
  expect(
    [everything, games, rows].flatMap(({ received }) => received),
    "nothing is told twice",
  ).toEqual([]);
  const alarm = await runInDurableObject(store.stub, (_object, { storage }) => storage.getAlarm());
  expect(alarm, "nothing will wake it").toBeNull();
});
