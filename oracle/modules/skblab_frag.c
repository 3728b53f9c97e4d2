// SPDX-License-Identifier: GPL-2.0
/*
 * Records a page_frag_cache: a seeded sequence of page_frag_alloc_align() and page_frag_free() on a cache of its own, with the cache's fields
 * after each step. Read /sys/kernel/debug/skblab/frag once. Format: docs/your-kernel.md.
 */
#include <linux/debugfs.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <linux/version.h>
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
static struct dentry *dir;
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

static void print_cache(struct seq_file *m)
{
	struct seen s = look();

	if (!s.page) {
		seq_puts(m, ",\"nc\":{\"pfn\":null,\"offset\":0,\"size\":0,\"pagecnt_bias\":0,\"pfmemalloc\":0}}\n");
		return;
	}
	seq_printf(m, ",\"nc\":{\"pfn\":%lu,\"offset\":%u,\"size\":%u,\"pagecnt_bias\":%u,\"pfmemalloc\":%d,\"page_count\":%d}}\n",
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

static int record(struct seq_file *m, void *unused)
{
	static const unsigned int aligns[] = { 0, 0, 0, 64, 128, 256 };
	unsigned int i, id = 0;

	state = seed;
	seq_printf(m, "{\"t\":\"frag\",\"format\":\"skblab_frag/1\",\"release\":\"%s\",\"version\":\"%s\",\"seed\":%u,\"n\":%u}\n",
		   init_utsname()->release, init_utsname()->version, seed, steps);
	for (i = 0; i < steps; i++) {
		struct piece *p = &pieces[next_random(PIECES)];
		struct page *head;
		unsigned int size, align = 0;

		if (p->address) {
			head = virt_to_head_page(p->address);
			seq_printf(m, "{\"t\":\"ff\",\"i\":%u,\"id\":%u,\"pfn\":%lu,\"count_before\":%d", i, p->id,
				   page_to_pfn(head), page_count(head));
			page_frag_free(p->address);
			p->address = NULL;
			print_cache(m);
			continue;
		}
		size = next_random(8) ? 64 * (1 + next_random(32)) : 1 + next_random(4096);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 12, 0)
		align = aligns[next_random(ARRAY_SIZE(aligns))];
#endif
		p->address = cut(size, align);
		p->id = ++id;
		seq_printf(m, "{\"t\":\"fa\",\"i\":%u,\"size\":%u,\"align\":%u,\"id\":%u", i, size, align, p->id);
		if (!p->address) {
			seq_puts(m, ",\"pfn\":null");
			print_cache(m);
			continue;
		}
		head = virt_to_head_page(p->address);
		seq_printf(m, ",\"pfn\":%lu,\"off\":%lu,\"order\":%u,\"page_count\":%d", page_to_pfn(head),
			   (unsigned long)(p->address - page_address(head)), compound_order(head), page_count(head));
		print_cache(m);
	}
	seq_printf(m, "{\"t\":\"end\",\"truncated\":0}\n");
	return 0;
}

/* seq_file asks again with a larger buffer when the first was too small: the work must be done once. */
static int open_once(struct inode *inode, struct file *file)
{
	return single_open_size(file, record, NULL, (size_t)steps * 320 + 4096);
}

static const struct file_operations once = {
	.owner = THIS_MODULE,
	.open = open_once,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init frag_init(void)
{
	dir = debugfs_create_dir("skblab_frag", NULL);
	debugfs_create_file("record", 0400, dir, NULL, &once);
	return 0;
}

static void __exit frag_exit(void)
{
	unsigned int i;

	debugfs_remove_recursive(dir);
	for (i = 0; i < PIECES; i++)
		if (pieces[i].address)
			page_frag_free(pieces[i].address);
	/* What the cache itself still holds of its page is given up with it. */
}

module_init(frag_init);
module_exit(frag_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("skblab: records page fragments");
