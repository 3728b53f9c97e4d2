// Prints the body that show_mem prints, in the form of a given release (kernel/facts/report_formats.ts holds the forms).
import type { CpuPagesForm, SwapForm } from "../../../kernel/facts/report_formats.ts";
import {
  behindUnreclaimable,
  blankBeforeThp,
  capitalUnit,
  cpuPagesForms,
  freeListLetters,
  memInfoHeading,
  nodeFields,
  reserveLine,
  swapForms,
  tailWords,
  thpFields,
  totalsCapital,
  totalsLines,
  zoneFields,
} from "../../../kernel/facts/report_formats.ts";
import type { CpuPages, FreeLists, MemInfo, MemNode, MemZone } from "../../../kernel/readings/mem_info.ts";
import type { Fact } from "../../../kernel/release.ts";
import { compareVersions, factAt } from "../../../kernel/release.ts";

type Version = readonly number[];

const at = <T>(facts: readonly Fact<T>[], version: Version): T | undefined => factAt(facts, version)?.value;
const since = (version: Version, date: Version): boolean => compareVersions(version, date) >= 0;
const pad = (n: number | undefined, width: number): string => String(n ?? 0).padStart(width);

/** The body as lines, heading included. `pageKb` is the size of a page (order 0) in kB. */
export function printMemInfo(info: MemInfo, version: Version, pageKb = 4): string[] {
  return [
    at(memInfoHeading, version) ?? "Mem-Info:",
    ...info.perCpu.flatMap((p) => printCpuPages(info, p.node, p.zone, p.cpus, version)),
    ...printTotals(info, version),
    ...info.nodes.flatMap((n) => printNode(n, version)),
    ...info.zones.flatMap((z) => printZone(info, z, version)),
    ...info.zones.flatMap((z) => printFreeLists(info, z, version, pageKb)),
    ...printTail(info, version),
  ];
}

const nodeName = (info: MemInfo, node: number): string => (info.namesNodes ? `Node ${node} ` : "");

function printCpuPages(
  info: MemInfo,
  node: number,
  zone: string,
  cpus: readonly CpuPages[],
  version: Version,
): string[] {
  const form: CpuPagesForm = at(cpuPagesForms, version) ?? "none";
  if (form === "none") return [];
  return [`${nodeName(info, node)}${zone} per-cpu:`, ...cpus.flatMap((c) => printCpu(c, form))];
}

function printCpu(c: CpuPages, form: CpuPagesForm): string[] {
  const { hot } = c;
  const cold = c.cold ?? { high: 0, batch: 0, used: 0 };
  switch (form) {
    case "low high batch":
      return [
        `cpu ${c.cpu} hot: low ${hot.low ?? 0}, high ${hot.high}, batch ${hot.batch}`,
        `cpu ${c.cpu} cold: low ${cold.low ?? 0}, high ${cold.high}, batch ${cold.batch}`,
      ];
    case "hot cold used":
      return [
        `cpu ${c.cpu} hot: high ${hot.high}, batch ${hot.batch} used:${hot.used ?? 0}`,
        `cpu ${c.cpu} cold: high ${cold.high}, batch ${cold.batch} used:${cold.used ?? 0}`,
      ];
    case "Hot Cold":
      return [
        `CPU ${pad(c.cpu, 4)}: Hot: hi:${pad(hot.high, 5)}, btch:${pad(hot.batch, 4)} usd:${pad(hot.used, 4)}   Cold: hi:${pad(cold.high, 5)}, btch:${pad(cold.batch, 4)} usd:${pad(cold.used, 4)}`,
      ];
    case "one list":
      return [`CPU ${pad(c.cpu, 4)}: hi:${pad(hot.high, 5)}, btch:${pad(hot.batch, 4)} usd:${pad(hot.used, 4)}`];
    case "none":
      return [];
  }
}

function printTotals(info: MemInfo, version: Version): string[] {
  const lines = (at(totalsLines, version) ?? []).map((line, i) => {
    const text = line
      .split(" ")
      .map((name) => `${name}:${info.totals[name] ?? 0}`)
      .join(" ");
    return i === 0 ? text : ` ${text}`;
  });
  const [first = "", ...more] = lines;
  const head = at(totalsCapital, version) ? first.charAt(0).toUpperCase() + first.slice(1) : first;
  const free = info.freePagesKb;
  return [
    ...(free === undefined ? [] : [`Free pages: ${pad(free.free, 11)}kB (${free.highMem}kB HighMem)`]),
    head,
    ...more,
  ];
}

function printNode(node: MemNode, version: Version): string[] {
  const fields = at(nodeFields, version);
  if (fields === undefined) return [];
  const blank = at(blankBeforeThp, version);
  const printed = fields.split(" ").map((f) => ({
    behind: behindUnreclaimable.has(f.replace("?", "")),
    text: f === "pages_scanned" ? [`pages_scanned:${node.kb[f] ?? 0}`] : size(f, node.kb, blank),
  }));
  const part = (behind: boolean): string[] => printed.filter((p) => p.behind === behind).flatMap((p) => p.text);
  const hopeless = `all_unreclaimable? ${node.allUnreclaimable === true ? "yes" : "no"}`;
  return [[`Node ${node.node}`, ...part(false), hopeless, ...part(true)].join(" ")];
}

/** `name:12kB`; an optional field (`?`) only where the reading has it. */
function size(fieldName: string, kb: Readonly<Record<string, number>>, blank = false): string[] {
  const optional = fieldName.endsWith("?");
  const name = optional ? fieldName.slice(0, -1) : fieldName;
  const value = kb[name];
  if (optional && value === undefined) return [];
  return [`${name}:${blank && thpFields.has(name) ? " " : ""}${value ?? 0}${capitalUnit.has(name) ? "KB" : "kB"}`];
}

function printZone(info: MemInfo, zone: MemZone, version: Version): string[] {
  const fields = (at(zoneFields, version) ?? "").split(" ");
  const text = fields
    .flatMap((f) => {
      if (f === "pages_scanned") return [`pages_scanned:${zone.pagesScanned ?? 0}`];
      if (f === "all_unreclaimable") return [`all_unreclaimable? ${zone.allUnreclaimable === true ? "yes" : "no"}`];
      return size(f, zone.kb);
    })
    .join(" ");
  const reserve = (zone.lowmemReserve ?? []).map((n) => ` ${n}`).join("");
  return [
    `${nodeName(info, zone.node)}${zone.name} ${text}`,
    `${at(reserveLine, version) ?? "lowmem_reserve"}[]:${reserve}`,
  ];
}

function printFreeLists(info: MemInfo, zone: MemZone, version: Version, pageKb: number): string[] {
  if (zone.freeLists === undefined) return [];
  const letters = at(freeListLetters, version) ?? false;
  return [`${nodeName(info, zone.node)}${zone.name}: ${freeListText(zone.freeLists, letters, pageKb)}`];
}

function freeListText(lists: FreeLists, letters: boolean, pageKb: number): string {
  const blocks = lists.blocks
    .map((b) => `${b.count}*${pageKb * 2 ** b.order}kB ${letters && b.types !== undefined ? `(${b.types}) ` : ""}`)
    .join("");
  const total = lists.totalKb ?? lists.blocks.reduce((sum, b) => sum + b.count * pageKb * 2 ** b.order, 0);
  return `${blocks}= ${total}kB`;
}

function printTail(info: MemInfo, version: Version): string[] {
  const huge = info.hugePages.map(
    (h) =>
      `Node ${h.node} hugepages_total=${h.total} hugepages_free=${h.free} hugepages_surp=${h.surplus} hugepages_size=${h.sizeKb}kB`,
  );
  const cache = info.tail["total pagecache pages"];
  const words = tailWords.filter((w) => info.tail[w] !== undefined).map((w) => `${info.tail[w]} ${w}`);
  const known = new Set(["total pagecache pages", "pages in swap cache", ...tailWords]);
  const strangers = Object.entries(info.tail)
    .filter(([w]) => !known.has(w))
    .map(([w, n]) => `${n} ${w}`);
  return [
    ...(since(version, [3, 9]) ? huge : []),
    ...(cache === undefined ? [] : [`${cache} total pagecache pages`]),
    ...printSwap(info, at(swapForms, version) ?? "pages"),
    ...words,
    ...strangers,
    ...printAllocations(info),
  ];
}

function printSwap(info: MemInfo, form: SwapForm): string[] {
  const s = info.swapCache;
  const inCache = info.tail["pages in swap cache"];
  const lines: string[] = [];
  if (inCache !== undefined && form !== "race") lines.push(`${inCache} pages in swap cache`);
  if (s !== undefined && form !== "pages") {
    const counts = `add ${s.add}, delete ${s.delete}, find ${s.find}/${s.findTotal}`;
    lines.push(
      form === "race"
        ? `Swap cache: ${counts}, race ${s.race?.[0] ?? 0}+${s.race?.[1] ?? 0}`
        : `Swap cache stats: ${counts}`,
    );
  }
  if (info.freeSwapKb !== undefined) lines.push(`Free swap  = ${info.freeSwapKb}kB`);
  if (info.totalSwapKb !== undefined) lines.push(`Total swap = ${info.totalSwapKb}kB`);
  return lines;
}

function printAllocations(info: MemInfo): string[] {
  if (info.allocations === undefined) return [];
  const state = info.allocationProfiling;
  return [
    `Memory allocations${state === undefined ? "" : ` (profiling is currently turned ${state})`}:`,
    ...info.allocations.map((a) => `${a.size.padStart(12)} ${pad(a.calls, 8)} ${a.place}`),
  ];
}

/** The line behind the body, and behind the slabs of an OOM report, that says how much memory control groups keep from reclaim. */
export function printProtection({ protectedKb }: MemInfo): string[] {
  if (protectedKb === undefined) return [];
  return [`Memory cgroup min protection ${protectedKb.min}kB -- low protection ${protectedKb.low}kB`];
}
