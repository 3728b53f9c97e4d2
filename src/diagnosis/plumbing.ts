// Functions that every packet and every object pass through: the hand that is looked for stands above them.

/** Frames of the sanitizers and the allocators, which are nobody's hand. */
const plumbing =
  /^(?:_{0,4}k[am]san_|_{0,2}kfence_|stack_trace_save|set_alloc_info|save_stack|poison_slab|_{0,3}slab_|_{0,2}kmem_cache_|_{0,2}kmalloc|__do_kmalloc|kv?free|allocate_slab|do_slab_free|_{0,2}build_skb|_{0,2}alloc_skb|__netdev_alloc_skb|_{0,2}napi_alloc_skb|skb_release|__kfree_skb|skb_free|consume_skb|__consume_stateless|sk_skb_reason|_{0,2}skb_ext_|skb_set_kcov_handle)/;

/** True for a function that is nobody's hand. */
export const isPlumbing = (name: string): boolean => plumbing.test(name);

/** Frames of the reporters and of helpers that work on anybody's memory: who used it stands behind them. */
const helpers =
  /^(?:_{0,2}dump_stack|show_stack|dump_backtrace|unwind_backtrace|show_regs|panic|__warn|warn_slowpath|report_bug|_{0,2}die|oops_|no_context|_{0,2}bad_area|do_(?:error_trap|invalid_op|trap|page_fault|kern_addr_fault|general_protection)|__do_(?:page_fault|kernel_fault)|invalid_op|page_fault|(?:asm_)?exc_|handle_bug|fixup_bug|error_code|general_protection|print_report|print_address_description|_{0,2}k[am]san_|__[am]san_|check_memory_region|object_err|refcount_|__list_|list_(?:add|del)|(?:arch_)?atomic_|test_and_|instrument_|_{0,2}mem(?:cpy|move|set|cmp)|_{0,2}(?:raw_|simple_)?copy_(?:to|from)_(?:iter|user)|copy(?:in|out)|strlen|do_raw_|_?raw_spin|native_queued|kv?free|kmem_cache_|_{0,2}kmalloc|put_page|__put_|get_page|bad_page|el1_|notify_die|__(?:und|dabt)_|do_DataAbort)/;

/** True for a reporter's function, or one that works on whatever it is given. */
export const isHelper = (name: string): boolean => helpers.test(name);
