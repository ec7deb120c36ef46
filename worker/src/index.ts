// What an application imports (docs/mount.md).
export { type AdminConfig, handleAdmin } from "./admin/admin.ts";
export type {
  QueryAnswer,
  QueryMode,
  QueryRequest,
  QueryResults,
  QueryScope,
  QueryStatement,
  QueryValue,
  ResultValue,
  Side,
  StatementResult,
} from "./query/types.ts";
export { UserLogic, type Callable, type LogicClass } from "./logic/user-logic.ts";
export type { DrizzleMigrations, SchemaConfig } from "./schema/schema.ts";
export type { LogicClasses } from "./logic/registry.ts";
export type { LogicHome } from "./logic/home.ts";
export type { CallAnswer, CallRequest } from "./logic/call.ts";
export type { ThawAnswer, ThawRequest } from "./query/thaw-request.ts";
export { userDatabase, type UserDatabaseOptions } from "./d1/user-database.ts";
export { answerResponse, readQuery, servedByResponse } from "./router/http.ts";
export type { ServedBy, ServedByAnswer, ServedByResult } from "./router/served-by.ts";
export type { DeletionAnswer } from "./router/delete-user.ts";
export type { BothAnswer } from "./router/cold.ts";
export type { LocateAnswer, RowKey, RowPlace, WriteBothAnswer, WriteBothRequest } from "./router/locate.ts";
export type { SchemaAnswer, SchemaRequest } from "./router/change-schema.ts";
export type { SplitConflicts } from "./router/split-conflicts.ts";
export type { MergeRule, OrderTerm, Total } from "./router/merge-rows.ts";
export type { BothRequest } from "./router/read-both.ts";
export type { LocateRequest } from "./router/both-requests.ts";
export {
  type CallOptions,
  createRouter,
  type Router,
  type RouterConfig,
  routeBetween,
} from "./router/router.ts";
export type { UserObjects } from "./router/store-side.ts";
export type { LiveUpdates } from "./router/live-part.ts";
export type { SplitMode, SplitQueries } from "./router/split-part.ts";
export type { Observer, RequestEvent, RouterEvent, RouterReport } from "./router/report.ts";
export { dataPoints, jsonLines } from "./router/observers.ts";
export type { DisconnectAnswer } from "./router/live.ts";
export type { LimitsMode } from "./router/limits.ts";
export type { FileSide, FlagHint, Sides, StoreSide } from "./router/sides.ts";
export { type StoreOptions, type TransactionOptions, UserDataStore } from "./user-data-store.ts";
export { ADMIN_PREFIX, parseUserId } from "./wire/routes.ts";
export { type ErrorInfo, type ErrorKind, errorKind, errorResponse, WireError } from "./wire/errors.ts";
