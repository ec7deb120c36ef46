export default {
	async fetch(request, env, ctx): Promise<Response> {
		const { pathname, searchParams } = new URL(request.url);
		const user = searchParams.get("user") ?? "nobody"; // your authentication
		const db = env.DB;
		await db.prepare("CREATE TABLE IF NOT EXISTS games (user TEXT, name TEXT)").run();
		await db.prepare("INSERT INTO games (user, name) VALUES (?, ?)").bind(user, pathname).run();
		const games = db.prepare("SELECT name FROM games WHERE user = ?").bind(user);
		return Response.json((await games.all<{ name: string }>()).results);
	},
} satisfies ExportedHandler<Env>;
