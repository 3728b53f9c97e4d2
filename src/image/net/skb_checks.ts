// What must be true of packets: their memory is in use, their numbers fit one another, and what hangs in a queue is alive. One finding at most for each
// sk_buff, and none for a queue of which it was said already that it is broken.
import { ifThere } from "../address_space.ts";
import type { Findings } from "../findings.ts";
import { type Kernel, pfnOfAddress } from "../kernel.ts";
import type { MemMap } from "../mm/mem_map.ts";
import { pageKind } from "../mm/page_kinds.ts";
import type { Device } from "./devices.ts";
import type { Holders } from "./holders.ts";
import { headFrame } from "./holders.ts";
import { qdiscName } from "./qdiscs.ts";
import type { Skb, Skbs } from "./skbs.ts";
import { longName, type Sockets } from "./sockets.ts";

/** Checks all of them. A machine that runs changes them while they are read: there nothing is said. */
export function checkSkbs(
  kernel: Kernel,
  map: MemMap,
  skbs: Skbs,
  sockets: Sockets,
  devices: readonly Device[],
  holders: Holders,
  findings: Findings,
): void {
  const shared = new Set<bigint>();
  const lengths = new Map(skbs.skbs.map((s) => [s.address, s.len] as const));
  const isAllKnown = skbs.isCacheKnown && skbs.caches.every((c) => c.cpus.length >= kernel.possibleCpus.length);
  for (const s of holders.live) {
    // What nothing holds may be a leftover in a CPU's cache or on its free list.
    const isSure = !kernel.memory.live && (isAllKnown || holders.placesOf(s.address).length > 0);
    const wrong = inFreeMemory(kernel, map, s) ?? (isSure ? impossible(kernel, s, lengths) : undefined);
    if (wrong === undefined) continue;
    // Clones share their data: what is wrong there is said of one of them.
    if (wrong.ofData !== undefined && shared.has(wrong.ofData)) continue;
    if (wrong.ofData !== undefined) shared.add(wrong.ofData);
    findings.add({
      kind: "sk_buff",
      text: `skb ${s.address.toString(16)}${wrong.text}`,
      address: s.address,
      ...(wrong.pfn === undefined ? {} : { pfn: wrong.pfn }),
    });
  }
  if (!kernel.memory.live) checkQueued(kernel, map, skbs, sockets, devices, findings);
}

interface Wrong {
  readonly text: string;
  readonly pfn?: number;
  /** Of its skb_shared_info, which clones have in common. */
  readonly ofData?: bigint;
}

function inFreeMemory(kernel: Kernel, map: MemMap, s: Skb): Wrong | undefined {
  const head = pfnOfAddress(kernel, s.head);
  if (head !== undefined && isFree(map, head))
    return { text: `: its head lies in pfn ${head}, ${freeWhere(map, head)}`, pfn: head };
  const i = s.frags.findIndex((f) => f.pfn !== undefined && isFree(map, f.pfn));
  const pfn = s.frags[i]?.pfn;
  if (pfn === undefined) return undefined;
  return { text: ` frag ${i} points to pfn ${pfn}, ${freeWhere(map, pfn)}`, pfn, ofData: s.head + BigInt(s.end) };
}

function isFree(map: MemMap, pfn: number): boolean {
  const kind = pfn < map.endPfn ? map.kind[pfn] : undefined;
  return kind === pageKind.buddy || kind === pageKind.freeTail || kind === pageKind.perCpu;
}

const freeWhere = (map: MemMap, pfn: number): string =>
  map.kind[pfn] === pageKind.perCpu ? "which is free on a per-CPU list" : "which is a free buddy page";

/** Numbers of an sk_buff that cannot be together, whatever was done to it. */
function impossible(kernel: Kernel, s: Skb, lengths: ReadonlyMap<bigint, number>): Wrong | undefined {
  const most = kernel.types.struct("skb_shared_info").field("frags").elements;
  if (s.data < s.head || s.data > s.head + BigInt(s.end))
    return {
      text: `: data ${s.data.toString(16)} lies outside of its buffer, ${s.head.toString(16)} and ${s.end} bytes`,
    };
  if (s.tail > s.end) return { text: `: tail ${s.tail} is beyond end ${s.end}` };
  if (s.dataLen > s.len) return { text: `: data_len ${s.dataLen} is more than len ${s.len}` };
  const linear = s.tail - Number(s.data - s.head);
  if (s.len - s.dataLen !== linear)
    return { text: `: len ${s.len} less data_len ${s.dataLen} is not the ${linear} bytes from data to tail` };
  if (s.fragCount === undefined) return undefined;
  const ofData = s.head + BigInt(s.end);
  if (s.fragCount > most) return { text: `: nr_frags says ${s.fragCount}, it has room for ${most}`, ofData };
  // Two counts in one word (SKB_DATAREF_SHIFT, include/linux/skbuff.h): references to all of the data in the low half.
  if ((s.dataref & 0xffff) === 0) return { text: `: nobody refers to its data (dataref ${s.dataref})`, ofData };
  const i = s.frags.findIndex((f) => f.astray !== undefined);
  if (i >= 0) return { text: ` frag ${i} points to ${s.frags[i]?.astray?.toString(16)}, which is not a page`, ofData };
  const parts = s.fragList.map((part) => lengths.get(part));
  if (parts.includes(undefined)) return undefined;
  const paged = s.frags.reduce((n, f) => n + f.size, 0) + parts.reduce<number>((n, length) => n + (length ?? 0), 0);
  return paged === s.dataLen
    ? undefined
    : { text: `: data_len says ${s.dataLen}, its fragments and frag_list have ${paged} bytes` };
}

/** What hangs in the queue of a socket or a discipline must be an sk_buff that is alive. */
function checkQueued(
  kernel: Kernel,
  map: MemMap,
  skbs: Skbs,
  sockets: Sockets,
  devices: readonly Device[],
  findings: Findings,
): void {
  if (skbs.caches.length === 0) return;
  const known = new Set(skbs.skbs.map((s) => s.address));
  const inUse = new Set([...known, ...skbs.unused.map((u) => u.address), ...skbs.odd, ...skbs.others]);
  const skb = kernel.types.struct("sk_buff");
  const second = kernel.types.find("sk_buff_fclones")?.find("skb2")?.at ?? 0n;
  /** Why it is none that is alive; undefined where that is not sure. */
  const whyDead = (at: bigint): string | undefined => {
    if (ifThere(() => kernel.space.bytes(at, skb.sizeBytes)) === undefined) return undefined;
    const isFirst = inUse.has(at);
    if (!isFirst && (second === 0n || !inUse.has(at - second))) return "which is free in its slab";
    const users = ifThere(() => kernel.space.u32(at + skb.at("users")));
    const head = ifThere(() => kernel.space.u64(at + skb.at("head")));
    if (users === undefined || head === undefined) return undefined;
    if (users === 0) return "and nobody uses it (users 0)";
    if (pfnOfAddress(kernel, head) === undefined) return `and its head is not memory (${head.toString(16)})`;
    return isFirst ? "and what is there is not an sk_buff" : undefined;
  };
  const told = new Set<bigint>();
  const slabs = new Set(skbs.caches.flatMap((c) => c.slabs));
  const check = (entries: readonly bigint[], where: string): void => {
    for (const at of entries) {
      if (known.has(at) || told.has(at)) continue;
      const pfn = pfnOfAddress(kernel, at);
      // Of memory that is neither free nor of a cache of sk_buffs it is not known what lies there (KFENCE has its own).
      const free = pfn !== undefined && isFree(map, pfn);
      if (pfn === undefined || pfn >= map.endPfn || (!free && !slabs.has(headFrame(map, pfn)))) continue;
      const why = free ? `in pfn ${pfn}, ${freeWhere(map, pfn)}` : whyDead(at);
      if (why === undefined) continue;
      told.add(at);
      findings.add({ kind: "sk_buff", text: `skb ${at.toString(16)} is in ${where}, ${why}`, address: at, pfn });
    }
  };
  for (const s of sockets.sockets)
    for (const q of s.queues)
      if (q.isBroken !== true) check(q.skbs, `the ${longName[q.name]} of socket ${s.address.toString(16)} (${s.prot})`);
  for (const s of skbs.skbs) check(s.fragList, `the frag_list of skb ${s.address.toString(16)}`);
  for (const d of devices)
    for (const q of d.qdiscs)
      if (q.problem === undefined) check(q.skbs, `${qdiscName(q)} of ${d.name}`);
      else
        findings.add({
          kind: "qdisc",
          text: `qdisc ${q.address.toString(16)} (${qdiscName(q)} of ${d.name}): ${q.problem}`,
          address: q.address,
        });
}
