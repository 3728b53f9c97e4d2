// The LRU lists of the root control group: active and inactive (mm/vmscan.c), or generations (CONFIG_LRU_GEN, 6.1 on). Pages of other
// groups stand on lists of their own: the memory map knows them, these lists do not.
import { ifThere } from "../address_space.ts";
import type { Findings } from "../findings.ts";
import { type Kernel, pfnOfPage } from "../kernel.ts";
import { walkRing } from "../lists.ts";

export interface LruList {
  readonly node: number;
  /** A list of enum lru_list, or a generation of anonymous (file 0) or file pages (file 1) of a zone. */
  readonly of:
    | { readonly kind: "list"; readonly list: number }
    | { readonly kind: "generation"; readonly generation: number; readonly file: number; readonly zone: number };
  /** First pages of folios, head first. */
  readonly pfns: readonly number[];
}

/** Walks them all; lists of generations that are empty are left out. A kernel without these structs has none. */
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
  for (const { node, at } of rootLruvecs(kernel, table)) {
    for (let list = 0; list < Math.min(lists.elements, 16); list++) {
      // Pages that cannot be reclaimed are counted, not listed.
      if (list === unevictable) continue;
      const pfns = pagesOf(kernel, at + lists.at + BigInt(list * 16), `LRU list ${list} of node ${node}`, findings);
      out.push({ node, of: { kind: "list", list }, pfns });
    }
    const count = generations === undefined ? 0 : Math.min(Math.floor(generations.sizeBytes / 16), 1024);
    for (let i = 0; i < count && generations !== undefined && zones > 0; i++) {
      const of = {
        kind: "generation",
        generation: Math.floor(i / (2 * zones)),
        file: Math.floor(i / zones) % 2,
        zone: i % zones,
      } as const;
      const name = `LRU generation ${of.generation} of node ${node}, ${of.file === 1 ? "file" : "anonymous"}, zone ${of.zone}`;
      const pfns = pagesOf(kernel, at + generations.at + BigInt(i * 16), name, findings);
      if (pfns.length > 0) out.push({ node, of, pfns });
    }
  }
  return out;
}

/** struct lruvec of each node: of the root control group, or (without control groups of memory) of the node itself. */
function rootLruvecs(kernel: Kernel, table: bigint): readonly { readonly node: number; readonly at: bigint }[] {
  const { space, types, symbols } = kernel;
  const own = types.struct("pglist_data").find("__lruvec");
  const rootAt = symbols.address("root_mem_cgroup");
  const root = rootAt === undefined ? undefined : ifThere(() => space.u64(rootAt));
  const perNode = types.find("mem_cgroup")?.find("nodeinfo");
  const inNode = types.find("mem_cgroup_per_node")?.find("lruvec");
  const out: { node: number; at: bigint }[] = [];
  const count = Math.min(kernel.info.length("node_data") ?? 1, 1024);
  for (let node = 0; node < count; node++) {
    const data = ifThere(() => space.u64(table + BigInt(node * 8)));
    if (data === undefined || data === 0n) continue;
    if (root !== undefined && root !== 0n && perNode !== undefined && inNode !== undefined) {
      const info = ifThere(() => space.u64(root + perNode.at + BigInt(node * 8)));
      if (info !== undefined && info !== 0n) out.push({ node, at: info + inNode.at });
    } else if (own !== undefined) out.push({ node, at: data + own.at });
  }
  return out;
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
  if (chain.problem !== undefined && !chain.problem.endsWith("not in the image"))
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
