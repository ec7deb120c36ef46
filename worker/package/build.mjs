// Builds the package that applications install: node package/build.mjs FOLDER [VERSION]
//
// It has no dependencies, so that one file is enough to install it without a registry: SQLite's WebAssembly
// module lies in it. The tarball is put into the folder, and what it is made of beside it.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
/** wrangler's own. */
const esbuild = createRequire(require.resolve("wrangler/package.json"))("esbuild");
const worker = dirname(dirname(fileURLToPath(import.meta.url)));
const [into, given] = [resolve(process.argv[2]), process.argv[3]];
const compiled = join(into, "compiled");
const target = join(into, "package");
const source = JSON.parse(readFileSync(join(worker, "package.json"), "utf8"));
const version = given || source.version;

const SQLITE = "@sqlite.org/sqlite-wasm/sqlite3.wasm?module";

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

/** SQLite's module comes along. */
function putModule(path) {
  const text = readFileSync(join(compiled, path), "utf8").replaceAll(SQLITE, "./sqlite3.wasm?module");
  const { code, map } = esbuild.transformSync(withItsMap(path, text), {
    minify: true, // applications upload it as it is, unless they minify themselves
    sourcefile: path,
    sourcemap: "external",
    target: "es2024",
  });
  const name = `${path}.map`;
  put(path, `${code}//# sourceMappingURL=${name.split("/").at(-1)}\n`);
  put(name, map);
}

/** The text with its source map in it, so that what is made of it leads back to TypeScript. */
function withItsMap(path, text) {
  const map = readFileSync(join(compiled, `${path}.map`)).toString("base64");
  const inline = `//# sourceMappingURL=data:application/json;base64,${map}`;
  return text.replace(/\/\/# sourceMappingURL=.*\s*$/, inline);
}

/** Compilers before TypeScript 5.7 look for no declarations behind ".ts". */
function putDeclarations(path) {
  const text = readFileSync(join(compiled, path), "utf8");
  put(path, text.replace(/((?:from|import\()\s*"\.[^"]*)\.ts"/g, '$1.js"'));
}

function manifest() {
  const entry = (path) => ({ types: `./${path}.d.ts`, default: `./${path}.js` });
  return {
    name: source.name,
    version,
    description: source.description,
    license: source.license,
    type: "module",
    exports: {
      ".": entry("src/index"),
      "./live": entry("client/live"),
      "./react": entry("client/react"),
      "./package.json": "./package.json",
    },
    peerDependencies: source.peerDependencies,
    peerDependenciesMeta: source.peerDependenciesMeta,
    types: "./src/index.d.ts",
    sideEffects: false,
    files: ["src", "client"],
  };
}

for (const folder of [compiled, target]) rmSync(folder, { recursive: true, force: true });
const tsc = join(worker, "node_modules/typescript/bin/tsc");
execFileSync(process.execPath, [tsc, "-p", join(worker, "package"), "--outDir", compiled], {
  stdio: "inherit",
});
for (const path of filesIn(compiled)) {
  if (path.endsWith(".d.ts")) putDeclarations(path);
  else if (path.endsWith(".js")) putModule(path);
}
put("src/version.js", `export const version = ${JSON.stringify(version)};\n`);
rmSync(join(target, "src/version.js.map"));
put("src/version.d.ts", "export declare const version: string;\n");
for (const name of ["authorizer.wasm", "progress.wasm"])
  cpSync(join(worker, "src/file", name), join(target, "src/file", name));
cpSync(require.resolve("@sqlite.org/sqlite-wasm/sqlite3.wasm"), join(target, "src/file/sqlite3.wasm"));
cpSync(join(worker, "../LICENSE"), join(target, "LICENSE"));
cpSync(join(worker, "package/README.md"), join(target, "README.md"));
put("package.json", `${JSON.stringify(manifest(), null, 2)}\n`);

const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", into], {
  cwd: target,
  encoding: "utf8",
});
rmSync(compiled, { recursive: true });
console.log(join(into, packed.trim()));
