// The mark that a cutover leaves in a user's file (docs/cutover.md, section 1). It stands in bytes of the
// SQLite header that SQLite ignores, so the ETag covers it; a copy in custom metadata is for people and never
// decides.

const HEADER_BYTES = 100;
const MARK = { offset: 72, fence: "DMF1", splitFence: "DMS1", stamp: "DMU1" } as const;
const TOMBSTONE = "dbmigrate tombstone 1\n";

/** Enough of an object to classify any database file; a tombstone may be longer. */
export const PEEK_BYTES = 4096;

/**
 * Nobody has taken the file over: it is authoritative. `stamp` is the claim that last gave it back, 0 if none
 * did.
 */
export interface Unfenced {
  readonly fenced: false;
  readonly stamp: number;
}

/** The file belongs to a Durable Object of lineage `lin`, or to a cutover under way. */
export interface Fenced {
  readonly fenced: true;
  readonly lin: number;
  readonly non: number;
  /** Whether it is a fence of split mode, under which a Durable Object holds cold rows only. */
  readonly split: boolean;
  /** A tombstone is what gc leaves of a file: the fence and no content. */
  readonly kind: "file" | "tombstone";
}

export type Mark = Unfenced | Fenced;

/** An absent object is unfenced: the one who creates it decides. */
export const ABSENT: Unfenced = { fenced: false, stamp: 0 };

/**
 * Reads the mark of a whole object.
 * @throws Error for a tombstone that cannot be read: what it fences must not be taken for unfenced
 */
export function classify(bytes: Uint8Array): Mark {
  if (isTombstone(bytes)) return classifyTombstone(bytes);
  if (bytes.byteLength < HEADER_BYTES) return ABSENT;
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const first = header.getUint32(MARK.offset + 4);
  const magic = ascii(bytes.subarray(MARK.offset, MARK.offset + 4));
  switch (magic) {
    case MARK.fence:
    case MARK.splitFence: {
      const non = header.getUint32(MARK.offset + 8);
      return { fenced: true, lin: first, non, split: magic === MARK.splitFence, kind: "file" };
    }
    case MARK.stamp:
      return { fenced: false, stamp: first };
    default:
      return ABSENT;
  }
}

/** Whether the object is, or starts like, a tombstone: `classify` then needs all of it. */
export function isTombstone(bytes: Uint8Array): boolean {
  return ascii(bytes.subarray(0, TOMBSTONE.length)) === TOMBSTONE;
}

/** The id of the deletion that left a tombstone; "" of any other. */
export function readDeletion(bytes: Uint8Array): string {
  const { receipt } = recordOf(bytes);
  const id =
    typeof receipt === "object" && receipt !== null && "forgotten" in receipt ? receipt.forgotten : "";
  return typeof id === "string" ? id : "";
}

function recordOf(bytes: Uint8Array): Record<string, unknown> {
  const text = new TextDecoder().decode(bytes.subarray(TOMBSTONE.length));
  return parseRecord(text.split("\n", 1)[0] ?? "");
}

function classifyTombstone(bytes: Uint8Array): Fenced {
  const record = recordOf(bytes);
  const [lin, non] = [record["lin"], record["non"]];
  if (!isClaim(lin) || !isClaim(non)) throw new Error("read tombstone: it names no lineage and nonce");
  return { fenced: true, lin, non, split: false, kind: "tombstone" };
}

function parseRecord(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch (cause) {
    throw new Error("read tombstone: its second line is not JSON", { cause });
  }
}

function isClaim(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= 0xffff_ffff;
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
