// One change of the schema in both halves of a split user (docs/split.md). They are two databases, so no transaction
// spans them. Each half changes in a transaction of its own, under the condition that its schema is what was seen;
// who asks again after a failure ends what was begun.
import { SCHEMA_TEXT } from "../query/schema-text.ts";
import type { QueryAnswer, QueryRequest, QueryScope, QueryStatement } from "../query/types.ts";
import { badRequest, type ErrorInfo, WireError } from "../wire/errors.ts";
import type { BothAnswer } from "./cold.ts";
import { cutoverInProgress, failedStatement, renumbered } from "./failures.ts";
import { pause } from "./pause.ts";

export interface SchemaRequest {
  /** CREATE, ALTER and DROP, and what they need beside them. In each half they are one transaction. */
  readonly statements: readonly QueryStatement[];
}

/** The halves in which the statements ran. A half that had the change already is left out. */
export type SchemaAnswer =
  | { readonly ok: true; readonly scopes: readonly QueryScope[] }
  | { readonly ok: false; readonly error: ErrorInfo };

/** What a change of the schema needs of a router. */
export interface SchemaHalves {
  readonly deadlineMs: number;
  query(user: string, request: QueryRequest): Promise<QueryAnswer>;
  queryBoth(user: string, request: Pick<QueryRequest, "statements">): Promise<BothAnswer>;
}

/** The schemas at one moment; `cold` is null while the user is not split. */
interface Schemas {
  readonly hot: string;
  readonly cold: string | null;
}

/** How a change of one half ended: its new schema; undefined, it was no longer what was seen, or would not become what it should. */
type Outcome = string | undefined;

const MIN_ATTEMPTS = 2;

/** @throws WireError of the statements, split-conflict, or cutover-in-progress at the deadline */
export async function changeSchema(
  halves: SchemaHalves,
  user: string,
  { statements }: SchemaRequest,
): Promise<SchemaAnswer> {
  if (statements.length === 0) throw badRequest("statements", "at least one statement");
  const change = new Change(halves, user, statements);
  const deadline = Date.now() + halves.deadlineMs;
  for (let attempts = 1; ; attempts++) {
    if (await change.step()) return { ok: true, scopes: change.scopes };
    if (attempts >= MIN_ATTEMPTS * 2 && Date.now() >= deadline) throw cutoverInProgress();
    if (change.stalled) await pause();
  }
}

class Change {
  readonly scopes: QueryScope[] = [];
  /** Nothing came of the last step: the user is moving, or somebody else changes the schema. */
  stalled = false;
  /** What the schema of both halves is to be. */
  #target: string | undefined;

  constructor(
    private readonly halves: SchemaHalves,
    private readonly user: string,
    private readonly statements: readonly QueryStatement[],
  ) {}

  /** One half at most. Whether all is done is seen by another look: the user may have been split meanwhile. */
  async step(): Promise<boolean> {
    const now = await this.#look();
    if (this.#target !== undefined && now.hot === this.#target && (now.cold ?? now.hot) === this.#target)
      return true;
    if (now.cold !== null && now.hot !== now.cold) await this.#even(now.hot, now.cold);
    else if (this.#target !== undefined)
      throw differ(); // somebody took the change back
    else await this.#begin(now);
    return false;
  }

  /** The cold half goes first. That the hot one takes the statements, too, was tried before. */
  async #begin(now: Schemas): Promise<void> {
    if (now.cold === null) return this.#note("hot", await this.#change("hot", now.hot));
    await this.#tryOut(now.hot);
    await this.#note("cold", await this.#change("cold", now.cold));
  }

  /** One half has a change that the other lacks: of this call, or of one that was cut off. */
  async #even(hot: string, cold: string): Promise<void> {
    const ways = [
      { scope: "hot", from: hot, to: cold },
      { scope: "cold", from: cold, to: hot },
    ] as const;
    let failure: unknown;
    for (const { scope, from, to } of ways) {
      if (this.#target !== undefined && to !== this.#target) continue;
      try {
        const outcome = await this.#change(scope, from, to);
        if (outcome !== undefined) return await this.#note(scope, outcome);
      } catch (error) {
        if (!(error instanceof WireError) || error.kind !== "sql-error") throw error;
        failure = error; // of the half that has the change already
      }
    }
    const again = await this.#look();
    if (again.hot !== hot || again.cold !== cold) return this.#note("hot", undefined);
    throw this.#target === undefined ? differ() : (failure ?? differ());
  }

  async #note(scope: QueryScope, outcome: Outcome): Promise<void> {
    this.stalled = outcome === undefined;
    if (outcome === undefined) return;
    this.#target = outcome;
    this.scopes.push(scope);
  }

  async #look(): Promise<Schemas> {
    const answer = await this.halves.queryBoth(this.user, { statements: [{ sql: SCHEMA_TEXT }] });
    if (!answer.ok) throw errorOf(answer.error);
    return { hot: textOf(answer.hot), cold: answer.cold && textOf(answer.cold) };
  }

  /**
   * Changes one half, if its schema is `from`, and becomes `to`. Without `to` it has to become another one.
   * @throws WireError of the statements
   */
  async #change(scope: QueryScope, from: string, to?: string): Promise<Outcome> {
    const before = guard(`(${SCHEMA_TEXT}) = ?`, from);
    const after = to === undefined ? guard(`(${SCHEMA_TEXT}) <> ?`, from) : guard(`(${SCHEMA_TEXT}) = ?`, to);
    const statements = [before, ...this.statements, after, { sql: SCHEMA_TEXT }];
    const answer = await this.halves.query(this.user, { statements, mode: "write", scope });
    if (answer.ok) return textOf({ results: answer.results.slice(-1) });
    const failed = failedStatement(answer.error);
    if (failed === 0 || answer.error.kind === "not-split") return undefined;
    if (failed !== statements.length - 2) throw errorOf(answer.error, 1);
    if (to === undefined)
      throw badRequest("statements", "a change of the schema: others go to router.query or router.writeBoth");
    return undefined;
  }

  /** Runs the statements on the hot rows, and takes them back. @throws WireError of the statements */
  async #tryOut(from: string): Promise<void> {
    const statements = [guard(`(${SCHEMA_TEXT}) = ?`, from), ...this.statements, guard("?", 0)];
    const answer = await this.halves.query(this.user, { statements, mode: "write", scope: "hot" });
    if (answer.ok) throw new Error("try a change of the schema: it was not taken back");
    const failed = failedStatement(answer.error);
    if (failed !== 0 && failed !== statements.length - 1) throw errorOf(answer.error, 1);
  }
}

/** A statement that fails, and so takes the request back, where the condition is false. */
function guard(condition: string, param: string | number): QueryStatement {
  return { sql: `SELECT json_extract(CASE WHEN ${condition} THEN '1' ELSE 'no' END, '$')`, params: [param] };
}

function textOf({ results }: { readonly results: readonly { readonly rows: readonly unknown[] }[] }): string {
  return String((results[0]?.rows[0] as readonly unknown[] | undefined)?.[0]);
}

function errorOf(failed: ErrorInfo, before = 0): WireError {
  const { kind, message, details } = renumbered(failed, before);
  return new WireError(kind, message, details);
}

function differ(): WireError {
  return new WireError(
    "split-conflict",
    "the schemas of the two halves differ, and not by these statements: make them the same with scope hot and scope cold (dbmigrate verify shows how they differ)",
  );
}
