// The layers of docs/architecture.md: which directory under src may import which. Types count, too.
import { expect, it } from "vitest";
import page from "../../../docs/architecture.md?raw";

/**
 * Each directory, or file of src itself, and what it may import. A layer below knows nothing of those above.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  state: ["wire"],
  query: ["wire", "state"],
  store: ["wire", "state", "query"],
  claims: ["wire", "state", "store", "auth.ts"],
  live: ["wire", "state", "query", "store"],
  schema: ["wire", "query"],
  logic: ["wire", "query"],
  "object-logic": ["wire", "state", "query", "schema", "logic"],
  file: ["wire", "query", "schema", "logic"],
  router: ["wire", "query", "schema", "logic", "file", "live"],
  admin: ["wire", "router", "auth.ts", "version.ts"],
  d1: ["wire", "query", "router"],
  "auth.ts": ["wire"],
  "version.ts": [],
  "user-data-store.ts": [
    "wire",
    "state",
    "query",
    "store",
    "claims",
    "live",
    "schema",
    "logic",
    "object-logic",
    "router",
    "admin",
    "auth.ts",
    "version.ts",
  ],
  "live-updates.ts": ["live", "router"],
  "split.ts": ["file", "live", "query", "router", "store"],
  "index.ts": ["wire", "query", "schema", "logic", "router", "admin", "d1", "user-data-store.ts"],
};

const sources = import.meta.glob("../../src/**/*.ts", { query: "?raw", import: "default", eager: true });

/** The directory under src, or the file where there is none. */
function unitOf(path: string): string {
  return path.split("/")[0] ?? "";
}

interface Arrow {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Every import, export-from and import() of another unit of ours. */
function arrows(): Arrow[] {
  const root = "http://src/";
  return Object.entries(sources).flatMap(([path, text]) => {
    const file = path.slice("../../src/".length);
    const imports = [...text.matchAll(/\b(?:from|import)\s*\(?\s*["'](\.[^"']*)["']/g)].map(
      (match) => match[1] ?? "",
    );
    return imports
      .map((specifier) => new URL(specifier, root + file).pathname.slice(1))
      .filter((target) => target.endsWith(".ts"))
      .map((target) => ({ file, from: unitOf(file), to: unitOf(target) }))
      .filter(({ from, to }) => from !== to);
  });
}

it("lists every directory and every file of src itself", () => {
  const units = new Set(Object.keys(sources).map((path) => unitOf(path.slice("../../src/".length))));
  expect([...units].sort()).toEqual(Object.keys(mayImport).sort());
});

it("imports only what the table allows", () => {
  const forbidden = arrows().filter(({ from, to }) => !mayImport[from]?.includes(to));
  expect(forbidden.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
});

it("allows only what is imported", () => {
  const seen = new Set(arrows().map(({ from, to }) => `${from} -> ${to}`));
  const allowed = Object.entries(mayImport).flatMap(([from, targets]) =>
    targets.map((to) => `${from} -> ${to}`),
  );
  expect(allowed.filter((arrow) => !seen.has(arrow))).toEqual([]);
});

it("has no circle: each may import only what stands before it", () => {
  const before = new Set<string>();
  let rest = Object.entries(mayImport);
  while (rest.length > 0) {
    const free = rest.filter(([, targets]) => targets.every((target) => before.has(target)));
    expect(
      free,
      `these import each other in a circle: ${rest.map(([name]) => name).join(", ")}`,
    ).not.toHaveLength(0);
    for (const [name] of free) before.add(name);
    rest = rest.filter(([name]) => !before.has(name));
  }
});

it("is what docs/architecture.md says", () => {
  const rows = [...page.matchAll(/^\| `worker\/src\/([\w.-]+)` \|[^|]*\|([^|]*)\|$/gm)];
  const documented = rows.map(([, name, imports]) => [name, (imports ?? "").match(/[\w-]+(\.ts)?/g) ?? []]);
  const known = Object.entries(mayImport).map(([name, imports]) => [
    name,
    imports.length === 0 ? ["none"] : imports,
  ]);
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(known));
});
