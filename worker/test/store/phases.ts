// A store in each phase, with one table and one row where the phase has content.
import type { Client } from "./client.ts";
import { table } from "./client.ts";
import { batch, jFrame } from "./encode.ts";

export const objects = [table("t", "CREATE TABLE t (a)")];
const oneRow = batch(jFrame("t", ["rowid", "a"], [[1n, "kept"]]));

const content = { t: { columns: ["rowid", "a"], rows: [[1n, "kept"]] } } as const;

/**
 * Brings a new store into a phase, under the claim that its last command made. RESUMED is SEALED under a
 * migrate claim; a word behind a phase of split mode says what came last.
 */
export const phases: Record<string, (client: Client) => Promise<unknown>> = {
  EMPTY: (client) => client.claim("rollback"),
  IMPORTING: async (client) => {
    await client.claim("migrate");
    await client.schema(objects);
    await client.rows(0, oneRow);
  },
  READY: (client) => client.import(objects, content),
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
  SPLITTING: async (client) => {
    await client.claim("split");
    await client.schema(objects);
    await client.rows(0, oneRow);
  },
  SPLIT_READY: (client) => client.import(objects, content, {}, "split"),
  "SPLIT_READY resumed": claimed("SPLIT_READY", "split"),
  "SPLIT_READY undone": claimed("SPLIT_READY", "rollback"),
  COLD: async (client) => {
    await phases["SPLIT_READY"]?.(client);
    await client.activate();
  },
  COLD_SEALED: claimed("COLD", "rollback"),
  "COLD_SEALED resumed": claimed("COLD_SEALED", "split"),
  MERGING: async (client) => {
    await phases["COLD_SEALED"]?.(client);
    await client.post("merge", { gen: client.gen });
  },
  "MERGING resumed": claimed("MERGING", "split"),
};

function claimed(phase: string, intent: string) {
  return async (client: Client) => {
    await phases[phase]?.(client);
    await client.claim(intent);
  };
}

export const noDigest = { database: "0".repeat(64), schema: "0".repeat(64), tables: [] };
