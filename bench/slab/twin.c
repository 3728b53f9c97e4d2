// The C twin of src/model/slab/slub/: the same rules and rows (caches, CPUs and nodes by number, sizes read from them), the same check for
// double frees, the same page allocator (ascending, freed pages last in first out). One CPU, one node and slabs of one page are used, none
// of it is known when it is compiled. Usage: twin WORK OPS KIND → nanoseconds checksum. KIND: what stands between a CPU and the slabs:
// objects (frozen chains counted by objects, 5.10), frozen (by slabs, 6.1), plain (6.12), sheaves (7.2)
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
  int32_t pfn, cache, inuse, objects, frozen, free, next, prev, chain, base, order, node, reserve, listed, pad[2];
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
/* Chains: 1 where a slab on one is frozen; what a slab adds, and when a chain is full or enough was taken. */
static int32_t frozen_chains = 1, by_objects;
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
  s->listed = 0;
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

static void add_head(int32_t row) {
  struct slab *s = &slabs[row];
  struct node *n = node_of(s);
  s->listed = 1;
  s->prev = NONE;
  s->next = n->head;
  if (n->head == NONE) n->tail = row;
  else slabs[n->head].prev = row;
  n->head = row;
  n->nr_partial++;
}

static void add_tail(int32_t row) {
  struct slab *s = &slabs[row];
  s->listed = 1;
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
  s->listed = 0;
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
    int32_t held = slabs[old].chain, limit = caches[slabs[row].cache].cpu_slabs;
    if (drain && (by_objects ? held > limit : held >= limit)) {
      full = old;
      old = NONE;
    } else chain = held;
  }
  if (frozen_chains) slabs[row].frozen = 1;
  slabs[row].chain = chain + (by_objects ? slabs[row].objects - slabs[row].inuse : 1);
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
      s->frozen = 1;
      return hand_out(cache, k, row, own);
    }
    s->frozen = 0;
    k->slab = NONE;
    row = NONE;
  }
  int32_t found = NONE, taken = NO_OBJECT, more = 0, available = 0;
  for (int32_t row = nodes[cache * nnodes].head; row != NONE;) {
    struct slab *s = &slabs[row];
    int32_t next = s->next;
    remove_partial(row);
    available += s->objects - s->inuse;
    if (found == NONE) {
      found = row;
      s->frozen = 1;
      taken = s->free;
      s->free = NO_OBJECT;
      s->inuse = s->objects;
    } else {
      put_cpu_partial(k, row, 0);
      more++;
    }
    if ((by_objects ? available : more) > caches[cache].cpu_slabs / 2) break;
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
  if (prior == NO_OBJECT) put_cpu_partial(k, row, 1);
  else if (!s->listed) return;
  else if (s->inuse == 0 && node_of(s)->nr_partial >= caches[s->cache].min_partial) {
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

/* ---- sheaves: src/model/slab/slub/sheaves.ts ---- */

enum { SHEAVES = 1 << 14, SHEAF_SHIFT = 6, FULL_MAX = 10 };
#define IN_SHEAF 0xfffd
static int32_t sheaf_size[SHEAVES], sheaf_after[SHEAVES], sheaf_places[SHEAVES << SHEAF_SHIFT], sheaf_count = 1;
static double sheaf_ready[SHEAVES << SHEAF_SHIFT];
static int32_t mains[64 * 4], spares[64 * 4], capacities[64];
static struct barn {
  int32_t full, nr_full, empty, nr_empty;
} barns[64 * 2];

static void slab_free(int32_t row, int32_t head, int32_t tail, int32_t count) {
  struct slab *s = &slabs[row];
  int was_full = s->free == NO_OBJECT;
  links[s->base + tail] = s->free;
  s->free = head;
  s->inuse -= count;
  if (!was_full && !s->listed) return;
  if (s->inuse == 0 && node_of(s)->nr_partial >= caches[s->cache].min_partial) {
    if (!was_full) remove_partial(row);
    discard(row);
  } else if (was_full) add_tail(row);
}

static int32_t index_of(int32_t row, double address) {
  struct slab *s = &slabs[row];
  return (int32_t)((address - (double)s->pfn * PAGE) / caches[s->cache].size);
}

static void flush(int32_t sheaf) {
  double *p = sheaf_ready + (sheaf << SHEAF_SHIFT);
  for (int32_t size = sheaf_size[sheaf]; size > 0;) {
    double last = p[--size];
    int32_t row = row_of_page[(int64_t)last / PAGE] - 1, tail = index_of(row, last), head = tail, count = 1, same = size, passed = 0;
    while (size > 0) {
      double address = p[--size];
      if (row_of_page[(int64_t)address / PAGE] - 1 != row) {
        if (++passed == 3) break;
        continue;
      }
      int32_t object = index_of(row, address);
      links[slabs[row].base + object] = head;
      head = object;
      count++;
      same--;
      if (size != same) {
        p[size] = p[same];
        p[same] = address;
      }
    }
    slab_free(row, head, tail, count);
    size = same;
  }
  sheaf_size[sheaf] = 0;
}

static int32_t take_objects(int32_t row, int32_t want, int32_t at) {
  struct slab *s = &slabs[row];
  int32_t object = s->free, got = 0;
  for (; got < want && object != NO_OBJECT; got++) {
    int32_t place = s->base + object, next = links[place];
    sheaf_ready[at + got] = (double)s->pfn * PAGE + object * caches[s->cache].size;
    sheaf_places[at + got] = place;
    links[place] = IN_SHEAF;
    object = next;
  }
  s->free = object;
  s->inuse += got;
  return got;
}

static void refill(int32_t cache, int32_t sheaf) {
  int32_t want = capacities[cache], got = 0, at = sheaf << SHEAF_SHIFT;
  for (int32_t row = nodes[cache * nnodes].head; row != NONE && got < want;) {
    int32_t next = slabs[row].next;
    if (!slabs[row].reserve) {
      remove_partial(row);
      got += take_objects(row, want - got, at + got);
      if (slabs[row].free != NO_OBJECT) add_tail(row);
    }
    row = next;
  }
  while (got < want) {
    int32_t row = new_slab(cache);
    if (row == NONE) abort();
    got += take_objects(row, want - got, at + got);
    if (slabs[row].free != NO_OBJECT) add_head(row);
  }
  sheaf_size[sheaf] = got;
}

static int32_t barn_take(int32_t *list) {
  if (list[1] == 0) return NONE;
  int32_t sheaf = list[0];
  list[0] = sheaf_after[sheaf];
  list[1]--;
  return sheaf;
}

static void barn_put(int32_t *list, int32_t sheaf) {
  sheaf_after[sheaf] = list[0];
  list[0] = sheaf;
  list[1]++;
}

static int32_t new_sheaf(void) {
  if (sheaf_count == SHEAVES) abort();
  sheaf_size[sheaf_count] = 0;
  return sheaf_count++;
}

static int64_t pop(int32_t k) {
  int32_t i = (mains[k] << SHEAF_SHIFT) + --sheaf_size[mains[k]];
  links[sheaf_places[i]] = HANDED_OUT;
  return (int64_t)sheaf_ready[i];
}

static void swap(int32_t k) {
  int32_t main = mains[k];
  mains[k] = spares[k];
  spares[k] = main;
}

static __attribute__((noinline)) int64_t sheaf_alloc_slow(int32_t cache, int32_t k) {
  struct barn *b = &barns[cache * nnodes];
  if (spares[k] != NONE && sheaf_size[spares[k]] > 0) {
    swap(k);
    return pop(k);
  }
  int32_t fresh = barn_take(&b->full);
  if (fresh != NONE) {
    barn_put(&b->empty, mains[k]);
    mains[k] = fresh;
    return pop(k);
  }
  if ((fresh = spares[k]) != NONE) spares[k] = NONE;
  else fresh = barn_take(&b->empty);
  if (fresh == NONE) fresh = new_sheaf();
  refill(cache, fresh);
  if (spares[k] == NONE) spares[k] = mains[k];
  else barn_put(&b->empty, mains[k]);
  mains[k] = fresh;
  return pop(k);
}

static int64_t sheaf_alloc(int32_t cache) {
  int32_t k = cache * ncpus + this_cpu, sheaf = mains[k], size = sheaf_size[sheaf] - 1;
  if (size < 0) return sheaf_alloc_slow(cache, k);
  sheaf_size[sheaf] = size;
  int32_t i = (sheaf << SHEAF_SHIFT) + size;
  links[sheaf_places[i]] = HANDED_OUT;
  return (int64_t)sheaf_ready[i];
}

static __attribute__((noinline)) void make_room(int32_t cache, int32_t k) {
  struct barn *b = &barns[cache * nnodes];
  int32_t empty;
  if (spares[k] != NONE && sheaf_size[spares[k]] < capacities[cache]) {
    swap(k);
    return;
  }
  if (spares[k] != NONE && b->nr_full >= FULL_MAX) {
    empty = spares[k];
    spares[k] = NONE;
    flush(empty);
  } else if ((empty = barn_take(&b->empty)) == NONE) empty = new_sheaf();
  if (spares[k] == NONE) spares[k] = mains[k];
  else barn_put(&b->full, mains[k]);
  mains[k] = empty;
}

static void sheaf_free(int32_t cache, int64_t address) {
  int32_t row = row_of_page[address / PAGE] - 1;
  if (row < 0 || slabs[row].cache != cache) abort();
  struct slab *s = &slabs[row];
  int32_t offset = (int32_t)(address - (int64_t)s->pfn * PAGE);
  int32_t object = (int32_t)((offset + 0.5) * caches[cache].inverse), at = s->base + object;
  if (links[at] != HANDED_OUT || object * caches[cache].size != offset) abort();
  if (nnodes > 1 || s->reserve) abort();
  int32_t k = cache * ncpus + this_cpu;
  if (sheaf_size[mains[k]] == capacities[cache]) make_room(cache, k);
  int32_t i = (mains[k] << SHEAF_SHIFT) + sheaf_size[mains[k]]++;
  sheaf_ready[i] = (double)address;
  sheaf_places[i] = at;
  links[at] = IN_SHEAF;
}

static int32_t add_cache(int32_t size, int32_t objects, int32_t cpu_slabs, int32_t min_partial) {
  int32_t cache = cache_count++;
  caches[cache] = (struct cache){size, objects, cpu_slabs, min_partial, NONE, 1.0 / size};
  for (int i = 0; i < ncpus; i++) cpus[cache * ncpus + i] = (struct cpu){NONE, NO_OBJECT, NONE};
  for (int i = 0; i < nnodes; i++) nodes[cache * nnodes + i] = (struct node){NONE, NONE, 0};
  capacities[cache] = 28;
  for (int i = 0; i < ncpus; i++) {
    mains[cache * ncpus + i] = new_sheaf();
    spares[cache * ncpus + i] = NONE;
  }
  return cache;
}

/* The measured loop for one pair of functions, so that both are called directly. */
#define WORK(ALLOC, FREE)                                            \
  do {                                                               \
    for (int i = 0; i < live; i++) held[i] = ALLOC(cache);           \
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);                     \
    if (live == 0)                                                   \
      for (long i = 0; i < ops; i++) {                               \
        int64_t o = ALLOC(cache);                                    \
        sum = sum * 31 + (uint32_t)(o >> 8);                         \
        FREE(cache, o);                                              \
      }                                                              \
    else                                                             \
      for (long i = 0; i < ops; i++) {                               \
        x = (int32_t)((uint32_t)x * 1103515245u + 12345u);           \
        int k = (int)(((uint32_t)x >> 8) % (uint32_t)live);          \
        FREE(cache, held[k]);                                        \
        held[k] = ALLOC(cache);                                      \
        sum = sum * 31 + (uint32_t)(held[k] >> 8);                   \
      }                                                              \
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);                     \
  } while (0)

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  long ops = atol(argv[2]);
  int live = strcmp(argv[1], "pair") == 0 ? 0 : atoi(argv[1]);
  const char *kind = argv[3];
  frozen_chains = strcmp(kind, "plain") != 0;
  by_objects = strcmp(kind, "objects") == 0;
  ncpus = argc > 4 ? atoi(argv[4]) : 1;
  nnodes = argc > 5 ? atoi(argv[5]) : 1;
  int32_t limit = by_objects ? 13 : 7;
  for (int i = 0; i < 26; i++) add_cache(8 << (i & 3), 16, limit, 5);
  int32_t cache = add_cache(256, 16, limit, 5);
  int64_t *held = calloc(live + 1, sizeof *held);
  uint32_t sum = 0;
  int32_t x = 12345;
  struct timespec a, b;
  if (strcmp(kind, "sheaves") == 0) WORK(sheaf_alloc, sheaf_free);
  else WORK(cache_alloc, cache_free);
  double nanos = (b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec);
  printf("%.2f %u\n", nanos / ops, sum);
  return 0;
}
