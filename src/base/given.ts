// What a program gives to a function, held to the function's own types: a value of another shape is told in one sentence (BadInput) before
// anything is done with it. The compiler holds shapes to types: every member is named, and one that may be left out ends in "?".
import { BadInput } from "./bad_input.ts";
import { isBytes } from "./byte_source.ts";
import { isMisspelt } from "./suggest.ts";

/** What a value must be, to be of type T. */
export interface Shape<T> {
  /** "it must be …" */
  readonly must: string;
  readonly is: (value: unknown) => boolean;
  /** Throws BadInput for what is wrong inside of it. */
  readonly inside?: (value: never, name: string) => void;
  /** No member at all: only the compiler asks. A shape of another type, wider or narrower, does not compile. */
  readonly of?: (value: T) => T;
}

type Optional<T, K extends keyof T> = Record<string, never> extends Pick<T, K> ? true : false;
/** The shapes of an object's members, by name. */
export type Members<T> = {
  readonly [K in keyof T & string as Optional<T, K> extends true ? `${K}?` : K]: Shape<
    Optional<T, K> extends true ? Exclude<T[K], undefined> : T[K]
  >;
};
/** For each parameter its name and shape; the name of one that may be left out ends in "?", that of the rest begins with "...". */
export type Arguments<A extends readonly unknown[]> = {
  readonly [K in keyof A]-?: readonly [name: string, shape: Shape<Exclude<A[K], undefined>>];
};

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** In words short enough for a sentence. */
function said(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  return isObject(value) ? "an object" : String(value);
}

/** BadInput unless the value has this shape; `name` begins the sentence, as "readPools(): text". */
export function given<T>(name: string, value: unknown, shape: Shape<T>): void {
  if (!shape.is(value)) throw new BadInput(`${name} is ${said(value)}; it must be ${shape.must}.`);
  shape.inside?.(value as never, name);
}

/** What a program has in the place of an object of the model (library/hand_out.ts), and back. */
const realObjects = new WeakMap<object, object>();
const handedObjects = new WeakMap<object, object>();

/** `handed` stands for `real` from now on: where a function of the library is given it, it gets the real one. */
export function handOver(real: object, handed: object): void {
  realObjects.set(handed, real);
  handedObjects.set(real, handed);
}

export const handedOf = (real: object): object | undefined => handedObjects.get(real);
export const realOf = (value: unknown): unknown => (isObject(value) ? (realObjects.get(value) ?? value) : value);

/** Arguments that have their shapes, the model's own objects in place of those that a program has; BadInput for one that has not. */
export function checkEach(
  name: string,
  all: readonly unknown[],
  shapes: readonly (readonly [string, Shape<unknown>])[],
): unknown[] {
  const real = all.map(realOf);
  for (let i = 0; i < shapes.length; i++) {
    const [parameter, shape] = shapes[i]!;
    const end = parameter.startsWith("...") ? real.length : i + 1;
    for (let at = i; at < end; at++) {
      const value = real[at];
      if (value === undefined ? parameter.endsWith("?") : shape.inside === undefined && shape.is(value)) continue;
      given(`${name}(): ${parameter.replace(/\?$|^\.\.\./, "")}`, value, shape);
    }
  }
  return real;
}

/** The same function, which looks at what it is given first. */
export function checked<A extends readonly unknown[], R>(
  name: string,
  call: (...all: A) => R,
  ...shapes: Arguments<A>
): (...all: A) => R {
  const each = shapes as unknown as readonly (readonly [string, Shape<unknown>])[];
  return (...all) => call(...(checkEach(name, all, each) as unknown as A));
}

/** The same of a function that gives a promise: a wrong argument rejects it. */
export function checkedLater<A extends readonly unknown[], R>(
  name: string,
  call: (...all: A) => Promise<R>,
  ...shapes: Arguments<A>
): (...all: A) => Promise<R> {
  const now = checked(name, call, ...shapes);
  return async (...all) => now(...all);
}

const simple = <T>(must: string, is: (value: unknown) => boolean): Shape<T> => ({ must, is });

export const text = simple<string>("text", (v) => typeof v === "string");
/** Which numbers it may be, NaN among them, the function says itself. */
export const number = simple<number>("a number", (v) => typeof v === "number");
export const finite = simple<number>("a number", (v) => Number.isFinite(v));
export const whole = simple<number>("a whole number", (v) => Number.isSafeInteger(v));
export const count = simple<number>("a whole number from 0 on", (v) => Number.isSafeInteger(v) && (v as number) >= 0);
export const boolean = simple<boolean>("true or false", (v) => typeof v === "boolean");
export const bytes: Shape<Uint8Array> = simple<Uint8Array>("a Uint8Array", isBytes);
export const callable = <F>(): Shape<F> => simple<F>("a function", (v) => typeof v === "function");
export const bits = simple<bigint>("a bigint", (v) => typeof v === "bigint");
export const object = <T extends object>(): Shape<T> => simple<T>("an object", isObject);
export const array = <T extends readonly unknown[]>(): Shape<T> => simple<T>("an array", Array.isArray);
/** Something to go through. */
export const several = <T>(): Shape<T> =>
  simple<T>("something to go through with for or for await", (v) =>
    isObject(v) ? Symbol.iterator in v || Symbol.asyncIterator in v : false,
  );
export const oneOf = <const W extends readonly unknown[]>(...words: W): Shape<W[number]> =>
  simple(words.map((w) => JSON.stringify(w)).join(" or "), (v) => words.includes(v));
/** A member that must be written and may be undefined. */
export const maybe = <T>(shape: Shape<T>): Shape<T | undefined> => ({
  must: shape.must,
  is: (v) => v === undefined || shape.is(v),
  inside: (v: T | undefined, name) => (v === undefined ? undefined : shape.inside?.(v as never, name)),
});
/** One kind or another, told apart by `is`. */
export const either = <A, B>(a: Shape<A>, b: Shape<B>): Shape<A | B> => ({
  must: `${a.must} or ${b.must}`,
  is: (v) => a.is(v) || b.is(v),
  inside: (v: never, name) => (a.is(v) ? a : b).inside?.(v, name),
});
export const list = <T>(of: Shape<T>): Shape<readonly T[]> => ({
  must: "an array",
  is: Array.isArray,
  inside(all: readonly T[], name) {
    for (let i = 0; i < all.length; i++) given(`${name}[${i}]`, all[i], of);
  },
});
export const record = <T>(of: Shape<T>): Shape<Readonly<Record<string, T>>> => ({
  must: "an object",
  is: (v) => isObject(v) && !Array.isArray(v),
  inside(all: Readonly<Record<string, T>>, name) {
    for (const [key, value] of Object.entries(all)) given(`${name}.${key}`, value, of);
  },
});
/** An object of the program's own, member by member. It may have others (types let it), but none that is a member which is not there, misspelt. */
export const members = <T extends object>(shapes: Members<T>, must = "an object"): Shape<T> => ({
  must,
  is: isObject,
  inside(value: Readonly<Record<string, unknown>>, name) {
    const known = Object.keys(shapes).map((key) => key.replace(/\?$/, ""));
    for (const key of Object.keys(value)) {
      const meant = known.includes(key) ? undefined : known.find((k) => value[k] === undefined && isMisspelt(key, k));
      if (meant !== undefined) throw new BadInput(`${name} has no ${key}.`, undefined, `Did you mean ${meant}?`);
    }
    for (const [key, shape] of Object.entries(shapes) as readonly [string, Shape<unknown>][]) {
      const member = key.replace(/\?$/, "");
      if (value[member] !== undefined || member === key) given(`${name}.${member}`, value[member], shape);
    }
  },
});
/** An object that a function of ours gave: known by some of the members that it always has. */
export const made = <T extends object>(
  by: string,
  always: { readonly [K in keyof T & string]?: Shape<T[K]> },
): Shape<T> =>
  simple<T>(
    `what ${by} gives`,
    (v) => isObject(v) && Object.entries<Shape<never>>(always as never).every(([m, shape]) => shape.is(v[m as never])),
  );
