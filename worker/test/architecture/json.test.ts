// One function reads the JSON of requests: what it refuses, every route refuses.
import { expect, it } from "vitest";

const sources = {
  ...import.meta.glob("../../src/**/*.ts", { query: "?raw", import: "default", eager: true }),
  ...import.meta.glob("../../service/**/*.ts", { query: "?raw", import: "default", eager: true }),
  ...import.meta.glob("../../sample/**/*.ts", { query: "?raw", import: "default", eager: true }),
};

/** Others that read JSON, and what it is: none of it is a request, or none of its numbers may be large. */
const others: Readonly<Record<string, string>> = {
  "src/wire/batch.ts": "a frame's header, with counts only",
  "src/wire/marker.ts": "a tombstone",
  "src/state/large-values.ts": "what the object remembers",
  "src/admin/admin.ts": "an answer of the object",
  "src/admin/composites/place.ts": "an answer of the object",
  "service/backends.ts": "a variable of the configuration",
};

it("is the only one that calls JSON.parse or json()", () => {
  const readers = Object.entries(sources)
    .filter(([, text]) => /\bJSON\.parse\(|\.json(<[^(]*>)?\(\)/.test(String(text)))
    .map(([path]) => path.slice("../../".length));
  expect(readers.sort()).toEqual(["src/wire/parse-json.ts", ...Object.keys(others)].sort());
});
