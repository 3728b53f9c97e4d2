// Who owns a page, from its stack: fold away the frames of the allocators themselves, then say which part of the kernel asked.
// Rules are data and are tried in order. What no rule names keeps its function name; nothing is dropped.
import type { OwnerFrame, OwnerStack } from "../../artifact/page_owner/stack.ts";

/** Frames that only pass a request on: the page, slab, vmalloc and per-CPU allocators and the bookkeeping of page_owner itself. */
const allocatorFrames =
  /^(save_stack|__?set_page_owner\w*|__reset_page_owner|post_alloc_hook|prep_new_page|get_page_from_freelist|buffered_rmqueue|__alloc_pages\w*|alloc_pages?\w*|__alloc_frozen_pages\w*|alloc_frozen_pages\w*|__?get_free_pages\w*|get_zeroed_page\w*|__?folio_alloc\w*|vma_alloc_folio\w*|alloc_slab_page|allocate_slab|new_slab\w*|__?_*slab_alloc\w*|kmem_getpages|cache_grow\w*|cache_alloc_refill|cache_alloc_debugcheck\w*|____cache_alloc\w*|kmem_cache_alloc\w*|__?kmem_cache_alloc\w*|__do_kmalloc\w*|__do_cache_alloc|kmalloc\w*|__kmalloc\w*|krealloc\w*|__krealloc\w*|kzalloc\w*|kmemdup\w*|kstrdup\w*|kvmalloc\w*|__kvmalloc\w*|__?vmalloc\w*|__vmalloc_\w+|vmap_\w+|__get_vm_area\w*|vm_area_alloc_pages|pcpu_\w+|__alloc_percpu\w*|stack_trace_save|__stack_depot_save|stack_depot_save|alloc_page_interleave|alloc_buddy\w*|alloc_contig\w*|cma_alloc|dma_alloc\w*|__dma_direct_alloc\w*|dma_direct_alloc\w*|mempool_\w+)(\.(constprop|isra|part|cold)\.\d+)*$/;

/** True for a frame that belongs to an allocator and not to who called it. */
function isAllocatorFrame(frame: OwnerFrame): boolean {
  return allocatorFrames.test(frame.symbol);
}

/** The stack without its allocator frames at the top; the whole stack where nothing else is left. `ignore` adds rules of the user's own. */
export function foldAllocator(frames: readonly OwnerFrame[], ignore?: RegExp): readonly OwnerFrame[] {
  let at = 0;
  while (at < frames.length && (isAllocatorFrame(frames[at]!) || ignore?.test(frames[at]!.symbol) === true)) at++;
  return at === frames.length ? frames : frames.slice(at);
}

/** Part of the kernel by function name, tried for each frame from the allocation outwards; the first rule of the first frame that has one. */
const subsystems: readonly (readonly [name: string, symbols: RegExp])[] = [
  [
    "network buffers",
    /skb|^(napi|netdev|tcp|udp|inet|sock|unix|packet|page_pool)_|_rx_buf|rx_ring|tx_ring|^(virtnet|e1000|igb|ixgbe|i40e|mlx5e?|tg3|bnxt|ena)_/,
  ],
  [
    "page tables",
    /^(__)?(pte|pmd|pud|p4d|pgd)_alloc|alloc_pgt|^pgd_|__pmd_alloc|__pud_alloc|spp_getpage|one_page_table_init|early_alloc_pgt/,
  ],
  ["kernel stacks", /alloc_thread_stack|dup_task_struct|^copy_process/],
  ["shared memory and tmpfs", /^shmem_/],
  [
    "page cache",
    /pagecache|page_cache|filemap|readahead|grab_cache_page|find_or_create_page|__getblk|grow_(dev_)?buffers|iomap_|write_begin/,
  ],
  [
    "anonymous memory",
    /anon|handle_mm_fault|do_(no|swap|wp)_page|wp_page_copy|setup_arg_pages|get_arg_page|copy_string/,
  ],
  [
    "file systems",
    /^(ext[234]|xfs|btrfs|f2fs|nfsd?|cifs|smb|fuse|ovl|fat|proc|sysfs|kernfs|debugfs|jbd2)_|^(alloc_inode|d_alloc|__d_alloc|getname|alloc_buffer_head)/,
  ],
  ["block and storage", /^(bio|blk|blkdev|scsi|nvme|ata|dm|md|loop)_/],
  ["memory cgroups", /mem_cgroup|memcg/],
  ["modules", /load_module|module_alloc|move_module|layout_and_allocate/],
  ["tracing and BPF", /^(ring_buffer|rb_|trace|ftrace|bpf|perf)_/],
  ["graphics", /^(drm|ttm|i915|amdgpu|nouveau|fb)_/],
  ["USB and input", /^(usb|hid|input|xhci|ehci)_/],
  ["boot", /^(start_kernel|kernel_init|do_one_initcall|memblock|smp_init|do_boot_cpu|fork_idle)/],
  ["processes", /^(do_execve|load_elf|copy_files|alloc_pid|do_fork|kernel_clone|exec_)|copy_mm|dup_mm/],
];

/** The part of the kernel that a stack belongs to; "other" when no rule knows a frame, the module's name when it is in a module. */
export function subsystemOf(stack: OwnerStack): string {
  const frames = foldAllocator(stack.frames);
  for (const f of frames) {
    for (const [name, symbols] of subsystems) if (symbols.test(f.symbol)) return name;
    if (f.module !== undefined) return `module ${f.module}`;
  }
  return "other";
}
