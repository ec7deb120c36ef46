import { DurableObject } from "cloudflare:workers";

/** Takes a whole database as one JSON body and inserts it row by row. */
export class NaiveStore extends DurableObject {
  async fetch(request) {
    const { before, tables, after } = await request.json();
    const { sql } = this.ctx.storage;
    let rows = 0;
    this.ctx.storage.transactionSync(() => {
      for (const statement of before) sql.exec(statement);
      for (const table of tables) {
        const insert = `INSERT INTO "${table.name}" VALUES (${table.columns.map(() => "?").join(", ")})`;
        for (const row of table.rows) sql.exec(insert, ...row);
        rows += table.rows.length;
      }
      for (const statement of after) sql.exec(statement);
    });
    return Response.json({ rows });
  }
}

export default {
  fetch(request, env) {
    return env.STORE.get(env.STORE.idFromName(new URL(request.url).pathname)).fetch(request);
  },
};
