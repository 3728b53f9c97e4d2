// What several rules ask of one case, worked out once. A case whose release is a range is asked at many versions (release_range.ts), by each
// rule anew: a case at a version is made once, and what was asked of it is kept. A version that remembers its dates is told the same dates
// whether the answer was known or not.
import { AskedVersion } from "../kernel/release.ts";
import type { Case } from "./case.ts";

/** The case that one at another version was made of. */
const origins = new WeakMap<Case, Case>();
const versions = new WeakMap<Case, Map<string, Case>>();

function madeAt(c: Case, version: readonly number[]): Case {
  const made = { ...c, release: { ...c.release, version } };
  origins.set(made, c);
  return made;
}

/** The case as a kernel of this version would have it; the same object for the same numbers, unless the version remembers what it is asked. */
export function caseAt(c: Case, version: readonly number[]): Case {
  if (version instanceof AskedVersion) return madeAt(c, version);
  const known = versions.get(c) ?? new Map<string, Case>();
  versions.set(c, known);
  const key = version.join(".");
  const found = known.get(key) ?? madeAt(c, version);
  known.set(key, found);
  return found;
}

interface Kept<T> {
  readonly value: T;
  readonly dates: readonly (readonly number[])[];
}

/** `make` with its answers kept. An answer must hold neither the case nor its release: another version that remembers may be given it. */
export function perCase<T>(make: (c: Case) => T): (c: Case) => T {
  const plain = new WeakMap<Case, { readonly value: T }>();
  const asking = new WeakMap<Case, Kept<T>>();
  return (c) => {
    const { version } = c.release;
    if (!(version instanceof AskedVersion)) {
      const known = plain.get(c) ?? { value: make(c) };
      plain.set(c, known);
      return known.value;
    }
    const origin = origins.get(c);
    if (origin === undefined) return make(c);
    let known = asking.get(origin);
    if (known === undefined) {
      const own = new AskedVersion([...version]);
      const value = make(madeAt(origin, own));
      own.close();
      known = { value, dates: [...new Set(own.dates)] };
      asking.set(origin, known);
    }
    version.dates.push(...known.dates);
    return known.value;
  };
}
