// Reads request bodies: the content type first, never more bytes than the limit.
import { concatBytes } from "./binary.ts";
import { WireError } from "./errors.ts";
import { LIMITS, QUERY_LIMITS } from "./limits.ts";

/**
 * The JSON of a request. It may come as `also`, too: firewalls look for SQL in what calls itself text.
 * @throws WireError unsupported-media-type, too-large, too-costly or bad-request
 */
export async function readJson(request: Request, also?: string): Promise<unknown> {
  demandType(request, "application/json", also);
  const bytes = await readBytes(request);
  refuseDeep(bytes);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch (cause) {
    throw new WireError("bad-request", "the body is not JSON in UTF-8", undefined, { cause });
  }
}

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [
  0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d,
];

/**
 * Refuses what JSON.parse and all that follow it would have to go down into, before they begin.
 * @throws WireError too-costly
 */
export function refuseDeep(json: Uint8Array): void {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfText(json, at);
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
    else if ((byte === OPEN_LIST || byte === OPEN_OBJECT) && ++depth > QUERY_LIMITS.jsonDepth) {
      throw new WireError(
        "too-costly",
        `the body: over ${QUERY_LIMITS.jsonDepth} objects and arrays in each other`,
      );
    }
  }
}

/** Where the text ends that begins at `start`. */
function endOfText(json: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}

/**
 * The bytes of a request.
 * @throws WireError unsupported-media-type or too-large
 */
export async function readBinary(request: Request): Promise<Uint8Array> {
  demandType(request, "application/octet-stream");
  return readBytes(request);
}

function demandType(request: Request, expected: string, also = expected): void {
  const given = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (given !== expected && given !== also)
    throw new WireError("unsupported-media-type", `content-type: expected ${expected}`);
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const announced = request.headers.get("content-length");
  if (Number(announced) > LIMITS.batchBytes) throw tooLarge();
  if (announced !== null) return readWhole(request);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.body ?? []) {
    size += part.byteLength;
    if (size > LIMITS.batchBytes) throw tooLarge();
    parts.push(part);
  }
  return concatBytes(parts);
}

// The runtime hands out parts of 4 KB; to gather them here takes three times as long as to let it gather
// them.
async function readWhole(request: Request): Promise<Uint8Array> {
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.length > LIMITS.batchBytes) throw tooLarge();
  return bytes;
}

function tooLarge(): WireError {
  return new WireError("too-large", `the body is over ${LIMITS.batchBytes} bytes`, {
    limit: LIMITS.batchBytes,
  });
}
