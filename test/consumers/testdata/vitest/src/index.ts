import { createRouter, handleAdmin, userDatabase } from "@dbmigrate/worker";
export { UserDataStore } from "@dbmigrate/worker";

export default {
  async fetch(request, env): Promise<Response> {
    const mounted = { bucket: env.BUCKET, store: env.USER_DATA };
    const router = createRouter({ ...mounted, flags: env.FLAGS });
    const admin = await handleAdmin(request, { ...mounted, env });
    if (admin !== null) return admin;
    const { pathname, searchParams } = new URL(request.url);
    const db = userDatabase(router, searchParams.get("user") ?? "nobody");
    await db.exec("CREATE TABLE IF NOT EXISTS games (name TEXT)");
    await db.prepare("INSERT INTO games (name) VALUES (?)").bind(pathname).run();
    return Response.json((await db.prepare("SELECT name FROM games").all()).results);
  },
} satisfies ExportedHandler<Env>;
