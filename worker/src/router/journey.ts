// One request on its way between the file and the Durable Object (docs/cutover.md, sections 4 and 5). The
// flag chose the start; from there each side says whether it may answer. Nothing here depends on the flag
// being right.
import type { Answer, Side } from "../query/types.ts";
import { type ErrorInfo, WireError } from "../wire/errors.ts";
import type { Birth, Unborn } from "./birth.ts";
import { isEmptyDatabase } from "./empty-database.ts";
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
import type { LimitsMode, Tell } from "./limits.ts";
import { isFileBehind, withSchema } from "../file/file-schema.ts";
import type { Written } from "../file/written.ts";
import type { Schema } from "../schema/schema.ts";
import type { Fenced } from "../wire/marker.ts";
import { type NotActive, notActive } from "./not-active.ts";
import { pause, pauseAfterThrottling } from "./pause.ts";
import { isolateLargeFiles } from "./large-files.ts";
import { type Observer, type RouterReport, tell } from "./report.ts";
import type { Look, SaveOutcome, Sides, StoredFile } from "./sides.ts";
import type { SplitConflicts } from "./split-conflicts.ts";
import type { SplitMode } from "./split-part.ts";
import { type Asked, Trip } from "./trip.ts";

/** What a step leads to: an answer, or the side to ask next. */
type Next<Results> = Answer<Results> | Side;

/** A report about the user of this request. */
type Report = RouterReport extends infer R ? (R extends RouterReport ? Omit<R, "user"> : never) : never;

/** Both sides, and the first one again: every request gets that, however slow a side is. */
const FULL_ROUND = 3;

/** A birth that another request began is waited for so long, and then ended. */
const BIRTH_PATIENCE_MS = 1000;

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
  /** What a file that is served has to have. */
  readonly schema?: Schema | undefined;
  /** `refuse`: a write to a file waits for the object's word that no cold row is in its way. Default `accept`. */
  readonly splitConflicts?: SplitConflicts | undefined;
  readonly split?: SplitMode | undefined;
  /** Where a user without a file begins. Default `file`. */
  readonly newUsers?: "file" | "store";
  /** Lets a user begin in the Durable Object. Absent: nobody does. */
  readonly bear?: Birth;
}

/** In this phase the file alone has the user's rows: where there is none, there are none. Into any other object a command is importing what an absent
 * file held, and will open it: a file that is made meanwhile would be left behind (docs/cutover/model, CREATE_EARLY). */
const HOLDS_NOTHING = "EMPTY";

/** Every answer says who gave it. */
export interface Answered {
  readonly side: Side;
}

/** What a file answers, and the whole file to save; null when nothing changed. */
export interface FileAnswer<Results> {
  readonly results: Results;
  readonly changed: Uint8Array | null;
  /** Where split conflicts are refused. */
  readonly written?: Written | undefined;
}

/** What one user asks: a query, or a call of a method. Each side may be asked more than once. */
export interface Errand<Results extends Answered> extends Asked {
  askStore(): Promise<Answer<Results>>;
  /** @param tell of statements that will fail after a move */
  runOn(file: Uint8Array, tell: Tell): FileAnswer<Results>;
}

/** One request of one user. */
export class Journey<Results extends Answered> {
  private copy: Copy | undefined;
  /** The file that the bytes in memory are of. */
  private loaded: StoredFile | undefined;
  /** The file was looked for and is not there. Whether the user is a new one, the Durable Object knows. */
  private missing: StoredFile | undefined;
  /** The last claim of the object that holds nothing beside the missing file. */
  private unborn: number | undefined;
  /** A birth of this claim has not come to its end. */
  private bearing: { readonly gen: number; readonly since: number } | undefined;
  /** The content of a fenced file is needed: it has the authority for reads. */
  private needsCopy: boolean;
  /** What to tell the caller if the deadline passes now. */
  private obstacle = cutoverInProgress();
  private readonly reading: boolean;
  private readonly trip = new Trip();

  constructor(
    private readonly sides: Sides,
    private readonly errand: Errand<Results>,
    private readonly options: JourneyOptions,
  ) {
    this.reading = errand.mode === "read";
    this.needsCopy = options.path === "r2" && this.reading;
  }

  /**
   * @throws WireError when no side answers before the deadline, or when nobody knows whether a write was
   * applied
   */
  run(start: Side): Promise<Answer<Results>> {
    return this.trip.observed(this.options.observe, this.errand, () => this.travel(start));
  }

  private async travel(start: Side): Promise<Answer<Results>> {
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
    const report = isolateLargeFiles.notice(this.errand.user, bytes, Date.now());
    if (report !== undefined) tell(this.options.observe, report);
  }

  private async askFile(deadline: number): Promise<Next<Results>> {
    this.letGo();
    let file: StoredFile;
    try {
      file = await this.sides.files.get(this.errand.user, {
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
    this.unborn = undefined;
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

  private useFile(file: StoredFile): Answer<Results> | Promise<Next<Results>> {
    if (file.bytes !== null && this.lacksSchema(file)) return this.write(this.withSchema(file), true);
    return this.reading ? this.answerFrom(file) : this.write(file);
  }

  /** An old path that saves files gives them their schema, too. */
  private lacksSchema({ bytes }: StoredFile): boolean {
    const { schema, savesFiles } = this.options;
    if (schema === undefined || savesFiles === false || bytes === null) return false;
    return isFileBehind(schema, bytes);
  }

  /** What was loaded is let go: only the file with its new schema is needed from here on. */
  private withSchema(file: StoredFile): StoredFile {
    const { schema, maxFileBytes } = this.options;
    if (schema === undefined || file.bytes === null) return file;
    this.loaded = { ...file, bytes: withSchema(schema, file.bytes, maxFileBytes) };
    return this.loaded;
  }

  /** Acknowledges only what has been saved over exactly the bytes that it was applied to. */
  private async write(file: StoredFile, hasNewSchema = false): Promise<Next<Results>> {
    const { results, changed: image, written } = this.runOn(file);
    // Somebody who only asks makes no file.
    const changed = image ?? (hasNewSchema && file.etag !== null ? file.bytes : null);
    if (changed === null) return { ok: true, ...results };
    if (this.options.savesFiles === false) return this.leaveToOldPath(file);
    if (this.unborn !== undefined && this.options.newUsers === "store")
      return this.bear({ etag: null, gen: this.unborn });
    await this.demandNoSplitConflict(written);
    switch (await this.save(file, changed)) {
      case "saved":
        return { ok: true, ...results };
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

  /** Whatever moves rows afterwards changes the file, and the save is lost. The emergency switch asks no object. */
  private async demandNoSplitConflict(written: Written | undefined): Promise<void> {
    if (written === undefined || this.options.path === "r2") return;
    const { sides, errand, options } = this;
    const user = { sides, user: errand.user, deadlineMs: options.deadlineMs };
    await options.split?.router.demandNoConflict(user, written);
  }

  /**
   * An old path that saves without conditions erases what others have saved since it read. So nobody else
   * saves there: not in a cutover's window, not over a fence that it has overwritten, not by a stale flag.
   * The user may be moving: that is worth a wait.
   */
  private async leaveToOldPath(file: StoredFile): Promise<Next<Results>> {
    this.obstacle = savedElsewhere(file.key);
    this.letGo();
    await this.trip.wait(pause());
    return "file";
  }

  private async save(file: StoredFile, bytes: Uint8Array): Promise<SaveOutcome> {
    try {
      return await this.sides.files.save(file, bytes);
    } catch (error) {
      // A read saves nothing but a new schema: saved or not, it is asked for again.
      if (this.reading) return this.tryAgain("lost", "save the database file", error);
      throw outcomeUnknown("save the database file", error);
    }
  }

  /**
   * Under `path: "r2"` a fence is not asked about: what the file holds can be read, and nothing can be
   * written.
   */
  private answerWithoutStore(file: Copy): Answer<Results> {
    if (this.reading && file.mark.kind === "file") return this.answerFrom(file);
    throw new WireError(
      "cutover-in-progress",
      `the router is switched to files (path: "r2") and ${file.key} is fenced by a migration: roll this user back first; nothing was written`,
    );
  }

  private async askStore(): Promise<Next<Results>> {
    let answer: Answer<Results>;
    try {
      answer = await this.errand.askStore();
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
    return this.reading ? this.readWhileNotActive(refusal) : this.writeWhileNotActive(refusal);
  }

  /**
   * The object's word came after the look at the file: a save of the new file still meets one that is created
   * in between.
   */
  private async whileMissing(file: StoredFile, refusal: NotActive<Results>): Promise<Next<Results>> {
    const { phase, gen, birth } = refusal;
    if (phase === HOLDS_NOTHING) this.unborn = gen;
    if (phase === HOLDS_NOTHING || (birth === true && this.reading)) return this.useAbsent(file);
    if (birth === true) return this.waitOrEnd(refusal);
    this.report({ kind: "file-missing", phase });
    this.obstacle = fileMissing(file.key, phase);
    await this.trip.wait(pause());
    return "file";
  }

  /** A rollback may have put the file back, and emptied the object, between the two answers. */
  private async useAbsent(file: StoredFile): Promise<Next<Results>> {
    const look = await this.lookAgain();
    return look?.etag === null ? this.useFile(file) : "file";
  }

  /** The object serves the user from here on, or somebody else was faster. Nothing was written yet. */
  private async bear(seen: Unborn): Promise<Next<Results>> {
    this.letGo();
    this.missing = undefined;
    this.obstacle = cutoverInProgress();
    try {
      if ((await this.options.bear?.(this.errand.user, seen)) === true) return "store";
    } catch (error) {
      return this.tryAgain("file", "let the user begin in the Durable Object", error);
    }
    await this.trip.wait(pause());
    return "file";
  }

  /**
   * Waits for what another side is about to end. A birth that stands still for a while was cut off: any
   * router ends it, wherever its own new users begin.
   */
  private async waitOrEnd(refusal: NotActive<Results>): Promise<Next<Results>> {
    const left = this.leftBirth(refusal);
    if (left !== undefined && this.standsStill(refusal.gen)) return this.bear(left);
    await this.waitForCutover();
    return "file";
  }

  /** A command ends what has a newer mark than the object knows, or a command's claim. */
  private leftBirth({ phase, gen, birth }: NotActive<Results>): Unborn | undefined {
    if (this.options.bear === undefined) return undefined;
    if (this.missing !== undefined) return birth === true ? { etag: null, gen } : undefined;
    if (this.copy === undefined || !(phase === HOLDS_NOTHING || birth === true)) return undefined;
    const { bytes, etag, mark } = this.copy;
    if (mark.split || mark.non > gen || bytes === null || !isEmptyDatabase(bytes)) return undefined;
    return { etag, gen };
  }

  private standsStill(gen: number): boolean {
    const now = Date.now();
    if (this.bearing?.gen !== gen) this.bearing = { gen, since: now };
    return now - this.bearing.since >= Math.min(BIRTH_PATIENCE_MS, this.options.deadlineMs / 4);
  }

  /** An open file has the authority then. Under a fence nobody has it, and waiting mends nothing. */
  private storeSetBack({ kind, message, details }: ErrorInfo): Side {
    this.report({ kind: "set-back", message });
    this.obstacle = new WireError(kind, message, details);
    if (this.copy !== undefined || this.missing !== undefined) throw this.obstacle;
    return "file";
  }

  private report(seen: Report): void {
    tell(this.options.observe, { ...seen, user: this.errand.user });
  }

  /**
   * An overloaded object refuses before it runs anything. After any other error a write may have been
   * applied.
   */
  private async storeFailed(error: unknown): Promise<Next<Results>> {
    demandSafeToRepeat(error, this.reading);
    return this.tryAgain("store", "ask the Durable Object", error);
  }

  /**
   * Neither side accepts writes when both were seen closed: a cutover is under way, and is worth waiting for.
   */
  private async writeWhileNotActive(refusal: NotActive<Results>): Promise<Next<Results>> {
    return this.copy === undefined ? "file" : this.waitOrEnd(refusal);
  }

  private async readWhileNotActive(refusal: NotActive<Results>): Promise<Next<Results>> {
    const { copy } = this;
    if (refusal.phase === "SEALED" && (copy === undefined || copy.mark.lin === refusal.lin))
      return this.readSealed(refusal);
    if (copy === undefined) return "file";
    if (copy.mark.kind === "file") return this.readCopy(copy, refusal);
    await this.waitForCutover(); // a tombstone has no content to answer from
    return "file";
  }

  /** The sealed answer counts while the file is still fenced by the lineage that the object holds. */
  private async readSealed({ lin, sealed }: NotActive<Results>): Promise<Next<Results>> {
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
  private async readCopy(copy: Copy, refusal: NotActive<Results>): Promise<Next<Results>> {
    if (copy.unread === true) {
      this.needsCopy = true;
      return "file";
    }
    if (this.lacksSchema(copy)) return this.waitOrEnd(refusal); // the side that accepts writes will give it

    const look = await this.lookAgain();
    return look?.etag === copy.etag ? this.answerFrom(copy) : "file";
  }

  private async lookAgain(): Promise<Look | undefined> {
    try {
      return await this.sides.files.look(this.errand.user, this.copy);
    } catch (error) {
      await this.tryAgain("file", "look at the database file", error);
      return undefined;
    }
  }

  private answerFrom(file: StoredFile): Answer<Results> {
    return { ok: true, ...this.runOn(file).results };
  }

  private runOn(file: StoredFile): FileAnswer<Results> {
    if (file.bytes === null)
      throw new WireError("too-large", `open ${file.key}: it is too large for this Worker's memory`);
    return this.errand.runOn(file.bytes, (sql, message) =>
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
  private async tryAgain<Next>(next: Next, operation: string, error: unknown): Promise<Next> {
    if (error instanceof WireError) throw error;
    this.obstacle = failed(operation, error);
    await this.trip.wait(pause());
    return next;
  }
}

function isFenced(file: StoredFile): file is Copy {
  return file.mark.fenced;
}
