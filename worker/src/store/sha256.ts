// SHA-256 (FIPS 180-4) that can be left off and gone on with in another request, which the platform's cannot.
// It is several times slower, so only what no request could hash at once is hashed with it.

/** How far a hash is; it can be stored. */
export interface HashState {
  readonly words: readonly number[];
  /** What does not fill a block yet. */
  readonly tail: Uint8Array;
  /** Of all bytes until now. */
  readonly length: number;
}

const BLOCK = 64;
const WORDS = 64;

// The first 32 bits of the fractions of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
const primes = firstPrimes(WORDS);
const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
const ROUND_WORDS = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const FIRST_WORDS: readonly number[] = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

/** Before the first byte. */
export function nothingHashed(): HashState {
  return { words: FIRST_WORDS, tail: new Uint8Array(0), length: 0 };
}

/** A hash that goes on from a state. */
export class ResumableSha256 {
  readonly #words: Int32Array;
  readonly #schedule = new Int32Array(WORDS);
  readonly #block = new Uint8Array(BLOCK);
  #filled: number;
  #length: number;

  constructor({ words, tail, length }: HashState = nothingHashed()) {
    this.#words = Int32Array.from(words);
    this.#block.set(tail);
    this.#filled = tail.length;
    this.#length = length;
  }

  get state(): HashState {
    return {
      words: [...this.#words],
      tail: this.#block.slice(0, this.#filled),
      length: this.#length,
    };
  }

  update(bytes: Uint8Array): void {
    this.#length += bytes.length;
    let at = 0;
    if (this.#filled > 0) {
      at = Math.min(BLOCK - this.#filled, bytes.length);
      this.#block.set(bytes.subarray(0, at), this.#filled);
      this.#filled += at;
      if (this.#filled < BLOCK) return;
      this.#compress(this.#block, 0);
    }
    for (; at + BLOCK <= bytes.length; at += BLOCK) this.#compress(bytes, at);
    this.#block.set(bytes.subarray(at));
    this.#filled = bytes.length - at;
  }

  /** The hash; nothing can be added behind it. */
  digest(): Uint8Array {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setBigUint64(0, BigInt(this.#length) * 8n);
    const zeros = (2 * BLOCK - 9 - this.#filled) % BLOCK;
    this.update(Uint8Array.of(0x80));
    this.update(new Uint8Array(zeros));
    this.update(new Uint8Array(bits.buffer));
    const digest = new DataView(new ArrayBuffer(32));
    this.#words.forEach((word, index) => digest.setInt32(4 * index, word));
    return new Uint8Array(digest.buffer);
  }

  #compress(bytes: Uint8Array, start: number): void {
    const w = this.#schedule;
    for (let i = 0, at = start; i < 16; i++, at += 4) {
      w[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
    for (let i = 16; i < WORDS; i++) {
      const x = w[i - 15]!;
      const y = w[i - 2]!;
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
      w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
    }
    const h = this.#words;
    let a = h[0]!;
    let b = h[1]!;
    let c = h[2]!;
    let d = h[3]!;
    let e = h[4]!;
    let f = h[5]!;
    let g = h[6]!;
    let last = h[7]!;
    for (let i = 0; i < WORDS; i++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = (last + s1 + ((e & f) ^ (~e & g)) + ROUND_WORDS[i]! + w[i]!) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      last = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    h[0]! += a;
    h[1]! += b;
    h[2]! += c;
    h[3]! += d;
    h[4]! += e;
    h[5]! += f;
    h[6]! += g;
    h[7]! += last;
  }
}

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function firstPrimes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}
