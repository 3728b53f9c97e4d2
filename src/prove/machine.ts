// The machine that a report describes, as settings of a scenario: what the inputs say is taken, what they do not say is assumed, and every such
// step is kept with its reason.

import type { ProveInput, Told } from "../diagnosis/machine_told.ts";
import { defaultMinFreeKb } from "../kernel/facts/min_free.ts";
import type { Release } from "../kernel/release.ts";
import { atLeast, parseRelease } from "../kernel/release.ts";
import { type DriverMaker, defaultOf } from "../model/drivers/driver.ts";
import { drivers } from "../model/drivers/drivers.ts";
import type { MarkSettings } from "../model/mm/watermark_setup.ts";
import type { FillOptions } from "../scenario/filled_state.ts";
import { filledState } from "../scenario/filled_state.ts";
import type { StateGiven } from "../scenario/machine_state_settings.ts";
import { givenBecause } from "./assume.ts";
import type { Assumption } from "./proof.ts";
import { printedState } from "./state.ts";

/** Who asks: the report's driver for the frames of a burst, or the report's request itself, so many times back to back. */
export type Asker =
  | { readonly kind: "driver"; readonly name: string; readonly mtu: number }
  | { readonly kind: "request"; readonly mask: number };

export interface Built {
  readonly release: string;
  readonly asker: Asker;
  readonly order: number;
  readonly lowmemKb: number;
  readonly minFreeKb: number;
  readonly rxRing: number;
  readonly queues: number;
  /** Pages that its rings hold. */
  readonly ringPages: number;
  /** Memory as printed; else that of machine number `which`, which a load has filled while kswapd kept the marks of these settings. */
  stateUnder(marks: MarkSettings, which: number): StateGiven;
  /** What fills those machines, where it was not done yet: it can be done elsewhere and given to `keepFilled`; else `stateUnder` does it. */
  toFill(marks: readonly MarkSettings[], which: readonly number[]): readonly FillOptions[];
  keepFilled(how: FillOptions, state: StateGiven): void;
  readonly printed: boolean;
  /** It was printed by the report itself, and not by files of another moment. */
  readonly atFailure: boolean;
  /** Settings without state and traffic. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly assumptions: readonly Assumption[];
}

/** Where nothing tells. */
const assumedMb = 128;
const leastMb = 64;
const mostFilledMb = 64;
const standardMtu = 1500;

const thousands = (n: number): string => Math.round(n).toLocaleString("en-US");

type Take = <T>(what: string, told: Told<T> | null, show: (v: T) => string, otherwise: T, why: string) => T;
type Note = (what: string, value: string, from: Assumption["from"], because: string, told?: Told<unknown>) => void;

const fromOf = ({ because }: Told<unknown>): Assumption["from"] =>
  because === givenBecause ? "given" : because.startsWith("computed") ? "computed" : "report";

/** Builds it; a sentence when it cannot be. `asItself`: the request is made, whoever made it in the report. */
export function buildMachine(input: ProveInput, order: number, asItself: boolean): Built | string {
  const { machine } = input;
  const list: Assumption[] = [];
  const note: Note = (what, value, from, because, told) =>
    void list.push({ what, value, from, because, evidence: told?.evidence ?? [] });
  const take: Take = (what, told, show, otherwise, why) => {
    if (told === null) note(what, show(otherwise), "assumed", why);
    else note(what, show(told.value), fromOf(told), told.because, told);
    return told === null ? otherwise : told.value;
  };
  const release = parseRelease(machine.release.value);
  if (!atLeast(release, [2, 6, 9])) return "the model begins with Linux 2.6.9";
  note("kernel", machine.release.value, "report", machine.release.because, machine.release);
  if (machine.pageKb !== 4) return `the model has pages of 4 KiB, the report's machine ${machine.pageKb}`;
  const kb = take(
    "memory",
    machine.memoryKb,
    (v) => `${thousands(v / 1024)} MB`,
    assumedMb * 1024,
    "the inputs do not say how much there is",
  );
  const minFree = take(
    "vm.min_free_kbytes",
    machine.minFreeKb,
    String,
    defaultMinFreeKb(kb, release.version),
    "nothing says that it was changed: the kernel's own choice",
  );
  const cpus = Math.min(
    8,
    take("CPUs", machine.cpus, String, 2, "the inputs do not say; the card's interrupts go to one CPU in any case"),
  );
  if (machine.scaleFactor !== null)
    note("vm.watermark_scale_factor", String(machine.scaleFactor.value), "report", "sysctl", machine.scaleFactor);
  const card = cardOf(input, order, asItself, take, note);
  if (typeof card === "string") return card;
  const memory = memoryOf(input, release, Math.max(leastMb, Math.ceil(kb / 1024)), minFree, card.ringPages, note);
  const sysctl = {
    min_free_kbytes: Math.max(128, Math.round(minFree * memory.part)),
    ...(machine.scaleFactor !== null && atLeast(release, [4, 6])
      ? { watermark_scale_factor: machine.scaleFactor.value }
      : {}),
  };
  return {
    release: machine.release.value,
    asker: card.asker,
    order,
    lowmemKb: kb,
    minFreeKb: minFree,
    rxRing: card.rxRing,
    queues: card.queues,
    ringPages: card.ringPages,
    stateUnder: memory.stateUnder,
    toFill: memory.toFill,
    keepFilled: memory.keepFilled,
    printed: memory.printed,
    atFailure: memory.atFailure,
    settings: {
      release: machine.release.value,
      memoryMb: Math.min(65_536, Math.max(leastMb, Math.ceil(kb / 1024))),
      cpus,
      sysctl,
      nics: [card.nic],
      sends: [],
      kswapdMillis: 10,
      // Nobody reads before the burst is over.
      reader: { everyMicros: 1e7, rcvbufKb: 4_000_000 },
      reports: 0,
    },
    assumptions: list,
  };
}

interface MemoryBuilt extends Pick<Built, "stateUnder" | "toFill" | "keepFilled" | "printed" | "atFailure"> {
  /** The machine's memory as a part of the report's. */
  readonly part: number;
}

function memoryOf(
  input: ProveInput,
  release: Release,
  realMb: number,
  minFreeKb: number,
  ringPages: number,
  note: Note,
): MemoryBuilt {
  const printed = printedState(input, release, ringPages);
  if (typeof printed !== "string") {
    const { state, from, evidence, atFailure, pageblocks, places } = printed;
    const free = state.zones.reduce((n, z) => n + z.free.reduce((m, b) => m + b.count * 2 ** b.order, 0), 0);
    note(
      "memory's state",
      `${state.zones.map((z) => z.zone).join(", ")}: ${thousands(free)} free pages by order and list, marks and reserves as printed`,
      "report",
      from,
      { value: "", because: "", evidence },
    );
    note(
      "before the burst",
      "zones below their high mark are filled up to it",
      "assumed",
      atFailure
        ? "kswapd leaves them there; the report shows what was left at the failure"
        : "kswapd leaves them there",
    );
    if (pageblocks)
      note(
        "types of pageblocks",
        "shared as printed",
        "report",
        "/proc/pagetypeinfo",
        input.machine.pageblocks ?? undefined,
      );
    const dump = input.machine.ownedPages;
    if (places === true && dump !== null)
      note("where memory in use lies", "page for page as listed", "report", dump.because, dump);
    else if (typeof places === "string") note("where memory in use lies", "not from page_owner", "assumed", places);
    note(
      "where blocks lie",
      places === true
        ? "drawn at random, on pages that page_owner does not list"
        : "drawn at random, by type of pageblock",
      "assumed",
      "free lists count blocks and do not place them",
    );
    return { stateUnder: () => state, toFill: () => [], keepFilled: () => {}, printed: true, atFailure, part: 1 };
  }
  if (!["x86_64", "i386"].includes(release.arch))
    note("zones", "those of a PC with as much memory", "assumed", `the model boots PCs only, not ${release.arch}`);
  const memoryMb = Math.min(mostFilledMb, realMb);
  const part = memoryMb / realMb;
  if (part < 1)
    note(
      "scale",
      `1/${(1 / part).toFixed(1)}`,
      "scaled",
      `filling ${thousands(realMb)} MB would take too long: memory, vm.min_free_kbytes and what is advised for it are divided by ${(1 / part).toFixed(1)}`,
    );
  note(
    "memory's state",
    `machines of ${thousands(memoryMb)} MB, another for each set of runs, filled and fragmented by a compile-like load`,
    "assumed",
    `${printed}: which blocks were free is not known`,
  );
  const own = Math.max(128, Math.round(minFreeKb * part));
  const made = new Map<string, StateGiven>();
  const fillOf = (given: MarkSettings, which: number): FillOptions => ({
    release,
    memoryMb,
    marks: { minFreeKb: own, ...given },
    seed: which + 1,
    ringPages,
  });
  const keyOf = ({ marks, seed }: FillOptions): string => JSON.stringify([marks, seed]);
  const keepFilled = (how: FillOptions, state: StateGiven): void => void made.set(keyOf(how), state);
  return {
    printed: false,
    atFailure: false,
    part,
    keepFilled,
    toFill: (marks, which) => {
      const all = new Map(marks.flatMap((m) => which.map((i) => fillOf(m, i))).map((how) => [keyOf(how), how]));
      return [...all].flatMap(([key, how]) => (made.has(key) ? [] : [how]));
    },
    stateUnder: (given, which) => {
      const how = fillOf(given, which);
      const state = made.get(keyOf(how)) ?? filledState(how);
      keepFilled(how, state);
      return state;
    },
  };
}

interface Card {
  readonly asker: Asker;
  readonly rxRing: number;
  readonly queues: number;
  /** Pages that its rings hold. */
  readonly ringPages: number;
  readonly nic: Readonly<Record<string, unknown>>;
}

/** Drivers of the model that stand for none of a report: no real card, and one whose buffers depend on an adapter that no trace names. */
const ofNoReport: ReadonlySet<string> = new Set(["ringnic", "usbnet"]);
/** Entries of the receive ring as the driver makes it when nobody says; undefined: it has no ring of descriptors. */
function ringDefault({ settings }: DriverMaker): number | undefined {
  const ring = settings?.["rx_ring"];
  return ring === undefined ? undefined : Number(defaultOf(ring));
}
/** A card that is there and does nothing. */
const idle = { driver: "ringnic", settings: { rx_ring: 16, tx_ring: 32 } };

function cardOf(input: ProveInput, order: number, asItself: boolean, take: Take, note: Note): Card | string {
  const { machine } = input;
  const known = drivers.find((d) => d.name === input.driver && !ofNoReport.has(d.name));
  const sending = input.direction === "tx" || input.direction === "tx completion";
  if (asItself || known === undefined || sending) {
    if (input.gfp === null) return "the report does not say which gfp mask was used";
    note(
      "who asks",
      `order ${order} with ${input.gfp.names.join("|") || input.gfp.mask}, repeated back to back, each block kept`,
      "report",
      input.driver === null
        ? "the report names no driver: its own request is made"
        : sending
          ? "what sends in the report copies packets into one block: its own request is made"
          : known === undefined
            ? `the model has no ${input.driver}: its own request is made`
            : `the model's ${input.driver} does not ask for order ${order} here: the report's own request is made`,
    );
    return {
      asker: { kind: "request", mask: Number.parseInt(input.gfp.mask, 16) },
      rxRing: 0,
      queues: 1,
      ringPages: 64,
      nic: idle,
    };
  }
  note("driver", known.name, "report", "the call trace");
  const mtu = mtuOf(input, order, take);
  const ring = machine.rings?.value.rx ?? null;
  const usual = ringDefault(known);
  const rxRing = usual === undefined ? 0 : (ring ?? usual);
  if (usual === undefined) note("receive ring", "none", "assumed", "the driver has no ring of descriptors");
  else if (ring !== null && machine.rings !== null)
    note(
      "receive ring",
      String(ring),
      fromOf(machine.rings),
      fromOf(machine.rings) === "given" ? givenBecause : "ethtool -g",
      machine.rings,
    );
  else note("receive ring", String(usual), "assumed", "the driver's default");
  take("TSO", machine.tso, onOff, true, "the driver's default");
  take("GRO", machine.gro, onOff, true, "the kernel's default");
  const queues = Math.min(machine.queues?.value ?? 1, known.queuesMost ?? 1);
  if (machine.queues === null) note("receive queues", "1", "assumed", "a burst is one flow's, which goes to one queue");
  else if (queues < machine.queues.value)
    note(
      "receive queues",
      String(queues),
      "assumed",
      `the model's ${known.name} has no more; the report's ${machine.queues.value}`,
    );
  else
    note(
      "receive queues",
      String(queues),
      "report",
      "ethtool -l; a burst is one flow's, which goes to one",
      machine.queues,
    );
  return {
    asker: { kind: "driver", name: known.name, mtu },
    rxRing,
    queues,
    // A driver without a ring (r8152) has ten blocks of eight pages.
    ringPages: queues * (usual === undefined ? 80 : rxRing * Math.max(2, Math.ceil((mtu + 600) / 4096) * 2)),
    nic: {
      driver: known.name,
      mtu,
      ...(queues === 1 ? {} : { queues }),
      ...(machine.tso === null ? {} : { tso: machine.tso.value }),
      ...(machine.gro === null ? {} : { gro: machine.gro.value }),
      settings: {
        ...(usual === undefined ? {} : { rx_ring: rxRing }),
        ...(known.name === "tg3" && machine.rings?.value.rxJumbo ? { rx_jumbo_ring: machine.rings.value.rxJumbo } : {}),
      },
    },
  };
}

const onOff = (on: boolean): string => (on ? "on" : "off");

/** The MTU as told; else what the function on the stack says; else the standard one where it needs the report's order, else one that does. */
function mtuOf(input: ProveInput, order: number, take: Take): number {
  const { machine } = input;
  const rows = (input.mtuTable?.rows ?? []).filter((r) => r.order === order);
  const jumbo = machine.buffers !== null && /jumbo|_ps$/.test(machine.buffers.value);
  if (machine.mtu === null && machine.buffers !== null && jumbo)
    return take(
      "MTU",
      {
        value: Math.min(9000, Math.max(standardMtu + 500, ...rows.map((r) => r.to))),
        because: `computed: ${machine.buffers.value} on the stack fills rings above MTU ${standardMtu} only; the largest usual one`,
        evidence: machine.buffers.evidence,
      },
      String,
      standardMtu,
      "",
    );
  const standard = rows.some((r) => r.from <= standardMtu && standardMtu <= r.to) || rows.length === 0;
  return take(
    "MTU",
    machine.mtu,
    String,
    standard ? standardMtu : Math.min(9000, Math.max(...rows.map((r) => r.to))),
    input.mtuTable === null
      ? "the standard one"
      : standard
        ? `the standard one; this driver's buffers need order ${order} there on this kernel`
        : `this driver's buffers need order ${order} there on this kernel, not at ${standardMtu}`,
  );
}
