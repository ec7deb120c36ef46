// The file of a user who began in the Durable Object: an empty database, as SQLite makes it, under a fence. It
// is a database, and no tombstone without content, so that every command finds what a migrate leaves.

const PAGE_BYTES = 4096;
const FENCE = "DMF1";
/** The header's bytes that a mark changes. */
const MARKED = { writeVersion: 18, readVersion: 19, from: 72, to: 92 } as const;
const POISON = 255;

/** One page: the header, and a schema table without rows. */
export function emptyDatabase(): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  page.set(new TextEncoder().encode("SQLite format 3\0"));
  view.setUint16(16, PAGE_BYTES);
  page.set([1, 1, 0, 64, 32, 32], 18); // versions, reserved bytes, and fractions that SQLite fixes
  view.setUint32(24, 1); // change counter
  view.setUint32(28, 1); // pages
  view.setUint32(44, 4); // schema format
  view.setUint32(56, 1); // UTF-8
  view.setUint32(92, 1); // the change counter for which the version is valid
  view.setUint32(96, 3_045_000); // of SQLite
  page[100] = 13; // a leaf of a table
  view.setUint16(105, PAGE_BYTES); // where cells would begin
  return page;
}

/** The same under the fence of a claim, with random bytes, as every mark has them. */
export function emptyUnderFence(claim: number): Uint8Array {
  const page = emptyDatabase();
  const view = new DataView(page.buffer);
  page.set(new TextEncoder().encode(FENCE), MARKED.from);
  view.setUint32(76, claim);
  view.setUint32(80, claim);
  page.set([1, 1], 84); // the versions as they were
  crypto.getRandomValues(page.subarray(86, MARKED.to));
  page[MARKED.writeVersion] = POISON;
  return page;
}

/** Whether the bytes are this database, whatever mark they carry. */
export function isEmptyDatabase(bytes: Uint8Array): boolean {
  if (bytes.length !== PAGE_BYTES) return false;
  return emptyDatabase().every((byte, at) => byte === bytes[at] || isMarked(at));
}

function isMarked(at: number): boolean {
  return at === MARKED.writeVersion || at === MARKED.readVersion || (at >= MARKED.from && at < MARKED.to);
}
