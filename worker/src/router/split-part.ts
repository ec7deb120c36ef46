// What split mode adds to a router (docs/split.md). The router knows this much of it, so that an application that
// does not use it does not carry it.
import type { Watch } from "../file/engine.ts";
import type { Written } from "../file/written.ts";
import type { SplitStore } from "../query/change-log.ts";
import type { ParsedRequest } from "../query/request.ts";
import type { ThawAnswer, ThawRequest } from "../query/thaw-request.ts";
import type { Answer, QueryAnswer, QueryRequest, QueryScope } from "../query/types.ts";
import type { SchemaAnswer, SchemaRequest } from "./change-schema.ts";
import type { BothAnswer, ColdUser } from "./cold.ts";
import type { LocateAnswer, RowKey, WriteBothAnswer, WriteBothRequest } from "./locate.ts";
import type { BothRequest } from "./read-both.ts";
import type { Observer } from "./report.ts";
import type { Sides } from "./sides.ts";
import type { SplitConflicts } from "./split-conflicts.ts";

/** The methods of a router for split users. Without split mode each answers `not-mounted`. */
export interface SplitQueries {
  /**
   * Reads the hot and the cold rows of a split user as they were at one moment (docs/split.md); of other
   * users `hot` is everything and `cold` null. Never rejects.
   */
  queryBoth(user: string, request: BothRequest): Promise<BothAnswer>;
  /** Says in which half of a split user's database a row is, at this moment. Never rejects. */
  locate(user: string, table: string, key: RowKey): Promise<LocateAnswer>;
  /**
   * Writes a row wherever it is, also while it moves: the statements run in one transaction, in the half that
   * has the row. The error `not-found` says that neither has it. Never rejects.
   */
  writeBoth(user: string, request: WriteBothRequest): Promise<WriteBothAnswer>;
  /**
   * Changes the schema of both halves of a split user, and of others where their rows are. Each half is changed
   * once: after an error, ask again with the same statements. Never rejects.
   */
  schema(user: string, request: SchemaRequest): Promise<SchemaAnswer>;
  /**
   * Asks for cold rows of a split user to be brought back into the file, which the next `dbmigrate thaw
   * --requested` does; until then they are where they are. The error `not-split` says that the user's rows
   * are all in one place. Never rejects.
   */
  thaw(user: string, request: ThawRequest): Promise<ThawAnswer>;
}

/** What a router asks before and behind its own requests. */
export interface Halves {
  readonly queries: SplitQueries;
  /** Answers a request of scope `cold`. @throws WireError */
  askCold(
    user: string,
    request: QueryRequest,
    parsed: ParsedRequest,
    conflicts: SplitConflicts | undefined,
  ): Promise<QueryAnswer>;
  /** Runs what writes to one half, and answers what it throws. */
  explained<Results>(
    user: string,
    scope: QueryScope,
    run: () => Promise<Answer<Results>>,
  ): Promise<Answer<Results>>;
}

/** What it needs of a router. */
export interface WholeRouter {
  readonly sides: Sides;
  readonly deadlineMs: number;
  readonly observe?: Observer | undefined;
  /** `router.query`, with another answer to split conflicts. */
  ask(user: string, request: QueryRequest, conflicts?: SplitConflicts): Promise<QueryAnswer>;
  /** The same of the hot rows. @throws WireError */
  hot(user: string, request: QueryRequest, parsed: ParsedRequest): Promise<QueryAnswer>;
}

/** Split mode, as a router sees it. */
export interface SplitRouting {
  halvesOf(router: WholeRouter): Halves;
  /** Records what a write does to a file. */
  readonly watch: Watch;
  /** @throws WireError split-conflict */
  demandNoConflict(user: ColdUser, written: Written): Promise<void>;
}

/** `splitMode` of `@dbmigrate/worker/split`. */
export interface SplitMode {
  readonly store: SplitStore;
  readonly router: SplitRouting;
}
