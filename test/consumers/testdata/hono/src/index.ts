import { asc, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { type Context, Hono } from "hono";
import { createRouter, handleAdmin, userDatabase } from "@dbmigrate/worker";
export { UserDataStore } from "@dbmigrate/worker";

const notes = sqliteTable("notes", {
	id: integer().primaryKey({ autoIncrement: true }),
	body: text().notNull().unique(),
	stars: integer().notNull().default(0),
});

const app = new Hono<{ Bindings: Env }>();

app.use(async (c, next) => {
	const mounted = { bucket: c.env.BUCKET, store: c.env.USER_DATA };
	createRouter({ ...mounted, flags: c.env.FLAGS }); // before handleAdmin, which tells of it
	const admin = await handleAdmin(c.req.raw, { ...mounted, env: c.env });
	return admin ?? next();
});

function databaseOf(c: Context<{ Bindings: Env }>) {
	const { BUCKET: bucket, FLAGS: flags, USER_DATA: store } = c.env;
	return drizzle(userDatabase(createRouter({ bucket, flags, store }), c.req.param("user") ?? ""));
}

app.put("/:user", async (c) => {
	await databaseOf(c).run(
		sql`CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL UNIQUE, stars INTEGER NOT NULL DEFAULT 0)`,
	);
	return c.json({ ok: true }, 201);
});

app.post("/:user/notes", async (c) => {
	const { body } = await c.req.json<{ body: string }>();
	const db = databaseOf(c);
	const [made, starred] = await db.batch([
		db.insert(notes).values({ body }).returning({ id: notes.id }),
		db.update(notes).set({ stars: sql`${notes.stars} + 1` }).where(eq(notes.body, body)).returning({ stars: notes.stars }),
	]);
	return c.json({ id: made[0]?.id, stars: starred[0]?.stars }, 201);
});

app.get("/:user/notes", async (c) => c.json(await databaseOf(c).select().from(notes).orderBy(asc(notes.id))));

app.onError((error, c) => c.json({ error: String(error.cause ?? error) }, 500));

export default app;
