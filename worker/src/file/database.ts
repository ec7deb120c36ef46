// One database file, open in memory.
import type { QueryMode } from "../query/types.ts";
import { WireError } from "../wire/errors.ts";
import { QUERY_LIMITS } from "../wire/limits.ts";
import { asOurselves } from "./authorizer.ts";
import { primary, withCode } from "./codes.ts";
import { asStoreSays } from "./functions.ts";
import { clearWalFlags } from "./image.ts";
import { limitLikeStore, dropModules } from "./limits.ts";
import { encodeText, type Pointer } from "./memory.ts";
import type { Written } from "./written.ts";
import { beginSteps, STEPS_AT_ONCE } from "./steps.ts";
import { allocate, type Sqlite, sqlite, withBytes, withText } from "./sqlite.ts";

/** sqlite3.h */
const OPEN_READWRITE_CREATE = 0x6;
const DESERIALIZE = { FREEONCLOSE: 1, RESIZEABLE: 2 } as const;
const SERIALIZE_NOCOPY = 1;
const FCNTL_SIZE_LIMIT = 36;
const DBCONFIG = {
  ENABLE_FKEY: 1002,
  DEFENSIVE: 1010,
  DQS_DML: 1013,
  DQS_DDL: 1014,
  TRUSTED_SCHEMA: 1017,
} as const;
/** Primary result codes, the low byte of an extended one. */
const CODE = { NOMEM: 7, READONLY: 8, INTERRUPT: 9, CORRUPT: 11, FULL: 13, NOTADB: 26 } as const;

/**
 * Of files made here: what SQLite uses elsewhere, and Durable Objects always; this build of SQLite would take
 * 8192.
 */
const NEW_PAGE_SIZE = 4096;

/**
 * SQLite's memory: the file as it is and while it is moved to grow, and what SQLite needs to sort and to
 * join.
 */
const FILE_COPIES = 4;
const OWN_BYTES = 64 * 1024 * 1024;
/** A request may make this much of a small file. */
const ROOM_TO_GROW = 4 * 1024 * 1024;

export interface OpenOptions {
  /** What the request says that it does. */
  readonly mode: QueryMode;
  /** Bytes that the database may grow to. */
  readonly maxBytes: number;
  /** Steps of SQLite's virtual machine that the request may take; QUERY_LIMITS.fileSteps when absent. */
  readonly steps?: number;
  /** Whether a Durable Object's limits hold, as when absent, or SQLite's own. */
  readonly rules?: FileRules;
  /** Whether foreign keys are enforced, as when absent. */
  readonly foreignKeys?: boolean;
  /** Records what a write does (written.ts). */
  readonly watch?: Watch | undefined;
}

/** Begins to record what is written to a file. End it always, before the file is closed. */
export type Watch = (db: FileDatabase) => { written(): Written; end(): void };

/** `store`: the limits, functions, modules and names of a Durable Object. `sqlite`: those of SQLite. */
export type FileRules = "store" | "sqlite";

/** An open file. Close it always: its memory is not garbage-collected. */
export class FileDatabase {
  private constructor(
    readonly lib: Sqlite,
    readonly handle: Pointer,
    private readonly options: OpenOptions,
  ) {}

  private get steps(): number {
    return this.options.steps ?? QUERY_LIMITS.fileSteps;
  }

  /** Opens a copy of `image`; an empty one is an empty database. */
  static open(image: Uint8Array, options: OpenOptions): FileDatabase {
    const lib = sqlite();
    lib.memory.limit =
      OWN_BYTES + FILE_COPIES * Math.min(options.maxBytes, Math.max(image.byteLength, ROOM_TO_GROW));
    lib.memory.refused = false;
    const db = new FileDatabase(lib, openMemory(lib), options);
    try {
      db.load(image);
      if (image.byteLength === 0) db.execute(`PRAGMA page_size = ${NEW_PAGE_SIZE}`);
      db.configure();
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  close(): void {
    this.lib.c.sqlite3_close_v2(this.handle);
  }

  begin(): void {
    this.execute("BEGIN");
  }

  commit(): void {
    this.execute("COMMIT");
  }

  /** A transaction within the transaction: what `work` throws takes back what it wrote. */
  nested<T>(work: () => T): T {
    this.execute("SAVEPOINT nested");
    try {
      const value = work();
      this.execute("RELEASE nested");
      return value;
    } catch (error) {
      this.execute("ROLLBACK TO nested");
      this.execute("RELEASE nested");
      throw error;
    }
  }

  /** Rows changed since the file was opened. */
  totalChanges(): bigint {
    return this.lib.c.sqlite3_total_changes64(this.handle);
  }

  /** The file as it stands now: a view that the next call into SQLite may invalidate. */
  image(): Uint8Array {
    const { c, memory } = this.lib;
    return withText(this.lib, "main", (main) =>
      withBytes(this.lib, new Uint8Array(8), (size) => {
        const at = c.sqlite3_serialize(this.handle, main, size, SERIALIZE_NOCOPY);
        return memory.view(at, Number(memory.readInt64(size)));
      }),
    );
  }

  /** Throws unless `code` is SQLITE_OK. */
  check(code: number): void {
    if (code === 0) return;
    // A fenced file is poisoned: SQLite stops a write before it is known whether it would have changed
    // anything.
    if (primary(code) === CODE.READONLY && this.options.mode === "read") throw writeInRead();
    if (primary(code) === CODE.INTERRUPT) throw tooCostly(`${this.steps} steps of SQLite`);
    if (primary(code) === CODE.NOMEM && this.lib.memory.refused)
      throw tooCostly(`${this.lib.memory.limit} bytes of memory`);
    const { c } = this.lib;
    const extended = c.sqlite3_extended_errcode(this.handle);
    const offset = c.sqlite3_error_offset(this.handle);
    throw sqliteError(primary(extended) === primary(code) ? extended : code, this.message(code), offset);
  }

  private message(code: number): string {
    const { c, memory } = this.lib;
    const said = memory.cString(c.sqlite3_errmsg(this.handle));
    return said === "" || said === "not an error"
      ? memory.cString(c.sqlite3_errstr(code))
      : asStoreSays(said);
  }

  private load(image: Uint8Array): void {
    const { c, memory } = this.lib;
    const data = allocate(c, image.byteLength);
    memory.write(data, image);
    clearWalFlags(memory.view(data, image.byteLength));
    const flags = DESERIALIZE.FREEONCLOSE | DESERIALIZE.RESIZEABLE;
    const size = BigInt(image.byteLength);
    // FREEONCLOSE holds even when this fails, so `data` is SQLite's from here on.
    withText(this.lib, "main", (main) => {
      this.check(c.sqlite3_deserialize(this.handle, main, data, size, size, flags));
      const limit = new Uint8Array(new BigInt64Array([BigInt(this.options.maxBytes)]).buffer);
      this.check(
        withBytes(this.lib, limit, (at) => c.sqlite3_file_control(this.handle, main, FCNTL_SIZE_LIMIT, at)),
      );
    });
  }

  /** The settings of a Durable Object's SQLite, and no trust in functions that a file's schema calls. */
  private configure(): void {
    const { c } = this.lib;
    const set = (option: number, value: number): void =>
      this.check(c.sqlite3__wasm_db_config_ip(this.handle, option, value, 0));
    set(DBCONFIG.TRUSTED_SCHEMA, 0);
    set(DBCONFIG.DEFENSIVE, 1);
    set(DBCONFIG.ENABLE_FKEY, this.options.foreignKeys === false ? 0 : 1);
    set(DBCONFIG.DQS_DML, 1);
    set(DBCONFIG.DQS_DDL, 1);
    if (this.options.rules !== "sqlite") this.becomeStore();
    this.check(c.sqlite3_set_authorizer(this.handle, this.lib.authorizer, 0));
    beginSteps(this.steps);
    c.sqlite3_progress_handler(this.handle, STEPS_AT_ONCE, this.lib.progress, 0);
  }

  /** The schema is loaded in between: what is in the file is served as far as it can be. */
  private becomeStore(): void {
    const { lib, handle } = this;
    dropModules(lib, handle);
    withText(lib, "load_extension", (name) => {
      for (const count of [1, 2]) this.check(lib.c.sqlite3_overload_function(handle, name, count));
    });
    this.loadSchema();
    limitLikeStore(lib, handle);
  }

  /** Reads the whole schema, which SQLite would do at the first statement. */
  private loadSchema(): void {
    this.execute("SELECT 1 FROM sqlite_schema LIMIT 0");
  }

  /** Runs a statement of ours, which the authorizer would deny to the application. */
  private execute(sql: string): void {
    const { c, memory } = this.lib;
    withBytes(this.lib, encodeText(`${sql}\0`), (text) =>
      withBytes(this.lib, new Uint8Array(4), (out) => {
        this.check(asOurselves(() => c.sqlite3_prepare_v3(this.handle, text, -1, 0, out, 0)));
        c.sqlite3_step(memory.readInt32(out));
        this.check(c.sqlite3_finalize(memory.readInt32(out)));
      }),
    );
  }
}

function openMemory(lib: Sqlite): Pointer {
  const { c, memory } = lib;
  return withText(lib, ":memory:", (name) =>
    withBytes(lib, new Uint8Array(4), (out) => {
      const code = c.sqlite3_open_v2(name, out, OPEN_READWRITE_CREATE, 0);
      const handle = memory.readInt32(out);
      if (code === 0) return handle;
      c.sqlite3_close_v2(handle);
      throw sqliteError(code, memory.cString(c.sqlite3_errstr(code)));
    }),
  );
}

function tooCostly(what: string): WireError {
  return new WireError("too-costly", `the request takes more than ${what}: ask for less at once`);
}

/** The refusal of a read request that wrote. */
export function writeInRead(): WireError {
  return new WireError("write-in-read", "a statement of a read request wrote");
}

/** What the file or the machine is to blame for is not the application's sql-error. */
function sqliteError(code: number, message: string, offset = -1): WireError {
  switch (primary(code)) {
    case CODE.FULL:
      return new WireError(
        "too-large",
        `write the database file: ${message}: it would outgrow what this Worker can hold in memory`,
      );
    case CODE.NOMEM:
      return new WireError(
        "too-large",
        `open the database file: ${message}: it does not fit this Worker's memory`,
      );
    case CODE.READONLY:
      return new WireError(
        "internal",
        `write the database file: ${message}: its header says that it may only be read`,
      );
    case CODE.CORRUPT:
    case CODE.NOTADB:
      return new WireError("internal", `read the database file: ${message}: restore it from a backup`);
    default:
      return new WireError("sql-error", withCode(message, code), offset < 0 ? undefined : { offset });
  }
}
