// What each directory of src adds to a bundle: node package/sizes.mjs prints rows of docs/notes/performance.md.
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
/** wrangler's own. */
const esbuild = createRequire(require.resolve("wrangler/package.json"))("esbuild");
const worker = dirname(dirname(fileURLToPath(import.meta.url)));

const MOUNTED = 'export { createRouter, handleAdmin, UserDataStore, UserLogic } from "./index.ts";';
const PARTS = 'export * from "./live-updates.ts"; export * from "./split.ts";';
const COLUMNS = ["store", "router", "query", "file", "wire", "live", "admin", "state", "logic"];
/** They have one column. */
const TOGETHER = { claims: "store", schema: "logic", "object-logic": "logic" };

const wasmBeside = {
  name: "wasm",
  setup(build) {
    build.onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({ path: basename(path), external: true }));
  },
};

/** Bytes by column, of what is bundled for such an application. */
async function sizesOf(contents) {
  const { metafile } = await esbuild.build({
    stdin: { contents, resolveDir: join(worker, "src"), loader: "ts" },
    absWorkingDir: worker,
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*", "node:*"],
    plugins: [wasmBeside],
  });
  const sizes = {};
  for (const [path, { bytesInOutput }] of Object.entries(Object.values(metafile.outputs)[0].inputs)) {
    const directory = /^src\/([^/]+)\//.exec(path)?.[1];
    const column = TOGETHER[directory] ?? directory;
    const name = COLUMNS.includes(column) ? column : "other";
    sizes[name] = (sizes[name] ?? 0) + bytesInOutput;
  }
  return sizes;
}

function row(name, sizes) {
  const all = Object.values(sizes).reduce((sum, bytes) => sum + bytes, 0);
  const cells = [...COLUMNS, "other"].map((column) => sizes[column] ?? 0);
  return `| ${[name, ...[...cells, all].map((bytes) => Math.round(bytes / 1024))].join(" | ")} |`;
}

console.log(row("without live updates and split mode", await sizesOf(MOUNTED)));
console.log(row("with both", await sizesOf(MOUNTED + PARTS)));
