// Functions that every packet and every object pass through: the hand that is looked for stands above them.

/** Frames of the sanitizers and the allocators, which are nobody's hand. */
const plumbing =
  /^(?:kasan_|__kasan_|kmsan_|__kmsan_|kfence_|__kfence_|stack_trace_save|set_alloc_info|slab_|__slab_|___slab_|kmem_cache_|__kmem_cache_|kmalloc|__kmalloc|__do_kmalloc|kfree|kvfree|save_stack|poison_slab|____kasan|__alloc_skb|kmalloc_reserve|__build_skb|build_skb|alloc_skb|__netdev_alloc_skb|__napi_alloc_skb|napi_alloc_skb|skb_release|kfree_skb|__kfree_skb|skb_free|consume_skb|__consume_stateless|sk_skb_reason|allocate_slab|do_slab_free|slab_free)/;

/** True for a function that is nobody's hand. */
export const isPlumbing = (name: string): boolean => plumbing.test(name);
