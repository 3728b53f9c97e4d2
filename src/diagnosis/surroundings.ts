// What else the inputs tell about the machine besides incidents: settings, offloads, interfaces. Every value keeps its line.
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import type { OwnedPages } from "../kernel/readings/owned_pages.ts";
import type { PageTypeInfo } from "../kernel/readings/pagetypeinfo.ts";
import type { ZoneInfo } from "../kernel/readings/zoneinfo.ts";
import type { Quote } from "./finding.ts";

/** A value and the line that says it. */
export interface Told<T> {
  readonly value: T;
  readonly quote: Quote;
}

/** Files that print a machine's memory, the first of each kind. */
export interface MemoryFiles {
  readonly zoneinfo?: Told<ZoneInfo>;
  readonly buddyinfo?: Told<BuddyInfo>;
  readonly pagetypeinfo?: Told<PageTypeInfo>;
  /** A page_owner dump. */
  readonly owned?: Told<OwnedPages>;
}

export interface Surroundings {
  /** `vm.min_free_kbytes` → text of the value. */
  readonly sysctls: ReadonlyMap<string, Told<string>>;
  /** ethtool -k, by the tool's own names: `tcp segmentation offload` or `tcp-segmentation-offload`, spelled with hyphens. */
  readonly offloads: ReadonlyMap<string, Told<"on" | "off">>;
  /** Which interface `offloads` is about, where the text says so. */
  readonly offloadDevice?: string;
  /** `driver:` of ethtool -i. */
  readonly driver?: Told<string>;
  /** `ethtool -g`, current settings: entries of the rings. */
  readonly rings?: Told<{ readonly rx: number | null; readonly rxJumbo: number | null; readonly tx: number | null }>;
  /** `ethtool -l`, current settings: queues that receive. */
  readonly queues?: Told<number>;
  /** MTUs by interface, from `ip link`, ifconfig or a log line that changes one. */
  readonly mtus: ReadonlyMap<string, Told<number>>;
  /** Modules that a device's own line names: `smsc95xx 1-1.1:1.0: eth0: …`. */
  readonly devices: ReadonlyMap<string, Told<string>>;
  /** Drivers of the machine's interfaces, from ethtool -i and from the lines that rename one. */
  readonly netDrivers?: ReadonlySet<string>;
  /** MemTotal of /proc/meminfo in kB. */
  readonly memTotalKb?: Told<number>;
  /** The report stands behind a panic of the same boot: the machine was down. */
  readonly afterPanic?: true;
  /** Number of CPUs, where a line says so. */
  readonly cpus?: Told<number>;
  /** Files of /proc that print zones and free lists. */
  readonly memoryFiles?: MemoryFiles;
}

export const nothingAround: Surroundings = {
  sysctls: new Map(),
  offloads: new Map(),
  mtus: new Map(),
  devices: new Map(),
};

/** The union of what several inputs tell; the first to say something wins. */
export function mergeSurroundings(all: readonly Surroundings[]): Surroundings {
  const merge = <T>(pick: (s: Surroundings) => ReadonlyMap<string, T>): ReadonlyMap<string, T> => {
    const out = new Map<string, T>();
    for (const s of all) for (const [k, v] of pick(s)) if (!out.has(k)) out.set(k, v);
    return out;
  };
  const first = <T>(pick: (s: Surroundings) => T | undefined): T | undefined => {
    for (const s of all) {
      const value = pick(s);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  const offloadDevice = first((s) => s.offloadDevice);
  const driver = first((s) => s.driver);
  const memTotalKb = first((s) => s.memTotalKb);
  const cpus = first((s) => s.cpus);
  const rings = first((s) => s.rings);
  const queues = first((s) => s.queues);
  const memoryFiles = Object.assign({}, ...all.map((s) => s.memoryFiles ?? {}).reverse()) as MemoryFiles;
  const netDrivers = new Set(all.flatMap((s) => [...(s.netDrivers ?? [])]));

  return {
    sysctls: merge((s) => s.sysctls),
    offloads: merge((s) => s.offloads),
    mtus: merge((s) => s.mtus),
    devices: merge((s) => s.devices),
    ...(offloadDevice === undefined ? {} : { offloadDevice }),
    ...(driver === undefined ? {} : { driver }),
    ...(memTotalKb === undefined ? {} : { memTotalKb }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(rings === undefined ? {} : { rings }),
    ...(queues === undefined ? {} : { queues }),
    ...(netDrivers.size === 0 ? {} : { netDrivers }),
    ...(Object.keys(memoryFiles).length === 0 ? {} : { memoryFiles }),
  };
}
