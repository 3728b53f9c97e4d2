// The byte-scanning half of the page_owner reader, compiled to WebAssembly with SIMD (scripts/build-wasm.mjs) and embedded in
// kernel_wasm.ts. It cuts a dump into blocks (separated by an empty line), parses the header and PFN lines of the usual form, and
// interns stack texts: same id = same bytes (a hash only finds candidates; the bytes decide). Everything unusual is flagged and
// left to read.ts. Nothing here allocates but the intern tables, so memory grows with distinct stacks and process names.
#include <stdint.h>
#include <wasm_simd128.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define BUFFER (1u << 20)
#define RECORDS 8192

// Flags of a block; scan.ts has the same numbers.
#define ODD_HEADER 1u // the header is not "order, mask, pid, tgid (comm), ts, free_ts": read.ts looks at the text
#define ODD_PFN 2u    // no PFN line, or one of another form
#define EXT_SLAB 4u   // the PFN line says "slab"
#define EXT_CMA 8u    // the PFN line says "CMA"
#define HAS_PFN 16u   // a PFN line was seen
#define MOVED 32u     // PFN lines in other places: the text was compacted in place

static u8 buffer[BUFFER + 64];
static u32 r_stack[RECORDS], r_order[RECORDS], r_mask[RECORDS], r_pid[RECORDS], r_tgid[RECORDS], r_comm[RECORDS];
static u32 r_header[RECORDS], r_header_len[RECORDS], r_ext[RECORDS], r_ext_len[RECORDS], r_flags[RECORDS];
static u32 r_block[RECORDS], r_types[RECORDS], r_len[RECORDS], r_header_id[RECORDS];
static u64 r_ts[RECORDS], r_free_ts[RECORDS];
static double r_pfn[RECORDS];

extern u8 __heap_base;
static u32 heap_at, heap_end;

static u8 *heap_take(u32 bytes) {
  if (heap_at == 0) {
    heap_at = ((u32)&__heap_base + 63) & ~63u;
    heap_end = __builtin_wasm_memory_size(0) * 65536u;
  }
  u32 at = heap_at;
  if (at + bytes < at) return 0;
  if (at + bytes > heap_end) {
    u32 pages = (at + bytes - heap_end + 65535) / 65536;
    if (pages < 16) pages = 16;
    if (__builtin_wasm_memory_grow(0, pages) == (u32)-1) return 0;
    heap_end = __builtin_wasm_memory_size(0) * 65536u;
  }
  heap_at = (at + bytes + 15) & ~15u;
  return (u8 *)at;
}

// Interned texts: slot table of ids (0 = free), and per id hash, address, length. Two tables: stacks and process names.
typedef struct {
  u32 *slots, slots_mask, used, cap;
  u32 *hash, *text, *len;
  u32 *also; // another table's id for the same text
} Table;
static Table stacks, comms, headers, odd_headers;
static u32 keep_headers; // 1: whole header lines are interned too (memory then grows with the dump)

static void copy(u8 *to, const u8 *from, u32 n) { __builtin_memcpy(to, from, n); }

static int table_grow_ids(Table *t) {
  u32 cap = t->cap ? t->cap * 2 : 1024;
  u32 *h = (u32 *)heap_take(cap * 4), *x = (u32 *)heap_take(cap * 4), *l = (u32 *)heap_take(cap * 4);
  u32 *e = (u32 *)heap_take(cap * 4);
  if (!h || !x || !l || !e) return 0;
  if (t->used) {
    copy((u8 *)h, (u8 *)t->hash, t->used * 4);
    copy((u8 *)x, (u8 *)t->text, t->used * 4);
    copy((u8 *)l, (u8 *)t->len, t->used * 4);
    copy((u8 *)e, (u8 *)t->also, t->used * 4);
  }
  t->hash = h, t->text = x, t->len = l, t->also = e, t->cap = cap;
  return 1;
}

static int table_grow_slots(Table *t) {
  u32 size = t->slots ? (t->slots_mask + 1) * 4 : 4096;
  u32 *slots = (u32 *)heap_take(size * 4);
  if (!slots) return 0;
  __builtin_memset(slots, 0, size * 4);
  for (u32 id = 0; id < t->used; id++) {
    u32 at = t->hash[id] & (size - 1);
    while (slots[at]) at = (at + 1) & (size - 1);
    slots[at] = id + 1;
  }
  t->slots = slots, t->slots_mask = size - 1;
  return 1;
}

static int same(const u8 *a, const u8 *b, u32 n) {
  u32 i = 0;
  for (; i + 16 <= n; i += 16)
    if (!wasm_i8x16_all_true(wasm_i8x16_eq(wasm_v128_load(a + i), wasm_v128_load(b + i)))) return 0;
  for (; i < n; i++)
    if (a[i] != b[i]) return 0;
  return 1;
}

// The id of a text; 0xffffffff when memory is out.
static u32 intern(Table *t, const u8 *text, u32 len, u32 hash) {
  if (!t->slots && !table_grow_slots(t)) return ~0u;
  u32 at = hash & t->slots_mask;
  while (t->slots[at]) {
    u32 id = t->slots[at] - 1;
    if (t->hash[id] == hash && t->len[id] == len && same((u8 *)t->text[id], text, len)) return id;
    at = (at + 1) & t->slots_mask;
  }
  if (t->used == t->cap && !table_grow_ids(t)) return ~0u;
  u8 *kept = heap_take(len + 16);
  if (!kept) return ~0u;
  copy(kept, text, len);
  u32 id = t->used++;
  t->hash[id] = hash, t->text[id] = (u32)kept, t->len[id] = len;
  t->slots[at] = id + 1;
  if (t->used * 2 > t->slots_mask && !table_grow_slots(t)) return ~0u;
  return id;
}

static u32 mix(v128_t acc, u32 len) {
  u32 h = wasm_i32x4_extract_lane(acc, 0) ^ (wasm_i32x4_extract_lane(acc, 1) * 0x9e3779b1u);
  h ^= (wasm_i32x4_extract_lane(acc, 2) * 0x85ebca6bu) ^ (wasm_i32x4_extract_lane(acc, 3) * 0xc2b2ae35u);
  h = (h ^ len) * 0x27d4eb2fu;
  return h ^ (h >> 15);
}

static const u8 keep_first[32] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

static v128_t stir(v128_t acc, v128_t v) {
  acc = wasm_i32x4_mul(wasm_v128_xor(acc, v), wasm_i32x4_splat(0x9e3779b1));
  return wasm_v128_xor(acc, wasm_u32x4_shr(acc, 15));
}

static u32 hash_text(const u8 *p, u32 len) {
  v128_t a = wasm_i32x4_splat(0x2545f491), b = wasm_i32x4_splat(0x61c88647);
  u32 i = 0;
  for (; i + 32 <= len; i += 32) {
    a = stir(a, wasm_v128_load(p + i));
    b = stir(b, wasm_v128_load(p + i + 16));
  }
  for (; i < len; i += 16) {
    u32 rest = len - i < 16 ? len - i : 16;
    a = stir(a, wasm_v128_and(wasm_v128_load(p + i), wasm_v128_load(keep_first + 16 - rest)));
  }
  return mix(stir(a, b), len);
}

// Header lines with a time are all different: they are kept as they come, one id each, and equal ones meet in the sort.
static u32 append(Table *t, const u8 *text, u32 len) {
  if (t->used == t->cap && !table_grow_ids(t)) return ~0u;
  u8 *kept = heap_take(len + 16);
  if (!kept) return ~0u;
  copy(kept, text, len);
  t->hash[t->used] = 0, t->text[t->used] = (u32)kept, t->len[t->used] = len;
  return t->used++;
}

// Headers without a time repeat: one id for equal texts.
static u32 keep_odd(const u8 *text, u32 len) {
  u32 before = odd_headers.used, id = intern(&odd_headers, text, len, hash_text(text, len));
  if (id == ~0u) return id;
  if (odd_headers.used > before) odd_headers.also[id] = append(&headers, text, len);
  return odd_headers.also[id];
}

static const u8 *line_end(const u8 *p, const u8 *end) {
  const v128_t nl = wasm_i8x16_splat('\n');
  while (p < end) {
    u32 m = wasm_i8x16_bitmask(wasm_i8x16_eq(wasm_v128_load(p), nl));
    if (m) {
      p += __builtin_ctz(m);
      return p < end ? p : end;
    }
    p += 16;
  }
  return end;
}

// The end of the text that begins at p (just behind its last newline, where the empty line starts); 0 when the empty line is not in
// the buffer. `*pfn` becomes 1 when a line in between begins with "PFN". `p` must stand at the start of a line.
static const u8 *block_end(const u8 *p, const u8 *end, int *pfn) {
  const v128_t nl = wasm_i8x16_splat('\n'), pp = wasm_i8x16_splat('P');
  u32 carry = 1;
  while (p < end) {
    v128_t v = wasm_v128_load(p);
    u32 m = wasm_i8x16_bitmask(wasm_i8x16_eq(v, nl));
    u32 starts = (m << 1) | carry;
    u32 blank = starts & m;
    u32 ps = wasm_i8x16_bitmask(wasm_i8x16_eq(v, pp)) & starts & 0xffff;
    while (ps) {
      u32 at = __builtin_ctz(ps);
      if ((!blank || at < (u32)__builtin_ctz(blank)) && p[at + 1] == 'F' && p[at + 2] == 'N') *pfn = 1;
      ps &= ps - 1;
    }
    if (blank) {
      p += __builtin_ctz(blank);
      return p < end ? p : 0;
    }
    carry = (m >> 15) & 1;
    p += 16;
  }
  return 0;
}

static int has(const u8 *p, const char *text) {
  while (*text)
    if (*p++ != (u8)*text++) return 0;
  return 1;
}

// Decimal digits at *p; 0 when there is none or more than 19.
static int decimal(const u8 **p, u64 *value) {
  const u8 *q = *p;
  u64 v = 0;
  while (*q >= '0' && *q <= '9') v = v * 10 + (*q++ - '0');
  if (q == *p || q - *p > 19) return 0;
  *value = v, *p = q;
  return 1;
}

// "Page allocated via order 0, mask 0x140dca(…), pid 44, tgid 44 (init), ts 2065868001 ns, free_ts 1862035689 ns"
static int header(const u8 *p, const u8 *end, u32 n) {
  u64 v;
  r_order[n] = ~0u, r_mask[n] = 0, r_pid[n] = r_tgid[n] = r_comm[n] = ~0u, r_ts[n] = r_free_ts[n] = ~0ull;
  if (!has(p, "Page allocated via order ")) return 0;
  p += 25;
  if (!decimal(&p, &v) || v > 64) return 0;
  r_order[n] = (u32)v;
  if (!has(p, ", mask 0x")) return 0;
  p += 9;
  u32 mask = 0, digits = 0;
  for (;; p++, digits++) {
    u32 d = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : 16;
    if (d > 15) break;
    mask = mask * 16 + d;
  }
  if (!digits || digits > 8) return 0;
  r_mask[n] = mask;
  if (*p == '(') {
    while (p < end && *p != ')') p++;
    p++;
  }
  if (!has(p, ", pid ")) return 0;
  p += 6;
  if (!decimal(&p, &v) || v > 0x7fffffff) return 0;
  r_pid[n] = (u32)v;
  if (!has(p, ", tgid ")) return 0;
  p += 7;
  if (!decimal(&p, &v) || v > 0x7fffffff) return 0;
  r_tgid[n] = (u32)v;
  if (!has(p, " (")) return 0;
  p += 2;
  const u8 *comm = p;
  // The name ends at the first "), ts "; names that could be read two ways are left to the slow path.
  while (p < end && !(*p == ')' && has(p, "), ts "))) {
    if ((*p == 't' && (p[1] == 's' || p[1] == 'g')) || (*p == 'p' && p[1] == 'i') || *p == 0) return 0;
    p++;
  }
  if (p >= end || p - comm > 15) return 0;
  u32 len = (u32)(p - comm);
  r_comm[n] = intern(&comms, comm, len, hash_text(comm, len));
  p += 6;
  if (!decimal(&p, &r_ts[n]) || !has(p, " ns, free_ts ")) return 0;
  p += 13;
  if (!decimal(&p, &r_free_ts[n]) || !has(p, " ns")) return 0;
  return p + 3 == end;
}

// "PFN 6145 type Movable Block 12 type Movable Flags 0x4000000000080036(…)"; types as first letters.
static int pfn_line(const u8 *p, u32 n) {
  u64 v;
  r_pfn[n] = -1, r_block[n] = ~0u, r_types[n] = 0;
  if (!has(p, "PFN ")) return 0;
  p += 4;
  if (*p == '0' && p[1] == 'x') { // since 6.2 the number is hexadecimal
    p += 2;
    const u8 *from = p;
    for (v = 0;; p++) {
      u32 d = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : 16;
      if (d > 15) break;
      v = v * 16 + d;
    }
    if (p == from || p - from > 13) return 0;
  } else if (!decimal(&p, &v)) {
    return 0;
  }
  r_pfn[n] = (double)v;
  if (!has(p, " type ")) return 0;
  u32 own = p[6];
  p += 6;
  while (*p > ' ') p++;
  if (!has(p, " Block ")) return 0;
  p += 7;
  if (!decimal(&p, &v) || v > 0x7fffffff || !has(p, " type ")) return 0;
  r_block[n] = (u32)v;
  r_types[n] = own | ((u32)p[6] << 8);
  return 1;
}

static u32 ext_words(const u8 *p, const u8 *end) {
  u32 flags = 0;
  const v128_t s = wasm_i8x16_splat('s'), b = wasm_i8x16_splat('b'), c = wasm_i8x16_splat('C'), a = wasm_i8x16_splat('A');
  for (; p < end; p += 16) {
    v128_t v = wasm_v128_load(p);
    u32 m = wasm_i8x16_bitmask(wasm_v128_or(wasm_v128_and(wasm_i8x16_eq(v, s), wasm_i8x16_eq(wasm_v128_load(p + 3), b)),
                                            wasm_v128_and(wasm_i8x16_eq(v, c), wasm_i8x16_eq(wasm_v128_load(p + 2), a))));
    for (; m; m &= m - 1) {
      const u8 *q = p + __builtin_ctz(m);
      if (q + 4 <= end && has(q, "slab")) flags |= EXT_SLAB;
      if (q + 3 <= end && has(q, "CMA")) flags |= EXT_CMA;
    }
  }
  return flags;
}

static u32 consumed_bytes;
// What the last PFN line said: the kernel's own tool keeps it for blocks that have none.
static u32 last_ext;

// Records to take, by pid and tgid; a list that is empty takes all. Only plain headers are judged here.
#define WANTED 64
static u32 wanted_pids[WANTED], wanted_tgids[WANTED], pid_count, tgid_count;

static int on_list(const u32 *list, u32 count, u32 value) {
  for (u32 i = 0; i < count; i++)
    if (list[i] == value) return 1;
  return count == 0;
}

// Room for PFN lines that compact() took out of their blocks; scan() stops a batch when it is used up.
#define KEPT_LINE 512u
static u8 ext_kept[64 * KEPT_LINE + 16];
static u32 ext_kept_at;

// Takes the lines that begin with "PFN" out of [from, to), in place; the last of them is left at *ext. Returns the new end.
static u8 *compact(u8 *from, u8 *to, const u8 **ext, u32 *ext_len, u8 *keep) {
  u8 *out = from;
  for (u8 *p = from; p < to;) {
    u8 *next = (u8 *)line_end(p, to) + 1;
    u32 len = (u32)(next - p);
    if (len >= 3 && has(p, "PFN")) {
      u32 kept = len > KEPT_LINE ? KEPT_LINE : len;
      copy(keep, p, kept);
      *ext = keep, *ext_len = kept;
    } else {
      __builtin_memmove(out, p, len);
      out += len;
    }
    p = next;
  }
  return out;
}

// Cuts buffer[0, len) into blocks; stops at the last whole one or when the record columns are full. Returns the number of records;
// consumed() says how many bytes they cover.
EXPORT(scan) u32 scan(u32 from, u32 len) {
  const u8 *p = buffer + from, *end = buffer + len;
  u32 n = 0;
  ext_kept_at = 0;
  __builtin_memset(buffer + len, 0, 64);
  while (p < end && n < RECORDS) {
    if (ext_kept_at + KEPT_LINE > 64 * KEPT_LINE) break;
    const u8 *start = p, *head_end = p, *text, *ext = 0;
    u32 ext_len = 0, flags = 0;
    int pfn_inside = 0;
    if (*p == '\n') { // an empty line where a block should begin
      r_header[n] = (u32)p, r_header_len[n] = 0, r_ext[n] = 0, r_ext_len[n] = 0, r_len[n] = 0;
      header(p, p, n);
      pfn_line(p, n);
      r_stack[n] = intern(&stacks, p, 0, hash_text(p, 0));
      r_header_id[n] = keep_headers ? keep_odd(p, 0) : ~0u;
      r_flags[n++] = ODD_HEADER | ODD_PFN;
      p++;
      continue;
    }
    int first_is_pfn = has(p, "PFN");
    head_end = line_end(p, end);
    if (head_end >= end) break;
    text = head_end + 1;
    if (!first_is_pfn && has(text, "PFN")) {
      const u8 *e = line_end(text, end);
      if (e >= end) break;
      ext = text, ext_len = (u32)(e + 1 - text);
      text = e + 1;
    }
    const u8 *stop = text < end ? block_end(text, end, &pfn_inside) : 0;
    if (!stop) break;
    u8 *text_end = (u8 *)stop;
    r_header[n] = (u32)start;
    if (pfn_inside || first_is_pfn) {
      // Rare: PFN lines elsewhere. Bring the text together as the kernel's own tool does, behind the header.
      u8 *keep = ext_kept + ext_kept_at;
      ext_kept_at += KEPT_LINE;
      text_end = compact((u8 *)start, (u8 *)stop, &ext, &ext_len, keep);
      head_end = line_end(start, text_end);
      text = head_end < text_end ? head_end + 1 : text_end;
      flags |= MOVED;
    }
    u32 head_len = (u32)(head_end - start);
    r_header_len[n] = head_len;
    u32 stack_len = (u32)(text_end - text);
    if (flags & MOVED) flags |= ODD_HEADER;
    if (!header(start, head_end, n)) flags |= ODD_HEADER;
    if (ext) last_ext = ext_words(ext, ext + ext_len);
    if (!(flags & ODD_HEADER) && !(on_list(wanted_pids, pid_count, r_pid[n]) && on_list(wanted_tgids, tgid_count, r_tgid[n]))) {
      p = stop + 1;
      continue;
    }
    flags |= last_ext;
    if (ext) {
      flags |= HAS_PFN;
      if (!pfn_line(ext, n)) flags |= ODD_PFN;
    } else {
      pfn_line(start, n);
      flags |= ODD_PFN;
    }
    r_ext[n] = (u32)ext;
    r_ext_len[n] = ext_len;
    r_len[n] = head_len + 1 + stack_len;
    r_stack[n] = intern(&stacks, text, stack_len, hash_text(text, stack_len));
    if (!keep_headers) r_header_id[n] = ~0u;
    else if (flags & ODD_HEADER) r_header_id[n] = keep_odd(start, head_len);
    else r_header_id[n] = append(&headers, start, head_len);
    if (r_stack[n] == ~0u || (keep_headers && r_header_id[n] == ~0u)) return ~0u;
    r_flags[n++] = flags;
    p = stop + 1;
  }
  consumed_bytes = (u32)(p - buffer);
  return n;
}

// Adds to the lists; 0 when a list is full (then the caller judges by itself).
EXPORT(want) u32 want(u32 pid_or_tgid, u32 value) {
  u32 *count = pid_or_tgid ? &tgid_count : &pid_count;
  if (*count == WANTED) return 0;
  (pid_or_tgid ? wanted_tgids : wanted_pids)[(*count)++] = value;
  return 1;
}

EXPORT(consumed) u32 consumed(void) { return consumed_bytes; }
EXPORT(buffer_at) u32 buffer_at(void) { return (u32)buffer; }
EXPORT(buffer_size) u32 buffer_size(void) { return BUFFER; }
EXPORT(records_max) u32 records_max(void) { return RECORDS; }
EXPORT(column) u32 column(u32 which) {
  u32 *const columns[] = {r_stack, r_order, r_mask, r_pid, r_tgid, r_comm, r_header, r_header_len, r_ext, r_ext_len,
                          r_flags, r_block, r_types, r_len, r_header_id, (u32 *)r_ts, (u32 *)r_free_ts, (u32 *)r_pfn};
  return which < sizeof columns / sizeof *columns ? (u32)columns[which] : 0;
}
static Table *const tables[] = {&stacks, &comms, &headers};
EXPORT(keep_header_lines) void keep_header_lines(void) { keep_headers = 1; }
EXPORT(text_count) u32 text_count(u32 table) { return tables[table]->used; }
EXPORT(text_at) u32 text_at(u32 table, u32 id) { return tables[table]->text[id]; }
EXPORT(text_len) u32 text_len(u32 table, u32 id) { return tables[table]->len[id]; }

// The kept header lines in strcmp order: eight bytes at a time from the left, three-way partitions, so that common beginnings are
// looked at once a level and not once a comparison.
static u64 *sort_keys;
static u32 *sort_ids;

static u64 key_at(u32 id, u32 depth) {
  const u8 *p = (const u8 *)headers.text[id];
  u32 len = headers.len[id];
  if (depth + 8 <= len) return __builtin_bswap64(*(const u64 *)(p + depth));
  u64 key = 0;
  for (u32 i = depth; i < depth + 8; i++) key = key << 8 | (i < len ? p[i] : i == len ? '\n' : 0);
  return key;
}

static void swap(u32 a, u32 b) {
  u64 k = sort_keys[a];
  u32 i = sort_ids[a];
  sort_keys[a] = sort_keys[b], sort_ids[a] = sort_ids[b];
  sort_keys[b] = k, sort_ids[b] = i;
}

static void sort_range(u32 from, u32 to, u32 depth, int loaded) {
  while (to - from > 1) {
    if (!loaded)
      for (u32 i = from; i < to; i++) sort_keys[i] = key_at(sort_ids[i], depth);
    u64 a = sort_keys[from], b = sort_keys[from + (to - from) / 2], c = sort_keys[to - 1];
    u64 pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
    u32 lt = from, gt = to, i = from;
    while (i < gt) {
      if (sort_keys[i] < pivot) swap(i++, lt++);
      else if (sort_keys[i] > pivot) swap(i, --gt);
      else i++;
    }
    sort_range(from, lt, depth, 1);
    sort_range(gt, to, depth, 1);
    // Equal keys: next eight bytes, unless the line ended in these (its newline is followed by zeros only there).
    if (gt > lt && depth + 8 > headers.len[sort_ids[lt]]) return;
    from = lt, to = gt, depth += 8, loaded = 0;
  }
}

// Address of a rank for each kept header line: the order of strcmp, equal lines equal ranks. 0 when memory is out.
EXPORT(header_ranks) u32 header_ranks(void) {
  u32 n = headers.used;
  u32 *rank = (u32 *)heap_take(n * 4 + 4);
  sort_keys = (u64 *)heap_take(n * 8 + 8);
  sort_ids = (u32 *)heap_take(n * 4 + 4);
  if (!rank || !sort_keys || !sort_ids) return 0;
  for (u32 i = 0; i < n; i++) sort_ids[i] = i;
  sort_range(0, n, 0, 0);
  u32 r = 0;
  for (u32 i = 0; i < n; i++) {
    u32 id = sort_ids[i], last = i ? sort_ids[i - 1] : id;
    if (headers.len[id] != headers.len[last] || !same((u8 *)headers.text[id], (u8 *)headers.text[last], headers.len[id])) r++;
    rank[id] = r;
  }
  return (u32)rank;
}

// Assembles "prefix, header line, newline, stack, newline" records for the answer sorted by whole text.
#define OUT (1u << 20)
static u8 *out;
static u32 out_used;

EXPORT(keep) u32 keep(u32 bytes) { return (u32)heap_take(bytes); }
EXPORT(out_at) u32 out_at(void) {
  if (!out) out = heap_take(2 * OUT);
  out_used = 0;
  return (u32)out;
}

// Appends one record; returns the bytes now in the buffer. The caller takes them away once they pass a mebibyte.
EXPORT(emit) u32 emit(u32 prefix, u32 prefix_len, u32 header_id, u32 stack_id) {
  u8 *p = out + out_used;
  u32 head = headers.len[header_id], body = stacks.len[stack_id];
  copy(p, (u8 *)prefix, prefix_len), p += prefix_len;
  copy(p, (u8 *)headers.text[header_id], head), p += head;
  if (head) *p++ = '\n'; // the empty record has no line at all
  copy(p, (u8 *)stacks.text[stack_id], body), p += body;
  *p++ = '\n';
  out_used = (u32)(p - out);
  return out_used;
}
