// The sample application for users who are busy while they move (test/faults, TestHundredBusyUsers): each
// request meets one of three routers that know nothing of each other's saves, as in isolates of their own.
// Nothing here is part of what users deploy.
import sample, { type Env } from "../sample/index.ts";
import { answerUsers, userRoute } from "../service/routes.ts";
import { parts } from "../service/mounted.ts";
import { isCaller } from "../sample/caller.ts";
import { errorResponse, routeBetween, type RequestEvent, type RouterEvent } from "../src/index.ts";
import type { Sides } from "../src/router/sides.ts";
import { Saves } from "../src/router/announced.ts";
import { KvFlagHint } from "../src/router/flag-hint.ts";
import { R2FileSide } from "../src/router/file-side.ts";
import { DurableStoreSide } from "../src/router/store-side.ts";

export { UserDataStore } from "../sample/index.ts";

const ISOLATES = 3;
const MOST_BYTES = 32 * 1024 * 1024;

const isolates: Sides[] = [];

/** The admin routes' own isolate is none of them. */
function someIsolate(env: Env): Sides {
  while (isolates.length < ISOLATES) isolates.push(isolate(env));
  return isolates[Math.floor(Math.random() * ISOLATES)] as Sides;
}

function isolate({ BUCKET, FLAGS, USER_DATA }: Env): Sides {
  const keyOf = (user: string): string => `${user}/database.sqlite`;
  return {
    flag: new KvFlagHint(FLAGS, undefined),
    files: new R2FileSide(BUCKET, keyOf, MOST_BYTES, undefined, undefined, new Saves()),
    store: new DurableStoreSide(USER_DATA, undefined),
  };
}

/** The answer says how it came about. */
async function answer(request: Request, env: Env): Promise<Response> {
  let trip = "";
  const observe = (event: RouterEvent): void => {
    if (event.kind === "request") trip = told(event);
  };
  const options = { path: "auto", deadlineMs: 5000, maxFileBytes: MOST_BYTES, observe, ...parts } as const;
  let response: Response;
  try {
    response = await answerUsers(request, routeBetween(someIsolate(env), options), "write");
  } catch (error) {
    response = errorResponse(error);
  }
  response.headers.set("Test-Trip", trip);
  return response;
}

function told({ side, error, hops, waitMs, durationMs }: RequestEvent): string {
  const sides = `${hops} ${hops === 1 ? "side" : "sides"} asked`;
  return `${error ?? `by ${side ?? "none"}`}; ${sides}, ${waitMs} of ${durationMs} ms in pauses`;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (!new URL(request.url).pathname.startsWith("/api/users/")) return sample.fetch(request, env);
    try {
      if (userRoute(request).route === "live" || !isCaller(request, env.APP_TOKEN))
        return sample.fetch(request, env);
      return await answer(request, env);
    } catch (error) {
      return errorResponse(error);
    }
  },
} satisfies ExportedHandler<Env>;
