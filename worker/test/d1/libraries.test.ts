// The libraries that applications use, unchanged, on a user who moves to the Durable Object and back while
// they work: in each place they migrate the schema, write and read.
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { desc, eq, relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { migrate } from "drizzle-orm/d1/migrator";
import { blob, integer, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { Kysely, sql as kyselySql } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { D1Dialect } from "kysely-d1";
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { errorKind, userDatabase } from "../../src/index.ts";
import { newUser } from "../router/fixtures.ts";
import { router } from "./compare.ts";
import { toFile, toObject } from "./move.ts";

/** Where the user is, and where the user goes next. */
class Mover {
  readonly user = newUser();
  readonly db = userDatabase(router, this.user);
  private claim = 0;

  async toObject(): Promise<void> {
    this.claim = await toObject(this.user, this.claim);
    expect(await this.side()).toBe("dbmigrate.store");
  }

  async toFile(): Promise<void> {
    this.claim = await toFile(this.user, this.claim);
    expect(await this.side()).toBe("dbmigrate.file");
  }

  private async side(): Promise<unknown> {
    return (await this.db.prepare("SELECT 1").all()).meta["served_by"];
  }
}

const games = sqliteTable("games", {
  id: integer().primaryKey(),
  name: text().notNull().unique(),
  score: real(),
  cover: blob({ mode: "buffer" }),
  made: integer({ mode: "timestamp" }),
  tags: text({ mode: "json" }).$type<string[]>(),
});
const clips = sqliteTable("clips", {
  id: integer().primaryKey(),
  game: integer().references(() => games.id, { onDelete: "cascade" }),
  title: text().default("none"),
  starred: integer({ mode: "boolean" }),
});
const gameRelations = relations(games, ({ many }) => ({ clips: many(clips) }));
const clipRelations = relations(clips, ({ one }) => ({
  game: one(games, { fields: [clips.game], references: [games.id] }),
}));

/** Each as drizzle-kit generates it. */
const DRIZZLE_MIGRATIONS = [
  "CREATE TABLE `games` (\n\t`id` integer PRIMARY KEY NOT NULL,\n\t`name` text NOT NULL,\n\t`score` real,\n\t`cover` blob,\n\t`made` integer,\n\t`tags` text\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `games_name_unique` ON `games` (`name`);",
  "CREATE TABLE `clips` (\n\t`id` integer PRIMARY KEY NOT NULL,\n\t`game` integer,\n\t`title` text DEFAULT 'none',\n\tFOREIGN KEY (`game`) REFERENCES `games`(`id`) ON UPDATE no action ON DELETE cascade\n);\n",
  "ALTER TABLE `clips` ADD `starred` integer;",
];

/** A folder as drizzle-kit writes it, with the first `count` migrations. */
function drizzleFolder(count: number): string {
  const folder = `${tmpdir()}/drizzle-${count}`;
  mkdirSync(`${folder}/meta`, { recursive: true });
  const entries = DRIZZLE_MIGRATIONS.slice(0, count).map((text, idx) => {
    const tag = `000${idx}_step`;
    writeFileSync(`${folder}/${tag}.sql`, text);
    return { idx, version: "6", when: 1_780_000_000_000 + idx, tag, breakpoints: true };
  });
  const journal = { version: "7", dialect: "sqlite", entries };
  writeFileSync(`${folder}/meta/_journal.json`, JSON.stringify(journal));
  return folder;
}

it("runs drizzle-orm/d1 and its migrations", async () => {
  const mover = new Mover();
  const db = drizzle(mover.db, { schema: { games, clips, gameRelations, clipRelations } });
  const made = new Date(1_700_000_000_000);
  await migrate(db, { migrationsFolder: drizzleFolder(1) });
  const first = { name: "go", score: 5, cover: Buffer.from([0, 255]), made, tags: ["a", "b"] };
  expect(await db.insert(games).values(first).returning()).toEqual([{ id: 1, ...first }]);

  await mover.toObject();
  expect(await db.select().from(games)).toEqual([{ id: 1, ...first }]);
  await migrate(db, { migrationsFolder: drizzleFolder(2) });
  const [inserted, counted] = await db.batch([
    db.insert(games).values({ name: "chess" }).returning({ id: games.id }),
    db.select({ n: sql<number>`count(*)` }).from(games),
  ]);
  expect([inserted, counted]).toEqual([[{ id: 2 }], [{ n: 2 }]]);
  await expect(db.insert(games).values({ name: "go" })).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/^D1_ERROR: UNIQUE constraint failed: games.name: SQLITE_CONS/) },
  });
  await db.run(sql`INSERT INTO clips (game) VALUES (1)`);

  await mover.toFile();
  await migrate(db, { migrationsFolder: drizzleFolder(3) });
  await db.insert(clips).values({ game: 1, title: "best", starred: true });
  await db.update(games).set({ score: 6.5 }).where(eq(games.name, "go"));
  const found = await db.query.games.findFirst({ where: eq(games.id, 1), with: { clips: true } });
  expect(found).toEqual({
    id: 1,
    ...first,
    score: 6.5,
    clips: [
      { id: 1, game: 1, title: "none", starred: null },
      { id: 2, game: 1, title: "best", starred: true },
    ],
  });

  await mover.toObject();
  await migrate(db, { migrationsFolder: drizzleFolder(3) });
  const joined = db.select({ name: games.name, title: clips.title }).from(clips);
  const rows = await joined.innerJoin(games, eq(games.id, clips.game)).orderBy(desc(clips.id)).limit(1);
  expect(rows).toEqual([{ name: "go", title: "best" }]);
  expect((await db.delete(games).where(eq(games.id, 1))).meta.changes).toBe(3);
});

interface Notes {
  note: { id: number; text: string; at: number | null };
}

const KYSELY_MIGRATIONS: Record<string, Migration> = {
  "1_notes": {
    up: (db) =>
      db.schema
        .createTable("note")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("text", "varchar(100)", (column) => column.notNull().unique())
        .execute(),
  },
  "2_at": { up: (db) => db.schema.alterTable("note").addColumn("at", "real").execute() },
  "3_index": { up: (db) => db.schema.createIndex("note_at").on("note").column("at").execute() },
};

it("runs Kysely with kysely-d1, its migrator and its introspection", async () => {
  const mover = new Mover();
  const db = new Kysely<Notes>({ dialect: new D1Dialect({ database: mover.db }) });
  const migrateTo = async (names: readonly string[]) => {
    const known = Object.entries(KYSELY_MIGRATIONS).filter(([name]) => names.includes(name));
    const provider = { getMigrations: async () => Object.fromEntries(known) };
    const { error, results } = await new Migrator({ db, provider }).migrateToLatest();
    expect(error).toBeUndefined();
    return results?.map(({ migrationName, status }) => `${migrationName} ${status}`);
  };
  expect(await migrateTo(["1_notes"])).toEqual(["1_notes Success"]);
  const inserted = await db
    .insertInto("note")
    .values({ id: 7, text: "file" } as never)
    .executeTakeFirst();
  expect(inserted).toMatchObject({ insertId: 7n, numInsertedOrUpdatedRows: 1n });

  await mover.toObject();
  expect(await migrateTo(["1_notes", "2_at"])).toEqual(["2_at Success"]);
  await db.insertInto("note").values({ id: 8, text: "object", at: 2 }).execute();
  await expect(db.insertInto("note").values({ id: 9, text: "file", at: 1 }).execute()).rejects.toThrow(
    "D1_ERROR: UNIQUE constraint failed: note.text: SQLITE_CONSTRAINT",
  );

  await mover.toFile();
  expect(await migrateTo(Object.keys(KYSELY_MIGRATIONS))).toEqual(["3_index Success"]);
  const updated = await db.updateTable("note").set({ at: 1.5 }).where("text", "=", "file").executeTakeFirst();
  expect(updated.numUpdatedRows).toBe(1n);

  await mover.toObject();
  expect(await migrateTo(Object.keys(KYSELY_MIGRATIONS))).toEqual([]);
  expect(await db.selectFrom("note").selectAll().orderBy("at").execute()).toEqual([
    { id: 7, text: "file", at: 1.5 },
    { id: 8, text: "object", at: 2 },
  ]);
  const note = (await db.introspection.getTables()).find(({ name }) => name === "note");
  expect(note?.columns.map(({ name, dataType }) => `${name} ${dataType}`)).toEqual([
    "id INTEGER",
    "text varchar(100)",
    "at REAL",
  ]);
  const { rows } = await kyselySql<{ n: number }>`SELECT count(*) AS n FROM note`.execute(db);
  expect(rows).toEqual([{ n: 2 }]);
});

it("runs better-auth and its migrations", async () => {
  const mover = new Mover();
  const auth = betterAuth({
    database: mover.db,
    secret: "a secret of the test, long enough for better-auth",
    baseURL: "https://app.test",
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
  });
  const { runMigrations } = await getMigrations(auth.options);
  await runMigrations();
  const alice = { email: "alice@example.com", password: "the password of alice" };
  const { user, token } = await auth.api.signUpEmail({ body: { ...alice, name: "Alice" } });
  const sessionOf = async (signed: string | null) => {
    const request = new Request("https://app.test/", { headers: { cookie: signed ?? "" } });
    return (await auth.api.getSession({ headers: request.headers }))?.user.email ?? null;
  };
  const signIn = async (password: string) => {
    const response = await auth.api.signInEmail({ body: { ...alice, password }, asResponse: true });
    return { status: response.status, cookie: response.headers.get("set-cookie")?.split(";")[0] ?? null };
  };
  expect(token).toEqual(expect.any(String));

  await mover.toObject();
  expect((await getMigrations(auth.options)).toBeCreated).toEqual([]);
  expect((await signIn("another password")).status).toBe(401);
  const { status, cookie } = await signIn(alice.password);
  expect(status).toBe(200);
  expect(await sessionOf(cookie)).toBe(alice.email);

  await mover.toFile();
  expect((await getMigrations(auth.options)).toBeCreated).toEqual([]);
  expect(await sessionOf(cookie)).toBe(alice.email);
  const context = await auth.$context;
  await context.internalAdapter.updateUser(user.id, { name: "Alice B." });

  await mover.toObject();
  expect(await context.internalAdapter.findUserById(user.id)).toMatchObject({ name: "Alice B." });
  expect(await sessionOf(cookie)).toBe(alice.email);
  expect((await signIn(alice.password)).status).toBe(200);
});

it("the kind of an error is found within a library's own", async () => {
  const { db } = new Mover();
  const failed = drizzle(db).run(sql`SELECT nothing`);
  const error: unknown = await failed.catch((thrown: unknown) => thrown);
  expect((error as Error).cause).not.toHaveProperty("kind");
  expect(errorKind(error)).toBe("sql-error");
  expect(errorKind(new Error("of another", { cause: "text" }))).toBeUndefined();
});
