// A user's database and its subscribers in virtual time: what the Durable Object and the router do with live
// updates, with a network that is slow, cuts connections and fails requests. One seed is one life.
import { vi } from "vitest";
import type { Position } from "../../src/live/protocol.ts";
import { CLOSE } from "../../src/live/protocol.ts";

/** Few, so that a life of a minute comes to these limits often. */
const LIMITS = { unacknowledged: 4, logEntries: 12 };

export type Row = [id: number, value: number];

/** The same numbers for the same seed. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed + 1) * 0x9e3779b1;
  }

  /** From 0 up to, not including, `below`. */
  int(below: number): number {
    this.#state = (Math.imul(this.#state ^ (this.#state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    const mixed = Math.imul(this.#state ^ (this.#state >>> 13), 0x297a2d39);
    return ((mixed ^ (mixed >>> 16)) >>> 0) % below;
  }

  one(of: number): boolean {
    return this.int(of) === 0;
  }
}

interface Entry {
  readonly seq: number;
  readonly ids: readonly number[] | null;
}

/** One user: a table, where it lives, and the log of its writes. */
export class SimulatedUser {
  readonly rows = new Map<number, number>();
  writes = 0;
  lin = 1;
  seq = 0;
  inStore = true;
  etag = 0;
  isCalm = false;
  #log: Entry[] = [];
  readonly #sockets = new Set<SimulatedSocket>();

  constructor(readonly chance: Chance) {}

  /** The class that the client makes its sockets of. */
  get WebSocket(): typeof WebSocket {
    const connect = () => new SimulatedSocket(this);
    return class {
      constructor() {
        return connect();
      }
    } as unknown as typeof WebSocket;
  }

  /** A request there and back. It fails now and then, after it was answered, too. */
  async read<T>(answer: () => T): Promise<T> {
    await this.travel();
    if (this.#fails()) throw new Error("the network failed");
    const result = answer();
    await this.travel();
    if (this.#fails()) throw new Error("the answer was lost");
    return result;
  }

  travel(): Promise<void> {
    return new Promise((resolve) =>
      setTimeout(resolve, 1 + this.chance.int(this.chance.one(10) ? 2_000 : 40)),
    );
  }

  #fails(): boolean {
    return !this.isCalm && this.chance.one(10);
  }

  table(): Row[] {
    return [...this.rows].sort(([a], [b]) => a - b);
  }

  get position(): Position | undefined {
    return this.inStore ? { lin: this.lin, seq: this.seq } : undefined;
  }

  write(): void {
    const ids = Array.from({ length: 1 + this.chance.int(2) }, () => this.chance.int(10));
    for (const id of ids) {
      if (this.chance.one(4)) this.rows.delete(id);
      else this.rows.set(id, this.writes);
    }
    this.writes++;
    if (!this.inStore) return void this.etag++;
    this.seq++;
    this.#log.push({ seq: this.seq, ids: this.chance.one(8) ? null : ids });
    this.#log = this.#log.slice(-LIMITS.logEntries);
    for (const socket of this.#sockets) this.serve(socket);
  }

  cut(): void {
    for (const socket of this.#sockets) if (this.chance.one(2)) socket.die();
  }

  /** The object starts again: sockets are gone, and the log, after an hour. */
  restart(): void {
    for (const socket of this.#sockets) socket.die();
    if (this.chance.one(3)) this.#log = [];
  }

  /** A rollback, or another migration. */
  move(): void {
    this.inStore = !this.inStore;
    this.etag++;
    if (this.inStore) {
      this.lin += 2;
      this.seq = 0;
      this.#log = [];
    }
    for (const socket of this.#sockets) {
      socket.tell({ type: "resync", reason: "moved", lin: this.lin, seq: this.seq });
      socket.end(CLOSE.moved);
    }
  }

  join(socket: SimulatedSocket): void {
    if (this.inStore) return void this.#sockets.add(socket);
    socket.tell({ type: "resync", reason: "moved", lin: 0, seq: 0, version: `"${this.etag}"` });
    socket.end(CLOSE.moved);
  }

  leave(socket: SimulatedSocket): void {
    this.#sockets.delete(socket);
  }

  subscribe(socket: SimulatedSocket, after: Position | null, snapshot: boolean): void {
    const continues = after !== null && after.lin === this.lin && after.seq <= this.seq;
    socket.unacknowledged = [];
    if (snapshot && !continues) return this.#snapshot(socket);
    socket.at = continues ? after.seq : this.seq;
    socket.tell({ type: "hello", lin: this.lin, seq: socket.at });
    if (after !== null && !continues) this.#tell(socket, { type: "resync", reason: "gap" }, this.seq);
    this.serve(socket);
  }

  /** Now and then the table is too large. */
  #snapshot(socket: SimulatedSocket): void {
    const tables = this.chance.one(10)
      ? null
      : [{ table: "t", columns: ["id", "value"], rows: this.table() }];
    socket.tell({ type: "hello", snapshot: true, lin: this.lin, seq: this.seq });
    this.#tell(socket, { type: "snapshot", tables }, this.seq);
  }

  /** As much as there is room for: src/live/hub.ts. */
  serve(socket: SimulatedSocket): void {
    while (
      socket.at !== undefined &&
      socket.at < this.seq &&
      socket.unacknowledged.length < LIMITS.unacknowledged
    ) {
      const seq = socket.at + 1;
      const entry = this.#log.find((logged) => logged.seq === seq);
      if (entry === undefined) this.#tell(socket, { type: "resync", reason: "gap" }, this.seq);
      else this.#tell(socket, { type: "change", changes: [this.#shown(entry)] }, seq);
    }
  }

  #shown({ ids }: Entry) {
    if (ids === null) return { table: "t", keys: null };
    const rows = ids.map((id) => (this.rows.has(id) ? [id, this.rows.get(id)] : null));
    return { table: "t", keys: ids.map((id) => [id]), columns: ["id", "value"], rows };
  }

  #tell(socket: SimulatedSocket, message: object, seq: number): void {
    socket.at = seq;
    socket.unacknowledged.push(seq);
    socket.tell({ ...message, lin: this.lin, seq });
  }
}

/** Both ends of a connection. Messages arrive in their order, after a while. */
class SimulatedSocket extends EventTarget {
  readyState = 0;
  at: number | undefined;
  unacknowledged: number[] = [];
  #down: Promise<unknown> = Promise.resolve();
  #up: Promise<unknown> = Promise.resolve();
  #ended = false;

  constructor(readonly user: SimulatedUser) {
    super();
    this.#bring(() => {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
    });
    this.#down = this.#down.then(() => this.#ended || user.join(this));
  }

  tell(message: object): void {
    const data = JSON.stringify(message);
    this.#bring(() => this.dispatchEvent(Object.assign(new Event("message"), { data })));
  }

  /** The server closes: what it said before arrives. */
  end(code: number): void {
    this.user.leave(this);
    this.at = undefined;
    this.#bring(() => this.#close(code));
  }

  /** The network goes: what is on the way is lost. */
  die(): void {
    this.user.leave(this);
    this.at = undefined;
    this.#close(1006);
  }

  send(text: string): void {
    this.#up = this.#up.then(() => this.user.travel()).then(() => this.#ended || this.#hear(text));
  }

  close(): void {
    this.user.leave(this);
    this.#close(1000);
  }

  #hear(text: string): void {
    if (text === "ping")
      return this.#bring(() => this.dispatchEvent(Object.assign(new Event("message"), { data: "pong" })));
    const message = JSON.parse(text);
    if (!this.user.inStore) return;
    if (message.type === "subscribe")
      return this.user.subscribe(this, message.after, message.snapshot === true);
    this.unacknowledged = this.unacknowledged.filter((seq) => seq > message.seq);
    this.user.serve(this);
  }

  #bring(what: () => void): void {
    this.#down = this.#down.then(() => this.user.travel()).then(() => this.#ended || what());
  }

  #close(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code, reason: "" }));
  }
}

/**
 * A minute of writes, cuts, restarts and moves; then only writes, so that nothing but the last messages can put
 * a view right; and then as long as it takes until all is told.
 */
export async function live(user: SimulatedUser, views: () => readonly (() => void)[]): Promise<void> {
  const { chance } = user;
  const closers = views();
  await write(user, 60_000, () => {
    if (chance.one(40)) user.cut();
    if (chance.one(80)) user.restart();
    if (chance.one(100)) user.move();
  });
  if (!user.inStore && !chance.one(4)) user.move();
  await write(user, 60_000, () => undefined);
  user.isCalm = true;
  await vi.advanceTimersByTimeAsync(180_000);
  for (const close of closers) close();
}

async function write(user: SimulatedUser, ms: number, disturb: () => void): Promise<void> {
  const { chance } = user;
  const end = Date.now() + ms;
  while (Date.now() < end) {
    user.write();
    disturb();
    await vi.advanceTimersByTimeAsync(chance.int(chance.one(10) ? 1_500 : 120));
  }
}
