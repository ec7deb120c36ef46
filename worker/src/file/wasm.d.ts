// Wrangler (and the Vitest pool) hand a .wasm import over as a compiled module: Workers may not compile at
// run time.
declare module "*.wasm?module" {
  const module: WebAssembly.Module;
  export default module;
}
