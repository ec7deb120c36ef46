// The error kinds of the wire (docs/wire-format.md, section 2), append-only: both ends share them.

/** Whether the same request may be sent again, and after what. */
export type Retry =
  | "no"
  | "yes"
  | "after-status"
  | "after-batches"
  | "after-digest"
  | "other-side"
  | "after-wait"
  | "with-idempotency-key";

interface KindRule {
  readonly status: number;
  readonly retry: Retry;
}

export const errorKinds = {
  unauthorized: { status: 401, retry: "no" },
  closed: { status: 503, retry: "no" },
  "not-found": { status: 404, retry: "no" },
  "method-not-allowed": { status: 405, retry: "no" },
  "unsupported-media-type": { status: 415, retry: "no" },
  "bad-request": { status: 400, retry: "no" },
  "bad-batch": { status: 400, retry: "no" },
  "too-large": { status: 413, retry: "no" },
  "protocol-version": { status: 400, retry: "no" },
  "claim-conflict": { status: 409, retry: "after-status" },
  "stale-claim": { status: 409, retry: "no" },
  "wrong-phase": { status: 409, retry: "no" },
  "batches-missing": { status: 409, retry: "after-batches" },
  "digest-incomplete": { status: 409, retry: "after-digest" },
  "digest-mismatch": { status: 422, retry: "no" },
  "schema-refused": { status: 422, retry: "no" },
  "rows-refused": { status: 422, retry: "no" },
  "file-changed": { status: 412, retry: "no" },
  "not-active": { status: 409, retry: "other-side" },
  "sql-error": { status: 400, retry: "no" },
  "write-in-read": { status: 400, retry: "no" },
  "integer-precision": { status: 400, retry: "no" },
  "cutover-in-progress": { status: 503, retry: "after-wait" },
  "outcome-unknown": { status: 502, retry: "with-idempotency-key" },
  overloaded: { status: 503, retry: "after-wait" },
  internal: { status: 500, retry: "yes" },
  "too-costly": { status: 422, retry: "no" },
  "not-split": { status: 409, retry: "no" },
  "file-missing": { status: 503, retry: "after-wait" },
  "set-back": { status: 503, retry: "no" },
  "metadata-names": { status: 422, retry: "no" },
  "application-threw": { status: 500, retry: "no" },
  "schema-failed": { status: 500, retry: "no" },
  "split-conflict": { status: 409, retry: "no" },
  "not-mounted": { status: 501, retry: "no" },
} as const satisfies Record<string, KindRule>;

export type ErrorKind = keyof typeof errorKinds;

/** What stands under "error" in every answer that is not a success. */
export interface ErrorInfo {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An error with a stable kind. Its message is shown to the caller, so it never holds a secret. */
export class WireError extends Error {
  override readonly name = "WireError";
  readonly kind: ErrorKind;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    details?: Readonly<Record<string, unknown>>,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.kind = kind;
    this.details = details;
  }

  get status(): number {
    return errorKinds[this.kind].status;
  }

  get retry(): Retry {
    return errorKinds[this.kind].retry;
  }

  get info(): ErrorInfo {
    return this.details === undefined
      ? { kind: this.kind, message: this.message }
      : { kind: this.kind, message: this.message, details: this.details };
  }
}

/** How many errors a library may have put around ours. */
const MOST_CAUSES = 16;

/** The kind of an error that the package threw, also where a library threw its own with ours as the `cause`. */
export function errorKind(error: unknown): ErrorKind | undefined {
  for (let depth = 0; depth < MOST_CAUSES && error instanceof Error; depth++) {
    const { kind } = error as { readonly kind?: unknown };
    if (typeof kind === "string" && Object.hasOwn(errorKinds, kind)) return kind as ErrorKind;
    error = error.cause;
  }
  return undefined;
}

/** What applications mount only if they use it (docs/mount.md). */
export type Part = "live" | "split";

const PARTS = {
  live: "live updates: give the router and the store `live: liveUpdates` of @dbmigrate/worker/live-updates",
  split: "split mode: give the router and the store `split: splitMode` of @dbmigrate/worker/split",
} as const satisfies Record<Part, string>;

/** The refusal of what needs a part that is not there. */
export function notMounted(part: Part): WireError {
  return new WireError("not-mounted", `this Worker is mounted without ${PARTS[part]}; nothing was changed`);
}

/** A 405; `allow` is the method that the route takes. */
export function methodNotAllowed(method: string, allow: string): WireError {
  return new WireError("method-not-allowed", `the route takes ${allow}, not ${method}`, { allow });
}

/** A malformed field: `where` names it, `expected` says what should have stood there. */
export function badRequest(where: string, expected: string): WireError {
  return new WireError("bad-request", `${where}: expected ${expected}`);
}

/** Whatever was thrown, as a WireError; what we did not throw ourselves becomes `internal`. */
export function asWireError(thrown: unknown): WireError {
  if (thrown instanceof WireError) return thrown;
  const message = messageOf(thrown);
  return new WireError("internal", message === "" ? "unknown error" : message, undefined, { cause: thrown });
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The error as an HTTP answer, with the headers that its kind calls for. */
export function errorResponse(thrown: unknown): Response {
  const error = asWireError(thrown);
  const headers = new Headers({ "cache-control": "no-store" });
  if (error.kind === "unauthorized") headers.set("www-authenticate", "Bearer");
  if (typeof error.details?.["allow"] === "string") headers.set("allow", error.details["allow"]);
  if (error.retry === "after-wait") headers.set("retry-after", "1");
  return Response.json({ error: error.info }, { status: error.status, headers });
}
