// What SQLite's WebAssembly module asks of its host. The official build is made for browsers by Emscripten,
// and its JavaScript half compiles small WebAssembly modules at run time, which Workers forbid. This is the
// part of it that an in-memory database needs: clocks, randomness and memory growth. There are no files, so
// every other system call is refused.
import type { LinearMemory, Pointer } from "./memory.ts";
import { encodeText } from "./memory.ts";

type HostFunction = (...args: never[]) => number | bigint | void;

const ENOSYS = 52; // WASI's numbering, which Emscripten uses
const ENOENT = 44;
const PAGE = 65_536;
const MAX_MEMORY = 2 ** 31;
/**
 * The one file that exists: SQLite seeds its generator from it, and would fall back to the time of day
 * without it.
 */
const URANDOM = { path: "/dev/urandom", fd: 3 };

/** All imports of the module: those of hostFunctions, and a refusal for each of the others. */
export function hostImports(module: WebAssembly.Module, memory: LinearMemory): WebAssembly.Imports {
  const known = hostFunctions(memory);
  const imports: WebAssembly.Imports = {};
  for (const { module: space, name, kind } of WebAssembly.Module.imports(module)) {
    const value = kind === "memory" ? memory.memory : (known[name] ?? (() => -ENOSYS));
    (imports[space] ??= {})[name] = value as WebAssembly.ImportValue;
  }
  return imports;
}

function hostFunctions(memory: LinearMemory): Record<string, HostFunction> {
  return { ...clocks(memory), ...randomness(memory), ...growth(memory), ...noEnvironment(memory) };
}

function clocks(memory: LinearMemory): Record<string, HostFunction> {
  return {
    emscripten_date_now: () => Date.now(),
    emscripten_get_now: () => performance.now(),
    clock_time_get: (_clock: number, _precision: bigint, at: Pointer) => {
      memory.writeInt64(at, BigInt(Date.now()) * 1_000_000n);
      return 0;
    },
    // Workers and Durable Objects live in UTC, so 'localtime' is UTC on both sides.
    _tzset_js: () => undefined,
    _localtime_js: (seconds: bigint, at: Pointer) => writeUtc(memory, new Date(Number(seconds) * 1000), at),
  };
}

/** Writes C's struct tm. */
function writeUtc(memory: LinearMemory, date: Date, at: Pointer): void {
  const dayOfYear =
    (Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()) -
      Date.UTC(date.getUTCFullYear(), 0)) /
    86_400_000;
  const fields = [
    date.getUTCSeconds(),
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth(),
    date.getUTCFullYear() - 1900,
    date.getUTCDay(),
    dayOfYear,
    0, // tm_isdst
    0, // tm_gmtoff
  ];
  fields.forEach((value, index) => memory.writeInt32(at + 4 * index, value));
}

function randomness(memory: LinearMemory): Record<string, HostFunction> {
  return {
    __syscall_openat: (_directory: number, path: Pointer) =>
      memory.cString(path) === URANDOM.path ? URANDOM.fd : -ENOENT,
    __syscall_fcntl64: () => 0,
    fd_close: () => 0,
    fd_read: (fd: number, vectors: Pointer, count: number, read: Pointer) => {
      if (fd !== URANDOM.fd) return ENOSYS;
      memory.writeInt32(read, fillRandom(memory, vectors, count));
      return 0;
    },
  };
}

/** Fills the buffers of a WASI iovec array and returns how many bytes that were. */
function fillRandom(memory: LinearMemory, vectors: Pointer, count: number): number {
  let total = 0;
  for (let i = 0; i < count; i++) {
    const length = memory.readInt32(vectors + 8 * i + 4);
    crypto.getRandomValues(memory.view(memory.readInt32(vectors + 8 * i), length));
    total += length;
  }
  return total;
}

function growth(memory: LinearMemory): Record<string, HostFunction> {
  return {
    emscripten_get_heap_max: () => MAX_MEMORY,
    emscripten_resize_heap: (requested: number) => {
      const missing = (requested >>> 0) - memory.size;
      memory.refused = requested >>> 0 > memory.limit;
      if (memory.refused) return 0;
      try {
        memory.memory.grow(Math.ceil(missing / PAGE));
        return 1;
      } catch {
        return 0; // malloc answers NULL, and SQLite reports SQLITE_NOMEM
      }
    },
  };
}

function noEnvironment(memory: LinearMemory): Record<string, HostFunction> {
  return {
    environ_sizes_get: (count: Pointer, size: Pointer) => {
      memory.writeInt32(count, 0);
      memory.writeInt32(size, 0);
      return 0;
    },
    environ_get: () => 0,
    __syscall_getcwd: (at: Pointer) => {
      const root = encodeText("/\0");
      memory.write(at, root);
      return root.byteLength;
    },
  };
}
