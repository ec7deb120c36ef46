// A subscriber to live updates, as an application's client would be.
import type { ServerMessage } from "../../src/live/protocol.ts";
import type { Client } from "./client.ts";

const PATIENCE_MS = 10_000;

export class TestSubscriber {
  readonly received: ServerMessage[] = [];
  pongs = 0;
  closed: { code: number; reason: string } | undefined;
  readonly #socket: WebSocket;
  #wake: () => void = () => undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      if (data === "pong") this.pongs++;
      else this.received.push(JSON.parse(String(data)) as ServerMessage);
      this.#wake();
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.closed = { code, reason };
      this.#wake();
    });
    socket.accept();
  }

  static async connect(store: Pick<Client, "stub">, subscription: object = {}): Promise<TestSubscriber> {
    const subscriber = await TestSubscriber.open(store);
    subscriber.say({ type: "subscribe", ...subscription });
    await subscriber.next();
    return subscriber;
  }

  static async open(store: Pick<Client, "stub">): Promise<TestSubscriber> {
    const response = await store.stub.fetch("https://store/live", { headers: { upgrade: "websocket" } });
    if (response.webSocket === null) throw new Error(`${response.status}: ${await response.text()}`);
    return new TestSubscriber(response.webSocket);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.READY_STATE_OPEN;
  }

  say(message: unknown): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  close(): void {
    this.#socket.close(1000, "done");
  }

  /** The next message that nobody has taken. */
  async next(): Promise<ServerMessage> {
    await this.until(() => this.received.length > 0);
    return this.received.shift() as ServerMessage;
  }

  async until(happened: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!happened()) {
      if (Date.now() > deadline) throw new Error(`waited in vain; received ${JSON.stringify(this.received)}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await Promise.race([promise, scheduler.wait(50)]);
    }
  }
}
