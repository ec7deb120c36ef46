// The application's schema, as steps that lead from one version to the next.
import { splitStatements } from "../query/statement.ts";
import { type Token, textOf } from "../query/tokens.ts";
import { type Pragma, pragmaOf } from "../query/user-version.ts";

/** What drizzle-kit writes as migrations.js. */
export interface DrizzleMigrations {
  readonly journal: {
    readonly entries: readonly { readonly idx: number; readonly when: number; readonly tag: string }[];
  };
  readonly migrations: Readonly<Record<string, string>>;
}

/** What router and store are told alike. */
export interface SchemaConfig {
  /**
   * In order; each is SQL of any number of statements. Only ever add to the end. The first one leads to version
   * 1 (`PRAGMA user_version`), each other one to the next number, unless it sets the version itself.
   */
  readonly migrations: readonly string[] | DrizzleMigrations;
}

/** One migration. */
export interface Step {
  readonly name: string;
  /** The version that the database has afterwards. */
  readonly version: number;
  readonly statements: readonly string[];
  /** Whether it asks for foreign keys to be off, as those that make a table again do. */
  readonly withoutForeignKeys: boolean;
  /** drizzle-kit's time of the migration, by which its own table knows it. */
  readonly when: number | undefined;
}

const known = new WeakMap<SchemaConfig, Schema>();
const MAX_VERSION = 2 ** 31 - 1;

/** All migrations of an application. */
export class Schema {
  private constructor(readonly steps: readonly Step[]) {}

  /** @throws Error for migrations that could never run */
  static of(config: SchemaConfig): Schema {
    const schema = known.get(config) ?? new Schema(stepsOf(config));
    known.set(config, schema);
    return schema;
  }

  /** The version after all migrations. */
  get version(): number {
    return this.steps.at(-1)?.version ?? 0;
  }

  /** Those that a database of this version lacks. */
  after(version: number): readonly Step[] {
    return this.steps.filter((step) => step.version > version);
  }

  /** The version that drizzle's own table says: its last entry is the time of a migration. */
  versionAt(when: number): number {
    return this.steps.findLast((step) => step.when !== undefined && step.when <= when)?.version ?? 0;
  }
}

function stepsOf({ migrations }: SchemaConfig): Step[] {
  const steps: Step[] = [];
  for (const { name, sql, when } of textsOf(migrations)) {
    steps.push(stepOf(name, sql, when, steps.at(-1)?.version ?? 0));
  }
  return steps;
}

interface Text {
  readonly name: string;
  readonly sql: string;
  readonly when: number | undefined;
}

function textsOf(migrations: SchemaConfig["migrations"]): Text[] {
  if ("journal" in migrations) {
    const entries = [...migrations.journal.entries].sort((one, other) => one.idx - other.idx);
    return entries.map(({ idx, tag, when }) => {
      const sql = migrations.migrations[`m${String(idx).padStart(4, "0")}`];
      if (sql === undefined)
        throw new Error(`schema: the journal names ${tag}, and no migration has its number`);
      return { name: tag, sql, when };
    });
  }
  return migrations.map((sql, index) => ({ name: `${index + 1}`, sql, when: undefined }));
}

/** drizzle-kit's mark between two statements. */
const BREAKPOINT = "--> statement-breakpoint";

function stepOf(name: string, sql: string, when: number | undefined, before: number): Step {
  const all = sql.split(BREAKPOINT).flatMap(splitStatements);
  const settings = all.map((tokens) => pragmaOf(tokens));
  const asked = settings.filter((pragma) => pragma?.name === "user_version").map(versionIn);
  const version = asked.at(-1) ?? before + 1;
  if (!(version > before && version <= MAX_VERSION))
    throw new Error(
      `schema: migration ${name} leads to version ${version}, and the one before it to ${before}`,
    );
  const statements = all.filter((_, index) => !isOurs(settings[index]));
  for (const tokens of statements) refuseTransaction(name, tokens);
  const withoutForeignKeys = settings.some(
    (pragma) => pragma?.name === "foreign_keys" && /^(0|off|no|false)$/i.test(pragma.argument ?? ""),
  );
  return { name, version, statements: statements.map(textOf), withoutForeignKeys, when };
}

function versionIn(pragma: Pragma | undefined): number {
  return Number(pragma?.argument ?? NaN);
}

/** What the runner does in place of SQLite. */
function isOurs(pragma: Pragma | undefined): boolean {
  return pragma !== undefined && ["user_version", "foreign_keys", "defer_foreign_keys"].includes(pragma.name);
}

function refuseTransaction(name: string, tokens: readonly Token[]): void {
  const [first] = tokens;
  if (!/^(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)$/i.test(first?.text ?? "")) return;
  throw new Error(
    `schema: migration ${name} has ${first?.text.toUpperCase()}: each migration is in one transaction already`,
  );
}
