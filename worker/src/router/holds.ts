// Who saves which file, and who fences it, within this isolate. A fence reads the file, asks for the last
// claim and writes; writers that never pause would be faster every time. So the fence announces itself: saves
// that have begun end first, and new ones wait until the attempt is over. Nothing depends on it but that an
// attempt wins: fence and saves are conditional, whatever is announced.

/** A request that was cut off does not say that it has ended. After so long it is not waited for. */
const PATIENCE_MS = 2000;
const POLL_MS = 5;

/** One file. */
export interface Gate {
  /** When each began. */
  readonly saves: Map<symbol, number>;
  readonly holds: Map<symbol, number>;
}

/** The files that are being saved or fenced in one isolate. */
export type Gates = Map<string, Gate>;

/** Those of this isolate: routers are made per request. */
export const isolateGates: Gates = new Map();

/** Ends what was begun. */
export type End = () => void;

/** Undefined while a fence is being put: then nothing may be saved. */
export function beginSave(key: string, gates = isolateGates): End | undefined {
  const gate = gateOf(gates, key);
  return isBusy(gate.holds) ? undefined : begin(gates, key, gate.saves).end;
}

/**
 * Keeps saves of the file away. Resolves when those that had begun have ended; only from then on the hold
 * grows old.
 */
export async function holdSaves(key: string, gates = isolateGates): Promise<End> {
  const gate = gateOf(gates, key);
  const { who, end } = begin(gates, key, gate.holds);
  // A promise of another request must not be awaited, so each looks for itself.
  while (isBusy(gate.saves)) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    gate.holds.set(who, Date.now());
  }
  return end;
}

function gateOf(gates: Gates, key: string): Gate {
  const known = gates.get(key);
  if (known !== undefined) return known;
  const gate: Gate = { saves: new Map(), holds: new Map() };
  gates.set(key, gate);
  return gate;
}

function begin(gates: Gates, key: string, of: Map<symbol, number>): { who: symbol; end: End } {
  const who = Symbol();
  of.set(who, Date.now());
  const end = (): void => {
    of.delete(who);
    const gate = gates.get(key);
    if (gate !== undefined && gate.saves.size + gate.holds.size === 0) gates.delete(key);
  };
  return { who, end };
}

function isBusy(of: Map<symbol, number>): boolean {
  for (const [who, since] of of) {
    if (Date.now() - since < PATIENCE_MS) return true;
    of.delete(who);
  }
  return false;
}
