// Numbers in the JSON of requests arrive as they were sent, or the request is refused and names them.
import { describe, expect, it } from "vitest";
import { parseQueryRequest } from "../../src/query/request.ts";
import { emitReal } from "../../src/query/values.ts";
import { readJson } from "../../src/wire/body.ts";
import { WireError } from "../../src/wire/errors.ts";
import { checkJson, parseJson } from "../../src/wire/parse-json.ts";
import { Random } from "../fuzz/random.ts";
import { bindings } from "../store/client.ts";

const EDGE = 2n ** 53n;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function post(text: string, url = "https://worker.test/query"): Request {
  return new Request(url, { method: "POST", headers: { "content-type": "application/json" }, body: text });
}

const digits = (random: Random, count: number): string =>
  Array.from({ length: count }, (_, i) => String(random.below(i === 0 ? 9 : 10) + (i === 0 ? 1 : 0))).join(
    "",
  );

function whole(random: Random): string {
  const near = (edge: bigint): string => String(edge + BigInt(random.below(9) - 4));
  const text = random.pick([
    () => String(random.below(1000)),
    () => near(EDGE),
    () => near(2n ** 63n),
    () => near(2n ** BigInt(40 + random.below(60))),
    () => digits(random, 1 + random.below(40)),
    () => digits(random, 14 + random.below(5)),
  ])();
  return random.below(3) === 0 ? `-${text}` : text;
}

function broken(random: Random): string {
  const mantissa = `${whole(random)}.${digits(random, 1 + random.below(25))}`;
  const exponent = `${random.pick(["e", "E"])}${random.pick(["", "+", "-"])}${random.below(450)}`;
  return random.pick([mantissa, mantissa + exponent, whole(random) + exponent]);
}

/** Texts that look like numbers and brackets, to lead a careless reader astray. */
function decoy(random: Random): string {
  const pieces = ['"', "\\", "9007199254740993", "1e400", "[", "]", "{", "}", ",", ":", "ä"];
  return JSON.stringify(Array.from({ length: random.below(6) }, () => random.pick(pieces)).join(""));
}

interface Sent {
  readonly text: string;
  readonly where: string;
  /** The number's parameter, out of the parsed request. */
  readonly find: (body: unknown) => unknown;
}

/** A request with the number as one of its parameters, and decoys around it. */
function around(random: Random, number: string): Sent {
  const [before, at] = [random.below(3), random.below(4)];
  const space = random.pick(["", " ", "\n\t"]);
  const others = (count: number): string[] => Array.from({ length: count }, () => decoy(random));
  const named = random.below(2) === 0;
  const positional = [...others(at), number, ...others(random.below(3))].join(`${space},`);
  const params = named ? `{"x":${decoy(random)},"v${at}":${space}${number}${space}}` : `[${positional}]`;
  const statement = `{"sql":${decoy(random)},${space}"params":${params}}`;
  const list = [...others(before).map((sql) => `{"sql":${sql}}`), statement].join(",");
  const params_ = (body: unknown) => parseQueryRequest(body).statements[before]?.params;
  return {
    text: `{"statements"${space}:${space}[${list}]}`,
    where: `statements[${before}].params${named ? `.v${at}` : `[${at}]`}`,
    find: (body) => {
      const found = params_(body);
      return found instanceof Map ? found.get(`v${at}`) : (found as readonly unknown[])[at];
    },
  };
}

async function refusal(text: string): Promise<WireError | undefined> {
  try {
    await readJson(post(text));
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}

const abs = (value: bigint): bigint => (value < 0n ? -value : value);

describe("a number that is generated", () => {
  it("is the INTEGER that was sent, or is refused", async () => {
    const random = new Random(1);
    let refused = 0;
    for (let round = 0; round < 1000; round++) {
      const number = whole(random);
      const { text, where, find } = around(random, number);
      const error = await refusal(text);
      if (abs(BigInt(number)) > EDGE) {
        refused++;
        expect(error, text).toMatchObject({ kind: "bad-request" });
        expect(
          error?.message.startsWith(`${where}: ${number.slice(0, 40)}`),
          `${text}: ${error?.message}`,
        ).toBe(true);
        expect(error?.message).toContain('{"int":"..."}');
      } else if (number === "-0") expect(error).toBeUndefined();
      else {
        const body = await readJson(post(text));
        expect(find(body), text).toEqual({ type: "integer", value: BigInt(number) });
      }
    }
    expect(refused).toBeGreaterThan(250);
  });

  it("is the nearest double where it has a fraction or an exponent, or is refused as too large", async () => {
    const random = new Random(2);
    let refused = 0;
    for (let round = 0; round < 1000; round++) {
      const number = broken(random);
      const { text, where, find } = around(random, number);
      const error = await refusal(text);
      if (Number.isFinite(Number(number))) {
        expect(error, text).toBeUndefined();
        const found = find(await readJson(post(text))) as { value: unknown };
        expect(Number(found.value), text).toBe(Number(number));
      } else {
        refused++;
        expect(error, text).toMatchObject({ kind: "bad-request" });
        expect(error?.message.startsWith(`${where}: `), `${text}: ${error?.message}`).toBe(true);
        expect(error?.message).toContain(`{"real":"${number.startsWith("-") ? "-" : ""}Infinity"}`);
      }
    }
    expect(refused).toBeGreaterThan(25);
  });
});

it("a REAL that is answered may be sent again", async () => {
  const random = new Random(3);
  for (let round = 0; round < 1000; round++) {
    const value = Number(broken(random));
    const sent = JSON.stringify({ statements: [{ sql: "", params: [emitReal(value)] }] });
    const { statements } = parseQueryRequest(await readJson(post(sent)));
    expect(statements[0]?.params).toEqual([{ type: "real", value }]);
  }
});

it.each(["1e400", "-1e400", "2e308"])('{"real":"%s"} does not become infinite', (text) => {
  const body = parseJson(
    bytes(JSON.stringify({ statements: [{ sql: "", params: [{ real: text }] }] })),
    "body",
  );
  expect(() => parseQueryRequest(body)).toThrow(/^statements\[0\]\.params\[0\]: "real" is beyond/);
});

it("no other text of JSON is refused for its numbers", () => {
  const random = new Random(4);
  const value = (depth: number): unknown =>
    random.pick<() => unknown>([
      () => random.below(2 ** 31),
      () => (random.below(2 ** 31) - 2 ** 30) / 1024,
      () => Number(EDGE) * random.pick([1, -1, 0.5]),
      () => JSON.parse(decoy(random)),
      () => random.pick([null, true, false]),
      () => (depth === 0 ? 0 : Array.from({ length: random.below(4) }, () => value(depth - 1))),
      () => (depth === 0 ? 0 : { [JSON.parse(decoy(random)) as string]: value(depth - 1) }),
    ])();
  for (let round = 0; round < 1000; round++) {
    const made = value(4);
    expect(parseJson(bytes(JSON.stringify(made, null, round % 3)), "body")).toEqual(made);
  }
});

it.each([
  ["a number alone", "9007199254740993", "body"],
  ["a member", '{"a":9007199254740993}', "a"],
  ["a member behind others", '{"a":[1,{"b":2}],"c":{"d":[[],[{}, 1e400]]}}', "c.d[1][1]"],
  ["what is no JSON", "[}:9007199254740993", "body"],
  ["what closes too much", "]]}{:[1,9007199254740993", ""],
  ["a text that does not end", '["9007199254740993', "body"],
  ["millions of digits", `[1${"0".repeat(3_000_000)}]`, "[0]"],
  ["millions of digits and a fraction", `[1${"0".repeat(3_000_000)}.5]`, "[0]"],
])("%s is named", async (_name, text, where) => {
  const error = await refusal(text);
  expect(error).toMatchObject({ kind: "bad-request" });
  expect(error?.message.startsWith(where), error?.message).toBe(true);
  expect(error?.message.length).toBeLessThan(300);
});

it("the depth is looked at in the same walk", () => {
  expect(() => checkJson(bytes("[".repeat(65)), "body")).toThrow(/^the body: over 64/);
});

it("the object's own route refuses them, too", async () => {
  const stub = bindings.STORE.getByName(`numbers-${crypto.randomUUID()}`);
  const text = '{"mode":"read","statements":[{"sql":"SELECT ?","params":[9007199254740993]}]}';
  const response = await stub.fetch(post(text, "https://store/query"));
  expect([response.status, await response.text()]).toEqual([
    400,
    expect.stringContaining("statements[0].params[0]: 9007199254740993"),
  ]);
});
