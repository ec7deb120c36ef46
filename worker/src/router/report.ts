// What a router tells an observer: each request, and what somebody has to look at. It answers all the same,
// or refuses; this is for logs and dashboards.
import type { QueryMode, QueryScope, Side } from "../query/types.ts";
import { type ErrorKind, messageOf } from "../wire/errors.ts";

/** Something about one user's database or statement. */
export type RouterReport =
  /**
   * There is no file beside an object that is alive: somebody deleted it (docs/runbook.md, "The fence is
   * gone").
   */
  | { readonly kind: "file-missing"; readonly user: string; readonly phase: string }
  /** The object is older than the file's mark (docs/runbook.md, "The Durable Object was set back"). */
  | { readonly kind: "set-back"; readonly user: string; readonly message: string }
  /**
   * A statement was answered from the file under `limits: "report"`, and a Durable Object will refuse it with
   * this message. Parameters are not in it.
   */
  | {
      readonly kind: "fails-after-move";
      readonly user: string;
      readonly message: string;
      readonly sql: string;
    }
  /**
   * The file was loaded and has 512 KB (`info`) or 1 MB (`warning`) and more: every request of this user
   * loads it. At most once an hour for a user, level and isolate.
   */
  | {
      readonly kind: "large-file";
      readonly user: string;
      readonly level: "info" | "warning";
      readonly bytes: number;
      readonly message: string;
    };

/** One answered request of `query`, or one of `call`. An observer is told of each; the log is not. */
export interface RequestEvent {
  readonly kind: "request";
  readonly user: string;
  readonly mode: QueryMode;
  readonly scope: QueryScope;
  /** Of a call: class and method, such as "Games.addCoins". */
  readonly method?: string;
  /** Who answered; null when nobody did. */
  readonly side: Side | null;
  /** Null after an answer with results. */
  readonly error: ErrorKind | null;
  /** How often a side was asked; 1 when the first one answered. */
  readonly hops: number;
  /** Hops to a side that this request had asked before. */
  readonly retries: number;
  /** Bytes of files that were read from R2. */
  readonly bytesLoaded: number;
  /** Milliseconds in pauses: a cutover, writers in each other's way, a side that failed. */
  readonly waitMs: number;
  /** Milliseconds in all. Workers' clock stands still between two operations of I/O. */
  readonly durationMs: number;
}

export type RouterEvent = RouterReport | RequestEvent;

/** Is told of each event. What it throws is dropped. */
export type Observer = (event: RouterEvent) => void;

/** Tells an observer, or the log. Never throws: the request is answered first. */
export function tell(observe: Observer | undefined, report: RouterReport): void {
  if (observe !== undefined) return tellObserver(observe, report);
  const line = `dbmigrate router: ${JSON.stringify(report)}`;
  if (report.kind === "large-file" && report.level === "info") console.info(line);
  else console.warn(line);
}

/** Never throws. */
export function tellObserver(observe: Observer, event: RouterEvent): void {
  try {
    observe(event);
  } catch (error) {
    console.warn(`dbmigrate router: the observer failed: ${messageOf(error)}`);
  }
}
