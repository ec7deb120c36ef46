// Which test files a run does: the core, what you changed, and a sixth of the rest. Each file starts a runtime
// of its own, and that costs more than most files do. `make proof` runs them all, and so does a run that names
// files. Six turns in a row run everything.

/** What a change has to pass at each commit: the proofs of the promises. Folders end with a slash. */
export const core = [
  "test/architecture/",
  "test/wire/",
  "test/logic/",
  "test/client/connection.test.ts",
  "test/store/transitions.test.ts",
  "test/store/states.test.ts",
  "test/store/import.test.ts",
  "test/store/round-trip.test.ts",
  "test/store/digest.test.ts",
  "test/store/census.test.ts",
  "test/store/names.test.ts",
  "test/store/query.test.ts",
  "test/store/wipe.test.ts",
  "test/admin/admin.test.ts",
  "test/admin/previous.test.ts",
  "test/admin/way-back.test.ts",
  "test/router/marker.test.ts",
  "test/router/races.test.ts",
  "test/router/truth-table.test.ts",
  "test/file/engine.test.ts",
  "test/differential/generated.test.ts",
  "test/differential/rules.test.ts",
];

/** The part of a file's path that a source file and its test have in common: "router/marker". */
function subject(path: string): string {
  return path.replace(/^(src|test)\//, "").replace(/(\.test)?\.tsx?$|\.js$/, "");
}

export function isCore(file: string): boolean {
  return core.some((entry) => (entry.endsWith("/") ? file.startsWith(entry) : file === entry));
}

/** That many turns in a row run everything. */
export const turns = 6;

/** The one of six turns at which a file runs. It goes by the name, so that other files do not move it. */
export function turnOf(file: string): number {
  let sum = 0;
  for (let i = 0; i < file.length; i++) sum = (129 * sum + file.charCodeAt(i)) % 100_003;
  return sum % turns;
}

/**
 * The files that wait for another turn. `changed` are paths of the repository: a test file that changed runs,
 * and the one that is named after a source file that changed.
 */
export function waiting(files: readonly string[], turn: number | null, changed: readonly string[]): string[] {
  if (turn === null) return [];
  const touched = new Set(
    changed.filter((p) => p.startsWith("worker/")).map((p) => subject(p.slice("worker/".length))),
  );
  return files.filter((f) => !isCore(f) && turnOf(f) !== turn % turns && !touched.has(subject(f)));
}
