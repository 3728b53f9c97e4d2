// How much a test does. `npm test` holds every claim at its usual size; `TESTS=long npm test`, as CI calls it, at its full size: all seeds, all
// recordings, every combination. For tests only; not in the package.

export const isLong = process.env["TESTS"] === "long";

/** A count: of seeds, rounds, hosts. */
export const sized = (usual: number, long: number): number => (isLong ? long : usual);

/** Every `n`th of a list, the first among them; in the long run all of it. */
export const oneIn = <T>(n: number, list: readonly T[]): readonly T[] => list.filter((_, i) => isLong || i % n === 0);

/** What is tried in the long run only. */
export const ifLong = <T>(list: readonly T[]): readonly T[] => (isLong ? list : []);
