// The LRU lists of every control group: active and inactive (mm/vmscan.c), or generations (CONFIG_LRU_GEN, 6.1 on).
import { ifThere } from "../address_space.ts";
import type { Findings } from "../findings.ts";
import { type Kernel, pfnOfPage } from "../kernel.ts";
import { chainOrProblem, walkRing } from "../lists.ts";

export interface LruList {
  readonly node: number;
  /** The control group of memory; undefined for the root group, and in a kernel without them. */
  readonly group: MemoryGroup | undefined;
  /** A list of enum lru_list, or a generation of anonymous (file 0) or file pages (file 1) of a zone. */
  readonly of:
    | { readonly kind: "list"; readonly list: number }
    | { readonly kind: "generation"; readonly generation: number; readonly file: number; readonly zone: number };
  /** First pages of folios, head first. */
  readonly pfns: readonly number[];
}

export interface MemoryGroup {
  /** Of its struct mem_cgroup. */
  readonly address: bigint;
  /** `/system.slice/cron.service`; of a group that was removed, the name that it had. */
  readonly path: string;
}

/** Walks them all; empty lists of generations, and of groups below the root, are left out. A kernel without these structs has none. */
export function readLru(kernel: Kernel, findings?: Findings): readonly LruList[] {
  const { types, info, symbols } = kernel;
  const lruvec = types.find("lruvec");
  const table = info.symbol("node_data") ?? symbols.address("node_data");
  if (lruvec === undefined || table === undefined) return [];
  const out: LruList[] = [];
  const lists = lruvec.field("lists");
  const unevictable = types.constant("lru_list", "LRU_UNEVICTABLE");
  const generations = lruvec.find("lrugen.folios") ?? lruvec.find("lrugen.lists");
  // Folios by generation, by anonymous or file, by zone: the last two have as many as these enums and structs say.
  const zones = types.constant("zone_type", "__MAX_NR_ZONES") ?? 0;
  for (const { node, group, at } of lruvecs(kernel, table)) {
    const whose = `node ${node}${group === undefined ? "" : `, group ${group.path}`}`;
    for (let list = 0; list < Math.min(lists.elements, 16); list++) {
      // Pages that cannot be reclaimed are counted, not listed.
      if (list === unevictable) continue;
      const pfns = pagesOf(kernel, at + lists.at + BigInt(list * 16), `LRU list ${list} of ${whose}`, findings);
      if (pfns.length > 0 || group === undefined) out.push({ node, group, of: { kind: "list", list }, pfns });
    }
    const count = generations === undefined ? 0 : Math.min(Math.floor(generations.sizeBytes / 16), 1024);
    for (let i = 0; i < count && generations !== undefined && zones > 0; i++) {
      const of = {
        kind: "generation",
        generation: Math.floor(i / (2 * zones)),
        file: Math.floor(i / zones) % 2,
        zone: i % zones,
      } as const;
      const name = `LRU generation ${of.generation} of ${whose}, ${of.file === 1 ? "file" : "anonymous"}, zone ${of.zone}`;
      const pfns = pagesOf(kernel, at + generations.at + BigInt(i * 16), name, findings);
      if (pfns.length > 0) out.push({ node, group, of, pfns });
    }
  }
  return out;
}

interface Lruvec {
  readonly node: number;
  readonly group: MemoryGroup | undefined;
  readonly at: bigint;
}

/** struct lruvec of each node and control group; without control groups of memory, of the node itself. */
function lruvecs(kernel: Kernel, table: bigint): readonly Lruvec[] {
  const { space, types } = kernel;
  const own = types.struct("pglist_data").find("__lruvec");
  const perNode = types.find("mem_cgroup")?.find("nodeinfo");
  const inNode = types.find("mem_cgroup_per_node")?.find("lruvec");
  const groups = memoryGroups(kernel);
  const out: Lruvec[] = [];
  const count = Math.min(kernel.info.length("node_data") ?? 1, 1024);
  for (let node = 0; node < count; node++) {
    const data = ifThere(() => space.u64(table + BigInt(node * 8)));
    if (data === undefined || data === 0n) continue;
    if (groups.length === 0 || perNode === undefined || inNode === undefined) {
      if (own !== undefined) out.push({ node, group: undefined, at: data + own.at });
      continue;
    }
    for (const [i, group] of groups.entries()) {
      const info = ifThere(() => space.u64(group.address + perNode.at + BigInt(node * 8)));
      if (info !== undefined && info !== 0n)
        out.push({ node, group: i === 0 ? undefined : group, at: info + inNode.at });
    }
  }
  return out;
}

const mostGroups = 1 << 16;

/** All control groups of memory, the root first, a parent before its children; removed ones stay among them while they hold pages. */
function memoryGroups(kernel: Kernel): readonly MemoryGroup[] {
  const { space, types, symbols } = kernel;
  const variable = symbols.address("root_mem_cgroup");
  const css = types.find("mem_cgroup")?.find("css");
  const state = types.find("cgroup_subsys_state");
  const children = state?.find("children");
  const sibling = state?.find("sibling");
  const root = variable === undefined ? undefined : ifThere(() => space.u64(variable));
  if (root === undefined || root === 0n || css === undefined || children === undefined || sibling === undefined)
    return [];
  const found = new Set([root]);
  // A set gives what was added to it while it is walked.
  for (const group of found) {
    if (found.size >= mostGroups) break;
    const { entries } = chainOrProblem(() => walkRing(kernel, group + css.at + children.at, mostGroups));
    for (const e of entries) found.add(e - sibling.at - css.at);
  }
  return Array.from(found, (address) => ({ address, path: pathOf(kernel, address + css.at) }));
}

/** Path of a control group from its kernfs node up (parent is __parent since 6.15). */
function pathOf(kernel: Kernel, css: bigint): string {
  const { space, types } = kernel;
  const group = types.find("cgroup_subsys_state")?.find("cgroup");
  const kn = types.find("cgroup")?.find("kn");
  const node = types.find("kernfs_node");
  const name = node?.find("name");
  const parent = node?.find("parent") ?? node?.find("__parent");
  if (group === undefined || kn === undefined || name === undefined || parent === undefined) return "?";
  const names: string[] = [];
  const read = ifThere(() => {
    let at = space.u64(space.u64(css + group.at) + kn.at);
    for (let depth = 0; at !== 0n && depth < 64; depth++) {
      names.push(space.text(space.u64(at + name.at), 256));
      at = space.u64(at + parent.at);
    }
    return true;
  });
  return read === undefined ? "?" : names.reverse().join("/") || "/";
}

function pagesOf(kernel: Kernel, head: bigint, name: string, findings: Findings | undefined): readonly number[] {
  const link = BigInt(kernel.types.struct("page").field("lru").off);
  const chain = ifThere(() => walkRing(kernel, head, mostPages));
  if (chain === undefined) return [];
  const pfns: number[] = [];
  for (const entry of chain.entries) {
    const pfn = pfnOfPage(kernel, entry - link);
    if (pfn !== undefined) pfns.push(pfn);
  }
  if (chain.problem !== undefined && chain.isCut !== true)
    findings?.add({ kind: "lru list", text: `${name} ${chain.problem}`, address: head });
  return pfns;
}

const mostPages = 1 << 24;

/** vm_node_stat[], the sums over all nodes, without what CPUs hold back; none when the kernel has no such table. */
export function nodeStatistics(kernel: Kernel): readonly number[] {
  const at = kernel.symbols.address("vm_node_stat");
  const count = kernel.types.constant("node_stat_item", "NR_VM_NODE_STAT_ITEMS");
  if (at === undefined || count === undefined) return [];
  const bytes = ifThere(() => kernel.space.bytes(at, Math.min(count, 512) * 8));
  if (bytes === undefined) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 8 }, (_, i) => Number(view.getBigInt64(i * 8, true)));
}
