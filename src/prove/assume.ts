// What a person may say of the report's machine where no line does: the machine is then built with it, and the proof says that it was given.
import { BadInput } from "../base/bad_input.ts";
import type { MachineSaid, Told } from "../diagnosis/machine_told.ts";

/** The reason that a value given by hand carries. */
export const givenBecause = "given for this proof";

interface Assumable {
  /** As the proof's list of the machine's parts calls it. */
  readonly what: string;
  readonly unit: string;
  readonly least: number;
  readonly most: number;
  /** What the inputs say; null: nothing, so it may be given. */
  said(machine: MachineSaid): unknown;
  give(machine: MachineSaid, value: number): MachineSaid;
}

const told = <T>(value: T): Told<T> => ({ value, because: givenBecause, evidence: [] });

export const assumables = {
  memoryMb: {
    what: "memory",
    unit: "MB",
    least: 64,
    most: 1 << 20,
    said: (m) => m.memoryKb,
    give: (m, mb) => ({ ...m, memoryKb: told(mb * 1024) }),
  },
  minFreeKb: {
    what: "vm.min_free_kbytes",
    unit: "kB",
    least: 128,
    most: 1 << 26,
    said: (m) => m.minFreeKb,
    give: (m, kb) => ({ ...m, minFreeKb: told(kb) }),
  },
  cpus: { what: "CPUs", unit: "", least: 1, most: 8, said: (m) => m.cpus, give: (m, n) => ({ ...m, cpus: told(n) }) },
  mtu: {
    what: "MTU",
    unit: "bytes",
    least: 68,
    most: 65_521,
    said: (m) => m.mtu,
    give: (m, mtu) => ({ ...m, mtu: told(mtu) }),
  },
  rxRing: {
    what: "receive ring",
    unit: "descriptors",
    least: 1,
    most: 65_536,
    said: (m) => m.rings?.value.rx ?? null,
    give: (m, rx) => ({ ...m, rings: told({ rxJumbo: null, tx: null, ...m.rings?.value, rx }) }),
  },
} as const satisfies Readonly<Record<string, Assumable>>;

export type AssumableKey = keyof typeof assumables;
export type Assumed = Readonly<Partial<Record<AssumableKey, number>>>;

export const assumableKeys = Object.keys(assumables) as readonly AssumableKey[];

/** The machine with what was given; what the inputs say stands, and a value of one's own for it is left out. */
export const assuming = <T extends { readonly machine: MachineSaid }>(input: T, assumed: Assumed): T => ({
  ...input,
  machine: Object.entries(assumed).reduce((machine, [key, value]) => {
    const one: Assumable = assumables[key as AssumableKey];
    return one.said(machine) === null ? one.give(machine, value) : machine;
  }, input.machine),
});

/** BadInput for a value that no machine needs: the inputs say it of each. */
export function refuseNeedless(inputs: readonly { readonly machine: MachineSaid }[], assumed: Assumed): void {
  for (const key of Object.keys(assumed) as AssumableKey[]) {
    const one: Assumable = assumables[key];
    if (inputs.length > 0 && inputs.every(({ machine }) => one.said(machine) !== null))
      throw new BadInput(`--assume ${key}: the inputs say it themselves (${one.what}).`, undefined, "Leave it out.");
  }
}

/** `mtu=9000`, `memoryMb=4096`. BadInput: no such part of a machine, or no number that it can have. */
export function readAssumed(texts: readonly string[]): Assumed {
  return Object.fromEntries(
    texts.map((text) => {
      const [key = "", value = ""] = text.split("=");
      if (!Object.hasOwn(assumables, key))
        throw new BadInput(
          `--assume has no "${key}".`,
          undefined,
          `Write one of ${assumableKeys.join(", ")}: mtu=9000.`,
        );
      const { least, most, unit }: Assumable = assumables[key as AssumableKey];
      const n = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
      if (!(n >= least && n <= most))
        throw new BadInput(
          `--assume ${key} is "${value}".`,
          undefined,
          `Write a whole number from ${least} to ${most}${unit === "" ? "" : ` (${unit})`}.`,
        );
      return [key, n];
    }),
  );
}
