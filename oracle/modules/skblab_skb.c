// SPDX-License-Identifier: GPL-2.0
/*
 * Records sk_buffs: seeded operations on six slots with every field of every packet after each (mode 0), or what each size gets from each way of
 * allocating (mode 1). Format: docs/your-kernel.md (ora_skb). It stays on one CPU and no device is involved.
 *
 * Bytes come from a counter that goes up by 7 a byte and starts at the seed: what put and push open is written from it, and so is each page made
 * for a fragment. The recorder keeps one reference of its own on those pages.
 */
#include <linux/cpumask.h>
#include <linux/netdevice.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include "skblab.h"

static unsigned int seed = 1, steps = 600, mode;
module_param(seed, uint, 0444);
module_param(steps, uint, 0444);
module_param(mode, uint, 0444);

#define SLOTS 6
#define PAGES 512
#define BUDGET 64
#define HASHED 65536

static struct sk_buff *slots[SLOTS];
static struct {
	struct page *page;
	unsigned int order;
} made[PAGES];
static unsigned int pages_made, step_number;
static u8 fill;
static struct napi_struct napi;

/* --- dumping ---------------------------------------------------------------------------------------------------------------------------- */

static u32 fnv(struct sk_buff *skb)
{
	u32 hash = 2166136261u;
	unsigned int at, n, i, end = min_t(unsigned int, skb->len, HASHED);
	u8 bytes[256];

	for (at = 0; at < end; at += n) {
		n = min_t(unsigned int, end - at, sizeof(bytes));
		if (skb_copy_bits(skb, at, bytes, n))
			break;
		for (i = 0; i < n; i++)
			hash = (hash ^ bytes[i]) * 16777619u;
	}
	return hash;
}

static void dump(struct sk_buff *skb, int slot)
{
	struct skb_shared_info *info = skb_shinfo(skb);
	struct page *page = virt_to_head_page(skb->head);
	unsigned int n = 0, i;
	struct sk_buff *member;

	say("{\"slot\":%d,\"skb\":\"%lx\",\"head\":\"%lx\",\"data\":%u,\"tail\":%u,\"end\":%u,\"len\":%u,\"data_len\":%u", slot, (unsigned long)skb,
	    (unsigned long)skb->head, skb_headroom(skb), (unsigned int)(skb_tail_pointer(skb) - skb->head),
	    (unsigned int)(skb_end_pointer(skb) - skb->head), skb->len, skb->data_len);
	say(",\"headroom\":%u,\"tailroom\":%d,\"truesize\":%u,\"users\":%u,\"cloned\":%d,\"nohdr\":%d,\"hdr_len\":%u,\"fclone\":%d,\"head_frag\":%d",
	    skb_headroom(skb), skb_tailroom(skb), skb->truesize, refcount_read(&skb->users), skb->cloned, skb->nohdr, skb->hdr_len, skb->fclone,
	    skb->head_frag);
#if SINCE(5, 14)
	say(",\"pp_recycle\":%d", skb->pp_recycle);
#endif
	say(",\"pfmemalloc\":%d,\"dataref\":%d,\"shflags\":%d,\"mac\":%u,\"net\":%u,\"trans\":%u", skb->pfmemalloc, atomic_read(&info->dataref),
#if SINCE(5, 13)
	    info->flags,
#else
	    0,
#endif
	    skb->mac_header, skb->network_header, skb->transport_header);
	say(",\"ksize\":%ld,\"head_page\":{\"pfn\":%lu,\"order\":%u,\"slab\":%d,\"count\":%d,\"off\":%lu}", skb->head_frag ? -1L : (long)ksize(skb->head),
	    page_to_pfn(page), compound_order(page), PageSlab(page) ? 1 : 0, page_count(page),
	    (unsigned long)((char *)skb->head - (char *)page_address(page)));
	say(",\"gso\":[%u,%u,%u],\"ip_summed\":%u,\"nr_frags\":%u,\"frags\":[", info->gso_size, info->gso_segs, info->gso_type, skb->ip_summed,
	    info->nr_frags);
	for (i = 0; i < info->nr_frags; i++) {
		skb_frag_t *f = &info->frags[i];

		say("%s{\"pfn\":%lu,\"off\":%u,\"size\":%u,\"count\":%d}", i ? "," : "", page_to_pfn(skb_frag_page(f)), (unsigned int)skb_frag_off(f),
		    skb_frag_size(f), page_count(skb_frag_page(f)));
	}
	say("],\"fnv\":%u,\"frag_list\":[", fnv(skb));
	skb_walk_frags(skb, member) {
		say("%s", n++ ? "," : "");
		dump(member, -1);
	}
	say("]}");
}

static void begin(const char *op)
{
	say("{\"t\":\"op\",\"i\":%u,\"op\":\"%s\"", step_number, op);
}

static void end(void)
{
	unsigned int n = 0;
	int i;

	say(",\"slots\":[");
	for (i = 0; i < SLOTS; i++)
		if (slots[i]) {
			say("%s", n++ ? "," : "");
			dump(slots[i], i);
		}
	say("]}\n");
}

/* --- making ---------------------------------------------------------------------------------------------------------------------------------- */

static void write_bytes(u8 *to, unsigned int n)
{
	while (n--) {
		fill += 7;
		*to++ = fill;
	}
}

static unsigned int make_page(void)
{
	unsigned int order = chance(4) ? 0 : 1 + chance(3);
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);

	if (!page)
		return 0;
	write_bytes(page_address(page), PAGE_SIZE << order);
	made[pages_made].page = page;
	made[pages_made].order = order;
	return pages_made++;
}

static unsigned int any_size(void)
{
	static const unsigned int often[] = { 0, 1, 64, 128, 192, 256, 320, 384, 385, 448, 640, 704, 705, 1500, 1514, 1700, 2048, 3776, 3777, 9000, 9018 };

	return chance(2) ? often[chance(ARRAY_SIZE(often))] : chance(chance(4) ? 2000 : 16000);
}

static void born(int to, struct sk_buff *skb)
{
	slots[to] = skb;
	say(",\"ret\":%d", skb != NULL);
	end();
}

static void new_skb(int to)
{
	unsigned int size = any_size(), fclone = chance(3) == 0;

	switch (chance(3)) {
	case 0:
		begin("alloc_skb");
		say(",\"dst\":%d,\"size\":%u,\"fclone\":%u", to, size, fclone);
		born(to, fclone ? alloc_skb_fclone(size, GFP_KERNEL) : alloc_skb(size, GFP_KERNEL));
		break;
	case 1:
		begin("netdev_alloc_skb");
		say(",\"dst\":%d,\"size\":%u", to, size);
		born(to, __netdev_alloc_skb(NULL, size, GFP_ATOMIC));
		break;
	default:
		begin("napi_alloc_skb");
		say(",\"dst\":%d,\"size\":%u", to, size);
		local_bh_disable();
		slots[to] = napi_alloc_skb(&napi, size);
		local_bh_enable();
		born(to, slots[to]);
	}
}

static struct sk_buff *build(void *data, unsigned int frag_size, bool poll)
{
	struct sk_buff *skb;

	if (!poll) {
#if SINCE(6, 3)
		return frag_size ? build_skb(data, frag_size) : slab_build_skb(data);
#else
		return build_skb(data, frag_size);
#endif
	}
#if SINCE(5, 12)
	local_bh_disable();
	skb = napi_build_skb(data, frag_size);
	local_bh_enable();
	return skb;
#else
	return build_skb(data, frag_size);
#endif
}

static void build_one(int to)
{
	bool poll = SINCE(5, 12) && chance(3) == 0;
	unsigned int order = chance(2), bytes;
	void *data;

	begin("build_skb");
	switch (chance(3)) {
	case 0:
		bytes = 400 + chance(9000);
		say(",\"dst\":%d,\"kind\":\"kmalloc\",\"kmalloc_size\":%u,\"frag_size\":0", to, bytes);
		data = kmalloc(bytes, GFP_ATOMIC);
		born(to, data ? build(data, 0, false) : NULL);
		break;
	case 1:
		bytes = 64 * (8 + chance(40));
		if (poll)
			say(",\"fn\":\"napi_build_skb\"");
		say(",\"dst\":%d,\"kind\":\"netdev_alloc_frag\",\"kmalloc_size\":0,\"frag_size\":%u", to, bytes);
		data = netdev_alloc_frag(bytes);
		born(to, data ? build(data, bytes, poll) : NULL);
		break;
	default:
		bytes = PAGE_SIZE << order;
		if (poll)
			say(",\"fn\":\"napi_build_skb\"");
		say(",\"dst\":%d,\"kind\":\"page\",\"kmalloc_size\":0,\"frag_size\":%u", to, bytes);
		data = (void *)__get_free_pages(GFP_ATOMIC | __GFP_COMP, order);
		born(to, data ? build(data, bytes, poll) : NULL);
	}
}

static void derive(int from, int to)
{
	struct sk_buff *skb = slots[from];
	unsigned int a = chance(300), b = chance(300);

	switch (chance(6)) {
	case 0:
	case 1:
		begin("skb_clone");
		say(",\"slot\":%d,\"dst\":%d", from, to);
		born(to, skb_clone(skb, GFP_KERNEL));
		break;
	case 2:
		begin("skb_copy");
		say(",\"slot\":%d,\"dst\":%d", from, to);
		born(to, skb_copy(skb, GFP_KERNEL));
		break;
	case 3:
		begin("pskb_copy");
		say(",\"slot\":%d,\"dst\":%d", from, to);
		born(to, pskb_copy(skb, GFP_KERNEL));
		break;
	case 4:
		begin("skb_copy_expand");
		say(",\"slot\":%d,\"dst\":%d,\"newhead\":%u,\"newtail\":%u", from, to, a, b);
		born(to, skb_copy_expand(skb, a, b, GFP_KERNEL));
		break;
	default:
		begin("skb_realloc_headroom");
		say(",\"slot\":%d,\"dst\":%d,\"n\":%u", from, to, a);
		born(to, skb_realloc_headroom(skb, a));
	}
}

/* --- changing ------------------------------------------------------------------------------------------------------------------------------- */

static bool alone(const struct sk_buff *skb)
{
	return !skb_cloned(skb);
}

static void say_slot(const char *op, int slot)
{
	begin(op);
	say(",\"slot\":%d", slot);
}

static void resize(int slot)
{
	struct sk_buff *skb = slots[slot];
	unsigned int n, room;

	switch (chance(6)) {
	case 0:
		if (skb->len || !alone(skb) || skb_tailroom(skb) <= 0)
			goto other;
		n = chance(min(skb_tailroom(skb), 256) + 1);
		say_slot("skb_reserve", slot);
		skb_reserve(skb, n);
		say(",\"n\":%u", n);
		break;
	case 1:
	case 2:
		room = skb_tailroom(skb);
		if (skb_is_nonlinear(skb) || !alone(skb) || !room)
			goto other;
		n = 1 + chance(min(room, chance(2) ? 400u : room));
		say_slot("skb_put", slot);
		say(",\"n\":%u", n);
		write_bytes(skb_put(skb, n), n);
		break;
	case 3:
		room = skb_headroom(skb);
		if (!room || !alone(skb))
			goto other;
		n = 1 + chance(room);
		say_slot("skb_push", slot);
		say(",\"n\":%u", n);
		write_bytes(skb_push(skb, n), n);
		break;
	case 4:
		n = chance(skb_headlen(skb) + 1);
		say_slot("skb_pull", slot);
		say(",\"n\":%u", n);
		skb_pull(skb, n);
		break;
	default:
other:
		n = chance(skb->len + 1);
		say_slot("pskb_trim", slot);
		say(",\"len\":%u,\"ret\":%d", n, pskb_trim(skb, n));
	}
	end();
}

static void move_head(int slot)
{
	struct sk_buff *skb = slots[slot];
	unsigned int a = chance(200), b = chance(chance(4) ? 300 : 2000);
	int ret;

	switch (chance(7)) {
	case 0:
		say_slot("pskb_expand_head", slot);
		say(",\"nhead\":%u,\"ntail\":%u", a, b);
		say(",\"ret\":%d", pskb_expand_head(skb, a, b, GFP_KERNEL));
		break;
	case 1:
		say_slot("skb_unclone", slot);
		say(",\"ret\":%d", skb_unclone(skb, GFP_KERNEL));
		break;
	case 2:
		say_slot("skb_cow", slot);
		ret = skb_cow(skb, a);
		say(",\"n\":%u,\"ret\":%d", a, ret);
		break;
	case 3:
		say_slot("skb_cow_head", slot);
		ret = skb_cow_head(skb, a);
		say(",\"n\":%u,\"ret\":%d", a, ret);
		break;
	case 4:
		say_slot("skb_linearize", slot);
		say(",\"ret\":%d", skb_linearize(skb));
		break;
#if SINCE(5, 15)
	case 5:
		if (skb_shared(skb))
			goto pull;
		a += skb_headroom(skb) + 1;
		say_slot("skb_expand_head", slot);
		slots[slot] = skb_expand_head(skb, a);
		say(",\"headroom\":%u,\"ret\":%d", a, slots[slot] != NULL);
		break;
pull:
#endif
	default:
		a = chance(skb->data_len + 1);
		say_slot("__pskb_pull_tail", slot);
		say(",\"delta\":%u,\"ret\":%d", a, __pskb_pull_tail(skb, a) != NULL);
	}
	end();
}

static void add_page(int slot)
{
	struct sk_buff *skb = slots[slot];
	unsigned int index, size, offset, nr = skb_shinfo(skb)->nr_frags, room;

	if (!alone(skb) || nr >= MAX_SKB_FRAGS) {
		resize(slot);
		return;
	}
	index = pages_made < PAGES && (chance(2) || !pages_made) ? make_page() : chance(pages_made);
	room = PAGE_SIZE << made[index].order;
	size = 1 + chance(min(room, 2000u));
	offset = chance((room - size) / 16 + 1) * 16;
	if (chance(3)) {
		unsigned int truesize = ALIGN(size, 64) + 64 * chance(4);

		say_slot("skb_add_rx_frag", slot);
		get_page(made[index].page);
		skb_add_rx_frag(skb, nr, made[index].page, offset, size, truesize);
		say(",\"page\":%u,\"pfn\":%lu,\"order\":%u,\"off\":%u,\"size\":%u,\"truesize\":%u", index, page_to_pfn(made[index].page), made[index].order,
		    offset, size, truesize);
	} else {
		int ret;

		say_slot("skb_append_pagefrags", slot);
#if SINCE(6, 5)
		ret = skb_append_pagefrags(skb, made[index].page, offset, size, MAX_SKB_FRAGS);
#else
		ret = skb_append_pagefrags(skb, made[index].page, offset, size);
#endif
		if (!ret) {
			skb->len += size;
			skb->data_len += size;
			skb->truesize += size;
		}
		say(",\"page\":%u,\"pfn\":%lu,\"order\":%u,\"off\":%u,\"size\":%u,\"ret\":%d", index, page_to_pfn(made[index].page), made[index].order, offset,
		    size, ret);
	}
	end();
}

static void split(int slot, int to)
{
	struct sk_buff *skb = slots[slot], *rest;
	unsigned int len, room, linear = skb_headlen(skb);

	if (!alone(skb) || skb_has_frag_list(skb) || skb->len < 2) {
		resize(slot);
		return;
	}
	len = 1 + chance(skb->len - 1);
	room = 32 + 32 + (len < linear ? linear - len : 0);
	rest = alloc_skb(room, GFP_KERNEL);
	if (!rest)
		return;
	skb_reserve(rest, 32);
	say_slot("skb_split", slot);
	say(",\"dst\":%d,\"dst_alloc\":%u,\"dst_reserve\":32,\"len\":%u", to, room, len);
	skb_split(skb, rest, len);
	slots[to] = rest;
	end();
}

static void join(int to, int from)
{
	struct sk_buff *skb = slots[to], *other = slots[from], *last;
	bool stolen = false;
	int delta = -1, merged;

	if (chance(3) == 0 && alone(skb) && !skb_has_frag_list(other) && !skb_shared(other)) {
		say_slot("frag_list_append", to);
		say(",\"from\":%d", from);
		if (skb_has_frag_list(skb)) {
			for (last = skb_shinfo(skb)->frag_list; last->next; last = last->next)
				;
			last->next = other;
		} else {
			skb_shinfo(skb)->frag_list = other;
		}
		other->next = NULL;
		skb->len += other->len;
		skb->data_len += other->len;
		skb->truesize += other->truesize;
		slots[from] = NULL;
		end();
		return;
	}
	begin("skb_try_coalesce");
	merged = skb_try_coalesce(skb, other, &stolen, &delta);
	say(",\"to\":%d,\"from\":%d,\"ret\":%d,\"stolen\":%d,\"delta_truesize\":%d", to, from, merged, stolen, delta);
	if (merged) {
		kfree_skb_partial(other, stolen);
		slots[from] = NULL;
	}
	end();
}

static void finish(int slot)
{
	static const char *const names[] = { "kfree_skb", "consume_skb", "napi_consume_skb" };
	unsigned int way = chance(3);
	struct sk_buff *skb = slots[slot];

	say_slot(names[way], slot);
	slots[slot] = NULL;
	if (way == 0) {
		kfree_skb(skb);
	} else if (way == 1) {
		consume_skb(skb);
	} else {
		local_bh_disable();
		napi_consume_skb(skb, BUDGET);
		local_bh_enable();
	}
	end();
}

/* --- the run ----------------------------------------------------------------------------------------------------------------------------------- */

static int some(bool taken)
{
	int at = chance(SLOTS), i;

	for (i = 0; i < SLOTS; i++, at = (at + 1) % SLOTS)
		if (!slots[at] != taken)
			return at;
	return -1;
}

static void step(void)
{
	int full = some(true), empty = some(false), other;
	unsigned int what = chance(24);

	if (full < 0 || (empty >= 0 && what < 3)) {
		new_skb(empty);
	} else if (what < 4 && empty >= 0) {
		build_one(empty);
	} else if (what < 7 && empty >= 0) {
		derive(full, empty);
	} else if (what < 8 && empty >= 0) {
		split(full, empty);
	} else if (what < 13) {
		resize(full);
	} else if (what < 16) {
		move_head(full);
	} else if (what < 19) {
		add_page(full);
	} else if (what < 21) {
		other = some(true);
		if (other == full)
			resize(full);
		else
			join(full, other);
	} else {
		finish(full);
	}
}

static void fuzz(void)
{
	unsigned int i;

	say("{\"t\":\"fuzz\",\"format\":\"ora_skb/2\",");
	say_kernel();
	say(",\"recorder\":\"skblab_skb\",\"seed\":%u,\"n\":%u}\n", seed, steps);
	fill = seed & 255;
	for (step_number = 0; step_number < steps && !sink.lost; step_number++)
		step();
	say("{\"t\":\"pages_at_end\",\"pages\":[");
	for (i = 0; i < pages_made; i++)
		say("%s[%u,%lu,%u,%d]", i ? "," : "", i, page_to_pfn(made[i].page), made[i].order, page_count(made[i].page));
	say("]}\n");
	say_end();
	for (i = 0; i < SLOTS; i++)
		kfree_skb(slots[i]);
	for (i = 0; i < pages_made; i++)
		put_page(made[i].page);
}

/* --- sizes -------------------------------------------------------------------------------------------------------------------------------------- */

struct result {
	unsigned int end, truesize, headroom, head_frag, ksize, slab, order, roundup;
};

static struct result look_at(struct sk_buff *skb)
{
	struct page *page = virt_to_head_page(skb->head);
	struct result r = { .end = skb_end_pointer(skb) - skb->head, .truesize = skb->truesize, .headroom = skb_headroom(skb),
			    .head_frag = skb->head_frag, .slab = PageSlab(page) ? 1 : 0, .order = compound_order(page) };

	if (!skb->head_frag)
		r.ksize = ksize(skb->head);
	kfree_skb(skb);
	return r;
}

static struct result try_size(int way, unsigned int size)
{
	struct sk_buff *skb = NULL;
	struct result r = { };
	struct page *page;
	void *data;

	switch (way) {
	case 0:
		skb = alloc_skb(size, GFP_KERNEL);
		break;
	case 1:
		skb = __netdev_alloc_skb(NULL, size, GFP_ATOMIC);
		break;
	case 2:
		skb = __netdev_alloc_skb(NULL, size, GFP_KERNEL);
		break;
	case 3:
		local_bh_disable();
		skb = napi_alloc_skb(&napi, size);
		local_bh_enable();
		break;
	default:
		data = kmalloc(size, GFP_KERNEL);
		if (data) {
			page = virt_to_head_page(data);
			r.ksize = ksize(data);
			r.slab = PageSlab(page) ? 1 : 0;
			r.order = compound_order(page);
#if SINCE(6, 1)
			r.roundup = kmalloc_size_roundup(size);
#endif
			kfree(data);
		}
	}
	return skb ? look_at(skb) : r;
}

static void say_result(int way, const char *name, unsigned int from, unsigned int to, const struct result *r)
{
	say("{\"t\":\"%s\",\"from\":%u,\"to\":%u", name, from, to);
	if (way == 4) {
		say(",\"ksize\":%u,\"slab\":%u,\"page_order\":%u", r->ksize, r->slab, r->order);
		if (SINCE(6, 1))
			say(",\"roundup\":%u", r->roundup);
	} else if (way == 0) {
		say(",\"end_offset\":%u,\"truesize\":%u,\"ksize\":%u,\"slab\":%u,\"head_page_order\":%u", r->end, r->truesize, r->ksize, r->slab, r->order);
	} else {
		say(",\"end_offset\":%u,\"truesize\":%u,\"headroom\":%u,\"head_frag\":%u", r->end, r->truesize, r->headroom, r->head_frag);
	}
	say("}\n");
}

/* What a line shows; the rest depends on what was in use before. */
static bool alike(int way, const struct result *a, const struct result *b)
{
	if (way == 4)
		return a->ksize == b->ksize && a->slab == b->slab && a->order == b->order && a->roundup == b->roundup;
	if (way == 0)
		return a->end == b->end && a->truesize == b->truesize && a->ksize == b->ksize && a->slab == b->slab && a->order == b->order;
	return a->end == b->end && a->truesize == b->truesize && a->headroom == b->headroom && a->head_frag == b->head_frag;
}

static void tables(void)
{
	static const char *const ways[] = { "alloc_skb", "netdev_alloc_skb", "netdev_alloc_skb_gfp_kernel", "napi_alloc_skb", "kmalloc" };
	int way;

	say("{\"t\":\"const\",\"format\":\"ora_skb/2\",");
	say_kernel();
	say(",\"recorder\":\"skblab_skb\",\"MAX_SKB_FRAGS\":%lu,\"NET_SKB_PAD\":%d,\"NET_IP_ALIGN\":%d,\"SMP_CACHE_BYTES\":%d,\"PAGE_SIZE\":%lu",
	    (unsigned long)MAX_SKB_FRAGS, NET_SKB_PAD, NET_IP_ALIGN, SMP_CACHE_BYTES, PAGE_SIZE);
	say(",\"sizeof_sk_buff\":%zu,\"sizeof_sk_buff_fclones\":%zu,\"sizeof_skb_shared_info\":%zu", sizeof(struct sk_buff),
	    sizeof(struct sk_buff_fclones), sizeof(struct skb_shared_info));
	say(",\"SKB_DATA_ALIGN_sk_buff\":%zu,\"SKB_DATA_ALIGN_shinfo\":%zu,\"SKB_TRUESIZE_0\":%zu,\"SKB_MAX_HEAD_0\":%zu,\"SKB_WITH_OVERHEAD_1024\":%zu}\n",
	    (size_t)SKB_DATA_ALIGN(sizeof(struct sk_buff)), (size_t)SKB_DATA_ALIGN(sizeof(struct skb_shared_info)), (size_t)SKB_TRUESIZE(0),
	    (size_t)SKB_MAX_HEAD(0), (size_t)SKB_WITH_OVERHEAD(1024));
	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		unsigned int size, from = way == 4, last = way == 4 ? 70000 : 20000;
		struct result before = try_size(way, from), now;

		for (size = from + 1; size <= last; size++) {
			now = try_size(way, size);
			if (alike(way, &before, &now))
				continue;
			say_result(way, ways[way], from, size - 1, &before);
			from = size;
			before = now;
			cond_resched();
		}
		say_result(way, ways[way], from, last, &before);
	}
	say_end();
}

static int __init recorder_init(void)
{
	int failed = sink_open(mode ? 1 << 20 : (size_t)steps * 24000);

	if (failed)
		return failed;
	set_cpus_allowed_ptr(current, cpumask_of(0));
	chance_seed(seed);
	if (mode)
		tables();
	else
		fuzz();
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	sink_publish("skblab_skb");
	return 0;
}

static void __exit recorder_exit(void)
{
	sink_close();
}

module_init(recorder_init);
module_exit(recorder_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("skblab: records sk_buffs");
