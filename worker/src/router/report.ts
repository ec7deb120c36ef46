// What a router notices that somebody has to look at. It answers all the same, or refuses; this is for the
// log.
import { messageOf } from "../wire/errors.ts";

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
    };

/** Is told of each. What it throws is dropped. */
export type Observer = (report: RouterReport) => void;

/** Tells an observer, or the log. Never throws: the request is answered first. */
export function tell(observe: Observer | undefined, report: RouterReport): void {
  try {
    if (observe !== undefined) observe(report);
    else console.warn(`dbmigrate router: ${JSON.stringify(report)}`);
  } catch (error) {
    console.warn(`dbmigrate router: the observer failed: ${messageOf(error)}`);
  }
}
