// SPDX-License-Identifier: GPL-2.0
/*
 * Records a page pool: a driver's seeded allocations, returns and sk_buffs on a pool of its own, with the pool's counters after each and its cache
 * and ring every forty steps. Format: docs/your-kernel.md (ora_pp). It stays on one CPU; what runs in a softirq runs in a tasklet.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/netdevice.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include "skblab.h"
#if SINCE(6, 6)
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

static unsigned int seed = 1, steps = 1500, flags, order, pool_size = 256, frags, kind, skbs = 30;
module_param(seed, uint, 0444);
module_param(steps, uint, 0444);
/* As the driver asks: 1 maps for DMA, 2 syncs for the device. */
module_param(flags, uint, 0444);
module_param(order, uint, 0444);
module_param(pool_size, uint, 0444);
/* Whether the driver cuts pages. */
module_param(frags, uint, 0444);
/* 0 an ordinary pool, 1 of a NAPI that this CPU polls, 2 of this CPU, 3 of a NAPI that nobody polls. */
module_param(kind, uint, 0444);
/* How many of a hundred steps are of sk_buffs. */
module_param(skbs, uint, 0444);

#define MOST 1024
#define ROOM_OF_SKB 64
#define FRAGMENT 1000
#define HEADROOM 64
#define BUDGET 64
/* XDP_BULK_QUEUE_SIZE: what the kernel has room for, since 6.13 without looking. */
#define BULK 16
#define CPU 0

/* Pages of a pool are netmem since 6.11. */
#if SINCE(6, 11)
#define AS_PAGE(netmem) netmem_to_page(netmem)
#else
#define AS_PAGE(held) ((struct page *)(held))
#endif

/* A page that the driver holds, with how many references of its own beside the pool's. */
struct mine {
	struct page *page;
	unsigned int extra;
	bool in_pool, fragment;
};

struct packet {
	struct sk_buff *skb;
	unsigned int id;
};

static struct page_pool *pool;
static struct platform_device *device;
static struct napi_struct napi __maybe_unused;
static struct mine mine[MOST];
static struct packet packets[MOST];
static unsigned int held, alive, ids, step_number;

/* --- what the kernel's versions call it ----------------------------------------------------------------------------------------------- */

#if SINCE(6, 12)
#define USERS(page) atomic_long_read(netmem_get_pp_ref_count_ref(page_to_netmem(page)))
#elif SINCE(6, 8)
#define USERS(page) atomic_long_read(&(page)->pp_ref_count)
#elif SINCE(5, 15)
#define USERS(page) atomic_long_read(&(page)->pp_frag_count)
#endif

#if SINCE(6, 8)
#define USERS_OF_EVERY_PAGE 1
#define USERS_FIELD "pp_ref_count"
#else
#define USERS_OF_EVERY_PAGE 0
#define USERS_FIELD "pp_frag_count"
#endif

#define RECYCLES SINCE(5, 16)

static long users_of(struct page *page)
{
#ifdef USERS
	return USERS(page);
#else
	return 1;
#endif
}

static void say_users(const char *field, struct page *page)
{
	if (USERS_OF_EVERY_PAGE)
		say(",\"%s\":%ld", field, users_of(page));
}

static int recycle_bit(const struct sk_buff *skb)
{
#if RECYCLES
	return skb->pp_recycle;
#else
	return 0;
#endif
}

static void mark(struct sk_buff *skb)
{
#if RECYCLES
	skb_mark_for_recycle(skb);
#endif
}

/* Before sk_buffs could be marked, a page left its pool before it went up. */
static void leave_pool(struct page *page)
{
#if !RECYCLES
	page_pool_release_page(pool, page);
#endif
}

/* --- the pool's state -------------------------------------------------------------------------------------------------------------------- */

static unsigned int in_ring(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < pool->ring.size; i++)
		n += pool->ring.queue[i] != NULL;
	return n;
}

static void say_state(void)
{
	u32 release = atomic_read(&pool->pages_state_release_cnt);

	say("\"s\":{\"cache\":%u,\"ring\":%u,\"prod\":%d,\"cons_head\":%d,\"cons_tail\":%d,\"hold\":%u,\"release\":%u,\"inflight\":%d",
	    pool->alloc.count, in_ring(), pool->ring.producer, pool->ring.consumer_head, pool->ring.consumer_tail, pool->pages_state_hold_cnt,
	    release, (int)(pool->pages_state_hold_cnt - release));
#ifdef CONFIG_PAGE_POOL_STATS
	{
		struct page_pool_stats s = { };

		page_pool_get_stats(pool, &s);
		say(",\"fast\":%llu,\"slow\":%llu,\"slow_high_order\":%llu,\"empty\":%llu,\"refill\":%llu,\"waive\":%llu", s.alloc_stats.fast,
		    s.alloc_stats.slow, s.alloc_stats.slow_high_order, s.alloc_stats.empty, s.alloc_stats.refill, s.alloc_stats.waive);
		say(",\"cached\":%llu,\"cache_full\":%llu,\"ringed\":%llu,\"ring_full\":%llu,\"released_refcnt\":%llu", s.recycle_stats.cached,
		    s.recycle_stats.cache_full, s.recycle_stats.ring, s.recycle_stats.ring_full, s.recycle_stats.released_refcnt);
	}
#endif
#if SINCE(5, 15)
	if (frags) {
		struct page *page = pool->frag_page ? AS_PAGE(pool->frag_page) : NULL;

		say(",\"frag_off\":%u,\"frag_users\":%ld,\"frag_pfn\":%ld,\"frag_ref\":%ld", pool->frag_offset, pool->frag_users,
		    page ? (long)page_to_pfn(page) : -1, page ? users_of(page) : 0);
	}
#endif
	say("}");
}

static void say_contents(void)
{
	unsigned int i, n = 0;

	say(",\"cache_pfns\":[");
	for (i = 0; i < pool->alloc.count; i++)
		say("%s%lu", i ? "," : "", page_to_pfn(AS_PAGE(pool->alloc.cache[i])));
	say("],\"ring_pfns\":[");
	for (i = 0; i < pool->ring.size; i++) {
		void *slot = pool->ring.queue[(pool->ring.consumer_head + i) % pool->ring.size];

		if (slot)
#if SINCE(6, 11)
			say("%s%lu", n++ ? "," : "", page_to_pfn(netmem_to_page((__force netmem_ref)slot)));
#else
			say("%s%lu", n++ ? "," : "", page_to_pfn((struct page *)slot));
#endif
	}
	say("]");
}

static void begin(const char *op)
{
	say("{\"i\":%u,\"op\":\"%s\"", step_number, op);
}

static void end(void)
{
	say(",");
	say_state();
	if (step_number % 40 == 39)
		say_contents();
	say("}\n");
}

/* --- steps: pages -------------------------------------------------------------------------------------------------------------------------- */

static void keep(struct page *page, bool fragment)
{
	mine[held++] = (struct mine){ page, 0, true, fragment };
}

static void drop(unsigned int at)
{
	mine[at] = mine[--held];
}

/* A page that only the driver has and nobody else looks at, or `held`. */
static unsigned int pick(bool fragments_too)
{
	unsigned int tries, at;

	for (tries = 0; tries < 20 && held; tries++) {
		at = chance(held);
		if (mine[at].in_pool && (fragments_too || !mine[at].fragment))
			return at;
	}
	return held;
}

static void take(void)
{
	struct page *page = page_pool_alloc_pages(pool, GFP_ATOMIC | __GFP_NOWARN);

	begin("alloc");
	if (page) {
		long mapped = flags & PP_FLAG_DMA_MAP ? page_pool_get_dma_addr(page) != 0 : -1;

		say(",\"pfn\":%lu,\"page_count\":%d", page_to_pfn(page), page_count(page));
		say_users("pp_ref_count", page);
		say(",\"dma\":%ld", mapped);
		keep(page, false);
	} else {
		say(",\"pfn\":null");
	}
	end();
}

#if SINCE(5, 15)
static void say_piece(struct page *page, unsigned int offset)
{
	if (!page) {
		say(",\"pfn\":null");
		return;
	}
	say(",\"off\":%u,\"pfn\":%lu,\"" USERS_FIELD "\":%ld", offset, page_to_pfn(page), users_of(page));
	keep(page, true);
}

static void cut(void)
{
	unsigned int size = 1 + chance((PAGE_SIZE << order) * 3 / 4), offset = 0;
	struct page *page;

#if SINCE(6, 7)
	if (!chance(4)) {
		unsigned int got = size;

		page = page_pool_alloc(pool, &offset, &got, GFP_ATOMIC | __GFP_NOWARN);
		begin("page_pool_alloc");
		say(",\"size\":%u,\"size_out\":%u", size, got);
		say_piece(page, offset);
		end();
		return;
	}
#endif
	page = page_pool_alloc_frag(pool, &offset, size, GFP_ATOMIC | __GFP_NOWARN);
	begin("alloc_frag");
	say(",\"size\":%u", size);
	say_piece(page, offset);
	end();
}
#else
static void cut(void)
{
	take();
}
#endif

struct put {
	struct page *page;
	struct completion done;
};

static struct put waiting;

static void put_in_softirq(unsigned long unused)
{
	page_pool_put_full_page(pool, waiting.page, true);
	complete(&waiting.done);
}

/* Tasklets take their argument as a number until 5.9 and after that in either way. */
static DECLARE_TASKLET_OLD(putter, put_in_softirq);

static long put_with_bh_off(void *page)
{
	local_bh_disable();
	page_pool_put_full_page(pool, page, false);
	local_bh_enable();
	return 0;
}

static void give(unsigned int at)
{
	struct mine m = mine[at];
	unsigned int way = chance(10);

	drop(at);
	begin(way < 4 ? "put_direct_softirq" : way < 5 ? "put_direct_process" : way < 6 ? "put_softirq" : "put_ring");
	if (way == 5)
		say(",\"cpu\":%d", CPU);
	say(",\"pfn\":%lu,\"count_before\":%d", page_to_pfn(m.page), page_count(m.page));
	say_users("pp_ref_before", m.page);
	if (way == 4)
		say(",\"bh_disabled\":0");
	if (m.extra)
		mine[held++] = (struct mine){ m.page, m.extra, false, false };
	if (way < 4) {
		waiting.page = m.page;
		init_completion(&waiting.done);
		tasklet_schedule(&putter);
		wait_for_completion(&waiting.done);
		tasklet_unlock_wait(&putter);
	} else if (way < 5) {
		page_pool_put_full_page(pool, m.page, true);
	} else if (way < 6) {
		put_with_bh_off(m.page);
	} else {
		page_pool_put_full_page(pool, m.page, false);
	}
	end();
}

#if SINCE(5, 11)
static void give_bulk(void)
{
	unsigned int n = 0, want = 1 + chance(BULK), at;
#if SINCE(6, 13)
	netmem_ref data[BULK];
#else
	void *data[BULK];
#endif

	at = pick(false);
	if (at == held || mine[at].extra) {
		take();
		return;
	}
	begin("put_bulk");
	say(",\"pfns\":[");
	for (; n < want; n++) {
		if (n)
			at = pick(false);
		if (at == held || mine[at].extra)
			break;
		say("%s%lu", n ? "," : "", page_to_pfn(mine[at].page));
#if SINCE(6, 13)
		data[n] = page_to_netmem(mine[at].page);
#else
		/* Before, the call took what drivers of XDP hold: addresses. */
		data[n] = page_address(mine[at].page);
#endif
		drop(at);
	}
	say("]");
	local_bh_disable();
#if SINCE(6, 13)
	page_pool_put_netmem_bulk(data, n);
#else
	page_pool_put_page_bulk(pool, data, n);
#endif
	local_bh_enable();
	end();
}
#else
static void give_bulk(void)
{
	take();
}
#endif

static void look_longer(void)
{
	unsigned int at;

	for (at = 0; at < held; at++)
		if (mine[at].extra && chance(2)) {
			begin("put_page");
			say(",\"pfn\":%lu,\"count_before\":%d", page_to_pfn(mine[at].page), page_count(mine[at].page));
			put_page(mine[at].page);
			if (!--mine[at].extra && !mine[at].in_pool)
				drop(at);
			end();
			return;
		}
	at = pick(false);
	if (at == held || mine[at].extra) {
		take();
		return;
	}
	get_page(mine[at].page);
	mine[at].extra++;
	begin("get_page");
	say(",\"pfn\":%lu,\"count\":%d", page_to_pfn(mine[at].page), page_count(mine[at].page));
	end();
}

/* --- steps: sk_buffs ------------------------------------------------------------------------------------------------------------------------ */

static void name(struct sk_buff *skb)
{
	packets[alive++] = (struct packet){ skb, ++ids };
}

static void from_head(void)
{
	unsigned int at = pick(false);
	struct page *page;
	struct sk_buff *skb;

	if (at == held || mine[at].extra) {
		take();
		return;
	}
	page = mine[at].page;
	begin("skb_head");
	say(",\"skb\":%u,\"pfn\":%lu,\"count\":%d", ids + 1, page_to_pfn(page), page_count(page));
	say_users("pp_ref_count", page);
	leave_pool(page);
	skb = build_skb(page_address(page), PAGE_SIZE << order);
	mark(skb);
	drop(at);
	name(skb);
	end();
}

static void from_fragments(void)
{
	unsigned int n = 0, want = 1 + chance(3), at;
	struct page *pages[3];
	struct sk_buff *skb;

	for (; n < want; n++) {
		at = pick(true);
		if (at == held || mine[at].extra)
			break;
		pages[n] = mine[at].page;
		drop(at);
	}
	if (!n) {
		take();
		return;
	}
	want = n;
	skb = alloc_skb(ROOM_OF_SKB, GFP_KERNEL);
	begin("skb_frags");
	say(",\"pfns\":[");
	for (n = 0; n < want; n++) {
		say("%s%lu", n ? "," : "", page_to_pfn(pages[n]));
		leave_pool(pages[n]);
		skb_add_rx_frag(skb, n, pages[n], 0, FRAGMENT, PAGE_SIZE << order);
	}
	say("],\"skb\":%u", ids + 1);
	mark(skb);
	name(skb);
	end();
}

static int dataref_of(const struct sk_buff *skb)
{
	return atomic_read(&skb_shinfo(skb)->dataref) & SKB_DATAREF_MASK;
}

static void finish(void)
{
	static const char *const names[] = { "kfree_skb", "consume_skb", "napi_consume_skb", "kfree_skb_softirq" };
	unsigned int at = chance(alive), way = chance(4);
	struct packet p = packets[at];

	packets[at] = packets[--alive];
	begin(names[way]);
	say(",\"skb\":%u,\"dataref\":%d,\"cloned\":%d", p.id, dataref_of(p.skb), p.skb->cloned);
	if (RECYCLES)
		say(",\"pp_recycle\":%d", recycle_bit(p.skb));
	if (way == 0) {
		kfree_skb(p.skb);
	} else if (way == 1) {
		consume_skb(p.skb);
	} else {
		local_bh_disable();
		if (way == 2)
			napi_consume_skb(p.skb, BUDGET);
		else
			kfree_skb(p.skb);
		local_bh_enable();
	}
	end();
}

static void say_marks(const struct sk_buff *a, const struct sk_buff *b)
{
	if (RECYCLES)
		say(",\"pp_recycle\":[%d,%d]", recycle_bit(a), recycle_bit(b));
}

static void copy(void)
{
	struct packet p = packets[chance(alive)];
	bool clone = chance(2);
	struct sk_buff *skb = clone ? skb_clone(p.skb, GFP_KERNEL) : pskb_copy(p.skb, GFP_KERNEL);

	if (!skb) {
		take();
		return;
	}
	begin(clone ? "skb_clone" : "pskb_copy");
	say(",\"from\":%u,\"skb\":%u", p.id, ids + 1);
	say_marks(p.skb, skb);
	name(skb);
	end();
}

static void expand(void)
{
	struct packet p = packets[chance(alive)];

	begin("pskb_expand_head");
	say(",\"skb\":%u,\"cloned\":%d", p.id, skb_cloned(p.skb));
	if (RECYCLES)
		say(",\"pp_recycle_before\":%d", recycle_bit(p.skb));
	say(",\"ret\":%d", pskb_expand_head(p.skb, HEADROOM, 0, GFP_KERNEL));
	if (RECYCLES)
		say(",\"pp_recycle\":%d", recycle_bit(p.skb));
	end();
}

static void join(void)
{
	unsigned int a = chance(alive), b = chance(alive);
	struct packet to = packets[a], from = packets[b];
	bool stolen = false, merged;
	int delta = 0;

	if (a == b) {
		take();
		return;
	}
	begin("skb_try_coalesce");
	say(",\"to\":%u,\"from\":%u,\"to_tailroom\":%d,\"from_len\":%u,\"from_headlen\":%u,\"to_nr_frags\":%u,\"from_nr_frags\":%u", to.id, from.id,
	    skb_tailroom(to.skb), from.skb->len, skb_headlen(from.skb), skb_shinfo(to.skb)->nr_frags, skb_shinfo(from.skb)->nr_frags);
	say(",\"to_cloned\":%d,\"from_cloned\":%d,\"from_head_frag\":%d", skb_cloned(to.skb), skb_cloned(from.skb), from.skb->head_frag);
	merged = skb_try_coalesce(to.skb, from.skb, &stolen, &delta);
	say(",\"ret\":%d,\"stolen\":%d", merged, stolen);
	say_marks(to.skb, from.skb);
	if (merged) {
		kfree_skb_partial(from.skb, stolen);
		packets[b] = packets[--alive];
	}
	end();
}

/* --- the run -------------------------------------------------------------------------------------------------------------------------------- */

static void step_of_skbs(void)
{
	unsigned int what = chance(12);

	if (alive && (alive > 40 || what < 4))
		finish();
	else if (what < 6)
		from_head();
	else if (what < 8 || !alive)
		from_fragments();
	else if (what < 10)
		copy();
	else if (what < 11)
		expand();
	else
		join();
}

static void run(void)
{
	unsigned int left = 0, taking = 50;

	for (step_number = 0; step_number < steps && !sink.lost; step_number++) {
		unsigned int at;

		/* Drivers fill a ring, then give it back: both in stretches. */
		if (!left--) {
			left = chance(100);
			taking = 15 + chance(75);
		}
		if (held < 300 && chance(100) < skbs) {
			step_of_skbs();
			continue;
		}
		if (!chance(25)) {
			look_longer();
			continue;
		}
		if (held && !chance(30) && !frags) {
			give_bulk();
			continue;
		}
		at = pick(true);
		if (at == held || (held < 400 && chance(100) < taking)) {
			if (frags && chance(3))
				cut();
			else
				take();
		} else {
			give(at);
		}
		cond_resched();
	}
}

static void say_header(int failed)
{
#if SINCE(6, 8)
	say("{\"t\":\"pool\",\"format\":\"ora_pp/2\",");
#elif SINCE(5, 11)
	say("{\"t\":\"pool\",\"format\":\"ora_pp/1\",");
#else
	say("{\"t\":\"pool\",\"format\":\"ora_pp/0\",");
#endif
	say_kernel();
	say(",\"recorder\":\"skblab_pp\",\"seed\":%u,\"n\":%u,\"flags\":%u,\"frag_api\":%u,\"kind\":%u,\"napi\":%d,\"napi_list_owner\":%d,\"cpuid\":%d",
	    seed, steps, flags, frags, kind, kind == 1 || kind == 3, kind == 1 ? CPU : -1, kind == 2 ? CPU : -1);
	say(",\"order\":%u,\"pool_size\":%u,\"err\":%d", order, pool_size, failed);
	if (!failed) {
		say(",\"ring_size\":%d,\"ring_batch\":%d,", pool->ring.size, pool->ring.batch);
		say_state();
		say_contents();
	}
	say("}\n");
}

static int make_pool(void)
{
	struct page_pool_params wanted = {
		.flags = flags,
		.order = order,
		.pool_size = pool_size,
		.nid = NUMA_NO_NODE,
		.dev = &device->dev,
		.dma_dir = DMA_FROM_DEVICE,
		.max_len = PAGE_SIZE << order,
	};

#if SINCE(5, 15) && !SINCE(6, 7)
	/* These have fragments only where they are asked for. */
	if (frags)
		flags |= PP_FLAG_PAGE_FRAG;
	wanted.flags = flags;
#endif
#if SINCE(6, 10)
	if (kind == 1 || kind == 3) {
		napi.list_owner = kind == 1 ? CPU : -1;
		wanted.napi = &napi;
	}
	pool = kind == 2 ? page_pool_create_percpu(&wanted, CPU) : page_pool_create(&wanted);
#else
	kind = 0;
	pool = page_pool_create(&wanted);
#endif
	return PTR_ERR_OR_ZERO(pool);
}

static void give_everything(void)
{
	while (alive)
		kfree_skb(packets[--alive].skb);
	while (held) {
		struct mine m = mine[--held];

		while (m.extra--)
			put_page(m.page);
		if (m.in_pool)
			page_pool_put_full_page(pool, m.page, false);
	}
}

static int __init pp_init(void)
{
	int failed = sink_open((size_t)steps * 2600 + (size_t)(steps / 40 + 3) * 8 * (16384 + 128));

	if (failed)
		return failed;
	device = platform_device_register_simple("skblab_pp", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device)) {
		sink_close();
		return PTR_ERR(device);
	}
	dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	set_cpus_allowed_ptr(current, cpumask_of(CPU));
	chance_seed(seed);
	failed = make_pool();
	say_header(failed);
	if (!failed) {
		run();
		say("{\"op\":\"page_pool_destroy\",\"inflight_before\":%d}\n",
		    (int)(pool->pages_state_hold_cnt - atomic_read(&pool->pages_state_release_cnt)));
	}
	say_end();
	if (!failed) {
		/* What the driver holds goes home first: destroying waits for it, and may say so only later. */
		give_everything();
		page_pool_destroy(pool);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	platform_device_unregister(device);
	sink_publish("skblab_pp");
	return 0;
}

static void __exit pp_exit(void)
{
	sink_close();
}

module_init(pp_init);
module_exit(pp_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("skblab: records a page pool");
