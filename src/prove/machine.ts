// The machine that a report describes, as settings of a scenario: what the inputs say is taken, what they do not say is assumed, and every such
// step is kept with its reason.

import type { ProveInput, Told } from "../diagnosis/machine_told.ts";
import { defaultMinFreeKb } from "../kernel/facts/min_free.ts";
import { atLeast, parseRelease } from "../kernel/release.ts";
import { drivers } from "../model/drivers/drivers.ts";
import type { Assumption } from "./proof.ts";

/** How hard the machine is pressed: what no report tells, so it is tuned until the report's failure comes. */
export interface Level {
  /** Bytes of frames that arrive back to back, in frames of 1500. */
  readonly burst: number;
  /** Page requests of the load per millisecond. */
  readonly pagesPerMilli: number;
  readonly kswapdMillis: number;
  /** The application reads what is queued this often. */
  readonly readMillis: number;
  /** Share of cached pages that go before traffic begins, page by page. */
  readonly deleted?: number;
  /** Share of memory that is never given back, in single pages between others. */
  readonly pinned: number;
}

/** From mild to harsh: longer bursts, a kswapd that gets something done less often, an application that reads later. */
export const levels: readonly Level[] = [
  { burst: 64, pagesPerMilli: 300, kswapdMillis: 5, readMillis: 20, pinned: 0.002 },
  { burst: 128, pagesPerMilli: 600, kswapdMillis: 5, readMillis: 20, pinned: 0.002 },
  { burst: 256, pagesPerMilli: 600, kswapdMillis: 10, readMillis: 20, pinned: 0.002 },
  { burst: 256, pagesPerMilli: 600, kswapdMillis: 10, readMillis: 20, pinned: 0.3 },
  { burst: 512, pagesPerMilli: 300, kswapdMillis: 20, readMillis: 40, pinned: 0.1 },
  { burst: 1024, pagesPerMilli: 100, kswapdMillis: 40, readMillis: 60, pinned: 0.002 },
  // Nobody else asks for memory, so nobody else reclaims: what direct reclaim gives back would feed the card.
  { burst: 1024, pagesPerMilli: 0, kswapdMillis: 40, readMillis: 60, pinned: 0.002 },
  { burst: 2048, pagesPerMilli: 0, kswapdMillis: 80, readMillis: 100, pinned: 0.002 },
  { burst: 2048, pagesPerMilli: 0, kswapdMillis: 200, readMillis: 200, pinned: 0.002 },
];

/** Part of a filled memory that is page cache, roughly: what of it goes page by page is free in single pages. */
const cachedShare = 0.6;

/** For a report whose memory was free far above the marks, and yet in pieces too small: as much of it is made free in single pages. */
export function scatteredLevels(input: ProveInput, built: Built): readonly Level[] {
  const zones = (input.memory?.zones ?? []).filter((z) => z.eligible);
  const free = zones.reduce((n, z) => n + z.free, 0) / built.scale;
  const high = zones.reduce((n, z) => n + z.high, 0) / built.scale;
  if (built.order === 0 || free <= 2 * high) return [];
  const deleted = Math.min(0.9, (free - high) / (built.memoryMb * 256 * cachedShare));
  const rest = { pagesPerMilli: 0, pinned: 0.002, deleted };
  return [
    { burst: 64, kswapdMillis: 5, readMillis: 20, ...rest },
    { burst: 256, kswapdMillis: 20, readMillis: 40, ...rest },
    { burst: 1024, kswapdMillis: 40, readMillis: 60, ...rest },
  ];
}

export interface Built {
  readonly release: string;
  readonly driver: string;
  /** A plain card asks for the report's order in place of the driver. */
  readonly standIn: boolean;
  readonly mtu: number;
  readonly order: number;
  readonly memoryMb: number;
  /** The report's memory divided by the machine's; min_free_kbytes is divided alike. */
  readonly scale: number;
  readonly rxRing: number;
  readonly bufferBytes: number;
  readonly sends: boolean;
  readonly level: Level;
  /** Settings without load and traffic. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly assumptions: readonly Assumption[];
}

/** Larger machines are built smaller: a run has to end soon, and what is tested are shares of memory. */
const mostMb = 512;
/** Where nothing tells. */
const assumedMb = 128;
const leastMb = 64;
/** Page requests of the load before traffic begins, in multiples of the memory: so many fill it with what stays. */
const fill = 3;
/** Simulated traffic, ms. */
export const trafficMillis = 100;
const standardMtu = 1500;
/** Bytes that arrive a second: most of a gigabit. */
const bytesPerSecond = 9e7;

const thousands = (n: number): string => Math.round(n).toLocaleString("en-US");

/** The wire's rate stays the same in bytes; a buffer of several pages comes at a slower one, or it would fill the machine. */
export function trafficAt(level: Level, mtu: number, order: number): { framesPerSecond: number; burst: number } {
  const slower = 2 ** Math.max(0, order - 1);
  return {
    framesPerSecond: Math.round(bytesPerSecond / mtu / slower),
    burst: Math.max(1, Math.round((level.burst * standardMtu) / mtu / slower)),
  };
}

/** The scenario of a built machine at a level. */
export function scenarioOf(built: Built, level: Level): Record<string, unknown> {
  const pages = built.memoryMb * 256;
  return {
    ...built.settings,
    traffic: [trafficAt(level, built.mtu, built.standIn ? built.order : 0)],
    load: {
      kilopages: Math.ceil((pages * fill) / 1000),
      jobs: 10,
      pagesPerMilli: level.pagesPerMilli,
      pinnedShare: level.pinned / fill,
      deletedShare: level.deleted ?? 0,
    },
    kswapdMillis: level.kswapdMillis,
    reader: { everyMicros: level.readMillis * 1000, rcvbufKb: Math.min(65_536, built.memoryMb * 256) },
  };
}

/** Builds it; a sentence when it cannot be. */
export function buildMachine(input: ProveInput, order: number): Built | string {
  const { machine } = input;
  const list: Assumption[] = [];
  const note = (what: string, value: string, from: Assumption["from"], because: string, told?: Told<unknown>): void =>
    void list.push({ what, value, from, because, evidence: told?.evidence ?? [] });
  const take = <T>(what: string, told: Told<T> | null, show: (v: T) => string, otherwise: T, why: string): T => {
    if (told === null) note(what, show(otherwise), "assumed", why);
    else note(what, show(told.value), told.because.startsWith("computed") ? "computed" : "report", told.because, told);
    return told === null ? otherwise : told.value;
  };

  const release = parseRelease(machine.release.value);
  if (!atLeast(release, [2, 6, 9])) return "the model begins with Linux 2.6.9";
  note("kernel", machine.release.value, "report", machine.release.because, machine.release);
  if (!["x86_64", "i386"].includes(release.arch))
    note("zones", "those of a PC with as much memory", "assumed", `the model boots PCs only, not ${release.arch}`);
  if (machine.pageKb !== 4) return `the model has pages of 4 KiB, the report's machine ${machine.pageKb}`;

  const kb = take(
    "memory",
    machine.memoryKb,
    (v) => `${thousands(v / 1024)} MB`,
    assumedMb * 1024,
    "the inputs do not say how much there is",
  );
  const realMb = Math.max(leastMb, Math.ceil(kb / 1024));
  const memoryMb = Math.min(mostMb, realMb);
  const scale = realMb / memoryMb;
  const minFree = take(
    "vm.min_free_kbytes",
    machine.minFreeKb,
    String,
    defaultMinFreeKb(kb, release.version),
    "nothing says that it was changed: the kernel's own choice",
  );
  if (scale > 1)
    note(
      "scale",
      `1/${scale.toFixed(1)}`,
      "scaled",
      `a machine of ${thousands(realMb)} MB would take too long: memory, vm.min_free_kbytes and what is advised for it are divided by ${scale.toFixed(1)}, here ${memoryMb} MB and ${thousands(minFree / scale)} kB`,
    );
  const cpus = Math.min(
    8,
    take("CPUs", machine.cpus, String, 2, "the inputs do not say; the card's interrupts go to one in any case"),
  );
  if (new Set(machine.zones.map((z) => z.node)).size > 1)
    note("nodes", "1", "assumed", "all memory lies in one node here; the report has several");

  const card = cardOf(input, order, take, note);
  if (typeof card === "string") return card;
  const sysctl = {
    min_free_kbytes: Math.max(128, Math.round(minFree / scale)),
    ...(machine.scaleFactor !== null && atLeast(release, [4, 6])
      ? { watermark_scale_factor: machine.scaleFactor.value }
      : {}),
  };
  if (machine.scaleFactor !== null)
    note("vm.watermark_scale_factor", String(machine.scaleFactor.value), "report", "sysctl", machine.scaleFactor);
  return {
    ...card,
    release: machine.release.value,
    order,
    memoryMb,
    scale,
    level: levels[0] as Level,
    settings: {
      kind: "machine",
      release: machine.release.value,
      memoryMb,
      cpus,
      sysctl,
      nics: [card.nic],
      sends: [],
      millis: trafficMillis,
      reports: 1,
    },
    assumptions: list,
  };
}

type Take = <T>(what: string, told: Told<T> | null, show: (v: T) => string, otherwise: T, why: string) => T;
type Note = (what: string, value: string, from: Assumption["from"], because: string, told?: Told<unknown>) => void;
type Card = Pick<Built, "driver" | "standIn" | "mtu" | "rxRing" | "bufferBytes" | "sends"> & {
  readonly nic: Readonly<Record<string, unknown>>;
};

/** Entries of the rings as the drivers make them when nobody says (model/drivers). */
const ringDefaults: Readonly<Record<string, number>> = { tg3: 200, ibm_emac: 128, mvneta: 512 };

/** The report's card, or a plain one that asks for blocks of the report's order. */
function cardOf(input: ProveInput, order: number, take: Take, note: Note): Card | string {
  const { machine } = input;
  const known = drivers.find((d) => d.name === input.driver);
  const sending = input.direction === "tx" || input.direction === "tx completion";
  const standIn = known === undefined || known.name === "ringnic" || sending;
  if (standIn && order > 10) return `no kernel hands out blocks of order ${order}`;
  const driver = standIn ? "ringnic" : known.name;
  if (standIn)
    note(
      "driver",
      "a plain card",
      "assumed",
      sending
        ? "what sends in the report copies packets into one block; the model's drivers do not, so a card that asks for blocks of that order stands for it"
        : `${input.driver === null ? "the report names no driver" : `the model has no ${input.driver}`}: a card that asks for blocks of order ${order} stands for it`,
    );
  else note("driver", driver, "report", "the call trace");
  const rows = (input.mtuTable?.rows ?? []).filter((r) => r.order === order);
  const standard = rows.some((r) => r.from <= standardMtu && standardMtu <= r.to) || rows.length === 0 || standIn;
  const fitting = standard ? standardMtu : Math.min(9000, Math.max(...rows.map((r) => r.to)));
  const mtu = take(
    "MTU",
    standIn ? null : machine.mtu,
    String,
    fitting,
    standIn || input.mtuTable === null
      ? "the standard one"
      : standard
        ? `the standard one; this driver's buffers need order ${order} there on this kernel`
        : `this driver's buffers need order ${order} there on this kernel, not at ${standardMtu}`,
  );
  const ring = machine.rings?.value.rx ?? null;
  const usual = ringDefaults[driver] ?? 256;
  const rxRing = ring ?? usual;
  if (ring !== null && machine.rings !== null)
    note("receive ring", String(ring), "report", "ethtool -g", machine.rings);
  else note("receive ring", String(usual), "assumed", standIn ? "a common size" : "the driver's default");
  const sends = !standIn;
  if (sends) take("TSO", machine.tso, (on) => (on ? "on" : "off"), true, "the driver's default");
  const bufferBytes = standIn ? 4096 * 2 ** order : mtu + 300;
  return {
    driver,
    standIn,
    mtu,
    rxRing,
    bufferBytes,
    sends,
    nic: {
      driver,
      mtu,
      ...(machine.tso === null || standIn ? {} : { tso: machine.tso.value }),
      settings: {
        rx_ring: rxRing,
        ...(driver === "tg3" && machine.rings?.value.rxJumbo ? { rx_jumbo_ring: machine.rings.value.rxJumbo } : {}),
        // Room for the pads and the skb_shared_info that come on top.
        ...(standIn && order > 0 ? { buffer_bytes: 4096 * 2 ** order - 1024 } : {}),
      },
    },
  };
}
