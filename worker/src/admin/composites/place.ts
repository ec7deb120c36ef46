// What a composite request works with: the user's file and the user's object, and nothing else. Each of its
// steps is the effect of one single request, durable before the next step begins. So the Worker may die
// between any two, and the next command finds a state that the single requests could have left
// (docs/cutover.md, "Composite requests").
import { WireError, errorKinds, type ErrorKind, messageOf } from "../../wire/errors.ts";
import { type JsonObject, asObject } from "../../wire/json.ts";
import { isApplications } from "../thrown.ts";
import { type UserRoute, userPath, userRoutes } from "../../wire/routes.ts";

/** Where a composite works. */
export interface Place {
  readonly user: string;
  /** Of the user's file. */
  readonly key: string;
  readonly bucket: R2Bucket;
  readonly object: ObjectSteps;
}

/** Answers one composite request. */
export type Composite = (request: Request, place: Place) => Promise<object | Uint8Array>;

/** A stub of any class that answers the admin routes. */
export type Fetcher = Pick<DurableObjectStub, "fetch">;

/** Sends an object the messages that an operator would send it. */
export class ObjectSteps {
  readonly #stub: Fetcher;
  readonly #user: string;
  readonly #request: Request;

  constructor(stub: Fetcher, user: string, request: Request) {
    this.#stub = stub;
    this.#user = user;
    this.#request = request;
  }

  /** Sends a message, JSON or bytes, and reads the JSON of its answer. @throws WireError as the object does */
  async ask(
    route: UserRoute,
    body?: JsonObject | Uint8Array,
    query: Readonly<Record<string, string>> = {},
  ): Promise<JsonObject> {
    const response = await this.send(route, body, query);
    return asObject(await response.json(), route);
  }

  /** Sends a message, and returns its answer as it came. @throws WireError as the object does */
  async send(
    route: UserRoute,
    body?: JsonObject | Uint8Array,
    query: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const { url, headers } = this.#request;
    const to = new URL(userPath(this.#user, route), url);
    to.search = new URLSearchParams(query).toString();
    const binary = body instanceof Uint8Array;
    const request = new Request(to, {
      method: userRoutes[route].method,
      headers: {
        authorization: headers.get("authorization") ?? "",
        ...(body !== undefined && {
          "content-type": binary ? "application/octet-stream" : "application/json",
        }),
      },
      ...(body !== undefined && { body: binary ? body : JSON.stringify(body) }),
    });
    const response = await fetchFrom(this.#stub, request);
    if (!response.ok) throw await refusalOf(response);
    return response;
  }
}

/** Asks the object. Admin messages are idempotent, so the caller may repeat one after its answer was lost. */
export async function fetchFrom(stub: Fetcher, request: Request): Promise<Response> {
  try {
    return await stub.fetch(request);
  } catch (cause) {
    throw unreachable(cause);
  }
}

function unreachable(cause: unknown): WireError {
  if (isApplications(cause))
    return new WireError("application-threw", messageOf(cause).slice(0, 500), undefined, { cause });
  const overloaded = cause instanceof Error && "overloaded" in cause && cause.overloaded === true;
  return new WireError(
    overloaded ? "overloaded" : "internal",
    `ask the Durable Object: ${messageOf(cause)}`,
    undefined,
    { cause },
  );
}

/** The object's own refusal. */
async function refusalOf(response: Response): Promise<WireError> {
  const body = (await response.json().catch(() => ({}))) as { error?: Record<string, unknown> };
  const { kind, message, details } = body.error ?? {};
  if (typeof kind !== "string" || !isKind(kind))
    return new WireError("internal", `the Durable Object answered HTTP ${response.status}`);
  const known = typeof details === "object" && details !== null ? { ...details } : undefined;
  return new WireError(kind, String(message), known);
}

function isKind(kind: string): kind is ErrorKind {
  return Object.hasOwn(errorKinds, kind);
}

/** Runs one step, and names it in what it throws: the operator's side may go on from there. */
export async function step<T>(name: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (!(cause instanceof WireError))
      throw new WireError("internal", `${name}: ${messageOf(cause)}`, { step: name }, { cause });
    throw new WireError(cause.kind, cause.message, { ...cause.details, step: name }, { cause });
  }
}
