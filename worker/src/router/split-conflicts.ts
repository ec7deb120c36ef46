// Refuses, on request, writes to one half of a split user that would stand in the way of a merge (docs/split.md):
// a hot row under a key that a cold row has, and a change of the schema in one half.
import type { Written, WrittenKeys } from "../file/written.ts";
import { quoteName } from "../query/schema-text.ts";
import { isKeyword, isSignificant, tokenize } from "../query/tokens.ts";
import type { QueryStatement } from "../query/types.ts";
import { WireError } from "../wire/errors.ts";
import { type ColdUser, queryCold } from "./cold.ts";

/** What becomes of such writes. */
export type SplitConflicts = "accept" | "refuse";

/** A Durable Object's SQLite takes no more for one statement. */
const PARAMETERS = 100;

/** Whether a statement changes the schema, by its first word. */
export function changesSchema(sql: string): boolean {
  const first = tokenize(sql).find((token) => isSignificant(token) && token.type !== "semicolon");
  return ["CREATE", "ALTER", "DROP"].some((verb) => isKeyword(first, verb));
}

/** The refusal of a change that one half alone would have. */
export function schemaOfOneHalf(): WireError {
  return new WireError(
    "split-conflict",
    "the user is split, and the statements change the schema of one half only: use router.schema, which changes both; nothing was written",
  );
}

/**
 * Asks the cold rows whether they are in the way of what was written to the hot ones. A user who is not split has
 * none. @throws WireError split-conflict, or as queryCold does
 */
export async function demandNoSplitConflict(user: ColdUser, written: Written): Promise<void> {
  if (written.schemaChanged) {
    if ((await askCold(user, [{ sql: "SELECT 1" }])) !== undefined) throw schemaOfOneHalf();
    return;
  }
  for (const keys of written.keys) {
    for (const statement of questions(keys)) {
      const rows = await askCold(user, [statement]);
      if (rows === undefined) return;
      if (rows[0] !== undefined) throw coldKey(keys, rows[0]);
    }
  }
}

/** The rows of one question; undefined: the user has no cold rows. */
async function askCold(user: ColdUser, statements: readonly QueryStatement[]) {
  const answer = await queryCold(user, { statements, mode: "read", scope: "cold" });
  if (answer.ok) return answer.results[0]?.rows ?? [];
  const { kind, message, details } = answer.error;
  if (kind === "not-split") return undefined;
  throw new WireError(kind, `ask the cold rows for a key: ${message}`, details);
}

function* questions({ table, columns, rows }: WrittenKeys): Generator<QueryStatement> {
  const names = columns.map(quoteName).join(", ");
  const row = columns.length === 1 ? "?" : `(${columns.map(() => "?").join(", ")})`;
  const atOnce = Math.max(1, Math.floor(PARAMETERS / columns.length));
  for (let at = 0; at < rows.length; at += atOnce) {
    const some = rows.slice(at, at + atOnce);
    const list = some.map(() => row).join(", ");
    const where = columns.length === 1 ? `${names} IN (${list})` : `(${names}) IN (VALUES ${list})`;
    yield { sql: `SELECT ${names} FROM ${quoteName(table)} WHERE ${where} LIMIT 1`, params: some.flat() };
  }
}

function coldKey({ table, columns }: WrittenKeys, key: readonly unknown[]): WireError {
  return new WireError(
    "split-conflict",
    `table ${table} has a cold row with this ${columns.join(", ")}: change it with router.writeBoth, or choose another key; nothing was written`,
    { table, columns, key },
  );
}
