// What one request costs, for its observer.
import type { Answer, QueryMode, QueryScope, Side } from "../query/types.ts";
import { asWireError } from "../wire/errors.ts";
import { type Observer, type RequestEvent, tellObserver } from "./report.ts";

/** What an observer is told of the request itself. */
export interface Asked {
  readonly user: string;
  readonly mode: QueryMode;
  readonly scope: QueryScope;
  /** Of a call, such as "Games.addCoins". */
  readonly method?: string;
}

/** Counts while a request is on its way. */
export class Trip {
  readonly #begun = Date.now();
  readonly #asked: Record<Side, number> = { file: 0, store: 0 };
  #waitMs = 0;
  #bytesLoaded = 0;

  ask(side: Side): void {
    this.#asked[side]++;
  }

  load(bytes: number): void {
    this.#bytesLoaded += bytes;
  }

  /** Counts the time of a pause. */
  async wait(pause: Promise<void>): Promise<void> {
    const begun = Date.now();
    await pause;
    this.#waitMs += Date.now() - begun;
  }

  /** Runs the request, and tells the observer how it ended. @throws what `run` throws */
  async observed<Results extends { readonly side: Side }>(
    observe: Observer | undefined,
    asked: Asked,
    run: () => Promise<Answer<Results>>,
  ): Promise<Answer<Results>> {
    if (observe === undefined) return run();
    const tell = (outcome: Outcome): void => tellObserver(observe, this.#event(asked, outcome));
    try {
      const answer = await run();
      tell(outcomeOf(answer));
      return answer;
    } catch (thrown) {
      tell({ side: null, error: asWireError(thrown).info.kind });
      throw thrown;
    }
  }

  #event({ user, mode, scope, method }: Asked, outcome: Outcome): RequestEvent {
    const { file, store } = this.#asked;
    return {
      kind: "request",
      user,
      mode,
      scope,
      ...(method !== undefined && { method }),
      ...outcome,
      hops: file + store,
      retries: Math.max(file - 1, 0) + Math.max(store - 1, 0),
      bytesLoaded: this.#bytesLoaded,
      waitMs: this.#waitMs,
      durationMs: Date.now() - this.#begun,
    };
  }
}

type Outcome = Pick<RequestEvent, "side" | "error">;

/** An error that comes as an answer is the Durable Object's: the file side throws. */
function outcomeOf(answer: Answer<{ readonly side: Side }>): Outcome {
  return answer.ok ? { side: answer.side, error: null } : { side: "store", error: answer.error.kind };
}
