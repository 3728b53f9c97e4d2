// Seeded random numbers: the only source of chance in the model, so that every run is a function of (scenario, seed).
// sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, 32-bit operations only, the same bytes in Node and Chromium.

import { BadInput } from "./bad_input.ts";

/** A stream of random numbers that a seed fixes. */
export interface Prng {
  /** Next 32 bits, 0 .. 2^32-1. */
  u32(): number;
  /** A whole number 0 .. bound-1, unbiased; bound 1 .. 2^32. */
  below(bound: number): number;
  /** A real number in [0, 1) with 32 bits. */
  unit(): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One of the items, each equally likely; the list must not be empty. */
  pick<T>(items: readonly T[]): T;
  /** An independent stream named by `label`: adding a consumer does not disturb the others. */
  fork(label: string): Prng;
}

/** Makes a stream from a whole-number seed (any safe integer); BadInput for what is no number. */
export function prng(seed: number): Prng {
  if (!Number.isFinite(seed)) throw new BadInput(`The seed is ${seed}; it must be a number.`);
  return fromState(mix(seed >>> 0), mix(Math.floor(seed / 4294967296) >>> 0), 0x9e3779b9, seed);
}

function fromState(a0: number, b0: number, c0: number, seed: number): Prng {
  let a = a0 | 0;
  let b = b0 | 0;
  let c = c0 | 0;
  let counter = 1;
  const u32 = (): number => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) u32();
  const below = (bound: number): number => {
    if (!(bound >= 1 && bound <= 4294967296))
      throw new BadInput(`A random number is to be below ${bound}; that must be 1 .. 4294967296.`);
    // Rejection keeps it unbiased; at most one retry in two on average even for the worst bound.
    const limit = 4294967296 - (4294967296 % bound);
    for (;;) {
      const x = u32();
      if (x < limit) return x % bound;
    }
  };
  const unit = (): number => u32() / 4294967296;
  return {
    u32,
    below,
    unit,
    chance: (probability) => unit() < probability,
    pick: <T>(items: readonly T[]): T => items[below(items.length)] as T,
    fork: (label) =>
      fromState(mix(seed >>> 0), mix(hashText(label)), mix(Math.floor(seed / 4294967296)), seed ^ hashText(label)),
  };
}

function mix(x: number): number {
  let h = Math.imul((x >>> 0) ^ 0x6a09e667, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashText(text: string): number {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return h >>> 0;
}
