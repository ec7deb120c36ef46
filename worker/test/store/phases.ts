// A store in each phase, with one table and one row where the phase has content.
import type { Client } from "./client.ts";
import { table } from "./client.ts";
import { batch, jFrame } from "./encode.ts";

export const objects = [table("t", "CREATE TABLE t (a)")];
const oneRow = batch(jFrame("t", ["rowid", "a"], [[1n, "kept"]]));

/** Brings a new store into a phase, under the claim that its last command made. RESUMED is SEALED under a migrate claim. */
export const phases: Record<string, (client: Client) => Promise<unknown>> = {
  EMPTY: (client) => client.claim("rollback"),
  IMPORTING: async (client) => {
    await client.claim("migrate");
    await client.schema(objects);
    await client.rows(0, oneRow);
  },
  READY: (client) => client.import(objects, { t: { columns: ["rowid", "a"], rows: [[1n, "kept"]] } }),
  ACTIVE: async (client) => {
    await phases["READY"]?.(client);
    await client.activate();
  },
  SEALED: async (client) => {
    await phases["ACTIVE"]?.(client);
    await client.claim("rollback");
  },
  RESUMED: async (client) => {
    await phases["SEALED"]?.(client);
    await client.claim("migrate");
  },
};

export const noDigest = { database: "0".repeat(64), schema: "0".repeat(64), tables: [] };
