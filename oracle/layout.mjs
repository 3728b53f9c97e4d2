// Where the members of kernel structs lie that no header of a module names: read from the kernel's own BTF and written as a C header.
// A recorder asks `#ifdef AT_kmem_cache__cpu_slab`, so it follows the kernel it is built for and no list of releases.
import { readKernelAt } from "../dist/cli/input/kernel_file.js";
import { memberPlace } from "../dist/artifact/btf/btf.js";

const wanted = {
  zone: ["nr_free_highatomic"],
  kmem_cache: [
    "cpu_slab", "cpu_sheaves", "flags", "min_partial", "size", "object_size", "offset", "inuse", "align", "oo", "min",
    "cpu_partial", "cpu_partial_slabs", "sheaf_capacity", "node", "per_node", "random",
  ],
  kmem_cache_cpu: ["freelist", "slab", "page", "partial"],
  kmem_cache_node: ["nr_partial", "partial", "nr_slabs", "barn"],
  kmem_cache_per_node_ptrs: ["node", "barn"],
  slub_percpu_sheaves: ["main", "spare", "rcu_free"],
  slab_sheaf: ["size", "objects", "barn_list"],
  node_barn: ["sheaves_full", "sheaves_empty", "nr_full", "nr_empty"],
  slab: ["slab_list", "next", "slabs", "freelist", "counters"],
  page: ["slab_list", "next", "pages", "pobjects", "freelist", "counters"],
  napi_alloc_cache: ["page", "page_small", "skb_count", "skb_cache"],
};

/** The text of layout.h for a vmlinuz, vmlinux or raw BTF. */
export async function layoutOf(file) {
  const btf = await readKernelAt(file);
  const lines = [];
  for (const [struct, members] of Object.entries(wanted))
    for (const member of members) {
      const place = memberPlace(btf, struct, member);
      if (place === undefined || place.bitField !== undefined) continue;
      lines.push(`#define AT_${struct}__${member} ${place.offsetBytes}`, `#define SIZE_${struct}__${member} ${place.sizeBytes}`);
    }
  return `/* Made from the BTF of the kernel: see layout.mjs. */\n${lines.join("\n")}\n`;
}
