// How long requests took, by the side that answered: what a move changes for users. It is of one isolate; a
// dashboard over all of them reads dataPoints (docs/mount.md).
import { jsonLines, type Observer, type RequestEvent } from "../src/index.ts";

/** The latest requests of a side, so many at most. */
const KEPT = 1000;

/** Milliseconds; 1 % of the requests took longer than p99. */
export interface Latency {
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
}

export class Latencies {
  private readonly took = new Map<string, number[]>();
  private readonly counts = new Map<string, number>();

  /** Notes requests, and logs everything else. */
  readonly observe: Observer = (event) => {
    if (event.kind === "request") this.note(event);
    else log(event);
  };

  /** By "file" and "store"; of requests that nobody answered by "none". */
  bySide(): Record<string, Latency> {
    const sides = [...this.took].map(([side, took]): [string, Latency] => {
      const sorted = took.toSorted((one, other) => one - other);
      const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
      return [side, { requests: this.counts.get(side) ?? 0, p50: at(0.5), p99: at(0.99) }];
    });
    return Object.fromEntries(sides);
  }

  private note({ side, durationMs }: RequestEvent): void {
    const name = side ?? "none";
    const took = this.took.get(name) ?? [];
    const count = this.counts.get(name) ?? 0;
    took[count % KEPT] = durationMs;
    this.took.set(name, took);
    this.counts.set(name, count + 1);
  }
}

const log = jsonLines((line) => console.warn(`dbmigrate router: ${line}`));
