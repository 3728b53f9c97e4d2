// The C twin of src/model/slab/slub.ts: the same rules and rows (caches, CPUs and nodes by number, sizes read from them; 6.1), the same
// check for double frees, the same page allocator (ascending, freed pages last in first out). One CPU, one node and slabs of one page are
// used, none of it is known when it is compiled. Usage: twin WORK OPS → nanoseconds checksum
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE = 4096, PAGES = 1 << 17, FIRST = 64 };
#define NONE (-1)
#define NO_OBJECT 0xffff
#define HANDED_OUT 0xfffe

struct slab {
  int32_t pfn, cache, inuse, objects, frozen, free, next, prev, chain, base, order, node, reserve, pad[3];
};
struct cache {
  int32_t size, objects, cpu_slabs, min_partial, pool;
  double inverse;
};
struct cpu {
  int32_t slab, free, partial;
};
struct node {
  int32_t head, tail, nr_partial;
};
static struct slab slabs[PAGES];
static struct cache caches[64];
static struct cpu cpus[64 * 4];
static struct node nodes[64 * 2];
static int32_t ncpus, nnodes, this_cpu, cache_count;
static uint16_t links[PAGES * 16];
static int32_t row_of_page[PAGES + FIRST];
static int32_t slab_count, link_count;
static int32_t free_pages[PAGES], free_count, next_page = FIRST;

static int32_t page_alloc(void) {
  if (free_count > 0) return free_pages[--free_count];
  return next_page < FIRST + PAGES ? next_page++ : NONE;
}

static int32_t new_slab(int32_t cache) {
  int32_t pfn = page_alloc();
  if (pfn < 0) return NONE;
  struct cache *c = &caches[cache];
  int32_t row = c->pool;
  if (row != NONE) c->pool = slabs[row].next;
  else {
    row = slab_count++;
    slabs[row].base = link_count;
    link_count += c->objects;
  }
  struct slab *s = &slabs[row];
  s->cache = cache;
  s->objects = c->objects;
  s->pfn = pfn;
  s->inuse = 0;
  s->frozen = 0;
  s->free = 0;
  s->chain = 0;
  for (int i = 0; i < s->objects; i++) links[s->base + i] = i + 1;
  links[s->base + s->objects - 1] = NO_OBJECT;
  row_of_page[pfn] = row + 1;
  return row;
}

static void discard(int32_t row) {
  struct slab *s = &slabs[row];
  row_of_page[s->pfn] = 0;
  free_pages[free_count++] = s->pfn;
  s->next = caches[s->cache].pool;
  caches[s->cache].pool = row;
}

static struct node *node_of(struct slab *s) { return &nodes[s->cache * nnodes + s->node]; }

static void add_tail(int32_t row) {
  struct slab *s = &slabs[row];
  struct node *n = node_of(s);
  s->next = NONE;
  s->prev = n->tail;
  if (n->tail == NONE) n->head = row;
  else slabs[n->tail].next = row;
  n->tail = row;
  n->nr_partial++;
}

static void remove_partial(int32_t row) {
  struct slab *s = &slabs[row];
  struct node *n = node_of(s);
  if (s->prev == NONE) n->head = s->next;
  else slabs[s->prev].next = s->next;
  if (s->next == NONE) n->tail = s->prev;
  else slabs[s->next].prev = s->prev;
  n->nr_partial--;
}

static void unfreeze(int32_t row) {
  int32_t doomed = NONE;
  while (row != NONE) {
    struct slab *s = &slabs[row];
    int32_t next = s->next;
    s->frozen = 0;
    if (s->inuse == 0 && node_of(s)->nr_partial >= caches[s->cache].min_partial) {
      s->next = doomed;
      doomed = row;
    } else add_tail(row);
    row = next;
  }
  while (doomed != NONE) {
    int32_t next = slabs[doomed].next;
    discard(doomed);
    doomed = next;
  }
}

static void put_cpu_partial(struct cpu *k, int32_t row, int drain) {
  int32_t old = k->partial, full = NONE, chain = 0;
  if (old != NONE) {
    if (drain && slabs[old].chain >= caches[slabs[row].cache].cpu_slabs) {
      full = old;
      old = NONE;
    } else chain = slabs[old].chain;
  }
  slabs[row].chain = chain + 1;
  slabs[row].next = old;
  k->partial = row;
  if (full != NONE) unfreeze(full);
}

static int64_t hand_out(int32_t cache, struct cpu *k, int32_t row, int32_t object) {
  struct slab *s = &slabs[row];
  k->slab = row;
  k->free = links[s->base + object];
  links[s->base + object] = HANDED_OUT;
  return (int64_t)s->pfn * PAGE + object * caches[cache].size;
}

static __attribute__((noinline)) int64_t alloc_slow(int32_t cache, struct cpu *k) {
  for (int32_t row = k->slab;;) {
    if (row == NONE) {
      row = k->partial;
      if (row == NONE) break;
      k->partial = slabs[row].next;
      k->slab = row;
    }
    struct slab *s = &slabs[row];
    if (s->reserve) abort();
    int32_t own = s->free;
    if (own != NO_OBJECT) {
      s->free = NO_OBJECT;
      s->inuse = s->objects;
      return hand_out(cache, k, row, own);
    }
    s->frozen = 0;
    k->slab = NONE;
    row = NONE;
  }
  int32_t found = NONE, taken = NO_OBJECT, more = 0;
  for (int32_t row = nodes[cache * nnodes].head; row != NONE;) {
    struct slab *s = &slabs[row];
    int32_t next = s->next;
    remove_partial(row);
    s->frozen = 1;
    if (found == NONE) {
      found = row;
      taken = s->free;
      s->free = NO_OBJECT;
      s->inuse = s->objects;
    } else {
      put_cpu_partial(k, row, 0);
      more++;
    }
    if (more > caches[cache].cpu_slabs / 2) break;
    row = next;
  }
  if (found != NONE) return hand_out(cache, k, found, taken);
  int32_t fresh = new_slab(cache);
  if (fresh == NONE) return -1;
  struct slab *s = &slabs[fresh];
  int32_t first = s->free;
  s->free = NO_OBJECT;
  s->inuse = s->objects;
  s->frozen = 1;
  return hand_out(cache, k, fresh, first);
}

static int64_t cache_alloc(int32_t cache) {
  struct cpu *k = &cpus[cache * ncpus + this_cpu];
  int32_t object = k->free;
  if (object == NO_OBJECT) return alloc_slow(cache, k);
  struct slab *s = &slabs[k->slab];
  k->free = links[s->base + object];
  links[s->base + object] = HANDED_OUT;
  return (int64_t)s->pfn * PAGE + object * caches[cache].size;
}

static __attribute__((noinline)) void free_slow(struct cpu *k, int32_t row, int32_t object) {
  struct slab *s = &slabs[row];
  int32_t prior = s->free;
  links[s->base + object] = prior;
  s->free = object;
  s->inuse--;
  if (s->frozen) return;
  if (prior == NO_OBJECT) {
    s->frozen = 1;
    put_cpu_partial(k, row, 1);
  } else if (s->inuse == 0 && node_of(s)->nr_partial >= caches[s->cache].min_partial) {
    remove_partial(row);
    discard(row);
  }
}

static void cache_free(int32_t cache, int64_t address) {
  int32_t row = row_of_page[address / PAGE] - 1;
  if (row < 0 || slabs[row].cache != cache) abort();
  struct slab *s = &slabs[row];
  int32_t offset = (int32_t)(address - (int64_t)s->pfn * PAGE);
  int32_t object = (int32_t)((offset + 0.5) * caches[cache].inverse), at = s->base + object;
  if (links[at] != HANDED_OUT || object * caches[cache].size != offset) abort();
  struct cpu *k = &cpus[cache * ncpus + this_cpu];
  if (k->slab == row) {
    links[at] = k->free;
    k->free = object;
  } else free_slow(k, row, object);
}

static int32_t add_cache(int32_t size, int32_t objects, int32_t cpu_slabs, int32_t min_partial) {
  int32_t cache = cache_count++;
  caches[cache] = (struct cache){size, objects, cpu_slabs, min_partial, NONE, 1.0 / size};
  for (int i = 0; i < ncpus; i++) cpus[cache * ncpus + i] = (struct cpu){NONE, NO_OBJECT, NONE};
  for (int i = 0; i < nnodes; i++) nodes[cache * nnodes + i] = (struct node){NONE, NONE, 0};
  return cache;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  long ops = atol(argv[2]);
  int live = strcmp(argv[1], "pair") == 0 ? 0 : atoi(argv[1]);
  ncpus = argc > 3 ? atoi(argv[3]) : 1;
  nnodes = argc > 4 ? atoi(argv[4]) : 1;
  for (int i = 0; i < 26; i++) add_cache(8 << (i & 3), 16, 7, 5);
  int32_t cache = add_cache(256, 16, 7, 5);
  int64_t *held = calloc(live + 1, sizeof *held);
  uint32_t sum = 0;
  int32_t x = 12345;
  for (int i = 0; i < live; i++) held[i] = cache_alloc(cache);
  struct timespec a, b;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  if (live == 0)
    for (long i = 0; i < ops; i++) {
      int64_t o = cache_alloc(cache);
      sum = sum * 31 + (uint32_t)(o >> 8);
      cache_free(cache, o);
    }
  else
    for (long i = 0; i < ops; i++) {
      x = (int32_t)((uint32_t)x * 1103515245u + 12345u);
      int k = (int)(((uint32_t)x >> 8) % (uint32_t)live);
      cache_free(cache, held[k]);
      held[k] = cache_alloc(cache);
      sum = sum * 31 + (uint32_t)(held[k] >> 8);
    }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  double nanos = (b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec);
  printf("%.2f %u\n", nanos / ops, sum);
  return 0;
}
