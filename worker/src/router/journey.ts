// One request on its way between the file and the Durable Object (docs/cutover.md, sections 4 and 5). The
// flag chose the start; from there each side says whether it may answer. Nothing here depends on the flag
// being right.
import type { FileRun } from "../file/engine.ts";
import type { ParsedRequest } from "../query/request.ts";
import type { QueryAnswer, QueryRequest, Side } from "../query/types.ts";
import { type ErrorInfo, WireError } from "../wire/errors.ts";
import {
  busy,
  cutoverInProgress,
  demandSafeToRepeat,
  failed,
  fileMissing,
  outcomeUnknown,
  savedElsewhere,
} from "./failures.ts";
import { READ_COPIES, WRITE_COPIES } from "./file-side.ts";
import { type LimitsMode, runWithin } from "./limits.ts";
import type { Fenced } from "../wire/marker.ts";
import { type NotActive, notActive } from "./not-active.ts";
import { pause, pauseAfterThrottling } from "./pause.ts";
import { isolateLargeFiles } from "./large-files.ts";
import { type Observer, type RouterReport, tell } from "./report.ts";
import type { Look, SaveOutcome, Sides, StoredFile } from "./sides.ts";
import { Trip } from "./trip.ts";

/** What a step leads to: an answer, or the side to ask next. */
type Next = QueryAnswer | Side;

/** A report about the user of this request. */
type Report = RouterReport extends infer R ? (R extends RouterReport ? Omit<R, "user"> : never) : never;

/** Both sides, and the first one again: every request gets that, however slow a side is. */
const FULL_ROUND = 3;

/** A fenced file as it was seen before the Durable Object was asked. */
type Copy = StoredFile & { readonly mark: Fenced };

/** So much of a statement goes into a report. */
const REPORTED_SQL = 1000;

export interface JourneyOptions {
  readonly limits?: LimitsMode | undefined;
  /** `r2` is the emergency switch: files answer everything, whatever flags and Durable Objects say. */
  readonly path: "auto" | "r2";
  readonly deadlineMs: number;
  readonly maxFileBytes: number;
  /** Is told of each request, and what somebody has to look at; the log is told of the latter when absent. */
  readonly observe?: Observer | undefined;
  /** False: an old path of the application saves the files, and this router never does. Default true. */
  readonly savesFiles?: boolean;
}

/** In this phase the file alone has the user's rows: where there is none, there are none. Into any other object a command is importing what an absent
 * file held, and will open it: a file that is made meanwhile would be left behind (docs/cutover/model, CREATE_EARLY). */
const HOLDS_NOTHING = "EMPTY";

/** What one user asks. */
export interface Query {
  readonly user: string;
  /** As it came: the Durable Object reads it for itself. */
  readonly request: QueryRequest;
  readonly parsed: ParsedRequest;
}

/** One request of one user. */
export class Journey {
  private copy: Copy | undefined;
  /** The file that the bytes in memory are of. */
  private loaded: StoredFile | undefined;
  /** The file was looked for and is not there. Whether the user is a new one, the Durable Object knows. */
  private missing: StoredFile | undefined;
  /** The content of a fenced file is needed: it has the authority for reads. */
  private needsCopy: boolean;
  /** What to tell the caller if the deadline passes now. */
  private obstacle = cutoverInProgress();
  private readonly reading: boolean;
  private readonly trip = new Trip();

  constructor(
    private readonly sides: Sides,
    private readonly query: Query,
    private readonly options: JourneyOptions,
  ) {
    this.reading = query.parsed.mode === "read";
    this.needsCopy = options.path === "r2" && this.reading;
  }

  /**
   * @throws WireError when no side answers before the deadline, or when nobody knows whether a write was
   * applied
   */
  run(start: Side): Promise<QueryAnswer> {
    const { user, parsed } = this.query;
    return this.trip.observed(this.options.observe, user, parsed, () => this.travel(start));
  }

  private async travel(start: Side): Promise<QueryAnswer> {
    const deadline = Date.now() + this.options.deadlineMs;
    let side = start;
    try {
      for (let steps = 0; steps < FULL_ROUND || Date.now() < deadline; steps++) {
        this.trip.ask(side);
        const next = side === "file" ? await this.askFile(deadline) : await this.askStore();
        if (typeof next === "object") return next;
        side = next;
      }
    } finally {
      this.letGo();
    }
    throw this.obstacle;
  }

  /** The bytes are needed no more, and others may wait for their room. */
  private letGo(): void {
    this.loaded?.release?.();
    this.loaded = undefined;
    this.copy = undefined;
  }

  private noteSize(bytes: number): void {
    this.trip.load(bytes);
    const report = isolateLargeFiles.notice(this.query.user, bytes, Date.now());
    if (report !== undefined) tell(this.options.observe, report);
  }

  private async askFile(deadline: number): Promise<Next> {
    this.letGo();
    let file: StoredFile;
    try {
      file = await this.sides.files.get(this.query.user, {
        copies: this.reading ? READ_COPIES : WRITE_COPIES,
        deadline,
        markWillDo: !this.needsCopy,
      });
      this.loaded = file;
      this.noteSize(file.bytes?.byteLength ?? 0);
    } catch (error) {
      return this.tryAgain("file", "read the database file", error);
    }
    this.missing = undefined;
    if (isFenced(file)) {
      if (this.options.path === "r2") return this.answerWithoutStore(file);
      this.copy = file;
      return "store";
    }
    this.copy = undefined;
    if (file.etag === null && this.options.path === "auto") {
      this.missing = file;
      return "store";
    }
    return this.useFile(file);
  }

  private useFile(file: StoredFile): QueryAnswer | Promise<Next> {
    return this.reading ? this.answerFrom(file) : this.write(file);
  }

  /** Acknowledges only what has been saved over exactly the bytes that it was applied to. */
  private async write(file: StoredFile): Promise<Next> {
    const { results, changed } = this.runOn(file);
    if (changed === null) return { ok: true, results, side: "file" };
    if (this.options.savesFiles === false) return this.leaveToOldPath(file);
    switch (await this.save(file, changed)) {
      case "saved":
        return { ok: true, results, side: "file" };
      case "lost":
        this.obstacle = busy("other writers kept changing the database file; nothing was written");
        return "file";
      case "throttled":
        this.obstacle = busy("R2 takes about one write a second for a file; nothing was written");
        this.letGo();
        await this.trip.wait(pauseAfterThrottling());
        return "file";
      case "held":
        await this.waitForCutover();
        return "file";
    }
  }

  /**
   * An old path that saves without conditions erases what others have saved since it read. So nobody else
   * saves there: not in a cutover's window, not over a fence that it has overwritten, not by a stale flag.
   * The user may be moving: that is worth a wait.
   */
  private async leaveToOldPath(file: StoredFile): Promise<Next> {
    this.obstacle = savedElsewhere(file.key);
    this.letGo();
    await this.trip.wait(pause());
    return "file";
  }

  private async save(file: StoredFile, bytes: Uint8Array): Promise<SaveOutcome> {
    try {
      return await this.sides.files.save(file, bytes);
    } catch (error) {
      throw outcomeUnknown("save the database file", error);
    }
  }

  /**
   * Under `path: "r2"` a fence is not asked about: what the file holds can be read, and nothing can be
   * written.
   */
  private answerWithoutStore(file: Copy): QueryAnswer {
    if (this.reading && file.mark.kind === "file") return this.answerFrom(file);
    throw new WireError(
      "cutover-in-progress",
      `the router is switched to files (path: "r2") and ${file.key} is fenced by a migration: roll this user back first; nothing was written`,
    );
  }

  private async askStore(): Promise<Next> {
    let answer: QueryAnswer;
    try {
      answer = await this.sides.store.query(this.query.user, this.query.request);
    } catch (error) {
      return this.storeFailed(error);
    }
    if (!answer.ok && answer.error.kind === "set-back") return this.storeSetBack(answer.error);
    const refusal = notActive(answer);
    if (refusal === undefined) {
      if (this.missing !== undefined) this.report({ kind: "file-missing", phase: "ACTIVE" });
      return answer;
    }
    if (this.missing !== undefined) return this.whileMissing(this.missing, refusal);
    return this.reading ? this.readWhileNotActive(refusal) : this.writeWhileNotActive();
  }

  /**
   * The object's word came after the look at the file: a save of the new file still meets one that is created
   * in between.
   */
  private async whileMissing(file: StoredFile, { phase }: NotActive): Promise<Next> {
    if (phase === HOLDS_NOTHING) return this.useAbsent(file);
    this.report({ kind: "file-missing", phase });
    this.obstacle = fileMissing(file.key, phase);
    await this.trip.wait(pause());
    return "file";
  }

  /** A rollback may have put the file back, and emptied the object, between the two answers. */
  private async useAbsent(file: StoredFile): Promise<Next> {
    const look = await this.lookAgain();
    return look?.etag === null ? this.useFile(file) : "file";
  }

  /** An open file has the authority then. Under a fence nobody has it, and waiting mends nothing. */
  private storeSetBack({ kind, message, details }: ErrorInfo): Next {
    this.report({ kind: "set-back", message });
    this.obstacle = new WireError(kind, message, details);
    if (this.copy !== undefined || this.missing !== undefined) throw this.obstacle;
    return "file";
  }

  private report(seen: Report): void {
    tell(this.options.observe, { ...seen, user: this.query.user });
  }

  /**
   * An overloaded object refuses before it runs anything. After any other error a write may have been
   * applied.
   */
  private async storeFailed(error: unknown): Promise<Next> {
    demandSafeToRepeat(error, this.reading);
    return this.tryAgain("store", "ask the Durable Object", error);
  }

  /**
   * Neither side accepts writes when both were seen closed: a cutover is under way, and is worth waiting for.
   */
  private async writeWhileNotActive(): Promise<Next> {
    if (this.copy !== undefined) await this.waitForCutover();
    return "file";
  }

  private async readWhileNotActive(refusal: NotActive): Promise<Next> {
    const { copy } = this;
    if (refusal.phase === "SEALED" && (copy === undefined || copy.mark.lin === refusal.lin))
      return this.readSealed(refusal);
    if (copy === undefined) return "file";
    if (copy.mark.kind === "file") return this.readCopy(copy);
    await this.waitForCutover(); // a tombstone has no content to answer from
    return "file";
  }

  /** The sealed answer counts while the file is still fenced by the lineage that the object holds. */
  private async readSealed({ lin, sealed }: NotActive): Promise<Next> {
    const look = await this.lookAgain();
    if (look === undefined || !look.mark.fenced || look.mark.lin !== lin) return "file";
    if (sealed !== undefined) return sealed;
    await this.waitForCutover();
    return "file";
  }

  /**
   * The fenced copy counts while the file is still the same object, now that the Durable Object has said that
   * it is not active.
   */
  private async readCopy(copy: Copy): Promise<Next> {
    if (copy.unread === true) {
      this.needsCopy = true;
      return "file";
    }
    const look = await this.lookAgain();
    return look?.etag === copy.etag ? this.answerFrom(copy) : "file";
  }

  private async lookAgain(): Promise<Look | undefined> {
    try {
      return await this.sides.files.look(this.query.user, this.copy);
    } catch (error) {
      await this.tryAgain("file", "look at the database file", error);
      return undefined;
    }
  }

  private answerFrom(file: StoredFile): QueryAnswer {
    return { ok: true, results: this.runOn(file).results, side: "file" };
  }

  private runOn(file: StoredFile): FileRun {
    if (file.bytes === null)
      throw new WireError("too-large", `open ${file.key}: it is too large for this Worker's memory`);
    const { limits = "enforce", maxFileBytes } = this.options;
    return runWithin(limits, file.bytes, this.query.parsed, maxFileBytes, (sql, message) =>
      this.report({ kind: "fails-after-move", message, sql: sql.slice(0, REPORTED_SQL) }),
    );
  }

  /** Nobody else is to wait for the room of somebody who waits. The file is read again afterwards. */
  private async waitForCutover(): Promise<void> {
    this.obstacle = cutoverInProgress();
    this.letGo();
    await this.trip.wait(pause());
  }

  /** For errors of steps that change nothing. What the request itself is to blame for stays an error. */
  private async tryAgain(side: Side, operation: string, error: unknown): Promise<Side> {
    if (error instanceof WireError) throw error;
    this.obstacle = failed(operation, error);
    await this.trip.wait(pause());
    return side;
  }
}

function isFenced(file: StoredFile): file is Copy {
  return file.mark.fenced;
}
