// What the inputs say of the machine that a report comes from, each value with the lines or the arithmetic behind it. `--prove` builds from it.
import { defaultMinFreeKb, lowmemOfMinFree } from "../kernel/facts/min_free.ts";
import type { MemZone } from "../kernel/readings/mem_info.ts";
import { blocksPart, cpusPart, nodesPart } from "../kernel/readings/mem_info_extent.ts";
import { closedOf } from "../kernel/readings/part.ts";
import type { Case } from "./case.ts";
import { quote, quoteFrames, quotesOf } from "./case.ts";
import type { MtuTable, Quote } from "./finding.ts";
import type { MachineSaid, Told, ZoneSaid } from "./machine_told.ts";
import { memoryFilesOf, ownedPagesOfFiles, pageblocksOfFiles, zonesOfFiles } from "./memory_files.ts";
import { changedSince } from "./rules/min_free.ts";
import { size } from "./words.ts";

const told = <T>(value: T, because: string, evidence: readonly Quote[]): Told<T> => ({ value, because, evidence });

/** Below HighMem and what only movable pages use: the memory that min_free_kbytes is shared over. */
const isLow = (name: string): boolean => name !== "HighMem" && name !== "Movable" && name !== "Device";

/** Reports of a request that memory was refused to. */
const refuses: ReadonlySet<string> = new Set(["alloc_failure", "slab_failure"]);

export function machineSaid(c: Case, table: MtuTable | undefined): MachineSaid {
  const minFreeKb = minFreeOf(c);
  return {
    release: told(
      `${c.release.version.join(".")}-${c.release.arch}`,
      `${c.said.certainty === "stated" ? "the report states" : "inferred:"} ${c.said.release}; ${c.arch.because}`,
      c.verdict.because.flatMap((r) => quotesOf(c.input, r.lines)).slice(0, 2),
    ),
    pageKb: c.pageKb,
    memoryKb: memoryOf(c, minFreeKb),
    zones: (c.memInfo?.zones ?? []).map((z) => zoneSaid(c, z)),
    zonesOfFiles: zonesOfFiles(memoryFilesOf(c.around), c.pageKb),
    pageblocks: pageblocksOfFiles(memoryFilesOf(c.around)),
    ownedPages: refuses.has(c.incident.kind) ? ownedPagesOfFiles(memoryFilesOf(c.around)) : null,
    held: heldSaid(c),
    buffers: buffersSaid(c),
    cpus: cpusOf(c),
    minFreeKb,
    scaleFactor: sysctl(c, "vm.watermark_scale_factor"),
    mtu: mtuOf(c, table),
    rings: c.around.rings === undefined ? null : told(c.around.rings.value, "ethtool -g", [c.around.rings.quote]),
    queues: c.around.queues === undefined ? null : told(c.around.queues.value, "ethtool -l", [c.around.queues.quote]),
    tso: offloadOf(c, "tcp-segmentation-offload"),
    gro: offloadOf(c, "generic-receive-offload"),
    poolPages:
      c.incident.kind === "page_pool_stall"
        ? told(c.incident.reading.inflight, "the report", quote(c, "headline", 1))
        : null,
  };
}

/** A sum is known when all its parts are. */
const sumOf = (parts: readonly (number | undefined)[]): number | null =>
  parts.reduce<number | null>((n, part) => (n === null || part === undefined ? null : n + part), 0);

function zoneSaid({ memInfo, pageKb }: Case, z: MemZone): ZoneSaid {
  const blocks = memInfo === undefined ? undefined : closedOf(blocksPart(memInfo, z, pageKb));
  const sum = (...names: readonly string[]): number | null => sumOf(names.map((n) => z.kb[n]));
  return {
    node: z.node,
    zone: z.name,
    presentKb: z.kb.present ?? null,
    managedKb: z.kb.managed ?? null,
    freeKb: z.kb.free ?? null,
    minKb: z.kb.min ?? null,
    lowKb: z.kb.low ?? null,
    highKb: z.kb.high ?? null,
    boostKb: z.kb.boost ?? null,
    highatomicKb: z.kb.reserved_highatomic ?? null,
    fileKb: sum("active_file", "inactive_file"),
    anonKb: sum("active_anon", "inactive_anon"),
    pcpKb: z.kb.free_pcp ?? null,
    localPcpKb: z.kb.local_pcp ?? null,
    lowmemReserve: z.lowmemReserve ?? null,
    blocks: blocks?.map((b) => ({ count: b.count, types: b.types ?? "" })) ?? null,
  };
}

/** Totals are pages; up to 2.6.27 they know active and inactive only, and what of them is cache stands in the tail. */
function heldSaid({ memInfo, pageKb }: Case): MachineSaid["held"] {
  const { totals = {}, tail = {}, freeSwapKb } = memInfo ?? {};
  const kb = (...names: readonly string[]): number | null => {
    const pages = sumOf(names.map((n) => totals[n]));
    return pages === null ? null : pages * pageKb;
  };
  const user = kb("active", "inactive");
  const cache = tail["total pagecache pages"] ?? tail["pagecache pages"];
  const file = kb("active_file", "inactive_file") ?? (cache === undefined ? null : cache * pageKb);
  return {
    fileKb: file ?? user,
    anonKb: kb("active_anon", "inactive_anon") ?? (user === null || file === null ? null : Math.max(0, user - file)),
    slabReclaimableKb: kb("slab_reclaimable"),
    slabUnreclaimableKb: kb("slab_unreclaimable") ?? kb("slab"),
    freeSwapKb: freeSwapKb ?? null,
    anonHugeKb: anonHugeOf(memInfo),
  };
}

/** Since 4.8 the node lines print it, before that nobody does. */
function anonHugeOf(memInfo: Case["memInfo"]): number | null {
  const nodes = memInfo === undefined ? undefined : closedOf(nodesPart(memInfo));
  return nodes === undefined || nodes.length === 0 ? null : sumOf(nodes.map((n) => n.kb["anon_thp"]));
}

/** e1000 and e1000e fill rings by other functions where frames are larger than a page's half: drivers/net/ethernet/intel/e1000/e1000_main.c, 6.1. */
function buffersSaid(c: Case): MachineSaid["buffers"] {
  const at = c.stack.frames.findIndex((f) => buffersBy.test(f.function ?? ""));
  const name = c.stack.frames[at]?.function;
  return name === undefined ? null : told(name, "the call trace", quoteFrames(c, [at]));
}

const buffersBy = /_alloc_(?:jumbo_)?rx_buffers(?:_ps)?$/;

function sysctl(c: Case, name: string): Told<number> | null {
  const line = c.around.sysctls.get(name);
  const value = Number(line?.value);
  return line === undefined || !Number.isInteger(value) || value <= 0 ? null : told(value, name, [line.quote]);
}

/** The sysctl, else the min marks of the zones, which add up to it. */
function minFreeOf(c: Case): Told<number> | null {
  const said = sysctl(c, "vm.min_free_kbytes");
  if (said !== null && changedSince(c, said.value) === undefined) return said;
  const zones = (closedOf(c.zones) ?? []).filter((z) => isLow(z.name));
  // Releases without a boost print none, and add none.
  const kb = sumOf(zones.map((z) => (z.kb.min === undefined ? undefined : z.kb.min - (z.kb.boost ?? 0))));
  if (kb === null || kb <= 0) return minFreeOfFiles(c);
  return told(
    kb,
    "the min marks of the zones add up to it",
    zones.flatMap((z) => quote(c, `zone:${z.node}:${z.name}`, 1)),
  );
}

function minFreeOfFiles(c: Case): Told<number> | null {
  const files = zonesOfFiles(memoryFilesOf(c.around), c.pageKb);
  if (files === null) return null;
  const low = files.value.filter((z) => isLow(z.zone));
  const kb = sumOf(low.map((z) => (z.minKb === null ? undefined : z.minKb - (z.boostKb ?? 0))));
  if (kb === null || kb <= 0) return null;
  return told(kb, "the min marks in /proc/zoneinfo add up to it", files.evidence.slice(0, 1));
}

/** Zones, else MemTotal, else the amount that an untouched min_free_kbytes is the default of. */
function memoryOf(c: Case, minFree: Told<number> | null): Told<number> | null {
  const zones = closedOf(c.zones) ?? [];
  const kb = sumOf(zones.map((z) => z.kb.present ?? z.kb.managed));
  if (kb !== null && kb > 0)
    return told(
      kb,
      "the zones of Mem-Info, present pages",
      zones.flatMap((z) => quote(c, `zone:${z.node}:${z.name}`, 1)),
    );
  const files = zonesOfFiles(memoryFilesOf(c.around), c.pageKb);
  const present = sumOf(files?.value.map((z) => z.presentKb ?? z.managedKb ?? undefined) ?? []);
  if (files !== null && present !== null)
    return told(present, "the zones of /proc/zoneinfo, present pages", files.evidence.slice(0, 1));
  const total = c.around.memTotalKb;
  if (total !== undefined) return told(total.value, "MemTotal", [total.quote]);
  const lowmem = minFree === null ? undefined : lowmemOfMinFree(minFree.value, c.release.version);
  if (minFree === null || lowmem === undefined || defaultMinFreeKb(lowmem.from, c.release.version) !== minFree.value)
    return null;
  return told(
    lowmem.from,
    `computed: vm.min_free_kbytes ${minFree.value} is the kernel's own choice for ${size(lowmem.from * 1024)} of low memory`,
    minFree.evidence,
  );
}

function cpusOf(c: Case): Told<number> | null {
  const { cpus } = c.around;
  if (cpus !== undefined) return told(cpus.value, "the boot messages", [cpus.quote]);
  const listed = c.memInfo === undefined ? undefined : closedOf(cpusPart(c.memInfo));
  if (listed !== undefined) return told(listed.length, "the per-CPU lists of Mem-Info", []);
  const cpu = c.process?.cpu;
  return cpu === undefined || cpu === 0
    ? null
    : told(cpu + 1, `the report came from CPU ${cpu}: at least so many`, quote(c, "process", 1));
}

/** Of several interfaces the one whose MTU needs the order that failed. */
function mtuOf(c: Case, table: MtuTable | undefined): Told<number> | null {
  const all = [...c.around.mtus];
  const orderOf = (mtu: number): number | undefined => table?.rows.find((r) => r.from <= mtu && mtu <= r.to)?.order;
  const fitting = all.length === 1 ? all : all.filter(([, t]) => c.order !== undefined && orderOf(t.value) === c.order);
  const [only] = fitting;
  return only === undefined || fitting.length > 1
    ? null
    : told(only[1].value, `the MTU of ${only[0]}`, [only[1].quote]);
}

function offloadOf(c: Case, name: string): Told<boolean> | null {
  const line = c.around.offloads.get(name);
  return line === undefined ? null : told(line.value === "on", "ethtool -k", [line.quote]);
}
