// Live updates for browsers and Node.js (22 or later): one WebSocket that comes back after every drop and goes on where it was.
// The protocol is in docs/live-updates.md. This file stands alone: it needs no build step.

/**
 * @typedef {null | string | number | { int: string } | { real: string } | { blob: string }} Value
 * @typedef {{ table: string, keys: Value[][] | null, columns?: string[], rows?: (Value[] | null)[] }} TableChange
 * @typedef {{ lin: number, seq: number }} Position
 * @typedef {Position & { changes: TableChange[] | null }} Change
 *
 * What the connection is: `live` hears everything; `waiting` was cut off and comes back by itself; `moved` means that the user's database is
 * not in a Durable Object at present, so poll, it is tried again every half minute; `refused` and `closed` are final.
 * @typedef {"connecting" | "live" | "waiting" | "moved" | "refused" | "closed"} State
 *
 * @typedef {object} Options
 * @property {string | URL | (() => string | URL | Promise<string | URL>)} url Where to connect. A function is asked before each attempt.
 * @property {string[]} [protocols] WebSocket subprotocols, which is where a browser can put a token.
 * @property {string[]} [tables] Only changes of these tables; all when absent.
 * @property {boolean} [rows] Whether changes bring their rows along.
 * @property {() => void} onResync Read what you show anew: it is called first of all, and whenever changes may have been missed.
 * @property {(change: Change) => void} onChange One write transaction. `changes` is null when everything may have changed.
 * @property {(state: State, why: string) => void} [onState]
 * @property {typeof WebSocket} [WebSocket] Another implementation.
 */

const CLOSE_MOVED = 4001;
const CLOSE_BAD_MESSAGE = 4002;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const PING_EVERY_MS = 25_000;
/** A connection that has said nothing for so long is dead, whatever the network says. */
const SILENCE_MS = 60_000;

/**
 * Subscribes to a user's writes.
 * @param {Options} options
 * @returns {{ close(): void }}
 */
export function subscribe(options) {
  return new Subscription(options);
}

class Subscription {
  /** @type {Position | null} */
  #after = null;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pulse;
  #attempts = 0;
  #heard = 0;
  #ended = false;

  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    queueMicrotask(() => void this.#connect()); // not before the caller holds what subscribe returns
  }

  close() {
    this.#end("closed", "");
  }

  async #connect() {
    this.#say("connecting", "");
    try {
      const { url, protocols = [], WebSocket: Implementation = WebSocket } = this.options;
      const address = typeof url === "function" ? await url() : url;
      if (this.#ended) return;
      this.#listen(new Implementation(String(address), protocols));
    } catch (error) {
      this.#later(String(error));
    }
  }

  /** @param {WebSocket} socket */
  #listen(socket) {
    this.#socket = socket;
    const current = () => this.#socket === socket;
    socket.addEventListener("open", () => {
      if (!current()) return socket.close();
      const { tables, rows } = this.options;
      socket.send(JSON.stringify({ type: "subscribe", tables, rows, after: this.#after }));
      this.#beat(socket);
    });
    socket.addEventListener("message", ({ data }) => current() && this.#receive(socket, String(data)));
    socket.addEventListener("close", ({ code, reason }) => current() && this.#closed(code, reason));
    socket.addEventListener("error", () => undefined); // close follows
  }

  /**
   * @param {WebSocket} socket
   * @param {string} data
   */
  #receive(socket, data) {
    this.#heard = Date.now();
    if (data === "pong") return;
    const message = JSON.parse(data);
    const first = this.#after === null;
    this.#after = { lin: message.lin, seq: message.seq };
    if (message.type === "hello") {
      this.#attempts = 0;
      this.#say("live", "");
      if (first) this.options.onResync();
      return;
    }
    if (message.type === "change") this.options.onChange(message);
    else this.options.onResync();
    socket.send(JSON.stringify({ type: "ack", seq: message.seq }));
  }

  /** @param {WebSocket} socket */
  #beat(socket) {
    this.#heard = Date.now();
    clearInterval(this.#pulse);
    this.#pulse = setInterval(() => {
      if (Date.now() - this.#heard > SILENCE_MS) return this.#closed(1006, "silence");
      socket.send("ping");
    }, PING_EVERY_MS);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    clearInterval(this.#pulse);
    this.#socket?.close();
    this.#socket = null;
    if (code === CLOSE_BAD_MESSAGE) return this.#end("refused", reason);
    if (code === CLOSE_MOVED) return this.#wait("moved", reason, LONGEST_DELAY_MS);
    this.#later(reason);
  }

  /** @param {string} why */
  #later(why) {
    this.#wait("waiting", why, Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts++));
  }

  /**
   * Half of the delay is chance, so that a thousand clients that were cut off together do not come back together.
   * @param {State} state
   * @param {string} why
   * @param {number} delay
   */
  #wait(state, why, delay) {
    if (this.#ended) return;
    this.#say(state, why);
    this.#timer = setTimeout(() => void this.#connect(), delay * (0.5 + Math.random() / 2));
  }

  /**
   * @param {State} state
   * @param {string} why
   */
  #end(state, why) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
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
