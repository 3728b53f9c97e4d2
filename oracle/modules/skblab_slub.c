// SPDX-License-Identifier: GPL-2.0
/*
 * Records a slab cache of its own: seeded allocations, frees, bulk calls and shrinks on each CPU, with every list of the cache after each.
 * Format: docs/your-kernel.md (ora_slub). Nobody else uses the cache: each step runs as a work on its CPU, and between steps nothing moves.
 * Where the members of mm/slab.h and mm/slub.c lie comes from the kernel's BTF (layout.h).
 */
#include <linux/cpu.h>
#include <linux/slab.h>
#include <linux/swab.h>
#include <linux/workqueue.h>
#include "skblab.h"
#include "layout.h"

static unsigned int seed = 1, steps = 1500, size = 256, with_ctor, bulk;
module_param(seed, uint, 0444);
module_param(steps, uint, 0444);
module_param(size, uint, 0444);
module_param(with_ctor, uint, 0444);
module_param(bulk, uint, 0444);

#define MOST 4096
#define AT(base, struct_, member, type) (*(type *)((char *)(base) + AT_##struct_##__##member))
#define CACHE(member, type) AT(cache, kmem_cache, member, type)

/* struct slab lay in struct page until 5.17. */
#ifdef AT_slab__freelist
#define SLAB(slab, member, type) AT(slab, slab, member, type)
#define SLAB_LIST AT_slab__slab_list
#else
#define SLAB(slab, member, type) AT(slab, page, member, type)
#define SLAB_LIST AT_page__slab_list
#endif

struct object {
	void *address;
	unsigned int id;
};

static struct kmem_cache *cache;
static struct object objects[MOST];
static unsigned int held, ids;
static void *batch[256];

/* --- reading the cache -------------------------------------------------------------------------------------------------------------- */

static unsigned long slab_pfn(void *slab)
{
	return page_to_pfn((struct page *)slab);
}

static void *slab_of(void *object)
{
	return virt_to_head_page(object);
}

static unsigned int index_in(void *slab, void *object)
{
	return (unsigned int)((char *)object - (char *)page_address((struct page *)slab)) / CACHE(size, unsigned int);
}

static void *next_free(void *object)
{
	unsigned long at = (unsigned long)object + CACHE(offset, unsigned int);
	unsigned long value = *(unsigned long *)at;

#ifdef CONFIG_SLAB_FREELIST_HARDENED
	value ^= CACHE(random, unsigned long) ^ swab(at);
#endif
	return (void *)value;
}

static void say_freelist(void *slab, void *first)
{
	unsigned int n = 0;
	void *object;

	say("[");
	for (object = first; object && n < 32768; object = next_free(object))
		say("%s%u", n++ ? "," : "", index_in(slab, object));
	say("]");
}

static void say_slab(void *slab, bool in_chain)
{
	/* inuse:16, objects:15, frozen:1 since 2.6.37; newer kernels have more bits above. */
	unsigned int counters = SLAB(slab, counters, unsigned int);

	say("{\"pfn\":%lu,\"inuse\":%u,\"objects\":%u,\"frozen\":%u", slab_pfn(slab), counters & 0xffff, counters >> 16 & 0x7fff, counters >> 31);
	if (in_chain) {
#if defined(AT_slab__slabs)
		say(",\"slabs\":%d", SLAB(slab, slabs, int));
#elif defined(AT_page__pobjects)
#if SIZE_page__pobjects == 2
		say(",\"pages\":%d,\"pobjects\":%d", SLAB(slab, pages, short), SLAB(slab, pobjects, short));
#else
		say(",\"pages\":%d,\"pobjects\":%d", SLAB(slab, pages, int), SLAB(slab, pobjects, int));
#endif
#endif
	}
	say(",\"freelist\":");
	say_freelist(slab, SLAB(slab, freelist, void *));
	say("}");
}

static void *node_of(void)
{
#ifdef AT_kmem_cache__per_node
	return *(void **)((char *)cache + AT_kmem_cache__per_node + AT_kmem_cache_per_node_ptrs__node);
#else
	return CACHE(node, void *);
#endif
}

static void say_node(void)
{
	void *node = node_of();
	struct list_head *list = (struct list_head *)((char *)node + AT_kmem_cache_node__partial), *at;
	unsigned int n = 0;

	say("\"node\":{\"nr_partial\":%lu,\"nr_slabs\":%ld,\"partial\":[", AT(node, kmem_cache_node, nr_partial, unsigned long),
	    atomic_long_read(&AT(node, kmem_cache_node, nr_slabs, atomic_long_t)));
	for (at = list->next; at != list && n < 65536; at = at->next) {
		say("%s", n++ ? "," : "");
		say_slab((char *)at - SLAB_LIST, false);
	}
	say("]}");
}

#ifdef AT_kmem_cache__cpu_sheaves
static void *sheaf_names[512];

/* A number for each sheaf that was seen: 0, 1, 2 in the order of their first showing. */
static unsigned int sheaf_id(void *sheaf)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sheaf_names) - 1; i++)
		if (!sheaf_names[i] || sheaf_names[i] == sheaf)
			break;
	sheaf_names[i] = sheaf;
	return i;
}

static void say_sheaf(void *sheaf)
{
	unsigned int i, n;
	void **objs;

	if (!sheaf) {
		say("null");
		return;
	}
	n = AT(sheaf, slab_sheaf, size, unsigned int);
	objs = &AT(sheaf, slab_sheaf, objects, void *);
	say("{\"id\":%u,\"size\":%u,\"objs\":[", sheaf_id(sheaf), n);
	for (i = 0; i < n; i++)
		say("%s[%lu,%u]", i ? "," : "", slab_pfn(slab_of(objs[i])), index_in(slab_of(objs[i]), objs[i]));
	say("]}");
}

static void say_sheaves(struct list_head *list)
{
	struct list_head *at;
	unsigned int n = 0;

	say("[");
	for (at = list->next; at != list; at = at->next) {
		say("%s", n++ ? "," : "");
		say_sheaf((char *)at - AT_slab_sheaf__barn_list);
	}
	say("]");
}

static void say_cpu(int cpu)
{
	void *sheaves = per_cpu_ptr(CACHE(cpu_sheaves, void __percpu *), cpu);

	say("{\"main\":");
	say_sheaf(AT(sheaves, slub_percpu_sheaves, main, void *));
	say(",\"spare\":");
	say_sheaf(AT(sheaves, slub_percpu_sheaves, spare, void *));
	say(",\"rcu_free\":");
	say_sheaf(AT(sheaves, slub_percpu_sheaves, rcu_free, void *));
	say("}");
}

static void say_shared(void)
{
#ifdef AT_kmem_cache_per_node_ptrs__barn
	void *barn = *(void **)((char *)cache + AT_kmem_cache__per_node + AT_kmem_cache_per_node_ptrs__barn);
#else
	void *barn = AT(node_of(), kmem_cache_node, barn, void *);
#endif

	say("\"barn\":{\"nr_full\":%u,\"nr_empty\":%u,\"full\":", AT(barn, node_barn, nr_full, unsigned int),
	    AT(barn, node_barn, nr_empty, unsigned int));
	say_sheaves(&AT(barn, node_barn, sheaves_full, struct list_head));
	say(",\"empty\":");
	say_sheaves(&AT(barn, node_barn, sheaves_empty, struct list_head));
	say("},");
}
#else
static void say_cpu(int cpu)
{
	void *own = per_cpu_ptr(CACHE(cpu_slab, void __percpu *), cpu), *slab;
	unsigned int n = 0;

#ifdef AT_kmem_cache_cpu__slab
	slab = AT(own, kmem_cache_cpu, slab, void *);
#else
	slab = AT(own, kmem_cache_cpu, page, void *);
#endif
	say("{\"slab\":");
	if (slab)
		say_slab(slab, false);
	else
		say("null");
	say(",\"freelist\":");
	say_freelist(slab, slab ? AT(own, kmem_cache_cpu, freelist, void *) : NULL);
	say(",\"partial\":[");
	for (slab = AT(own, kmem_cache_cpu, partial, void *); slab; slab = SLAB(slab, next, void *)) {
		say("%s", n++ ? "," : "");
		say_slab(slab, true);
	}
	say("]}");
}

static void say_shared(void)
{
}
#endif

static void say_state(void)
{
	int cpu, n = 0;

	say("\"cpus\":[");
	for_each_online_cpu(cpu) {
		say("%s", n++ ? "," : "");
		say_cpu(cpu);
	}
	say("],");
	say_shared();
	say_node();
	say("}\n");
}

/* --- steps ---------------------------------------------------------------------------------------------------------------------------- */

struct call {
	unsigned int want;
	void *object;
};

static long do_alloc(void *arg)
{
	((struct call *)arg)->object = kmem_cache_alloc(cache, GFP_KERNEL);
	return 0;
}

static long do_free(void *arg)
{
	kmem_cache_free(cache, ((struct call *)arg)->object);
	return 0;
}

static long do_alloc_bulk(void *arg)
{
	struct call *c = arg;

	/* All or nothing: the number that came up to 7.2, whether they came since. */
	if (!kmem_cache_alloc_bulk(cache, GFP_KERNEL, c->want, batch))
		c->want = 0;
	return 0;
}

static long do_free_bulk(void *arg)
{
	kmem_cache_free_bulk(cache, ((struct call *)arg)->want, batch);
	return 0;
}

static void say_object(const struct object *o)
{
	say("[%u,%lu,%u]", o->id, slab_pfn(slab_of(o->address)), index_in(slab_of(o->address), o->address));
}

static void allocate(unsigned int i, int cpu)
{
	struct call c = { 0 };

	work_on_cpu(cpu, do_alloc, &c);
	say("{\"i\":%u,\"op\":\"alloc\",\"cpu\":%d,\"id\":%u", i, cpu, ++ids);
	if (c.object) {
		objects[held++] = (struct object){ c.object, ids };
		say(",\"pfn\":%lu,\"idx\":%u,", slab_pfn(slab_of(c.object)), index_in(slab_of(c.object), c.object));
	} else {
		say(",\"pfn\":-1,\"idx\":0,");
	}
	say_state();
}

static struct object pick(void)
{
	unsigned int at = chance(4) ? chance(held) : held - 1;
	struct object o = objects[at];

	objects[at] = objects[--held];
	return o;
}

static void release(unsigned int i, int cpu)
{
	struct object o = pick();
	struct call c = { 0, o.address };

	say("{\"i\":%u,\"op\":\"free\",\"cpu\":%d,\"id\":%u,\"pfn\":%lu,\"idx\":%u,", i, cpu, o.id, slab_pfn(slab_of(o.address)),
	    index_in(slab_of(o.address), o.address));
	work_on_cpu(cpu, do_free, &c);
	say_state();
}

static void allocate_bulk(unsigned int i, int cpu)
{
	struct call c = { 1 + chance(100) };
	unsigned int n;

	work_on_cpu(cpu, do_alloc_bulk, &c);
	say("{\"i\":%u,\"op\":\"alloc_bulk\",\"cpu\":%d,\"objs\":[", i, cpu);
	for (n = 0; n < c.want; n++) {
		objects[held++] = (struct object){ batch[n], ++ids };
		say("%s", n ? "," : "");
		say_object(&objects[held - 1]);
	}
	say("],");
	say_state();
}

static void release_bulk(unsigned int i, int cpu)
{
	struct call c = { min(held, 1 + chance(100)) };
	unsigned int n;

	say("{\"i\":%u,\"op\":\"free_bulk\",\"cpu\":%d,\"objs\":[", i, cpu);
	for (n = 0; n < c.want; n++) {
		struct object o = pick();

		batch[n] = o.address;
		say("%s", n ? "," : "");
		say_object(&o);
	}
	say("],");
	work_on_cpu(cpu, do_free_bulk, &c);
	say_state();
}

static void run(void)
{
	unsigned int i, left = 0, bias = 50;
	int cpu = cpumask_first(cpu_online_mask);

	for (i = 0; i < steps && !sink.lost; i++) {
		if (!left--) {
			left = 1 + chance(120);
			bias = 10 + chance(80);
		}
		if (!chance(6))
			cpu = cpumask_next(cpu, cpu_online_mask) < nr_cpu_ids ? cpumask_next(cpu, cpu_online_mask) :
										cpumask_first(cpu_online_mask);
		if (!chance(150)) {
			say("{\"i\":%u,\"op\":\"kmem_cache_shrink\",", i);
			kmem_cache_shrink(cache);
			say_state();
		} else if (held && (held + 256 >= MOST || held > 700 || chance(100) < bias)) {
			if (bulk && chance(100) < bulk)
				release_bulk(i, cpu);
			else
				release(i, cpu);
		} else if (bulk && chance(100) < bulk) {
			allocate_bulk(i, cpu);
		} else {
			allocate(i, cpu);
		}
	}
}

static void say_header(void)
{
	unsigned int oo = CACHE(oo, unsigned int), least = CACHE(min, unsigned int);

#if defined(AT_slab__slabs) || defined(AT_kmem_cache__cpu_sheaves)
	say("{\"t\":\"cache\",\"format\":\"ora_slub/2\",");
#else
	say("{\"t\":\"cache\",\"format\":\"ora_slub/0\",");
#endif
	say_kernel();
	say(",\"recorder\":\"skblab_slub\",\"seed\":%u,\"n\":%u,\"object_size\":%u,\"size\":%u,\"align\":%u,\"offset\":%u,\"inuse\":%u", seed, steps,
	    CACHE(object_size, unsigned int), CACHE(size, unsigned int), CACHE(align, unsigned int), CACHE(offset, unsigned int),
	    CACHE(inuse, unsigned int));
	say(",\"min_partial\":%lu", CACHE(min_partial, unsigned long));
#ifdef AT_kmem_cache__cpu_sheaves
	say(",\"sheaf_capacity\":%u", CACHE(sheaf_capacity, unsigned int));
#else
	say(",\"cpu_partial\":%u", CACHE(cpu_partial, unsigned int));
#ifdef AT_kmem_cache__cpu_partial_slabs
	say(",\"cpu_partial_slabs\":%u", CACHE(cpu_partial_slabs, unsigned int));
#endif
#endif
	say(",\"oo_order\":%u,\"oo_objects\":%u,\"min_order\":%u,\"min_objects\":%u,\"flags\":%u,\"hardened\":%d,\"freelist_random\":%d,", oo >> 16,
	    oo & 0xffff, least >> 16, least & 0xffff, CACHE(flags, unsigned int), IS_ENABLED(CONFIG_SLAB_FREELIST_HARDENED),
	    IS_ENABLED(CONFIG_SLAB_FREELIST_RANDOM));
	say_state();
}

static void construct(void *object)
{
	memset(object, 0, 8);
}

static int __init slub_init(void)
{
	int failed = sink_open((size_t)steps * 24576);

	if (failed)
		return failed;
	/* A region for copies to users keeps the cache from being merged with others. */
	cache = kmem_cache_create_usercopy("skblab_slub", size, 8, 0, 0, size, with_ctor ? construct : NULL);
	if (!cache) {
		sink_close();
		return -ENOMEM;
	}
	chance_seed(seed);
	say_header();
	run();
	say_end();
	while (held)
		kmem_cache_free(cache, objects[--held].address);
	kmem_cache_destroy(cache);
	sink_publish("skblab_slub");
	return 0;
}

static void __exit slub_exit(void)
{
	sink_close();
}

module_init(slub_init);
module_exit(slub_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("skblab: records a slab cache");
