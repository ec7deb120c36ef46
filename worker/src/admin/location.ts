import { WireError } from "../wire/errors.ts";

/**
 * Where Cloudflare places Durable Objects
 * (developers.cloudflare.com/durable-objects/reference/data-location).
 */
const LOCATION_HINTS = [
  "wnam",
  "enam",
  "sam",
  "weur",
  "eeur",
  "apac",
  "apac-ne",
  "apac-se",
  "oc",
  "afr",
  "me",
] as const;

type LocationHint = (typeof LOCATION_HINTS)[number];

/**
 * Reads a location hint: absent is none. A misspelt one is refused, since an object never moves once it is
 * created.
 */
export function parseLocationHint(value: string | null): LocationHint | undefined {
  if (value === null || value === "") return undefined;
  const hint = LOCATION_HINTS.find((known) => known === value);
  if (hint === undefined)
    throw new WireError("bad-request", `location hint: expected one of ${LOCATION_HINTS.join(", ")}`);
  return hint;
}
