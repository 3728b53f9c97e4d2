// What a program gets of a machine: the same functions, each of which looks at its arguments first, so that a wrong one is answered by one sentence
// (BadInput) before anything is done. The model itself and drivers call the functions behind, and pay nothing for it.
// The compiler holds a table of doors to its interface: every function is in it, or hidden, with a shape for each parameter.
import { BadInput } from "../base/bad_input.ts";
import { type Arguments, checkEach, handedOf, handOver, realOf, type Shape } from "../base/given.ts";

type Call = (...all: never[]) => unknown;
type CallOf<T> = Extract<NonNullable<T>, Call>;
type Calls<T> = { [K in keyof T]-?: NonNullable<T[K]> extends Call ? K : never }[keyof T] & string;

/** One function: its parameters with their shapes; more where there is more to say. */
export type Door<F extends Call> =
  | Arguments<Parameters<F>>
  | {
      readonly takes: Arguments<Parameters<F>>;
      /** What else does not let it be, as the end of a sentence that begins with the function's name. */
      readonly unless?: (...all: Parameters<F>) => string | undefined;
      /** The call's own arguments, where they are to be others: a function that the machine will call. */
      readonly becomes?: (...all: Parameters<F>) => readonly unknown[];
      /** Who holds what, once it is sure that the call is made. */
      readonly before?: (...all: Parameters<F>) => void;
      /** Likewise when it is done; a result that is to be another is given back. */
      readonly after?: (result: ReturnType<F>, ...all: Parameters<F>) => unknown;
    };
export type Doors<T, Hidden extends keyof T = never> = {
  readonly [K in Exclude<Calls<T>, Hidden>]: Door<CallOf<T[K]>>;
};

/** Members that are objects of doors of their own. */
export type Inner<T> = { readonly [K in keyof T]?: (value: Exclude<T[K], undefined>) => unknown };

type AnyDoor = {
  readonly takes: readonly (readonly [string, Shape<unknown>])[];
  readonly unless?: (...all: unknown[]) => string | undefined;
  readonly becomes?: (...all: unknown[]) => readonly unknown[];
  readonly before?: (...all: unknown[]) => void;
  readonly after?: (result: unknown, ...all: unknown[]) => unknown;
};

/** The object with its doors. Members that are no functions are read through; `hidden` ones are not there. One real object has one handed one. */
export function handOut<T extends object, const Hidden extends keyof T & string = never>(
  name: string,
  real: T,
  hidden: readonly Hidden[],
  doors: Doors<T, Hidden>,
  inner: Inner<T> = {},
): Omit<T, Hidden> {
  const known = handedOf(real);
  if (known !== undefined) return known as Omit<T, Hidden>;
  const out = {};
  handOver(real, out);
  for (const key of Object.keys(real) as (keyof T & string)[]) {
    if ((hidden as readonly string[]).includes(key)) continue;
    const value = real[key];
    const door = (doors as unknown as Readonly<Record<string, AnyDoor | AnyDoor["takes"]>>)[key];
    if (typeof value === "function") {
      // A function that the table does not have is of an object that has more than its interface.
      if (door !== undefined)
        Object.defineProperty(out, key, {
          value: guarded(`${name}${key}`, real, value as never, "takes" in door ? door : { takes: door }),
          enumerable: true,
        });
      continue;
    }
    const through = inner[key] as ((value: unknown) => unknown) | undefined;
    Object.defineProperty(out, key, {
      enumerable: true,
      get: through === undefined ? () => real[key] : () => (real[key] === undefined ? undefined : through(real[key])),
      set(to: unknown) {
        (real as Record<string, unknown>)[key] = settable(`${name}${key}`, real[key], realOf(to));
      },
    });
  }
  return out as Omit<T, Hidden>;
}

/** A member is set to something of its kind; a number to a finite one. */
function settable(name: string, was: unknown, to: unknown): unknown {
  const same = typeof to === typeof was || to === undefined || was === undefined;
  if (!same || (typeof to === "number" && !Number.isFinite(to)))
    throw new BadInput(`${name} cannot be ${typeof to === "symbol" ? "a symbol" : String(to)}.`);
  return to;
}

function guarded(
  name: string,
  self: object,
  call: (this: object, ...all: unknown[]) => unknown,
  { takes, unless, becomes, before, after }: AnyDoor,
): (...all: unknown[]) => unknown {
  return (...given) => {
    const all = checkEach(name, given, takes);
    const problem = unless?.(...all);
    if (problem !== undefined) throw new BadInput(`${name}(): ${problem}.`);
    before?.(...all);
    const result = call.apply(self, becomes === undefined ? all : [...becomes(...all)]);
    const other = after?.(result, ...all);
    return other === undefined ? result : other;
  };
}
