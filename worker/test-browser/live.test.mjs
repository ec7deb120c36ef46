// Live updates in a real browser: two windows of the sample page on one user. Run by `make test-browser`, which starts the local runtime.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browserOf, dbmigrateFor, demand, writerFor } from "./user.mjs";

const url = demand("DBMIGRATE_WORKER_URL");
const token = demand("APP_TOKEN");
const user = `browser-${process.pid}`;
const patience = { timeout: 60_000 };
const write = writerFor(url, token, user);
const dbmigrate = dbmigrateFor(user);

/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  await write(
    "CREATE TABLE games (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, played_at INTEGER NOT NULL, duration REAL NOT NULL, " +
      "video_key TEXT NOT NULL, home_score INTEGER)",
  );
  dbmigrate("migrate");
  browser = await browserOf();
});

after(() => browser?.close());

test("two windows stay in step, over a cut and to the way back", async () => {
  const one = await open();
  const cuts = [];
  const two = await open((page) =>
    page.routeWebSocket(/\/live$/, (socket) => {
      socket.connectToServer();
      cuts.push(() => socket.close());
    }),
  );

  await add(one, "Kick-off");
  await shows(two, "Kick-off", "0");
  await two.getByRole("button", { name: "+1" }).click();
  await shows(one, "Kick-off", "1");

  // The socket is cut; what is written in between is told afterwards.
  await cuts[0]();
  await add(one, "While you were away");
  await shows(two, "While you were away", "0");
  await state(two, "live");
  assert.equal(cuts.length, 2, "the second window came back once");

  dbmigrate("rollback");
  await state(one, "moved");
  await state(two, "moved");
  await add(one, "On the file again");
  await shows(one, "On the file again", "0");
});

async function open(prepare = async (_page) => {}) {
  const page = await browser.newPage();
  await prepare(page);
  await page.goto(`${url}/#user=${user}&token=${token}`);
  await page.getByRole("button", { name: "Connect" }).click();
  await state(page, "live");
  return page;
}

async function add(page, title) {
  await page.getByPlaceholder("name of a new game").fill(title);
  await page.getByRole("button", { name: "Add" }).click();
}

const shows = (page, title, score) =>
  page
    .getByRole("row")
    .filter({ hasText: title })
    .filter({ has: page.getByRole("cell", { name: score, exact: true }) })
    .waitFor(patience);

const state = (page, name) => page.locator(`#state[data-state="${name}"]`).waitFor(patience);
