// The example of docs/logic.md is what runs here.
import { afterEach, expect, it } from "vitest";
import page from "../../../docs/logic.md?raw";
import appText from "./example/app.ts?raw";
import indexText from "./example/index.ts?raw";
import * as app from "./example/app.ts";
import { mounted } from "./entry.ts";
import { Mover, router } from "./homes.ts";

afterEach(() => {
  delete mounted.schema;
  delete mounted.logic;
});

const onPage = (text: string): string => text.replace('"../../../src/index.ts"', '"@dbmigrate/worker"');

it("is the page's", () => {
  expect(page).toContain(`\`\`\`ts\n// app.ts\n${onPage(appText)}\`\`\`\n`);
  const [, index = ""] = indexText.split("// From here on it is docs/logic.md's.\n");
  expect(page).toContain(`\`\`\`ts\n// index.ts\n${onPage(index)}\`\`\`\n`);
});

it("runs for a user who moves there and back", async () => {
  Object.assign(mounted, app.mounted);
  const mover = new Mover();
  const wallets = () => router().call(mover.user, app.Wallets);
  const tooMuch = { name: "RangeError", message: "not enough coins" };
  expect(await wallets().open("ann")).toBe(1);
  expect(await wallets().open("bob")).toBe(2);
  await wallets().earn(1, 10);
  await mover.toObject();
  expect(await wallets().pay(1, 2, 4)).toBe(6);
  await expect(wallets().pay(1, 2, 7)).rejects.toMatchObject(tooMuch);
  await mover.toFile();
  expect(await wallets().pay(1, 2, 1)).toBe(5);
  await expect(wallets().pay(1, 2, 7)).rejects.toMatchObject(tooMuch);
  expect(await mover.column("SELECT coins FROM wallets ORDER BY id")).toEqual([5, 5]);
  expect(await mover.column("PRAGMA user_version")).toEqual([2]);
});
