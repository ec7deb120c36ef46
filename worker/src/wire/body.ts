// Reads request bodies: the content type first, never more bytes than the limit.
import { concatBytes } from "./binary.ts";
import { WireError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { parseJson } from "./parse-json.ts";

/**
 * The JSON of a request. It may come as `also`, too: firewalls look for SQL in what calls itself text.
 * @throws WireError unsupported-media-type, too-large, too-costly or bad-request
 */
export async function readJson(request: Request, also?: string): Promise<unknown> {
  demandType(request, "application/json", also);
  return parseJson(await readBytes(request), "body");
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
