// The pages of scan, migrate and rollback in a real browser. Run by `make test-browser`, which starts the local runtime.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const url = demand("DBMIGRATE_WORKER_URL");
const token = demand("APP_TOKEN");
const dir = mkdtempSync(join(tmpdir(), "dbmigrate-pages-"));
const prefix = `pages-${process.pid}-`;
// A user's name that would be markup, and one that is as long as it may be without a place to break.
const users = ["<img src=x onerror=alert(1)>", "w".repeat(100)].map((name) => prefix + name);
// No Durable Object takes the table of over 100 columns that one of them has.
const restored = { taken: ["id"], refused: Array.from({ length: 101 }, (_, n) => `c${n}`) };
const page = (name) => join(dir, `${name}.html`);

/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  for (const user of users) await write(user);
  const log = join(dir, "requests.jsonl");
  writeFileSync(log, users.flatMap((user) => [requestOf(user, "file"), requestOf(user, "store")]).join(""));
  dbmigrate(
    "scan",
    "--prefix",
    prefix,
    "--recommend-over",
    "1KB",
    "--deep",
    "--requests",
    log,
    "--report",
    page("scan"),
  );
  const moved = dbmigrate(
    "migrate",
    ...users,
    "--canary",
    "1",
    "--output",
    "json",
    "--report",
    page("migrate"),
  );
  const run = runOf(moved);
  dbmigrate("rollback", ...users, "--report", page("rollback"));
  for (const [name, columns] of Object.entries(restored)) {
    const file = new DatabaseSync(join(dir, `${prefix}${name}-${"w".repeat(80)}.sqlite`));
    file.exec(`CREATE TABLE wide (${columns.join(", ")})`);
    file.close();
  }
  const some = dbmigrateEndsWith(1, "restore", "--all", "--from", dir, "--yes", "--output", "json");
  dbmigrate("runs", "--report", runOf(some), "--to", page("failed"));
  dbmigrate("runs", "--report", run, "--to", page("run"), "--requests", log);
  browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
});

after(() => browser?.close());

const says = {
  scan: [/Move \d+ of \d+ users now/, /Cost and benefit/, /begin at 0/, /your router observed/],
  migrate: [/migrate of 2 users/, /2 migrated/, /How long writes waited/, /canary/, /rollback --run/],
  rollback: [/rollback of 2 users/, /migrate --users-file/],
  failed: [/restore of 2 users/, /1 failed/, /refused-w/, /100 columns/],
  run: [/Requests of these users, before and after/, /before: from the file/],
};

for (const name of Object.keys(says)) {
  for (const width of [1280, 390]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${name} at ${width} px, ${colorScheme}`, () => look(name, width, colorScheme));
    }
  }
}

async function look(name, width, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const tab = await context.newPage();
  const odd = [];
  tab.on("dialog", (dialog) => odd.push(dialog.message()));
  tab.on("console", (message) => odd.push(message.text()));
  tab.on("request", (request) => request.url().startsWith("file:") || odd.push(request.url()));
  await tab.goto(pathToFileURL(page(name)).href);
  const pictures = process.env["SCREENSHOTS"]; // a folder, to look at the pages
  if (pictures !== undefined)
    await tab.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: true });
  const text = await tab.locator("main").innerText();
  for (const pattern of says[name]) assert.match(text, pattern);
  if (name === "scan") for (const user of users) assert.ok(text.includes(user), `${user} is not shown`);
  assert.deepEqual(await tab.evaluate(outside), [], "parts stick out of the page, or out of their section");
  const wide = await tab.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.equal(wide, 0, "a text is longer than the page is wide");
  assert.deepEqual(await tab.evaluate(faint), [], "texts are hard to read");
  assert.equal(await tab.locator("img, script, link, iframe").count(), 0);
  assert.deepEqual(odd, []);
  await context.close();
}

/** The elements that reach beyond the window or their section. */
function outside() {
  const room = document.documentElement.clientWidth;
  return [...document.querySelectorAll("main *")]
    .filter((element) => {
      const { right, width } = element.getBoundingClientRect();
      const card = element.closest("section, .tile")?.getBoundingClientRect();
      return width > 0 && (right > room + 1 || (card !== undefined && right > card.right + 1));
    })
    .map((element) => `${element.tagName}: ${element.textContent.slice(0, 40)}`);
}

/** The texts with less contrast than 4.5 to 1 (WCAG AA). */
function faint() {
  const light = (color) =>
    color
      .match(/[\d.]+/g)
      .slice(0, 3)
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return /^rgba\(.*, 0\)$/.test(color) && element.parentElement !== null
      ? ground(element.parentElement)
      : color;
  };
  return [...document.querySelectorAll("main *")]
    .filter((element) =>
      [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ""),
    )
    .filter((element) => {
      const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
    })
    .map((element) => element.textContent.slice(0, 40));
}

function requestOf(user, side) {
  const event = {
    kind: "request",
    user,
    mode: "write",
    side,
    error: null,
    bytesLoaded: 20_000,
    durationMs: 9,
  };
  return `${JSON.stringify(event)}\n`;
}

async function write(user) {
  const response = await fetch(`${url}/api/users/${encodeURIComponent(user)}/query`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({
      statements: [{ sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)" }],
    }),
  });
  assert.equal(response.status, 200, await response.text());
}

/** The id of the run whose results these are. */
function runOf(results) {
  return JSON.parse(results.trim().split("\n").at(-1)).summary.run;
}

function dbmigrate(...args) {
  return dbmigrateEndsWith(0, ...args);
}

function dbmigrateEndsWith(status, ...args) {
  const run = spawnSync("../bin/dbmigrate", args, { encoding: "utf8" });
  assert.equal(run.status, status, run.stderr);
  return run.stdout;
}

function demand(name) {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run make test-browser`);
  return value;
}
