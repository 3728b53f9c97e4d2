// Reads the body that show_mem prints, of every era: line by line, in any order, so that a body with holes is still read.
import type { PartName } from "../../../kernel/readings/incident.ts";
import type {
  CpuList,
  CpuPages,
  FreeBlocks,
  FreeLists,
  HugePages,
  MemInfo,
  MemNode,
  MemZone,
} from "../../../kernel/readings/mem_info.ts";
import { decimal, field } from "./builder.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const zoneLine = /^(?:Node (\d+) )?([A-Z][A-Za-z0-9]*) (free:\s*\d+kB .*)$/;
const cutZoneLine = /^(?:Node (\d+) )?(DMA|DMA32|Normal|HighMem|Movable|Device) (free:\s*\d.*)$/;
const freeListLine = /^(?:Node (\d+) )?([A-Z][A-Za-z0-9]*): ((?:empty|\d+[*_]\d+kB).*)$/;
const freeListPiece = /^\s*((?:\d+[*_]\d+kB|\([UMERCHI]+\)|= \d+kB).*)$/;
const nodeLine = /^Node (\d+) ((?:active_anon|inactive_anon):\s*\d+kB.*)$/;
const perCpuHead = /^(?:Node (\d+) )?([A-Z][A-Za-z0-9]*) per-cpu:(.*)$/;
const perCpuHotCold =
  /^CPU\s+(\d+): Hot: hi:\s*(\d+), btch:\s*(\d+) usd:\s*(\d+)\s+Cold: hi:\s*(\d+), btch:\s*(\d+) usd:\s*(\d+)/;
const perCpuOne = /^CPU\s+(\d+): hi:\s*(\d+), btch:\s*(\d+) usd:\s*(\d+)/;
const perCpuOld = /^cpu (\d+) (hot|cold): (?:low (\d+), )?high (\d+), batch (\d+)(?: used:(\d+))?/;
const reserve = /^(?:lowmem_reserve|protections)\[\]:((?: -?\d+)*)\s*$/;
const hugeLine = /^Node (\d+) hugepages_total=(\d+) hugepages_free=(\d+) hugepages_surp=(\d+) hugepages_size=(\d+)kB/;
const countLine = /^(\d+) ((?:total pagecache |free |reserved |slab )?pages?(?: [A-Za-z][A-Za-z/ -]{0,40})?)\s*$/;
const swapStats = /^Swap cache(?: stats)?: add (\d+), delete (\d+), find (\d+)\/(\d+)(?:, race (\d+)\+(\d+))?/;
const freePages = /^Free pages:\s*(\d+)kB \((\d+)kB HighMem\)/;
const protectionLine = /^Memory cgroup min protection (\d{1,15})kB -- low protection (\d{1,15})kB/;
const allocationLine = /^\s*(\d+(?:\.\d+)? ?[KMGTkmgt]?i?B?)\s+(\d+) (\S+:\d+ .*)$/;

/** The names that the totals block uses, over all releases; a line of other `name:number` pairs is not a totals line. */
const totalsNames = new Set(
  "active_anon inactive_anon isolated_anon active_file inactive_file isolated_file unevictable dirty writeback unstable free slab slab_reclaimable slab_unreclaimable mapped shmem pagetables sec_pagetables bounce free_pcp free_cma kernel_misc_reclaimable active inactive".split(
    " ",
  ),
);

/** True when a text can open a body whose head is missing. */
export function opensMemInfo(text: string): boolean {
  return (
    /^Mem-[Ii]nfo:/.test(text) ||
    zoneLine.test(text) ||
    nodeLine.test(text) ||
    (freeListLine.test(text) && / = \d{1,12}kB\s*$/.test(text)) ||
    totalsOf(text) !== undefined
  );
}

function totalsOf(text: string): Record<string, number> | undefined {
  if (!/^ ?[Aa-z]/.test(text) || !text.includes(":") || text.includes("kB")) return undefined;
  const totals: Record<string, number> = {};
  for (const token of text.trim().split(/\s+/)) {
    const m = /^([A-Za-z_]+):(\d{1,15})$/.exec(token);
    const name = m?.[1]?.toLowerCase();
    if (name === undefined || m?.[2] === undefined) return undefined;
    totals[name] = Number(m[2]);
  }
  return Object.keys(totals).some((n) => totalsNames.has(n)) ? totals : undefined;
}

/** Sizes out of `name:12kB other: 3KB …`; a token without its unit is cut and not used. */
function sizesOf(text: string): Record<string, number> {
  const kb: Record<string, number> = {};
  for (const m of text.matchAll(/([A-Za-z_()]{2,40}): ?(\d{1,15})[kK]B/g)) {
    if (m[1] !== undefined && m[2] !== undefined) kb[m[1]] = Number(m[2]);
  }
  return kb;
}

/** Gathers one body. */
export class MemInfoBuilder {
  private opened = false;
  private namesNodes = false;
  private readonly totals: Record<string, number> = {};
  private readonly perCpu: { node: number; zone: string; cpus: Map<number, CpuRow> }[] = [];
  private readonly nodes: MemNode[] = [];
  private readonly zones: Mutable<MemZone>[] = [];
  private readonly huge: HugePages[] = [];
  private readonly tail: Record<string, number> = {};
  private readonly rest: Mutable<Partial<MemInfo>> = {};
  private allocations: { size: string; calls: number; place: string }[] | undefined;
  /** `Node 1 ` broke off from its zone (KERN_CONT around 4.9): the next zone or free list is that node's. */
  private pendingNode: string | undefined;
  private list: { zone: Mutable<MemZone>; text: string } | undefined;

  get started(): boolean {
    return this.opened;
  }

  /** The line of a node or a zone is there already, or a heading stands behind what it heads: show_free_areas() prints each once (mm/page_alloc.c in 6.1, mm/show_mem.c in 6.12), so this is another's. */
  repeats(text: string): boolean {
    if (/^Mem-[Ii]nfo:/.test(text))
      return this.nodes.length > 0 || this.zones.length > 0 || Object.keys(this.totals).length > 0;
    const again = Number(nodeLine.exec(text)?.[1] ?? -1);
    if (this.nodes.some((n) => n.node === again)) return true;
    const zone = this.zones.length === 0 ? null : zoneLine.exec(text);
    const node = Number(zone?.[1] ?? this.pendingNode ?? 0);
    return zone !== null && this.zones.some((z) => z.node === node && z.name === zone[2] && z.kb.free !== undefined);
  }

  /** Takes a line of the body; the part it carries, or undefined when it is none. */
  take(text: string): PartName | undefined {
    if (/^Mem-[Ii]nfo:/.test(text)) {
      this.opened = true;
      return "mem_info";
    }
    const part = this.takeZone(text) ?? this.takeTotals(text);
    if (part !== undefined) this.opened = true;
    if (part !== undefined || !this.opened) return part;
    return this.takeCpu(text) ?? this.takeTail(text);
  }

  private takeZone(text: string): PartName | undefined {
    const alone = this.opened ? /^Node (\d{1,4})\s*$/.exec(text)?.[1] : undefined;
    if (alone !== undefined) {
      this.pendingNode = alone;
      return "mem_info";
    }
    const node = nodeLine.exec(text);
    if (node?.[2] !== undefined) {
      const id = Number(node[1]);
      this.nodes.push({
        node: id,
        kb: withScanned(sizesOf(node[2]), node[2]),
        ...field("allUnreclaimable", yesNo(node[2])),
      });
      return `node:${id}`;
    }
    const zone = zoneLine.exec(text) ?? cutZoneLine.exec(text);
    if (zone?.[2] !== undefined && zone[3] !== undefined)
      return this.newZone(zone[1] ?? this.takePending(), zone[2], zone[3]);
    const reserved = reserve.exec(text);
    const last = this.zones.at(-1);
    if (reserved !== null && last !== undefined) {
      // A second one is of a zone whose own line is lost.
      last.lowmemReserve ??= (reserved[1] ?? "")
        .trim()
        .split(" ")
        .filter((x) => x !== "")
        .map(Number);
      return `lowmem_reserve:${last.node}:${last.name}`;
    }
    const free = freeListLine.exec(text);
    if (free?.[2] !== undefined && free[3] !== undefined)
      return this.newFreeList(free[1] ?? this.takePending(), free[2], free[3]);
    const piece = this.list === undefined ? null : freeListPiece.exec(text);
    if (piece?.[1] !== undefined && this.list !== undefined && !this.list.text.includes("=")) {
      this.list.text += ` ${piece[1]}`;
      return `free_lists:${this.list.zone.node}:${this.list.zone.name}`;
    }
    return undefined;
  }

  private takePending(): string | undefined {
    const node = this.pendingNode;
    this.pendingNode = undefined;
    return node;
  }

  private newZone(node: string | undefined, name: string, text: string): PartName {
    if (node !== undefined) this.namesNodes = true;
    const scanned = /\bpages_scanned:(\d{1,15})/.exec(text)?.[1];
    this.zones.push({
      node: Number(node ?? 0),
      name,
      kb: sizesOf(text),
      ...field("pagesScanned", decimal(scanned)),
      ...field("allUnreclaimable", yesNo(text)),
    });
    return `zone:${Number(node ?? 0)}:${name}`;
  }

  private newFreeList(node: string | undefined, name: string, text: string): PartName {
    const id = Number(node ?? 0);
    let zone = this.zones.find((z) => z.node === id && z.name === name);
    if (zone === undefined) {
      // The zone line is lost: the counts are worth keeping all the same.
      if (node !== undefined) this.namesNodes = true;
      zone = { node: id, name, kb: {} };
      this.zones.push(zone);
    }
    this.endList();
    this.list = { zone, text };
    this.opened = true;
    return `free_lists:${id}:${name}`;
  }

  private endList(): void {
    if (this.list === undefined) return;
    this.list.zone.freeLists = readFreeLists(this.list.text);
  }

  private takeTotals(text: string): PartName | undefined {
    const totals = totalsOf(text);
    if (totals === undefined) return undefined;
    Object.assign(this.totals, totals);
    return "totals";
  }

  private takeCpu(text: string): PartName | undefined {
    const head = perCpuHead.exec(text);
    if (head?.[2] !== undefined) {
      if (head[1] !== undefined) this.namesNodes = true;
      if (!head[3]?.includes("empty")) this.perCpu.push({ node: Number(head[1] ?? 0), zone: head[2], cpus: new Map() });
      return `cpu_pages:${Number(head[1] ?? 0)}:${head[2]}`;
    }
    const last = this.perCpu.at(-1);
    const row = last === undefined ? undefined : readCpuRow(text);
    if (row === undefined || last === undefined) return undefined;
    last.cpus.set(row.cpu, { ...row, ...last.cpus.get(row.cpu) });
    return `cpu_pages:${last.node}:${last.zone}`;
  }

  private takeTail(text: string): PartName | undefined {
    if (text.length > 300) return undefined;
    const huge = hugeLine.exec(text);
    if (huge !== null) {
      const [node, total, free, surplus, sizeKb] = huge.slice(1, 6).map(Number) as [
        number,
        number,
        number,
        number,
        number,
      ];
      this.huge.push({ node, total, free, surplus, sizeKb });
      return "huge_pages";
    }
    const count = countLine.exec(text);
    if (count?.[2] !== undefined) {
      this.tail[count[2].trim()] = Number(count[1]);
      return "tail";
    }
    return this.takeSwap(text) ?? this.takeProtection(text) ?? this.takeAllocation(text);
  }

  private takeSwap(text: string): PartName | undefined {
    const swap = swapStats.exec(text);
    if (swap !== null) {
      const [add, del, find, findTotal] = swap.slice(1, 5).map(Number) as [number, number, number, number];
      const race = swap[5] === undefined ? undefined : ([Number(swap[5]), Number(swap[6])] as const);
      this.rest.swapCache = { add, delete: del, find, findTotal, ...field("race", race) };
      return "tail";
    }
    const size = /^(Free|Total) swap *[=:] *(-?\d{1,15})kB/.exec(text);
    if (size !== null) {
      if (size[1] === "Free") this.rest.freeSwapKb = Number(size[2]);
      else this.rest.totalSwapKb = Number(size[2]);
      return "tail";
    }
    const free = freePages.exec(text);
    if (free === null) return undefined;
    this.rest.freePagesKb = { free: Number(free[1]), highMem: Number(free[2]) };
    return "totals";
  }

  private takeProtection(text: string): PartName | undefined {
    const kept = protectionLine.exec(text);
    if (kept === null) return undefined;
    this.rest.protectedKb = { min: Number(kept[1]), low: Number(kept[2]) };
    return "protection";
  }

  private takeAllocation(text: string): PartName | undefined {
    if (/^Memory allocations(?: \(.*\))?:/.test(text)) {
      this.allocations = [];
      const state = /\(profiling is currently turned (on|off)\)/.exec(text)?.[1];
      if (state !== undefined) this.rest.allocationProfiling = state === "on" ? "on" : "off";
      return "allocations";
    }
    const row = this.allocations === undefined ? null : allocationLine.exec(text);
    if (row?.[1] === undefined || row[3] === undefined) return undefined;
    this.allocations?.push({ size: row[1].trim(), calls: Number(row[2]), place: row[3] });
    return "allocations";
  }

  finish(): MemInfo | undefined {
    if (!this.opened) return undefined;
    this.endList();
    return {
      namesNodes: this.namesNodes,
      perCpu: this.perCpu.map((p) => ({ node: p.node, zone: p.zone, cpus: [...p.cpus.values()].flatMap(wholeCpu) })),
      totals: this.totals,
      nodes: this.nodes,
      zones: this.zones,
      hugePages: this.huge,
      tail: this.tail,
      ...this.rest,
      ...field("allocations", this.allocations),
    };
  }
}

function withScanned(kb: Record<string, number>, text: string): Record<string, number> {
  const scanned = decimal(/\bpages_scanned:(\d{1,15})/.exec(text)?.[1]);
  return scanned === undefined ? kb : { ...kb, pages_scanned: scanned };
}

function yesNo(text: string): boolean | undefined {
  const answer = /all_unreclaimable\? (yes|no)/.exec(text)?.[1];
  return answer === undefined ? undefined : answer === "yes";
}

/** What one line says of a CPU: 2.6.9 to 2.6.17 print its hot and its cold list on lines of their own, and one of them may be lost. */
type CpuRow = { readonly cpu: number; readonly hot?: CpuList; readonly cold?: CpuList };

/** A CPU whose hot list was printed; a cold list alone is a damaged pair and says nothing that can be used. */
const wholeCpu = ({ cpu, hot, cold }: CpuRow): CpuPages[] =>
  hot === undefined ? [] : [{ cpu, hot, ...field("cold", cold) }];

function readCpuRow(text: string): CpuRow | undefined {
  const both = perCpuHotCold.exec(text);
  if (both !== null) {
    const n = both.slice(1).map(Number);
    const list = (i: number): CpuList => ({ high: n[i] ?? 0, batch: n[i + 1] ?? 0, used: n[i + 2] ?? 0 });
    return { cpu: n[0] ?? 0, hot: list(1), cold: list(4) };
  }
  const single = perCpuOne.exec(text);
  if (single !== null) {
    const [cpu, high, batch, used] = single.slice(1).map(Number) as [number, number, number, number];
    return { cpu, hot: { high, batch, used } };
  }
  const old = perCpuOld.exec(text);
  if (old === null) return undefined;
  const list: CpuList = {
    ...field("low", decimal(old[3])),
    high: Number(old[4]),
    batch: Number(old[5]),
    ...field("used", decimal(old[6])),
  };
  return old[2] === "hot" ? { cpu: Number(old[1]), hot: list } : { cpu: Number(old[1]), cold: list };
}

/** `1994*4kB (UM) 1*8kB (U) 0*16kB … = 7984kB`; orders count from the first size, so that any page size works. An
 * issue tracker that takes the stars for emphasis leaves `1994_4kB` (openzfs/zfs#325). */
function readFreeLists(text: string): FreeLists {
  const blocks: FreeBlocks[] = [];
  for (const m of text.matchAll(/(\d{1,12})[*_](\d{1,9})kB(?: ?\(([A-Z]{1,8})\))?/g)) {
    blocks.push({ order: blocks.length, count: Number(m[1]), ...field("types", m[3]) });
  }
  const total = /= ?(\d{1,15})kB/.exec(text)?.[1];
  return { blocks, ...field("totalKb", decimal(total)) };
}
