// A random generator that repeats: the same seed gives the same inputs on every machine (splitmix32).
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to, but not with, `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % limit;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}

/** The bytes with a few changes: some overwritten, cut out, doubled, put in. */
export function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  let out = [...bytes];
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(out.length + 1);
    const span = random.below(8);
    const part = Array.from({ length: span }, () =>
      random.pick([random.below(256), 0, 255, 0x7f, 0x3a, 0x3b, 0x49]),
    );
    switch (random.below(4)) {
      case 0:
        out.splice(at, span, ...part.slice(0, Math.max(0, out.length - at)));
        break;
      case 1:
        out.splice(at, span);
        break;
      case 2:
        out.splice(at, 0, ...out.slice(at, at + span));
        break;
      default:
        out.splice(at, 0, ...part);
    }
    out = out.slice(0, 1 << 16);
  }
  return Uint8Array.from(out);
}

const CHARACTERS = [
  ..."aAx'\"`[](){},;:?@#$%/\\.*-+=<>|&~!0123456789eE \n\r\t\0",
  "é",
  "𝕊",
  "\ud800",
  "\ufeff",
  "--",
  "/*",
  "*/",
  "''",
  " UNION ",
  " LIMIT ",
  "CREATE TRIGGER ",
  "; END",
  "PRAGMA ",
  "WITH a AS (",
  "{user}",
];

/** The text with a few changes. */
export function mutateText(random: Random, text: string): string {
  let out = text;
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(out.length + 1);
    const put = random.below(3) === 0 ? "" : random.pick(CHARACTERS);
    out = (out.slice(0, at) + put + out.slice(at + random.below(4))).slice(0, 5000);
  }
  return out;
}

const SCALARS: readonly unknown[] = [
  null,
  true,
  0,
  -0,
  1,
  -1,
  2 ** 53,
  2 ** 31,
  1e300,
  0.5,
  "",
  "x",
  "__proto__",
  "-9223372036854775808",
  "9223372036854775808",
  "00",
  "=",
  "AA==",
  "fff0000000000000",
  "7ff8000000000001",
  {},
  [],
  { int: "5" },
  { real: "0000000000000080" },
  { text: "YQ==" },
  { blob: "" },
];

/** The JSON value with one place changed: a member or element replaced, taken away, added. */
export function mutateJson(random: Random, value: unknown): unknown {
  if (typeof value !== "object" || value === null || random.below(6) === 0) {
    return typeof value === "string" && random.below(2) === 0
      ? mutateText(random, value)
      : random.pick(SCALARS);
  }
  if (Array.isArray(value)) return mutateList(random, value);
  const entries = Object.entries(value);
  const changed = mutateList(random, entries).map((entry): [string, unknown] =>
    Array.isArray(entry) && typeof entry[0] === "string" ? [entry[0], entry[1]] : ["x", entry],
  );
  return Object.fromEntries(changed);
}

function mutateList(random: Random, list: readonly unknown[]): unknown[] {
  const at = random.below(list.length + 1);
  const item = list[at];
  switch (random.below(5)) {
    case 0:
      return list.toSpliced(at, 1);
    case 1:
      return list.toSpliced(at, 0, random.pick([...SCALARS, ...list]));
    default:
      return list.map((other, index) => {
        if (index !== at) return other;
        const entry = Array.isArray(item) && item.length === 2 && typeof item[0] === "string";
        return entry ? [item[0], mutateJson(random, item[1])] : mutateJson(random, other);
      });
  }
}
