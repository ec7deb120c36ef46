// Takes out of a WebAssembly module what nobody can call. SQLite's official build exports all of its C API, and
// we call a fifth of it.
//
// Functions keep their numbers: one that cannot be reached from the exports that stay, from the table of function
// pointers or from the start function gets a body that traps. All other bodies, and all data, stay byte for byte
// what they were. So SQLite computes what it computed. What was overlooked would trap, and not compute something else.

const SECTION = { custom: 0, import: 2, table: 4, global: 6, export: 7, start: 8, element: 9, code: 10 };
const FUNCTION = 0;
/** No locals, `unreachable`, `end`. */
const TRAP = Uint8Array.of(0, 0x00, 0x0b);

/** @returns the module with no other exports than those for which `isCalled(name)` is true */
export function trimWasm(bytes, isCalled) {
  const sections = sectionsOf(bytes);
  const exported = exportsIn(bytesOf(bytes, sections, SECTION.export)).filter(({ name }) => isCalled(name));
  const functions = functionsIn(bytesOf(bytes, sections, SECTION.code));
  const first = importedFunctions(bytesOf(bytes, sections, SECTION.import));
  const live = reachable(functions, first, [
    ...exported.filter(({ kind }) => kind === FUNCTION).map(({ index }) => index),
    ...tableEntries(bytesOf(bytes, sections, SECTION.element)),
    ...startIn(bytesOf(bytes, sections, SECTION.start)),
  ]);
  const bodies = functions.map(({ body }, index) => (live.has(first + index) ? body : TRAP));
  const replaced = {
    [SECTION.export]: [number(exported.length), ...exported.map(({ entry }) => entry)],
    [SECTION.code]: [number(bodies.length), ...bodies.flatMap((body) => [number(body.length), body])],
  };
  const kept = sections.filter(({ id }) => id !== SECTION.custom);
  return Buffer.concat([
    bytes.subarray(0, 8),
    ...kept.flatMap(({ id, start, end }) => {
      const content = replaced[id] === undefined ? bytes.subarray(start, end) : Buffer.concat(replaced[id]);
      return [Uint8Array.of(id), number(content.length), content];
    }),
  ]);
}

/** Reads a module from its beginning to its end. */
class Reader {
  at = 0;

  constructor(bytes) {
    this.bytes = bytes;
  }

  get atEnd() {
    return this.at === this.bytes.length;
  }

  byte() {
    if (this.at >= this.bytes.length) throw new Error("trim WebAssembly: the section ends too early");
    return this.bytes[this.at++];
  }

  /** An unsigned LEB128. */
  number() {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = this.byte();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  }

  /** A signed number, of which the value does not matter. */
  skipNumber() {
    while (this.byte() >= 128);
  }

  take(length) {
    this.at += length;
    if (this.at > this.bytes.length) throw new Error("trim WebAssembly: the section ends too early");
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** A vector: `read` is called for each of its parts. */
  list(read) {
    return Array.from({ length: this.number() }, read);
  }
}

function number(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...bytes, rest);
    bytes.push((rest % 128) + 128);
  }
}

function sectionsOf(bytes) {
  const reader = new Reader(bytes);
  if (!Buffer.from(reader.take(8)).equals(Buffer.from("\0asm\x01\0\0\0")))
    throw new Error("trim WebAssembly: this is no module of version 1");
  const sections = [];
  while (!reader.atEnd) {
    const id = reader.byte();
    const length = reader.number();
    reader.take(length);
    sections.push({ id, start: reader.at - length, end: reader.at });
  }
  return sections;
}

function bytesOf(bytes, sections, id) {
  const found = sections.find((section) => section.id === id);
  return new Reader(found === undefined ? Uint8Array.of(0) : bytes.subarray(found.start, found.end));
}

function exportsIn(reader) {
  return reader.list(() => {
    const from = reader.at;
    const name = Buffer.from(reader.take(reader.number())).toString();
    const kind = reader.byte();
    const index = reader.number();
    return { name, kind, index, entry: reader.bytes.subarray(from, reader.at) };
  });
}

function importedFunctions(reader) {
  const limits = () => {
    const flags = reader.byte();
    reader.number();
    if (flags & 1) reader.number();
  };
  const kinds = reader.list(() => {
    reader.take(reader.number());
    reader.take(reader.number());
    const kind = reader.byte();
    if (kind === FUNCTION) reader.number();
    else if (kind === 1) (reader.byte(), limits());
    else if (kind === 2) limits();
    else if (kind === 3) reader.take(2);
    else throw new Error(`trim WebAssembly: an import of kind ${kind}`);
    return kind;
  });
  return kinds.filter((kind) => kind === FUNCTION).length;
}

/** The functions that pointers may lead to. */
function tableEntries(reader) {
  return reader
    .list(() => {
      const form = reader.number();
      if (form !== 0 || reader.byte() !== 0x41)
        throw new Error(`trim WebAssembly: table entries of form ${form}`);
      reader.skipNumber();
      reader.byte();
      return reader.list(() => reader.number());
    })
    .flat();
}

/** At most one. */
function startIn(reader) {
  return reader.bytes.length === 1 && reader.bytes[0] === 0 ? [] : [reader.number()];
}

function functionsIn(reader) {
  return reader.list(() => {
    const body = reader.take(reader.number());
    return { body, calls: callsIn(new Reader(body)) };
  });
}

function reachable(functions, first, roots) {
  const live = new Set();
  for (const todo = [...roots]; todo.length > 0;) {
    const index = todo.pop();
    if (live.has(index)) continue;
    live.add(index);
    todo.push(...(functions[index - first]?.calls ?? []));
  }
  return live;
}

/** The functions that a body calls, or makes pointers to. */
function callsIn(body) {
  const calls = new Set();
  body.list(() => (body.number(), body.byte())); // the locals
  while (!body.atEnd) instruction(body, calls);
  return calls;
}

/** What follows each instruction; an unknown one ends the build. */
function instruction(body, calls) {
  const code = body.byte();
  const between = (from, upto) => code >= from && code <= upto;
  if (code === 0x10 || code === 0x12 || code === 0xd2) calls.add(body.number());
  else if (between(0x02, 0x04) || code === 0x41 || code === 0x42) body.skipNumber();
  else if (code === 0x0c || code === 0x0d || between(0x20, 0x26)) body.number();
  else if (code === 0x0e) (body.list(() => body.number()), body.number());
  else if (code === 0x11 || code === 0x13 || between(0x28, 0x3e)) (body.number(), body.number());
  else if (code === 0x1c) body.list(() => body.byte());
  else if (code === 0x3f || code === 0x40 || code === 0xd0) body.byte();
  else if (code === 0x43) body.take(4);
  else if (code === 0x44) body.take(8);
  else if (code === 0xfc) prefixed(body);
  else if (!isBare(code)) throw new Error(`trim WebAssembly: instruction 0x${code.toString(16)} is unknown`);
}

function isBare(code) {
  const bare = [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1];
  return bare.includes(code) || (code >= 0x45 && code <= 0xc4);
}

/** Conversions that saturate, and operations on memory and tables as a whole. */
function prefixed(body) {
  const code = body.number();
  const operands = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1][code];
  if (operands === undefined) throw new Error(`trim WebAssembly: instruction 0xfc ${code} is unknown`);
  for (let left = operands; left > 0; left--) body.number();
}
