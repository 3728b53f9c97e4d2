// The C twin of src/model/net/page_pool.ts: the same rules, the same columns, the same flat page allocator, the same checksum.
// Taking and giving back are calls, as they are in the kernel (exported functions of net/core/page_pool.c).
// usage: twin PATH LOOPS [KERNEL]   →   "nanoseconds-per-element checksum"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POOLS = 4, CACHE = 128, REFILL = 64, PAGES = 1 << 16, SLOTS = 1024 };
enum { DMA_MAP = 1, DMA_SYNC_DEV = 2, PAGE_FRAG = 4 };

// Flat pages: a count for each, freed ones on a stack.
static int32_t count[PAGES], spare[PAGES], spares;
static int page_alloc(void) {
  if (spares == 0) return -1;
  int p = spare[--spares];
  count[p] = 1;
  return p;
}
static void page_put(int p) {
  if (--count[p] == 0) spare[spares++] = p;
}

struct ring {
  int32_t queue[SLOTS];
  int size, batch, producer, head, tail;
};
static int ring_produce(struct ring *r, int32_t v) {
  if (r->size == 0 || r->queue[r->producer]) return 0;
  r->queue[r->producer] = v;
  r->producer = r->producer + 1 >= r->size ? 0 : r->producer + 1;
  return 1;
}
static int32_t ring_consume(struct ring *r) {
  if (r->size == 0) return 0;
  int h = r->head;
  int32_t v = r->queue[h];
  if (!v) return 0;
  int next = h + 1;
  if (next - r->tail >= r->batch || next >= r->size) {
    for (int i = h; i >= r->tail; i--) r->queue[i] = 0;
    r->tail = next;
  }
  if (next >= r->size) r->head = r->tail = 0;
  else r->head = next;
  return v;
}

#define CALL __attribute__((noinline))
static struct { int softirq, node; } context;
/* What the kernel does otherwise: users counted on every page and direct puts anywhere (since 6.8, 6.10), one page at a time (before 5.13). */
static int every_page, one_page;
static int heard;
static uint64_t events;
struct pool {
  int flags, order, nid, cached_pages, counts_users;
  uint32_t max_len, offset;
  uint32_t hold, release;
  uint64_t fast, slow, empty, refill, waive, cached, cache_full, ringed, ring_full, released_ref;
  int32_t cache[CACHE];
  struct ring ring;
};
static struct pool pools[POOLS];
static int32_t owner[PAGES], nid_of[PAGES];
static uint8_t pfmemalloc[PAGES];
static uint32_t dma_low[PAGES], dma_high[PAGES];
static int32_t frag_delta[PAGES];
static int8_t frag_bias[PAGES];
static void nothing(uint64_t address, int order) { (void)address, (void)order; }
static void (*volatile unmap)(uint64_t, int) = nothing;
static void sync_nothing(uint64_t address, uint32_t offset, uint32_t size) { (void)address, (void)offset, (void)size; }
static void (*volatile sync_for_device)(uint64_t, uint32_t, uint32_t) = sync_nothing;
static uint64_t dma_address(int pfn) { return (uint64_t)dma_high[pfn] << 32 | dma_low[pfn]; }
static int drop_fragment(int pfn) {
  if (frag_bias[pfn] == 0 && frag_delta[pfn] == 1) return 0;
  frag_delta[pfn]--;
  return frag_bias[pfn] ? 1 : frag_delta[pfn];
}

static void release_page(int pool, int pfn) {
  struct pool *p = &pools[pool];
  if (p->flags & DMA_MAP) {
    unmap(dma_address(pfn), p->order);
    dma_low[pfn] = dma_high[pfn] = 0;
  }
  owner[pfn] = 0;
  p->release++;
  if (heard) events++;
}
CALL static void return_page(int pool, int pfn) {
  release_page(pool, pfn);
  page_put(pfn);
}
CALL static int refill_cache(int pool) {
  struct pool *p = &pools[pool];
  if (p->ring.size == 0 || !p->ring.queue[p->ring.head]) {
    p->empty++;
    return -1;
  }
  int want = p->nid < 0 ? context.node : p->nid, n = p->cached_pages;
  do {
    int32_t v = ring_consume(&p->ring);
    if (!v) break;
    if (nid_of[v - 1] != want) {
      return_page(pool, v - 1);
      p->waive++;
      break;
    }
    p->cache[n++] = v - 1;
  } while (n < REFILL);
  if (n == 0) return -1;
  p->cached_pages = n - 1;
  p->refill++;
  return p->cache[n - 1];
}
CALL static int alloc_slow(int pool) {
  struct pool *p = &pools[pool];
  if (p->order) abort();
  if (one_page) {
    int pfn = page_alloc();
    if (pfn < 0) return -1;
    owner[pfn] = pool + 1;
    p->hold++;
    if (heard) events++;
    p->slow++;
    return pfn;
  }
  int32_t bulk[REFILL];
  int got = 0, n = p->cached_pages;
  while (got < REFILL) {
    int pfn = page_alloc();
    if (pfn < 0) break;
    bulk[got++] = pfn;
  }
  for (int i = 0; i < got; i++) {
    if (p->flags & DMA_MAP) abort();
    owner[bulk[i]] = pool + 1;
    if (every_page) frag_bias[bulk[i]] = 0, frag_delta[bulk[i]] = 1;
    p->hold++;
    if (heard) events++;
    p->cache[n++] = bulk[i];
  }
  if (n == 0) return -1;
  p->cached_pages = n - 1;
  p->slow++;
  return p->cache[n - 1];
}
CALL static int pool_alloc(int pool) {
  struct pool *p = &pools[pool];
  int n = p->cached_pages - 1;
  if (n >= 0) {
    p->cached_pages = n;
    p->fast++;
    return p->cache[n];
  }
  int pfn = refill_cache(pool);
  return pfn >= 0 ? pfn : alloc_slow(pool);
}
CALL static void pool_put(int pool, int pfn, uint32_t sync_size, int direct) {
  struct pool *p = &pools[pool];
  if (p->counts_users && drop_fragment(pfn) != 0) return;
  if (count[pfn] != 1 || pfmemalloc[pfn]) {
    p->released_ref++;
    return_page(pool, pfn);
    return;
  }
  if (p->flags & DMA_SYNC_DEV)
    sync_for_device(dma_address(pfn), p->offset, sync_size < p->max_len ? sync_size : p->max_len);
  if (direct && (every_page || context.softirq)) {
    if (p->cached_pages < CACHE) {
      p->cache[p->cached_pages++] = pfn;
      p->cached++;
      return;
    }
    p->cache_full++;
  }
  if (ring_produce(&p->ring, pfn + 1)) p->ringed++;
  else {
    p->ring_full++;
    return_page(pool, pfn);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  long loops = atol(argv[2]);
  for (int i = PAGES - 1; i >= 0; i--) spare[spares++] = i;
  int pool = 1;
  const char *kernel = argc > 3 ? argv[3] : "6.1";
  every_page = !strcmp(kernel, "6.12") || !strcmp(kernel, "7.2") || !strcmp(kernel, "7.3");
  one_page = !strcmp(kernel, "5.10");
  struct pool *p = &pools[pool];
  p->counts_users = every_page;
  p->nid = -1;
  context.softirq = 1;
  p->ring.size = SLOTS;
  p->ring.batch = 16;
  int out[64];
  for (int i = 0; i < 64; i++) out[i] = pool_alloc(pool);
  for (int i = 0; i < 64; i++) pool_put(pool, out[i], -1, 0);
  uint32_t sum = 0;
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  if (!strcmp(argv[1], "fast"))
    for (long i = 0; i < loops; i++) {
      int pfn = pool_alloc(pool);
      sum = sum * 31 + (uint32_t)pfn;
      pool_put(pool, pfn, -1, 1);
    }
  else if (!strcmp(argv[1], "ring"))
    for (long i = 0; i < loops; i++) {
      int pfn = pool_alloc(pool);
      sum = sum * 31 + (uint32_t)pfn;
      pool_put(pool, pfn, -1, 0);
    }
  else
    for (long i = 0; i < loops; i++) {
      int pfn = pool_alloc(pool);
      sum = sum * 31 + (uint32_t)pfn;
      count[pfn]++;
      pool_put(pool, pfn, -1, 1);
      page_put(pfn);
    }
  clock_gettime(CLOCK_MONOTONIC, &b);
  uint64_t stats = p->fast + p->slow * 3 + p->refill * 5 + p->cached * 7 + p->ringed * 11 + p->released_ref * 13;
  printf("%.3f %u\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / loops,
         sum ^ (uint32_t)stats ^ p->hold ^ p->release);
  return 0;
}
