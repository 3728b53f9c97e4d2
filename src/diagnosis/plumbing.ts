// Functions that every packet and every object pass through: the hand that is looked for stands above them.

/** Frames of the sanitizers and the allocators, which are nobody's hand. */
const plumbing =
  /^(?:kasan_|__kasan_|kmsan_|__kmsan_|kfence_|__kfence_|stack_trace_save|set_alloc_info|slab_|__slab_|___slab_|kmem_cache_|__kmem_cache_|kmalloc|__kmalloc|__do_kmalloc|kfree|kvfree|save_stack|poison_slab|____kasan|__alloc_skb|kmalloc_reserve|__build_skb|build_skb|alloc_skb|__netdev_alloc_skb|__napi_alloc_skb|napi_alloc_skb|skb_release|kfree_skb|__kfree_skb|skb_free|consume_skb|__consume_stateless|sk_skb_reason|allocate_slab|do_slab_free|slab_free|__skb_ext_|skb_ext_|skb_set_kcov_handle)/;

/** True for a function that is nobody's hand. */
export const isPlumbing = (name: string): boolean => plumbing.test(name);

/** Frames of the reporters and of helpers that work on anybody's memory: who used it stands behind them. */
const helpers =
  /^(?:dump_stack|__dump_stack|show_stack|dump_backtrace|unwind_backtrace|show_regs|panic|__warn|warn_slowpath|report_bug|die|__die|oops_|no_context|bad_area|__bad_area|do_(?:error_trap|invalid_op|trap|page_fault|kern_addr_fault|general_protection)|__do_(?:page_fault|kernel_fault)|invalid_op|page_fault|exc_|asm_exc_|handle_bug|fixup_bug|error_code|general_protection|print_report|print_address_description|kasan_|__kasan_|kmsan_|__kmsan_|__msan_|__asan_|check_memory_region|object_err|refcount_|__list_|list_(?:add|del)|atomic_|arch_atomic|test_and_|instrument_|mem(?:cpy|move|set|cmp)|__memcpy|_{0,2}(?:raw_|simple_)?copy_(?:to|from)_(?:iter|user)|copyout|copyin|strlen|do_raw_|_?raw_spin|native_queued|kfree|kvfree|kmem_cache_|__kmalloc|kmalloc|put_page|__put_|get_page|bad_page|el1_|die_kernel|notify_die|__und_|__dabt_|do_DataAbort)/;

/** True for a reporter's function, or one that works on whatever it is given. */
export const isHelper = (name: string): boolean => helpers.test(name);
