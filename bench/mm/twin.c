/* The C twin of src/model/mm: the same rules (watermarks, per-CPU lists, mobility grouping, stealing, boost, atomic reserve) on the same
 * 16-byte page records, written for the bench only. Reads a machine from stdin as numbers, runs one workload, prints
 * "nanoseconds-of-CPU-per-op checksum failures". */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ORDERS = 11, TOP = 10, BLOCK = 9, TYPES = 8, LISTS = 14, MAXZ = 16, MAXC = 64 };
enum { F_LOW = 1, F_NOWM = 4, F_OOM = 8, F_NONBLOCK = 16, F_HIGH = 32, F_NOFRAG = 256, F_HIGHATOMIC = 512, F_KSWAPD = 2048 };
enum { BUDDY = 1 << 5, TAKEN = 2 << 5, HEADMASK = 0x3fff, FREEZE = 1 << 17 };
#define RESERVES (F_OOM | F_NONBLOCK | F_HIGH | F_HIGHATOMIC)

struct page { int32_t next, prev, word, refs; };
struct pcp { int count, high, batch, factor, threshold, diff; };
struct zone {
	int start, end, type, managed, free, mark[3], boost, reserved, flags;
	int lowmem[8];
	int nr_free[ORDERS];
	struct pcp pcp[MAXC];
};

static struct page *map;
static uint8_t *block_type;
static struct zone zones[MAXZ];
static int nzones, ncpus, npages, free_base, pcp_base, nofrag_type;
static int zonelist[8][MAXZ + 1];
static int cpu;

static inline int list_of(int z, int order, int type) { return free_base + (z * 16 + order) * TYPES + type; }
static inline int type_of(int pfn) { return block_type[pfn >> BLOCK] & 7; }
static inline void set_type(int pfn, int t) { block_type[pfn >> BLOCK] = (block_type[pfn >> BLOCK] & 8) | t; }

static inline void link_after(int at, int p)
{
	int n = map[at].next;
	map[p].next = n; map[p].prev = at; map[at].next = p; map[n].prev = p;
}
static inline void unlink_page(int p)
{
	int n = map[p].next, q = map[p].prev;
	map[q].next = n; map[n].prev = q;
}
static inline void mod_free(struct zone *zn, int delta)
{
	struct pcp *c = &zn->pcp[cpu];
	int x = c->diff + delta;
	if (x > c->threshold || x < -c->threshold) { zn->free += x; x = 0; }
	c->diff = x;
}
static inline void add_head(int p, int z, int order, int type)
{
	link_after(list_of(z, order, type), p);
	map[p].word = z << 8 | BUDDY | order;
	zones[z].nr_free[order]++;
}
static inline void add_tail(int p, int z, int order, int type)
{
	link_after(map[list_of(z, order, type)].prev, p);
	map[p].word = z << 8 | BUDDY | order;
	zones[z].nr_free[order]++;
}
static inline void remove_block(int p, int z, int order)
{
	unlink_page(p);
	map[p].word = 0;
	zones[z].nr_free[order]--;
}
static inline int first_of(int z, int order, int type)
{
	int l = list_of(z, order, type), p = map[l].next;
	return p == l ? -1 : p;
}
static inline int is_empty(int z, int order, int type) { int l = list_of(z, order, type); return map[l].next == l; }

static int smallest(int z, int order, int type)
{
	for (int o = order; o <= TOP; o++) {
		int p = first_of(z, o, type);
		if (p < 0)
			continue;
		unlink_page(p);
		zones[z].nr_free[o]--;
		for (int k = o - 1; k >= order; k--)
			add_head(p + (1 << k), z, k, type);
		map[p].word = type << 14 | z << 8 | TAKEN | order;
		return p;
	}
	return -1;
}
static inline int is_free(int p, int z, int order) { return (map[p].word & HEADMASK) == (z << 8 | BUDDY | order); }

static void free_one(int p, int z, int order, int type, int to_tail)
{
	int buddy = 0, freed = p;
	mod_free(&zones[z], 1 << order);
	while (order < TOP) {
		buddy = p ^ (1 << order);
		if (!is_free(buddy, z, order))
			break;
		if (order >= BLOCK) {
			int bt = type_of(buddy);
			if (type != bt && (type >= 3 || bt >= 3))
				break;
		}
		remove_block(buddy, z, order);
		p &= buddy;
		order++;
	}
	if (p != freed)
		map[freed].word = 0;
	if (to_tail || (order < TOP - 1 && is_free((p & buddy) ^ (2 << order), z, order + 1)))
		add_tail(p, z, order, type);
	else
		add_head(p, z, order, type);
}

static const int fallback[3][2] = { { 2, 1 }, { 2, 0 }, { 0, 1 } };

static int find_fallback(int z, int order, int type)
{
	if (!zones[z].nr_free[order])
		return -1;
	if (!is_empty(z, order, fallback[type][0]))
		return fallback[type][0];
	return is_empty(z, order, fallback[type][1]) ? -1 : fallback[type][1];
}
static inline void move_to(int p, int z, int order, int type)
{
	unlink_page(p);
	link_after(map[list_of(z, order, type)].prev, p);
}
static int move_block(int around, int z, int type, int *movable)
{
	int p = around & -(1 << BLOCK), end = p + (1 << BLOCK), moved = 0;
	*movable = 0;
	if (p < zones[z].start)
		p = around;
	if (end > zones[z].end)
		return 0;
	while (p < end) {
		int w = map[p].word;
		if ((w & 0xe0) != BUDDY) {
			if (w & (3 << 17))
				++*movable;
			p++;
			continue;
		}
		move_to(p, z, w & 31, type);
		moved += 1 << (w & 31);
		p += 1 << (w & 31);
	}
	return moved;
}
static int boost(struct zone *zn)
{
	long most;
	if (4 << BLOCK > zn->managed)
		return 0;
	most = (long)zn->mark[2] * 15000 / 10000;
	if (!most)
		return 0;
	if (most < 1 << BLOCK)
		most = 1 << BLOCK;
	zn->boost = zn->boost + (1 << BLOCK) < most ? zn->boost + (1 << BLOCK) : most;
	return 1;
}
static void steal(int p, int z, int flags, int type, int whole)
{
	int order = map[p].word & 31, old = type_of(p), moved, movable, alike;
	if (old == 3) { move_to(p, z, order, type); return; }
	if (order >= BLOCK) {
		for (int k = p; k < p + (1 << order); k += 1 << BLOCK)
			set_type(k, type);
		move_to(p, z, order, type);
		return;
	}
	if (boost(&zones[z]) && (flags & F_KSWAPD))
		zones[z].flags |= 1;
	if (!whole) { move_to(p, z, order, type); return; }
	moved = move_block(p, z, type, &movable);
	if (!moved) { move_to(p, z, order, type); return; }
	alike = type == 1 ? movable : old == 1 ? (1 << BLOCK) - (moved + movable) : 0;
	if (moved + alike >= 1 << (BLOCK - 1))
		set_type(p, type);
}
static int fall_back(int z, int order, int type, int flags)
{
	int lowest = order < BLOCK && (flags & F_NOFRAG) ? BLOCK : order, o, other = -1, whole;
	for (o = TOP; o >= lowest; o--)
		if ((other = find_fallback(z, o, type)) >= 0)
			break;
	if (other < 0)
		return 0;
	whole = o >= BLOCK / 2 || type != 1;
	if (!whole && type == 1 && o > order) {
		for (o = order; (other = find_fallback(z, o, type)) < 0; o++)
			;
		whole = o >= BLOCK / 2;
	}
	steal(first_of(z, o, other), z, flags, type, whole);
	return 1;
}
static int rmqueue(int z, int order, int type, int flags)
{
	for (;;) {
		int p = smallest(z, order, type);
		if (p >= 0 || !fall_back(z, order, type, flags))
			return p;
	}
}

static inline int index_of(int type, int order) { return order <= 3 ? 3 * order + type : 12 + (type == 1); }
static inline int pcp_list(int z, int c, int i) { return pcp_base + (z * ncpus + c) * LISTS + i; }

static int pcp_take(int z, int order, int type, int flags)
{
	struct pcp *c = &zones[z].pcp[cpu];
	int list = pcp_list(z, cpu, index_of(type, order)), p;
	c->factor >>= 1;
	p = map[list].next;
	if (p == list) {
		int blocks = c->batch, got = 0, i;
		if (blocks > 1)
			blocks = (blocks >> order) > 2 ? blocks >> order : 2;
		for (i = 0; i < blocks; i++) {
			int q = rmqueue(z, order, type, flags);
			if (q < 0)
				break;
			if (map[q].refs)
				continue;
			link_after(map[list].prev, q);
			got++;
		}
		mod_free(&zones[z], -(i << order));
		c->count += got << order;
		p = map[list].next;
		if (p == list)
			return -1;
	}
	unlink_page(p);
	c->count -= 1 << order;
	return p;
}
static void drain_some(int z, int wanted, int first)
{
	struct pcp *c = &zones[z].pcp[cpu];
	int count = c->count < wanted ? c->count : wanted, low = 0, high = LISTS - 1, index = first - 1;
	while (count > 0) {
		int list, order, p;
		for (;;) {
			if (++index > high)
				index = low;
			list = pcp_list(z, cpu, index);
			if (map[list].next != list)
				break;
			if (index == high) high--;
			if (index == low) low++;
		}
		order = index < 12 ? index / 3 : BLOCK;
		p = map[list].prev;
		do {
			unlink_page(p);
			count -= 1 << order;
			c->count -= 1 << order;
			if (!map[p].refs)
				free_one(p, z, order, map[p].word >> 14 & 7, 0);
			p = map[list].prev;
		} while (count > 0 && p != list);
	}
}
static void pcp_free(int p, int z, int order, int type)
{
	struct pcp *c = &zones[z].pcp[cpu];
	int index = index_of(type, order), all, high, n;
	link_after(pcp_list(z, cpu, index), p);
	c->count += 1 << order;
	all = order > 0 && order <= 3 && c->factor > 0;
	high = all ? 0 : c->high;
	if (!all && (zones[z].flags & 2) && high > c->batch << 2)
		high = c->batch << 2;
	if (c->count < high)
		return;
	if (all)
		n = c->count;
	else if (high < c->batch)
		n = 1;
	else {
		int most = high - c->batch;
		n = c->batch << c->factor;
		if (n < most && c->factor < 5)
			c->factor++;
		if (n < c->batch) n = c->batch;
		if (n > most) n = most;
	}
	drain_some(z, n, index);
}

static int mark_ok(struct zone *zn, int order, int mark, int highest, int flags)
{
	int free = zn->free < 0 ? 0 : zn->free, min = mark;
	int unusable = (1 << order) - 1 + (flags & RESERVES ? 0 : zn->reserved);
	if (!order && free - (unusable < free ? unusable : free) > mark + zn->lowmem[highest])
		return 1;
	if (flags & RESERVES) {
		if (flags & F_HIGH) {
			min -= min >> 1;
			if (flags & F_NONBLOCK)
				min -= min >> 2;
		}
		if (flags & F_OOM)
			min -= min >> 1;
	}
	if (free - unusable <= min + zn->lowmem[highest])
		return 0;
	if (!order)
		return 1;
	for (int o = order; o <= TOP; o++) {
		int z = zn - zones;
		if (!zn->nr_free[o])
			continue;
		if (!is_empty(z, o, 0) || !is_empty(z, o, 1) || !is_empty(z, o, 2))
			return 1;
		if ((flags & (F_HIGHATOMIC | F_OOM)) && !is_empty(z, o, 3))
			return 1;
	}
	return 0;
}
static int zone_ok(struct zone *zn, int order, int mark, int highest, int flags, int atomic)
{
	if (mark_ok(zn, order, mark, highest, flags))
		return 1;
	return !order && atomic && zn->boost && !(flags & 3) && mark_ok(zn, 0, zn->mark[0], highest, flags);
}
static void reserve(int p, int z)
{
	int movable;
	if (zones[z].reserved >= zones[z].managed / 100 + (1 << BLOCK) || type_of(p) >= 3)
		return;
	zones[z].reserved += 1 << BLOCK;
	set_type(p, 3);
	move_block(p, z, 3, &movable);
}
static int buddy_take(int z, int order, int type, int flags)
{
	for (;;) {
		int p = -1;
		if (flags & F_HIGHATOMIC)
			p = smallest(z, order, 3);
		if (p < 0)
			p = rmqueue(z, order, type, flags);
		if (p < 0 && (flags & (F_OOM | F_NONBLOCK)))
			p = smallest(z, order, 3);
		if (p < 0)
			return -1;
		mod_free(&zones[z], -(1 << order));
		if (!map[p].refs)
			return p;
	}
}
static int from_freelist(int gfp, int order, int flags, int highest, int type)
{
	int nofall = flags & F_NOFRAG;
	for (;;) {
		for (int k = 0; zonelist[highest][k] >= 0; k++) {
			int z = zonelist[highest][k], p = -1;
			struct zone *zn = &zones[z];
			if (!zone_ok(zn, order, zn->mark[flags & 3] + zn->boost, highest, flags, gfp & 0x200) && !(flags & F_NOWM))
				continue;
			if (order <= 3 || order == BLOCK)
				p = pcp_take(z, order, type, flags);
			if (p < 0)
				p = buddy_take(z, order, type, flags);
			if (zn->flags & 1)
				zn->flags &= ~1;
			if (p < 0)
				continue;
			map[p].refs = 1;
			if ((order && (gfp & 0x40000)) || (flags & F_NOWM))
				map[p].word |= (order && (gfp & 0x40000) ? 1 << 20 : 0) | (flags & F_NOWM ? 1 << 19 : 0);
			if (flags & F_HIGHATOMIC)
				reserve(p, z);
			return p;
		}
		if (!nofall || !(flags & F_NOFRAG))
			return -1;
		flags &= ~F_NOFRAG;
	}
}
static int alloc_pages(int gfp, int order)
{
	int highest = gfp & 1 ? 0 : gfp & 4 ? 1 : 2, type = gfp & 8 ? 1 : gfp & 16 ? 2 : 0, flags = F_LOW, p;
	if (gfp & 0x800)
		flags |= F_KSWAPD;
	if (zones[zonelist[highest][0]].type == nofrag_type)
		flags |= F_NOFRAG;
	p = from_freelist(gfp, order, flags, highest, type);
	if (p >= 0)
		return p;
	flags = gfp & (0x20 | 0x800);
	if (!(gfp & 0x80000)) {
		flags |= F_NONBLOCK;
		if (order && (gfp & 0x20))
			flags |= F_HIGHATOMIC;
	}
	p = from_freelist(gfp, order, flags, highest, type);
	return p >= 0 ? p : from_freelist(gfp, order, flags, highest, type);
}
static void free_pages(int p, int order)
{
	int w = map[p].word, refs = map[p].refs, type, z;
	if ((w & 0xff) != (TAKEN | order) || refs <= 0) {
		fprintf(stderr, "bad free %d %d\n", p, order);
		exit(1);
	}
	map[p].refs = refs - 1;
	if (refs != 1)
		return;
	z = w >> 8 & 0x3f;
	type = type_of(p);
	if (order <= 3 || order == BLOCK) {
		map[p].word = (w & HEADMASK) | type << 14;
		pcp_free(p, z, order, type < 3 ? type : 1);
	} else
		free_one(p, z, order, type, 0);
}

static long num(void)
{
	long v;
	if (scanf("%ld", &v) != 1)
		exit(2);
	return v;
}
static void boot(void)
{
	nzones = num(); ncpus = num(); npages = num(); nofrag_type = num();
	free_base = npages;
	pcp_base = free_base + nzones * 16 * TYPES;
	int records = pcp_base + nzones * ncpus * LISTS;
	map = calloc(records, sizeof *map);
	for (int i = npages; i < records; i++)
		map[i].next = map[i].prev = i;
	block_type = malloc((npages >> BLOCK) + 2);
	memset(block_type, 1, (npages >> BLOCK) + 2);
	for (int h = 0; h < 3; h++) {
		int n = num();
		for (int k = 0; k < n; k++)
			zonelist[h][k] = num();
		zonelist[h][n] = -1;
	}
	for (int z = 0; z < nzones; z++) {
		struct zone *zn = &zones[z];
		zn->start = num(); zn->end = num(); zn->type = num(); zn->managed = num();
		int ranges = num();
		for (int r = 0; r < ranges; r++) {
			int p = num(), end = num();
			while (p < end) {
				int o = p ? __builtin_ctz(p) : TOP;
				if (o > TOP) o = TOP;
				while (p + (1 << o) > end) o--;
				free_one(p, z, o, 1, 1);
				p += 1 << o;
			}
		}
		for (int i = 0; i < 3; i++) zn->mark[i] = num();
		for (int i = 0; i < 4; i++) zn->lowmem[i] = num();
		for (int c = 0; c < ncpus; c++) {
			zn->pcp[c].high = num(); zn->pcp[c].batch = num(); zn->pcp[c].threshold = num();
		}
	}
}

static const int gfps[4] = { 10240, 10248, 10256, 10248 };

int main(int argc, char **argv)
{
	int mixed, mask, failures = 0;
	long ops, warm;
	int32_t *live;
	uint32_t rng = 2463534242u, sum = 0;
	int8_t orders[1024];
	struct timespec a, b;
	if (argc < 5)
		return 2;
	mixed = !strcmp(argv[1], "mixed");
	mask = (1 << atoi(argv[2])) - 1;
	ops = atol(argv[3]);
	warm = atol(argv[4]);
	boot();
	live = malloc(sizeof *live * (mask + 1));
	for (int i = 0; i <= mask; i++) live[i] = -1;
	for (int i = 0; i < 1024; i++) orders[i] = i < 717 ? 0 : 1 + (i - 717) * 5 / 307;
	for (long i = -warm; i < ops; i++) {
		int slot, held;
		if (i == 0) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		rng ^= rng << 13; rng ^= rng >> 17; rng ^= rng << 5;
		slot = (rng >> 4) & mask;
		held = live[slot];
		if (mixed) {
			if (held >= 0) {
				free_pages(held >> 3, held & 7);
				live[slot] = -1;
			} else {
				int order, p;
				rng ^= rng << 13; rng ^= rng >> 17; rng ^= rng << 5;
				order = orders[(rng >> 8) & 1023];
				p = alloc_pages(gfps[rng >> 30], order);
				if (p < 0) failures++;
				else { live[slot] = p << 3 | order; sum = sum * 31 + p; }
			}
		} else {
			int p;
			if (held >= 0) free_pages(held >> 3, 0);
			p = alloc_pages(10240, 0);
			live[slot] = p << 3;
			sum = sum * 31 + p;
		}
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	printf("%.3f %u %d\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / ops, sum, failures);
	return 0;
}
