/**
 * The only source of chance in a simulated world: xoshiro128**, seeded through splitmix32 from text. Equal seeds give
 * equal worlds on every machine. `fork` gives each part of the world a stream of its own, so that one part drawing more
 * numbers does not change what the others see.
 * Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021.
 */
const U32 = 0x1_0000_0000;

export class Prng {
  readonly #label: string;
  readonly #state: Uint32Array;

  constructor(label: string) {
    this.#label = label;
    this.#state = new Uint32Array(4);
    let hash = hashText(label);
    for (let i = 0; i < 4; i++) {
      hash = (hash + 0x9e3779b9) >>> 0;
      let z = hash;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#state[i] = (z ^ (z >>> 15)) >>> 0;
    }
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** An independent stream. It depends on this one's label only, never on how much was drawn from it. */
  fork(label: string): Prng {
    return new Prng(`${this.#label}/${label}`);
  }

  uint32(): number {
    const s = this.#state;
    const [s0, s1, s2, s3] = s as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    s[2] = s2 ^ s0;
    s[3] = s3 ^ s1;
    s[1] = s1 ^ (s[2] as number);
    s[0] = s0 ^ (s[3] as number);
    s[2] = (s[2] as number) ^ (s1 << 9);
    s[3] = rotateLeft(s[3] as number, 11);
    return result;
  }

  /** In [0, 1). */
  float(): number {
    return this.uint32() / U32;
  }

  /** In [from, to). */
  between(from: number, to: number): number {
    return from + this.float() * (to - from);
  }

  /** Whole number in [from, to]. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.float() * (to - from + 1));
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.float() * choices.length)] as T;
  }

  /** Waiting time of a Poisson process. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float());
  }

  hex(bytes: number): string {
    let text = '';
    for (let i = 0; i < bytes; i += 4) text += this.uint32().toString(16).padStart(8, '0');
    return text.slice(0, bytes * 2);
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** FNV-1a, 32 bits. */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A digest that grows line by line; two independent 32-bit halves. */
export class Digest {
  #a = 0x811c9dc5;
  #b = 0x2166f2cd;

  add(text: string): void {
    this.#a = hashText(text, this.#a);
    this.#b = Math.imul(hashText(text, this.#b) ^ 0x5bd1e995, 0x9e3779b1) >>> 0;
  }

  toString(): string {
    return this.#a.toString(16).padStart(8, '0') + this.#b.toString(16).padStart(8, '0');
  }
}
