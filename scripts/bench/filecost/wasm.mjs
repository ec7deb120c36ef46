// Gives Node the WebAssembly modules that the Worker imports with ?module.
import { fileURLToPath } from "node:url";

const MARK = "?module";

export async function resolve(specifier, context, next) {
  if (!specifier.endsWith(MARK)) return next(specifier, context);
  const { url } = await next(specifier.slice(0, -MARK.length), context);
  return { url: url + MARK, format: "module", shortCircuit: true };
}

export async function load(url, context, next) {
  if (!url.endsWith(MARK)) return next(url, context);
  const path = JSON.stringify(fileURLToPath(url.slice(0, -MARK.length)));
  const source = `import { readFileSync } from "node:fs"; export default new WebAssembly.Module(readFileSync(${path}));`;
  return { format: "module", shortCircuit: true, source };
}
