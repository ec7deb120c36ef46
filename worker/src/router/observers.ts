// Ready observers: a log of JSON lines, and Analytics Engine.
import type { Observer, RequestEvent } from "./report.ts";

/** Writes each event as one line of JSON. Users' names are in it, values and parameters are not. */
export function jsonLines(write: (line: string) => void = (line) => console.log(line)): Observer {
  return (event) => write(JSON.stringify(event));
}

/**
 * Writes each request into an Analytics Engine dataset: index the user; blobs side, mode, scope, error; doubles
 * hops, retries, bytes loaded, milliseconds waited, milliseconds in all. Other events go to `others`, by
 * default to the log.
 */
export function dataPoints(dataset: AnalyticsEngineDataset, others: Observer = warn): Observer {
  return (event) => (event.kind === "request" ? dataset.writeDataPoint(pointOf(event)) : others(event));
}

function pointOf(event: RequestEvent): AnalyticsEngineDataPoint {
  const { user, side, mode, scope, error, hops, retries, bytesLoaded, waitMs, durationMs } = event;
  return {
    indexes: [indexOf(user)],
    blobs: [side ?? "none", mode, scope, error ?? ""],
    doubles: [hops, retries, bytesLoaded, waitMs, durationMs],
  };
}

/** An index has at most 96 bytes. */
const INDEX_BYTES = 96;

function indexOf(user: string): string {
  const bytes = new TextEncoder().encode(user);
  if (bytes.length <= INDEX_BYTES) return user;
  return new TextDecoder().decode(bytes.subarray(0, INDEX_BYTES)).replace(/\ufffd+$/, "");
}

const warn = jsonLines((line) => console.warn(`dbmigrate router: ${line}`));
