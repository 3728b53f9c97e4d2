// SPDX-License-Identifier: GPL-2.0
/*
 * Records the page allocator: a seeded sequence of alloc_pages(), __free_pages() and alloc_pages_bulk() while nothing else runs, with every list
 * of every zone before and after, and the allocator's own tracepoints and counters after each step. Format: docs/your-kernel.md (ora_buddy).
 *
 * The other CPUs wait with interrupts off in a kernel thread each. Nobody is called there by interrupt: a CPU that does not come in time ends the
 * recording with -EBUSY before it began, and none is left behind, since this waits until each has gone.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/mmzone.h>
#include <linux/nmi.h>
#include <linux/sched/rt.h>
#include <linux/tracepoint.h>
#include "skblab.h"
#include "layout.h"

static char *scenario = "mixed";
module_param(scenario, charp, 0444);
static unsigned int seed = 1, steps = 3000, most = 40000;
module_param(seed, uint, 0444);
module_param(steps, uint, 0444);
/* Steps that there is room for, filling included. */
module_param(most, uint, 0444);
/* What the kernel does not export: from /proc/sys/vm, and whether the boot log says "mobility grouping off". */
static unsigned int boost_factor = 15000, grouping_off, defrag_mode, refzone = MAX_NR_ZONES;
module_param(boost_factor, uint, 0444);
module_param(grouping_off, uint, 0444);
module_param(defrag_mode, uint, 0444);
module_param(refzone, uint, 0444);

/* MAX_ORDER counted the orders until 6.3 and named the largest until 6.7; NR_PAGE_ORDERS counts them since. */
#define ORDERS 11

#if SINCE(6, 7)
#define STATE 10
#define FORMAT "ora_buddy/2"
#define STATE_NAMES "\"nr_free_pages\",\"nr_free_diff\",\"pcp_count\",\"pcp_free_count\",\"watermark_boost\",\"pcp_high\",\"pcp_alloc_factor\",\"pcp_flags\",\"zone_flags\",\"nr_free_highatomic\""
#elif SINCE(5, 13)
#define STATE 5
#define FORMAT "ora_buddy/1"
#define STATE_NAMES "\"nr_free_pages\",\"nr_free_diff\",\"pcp_count\",\"pcp_free_factor\",\"watermark_boost\""
#else
#define STATE 5
#define FORMAT "ora_buddy/0"
#define STATE_NAMES "\"nr_free_pages\",\"nr_free_diff\",\"pcp_count\",\"zone_flags\",\"watermark_boost\""
#endif

/* --- what the kernel calls its per-CPU lists ---------------------------------------------------------------------------------- */

#if SINCE(5, 14)
static struct per_cpu_pages *lists_of(struct zone *zone, int cpu)
{
	return per_cpu_ptr(zone->per_cpu_pageset, cpu);
}

static int stat_threshold_of(struct zone *zone, int cpu)
{
	return per_cpu_ptr(zone->per_cpu_zonestats, cpu)->stat_threshold;
}

static int free_diff_of(struct zone *zone, int cpu)
{
	return per_cpu_ptr(zone->per_cpu_zonestats, cpu)->vm_stat_diff[NR_FREE_PAGES];
}
#else
static struct per_cpu_pages *lists_of(struct zone *zone, int cpu)
{
	return &per_cpu_ptr(zone->pageset, cpu)->pcp;
}

static int stat_threshold_of(struct zone *zone, int cpu)
{
	return per_cpu_ptr(zone->pageset, cpu)->stat_threshold;
}

static int free_diff_of(struct zone *zone, int cpu)
{
	return per_cpu_ptr(zone->pageset, cpu)->vm_stat_diff[NR_FREE_PAGES];
}
#endif

#define PCP_LISTS ((int)ARRAY_SIZE(((struct per_cpu_pages *)0)->lists))

static long free_highatomic(struct zone *zone)
{
#ifdef AT_zone__nr_free_highatomic
	return *(unsigned long *)((char *)zone + AT_zone__nr_free_highatomic);
#else
	return 0;
#endif
}

/* The bits of a pageblock: its type and, above, whether compaction skips it. The word holds 4 bits a block, 8 since isolation is a bit of its own. */
static unsigned int block_flags(unsigned long pfn)
{
	struct mem_section *section = __pfn_to_section(pfn);
	unsigned long bit = ((pfn & (PAGES_PER_SECTION - 1)) >> pageblock_order) * NR_PAGEBLOCK_BITS;

	return (section_to_usemap(section)[bit / BITS_PER_LONG] >> (bit % BITS_PER_LONG)) & 0xf;
}

static bool counts_as_movable(struct page *page)
{
#if SINCE(6, 17)
	return PageLRU(page) || page_has_movable_ops(page);
#else
	return PageLRU(page) || __PageMovable(page);
#endif
}

/* --- steps ----------------------------------------------------------------------------------------------------------------------- */

struct step {
	char kind;
	unsigned char gfp, order, zone, block;
	int id;
	/* Page frame number, -1 for none; of a bulk call how many came, with how many were wanted in `id`. */
	long pfn;
	int state[STATE];
	unsigned int first_event, events;
};

struct event {
	char letter;
	unsigned char block;
	int values[4];
	unsigned int pfn;
};

struct held {
	struct page *page;
	int id;
	unsigned char order;
};

static struct step *recorded;
static struct event *events;
static struct held *held;
static struct page **bulk;
static unsigned int recorded_count, event_count, event_room, held_count, events_lost;
static bool recording;
static int ids;
static struct zone *ref;
static int self;

enum { NOWAIT, NOWAIT_MOVABLE, NOWAIT_RECLAIMABLE, ATOMIC, ATOMIC_MOVABLE, DMA_NOWAIT, NOKSWAPD, NOKSWAPD_MOVABLE, NOKSWAPD_RECLAIMABLE,
       MEMALLOC, HIGH_NOMEMALLOC, GFPS };

#define QUIET __GFP_NOWARN
#define KSWAPD __GFP_KSWAPD_RECLAIM

static const struct {
	const char *name;
	gfp_t mask;
} gfps[GFPS] = {
	[NOWAIT] = { "NOWAIT_UNMOVABLE", KSWAPD | QUIET },
	[NOWAIT_MOVABLE] = { "NOWAIT_MOVABLE", KSWAPD | QUIET | __GFP_MOVABLE },
	[NOWAIT_RECLAIMABLE] = { "NOWAIT_RECLAIMABLE", KSWAPD | QUIET | __GFP_RECLAIMABLE },
	[ATOMIC] = { "ATOMIC", GFP_ATOMIC | QUIET },
	[ATOMIC_MOVABLE] = { "ATOMIC_MOVABLE", GFP_ATOMIC | QUIET | __GFP_MOVABLE },
	[DMA_NOWAIT] = { "DMA_NOWAIT", KSWAPD | QUIET | __GFP_DMA },
	[NOKSWAPD] = { "NOKSWAPD_UNMOVABLE", QUIET },
	[NOKSWAPD_MOVABLE] = { "NOKSWAPD_MOVABLE", QUIET | __GFP_MOVABLE },
	[NOKSWAPD_RECLAIMABLE] = { "NOKSWAPD_RECLAIMABLE", QUIET | __GFP_RECLAIMABLE },
	[MEMALLOC] = { "MEMALLOC_UNMOVABLE", KSWAPD | QUIET | __GFP_MEMALLOC },
	[HIGH_NOMEMALLOC] = { "HIGH_NOMEMALLOC", KSWAPD | QUIET | __GFP_HIGH | __GFP_NOMEMALLOC },
};

static void sample(struct step *s)
{
	struct per_cpu_pages *lists = lists_of(ref, self);
	int n = 0;

	s->state[n++] = atomic_long_read(&ref->vm_stat[NR_FREE_PAGES]);
	s->state[n++] = free_diff_of(ref, self);
	s->state[n++] = lists->count;
#if SINCE(6, 7)
	s->state[n++] = lists->free_count;
	s->state[n++] = ref->watermark_boost;
	s->state[n++] = lists->high;
	s->state[n++] = lists->alloc_factor;
	s->state[n++] = lists->flags;
	s->state[n++] = ref->flags;
	s->state[n++] = free_highatomic(ref);
#elif SINCE(5, 13)
	s->state[n++] = lists->free_factor;
	s->state[n++] = ref->watermark_boost;
#else
	s->state[n++] = ref->flags;
	s->state[n++] = ref->watermark_boost;
#endif
	s->events = event_count - s->first_event;
}

static struct step *begin(char kind)
{
	struct step *s = &recorded[recorded_count++];

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->first_event = event_count;
	s->pfn = -1;
	return s;
}

static bool room_left(unsigned int n)
{
	return recorded_count + n < most && event_count + 4096 < event_room;
}

static bool take(int gfp, int order)
{
	struct step *s = begin('a');
	struct page *page = alloc_pages(gfps[gfp].mask, order);

	s->gfp = gfp;
	s->order = order;
	if (page) {
		s->pfn = page_to_pfn(page);
		s->zone = page_zonenum(page);
		s->block = block_flags(s->pfn);
		s->id = ++ids;
		held[held_count++] = (struct held){ page, s->id, order };
	}
	sample(s);
	return page;
}

static void give(unsigned int at)
{
	struct held h = held[at];
	struct step *s = begin('f');

	s->id = h.id;
	s->order = h.order;
	s->pfn = page_to_pfn(h.page);
	s->zone = page_zonenum(h.page);
	s->block = block_flags(s->pfn);
	held[at] = held[--held_count];
	__free_pages(h.page, h.order);
	sample(s);
}

/* The same, and the others keep their order. */
static void give_in_order(unsigned int at)
{
	struct held h = held[at];

	memmove(&held[at], &held[at + 1], (--held_count - at) * sizeof(h));
	held[held_count++] = h;
	give(held_count - 1);
}

static void take_bulk(int gfp, unsigned int want)
{
#if SINCE(5, 13)
	struct step *s = begin('b');
	unsigned int i;
	long got;

	memset(bulk, 0, want * sizeof(*bulk));
#if SINCE(6, 14)
	got = alloc_pages_bulk(gfps[gfp].mask, want, bulk);
#else
	got = alloc_pages_bulk_array(gfps[gfp].mask, want, bulk);
#endif
	s->gfp = gfp;
	s->id = want;
	s->pfn = got;
	sample(s);
	for (i = 0; i < got; i++) {
		struct step *p = begin('p');

		p->pfn = page_to_pfn(bulk[i]);
		p->zone = page_zonenum(bulk[i]);
		p->id = ++ids;
		held[held_count++] = (struct held){ bulk[i], p->id, 0 };
	}
#else
	take(gfp, 0);
#endif
}

/* --- tracepoints ------------------------------------------------------------------------------------------------------------------ */

static void hear(char letter, struct page *page, int a, int b, int c, int d)
{
	struct event *e;

	if (!recording)
		return;
	if (event_count >= event_room) {
		events_lost++;
		return;
	}
	e = &events[event_count++];
	e->letter = letter;
	e->pfn = page_to_pfn(page);
	e->block = block_flags(e->pfn) & 7;
	e->values[0] = a;
	e->values[1] = b;
	e->values[2] = c;
	e->values[3] = d;
}

#if SINCE(5, 19)
static void hear_locked(void *unused, struct page *page, unsigned int order, int type, int refill)
{
	hear('Z', page, order, type, refill, 0);
}
#else
static void hear_locked(void *unused, struct page *page, unsigned int order, int type)
{
	hear('Z', page, order, type, order == 0, 0);
}
#endif

static void hear_drain(void *unused, struct page *page, unsigned int order, int type)
{
	hear('D', page, order, type, 0, 0);
}

static void hear_extfrag(void *unused, struct page *page, int order, int from, int type, int from_type)
{
	hear('X', page, order, from, type, from_type);
}

static struct {
	const char *name;
	void *probe;
	struct tracepoint *point;
} points[] = {
	{ "mm_page_alloc_zone_locked", hear_locked },
	{ "mm_page_pcpu_drain", hear_drain },
	{ "mm_page_alloc_extfrag", hear_extfrag },
};

static void find_point(struct tracepoint *point, void *unused)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (!strcmp(point->name, points[i].name))
			points[i].point = point;
}

static void forget_points(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (points[i].point)
			tracepoint_probe_unregister(points[i].point, points[i].probe, NULL);
	tracepoint_synchronize_unregister();
}

static int listen(void)
{
	int i, failed;

	for_each_kernel_tracepoint(find_point, NULL);
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		failed = points[i].point ? tracepoint_probe_register(points[i].point, points[i].probe, NULL) : -ENOENT;
		if (failed) {
			points[i].point = NULL;
			pr_err("skblab_buddy: no tracepoint %s (%d)\n", points[i].name, failed);
			forget_points();
			return failed;
		}
	}
	return 0;
}

/* --- the other CPUs ----------------------------------------------------------------------------------------------------------------- */

static atomic_t parked = ATOMIC_INIT(0);
static bool released;
static struct task_struct *keepers[NR_CPUS];

static int park(void *unused)
{
	local_irq_disable();
	atomic_inc(&parked);
	while (!READ_ONCE(released))
		cpu_relax();
	touch_softlockup_watchdog();
	local_irq_enable();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void unpark(void)
{
	int cpu;

	WRITE_ONCE(released, true);
	for_each_online_cpu(cpu)
		if (keepers[cpu])
			kthread_stop(keepers[cpu]);
	memset(keepers, 0, sizeof(keepers));
}

static int park_others(void)
{
	int cpu, others = 0, tries;

	for_each_online_cpu(cpu) {
		struct task_struct *keeper;

		if (cpu == self)
			continue;
		keeper = kthread_create_on_node(park, NULL, cpu_to_node(cpu), "skblab_park/%d", cpu);
		if (IS_ERR(keeper)) {
			unpark();
			return PTR_ERR(keeper);
		}
		kthread_bind(keeper, cpu);
		keepers[cpu] = keeper;
		others++;
	}
	/* What creating them took is over before the first of them stands still. */
	msleep(20);
	for_each_online_cpu(cpu)
		if (keepers[cpu])
			wake_up_process(keepers[cpu]);
	for (tries = 0; atomic_read(&parked) < others; tries++) {
		if (tries > 30000) {
			unpark();
			return -EBUSY;
		}
		usleep_range(1000, 2000);
	}
	return 0;
}

/* --- snapshots ----------------------------------------------------------------------------------------------------------------------- */

/* A stretch of numbers: what it is, then how many, then they. */
struct shot {
	unsigned int *words, count, room;
	bool lost;
};

static struct shot shots[2];

static void put(struct shot *s, unsigned int word)
{
	if (s->count < s->room)
		s->words[s->count++] = word;
	else
		s->lost = true;
}

static int cached_type(struct page *page)
{
#if SINCE(6, 7)
	return block_flags(page_to_pfn(page)) & 7;
#else
	return page->index;
#endif
}

static void shoot_lists(struct shot *s, struct zone *zone)
{
	struct page *page;
	int order, type, cpu, list;
	unsigned int at, blocks;

	for (order = 0; order < ORDERS; order++) {
		blocks = 0;
		for (type = 0; type < MIGRATE_TYPES; type++) {
			at = s->count;
			put(s, 0);
			list_for_each_entry(page, &zone->free_area[order].free_list[type], lru)
				put(s, page_to_pfn(page));
			if (at < s->room)
				s->words[at] = s->count - at - 1;
		}
		put(s, zone->free_area[order].nr_free);
	}
	for_each_online_cpu(cpu) {
		struct per_cpu_pages *lists = lists_of(zone, cpu);

		put(s, cpu);
		put(s, lists->count);
		put(s, lists->high);
		put(s, lists->batch);
#if SINCE(6, 7)
		put(s, lists->high_min);
		put(s, lists->high_max);
		put(s, lists->alloc_factor);
		put(s, lists->free_count);
		put(s, lists->flags);
#elif SINCE(5, 13)
		put(s, lists->free_factor);
#endif
		put(s, stat_threshold_of(zone, cpu));
		put(s, free_diff_of(zone, cpu));
		for (list = 0; list < PCP_LISTS; list++) {
			at = s->count;
			put(s, 0);
			list_for_each_entry(page, &lists->lists[list], lru) {
				put(s, page_to_pfn(page));
				put(s, cached_type(page));
			}
			if (at < s->room)
				s->words[at] = (s->count - at - 1) / 2;
		}
	}
}

static void shoot_zone(struct shot *s, struct zone *zone)
{
	unsigned long pfn, end = zone->zone_start_pfn + zone->spanned_pages, run = 0;
	unsigned int at;
	int i;

	put(s, zone_idx(zone));
	put(s, zone->zone_start_pfn);
	put(s, zone->spanned_pages);
	put(s, zone->present_pages);
	put(s, zone_managed_pages(zone));
	for (i = 0; i < 3; i++)
		put(s, zone->_watermark[i]);
	put(s, zone->watermark_boost);
	put(s, zone->nr_reserved_highatomic);
	put(s, free_highatomic(zone));
	put(s, zone->flags);
	put(s, atomic_long_read(&zone->vm_stat[NR_FREE_PAGES]));
	put(s, zone->percpu_drift_mark);
	for (i = 0; i < MAX_NR_ZONES; i++)
		put(s, zone->lowmem_reserve[i]);
	shoot_lists(s, zone);
	for (pfn = zone->zone_start_pfn & ~(pageblock_nr_pages - 1); pfn < end; pfn += pageblock_nr_pages)
		put(s, pfn_valid(pfn) ? block_flags(pfn) : 0);
	at = s->count;
	put(s, 0);
	for (pfn = zone->zone_start_pfn; pfn <= end; pfn++) {
		struct page *page = pfn < end && pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;

		if (page && page_zone(page) == zone && !PageBuddy(page) && counts_as_movable(page)) {
			if (!run++)
				put(s, pfn);
		} else if (run) {
			put(s, run);
			run = 0;
		}
	}
	if (at < s->room)
		s->words[at] = (s->count - at - 1) / 2;
}

static void shoot(struct shot *s)
{
	struct zone *zone;

	for (zone = NODE_DATA(0)->node_zones; zone < NODE_DATA(0)->node_zones + MAX_NR_ZONES; zone++)
		if (zone_managed_pages(zone))
			shoot_zone(s, zone);
	put(s, ~0u);
}

/* --- scenarios ------------------------------------------------------------------------------------------------------------------------ */

static const unsigned char plain[] = { NOWAIT, NOWAIT_MOVABLE, NOWAIT_RECLAIMABLE, 0xff };
static const unsigned char quiet[] = { NOKSWAPD, NOKSWAPD_MOVABLE, NOKSWAPD_RECLAIMABLE, 0xff };
static const unsigned char pressed[] = { ATOMIC, ATOMIC, ATOMIC_MOVABLE, NOWAIT, NOWAIT_MOVABLE, NOWAIT_RECLAIMABLE, MEMALLOC,
					 HIGH_NOMEMALLOC, 0xff };
static const unsigned char hurried[] = { ATOMIC, ATOMIC, ATOMIC_MOVABLE, HIGH_NOMEMALLOC, NOWAIT, 0xff };
static const unsigned char everywhere[] = { NOWAIT, NOWAIT_MOVABLE, NOWAIT_RECLAIMABLE, DMA_NOWAIT, DMA_NOWAIT, ATOMIC, 0xff };

enum fill { FRESH, FULL, HALF, HOLES };

struct plan {
	const char *name;
	const unsigned char *gfps;
	/* How often each order is asked for. */
	unsigned char weights[ORDERS];
	enum fill fill;
	/* Pages of the sampled zone that filling and the run leave; 0: until it fails. */
	unsigned int leave;
	/* Requests of one kind in a row, and out of 100 calls how many are bulk ones. */
	unsigned int burst, bulk;
	bool in_order;
};

static const struct plan plans[] = {
	{ "mixed", plain, { 40, 12, 8, 6, 4, 2, 2, 1, 1, 1, 1 }, FRESH, 400, 1, 0 },
	{ "mid", plain, { 4, 8, 8, 8, 8, 6, 4, 2, 1, 1, 1 }, FRESH, 300, 1, 0 },
	{ "high", plain, { 1, 1, 1, 1, 2, 4, 4, 4, 4, 6, 4 }, FRESH, 300, 1, 0 },
	{ "pcp", plain, { 20, 8, 6, 6, 0, 0, 0, 0, 0, 1, 0 }, FRESH, 400, 40, 0 },
	{ "tune", plain, { 10, 4, 2, 2, 0, 0, 0, 0, 0, 1, 0 }, FRESH, 400, 400, 0 },
	{ "seqfree", plain, { 20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, FRESH, 400, 200, 0, true },
	{ "bulk", plain, { 20, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0 }, FRESH, 400, 1, 25 },
	{ "fillfrag", plain, { 20, 8, 6, 4, 4, 3, 2, 2, 1, 1, 1 }, HALF, 200, 1, 0 },
	{ "fillhole", plain, { 16, 8, 6, 4, 4, 3, 2, 2, 1, 1, 1 }, HOLES, 200, 1, 0 },
	{ "nokswapd", quiet, { 16, 8, 6, 4, 4, 3, 2, 2, 1, 1, 1 }, HALF, 100, 1, 0 },
	{ "atomic", pressed, { 16, 10, 8, 6, 4, 3, 2, 1, 0, 0, 0 }, FULL, 0, 3, 0 },
	{ "bigatomic", hurried, { 4, 4, 4, 4, 2, 1, 1, 1, 1, 4, 3 }, HALF, 0, 1, 0 },
	{ "zones", everywhere, { 20, 10, 8, 6, 4, 2, 2, 1, 1, 1, 1 }, HALF, 0, 2, 2 },
};

static int pick_gfp(const struct plan *p)
{
	unsigned int n = 0;

	while (p->gfps[n] != 0xff)
		n++;
	return p->gfps[chance(n)];
}

static int pick_order(const struct plan *p)
{
	unsigned int sum = 0, at;
	int order;

	for (order = 0; order < ORDERS; order++)
		sum += p->weights[order];
	at = chance(sum);
	for (order = 0; at >= p->weights[order]; order++)
		at -= p->weights[order];
	return order;
}

static bool enough_left(const struct plan *p)
{
	return atomic_long_read(&ref->vm_stat[NR_FREE_PAGES]) > p->leave;
}

/* Fills the memory with single pages of all types, in stretches, and frees of them what the scenario wants freed. */
static void fill(const struct plan *p)
{
	unsigned int i, until = most / 2, stop;
	int gfp = pick_gfp(p);

	if (p->fill == FRESH)
		return;
	while (recorded_count < until && room_left(64) && enough_left(p)) {
		if (!chance(60))
			gfp = pick_gfp(p);
		if (!take(gfp, chance(12) ? 0 : chance(4)))
			break;
	}
	stop = p->fill == FULL ? held_count / 16 : held_count / 2;
	for (i = 0; i < stop && room_left(64); i++) {
		if (p->fill == HOLES) {
			if (i >= held_count)
				break;
			give_in_order(i);
		} else {
			give(chance(held_count));
		}
	}
}

static void run(const struct plan *p)
{
	unsigned int end = recorded_count + steps, left = 0, failures = 0;
	bool freeing = false;
	int gfp = 0, order = 0;

	while (recorded_count < end && room_left(128)) {
		if (!left) {
			left = p->burst > 1 ? 1 + chance(p->burst) : 1;
			gfp = pick_gfp(p);
			order = pick_order(p);
			if (p->burst > 1)
				freeing = held_count > 8 && (failures > 2 || !enough_left(p) || chance(2));
			else
				freeing = held_count > 8 && (failures > 2 || !enough_left(p) || chance(100) < 45);
			if (freeing && failures > 2) {
				/* The memory is used up: make room for a while. */
				left = held_count / 4 + 1;
				failures = 0;
			}
		}
		left--;
		if (freeing && held_count) {
			if (p->in_order)
				give_in_order(0);
			else
				give(p->burst > 1 && chance(4) ? held_count - 1 : chance(held_count));
			continue;
		}
		if (p->bulk && chance(100) < p->bulk)
			take_bulk(gfp, 1 + chance(60));
		else if (!take(gfp, order))
			failures++;
	}
}

/* --- the transcript ------------------------------------------------------------------------------------------------------------------- */

static void say_zone(const unsigned int **at, const char *when)
{
	const unsigned int *w = *at;
	unsigned int nr_free[ORDERS], start, spanned, n, i, blocks;
	const unsigned int *lists;
	int order, type, cpu, list;
	bool first = true;

	start = w[1];
	spanned = w[2];
	say("{\"t\":\"zone\",\"when\":\"%s\",\"zone\":\"%s\",\"idx\":%u,\"start_pfn\":%u,\"spanned\":%u,\"present\":%u,\"managed\":%u", when,
	    NODE_DATA(0)->node_zones[w[0]].name, w[0], start, spanned, w[3], w[4]);
	say(",\"watermark\":[%u,%u,%u],\"watermark_boost\":%u,\"nr_reserved_highatomic\":%u", w[5], w[6], w[7], w[8], w[9]);
	if (STATE == 10)
		say(",\"nr_free_highatomic\":%u", w[10]);
	say(",\"flags\":%u,\"vm_stat_nr_free_pages\":%u,\"percpu_drift_mark\":%u,\"lowmem_reserve\":[", w[11], w[12], w[13]);
	w += 14;
	for (i = 0; i < MAX_NR_ZONES; i++)
		say("%s%u", i ? "," : "", *w++);
	say("],\"nr_free\":[");
	lists = w;
	for (order = 0; order < ORDERS; order++) {
		for (type = 0; type < MIGRATE_TYPES; type++)
			w += 1 + *w;
		nr_free[order] = *w++;
		say("%s%u", order ? "," : "", nr_free[order]);
	}
	say("],\"free\":{");
	w = lists;
	for (order = 0; order < ORDERS; order++, w++)
		for (type = 0; type < MIGRATE_TYPES; type++) {
			n = *w++;
			if (n) {
				say("%s\"%d/%d\":[", first ? "" : ",", order, type);
				for (i = 0; i < n; i++)
					say("%s%u", i ? "," : "", w[i]);
				say("]");
				first = false;
			}
			w += n;
		}
	say("},\"pcp\":[");
	first = true;
	for_each_online_cpu(cpu) {
		say("%s{\"cpu\":%u,\"count\":%d,\"high\":%d,\"batch\":%d", first ? "" : ",", w[0], (int)w[1], (int)w[2], (int)w[3]);
		first = false;
		w += 4;
#if SINCE(6, 7)
		say(",\"high_min\":%d,\"high_max\":%d,\"alloc_factor\":%d,\"free_count\":%d,\"flags\":%d", (int)w[0], (int)w[1], (int)w[2],
		    (int)w[3], (int)w[4]);
		w += 5;
#elif SINCE(5, 13)
		say(",\"free_factor\":%d", (int)*w++);
#endif
		say(",\"stat_threshold\":%d,\"nr_free_diff\":%d,\"lists\":{", (int)w[0], (int)w[1]);
		w += 2;
		blocks = 0;
		for (list = 0; list < PCP_LISTS; list++) {
			n = *w++;
			if (n) {
				say("%s\"%d\":[", blocks++ ? "," : "", list);
				for (i = 0; i < n; i++)
					say("%s[%u,%d]", i ? "," : "", w[2 * i], (int)w[2 * i + 1]);
				say("]");
			}
			w += 2 * n;
		}
		say("}}");
	}
	say("],\"pageblock_flags\":[");
	blocks = ((start + spanned - 1) >> pageblock_order) - (start >> pageblock_order) + 1;
	for (i = 0; i < blocks; i++)
		say("%s%u", i ? "," : "", *w++);
	n = *w++;
	say("],\"lru_or_movable_ranges\":[");
	for (i = 0; i < n; i++, w += 2)
		say("%s[%u,%u]", i ? "," : "", w[0], w[1]);
	say("]}\n");
	*at = w;
}

static void say_shot(const struct shot *s, const char *when)
{
	const unsigned int *at = s->words;

	while (*at != ~0u)
		say_zone(&at, when);
}

static void say_step(unsigned int number, const struct step *s)
{
	unsigned int i;

	if (s->kind == 'p') {
		say("{\"t\":\"bp\",\"i\":%u,\"id\":%d,\"pfn\":%ld,\"z\":%u}\n", number, s->id, s->pfn, s->zone);
		return;
	}
	say("{\"t\":\"%c\",\"i\":%u", s->kind, number);
	if (s->kind == 'b')
		say(",\"g\":\"%s\",\"want\":%d,\"got\":%ld", gfps[s->gfp].name, s->id, s->pfn);
	else if (s->kind == 'f')
		say(",\"id\":%d,\"pfn\":%ld,\"o\":%u,\"z\":%u,\"pb\":%u", s->id, s->pfn, s->order, s->zone, s->block);
	else if (s->pfn < 0)
		say(",\"g\":\"%s\",\"o\":%u,\"pfn\":null", gfps[s->gfp].name, s->order);
	else
		say(",\"g\":\"%s\",\"o\":%u,\"id\":%d,\"pfn\":%ld,\"z\":%u,\"pb\":%u", gfps[s->gfp].name, s->order, s->id, s->pfn, s->zone,
		    s->block);
	say(",\"s\":[");
	for (i = 0; i < STATE; i++)
		say("%s%d", i ? "," : "", s->state[i]);
	say("]");
	if (s->events) {
		say(",\"ev\":[");
		for (i = 0; i < s->events; i++) {
			const struct event *e = &events[s->first_event + i];

			say("%s[\"%c\",%u,%d,%d", i ? "," : "", e->letter, e->pfn, e->values[0], e->values[1]);
			if (e->letter == 'Z')
				say(",%d", e->values[2]);
			else if (e->letter == 'X')
				say(",%d,%d,%u", e->values[2], e->values[3], e->block);
			say("]");
		}
		say("]");
	}
	say("}\n");
}

static void say_all(unsigned int held_at_end)
{
	unsigned int i;

	say("{\"t\":\"run\",\"format\":\"" FORMAT "\",");
	say_kernel();
	say(",\"recorder\":\"skblab_buddy\",\"scenario\":\"%s\",\"seed\":%u,\"n\":%u,\"cpu\":%d,\"nr_cpus_online\":%u", scenario, seed, steps, self,
	    num_online_cpus());
	say(",\"rt_task\":%d,\"task_flags\":%u,\"max_order\":%d,\"pageblock_order\":%d,\"page_shift\":%d,\"nr_pcp_lists\":%d,\"migrate_types\":%d",
	    rt_task(current), current->flags, ORDERS, pageblock_order, PAGE_SHIFT, PCP_LISTS, MIGRATE_TYPES);
	say(",\"watermark_boost_factor\":%u,\"page_group_by_mobility_disabled\":%u,\"defrag_mode\":%u,\"refzone\":%d", boost_factor, grouping_off,
	    defrag_mode, (int)zone_idx(ref));
#ifdef CONFIG_PCP_BATCH_SCALE_MAX
	say(",\"pcp_batch_scale_max\":%d", CONFIG_PCP_BATCH_SCALE_MAX);
#endif
	say(",\"nops\":%u,\"held_at_end\":%u,\"events\":%u,\"events_lost\":%u,\"snap_lost\":%d", recorded_count, held_at_end, event_count,
	    events_lost, shots[0].lost || shots[1].lost);
	say(",\"s_fields\":[" STATE_NAMES "],\"gfps\":{");
	for (i = 0; i < GFPS; i++)
		say("%s\"%s\":%u", i ? "," : "", gfps[i].name, (__force unsigned int)gfps[i].mask);
	say("}}\n");
	say_shot(&shots[0], "before");
	for (i = 0; i < recorded_count; i++)
		say_step(i, &recorded[i]);
	say_shot(&shots[1], "after");
	say_end();
}

/* --- from here ------------------------------------------------------------------------------------------------------------------------ */

static void drop_room(void)
{
	vfree(recorded);
	vfree(events);
	vfree(held);
	vfree(bulk);
	vfree(shots[0].words);
	vfree(shots[1].words);
}

static int make_room(void)
{
	unsigned long pages = 0;
	struct zone *zone;
	int i;

	for (zone = NODE_DATA(0)->node_zones; zone < NODE_DATA(0)->node_zones + MAX_NR_ZONES; zone++)
		pages += zone->spanned_pages;
	event_room = most * 4;
	recorded = vzalloc(most * sizeof(*recorded));
	events = vzalloc(event_room * sizeof(*events));
	held = vzalloc(most * sizeof(*held));
	bulk = vzalloc(256 * sizeof(*bulk));
	for (i = 0; i < 2; i++) {
		shots[i].room = pages / 3 + 65536;
		shots[i].words = vzalloc(shots[i].room * sizeof(unsigned int));
	}
	return recorded && events && held && bulk && shots[0].words && shots[1].words ? 0 : -ENOMEM;
}

static const struct plan *plan_named(const char *name)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(plans); i++)
		if (!strcmp(plans[i].name, name))
			return &plans[i];
	return NULL;
}

static void choose_zone(void)
{
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &NODE_DATA(0)->node_zones[i];

		if (zone_managed_pages(zone) && (i == refzone || refzone >= MAX_NR_ZONES))
			ref = zone;
	}
}

static int __init buddy_init(void)
{
	const struct plan *p = plan_named(scenario);
	unsigned int held_at_end;
	unsigned long flags;
	int failed;

	if (!p)
		return -EINVAL;
	choose_zone();
	if (!ref)
		return -ENODEV;
	chance_seed(seed);
	failed = make_room();
	if (!failed)
		failed = listen();
	if (failed)
		goto out;
	self = raw_smp_processor_id();
	set_cpus_allowed_ptr(current, cpumask_of(self));
	failed = park_others();
	if (!failed) {
		local_irq_save(flags);
		shoot(&shots[0]);
		recording = true;
		fill(p);
		run(p);
		recording = false;
		shoot(&shots[1]);
		touch_softlockup_watchdog();
		local_irq_restore(flags);
		unpark();
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	forget_points();
	held_at_end = held_count;
	while (held_count) {
		struct held h = held[--held_count];

		__free_pages(h.page, h.order);
	}
	if (!failed) {
		size_t room = 65536 + 24ul * (shots[0].count + shots[1].count) + 200ul * recorded_count + 48ul * event_count;

		failed = sink_open(room);
	}
	if (!failed) {
		say_all(held_at_end);
		sink_publish("skblab_buddy");
	}
out:
	drop_room();
	return failed;
}

static void __exit buddy_exit(void)
{
	sink_close();
}

module_init(buddy_init);
module_exit(buddy_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("skblab: records the page allocator");
