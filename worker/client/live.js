// Live updates for browsers and Node.js (22 or later): one WebSocket that comes back after every drop and goes on where it was.
// The protocol is in docs/live-updates.md. This file stands alone: it needs no build step.

/**
 * @typedef {null | string | number | { int: string } | { real: string } | { blob: string }} Value
 * @typedef {{ table: string, keys: Value[][] | null, columns?: string[], rows?: (Value[] | null)[] }} TableChange
 * @typedef {{ lin: number, seq: number }} Position
 * @typedef {Position & { changes: TableChange[] | null }} Change
 * @typedef {{ table: string, columns: string[], rows: Value[][] }} TableSnapshot
 * @typedef {Position & { tables: TableSnapshot[] }} Snapshot
 * @typedef {void | Position | { position?: Position }} Read What was read, if it says where: changes that it contains are not told.
 *
 * What the connection is: `live` hears everything; `waiting` was cut off and comes back by itself; `moved` means that the user's database is
 * a file at present, which is polled; `refused` and `closed` are final.
 * @typedef {"connecting" | "live" | "waiting" | "moved" | "refused" | "closed"} State
 *
 * @typedef {object} Connection
 * @property {string | URL | (() => string | URL | Promise<string | URL>)} url Where to connect. A function is asked before each attempt.
 * @property {string[] | (() => string[] | Promise<string[]>)} [protocols] WebSocket subprotocols, which is where a browser can put a
 * token. A function is asked before each attempt, so that it can bring another token after one was refused.
 * @property {number} [pollMs] How often a user's file is polled, in milliseconds; default 10,000. A hidden page does not poll.
 * @property {(state: State, why: string) => void} [onState]
 * @property {(error: unknown) => void} [onError] Hears what your callbacks throw; the console does when absent.
 * @property {typeof WebSocket} [WebSocket] Another implementation.
 *
 * @typedef {object} Callbacks
 * @property {string[]} [tables] Only changes of these tables; all when absent.
 * @property {boolean} [rows] Whether changes bring their rows along.
 * @property {(snapshot: Snapshot) => unknown} [onSnapshot] All rows of `tables`, which have to be named, at one position: it takes the
 * place of `onResync` where the tables fit a message. A promise is awaited.
 * @property {() => Read | Promise<Read>} onResync Read again what you show: it is called first of all, and whenever changes may have been
 * missed. Return a promise: what happens meanwhile is told afterwards. Return the answer of your query to be spared what it contains.
 * @property {(change: Change) => unknown} onChange One write transaction; `changes` is null when everything may have changed. A promise is
 * awaited before the next one. If it throws, `onResync` is called next.
 * @typedef {Connection & Callbacks} Options
 */

/** What there is of a browser: Node.js has neither a document nor events of the network. */
const browser = /** @type {EventTarget & { document?: EventTarget & { visibilityState: string } }} */ (
  /** @type {unknown} */ (globalThis)
);

const CLOSE_MOVED = 4001;
const CLOSE_BAD_MESSAGE = 4002;
const CLOSE_TOKEN = 4401;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const POLL_EVERY_MS = 10_000;
const PING_EVERY_MS = 15_000;
/** A connection that does not answer a ping for so long is dead, whatever the network says. */
const PONG_WITHIN_MS = 10_000;

/**
 * Subscribes to a user's writes.
 * @param {Options} options
 * @returns {{ close(): void, refresh(): void }} `refresh` calls `onResync` once more.
 */
export function subscribe(options) {
  return new Subscription(options);
}

/**
 * @typedef {{ columns: string[], rows: Value[][], reads?: string[] | null }} Result
 * @typedef {{ ok?: boolean, results?: Result[], position?: Position, error?: { message: string } }} Answer
 *
 * @typedef {object} Queries
 * @property {(sql: string, params: unknown[]) => Promise<Answer>} query Your query route: answers one statement that reads. With
 * `reads: true` in the request the answer names the tables that the statement read.
 *
 * @typedef {object} QueryOptions
 * @property {string[]} [tables] The tables that the statement reads; it runs after changes of these alone. When absent, those that the
 * last answer named as read; all where it named none.
 * @property {((error: unknown) => void) | undefined} [onError] Why the statement could not be answered. It is tried again.
 *
 * @typedef {object} Live
 * @property {(sql: string, params: unknown[], callback: (result: Result) => unknown, options?: QueryOptions) => () => void} liveQuery
 * Calls back with the statement's result, now and after each change, one after the other. What it returns stops it.
 * @property {() => void} refresh
 * @property {() => void} close
 */

/**
 * One connection for any number of live queries.
 * @param {Connection & Queries} options
 * @returns {Live}
 */
export function connect(options) {
  /** @type {Set<LiveQuery>} */
  const queries = new Set();
  const subscription = new Subscription({
    ...options,
    onResync: () => queries.forEach((query) => query.stale()),
    onChange: (change) => queries.forEach((query) => query.changed(change)),
  });
  const stop = (/** @type {LiveQuery} */ query) => {
    query.stop();
    queries.delete(query);
  };
  return {
    liveQuery(sql, params, callback, settings = {}) {
      if (settings.tables?.length === 0)
        throw new TypeError("liveQuery: tables is empty; leave it out to hear of all tables");
      const query = new LiveQuery(() => options.query(sql, params), callback, {
        onError: options.onError,
        ...settings,
      });
      queries.add(query);
      query.stale();
      return () => stop(query);
    },
    refresh: () => subscription.refresh(),
    close() {
      queries.forEach(stop);
      subscription.close();
    },
  };
}

/** Runs as often as it has to, never twice at once: a run that begins after a change contains it. */
class LiveQuery {
  #asked = 0;
  #shown = 0;
  #failures = 0;
  #running = false;
  #stopped = false;
  /** @type {Position | undefined} */
  #position;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => Promise<Answer>} query
   * @param {(result: Result) => unknown} callback
   * @param {QueryOptions} options
   */
  constructor(query, callback, options) {
    this.query = query;
    this.callback = callback;
    this.options = options;
    this.tables = options.tables?.map(lower);
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  stale() {
    this.#asked++;
    void this.#run();
  }

  /** @param {Change} change */
  changed({ lin, seq, changes }) {
    const { tables } = this;
    if (
      changes !== null &&
      tables !== undefined &&
      !changes.some(({ table }) => tables.includes(lower(table)))
    )
      return;
    if (this.#position?.lin === lin && seq <= this.#position.seq) return;
    this.stale();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (!this.#stopped && this.#asked !== this.#shown) {
      const asked = this.#asked;
      try {
        await this.#show();
        this.#shown = asked;
        this.#failures = 0;
      } catch (error) {
        if (this.#stopped) return;
        (this.options.onError ?? console.error)(error);
        await new Promise(
          (resolve) => (this.#timer = setTimeout(() => resolve(null), backoff(this.#failures++))),
        );
      }
    }
    this.#running = false;
  }

  /** The position counts once the result is shown: until then a change has to run it again. */
  async #show() {
    const { results, position, error } = await this.query();
    if (this.#stopped) return;
    const [result] = results ?? [];
    if (result === undefined) throw new Error(error?.message ?? "the query was not answered");
    if (this.options.tables === undefined) this.tables = result.reads?.map(lower);
    await this.callback(result);
    this.#position = position;
  }
}

/** SQLite's names are equal without regard to case in ASCII alone. @param {string} name */
function lower(name) {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/**
 * Half of the delay is chance, so that a thousand clients that were cut off together do not come back together.
 * @param {number} attempts
 */
function backoff(attempts) {
  return someOf(Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempts, 10)));
}

/** @param {number} delay */
function someOf(delay) {
  return delay * (0.5 + Math.random() / 2);
}

/**
 * Runs callbacks one after the other. What arrives meanwhile waits, and counts as arrived only once its callback is through.
 */
class Delivery {
  /** The last position that the application has taken in. @type {Position | null} */
  after = null;
  /** @type {{ socket: WebSocket, change: Change }[]} */
  #queue = [];
  /** The last message of the present socket. @type {{ socket: WebSocket, at: Position } | null} */
  #arrived = null;
  /** What has arrived and takes the place of a reading. @type {{ socket: WebSocket, snapshot: Snapshot } | null} */
  #snapshot = null;
  /** Readings asked for, and how many of those were asked for when the last good one began. */
  #asked = 0;
  #read = 0;
  #running = false;
  #failures = 0;
  #ended = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Callbacks & Pick<Connection, "onError">} options */
  constructor(options) {
    this.options = options;
  }

  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  /** The socket is gone: what it brought and nobody took in is told again by the next one. */
  cut() {
    this.#queue = [];
    this.#arrived = null;
    this.#snapshot = null;
  }

  /**
   * @param {WebSocket} socket
   * @param {Position} at
   */
  arrive(socket, { lin, seq }) {
    this.#arrived = { socket, at: { lin, seq } };
  }

  /** Everything is to be read again. */
  resync() {
    this.#asked++;
    void this.#run();
  }

  /**
   * @param {WebSocket} socket
   * @param {Snapshot} snapshot
   */
  snapshot(socket, snapshot) {
    this.#snapshot = { socket, snapshot };
    this.resync();
  }

  /**
   * @param {WebSocket} socket
   * @param {Change} change
   */
  change(socket, change) {
    this.#queue.push({ socket, change });
    void this.#run();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (!this.#ended && (this.#asked !== this.#read || this.#queue.length > 0)) {
      try {
        await (this.#asked === this.#read ? this.#tell() : (this.#takeSnapshot() ?? this.#readAgain()));
        this.#failures = 0;
      } catch (error) {
        this.#failed(error);
        await new Promise(
          (resolve) => (this.#timer = setTimeout(() => resolve(null), backoff(this.#failures++))),
        );
      }
    }
    this.#running = false;
  }

  /** Changes that came behind it are told afterwards. */
  #takeSnapshot() {
    const next = this.#snapshot;
    this.#snapshot = null;
    return next === null ? undefined : this.#show(next.socket, next.snapshot);
  }

  /**
   * @param {WebSocket} socket
   * @param {Snapshot} snapshot
   */
  async #show(socket, snapshot) {
    const asked = this.#asked;
    await this.options.onSnapshot?.(snapshot);
    this.#read = asked;
    this.after = { lin: snapshot.lin, seq: snapshot.seq };
    this.#acknowledge(socket, snapshot);
  }

  /** A reading that begins now contains all that has arrived. */
  async #readAgain() {
    const [asked, arrived] = [this.#asked, this.#arrived];
    this.#queue = [];
    const position = positionOf(await this.options.onResync());
    this.#read = asked;
    if (arrived === null) return;
    const { socket, at } = arrived;
    this.after = position?.lin === at.lin && position.seq > at.seq ? position : at;
    this.#acknowledge(socket, at);
  }

  async #tell() {
    const next = this.#queue.shift();
    if (next === undefined) return;
    const { socket, change } = next;
    if (this.after?.lin !== change.lin || this.after.seq < change.seq) {
      await this.options.onChange(change);
      this.after = { lin: change.lin, seq: change.seq };
    }
    this.#acknowledge(socket, change);
  }

  /**
   * @param {WebSocket} socket
   * @param {Position} at
   */
  #acknowledge(socket, { seq }) {
    if (this.#arrived?.socket === socket) socket.send(JSON.stringify({ type: "ack", seq }));
  }

  /** Half of it may have been done, so that to read again is what helps. @param {unknown} error */
  #failed(error) {
    if (this.#asked === this.#read) this.#asked++;
    if (this.options.onError === undefined)
      console.error("live updates: a callback failed, it is tried again:", error);
    else this.options.onError(error);
  }
}

/**
 * @param {Read} read
 * @returns {Position | undefined}
 */
function positionOf(read) {
  if (typeof read !== "object" || read === null) return undefined;
  const position = "position" in read ? read.position : /** @type {Position} */ (read);
  return Number.isInteger(position?.lin) && Number.isInteger(position?.seq) ? position : undefined;
}

class Subscription {
  /** @type {WebSocket | null} */
  #socket = null;
  /** Of the next attempt. @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pulse;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pong;
  #attempts = 0;
  #connecting = false;
  #polling = false;
  #tokenRefused = false;
  /** What the file was when it was last read. @type {string | undefined} */
  #version;
  #heard = 0;
  #ended = false;
  /** @type {(() => void)[]} */
  #unhook = [];

  /** @param {Options} options */
  constructor(options) {
    if (options.tables?.length === 0)
      throw new TypeError("subscribe: tables is empty; leave it out to hear of all tables");
    if (options.onSnapshot !== undefined && options.tables === undefined)
      throw new TypeError("subscribe: onSnapshot needs tables");
    this.options = options;
    this.delivery = new Delivery(options);
    this.#watchNetwork();
    queueMicrotask(() => void this.#connect()); // not before the caller holds what subscribe returns
  }

  close() {
    this.#end("closed", "");
  }

  refresh() {
    this.delivery.resync();
  }

  async #connect() {
    if (this.#ended || this.#connecting) return;
    this.#connecting = true;
    clearTimeout(this.#timer);
    if (!this.#polling) this.#say("connecting", "");
    try {
      const { url, protocols = [], WebSocket: Implementation = WebSocket } = this.options;
      const address = typeof url === "function" ? await url() : url;
      const offered = typeof protocols === "function" ? await protocols() : protocols;
      if (!this.#ended) this.#listen(new Implementation(String(address), offered));
    } catch (error) {
      this.#later(String(error));
    } finally {
      this.#connecting = false;
    }
  }

  /** @param {WebSocket} socket */
  #listen(socket) {
    this.#socket = socket;
    const current = () => this.#socket === socket;
    const { after } = this.delivery;
    this.#pong = setTimeout(() => current() && this.#closed(1006, "no connection in time"), PONG_WITHIN_MS);
    socket.addEventListener("open", () => {
      if (!current()) return socket.close();
      clearTimeout(this.#pong);
      this.#ask(socket, after);
      this.#beat(socket);
    });
    socket.addEventListener(
      "message",
      ({ data }) => current() && this.#receive(socket, String(data), after === null),
    );
    socket.addEventListener("close", ({ code, reason }) => current() && this.#closed(code, reason));
    socket.addEventListener("error", () => undefined); // close follows
  }

  /**
   * @param {WebSocket} socket
   * @param {string} data
   * @param {boolean} first
   */
  #receive(socket, data, first) {
    this.#heard = Date.now();
    if (data === "pong") return;
    const message = JSON.parse(data);
    if (message.reason === "moved") return this.#moved(message.version);
    this.delivery.arrive(socket, message);
    if (message.type === "hello") this.#greeted(first && message.snapshot !== true);
    else if (message.type === "change") this.delivery.change(socket, message);
    else if (message.type === "snapshot" && message.tables !== null) this.delivery.snapshot(socket, message);
    else if (message.type === "resync" && this.options.onSnapshot !== undefined) this.#ask(socket, null);
    else this.delivery.resync();
  }

  /**
   * @param {WebSocket} socket
   * @param {Position | null} after
   */
  #ask(socket, after) {
    const { tables, rows, onSnapshot } = this.options;
    const snapshot = onSnapshot !== undefined || undefined;
    socket.send(JSON.stringify({ type: "subscribe", tables, rows, snapshot, after }));
  }

  /** @param {boolean} first */
  #greeted(first) {
    this.#attempts = 0;
    this.#tokenRefused = false;
    this.#polling = false;
    this.#version = undefined;
    this.#say("live", "");
    if (first) this.delivery.resync();
  }

  /** The file answers: it is read again when it is another one. @param {string | undefined} version */
  #moved(version) {
    this.#attempts = 0;
    this.#tokenRefused = false;
    if (version !== undefined && version === this.#version) return;
    this.#version = version;
    this.delivery.resync();
  }

  /** @param {WebSocket} socket */
  #beat(socket) {
    this.#heard = Date.now();
    clearInterval(this.#pulse);
    this.#pulse = setInterval(() => this.#ping(socket), PING_EVERY_MS);
  }

  /** @param {WebSocket} socket */
  #ping(socket) {
    const asked = Date.now();
    clearTimeout(this.#pong);
    socket.send("ping");
    this.#pong = setTimeout(() => {
      if (this.#socket === socket && this.#heard < asked) this.#closed(1006, "the network is silent");
    }, PONG_WITHIN_MS);
  }

  /** A network that is back, and a page that is looked at again, are no time to wait. */
  #watchNetwork() {
    this.#hook(browser, "online", () => this.#wake());
    const { document: page } = browser;
    if (page !== undefined) this.#hook(page, "visibilitychange", () => isHidden() || this.#wake());
  }

  /**
   * @param {EventTarget} target
   * @param {string} event
   * @param {() => unknown} listener
   */
  #hook(target, event, listener) {
    if (typeof target.addEventListener !== "function") return; // Node.js has none
    target.addEventListener(event, listener);
    this.#unhook.push(() => target.removeEventListener(event, listener));
  }

  #wake() {
    const socket = this.#socket;
    if (socket === null) return void this.#connect();
    if (socket.readyState === 1) this.#ping(socket);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    clearInterval(this.#pulse);
    clearTimeout(this.#pong);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.delivery.cut();
    if (code === CLOSE_BAD_MESSAGE) return this.#end("refused", reason);
    if (code === CLOSE_TOKEN) return this.#refusedToken(reason);
    if (code === CLOSE_MOVED) return this.#poll(reason);
    this.#later(reason);
  }

  /** A function may have another token, once; the same one is refused again. @param {string} reason */
  #refusedToken(reason) {
    const { protocols, url } = this.options;
    const mayHaveAnother = typeof protocols === "function" || typeof url === "function";
    if (!mayHaveAnother || this.#tokenRefused) return this.#end("refused", reason);
    this.#tokenRefused = true;
    this.#wait("waiting", reason, 0);
  }

  /** Another attempt is what polls: it brings what the file is. @param {string} reason */
  #poll(reason) {
    const { pollMs = POLL_EVERY_MS } = this.options;
    this.#polling = true;
    this.#wait("moved", reason, someOf(pollMs));
  }

  /** @param {string} why */
  #later(why) {
    this.#polling = false;
    this.#wait("waiting", why, backoff(this.#attempts++));
  }

  /**
   * @param {State} state
   * @param {string} why
   * @param {number} delay
   */
  #wait(state, why, delay) {
    if (this.#ended) return;
    this.#say(state, why);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#polling || !isHidden()) void this.#connect(); // a page that comes into view polls at once
    }, delay);
  }

  /**
   * @param {State} state
   * @param {string} why
   */
  #end(state, why) {
    if (this.#ended) return;
    this.#ended = true;
    this.delivery.end();
    for (const unhook of this.#unhook) unhook();
    clearTimeout(this.#timer);
    clearTimeout(this.#pong);
    clearInterval(this.#pulse);
    this.#socket?.close();
    this.#socket = null;
    this.#say(state, why);
  }

  /**
   * @param {State} state
   * @param {string} why
   */
  #say(state, why) {
    this.options.onState?.(state, why);
  }
}

function isHidden() {
  return browser.document?.visibilityState === "hidden";
}
