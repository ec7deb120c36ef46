// A user of the local runtime, for `make live-bench`: migrated, written to and subscribed to through the sample application.
import { spawnSync } from "node:child_process";
import { subscribe } from "../client/live.js";

const url = process.env["DBMIGRATE_WORKER_URL"];
const token = process.env["APP_TOKEN"];

/** Makes a user with an empty table and moves him into his Durable Object. */
export async function newUser(name) {
  const user = `${name}-${process.pid}`;
  await query(user, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
  const migrated = spawnSync("../bin/dbmigrate", ["migrate", user], { encoding: "utf8" });
  if (migrated.status !== 0) throw new Error(migrated.stderr);
  return user;
}

/** The rows that a statement gives. */
export async function query(user, sql, mode = "write") {
  const response = await fetch(`${url}/api/users/${user}/query`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ statements: [{ sql }], mode }),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()).results[0].rows;
}

export const write = (user) => query(user, "INSERT INTO t (v) VALUES (1)");

/** A subscriber who hears everything by now. */
export function listen(user, onChange) {
  return new Promise((resolve) => {
    const subscription = subscribe({
      url: `${url.replace("http", "ws")}/api/users/${user}/live`,
      protocols: ["dbmigrate-live", `bearer.${token}`],
      onResync: () => resolve(subscription),
      onChange,
    });
  });
}

/** Waits for something that is only seen by looking. */
export async function until(happened) {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 1));
}
