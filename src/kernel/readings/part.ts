// How much of what the kernel printed a reading holds. Absence is evidence only where the part that would have shown it is whole; the closed
// lists and the proofs of absence are made here and nowhere else, so that a rule cannot make one up.

/** A part of a report. `lacks` names in plain words what would have been there. */
export type Part<T> =
  /** all that the kernel printed; `because` says what proves it */
  | { readonly state: "whole"; readonly value: T; readonly because: string }
  /** something of it is missing: `seen` is what is left */
  | { readonly state: "cut"; readonly seen: T; readonly lacks: string }
  /** the text has nothing of it, and that release prints it */
  | { readonly state: "lost"; readonly lacks: string }
  /** that release does not print it; `source` says where that is known from */
  | { readonly state: "not printed"; readonly source: string };

declare const closed: unique symbol;
declare const absent: unique symbol;

/** A list of which nothing is missing. */
export type Closed<T> = readonly T[] & { readonly [closed]: true };

/** The proof that something is not there: a closed list was searched for it. */
export interface Absent {
  readonly [absent]: true;
  /** What proves that the list is whole. */
  readonly because: string;
}

/** What the text does not say. */
export interface Lack {
  /** The line or the field that would have said it. */
  readonly lacks: string;
}

/** Parts are made by these. */
export const whole = <T>(value: T, because: string): Part<T> => ({ state: "whole", value, because });
export const cut = <T>(seen: T, lacks: string): Part<T> => ({ state: "cut", seen, lacks });
export const lost = (lacks: string): Part<never> => ({ state: "lost", lacks });
export const notPrinted = (source: string): Part<never> => ({ state: "not printed", source });

/** The list of a whole part; undefined when anything of it may be missing. */
export function closedOf<T>(part: Part<readonly T[]>): Closed<T> | undefined {
  return part.state === "whole" ? (part.value as Closed<T>) : undefined;
}

/** What is there of a part, whole or not. */
export function seenOf<T>(part: Part<T>): T | undefined {
  return part.state === "whole" ? part.value : part.state === "cut" ? part.seen : undefined;
}

/** The proof that no member of a whole part passes `test`; undefined when one does, or when the part is not whole. */
export function none<T>(part: Part<readonly T[]>, test: (member: T) => boolean): Absent | undefined {
  if (part.state !== "whole" || part.value.some(test)) return undefined;
  return { because: part.because } as Absent;
}

/** The proof that every member of a whole part passes `test`. */
export const every = <T>(part: Part<readonly T[]>, test: (member: T) => boolean): Absent | undefined =>
  none(part, (member) => !test(member));

/** The proof that nothing of a part is missing, for whoever searched it by himself; undefined when something may be. */
export const nothingMissing = (part: Part<unknown>): Absent | undefined =>
  part.state === "whole" ? ({ because: part.because } as Absent) : undefined;

/** A number that was printed passes the test; one that was not passes none. */
export const isKnown = (n: number | undefined, test: (n: number) => boolean): boolean => n !== undefined && test(n);

/** True for what the text does not say. */
export const isLack = (value: unknown): value is Lack =>
  typeof value === "object" && value !== null && "lacks" in value && !("state" in value);

/** A counter that was printed, or what is missing. `where` names the line that carries it. */
export const told = (counters: Readonly<Record<string, number>>, name: string, where: string): number | Lack =>
  counters[name] ?? { lacks: `${name} in ${where}` };

/** The sum over a closed list; the first lack where a member does not tell its share. */
export function sum<T>(list: Closed<T>, of: (member: T) => number | Lack): number | Lack {
  let total = 0;
  for (const member of list) {
    const share = of(member);
    if (isLack(share)) return share;
    total += share;
  }
  return total;
}
