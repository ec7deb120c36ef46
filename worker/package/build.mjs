// Builds the package that applications install: node package/build.mjs FOLDER [VERSION]
//
// It has no dependencies, so that one file is enough to install it without a registry: SQLite's WebAssembly
// module lies in it. The tarball is put into the folder, and what it is made of beside it.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { trimWasm } from "./trim-wasm.mjs";

const require = createRequire(import.meta.url);
/** wrangler's own. */
const esbuild = createRequire(require.resolve("wrangler/package.json"))("esbuild");
const worker = dirname(dirname(fileURLToPath(import.meta.url)));
const [into, given] = [resolve(process.argv[2]), process.argv[3]];
const compiled = join(into, "compiled");
const target = join(into, "package");
const source = JSON.parse(readFileSync(join(worker, "package.json"), "utf8"));
const version = given || source.version;

/** What applications import from, and what it is made of. */
const ENTRIES = {
  index: { as: ".", code: "src/index.ts" },
  "live-updates": { as: "./live-updates", code: "src/live-updates.ts" },
  split: { as: "./split", code: "src/split.ts" },
};

const WASM = "./wasm";

/** Every file under a folder, by its path in there. */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

function put(path, text) {
  mkdirSync(dirname(join(target, path)), { recursive: true });
  writeFileSync(join(target, path), text);
}

/** What runs: one module for each entry, and what they share. Applications upload it as it is. */
async function bundle() {
  const { metafile } = await esbuild.build({
    entryPoints: Object.fromEntries(
      Object.entries(ENTRIES).map(([name, { code }]) => [name, join(worker, code)]),
    ),
    outdir: target,
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2024",
    chunkNames: "shared-[hash]",
    minify: true, // of one module, names across files become short, too
    legalComments: "none",
    sourcemap: true,
    metafile: true,
    external: ["cloudflare:*", "node:*"],
    plugins: [ownVersion, ownModules],
  });
  return Object.keys(metafile.outputs).filter((path) => path.endsWith(".js"));
}

/** `version` is that of the package, and not of the source. */
const ownVersion = {
  name: "version",
  setup(build) {
    const contents = `export const version = ${JSON.stringify(version)};`;
    build.onLoad({ filter: /src\/version\.ts$/ }, () => ({ contents, loader: "ts" }));
  },
};

/** WebAssembly lies beside the code, SQLite's module as well. */
const ownModules = {
  name: "wasm",
  setup(build) {
    build.onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({
      path: `${WASM}/${basename(path)}`,
      external: true,
    }));
  },
};

/** The clients are for browsers, and readable modules of their own. */
function putClient(path) {
  const text = readFileSync(join(worker, path), "utf8");
  const { code, map } = esbuild.transformSync(text, {
    minify: true,
    sourcefile: path,
    sourcemap: "external",
    target: "es2024",
  });
  put(path, `${code}//# sourceMappingURL=${basename(path)}.map\n`);
  put(`${path}.map`, map);
}

/** Only with what the code names: anything else of the C API cannot be called. */
function putSqlite(modules) {
  const code = modules.map((path) => readFileSync(path, "utf8")).join("\n");
  const names = new Set(code.match(/\w+/g));
  const whole = readFileSync(require.resolve("@sqlite.org/sqlite-wasm/sqlite3.wasm"));
  put(
    "wasm/sqlite3.wasm",
    trimWasm(whole, (name) => names.has(name)),
  );
}

/** Compilers before TypeScript 5.7 look for no declarations behind ".ts". */
function putDeclarations(path) {
  const text = readFileSync(join(compiled, path), "utf8");
  put(path, text.replace(/((?:from|import\()\s*"\.[^"]*)\.ts"/g, '$1.js"'));
}

function manifest() {
  const client = (path) => ({ types: `./client/${path}.d.ts`, default: `./client/${path}.js` });
  const entries = Object.entries(ENTRIES).map(([name, { code, as }]) => [
    as,
    { types: `./${code.replace(".ts", ".d.ts")}`, default: `./${name}.js` },
  ]);
  return {
    name: source.name,
    version,
    description: source.description,
    license: source.license,
    type: "module",
    exports: {
      ...Object.fromEntries(entries),
      "./live": client("live"),
      "./react": client("react"),
      "./package.json": "./package.json",
    },
    peerDependencies: source.peerDependencies,
    peerDependenciesMeta: source.peerDependenciesMeta,
    types: "./src/index.d.ts",
    sideEffects: false,
    files: ["*.js", "*.js.map", "wasm", "src", "client"],
  };
}

for (const folder of [compiled, target]) rmSync(folder, { recursive: true, force: true });
const tsc = join(worker, "node_modules/typescript/bin/tsc");
execFileSync(process.execPath, [tsc, "-p", join(worker, "package"), "--outDir", compiled], {
  stdio: "inherit",
});
for (const path of filesIn(compiled)) putDeclarations(path);
put("src/version.d.ts", "export declare const version: string;\n");
for (const path of ["client/live.js", "client/react.js"]) putClient(path);
putSqlite(await bundle());
for (const name of ["authorizer.wasm", "progress.wasm"])
  cpSync(join(worker, "src/file", name), join(target, "wasm", name));
cpSync(join(worker, "../LICENSE"), join(target, "LICENSE"));
cpSync(join(worker, "package/README.md"), join(target, "README.md"));
put("package.json", `${JSON.stringify(manifest(), null, 2)}\n`);

const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", into], {
  cwd: target,
  encoding: "utf8",
});
rmSync(compiled, { recursive: true });
console.log(join(into, packed.trim()));
