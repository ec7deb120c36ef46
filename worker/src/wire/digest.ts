// How the digests of tables become the digest of a database (docs/wire-format.md, section 6).
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { compareBytes, u32, u64 } from "./binary.ts";
import { encodeTextCell } from "./cells.ts";
import type { DatabaseDigest, Header, SchemaObject, TableDigest } from "./messages.ts";

/** The digest of a schema; it does not depend on the order of the objects. */
export function schemaDigest(header: Header, objects: readonly SchemaObject[]): Uint8Array {
  const sorted = [...objects].sort((a, b) => compareBytes(a.type, b.type) || compareBytes(a.name, b.name));
  const texts = [
    ...["userVersion", `${header.userVersion}`, "applicationId", `${header.applicationId}`],
    ...["encoding", header.encoding, "pageSize", `${header.pageSize}`, "autoVacuum", `${header.autoVacuum}`],
    ...sorted.flatMap(({ type, name, table, sql }) => [type, name, table, sql]),
  ];
  const hash = createHash("sha256");
  for (const text of texts) for (const part of encodeTextCell(text)) hash.update(part);
  return hash.digest();
}

/** Joins a schema digest and the digests of all tables, in any order. */
export function databaseDigest(schema: Uint8Array, tables: readonly TableDigest[]): DatabaseDigest {
  const sorted = [...tables].sort((a, b) => compareBytes(a.name, b.name));
  const hash = createHash("sha256").update(schema);
  for (const { name, rows, digest } of sorted) {
    // An empty sqlite_sequence is the same as none, and other empty tables stand in the schema digest.
    if (rows === 0) continue;
    const nameBytes = Buffer.from(name, "utf8");
    hash.update(u32(nameBytes.length)).update(nameBytes).update(u64(rows)).update(Buffer.from(digest, "hex"));
  }
  return { database: hash.digest("hex"), schema: Buffer.from(schema).toString("hex"), tables: sorted };
}
