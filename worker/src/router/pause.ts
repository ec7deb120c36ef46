// Waiting between two rounds, with jitter so that requests that met the same obstacle do not return together.

const PAUSE_MS = { from: 50, to: 400 } as const;
/** R2 takes one write a second per key. */
const THROTTLED_MS = { from: 700, to: 1500 } as const;

/** While a cutover is under way, or a side failed. */
export function pause(): Promise<void> {
  return sleep(PAUSE_MS);
}

/** After R2 has refused a write to a key. */
export function pauseAfterThrottling(): Promise<void> {
  return sleep(THROTTLED_MS);
}

function sleep({ from, to }: { readonly from: number; readonly to: number }): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, from + Math.random() * (to - from)));
}
