// drizzle-orm/durable-sqlite inside a class, with interactive transactions and its own migrator, while its
// user moves there and back; and drizzle-kit's migrations as the application's schema.
import { runInDurableObject } from "cloudflare:test";
import { desc, eq, relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/durable-sqlite";
import { migrate } from "drizzle-orm/durable-sqlite/migrator";
import { blob, integer, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { afterEach, expect, it } from "vitest";
import page from "../../../docs/after.md?raw";
import { UserLogic } from "../../src/index.ts";
import { bindings } from "../router/fixtures.ts";
import { mounted } from "./entry.ts";
import { Mover, router } from "./homes.ts";

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
});
const gameRelations = relations(games, ({ many }) => ({ clips: many(clips) }));
const clipRelations = relations(clips, ({ one }) => ({
  game: one(games, { fields: [clips.game], references: [games.id] }),
}));

/** As drizzle-kit writes migrations.js. */
function kit(count: number) {
  const texts = [
    "CREATE TABLE `games` (\n\t`id` integer PRIMARY KEY NOT NULL,\n\t`name` text NOT NULL,\n\t`score` real,\n\t`cover` blob,\n\t`made` integer,\n\t`tags` text\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `games_name_unique` ON `games` (`name`);",
    "CREATE TABLE `clips` (\n\t`id` integer PRIMARY KEY NOT NULL,\n\t`game` integer,\n\t`title` text DEFAULT 'none',\n\tFOREIGN KEY (`game`) REFERENCES `games`(`id`) ON UPDATE no action ON DELETE cascade\n);\n",
    'PRAGMA foreign_keys=OFF;--> statement-breakpoint\nCREATE TABLE `__new_games` (\n\t`id` integer PRIMARY KEY NOT NULL,\n\t`name` text NOT NULL,\n\t`score` real,\n\t`cover` blob,\n\t`made` integer,\n\t`tags` text DEFAULT \'[]\'\n);\n--> statement-breakpoint\nINSERT INTO `__new_games`("id", "name", "score", "cover", "made", "tags") SELECT "id", "name", "score", "cover", "made", "tags" FROM `games`;--> statement-breakpoint\nDROP TABLE `games`;--> statement-breakpoint\nALTER TABLE `__new_games` RENAME TO `games`;--> statement-breakpoint\nPRAGMA foreign_keys=ON;--> statement-breakpoint\nCREATE UNIQUE INDEX `games_name_unique` ON `games` (`name`);',
  ];
  const migrations = Object.fromEntries(texts.slice(0, count).map((text, i) => [`m000${i}`, text]));
  const entries = texts
    .slice(0, count)
    .map((_, idx) => ({ idx, when: 1_780_000_000_000 + idx, tag: `000${idx}_step`, breakpoints: true }));
  return { journal: { entries }, migrations };
}

const MADE = new Date(1_700_000_000_000);

class Library extends UserLogic {
  private readonly db = drizzle(this.storage, { schema: { games, clips, gameRelations, clipRelations } });

  migrate(count: number): void {
    void migrate(this.db, kit(count));
  }

  add(name: string, score: number): unknown {
    const cover = Buffer.from([0, 255]);
    const values = { name, score, cover, made: MADE, tags: ["a", name] };
    const [row] = this.db.insert(games).values(values).returning().all();
    return { ...row, cover: [...(row?.cover ?? [])] };
  }

  clip(game: number, title?: string): void {
    this.db.insert(clips).values({ game, title }).run();
  }

  /** Reads, decides, and writes; a transaction within may be taken back alone. */
  raise(name: string, by: number): unknown {
    return this.db.transaction((tx) => {
      const game = tx.select().from(games).where(eq(games.name, name)).get();
      if (game === undefined) throw new Error(`no game ${name}`);
      const score = (game.score ?? 0) + by;
      tx.update(games).set({ score }).where(eq(games.id, game.id)).run();
      try {
        tx.transaction((inner) => {
          inner.insert(games).values({ name: "for a moment" }).run();
          inner.rollback();
        });
      } catch (error) {
        if (!(error as Error).message.includes("Rollback")) throw error;
      }
      if (score > 100) tx.rollback();
      return score;
    });
  }

  all(): unknown {
    return this.db.query.games
      .findMany({ columns: { name: true, score: true, tags: true, made: true }, with: { clips: true } })
      .sync();
  }

  best(): unknown {
    const best = this.db.select({ name: games.name, title: clips.title }).from(clips);
    return best.innerJoin(games, eq(games.id, clips.game)).orderBy(desc(clips.id)).limit(1).all();
  }

  count(): unknown {
    return this.db
      .select({ n: sql<number>`count(*)` })
      .from(games)
      .get()?.n;
  }
}

afterEach(() => {
  delete mounted.schema;
  delete mounted.logic;
});

const game = (name: string, score: number, clips: unknown[] = []) => ({
  name,
  score,
  tags: ["a", name],
  made: MADE,
  clips,
});

it("runs in both homes, with its own migrator", async () => {
  mounted.logic = { Library };
  const mover = new Mover();
  const library = () => router().call(mover.user, Library);
  await library().migrate(1);
  const go = { id: 1, name: "go", score: 5, cover: [0, 255], made: MADE, tags: ["a", "go"] };
  expect(await library().add("go", 5)).toEqual(go);
  expect(await library().raise("go", 1.5)).toBe(6.5);

  await mover.toObject();
  await library().migrate(2);
  expect(await library().add("chess", 1)).toMatchObject({
    id: 2,
    name: "chess",
    cover: [0, 255],
    made: MADE,
  });
  await library().clip(1);
  await library().clip(2, "best");
  expect(await library().raise("chess", 2)).toBe(3);
  await expect(library().raise("chess", 200)).rejects.toMatchObject({ message: "Rollback" });
  await expect(library().add("go", 1)).rejects.toThrow(/UNIQUE constraint failed: games.name/);
  expect(await mover.side()).toBe("store");

  await mover.toFile();
  await library().migrate(2);
  expect(await library().all()).toEqual([
    game("go", 6.5, [{ id: 1, game: 1, title: "none" }]),
    game("chess", 3, [{ id: 2, game: 2, title: "best" }]),
  ]);
  await expect(library().raise("chess", 200)).rejects.toMatchObject({ message: "Rollback" });
  await expect(library().add("go", 1)).rejects.toThrow(/UNIQUE constraint failed: games.name/);
  expect(await library().raise("go", 1)).toBe(7.5);

  await mover.toObject();
  expect(await library().best()).toEqual([{ name: "chess", title: "best" }]);
  expect(await library().count()).toBe(2);
});

it("drizzle-kit's migrations are the schema, also behind its own migrator", async () => {
  mounted.logic = { Library };
  const mover = new Mover();
  const library = () => router().call(mover.user, Library);
  await library().migrate(1);
  await library().add("go", 5);
  mounted.schema = { migrations: kit(2) };
  await library().clip(1, "kept");
  expect(await mover.column("PRAGMA user_version")).toEqual([2]);
  await mover.toObject();
  mounted.schema = { migrations: kit(3) };
  expect(await library().best()).toEqual([{ name: "go", title: "kept" }]);
  expect(await mover.column("PRAGMA user_version")).toEqual([3]);
  await mover.toFile();
  expect(await library().all()).toEqual([game("go", 5, [{ id: 1, game: 1, title: "kept" }])]);
  expect(await mover.column("PRAGMA user_version")).toEqual([3]);
});

/** What docs/after.md says that the last migration is. */
function handOver() {
  const [, text = ""] = /```sql\n([^]*?)```/.exec(page) ?? [];
  const { journal, migrations } = kit(2);
  const last = { idx: 2, when: Number(/\d{13}/.exec(text)?.[0]), tag: "0002_hand_over", breakpoints: true };
  return { journal: { entries: [...journal.entries, last] }, migrations: { ...migrations, m0002: text } };
}

it("drizzle's own migrator goes on where the schema ended, without the router", async () => {
  const schema = handOver();
  const mover = new Mover();
  mounted.schema = { migrations: kit(1) };
  await router().query(mover.user, {
    statements: [{ sql: "INSERT INTO games(id, name) VALUES (1, 'go')" }],
    mode: "write",
  });
  await mover.toObject();
  mounted.schema = { migrations: schema };
  expect(await mover.column("PRAGMA user_version")).toEqual([3]);
  const next = { idx: 3, when: 1_790_000_000_000, tag: "0003_next", breakpoints: true };
  const later = {
    journal: { entries: [...schema.journal.entries, next] },
    migrations: { ...schema.migrations, m0003: "ALTER TABLE `clips` ADD COLUMN `length` real" },
  };
  const { USER_DATA } = bindings;
  const columns = await runInDurableObject(
    USER_DATA.get(USER_DATA.idFromName(mover.user)),
    async (_, { storage }) => {
      for (const [key] of storage.kv.list({ prefix: "_dbmigrate:" })) storage.kv.delete(key);
      await migrate(drizzle(storage), later);
      return storage.sql.exec("SELECT count(*) AS n FROM pragma_table_info('clips')").one()["n"];
    },
  );
  expect(columns).toBe(4);
});
