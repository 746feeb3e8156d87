/** Seeded randomness: every random choice in the engine comes from a generator that its caller passes in. */

/** A generator of 32-bit state words (xoshiro128**, Blackman and Vigna 2018). */
export class Random {
  private readonly state: Uint32Array;

  private constructor(state: Uint32Array) {
    this.state = state;
  }

  /** A generator from an integer seed; equal seeds give equal sequences on every machine. */
  static fromSeed(seed: number): Random {
    // splitmix32 spreads the seed over the four words, as the generator's authors advise.
    let word = seed >>> 0;
    const state = new Uint32Array(4);
    for (let index = 0; index < 4; index++) {
      word = (word + 0x9e3779b9) >>> 0;
      let mixed = word;
      mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      state[index] = (mixed ^ (mixed >>> 15)) >>> 0;
    }
    return new Random(state);
  }

  /** The four words that decide everything to come. */
  saveState(): number[] {
    return [...this.state];
  }

  /** Goes on from a saved state. */
  restoreState(words: readonly number[]): void {
    this.state.set(words);
  }

  /** A whole number in [0, 2^32). */
  nextUint32(): number {
    const s = this.state;
    const [a = 0, b = 0, c = 0, d = 0] = s;
    const scrambled = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    let s2 = c ^ a;
    let s3 = d ^ b;
    const s1 = b ^ s2;
    const s0 = a ^ s3;
    s2 ^= shifted;
    s3 = rotateLeft(s3, 11);
    s[0] = s0;
    s[1] = s1;
    s[2] = s2;
    s[3] = s3;
    return scrambled;
  }

  /** A number in [0, 1) with 32 random bits. */
  next(): number {
    return this.nextUint32() / 4294967296;
  }

  /** A whole number in [0, limit). */
  nextInteger(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** A sample of the standard normal distribution (Box and Muller). */
  nextNormal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return radius * Math.cos(2 * Math.PI * this.next());
  }

  /** Shuffles in place (Fisher and Yates). */
  shuffle<Item>(items: Item[]): void {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.nextInteger(last + 1);
      const kept = items[last] as Item;
      items[last] = items[other] as Item;
      items[other] = kept;
    }
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
