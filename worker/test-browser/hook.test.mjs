// The React hook in a real browser: two windows of a page of components on one user. Run by `make test-browser`, which starts the local
// runtime.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { browserOf, dbmigrateFor, demand, writerFor } from "./user.mjs";

const url = demand("DBMIGRATE_WORKER_URL");
const token = demand("APP_TOKEN");
const user = `hook-${process.pid}`;
const patience = { timeout: 60_000 };
const write = writerFor(url, token, user);
const dbmigrate = dbmigrateFor(user);

/** What an application would write: docs/live-updates.md begins with it. */
const PAGE = `
  import { createElement as h } from "react";
  import { createRoot } from "react-dom/client";
  import { connect } from "./live.js";
  import { useLiveQuery } from "./react.js";

  const live = connect({
    url: location.origin.replace(/^http/, "ws") + "/api/users/${user}/live",
    protocols: ["dbmigrate-live", "bearer.${token}"],
    pollMs: 500,
    onState: (state) => (document.body.dataset.state = state),
    query: async (sql, params) => {
      window.queries = (window.queries ?? 0) + 1;
      const response = await fetch("/api/users/${user}/query", {
        method: "POST",
        headers: { "content-type": "application/json", authorization: "Bearer ${token}" },
        body: JSON.stringify({ mode: "read", reads: true, statements: [{ sql, params }] }),
      });
      return response.json();
    },
  });

  function Games() {
    const { rows, isLoading, error } = useLiveQuery(live, "SELECT id, title FROM best ORDER BY id");
    if (isLoading) return h("p", null, error ? String(error) : "Loading");
    return h("ul", null, rows.map(([id, title]) => h("li", { key: id }, title)));
  }

  createRoot(document.getElementById("root")).render(h(Games));
`;

/** @type {import("playwright-core").Browser} */
let browser;
let script = "";

before(async () => {
  await write(
    "CREATE TABLE games (id INTEGER PRIMARY KEY, title TEXT NOT NULL, score INTEGER NOT NULL DEFAULT 1)",
  );
  await write("CREATE TABLE clicks (id INTEGER PRIMARY KEY)");
  await write("CREATE VIEW best AS SELECT id, title FROM games WHERE score > 0");
  dbmigrate("migrate");
  const bundle = await build({
    stdin: { contents: PAGE, resolveDir: fileURLToPath(new URL("../client", import.meta.url)) },
    bundle: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  script = bundle.outputFiles[0].text;
  browser = await browserOf();
});

after(() => browser?.close());

test("two windows with the hook show the table, over a cut, to the way back, and there again", async () => {
  const cuts = [];
  const [one, two] = [await open(), await open((socket) => cuts.push(() => socket.close()))];
  await state(one, "live");
  await state(two, "live");

  await write("INSERT INTO games (title) VALUES ('Kick-off')");
  await show("Kick-off", one, two);

  // A change of a table that the view does not read runs nothing.
  const before = await one.evaluate("window.queries");
  await write("INSERT INTO clicks VALUES (1)");
  await write("UPDATE games SET title = 'Half-time' WHERE id = 1");
  await show("Half-time", one, two);
  assert.equal(await one.evaluate("window.queries"), before + 1);

  await cuts[0]();
  await write("INSERT INTO games (title) VALUES ('While you were away')");
  await show("While you were away", one, two);

  dbmigrate("rollback");
  await state(one, "moved");
  await state(two, "moved");
  await write("INSERT INTO games (title) VALUES ('On the file again')");
  await show("On the file again", one, two);

  dbmigrate("migrate");
  await state(one, "live");
  await state(two, "live");
  await write("DELETE FROM games WHERE id < 3");
  await write("INSERT INTO games (title) VALUES ('Extra time')");
  await show("Extra time", one, two);
  for (const page of [one, two])
    assert.deepEqual(await page.getByRole("listitem").allTextContents(), ["On the file again", "Extra time"]);
});

async function open(connected = (_socket) => {}) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.routeWebSocket(/\/live$/, (socket) => {
    socket.connectToServer();
    connected(socket);
  });
  // The sample's page is of the local network, from where alone a page may connect to it. It makes room for ours.
  await page.goto(url);
  await page.evaluate("document.body.innerHTML = '<div id=\"root\"></div>'");
  await page.addScriptTag({ content: script, type: "module" });
  return page;
}

async function show(title, ...pages) {
  for (const page of pages) await page.getByRole("listitem").filter({ hasText: title }).waitFor(patience);
}

const state = (page, name) =>
  page.locator(`body[data-state="${name}"]`).waitFor({ ...patience, state: "attached" }); // an empty page is not visible
