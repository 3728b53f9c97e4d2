// Makes a Mem-Info that a given release could have printed out of one that knows only what the model models: every field of that release
// is there (0 where nothing is known), none of another release's is. Such a Reading survives printing and reading unchanged.
import {
  cpuPagesForms,
  freeListLetters,
  nodeFields,
  protectionLine,
  swapForms,
  totalsLines,
  zoneFields,
} from "../../../kernel/facts/report_formats.ts";
import type { Counters, CpuPages, FreeLists, MemInfo, MemNode, MemZone } from "../../../kernel/readings/mem_info.ts";
import type { Fact } from "../../../kernel/release.ts";
import { compareVersions, factAt } from "../../../kernel/release.ts";
import { field } from "./builder.ts";

type Version = readonly number[];
const at = <T>(facts: readonly Fact<T>[], version: Version): T | undefined => factAt(facts, version)?.value;
const since = (version: Version, date: Version): boolean => compareVersions(version, date) >= 0;

/** The same state as `version` would print it. `pageKb` is the size of a page in kB. */
export function completeMemInfo(info: MemInfo, version: Version, pageKb = 4): MemInfo {
  const form = at(cpuPagesForms, version) ?? "none";
  const swap = at(swapForms, version) ?? "pages";
  const tail = Object.entries(info.tail).filter(
    ([w]) => since(version, [2, 6, 28]) || !/pagecache|in swap cache/.test(w),
  );
  return {
    namesNodes: info.namesNodes,
    perCpu: form === "none" ? [] : info.perCpu.map((p) => ({ ...p, cpus: p.cpus.map((c) => cpuIn(form, c)) })),
    totals: counters(
      (at(totalsLines, version) ?? []).flatMap((l) => l.split(" ")),
      info.totals,
    ),
    ...field("freePagesKb", since(version, [2, 6, 20]) ? undefined : (info.freePagesKb ?? { free: 0, highMem: 0 })),
    nodes: completeNodes(info, version),
    zones: info.zones.map((z) => completeZone(z, version, pageKb)),
    hugePages: since(version, [3, 9]) ? info.hugePages : [],
    tail: Object.fromEntries(tail),
    ...field("swapCache", swap === "pages" ? undefined : swapIn(info, swap === "race")),
    ...field("freeSwapKb", info.freeSwapKb),
    ...field("totalSwapKb", info.totalSwapKb),
    ...field("protectedKb", at(protectionLine, version) === true ? info.protectedKb : undefined),
    ...field("allocations", since(version, [6, 10]) ? info.allocations : undefined),
  };
}

function counters(fields: readonly string[], known: Counters): Record<string, number> {
  const result: Record<string, number> = {};
  for (const f of fields) {
    const name = f.replace("?", "");
    const value = known[name];
    if (value !== undefined || !f.endsWith("?")) result[name] = value ?? 0;
  }
  return result;
}

function completeNodes(info: MemInfo, version: Version): MemNode[] {
  const fields = at(nodeFields, version)?.split(" ");
  if (fields === undefined) return [];
  const ids = [...new Set([...info.nodes.map((n) => n.node), ...info.zones.map((z) => z.node)])].sort((a, b) => a - b);
  return ids.map((node) => {
    const known = info.nodes.find((n) => n.node === node);
    return { node, kb: counters(fields, known?.kb ?? {}), allUnreclaimable: known?.allUnreclaimable ?? false };
  });
}

function completeZone(zone: MemZone, version: Version, pageKb: number): MemZone {
  const fields = (at(zoneFields, version) ?? "").split(" ");
  const sizes = fields.filter((f) => f !== "pages_scanned" && f !== "all_unreclaimable");
  const lists = zone.freeLists;
  return {
    node: zone.node,
    name: zone.name,
    kb: counters(sizes, zone.kb),
    ...field("pagesScanned", fields.includes("pages_scanned") ? (zone.pagesScanned ?? 0) : undefined),
    ...field("allUnreclaimable", fields.includes("all_unreclaimable") ? (zone.allUnreclaimable ?? false) : undefined),
    lowmemReserve: zone.lowmemReserve ?? [],
    ...field(
      "freeLists",
      lists === undefined ? undefined : listsIn(lists, at(freeListLetters, version) ?? false, pageKb),
    ),
  };
}

function listsIn(lists: FreeLists, letters: boolean, pageKb: number): FreeLists {
  const totalKb = lists.totalKb ?? lists.blocks.reduce((sum, b) => sum + b.count * pageKb * 2 ** b.order, 0);
  return {
    blocks: lists.blocks.map((b) => ({
      order: b.order,
      count: b.count,
      ...field("types", letters && b.count > 0 ? b.types : undefined),
    })),
    totalKb,
  };
}

function cpuIn(form: string, c: CpuPages): CpuPages {
  const cold = c.cold ?? { high: 0, batch: 0, used: 0 };
  const list = (l: CpuPages["hot"]): CpuPages["hot"] =>
    form === "low high batch"
      ? { low: l.low ?? 0, high: l.high, batch: l.batch }
      : { high: l.high, batch: l.batch, used: l.used ?? 0 };
  return { cpu: c.cpu, hot: list(c.hot), ...field("cold", form === "one list" ? undefined : list(cold)) };
}

function swapIn(info: MemInfo, race: boolean): NonNullable<MemInfo["swapCache"]> {
  const s = info.swapCache ?? { add: 0, delete: 0, find: 0, findTotal: 0 };
  const counts = { add: s.add, delete: s.delete, find: s.find, findTotal: s.findTotal };
  return race ? { ...counts, race: s.race ?? [0, 0] } : counts;
}
