// What a store remembers about itself. It lives in the key-value side of the same SQLite database:
// transactions cover it, and no SQL of an application can see or touch it.
import type { Frame } from "../wire/batch.ts";
import type { BatchRange, Header, Outcome, SchemaObject, VirtualTable } from "../wire/messages.ts";
import type { ExactValue } from "../wire/values.ts";
import { getLarge, putLarge } from "./large-values.ts";
import { type State, initialState } from "./phases.ts";

/** Every key of ours starts with this; an application may use all others. */
const PREFIX = "_dbmigrate:";

const STATE = PREFIX + "state";
const WRITES = PREFIX + "writes";
const LAST_CLAIM = PREFIX + "claim";
const THAWS = PREFIX + "thaws";
const THAW_ROWS = PREFIX + "thawRows";
const REST = PREFIX + "rest";

/**
 * What survives a wipe: the claim counter and the write counter never go back, and a thaw is a wipe and an
 * import.
 */
const KEPT_BY_WIPE: ReadonlySet<string> = new Set([STATE, WRITES, LAST_CLAIM, THAWS, THAW_ROWS, REST]);

/** What the schema message said and SQLite does not hold. */
export interface StoredSchema {
  readonly header: Header;
  readonly virtual: readonly VirtualTable[];
  /** SHA-256 of the message, to know it again. */
  readonly sha256: string;
}

/** A part of a key. Of a long one only the beginning is kept, and what tells whether another one is the same. */
export type KeyPart = ExactValue & { readonly whole?: string };

/** The key of a row; a rowid is a number as long as that is exact. */
export type RowKey = number | bigint | readonly KeyPart[];

/** Rows of an import that arrived side by side. Keys are null where the frames show none. */
export interface Span {
  /** Places in the table, in the order of its keys. */
  readonly from: number;
  readonly to: number;
  readonly first: RowKey | null;
  readonly last: RowKey | null;
}

/** What arrived of one table. */
export interface Arrival {
  readonly table: string;
  readonly spans: readonly Span[];
}

/** One thing that `finish` does. */
export type FinishStep =
  | { readonly kind: "object"; readonly object: SchemaObject }
  | { readonly kind: "config"; readonly table: string; readonly option: readonly [ExactValue, ExactValue] }
  | { readonly kind: "rebuild"; readonly table: string }
  | { readonly kind: "check"; readonly table: string }
  | { readonly kind: "sequence" };

/** How far `finish` is: it does the steps in order. */
export interface FinishProgress {
  readonly total: number;
  readonly done: number;
}

/** The last claim that carried an id, so that its repetition can be told from another claim. */
export interface LastClaim {
  readonly gen: number;
  readonly id: string;
  readonly outcome: Outcome;
}

/** The primary key of a row, as JSON values of the wire. */
export type KeptKey = readonly unknown[];

/** Rows of a table that the application wants back in the file. */
export interface KeptThaw {
  readonly table: string;
  /** Of the primary key. */
  readonly columns: readonly string[];
  readonly keys: readonly KeptKey[];
}

/** The bookkeeping of one store. Every method is one synchronous read or write of storage. */
export class Bookkeeping {
  readonly #kv: SyncKvStorage;

  constructor(kv: SyncKvStorage) {
    this.#kv = kv;
  }

  /**
   * Sets changes() back to 0, by deleting what is not there: an application is not to see what somebody
   * else's request changed.
   */
  forgetChanges(): void {
    this.#kv.delete(PREFIX + "nothing");
  }

  get state(): State {
    return this.#kv.get<State>(STATE) ?? initialState;
  }

  set state(state: State) {
    this.#kv.put(STATE, state);
  }

  get lastClaim(): LastClaim | undefined {
    return this.#kv.get<LastClaim>(LAST_CLAIM);
  }

  set lastClaim(claim: LastClaim) {
    this.#kv.put(LAST_CLAIM, claim);
  }

  /** Application write transactions since the object came into being. */
  get writes(): number {
    return this.#kv.get<number>(WRITES) ?? 0;
  }

  countWrite(): void {
    this.#kv.put(WRITES, this.writes + 1);
  }

  /** Grows with every change of content by the admin side; with `writes` it names one content. */
  get revision(): number {
    return this.#read<number>("revision") ?? 0;
  }

  contentChanged(): void {
    this.#write("revision", this.revision + 1);
  }

  get applied(): readonly BatchRange[] {
    return this.#readLarge<BatchRange[]>("applied") ?? [];
  }

  set applied(ranges: readonly BatchRange[]) {
    this.#writeLarge("applied", ranges);
  }

  /** What arrived of a table, under an id of its name, which may be longer than a key. */
  arrival(id: string): Arrival | undefined {
    return this.#read<Arrival>(`arrival:${id}`);
  }

  putArrival(id: string, arrival: Arrival): void {
    this.#write(`arrival:${id}`, arrival);
  }

  /** Whether every batch is held against its places: an older Worker took no notice of them. */
  get watchesPlaces(): boolean {
    return this.#read<boolean>("places") ?? false;
  }

  watchPlaces(): void {
    this.#write("places", true);
  }

  arrivals(): Arrival[] {
    return [...this.#kv.list<Arrival>({ prefix: `${PREFIX}arrival:` })].map(([, arrival]) => arrival);
  }

  dropArrivals(): void {
    this.#dropPrefix(`${PREFIX}arrival:`);
  }

  get schema(): StoredSchema | undefined {
    return this.#readLarge<StoredSchema>("schema");
  }

  set schema(schema: StoredSchema) {
    this.#writeLarge("schema", schema);
  }

  /** What the file's header says is `PRAGMA user_version`: 0 before there is content. */
  get userVersion(): number {
    return this.schema?.header.userVersion ?? 0;
  }

  /** It travels back in the header. @throws Error before there is content */
  set userVersion(version: number) {
    const { schema } = this;
    if (schema === undefined) throw new Error("a store without content has no version");
    this.schema = { ...schema, header: { ...schema.header, userVersion: version } };
  }

  get finish(): FinishProgress | undefined {
    return this.#read<FinishProgress>("finish");
  }

  set finish(progress: FinishProgress) {
    this.#write("finish", progress);
  }

  /** Whether `finish` has begun: from then on no rows are taken, since triggers would fire. */
  get finishing(): boolean {
    return this.#read<boolean>("finishing") ?? false;
  }

  markFinishing(): void {
    this.#write("finishing", true);
  }

  step(index: number): FinishStep | undefined {
    return this.#readLarge<FinishStep>(`step:${index}`);
  }

  putStep(index: number, step: FinishStep): void {
    this.#writeLarge(`step:${index}`, step);
  }

  /** The write counter when the present content was activated. */
  get writesAtActivation(): number {
    return this.#read<number>("writesAtActivation") ?? 0;
  }

  markActivation(): void {
    this.#write("writesAtActivation", this.writes);
  }

  /** The claim under which the whole database last began to serve; 0: it never did. */
  get opened(): number {
    return this.#read<number>("opened") ?? 0;
  }

  set opened(gen: number) {
    this.#write("opened", gen);
  }

  /** The storage's point in time before the claim under which the present content is imported. */
  get claimBookmark(): string | undefined {
    return this.#read<string>("claimBookmark");
  }

  set claimBookmark(bookmark: string | undefined) {
    if (bookmark !== undefined) this.#write("claimBookmark", bookmark);
  }

  get receipt(): unknown {
    return this.#readLarge<unknown>("receipt") ?? null;
  }

  set receipt(receipt: unknown) {
    this.#writeLarge("receipt", receipt);
  }

  /**
   * Keeps a frame of sqlite_sequence until `finish`: tables fill sqlite_sequence themselves while rows
   * arrive.
   */
  keepSequenceFrame(id: string, frame: Frame): void {
    this.#write(`sequence:${id}`, frame);
  }

  sequenceFrames(): Frame[] {
    return [...this.#kv.list<Frame>({ prefix: `${PREFIX}sequence:` })].map(([, frame]) => frame);
  }

  /** Digest progress (digest.ts), under names of its own. */
  digestEntry<T>(name: string): T | undefined {
    return this.#readLarge<T>(`digest:${name}`);
  }

  putDigestEntry(name: string, entry: unknown): void {
    this.#writeLarge(`digest:${name}`, entry);
  }

  dropDigest(): void {
    this.#dropPrefix(`${PREFIX}digest:`);
  }

  /**
   * When live updates were last asked for, in milliseconds; undefined while nobody wants any (live/log.ts).
   */
  get liveSince(): number | undefined {
    return this.#read<number>("live:since");
  }

  set liveSince(time: number) {
    this.#write("live:since", time);
  }

  liveEntry<T>(seq: number): T | undefined {
    return this.#read<T>(`live:log:${seq}`);
  }

  /** The entries behind `after` up to `upto`, in their order, as far as they are kept: faster than one by one. */
  liveEntries<T>(after: number, upto: number): T[] {
    const prefix = `${PREFIX}live:log:`;
    const found: [number, T][] = [];
    for (let from = after + 1, to; from <= upto; from = to + 1) {
      // The names of numbers sort as they do where they have as many digits.
      to = Math.min(upto, 10 ** String(from).length - 1);
      for (const [key, entry] of this.#kv.list<T>({ start: `${prefix}${from}`, end: `${prefix}${to}\0` })) {
        const seq = Number(key.slice(prefix.length));
        if (seq >= from) found.push([seq, entry]);
      }
    }
    return found.map(([, entry]) => entry);
  }

  putLiveEntry(seq: number, entry: unknown): void {
    this.#write(`live:log:${seq}`, entry);
  }

  deleteLiveEntry(seq: number): void {
    this.#kv.delete(`${PREFIX}live:log:${seq}`);
  }

  dropLive(): void {
    this.#dropPrefix(`${PREFIX}live:`);
  }

  /** What the application wants back in the file. */
  get thaws(): readonly KeptThaw[] {
    return this.#read<KeptThaw[]>("thaws") ?? [];
  }

  /** How many rows these are, kept by itself: every status tells it, and `thaws` may be a megabyte. */
  get thawRows(): number {
    return this.#read<number>("thawRows") ?? 0;
  }

  noteThaws(thaws: readonly KeptThaw[], rows: number): void {
    this.#write("thaws", thaws);
    this.#write("thawRows", rows);
  }

  dropThaws(): void {
    this.#kv.delete(THAWS);
    this.#kv.delete(THAW_ROWS);
  }

  /** Whether tables are left of content that was given up (store/wipe.ts). */
  get hasRest(): boolean {
    return this.#kv.get<boolean>(REST) ?? false;
  }

  set hasRest(rest: boolean) {
    if (rest) this.#kv.put(REST, true);
    else this.#kv.delete(REST);
  }

  /**
   * Forgets everything about the content. State and write counter stay, and what is to be thawed; the
   * revision goes on.
   */
  wipe(): void {
    const revision = this.revision;
    this.#dropPrefix(PREFIX);
    this.#write("revision", revision + 1);
  }

  #read<T>(name: string): T | undefined {
    return this.#kv.get<T>(PREFIX + name);
  }

  #write(name: string, value: unknown): void {
    this.#kv.put(PREFIX + name, value);
  }

  // For what grows with the number of tables, batches or objects.
  #readLarge<T>(name: string): T | undefined {
    return getLarge<T>(this.#kv, PREFIX + name);
  }

  #writeLarge(name: string, value: unknown): void {
    putLarge(this.#kv, PREFIX + name, value);
  }

  #dropPrefix(prefix: string): void {
    const keys = [...this.#kv.list({ prefix })].map(([key]) => key);
    for (const key of keys) if (!KEPT_BY_WIPE.has(key)) this.#kv.delete(key);
  }
}
