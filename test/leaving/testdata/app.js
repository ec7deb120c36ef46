import { DurableObject } from "cloudflare:workers";

// The same class name, binding and migrations as before: they lead to the same objects.
export class UserDataStore extends DurableObject {
  query(sql, ...params) {
    return [...this.ctx.storage.sql.exec(sql, ...params)];
  }

  // Once for each user, whenever you like: what dbmigrate has noted in the object. No row of the user is touched.
  forgetMove() {
    const { kv } = this.ctx.storage;
    const ours = [...kv.list({ prefix: "_dbmigrate:" })].map(([key]) => key);
    for (const key of ours) kv.delete(key);
    return ours.length;
  }
}

export default {
  async fetch(request, env) {
    // Yours: authenticate the user first, and take no SQL from a browser.
    const { user, sql, params = [], forget = false } = await request.json();
    // Mounted with a jurisdiction: env.USER_DATA.jurisdiction("eu") here, too.
    const object = env.USER_DATA.get(env.USER_DATA.idFromName(user));
    if (forget) return Response.json(await object.forgetMove());
    return Response.json(await object.query(sql, ...params));
  },
};
