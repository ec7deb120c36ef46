// What the bodies of composite requests, and the file of a fence, take of the memory that the isolate shares
// with the application's requests: those hold users' files (src/router/room.ts).
import { DEFAULT_LOADED_BYTES, isolateRoom } from "../../router/room.ts";
import { step } from "./place.ts";

/** A body is held as it came, and as it is sent on. */
const COPIES = 2;
/** For so long a request waits for room. Nothing is claimed yet, so no user waits with it. */
const PATIENCE_MS = 2000;

/**
 * Runs `work` while `bytes` of a body have room. Without room nothing is done, at the step `room`: the single
 * requests need none, and the operator's side takes those.
 * @throws WireError overloaded, and what `work` throws
 */
export async function holding<T>(bytes: number, work: () => Promise<T>): Promise<T> {
  const release = await step("room", () => roomFor(bytes));
  try {
    return await work();
  } finally {
    release();
  }
}

/**
 * Waits for room for a body or a file.
 * @returns gives the room back
 * @throws WireError overloaded
 */
export function roomFor(bytes: number): Promise<() => void> {
  return isolateRoom.take({ ...spaceOf(bytes), deadline: Date.now() + PATIENCE_MS });
}

/** The same, if there is room at once. */
export function roomAtOnce(bytes: number): (() => void) | undefined {
  return isolateRoom.takeAtOnce(spaceOf(bytes));
}

function spaceOf(bytes: number): { readonly bytes: number; readonly limit: number } {
  return { bytes: bytes * COPIES, limit: DEFAULT_LOADED_BYTES };
}

/** The length of a body that a request announces, or the longest that it may have. */
export function announced(request: Request, longest: number): number {
  const length = Number(request.headers.get("content-length") ?? longest);
  return Number.isSafeInteger(length) && length >= 0 ? Math.min(length, longest) : longest;
}
