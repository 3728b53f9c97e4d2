// SPDX-License-Identifier: GPL-2.0
/*
 * Records a page_frag_cache: a seeded sequence of page_frag_alloc_align() and page_frag_free() on a cache of its own, with the cache's fields
 * after each step. Format: docs/your-kernel.md.
 */
#include <linux/gfp.h>
#include <linux/slab.h>
#include "skblab.h"
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#include <linux/page_frag_cache.h>
#endif

static unsigned int seed = 1;
module_param(seed, uint, 0444);
static unsigned int steps = 1500;
module_param(steps, uint, 0444);

#define PIECES 48

struct piece {
	void *address;
	unsigned int id;
};

static struct page_frag_cache cache;
static struct piece pieces[PIECES];
static unsigned int state;

static unsigned int next_random(unsigned int below)
{
	state = state * 1103515245u + 12345u;
	return (state >> 8) % below;
}

/* The cache's fields, whatever this kernel packs them into. */
struct seen {
	struct page *page;
	unsigned int offset, size, bias;
	int pfmemalloc;
};

static struct seen look(void)
{
	struct seen s = { 0 };
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	unsigned long bits = cache.encoded_page;

	if (!bits)
		return s;
	s.page = virt_to_page((void *)(bits & PAGE_MASK));
	s.size = PAGE_SIZE << (bits & PAGE_FRAG_CACHE_ORDER_MASK);
	s.pfmemalloc = !!(bits & PAGE_FRAG_CACHE_PFMEMALLOC_BIT);
#else
	if (!cache.va)
		return s;
	s.page = virt_to_page(cache.va);
#if (PAGE_SIZE < PAGE_FRAG_CACHE_MAX_SIZE)
	s.size = cache.size;
#else
	s.size = PAGE_SIZE;
#endif
	s.pfmemalloc = cache.pfmemalloc;
#endif
	s.offset = cache.offset;
	s.bias = cache.pagecnt_bias;
	return s;
}

static void print_cache(void)
{
	struct seen s = look();

	if (!s.page) {
		say(",\"nc\":{\"pfn\":null,\"offset\":0,\"size\":0,\"pagecnt_bias\":0,\"pfmemalloc\":0}}\n");
		return;
	}
	say(",\"nc\":{\"pfn\":%lu,\"offset\":%u,\"size\":%u,\"pagecnt_bias\":%u,\"pfmemalloc\":%d,\"page_count\":%d}}\n",
		   page_to_pfn(s.page), s.offset, s.size, s.bias, s.pfmemalloc, page_count(s.page));
}

static void *cut(unsigned int size, unsigned int align)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	return align ? page_frag_alloc_align(&cache, size, GFP_KERNEL, align) : page_frag_alloc(&cache, size, GFP_KERNEL);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(5, 12, 0)
	return page_frag_alloc_align(&cache, size, GFP_KERNEL, align ? -align : ~0u);
#else
	return page_frag_alloc(&cache, size, GFP_KERNEL);
#endif
}

static void record(void)
{
	static const unsigned int aligns[] = { 0, 0, 0, 64, 128, 256 };
	unsigned int i, id = 0;

	state = seed;
	say("{\"t\":\"frag\",\"format\":\"skblab_frag/1\",");
	say_kernel();
	say(",\"seed\":%u,\"n\":%u}\n", seed, steps);
	for (i = 0; i < steps; i++) {
		struct piece *p = &pieces[next_random(PIECES)];
		struct page *head;
		unsigned int size, align = 0;

		if (p->address) {
			head = virt_to_head_page(p->address);
			say("{\"t\":\"ff\",\"i\":%u,\"id\":%u,\"pfn\":%lu,\"count_before\":%d", i, p->id,
				   page_to_pfn(head), page_count(head));
			page_frag_free(p->address);
			p->address = NULL;
			print_cache();
			continue;
		}
		size = next_random(8) ? 64 * (1 + next_random(32)) : 1 + next_random(4096);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 12, 0)
		align = aligns[next_random(ARRAY_SIZE(aligns))];
#endif
		p->address = cut(size, align);
		p->id = ++id;
		say("{\"t\":\"fa\",\"i\":%u,\"size\":%u,\"align\":%u,\"id\":%u", i, size, align, p->id);
		if (!p->address) {
			say(",\"pfn\":null");
			print_cache();
			continue;
		}
		head = virt_to_head_page(p->address);
		say(",\"pfn\":%lu,\"off\":%lu,\"order\":%u,\"page_count\":%d", page_to_pfn(head),
			   (unsigned long)(p->address - page_address(head)), compound_order(head), page_count(head));
		print_cache();
	}
	say_end();
}

static int __init frag_init(void)
{
	if (sink_open((size_t)steps * 320 + 4096))
		return -ENOMEM;
	record();
	sink_publish("skblab_frag");
	return 0;
}

static void __exit frag_exit(void)
{
	unsigned int i;

	sink_close();
	for (i = 0; i < PIECES; i++)
		if (pieces[i].address)
			page_frag_free(pieces[i].address);
	/* What the cache itself still holds of its page is given up with it. */
}

module_init(frag_init);
module_exit(frag_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("skblab: records page fragments");
