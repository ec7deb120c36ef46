// Counts the steps of SQLite's virtual machine over one file: a statement without end would hold the isolate,
// and with it all its users.

/** Steps between two calls of SQLite's progress handler. */
export const STEPS_AT_ONCE = 10_000;

let left = 0;

/** A file is opened: its request has so many steps. One file at a time is open. */
export function beginSteps(steps: number): void {
  left = steps;
}

/** SQLite's progress handler: anything but 0 ends the statement with SQLITE_INTERRUPT. */
export function countSteps(): number {
  left -= STEPS_AT_ONCE;
  return left < 0 ? 1 : 0;
}

/** What is left of the steps of the request that was under way last. */
export function stepsLeft(): number {
  return left;
}
