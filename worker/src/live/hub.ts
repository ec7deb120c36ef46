// Live updates of one store: who is subscribed, and what each is told when.
//
// A write transaction is announced only after it is durable. Its number is noted, storage is synced, and only
// then are subscribers told up to that number. Nothing is buffered for them: the log is the buffer. A
// subscriber who does not keep up is told from it later, or to read again.
import type { ChangeRecorder, LiveStore } from "../query/change-log.ts";
import type { ExactReader } from "../query/read-exact.ts";
import type { StoreContext } from "../state/context.ts";
import { isPlatformName, isSqliteName, takesRows } from "../store/catalog.ts";
import { WireError, messageOf } from "../wire/errors.ts";
import type { JsonObject } from "../wire/json.ts";
import { demandPhase } from "../state/guard.ts";
import { Effects } from "./effects.ts";
import { endsFollowing, follow } from "./follow.ts";
import { LiveLog } from "./log.ts";
import {
  CLOSE,
  LIVE_LIMITS,
  type Position,
  type ServerMessage,
  type Subscription,
  parseClientMessage,
} from "./protocol.ts";
import { Recorder } from "./recorder.ts";
import { snapshotOf, withRows } from "./rows.ts";
import { Subscriber } from "./subscriber.ts";

/** Tells our sockets from those that an application's subclass may accept. */
const TAG = "dbmigrate:live";

/** The live updates of one store. */
export class LiveHub implements LiveStore {
  readonly #ctx: DurableObjectState;
  readonly #store: StoreContext;
  readonly #reader: ExactReader;
  readonly #effects: Effects;
  readonly #log: LiveLog;
  /** The last transaction that is known to be on disk. */
  #durable: number;

  constructor(ctx: DurableObjectState, store: StoreContext, reader: ExactReader) {
    this.#ctx = ctx;
    this.#store = store;
    this.#reader = reader;
    this.#effects = new Effects(store.sql);
    this.#log = new LiveLog(store.books);
    // What an object finds when it wakes up is on disk.
    this.#durable = store.books.writes;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** The schema may have changed behind our back. */
  forget(): void {
    this.#effects.forget();
  }

  /** Notes what the transaction that begins now changes; undefined while nobody wants to know. */
  record(): Recorder | undefined {
    return this.#log.isOn ? new Recorder(this.#store.sql, this.#effects, this.#reader) : undefined;
  }

  /** Logs a write that was just counted, inside its transaction. */
  commit(recorder: ChangeRecorder | undefined): void {
    if (recorder !== undefined && this.#log.isOn) this.#log.append({ changes: recorder.changes() });
  }

  /**
   * Answers a copy that follows the writes (follow.ts). The log stays on for it as for a subscriber.
   * @throws WireError wrong-phase, not-found or bad-request
   */
  follow(json: JsonObject): Uint8Array {
    const began = !this.#log.isOn;
    if (endsFollowing(json)) {
      const answer = follow(this.#store, this.#log, json, began);
      if (this.#sockets().length === 0) this.#log.end();
      return answer;
    }
    demandPhase(this.#store.books.state, "export");
    if (began) this.#effects.forget();
    this.#log.keepOn(Date.now());
    return follow(this.#store, this.#log, json, began);
  }

  /** Accepts a subscriber. @throws WireError bad-request, not-active or overloaded */
  accept(request: Request): Response {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      throw new WireError("bad-request", "live updates: expected a WebSocket upgrade");
    }
    const { phase, lin } = this.#store.books.state;
    if (phase !== "ACTIVE")
      throw new WireError("not-active", `the store is ${phase}: it has no live updates`, { phase, lin });
    if (this.#sockets().length >= LIVE_LIMITS.subscribers) {
      throw new WireError("overloaded", `the user has ${LIVE_LIMITS.subscribers} subscribers already`);
    }
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server, [TAG]);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Whether the socket is one of ours. */
  owns(socket: WebSocket): boolean {
    return this.#ctx.getTags(socket).includes(TAG);
  }

  /** Takes a message of a subscriber. */
  async receive(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    if (this.closeIfMoved()) return;
    if (data === "ping") return socket.send("pong"); // where a subclass answers others by itself
    const subscriber = new Subscriber(socket);
    try {
      const message = parseClientMessage(data);
      if (message.type === "subscribe") await this.#subscribe(subscriber, message.subscription);
      else subscriber.acknowledge(message.seq);
    } catch (error) {
      return close(socket, CLOSE.badMessage, messageOf(error));
    }
    this.#serve(socket);
  }

  /** Answers a subscriber who leaves. */
  leave(socket: WebSocket): void {
    close(socket, 1000, "");
  }

  /** Tells everybody what has been written up to now, once it is durable. */
  async announce(): Promise<void> {
    const { books, storage } = this.#store;
    const sockets = this.#sockets();
    this.#log.endIfIdle(Date.now(), sockets.length);
    if (sockets.length === 0) return;
    this.#log.keepOn(Date.now());
    const upto = books.writes;
    await storage.sync();
    this.#durable = Math.max(this.#durable, upto);
    for (const socket of this.#sockets()) this.#serve(socket);
  }

  /**
   * Sends subscribers away when the user's database has left this object, and says whether it has. Never
   * throws: operators wait for it.
   */
  closeIfMoved(): boolean {
    if (this.#store.books.state.phase === "ACTIVE") return false;
    this.sendAway();
    return true;
  }

  /** Tells every subscriber to ask elsewhere. Never throws. */
  sendAway(): void {
    for (const socket of this.#sockets()) {
      try {
        new Subscriber(socket).send({ type: "resync", reason: "moved", ...this.#now() });
      } catch {
        // The subscriber hears it from the close.
      }
      close(socket, CLOSE.moved, "the database left the Durable Object");
    }
  }

  async #subscribe(subscriber: Subscriber, subscription: Subscription): Promise<void> {
    for (const table of subscription.tables ?? []) demandTable(this.#store.sql, table);
    if (!this.#log.isOn) this.#effects.forget();
    this.#log.keepOn(Date.now());
    const now = this.#now();
    await this.#store.storage.sync();
    this.#durable = Math.max(this.#durable, now.seq);
    const { after } = subscription;
    const continues = after !== null && after.lin === now.lin && after.seq <= now.seq;
    if (subscription.snapshot && !continues) return this.#snapshot(subscriber, subscription);
    subscriber.subscribe(subscription, continues ? after.seq : now.seq);
    subscriber.send({ type: "hello", lin: now.lin, seq: continues ? after.seq : now.seq });
    if (after !== null && !continues) subscriber.tell({ type: "resync", reason: "gap", ...now });
  }

  /**
   * What is read has to be on disk before it is told. Nobody is subscribed until then, so that no later change comes
   * before it: the log has those.
   */
  async #snapshot(subscriber: Subscriber, subscription: Subscription): Promise<void> {
    const now = this.#now();
    const tables = snapshotOf(this.#store.sql, this.#reader, subscription.tables ?? []);
    await this.#store.storage.sync();
    this.#durable = Math.max(this.#durable, now.seq);
    subscriber.subscribe(subscription, now.seq);
    subscriber.send({ type: "hello", snapshot: true, ...now });
    subscriber.tell({ type: "snapshot", tables, ...now });
  }

  /** Closes the connections of all subscribers, who need another token to come back. */
  disconnect(reason: string): number {
    const sockets = this.#sockets();
    for (const socket of sockets) close(socket, CLOSE.token, reason);
    return sockets.length;
  }

  /** One subscriber's trouble is not another's: the connection ends, and the subscriber comes back. */
  #serve(socket: WebSocket): void {
    try {
      this.#pump(new Subscriber(socket));
    } catch (error) {
      close(socket, CLOSE.trouble, messageOf(error));
    }
  }

  /** Tells one subscriber as much as is durable and as there is room for. */
  #pump(subscriber: Subscriber): void {
    for (
      let at = subscriber.at;
      at !== undefined && at < this.#durable && subscriber.hasRoom;
      at = subscriber.at
    ) {
      this.#tellNext(subscriber, at + 1);
    }
  }

  #tellNext(subscriber: Subscriber, seq: number): void {
    const { lin } = this.#store.books.state;
    const entry = this.#log.read(seq);
    if (entry === undefined)
      return subscriber.tell({ type: "resync", reason: "gap", lin, seq: this.#durable });
    const wanted = subscriber.wanted(entry.changes);
    if (wanted === undefined) return subscriber.skip(seq);
    subscriber.tell({ type: "change", lin, seq, changes: this.#shown(subscriber, wanted) });
  }

  #shown(subscriber: Subscriber, changes: (ServerMessage & { type: "change" })["changes"]) {
    if (changes === null || !subscriber.wantsRows) return changes;
    const { sql } = this.#store;
    return changes.map((change) => withRows(sql, this.#reader, change));
  }

  #now(): Position {
    const { state, writes } = this.#store.books;
    return { lin: state.lin, seq: writes };
  }

  /** Those that are open: a socket with an unanswered close is listed still, and takes no more messages. */
  #sockets(): WebSocket[] {
    return this.#ctx.getWebSockets(TAG).filter(({ readyState }) => readyState === WebSocket.READY_STATE_OPEN);
  }
}

/** No change ever names anything but a table: who asks for something else would wait for nothing. */
function demandTable(sql: SqlStorage, name: string): void {
  const [entry] = sql.exec<{ type: string; name: string }>(
    "SELECT type, name FROM sqlite_schema WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')",
    name,
  );
  const shown = name.slice(0, 40);
  if (entry === undefined || isPlatformName(name) || isSqliteName(name)) {
    throw new WireError("bad-request", `tables: there is no table ${shown}`);
  }
  if (entry.type === "view")
    throw new WireError("bad-request", `tables: ${shown} is a view; name its tables`);
  if (!takesRows(sql, entry.name))
    throw new WireError("bad-request", `tables: ${shown} is a part of a virtual table; name that one`);
}

function close(socket: WebSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason.slice(0, 120));
  } catch {
    // It is closed already.
  }
}
