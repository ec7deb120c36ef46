// The rows of other tables that a DELETE changes by foreign keys with an action. They are looked up before it runs,
// by the conditions of the statement itself.
import { declaredKeyOf, type TableShape, sameName } from "../store/catalog.ts";
import { quoteName, tableFunction } from "../state/sql-text.ts";
import type { BoundStatement } from "../query/parameters.ts";
import { findOutside } from "../query/statement.ts";
import { isKeyword } from "../query/tokens.ts";
import type { ResultValue } from "../query/types.ts";
import { exactCells, keyOf, keyedShape } from "./keys.ts";
import { LIVE_LIMITS } from "./protocol.ts";
import { triggersOf } from "./triggers.ts";

/** The keys of the rows that foreign keys will change, by table. */
export type Cascade = ReadonlyMap<string, readonly ResultValue[][]>;

interface ForeignKey {
  readonly child: string;
  readonly action: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/**
 * Looks up what a DELETE will change in the other tables that it writes; undefined where that cannot be known
 * before. Who runs the statement compares the number of rows that it changed.
 */
export function cascadeOf(
  sql: SqlStorage,
  statement: BoundStatement,
  base: string,
  others: readonly string[],
): Cascade | undefined {
  const { tokens } = statement;
  if (!isKeyword(tokens[0], "DELETE") || triggersOf(sql, [base, ...others]).length > 0) return undefined;
  const end = findOutside(tokens, (token) => isKeyword(token, "RETURNING"));
  const count = end < 0 ? tokens.length : end;
  const deleted = statement.sql(count).slice("DELETE".length);
  const look = new Look(sql, statement.bindings(count), others);
  return look.below(base, deleted, 0) ? look.found : undefined;
}

/** A tree that is deeper holds a circle. */
const DEEPEST = 5;

class Look {
  readonly found = new Map<string, ResultValue[][]>();

  constructor(
    private readonly sql: SqlStorage,
    private readonly bindings: readonly (string | number | ArrayBuffer | null)[],
    private readonly others: readonly string[],
  ) {}

  /** Looks at the children of the rows `FROM parent WHERE ...`. False where they cannot be told. */
  below(parent: string, rows: string, depth: number): boolean {
    if (depth > DEEPEST) return false;
    return foreignKeysTo(this.sql, parent, this.others).every((key) => this.#child(key, rows, depth));
  }

  #child({ child, action, from, to }: ForeignKey, rows: string, depth: number): boolean {
    const shape = keyedShape(this.sql, child);
    const deletes = action === "CASCADE";
    if (shape === undefined || from.length !== to.length) return false;
    if (!deletes && shape.key.some(({ name }) => from.some((column) => sameName(column, name)))) return false;
    const list = (names: readonly string[]): string => names.map(quoteName).join(", ");
    const matching = ` FROM ${quoteName(child)} WHERE (${list(from)}) IN (SELECT ${list(to)}${rows})`;
    return this.#note(shape, matching) && (!deletes || this.below(child, matching, depth + 1));
  }

  #note(shape: TableShape, rows: string): boolean {
    const cells = shape.key.map(({ name }) => exactCells(quoteName(name))).join(", ");
    const limit = LIVE_LIMITS.keys + 1;
    const keys = [...this.sql.exec(`SELECT ${cells}${rows} LIMIT ${limit}`, ...this.bindings).raw()].map(
      keyOf,
    );
    this.found.set(shape.name, [...(this.found.get(shape.name) ?? []), ...keys]);
    return keys.length < limit;
  }
}

/** The foreign keys of some tables that refer to one, and act when a row of it goes. */
function foreignKeysTo(sql: SqlStorage, parent: string, children: readonly string[]): ForeignKey[] {
  return children.flatMap((child) => {
    const rows = [
      ...sql.exec<{ id: number; parent: string; from: string; to: string | null; action: string }>(
        `SELECT id, "table" AS parent, "from", "to", on_delete AS action FROM ${tableFunction("pragma_foreign_key_list")}(?) ORDER BY id, seq`,
        child,
      ),
    ].filter((row) => sameName(row.parent, parent) && /^(CASCADE|SET )/i.test(row.action));
    return [...new Set(rows.map(({ id }) => id))].map((id) => {
      const columns = rows.filter((row) => row.id === id);
      const named = columns.flatMap(({ to }) => (to === null ? [] : [to]));
      return {
        child,
        action: columns[0]?.action.toUpperCase() ?? "",
        from: columns.map(({ from }) => from),
        to: named.length > 0 ? named : declaredKeyOf(sql, parent),
      };
    });
  });
}
