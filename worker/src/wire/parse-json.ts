// Reads the JSON of requests: every number in it is the one that was sent, or the request is refused by name.
import { WireError, badRequest } from "./errors.ts";
import { MAX_EXACT_INTEGER, QUERY_LIMITS } from "./limits.ts";

/**
 * What the JSON says. JSON.parse alone would round whole numbers beyond 2^53 and make 1e400 infinite.
 * @param where names it in errors
 * @throws WireError too-costly or bad-request
 */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  checkJson(bytes, where);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch (cause) {
    const { kind, message } = badRequest(where, "JSON in UTF-8");
    throw new WireError(kind, message, undefined, { cause });
  }
}

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT, COMMA, COLON] = [
  0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d, 0x2c, 0x3a,
];
const [PLUS, MINUS, DOT, ZERO, NINE, UPPER_E, LOWER_E] = [0x2b, 0x2d, 0x2e, 0x30, 0x39, 0x45, 0x65];

/**
 * Refuses what JSON.parse would have to go down into too far, and numbers that it would change, before it
 * begins: in one walk, since a body is read for every request.
 * @throws WireError too-costly or bad-request
 */
export function checkJson(json: Uint8Array, where: string): void {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] as number;
    if (byte === QUOTE) at = endOfText(json, at);
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > QUERY_LIMITS.jsonDepth) throw tooDeep(where);
    } else if (byte === MINUS || isDigit(byte)) at = checkNumber(json, at, where);
  }
}

/** Where the text ends that begins at `start`. */
function endOfText(json: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}

const LARGEST = String(MAX_EXACT_INTEGER);

/** Where the number ends that begins at `start`: its last byte. @throws WireError bad-request */
function checkNumber(json: Uint8Array, start: number, where: string): number {
  let [end, isWhole, hasExponent] = [start + 1, true, false];
  for (; end < json.length; end++) {
    const byte = json[end] as number;
    if (isDigit(byte)) continue;
    if (byte === LOWER_E || byte === UPPER_E) hasExponent = true;
    else if (byte !== DOT && byte !== MINUS && byte !== PLUS) break;
    isWhole = false;
  }
  const safe = isWhole ? SAFE_LENGTH : hasExponent ? 0 : FINITE_LENGTH;
  if (end - start > safe) demandExact(json, start, end, where);
  return end - 1;
}

/** Up to these lengths no look is needed at what the digits are. */
const SAFE_LENGTH = LARGEST.length - 1;
const FINITE_LENGTH = String(10n ** 308n).length;

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function demandExact(json: Uint8Array, start: number, end: number, where: string): void {
  const text = asciiOf(json, start, end);
  const digits = /^-?(\d+)$/.exec(text)?.[1];
  if (digits !== undefined) {
    if (isBeyond(digits)) throw beyondExact(text, json, start, where);
  } else if (Math.abs(Number(text)) === Infinity) throw beyondReal(text, json, start, where);
}

// Compared as texts: to make a number of millions of digits takes long.
function isBeyond(digits: string): boolean {
  return digits.length === LARGEST.length ? digits > LARGEST : digits.length > LARGEST.length;
}

function tooDeep(where: string): WireError {
  return new WireError(
    "too-costly",
    `the ${where}: over ${QUERY_LIMITS.jsonDepth} objects and arrays in each other`,
  );
}

function beyondExact(text: string, json: Uint8Array, at: number, where: string): WireError {
  const said = "is a whole number beyond 2^53, which readers of JSON round";
  const instead = 'send {"int":"..."} for an INTEGER, or {"real":"..."} for a REAL';
  return new WireError("bad-request", `${pathOf(json, at) || where}: ${shown(text)} ${said}; ${instead}`);
}

function beyondReal(text: string, json: Uint8Array, at: number, where: string): WireError {
  const infinity = text.startsWith("-") ? "-Infinity" : "Infinity";
  const said = `is beyond the largest REAL; for an infinite one, send {"real":"${infinity}"}`;
  return new WireError("bad-request", `${pathOf(json, at) || where}: ${shown(text)} ${said}`);
}

const SHOWN = 40;

function shown(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
}

/** Where in the JSON the byte stands, such as `statements[0].params[1]`: only looked for when it is refused. */
function pathOf(json: Uint8Array, target: number): string {
  const path: (number | readonly [start: number, end: number])[] = [];
  let text: readonly [start: number, end: number] = [0, 0];
  for (let at = 0; at < target; at++) {
    const last = path.length - 1;
    const inner = path[last];
    switch (json[at]) {
      case QUOTE:
        text = [at, (at = endOfText(json, at))];
        break;
      case OPEN_LIST:
        path.push(0);
        break;
      case OPEN_OBJECT:
        path.push(text);
        break;
      case COLON:
        if (inner !== undefined) path[last] = text;
        break;
      case COMMA:
        if (typeof inner === "number") path[last] = inner + 1;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        path.pop();
    }
  }
  const steps = path.map((step) =>
    typeof step === "number" ? `[${step}]` : `.${nameAt(json, step[0], step[1])}`,
  );
  return steps.join("").replace(/^\./, "");
}

function nameAt(json: Uint8Array, start: number, end: number): string {
  const bytes = Uint8Array.from(
    { length: Math.min(end - start - 1, 100) },
    (_, i) => json[start + 1 + i] ?? 0,
  );
  return new TextDecoder().decode(bytes);
}

function asciiOf(json: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(json[at] as number);
  return text;
}
