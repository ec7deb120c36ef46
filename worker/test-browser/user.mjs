// One user of the local runtime, and the browser that shows it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chromium } from "playwright-core";

export function browserOf() {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
    ],
  });
}

export function writerFor(url, token, user) {
  return async (sql) => {
    const response = await fetch(`${url}/api/users/${user}/query`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ statements: [{ sql }] }),
    });
    assert.equal(response.status, 200, await response.text());
  };
}

export function dbmigrateFor(user) {
  return (verb) => {
    const run = spawnSync("../bin/dbmigrate", [verb, user], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
  };
}

export function demand(name) {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run make test-browser`);
  return value;
}
