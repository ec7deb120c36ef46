// Generated hostile requests over a file: each ends, with an answer or a documented refusal, within counted
// work.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_MAX_FILE_BYTES, runOnFile } from "../../src/file/engine.ts";
import { STEPS_AT_ONCE, stepsLeft } from "../../src/file/steps.ts";
import { parseQueryRequest } from "../../src/query/request.ts";
import { checkJson } from "../../src/wire/parse-json.ts";
import { WireError } from "../../src/wire/errors.ts";
import { QUERY_LIMITS } from "../../src/wire/limits.ts";
import { some } from "../effort.ts";
import {
  DOCUMENTED,
  HOSTILE_SETUP,
  KINDS,
  type Kind,
  firstTooLarge,
  hostileRequest,
} from "../hostile-requests.ts";
import { Figures, overBudget, sizeOf } from "../hostile-work.ts";

/** Fewer than a request has, for the tests to end soon. */
const STEPS = 2_000_000;
/** SQLite's own memory, and four times what a small file may grow to. */
const MEMORY = (64 + 4 * 4) * 1024 * 1024;
/** The tests count work; this only ends one that hangs. */
const PATIENCE_MS = 1_200_000;
const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);

const figures = new Figures();
let file: Uint8Array = new Uint8Array(0);
let memory = 0;

beforeAll(() => {
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (this: WebAssembly.Memory, pages: number) {
    const before = grow.call(this, pages);
    memory = Math.max(memory, this.buffer.byteLength);
    return before;
  };
  const statements = HOSTILE_SETUP.map((sql) => ({ sql }));
  file = runOnFile(file, parseQueryRequest({ statements }), DEFAULT_MAX_FILE_BYTES).changed ?? file;
});

afterAll(() => console.log(figures.table("steps")));

interface Ended {
  readonly kind: string;
  readonly rows: number;
  readonly bytes: number;
  readonly steps: number;
}

function run(kind: Kind, seed: number, steps = STEPS): Ended {
  const { request } = hostileRequest(kind, seed);
  memory = 0;
  try {
    const { results } = runOnFile(file, parseQueryRequest(request), DEFAULT_MAX_FILE_BYTES, steps);
    return { kind: "answer", ...sizeOf(results), steps: steps - stepsLeft() };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { kind: error.kind, rows: 0, bytes: error.message.length, steps: steps - stepsLeft() };
  }
}

describe.each(KINDS)("hostile requests over a file: %s", (kind) => {
  it("end within their budget", { timeout: PATIENCE_MS }, () => {
    const large = firstTooLarge(kind, SEEDS);
    for (const seed of [...large, ...some(`hostile requests of ${kind}`, SEEDS, 6)]) {
      const ended = run(kind, seed);
      const what = `${kind} ${seed}`;
      expect([...DOCUMENTED, "answer"], what).toContain(ended.kind);
      expect(overBudget(ended), what).toBe("");
      expect(ended.steps, what).toBeLessThanOrEqual(STEPS + STEPS_AT_ONCE);
      expect(memory, what).toBeLessThanOrEqual(MEMORY);
      figures.add(kind, ended.kind, ended.steps);
    }
    // The isolate serves the next user.
    expect(
      runOnFile(file, parseQueryRequest({ statements: [{ sql: "SELECT count(*) FROM t" }] })).results[0]
        ?.rows,
    ).toEqual([[300]]);
  });
});

describe("a generated request finds", () => {
  const found = (
    seeds: readonly number[],
    kind: Kind,
    steps: number,
    over: (ended: Ended) => boolean,
  ): boolean => seeds.some((seed) => over(run(kind, seed, steps)));

  it.each([
    ["resultRows", "recursion"],
    ["resultBytes", "results"],
    ["resultBytes", "columns"],
  ] as const)(
    "a budget of %s that is no budget, among those of %s",
    { timeout: PATIENCE_MS },
    (limit, kind) => {
      const limits: Record<string, number> = QUERY_LIMITS;
      const [was, most] = [QUERY_LIMITS[limit], { ...QUERY_LIMITS }];
      const seeds = SEEDS.filter((seed) => {
        const { bytes } = hostileRequest(kind, seed);
        return kind === "recursion" || (bytes > most.resultBytes && bytes < 10 * most.resultBytes);
      });
      limits[limit] = was * 2;
      try {
        expect(found(seeds, kind, 20 * STEPS, (ended) => overBudget(ended, most) !== "")).toBe(true);
      } finally {
        limits[limit] = was;
      }
    },
  );

  it("steps that nobody counts", () => {
    expect(found(SEEDS, "recursion", 4 * STEPS, ({ steps }) => steps > STEPS + STEPS_AT_ONCE)).toBe(true);
  });
});

describe("a hostile body", () => {
  it("is read once, whatever it holds", () => {
    let state = 1;
    const below = (n: number) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % n;
    const pieces = [
      "[",
      "]",
      "{",
      "}",
      '"',
      "\\",
      '"a":',
      "1",
      ",",
      '"[{',
      '\\"',
      "e",
      ".",
      "9007199254740993",
    ];
    for (let round = 0; round < 200; round++) {
      const text = Array.from(
        { length: 1 + below(300) },
        () => pieces[below(below(2) === 0 ? 2 : pieces.length)],
      ).join("");
      const bytes = new TextEncoder().encode(text.repeat(1 + below(5)));
      let [read, twice] = [0, 1];
      const counted = new Proxy(bytes, {
        get: (_, name) => {
          if (typeof name === "string" && /^\d+$/.test(name)) read++;
          return Reflect.get(bytes, name, bytes) as unknown;
        },
      });
      try {
        checkJson(counted, "body");
      } catch (error) {
        expect(error).toMatchObject({ kind: expect.stringMatching(/^(too-costly|bad-request)$/) as unknown });
        twice = 2;
      }
      // A byte of a text is looked at twice, one of a long number four times; and all again to name a place.
      expect(read).toBeLessThanOrEqual(twice * 4 * bytes.length + 200);
    }
  });
});
