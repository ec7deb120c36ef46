// No view stays wrong: over many lives of a user, each view of it equals the table in the end.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Change, type Snapshot, connect as connectQueries, subscribe } from "../../client/live.js";
import { some } from "../effort.ts";
import { Chance, type Row, SimulatedUser, live } from "./simulation.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** What a view shows, and how it is kept up. */
type View = (user: SimulatedUser) => {
  readonly close: () => void;
  readonly shown: () => unknown;
  readonly wanted: () => unknown;
};

function connect(
  user: SimulatedUser,
  callbacks: Pick<Parameters<typeof subscribe>[0], "onResync" | "onChange" | "onSnapshot" | "tables">,
) {
  const live = subscribe({
    url: "wss://worker.test/live",
    WebSocket: user.WebSocket,
    onError() {},
    ...callbacks,
  });
  return () => live.close();
}

/** Reads the table after each change, as the first page of the documentation does. */
const readsAgain: View = (user) => {
  let shown: Row[] = [];
  const read = async () => void (shown = await user.read(() => user.table()));
  return {
    close: connect(user, { onResync: read, onChange: read }),
    shown: () => shown,
    wanted: () => user.table(),
  };
};

/** Takes rows from the messages. */
const takesRows: View = (user) => rowsOfMessages(user, false);

/** The same, and all rows of the beginning. */
const takesSnapshots: View = (user) => rowsOfMessages(user, true);

const rowsOfMessages = (user: SimulatedUser, snapshots: boolean): ReturnType<View> => {
  let shown = new Map<number, number>();
  const onResync = async () => {
    const { rows, position } = await user.read(() => ({ rows: user.table(), position: user.position }));
    shown = new Map(rows);
    return position === undefined ? undefined : { position };
  };
  const onChange = async ({ changes }: Change) => {
    await user.travel();
    for (const { keys, rows } of changes ?? [{ table: "t", keys: null }]) {
      if (keys === null || rows === undefined) return void (await onResync());
      keys.forEach(([id], at) => {
        const row = rows[at] as Row | null | undefined;
        if (row === null || row === undefined) shown.delete(id as number);
        else shown.set(...row);
      });
    }
    if (user.chance.one(12) && !user.isCalm) throw new Error("the page failed");
  };
  const onSnapshot = async ({ tables }: Snapshot) => {
    await user.travel();
    shown = new Map(tables[0]?.rows as Row[]);
    if (user.chance.one(12) && !user.isCalm) throw new Error("the page failed");
  };
  const sorted = () => [...shown].sort(([a], [b]) => a - b);
  const callbacks = { onResync, onChange, ...(snapshots && { onSnapshot, tables: ["t"] }) };
  return { close: connect(user, callbacks), shown: sorted, wanted: () => user.table() };
};

/** Counts transactions: one that is told twice, or that the reading contained already, makes it wrong. */
const counts: View = (user) => {
  let shown = 0;
  const onResync = async () => {
    const { writes, position } = await user.read(() => ({ writes: user.writes, position: user.position }));
    shown = writes;
    return position === undefined ? undefined : { position };
  };
  const onChange = async () => {
    await user.travel();
    shown++;
    if (user.chance.one(12) && !user.isCalm) throw new Error("the page failed after it had counted");
  };
  return { close: connect(user, { onResync, onChange }), shown: () => shown, wanted: () => user.writes };
};

/** A live query, with callbacks that take their time and fail. */
const queries: View = (user) => {
  let shown: unknown = [];
  const { liveQuery, close } = connectQueries({
    url: "wss://worker.test/live",
    WebSocket: user.WebSocket,
    onError() {},
    query: () =>
      user.read(() => ({
        results: [{ columns: ["id", "value"], rows: user.table(), reads: ["t"] }],
        ...(user.position && { position: user.position }),
      })),
  });
  let running = 0;
  const callback = async ({ rows }: { rows: unknown }) => {
    if (++running > 1) throw new Error("two callbacks at once");
    await user.travel();
    running--;
    if (user.chance.one(12) && !user.isCalm) throw new Error("the page failed");
    shown = rows;
  };
  const named = user.chance.one(2) ? { tables: ["T"] } : {};
  liveQuery("SELECT id, value FROM t ORDER BY id", [], callback, named);
  return { close, shown: () => shown, wanted: () => user.table() };
};

/** What the documentation once showed: nobody waits for the reading. */
const detached: View = (user) => {
  let shown: Row[] = [];
  const read = () =>
    void user
      .read(() => user.table())
      .then(
        (rows) => (shown = rows),
        () => undefined,
      );
  return {
    close: connect(user, { onResync: read, onChange: read }),
    shown: () => shown,
    wanted: () => user.table(),
  };
};

async function lifeOf(seed: number, views: readonly View[]) {
  const user = new SimulatedUser(new Chance(seed));
  vi.spyOn(Math, "random").mockImplementation(() => user.chance.int(1_000) / 1_000);
  const shown: ReturnType<View>[] = [];
  await live(user, () => {
    shown.push(...views.map((view) => view(user)));
    return shown.map(({ close }) => close);
  });
  return shown.map((view) => ({ shown: view.shown(), wanted: view.wanted() }));
}

const seeds = Array.from({ length: 100 }, (_, seed) => seed);

it.each(some("lives of views", seeds, 10))("every view equals its table: seed %i", async (seed) => {
  const views = await lifeOf(seed, [readsAgain, takesRows, takesSnapshots, counts, queries]);
  expect(views.map(({ shown }) => shown)).toEqual(views.map(({ wanted }) => wanted));
});

it("finds views that nobody waits for", async () => {
  let stale = 0;
  for (const seed of seeds.slice(0, 10)) {
    for (const { shown, wanted } of await lifeOf(seed, [detached]))
      if (JSON.stringify(shown) !== JSON.stringify(wanted)) stale++;
  }
  expect(stale).toBeGreaterThan(0);
});
