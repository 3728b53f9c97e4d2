/* C twin of the sk_buff core: the rules of src/model/net/skbuff.ts over the same rows and the same flat heap. Built by bench.mjs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HEAD, DATA, TAIL, END, LEN, DATA_LEN, TRUESIZE, USERS, BITS, HDR_LEN, MAC, NET, TRANS, MAC_LEN, NEXT, PREV,
       SK, DESTRUCTOR, DEV, PARTNER, FCLONE_REF, STATE, PROTOCOL, QUEUE, CSUM_START, CB0, CB1, CB2, CB3, CB4, MARK, HASH };
enum { DATAREF, NR_FRAGS, FLAGS, TX_FLAGS, GSO_SIZE, GSO_SEGS, GSO_TYPE, FRAG_LIST, UARG, PFN, BYTES, HSTATE, TENANT, AUX };
enum { CLONED = 1, NOHDR = 2, HEAD_FRAG = 4, PP_RECYCLE = 8, PFMEMALLOC = 16, FCLONE_MASK = 96, SUMMED = 384 };
enum { ROWS = 65537, INFO = 320, PAYLOAD_ONLY = 65537, MANAGED = 16, ZEROCOPY = 1 };

static int32_t *S, *H, *F;
static double *skb_addr, *head_addr;
static int32_t *free_skbs, *free_heads;
static int free_skb_count, free_head_count, fresh_skb = 1, fresh_head = 1;

/* flat heap: one stack of free addresses a class; the class of a page by its pfn */
static const int sizes[] = {256, 512, 1024, 2048, 4096, 8192};
static double *stack_[6];
static int count_[6];
static uint8_t class_of[1 << 20];
static uint8_t class_for[8192 / 8 + 1];

static double heap_alloc(int c) { return count_[c] ? stack_[c][--count_[c]] : -1; }
static double kmalloc_(int bytes) { return heap_alloc(class_for[(bytes + 7) >> 3]); }
static void kfree_(double a) { int c = class_of[(int)(a / 4096)]; stack_[c][count_[c]++] = a; }
static int roundup_(int bytes) { return sizes[class_for[(bytes + 7) >> 3]]; }

static void heap_init(int each)
{
	double at = 4096.0 * 16;
	for (int s = 0; s <= 8192 / 8; s++) { int c = 0; while (sizes[c] < s * 8) c++; class_for[s] = c; }
	for (int c = 0; c < 6; c++) {
		int n = c < 4 ? each : 64;
		stack_[c] = malloc(sizeof(double) * (n + 1));
		for (int i = 0; i < n; i++) {
			stack_[c][i] = at;
			for (double p = at; p < at + sizes[c]; p += 4096) class_of[(int)(p / 4096)] = c;
			at += sizes[c];
		}
		count_[c] = n;
		at = 4096.0 * (int)((at + 4095) / 4096);
	}
}

static int take_skb(void) { return free_skb_count ? free_skbs[--free_skb_count] : fresh_skb++ * 32; }
static int take_head(void) { return free_head_count ? free_heads[--free_head_count] : fresh_head++ * 16; }

static void clear_skb(int skb)
{
	static const int fields[] = {LEN, DATA_LEN, BITS, HDR_LEN, NET, MAC_LEN, NEXT, PREV, SK, DESTRUCTOR, DEV, PARTNER,
				     PROTOCOL, QUEUE, CSUM_START, CB0, CB1, CB2, CB3, CB4, MARK, HASH};
	for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++) S[skb + fields[i]] = 0;
}

static int new_head(double address, int bytes)
{
	int head = take_head();
	head_addr[head >> 4] = address;
	H[head + DATAREF] = 1;
	for (int i = NR_FRAGS; i <= PFN; i++) H[head + i] = 0;
	H[head + BYTES] = bytes;
	H[head + TENANT]++;
	return head;
}

/* Small heads come from a cache of their own (since 6.3): objects of 704 bytes, which lie in the class of 1024. */
static int small_heads;

static int alloc_skb(int size)
{
	double object = heap_alloc(0);
	if (object < 0) return 0;
	int wanted = ((size + 63) & ~63) + INFO;
	int bytes = small_heads && wanted <= 704 ? 704 : roundup_(wanted);
	double data = kmalloc_(bytes);
	if (data < 0) { kfree_(object); return 0; }
	int skb = take_skb();
	skb_addr[skb >> 5] = object;
	int end = bytes - INFO;
	clear_skb(skb);
	S[skb + HEAD] = new_head(data, bytes);
	S[skb + DATA] = S[skb + TAIL] = 0;
	S[skb + END] = end;
	S[skb + TRUESIZE] = end + 256 + INFO;
	S[skb + USERS] = 1;
	S[skb + MAC] = S[skb + TRANS] = 0xffff;
	S[skb + STATE] |= 1;
	return skb;
}

static int skb_put(int skb, int n)
{
	int tail = S[skb + TAIL];
	if (S[skb + DATA_LEN] || tail + n > S[skb + END]) abort();
	S[skb + TAIL] = tail + n;
	S[skb + LEN] += n;
	return tail;
}

static void retire(int skb)
{
	S[skb + STATE] = (S[skb + STATE] | 3) + 1;
	free_skbs[free_skb_count++] = skb;
}

static void kfree_skb(int skb);

static void release_data(int skb)
{
	int head = S[skb + HEAD], bits = S[skb + BITS];
	if (bits & CLONED) {
		int left = H[head + DATAREF] - (bits & NOHDR ? PAYLOAD_ONLY : 1);
		H[head + DATAREF] = left;
		if (left) { S[skb + BITS] = bits & ~PP_RECYCLE; return; }
	}
	if (H[head + UARG]) abort();
	if (H[head + NR_FRAGS]) abort();
	for (int list = H[head + FRAG_LIST]; list; ) { int next = S[list + NEXT]; kfree_skb(list); list = next; }
	if (bits & HEAD_FRAG) abort();
	kfree_(head_addr[head >> 4]);
	free_heads[free_head_count++] = head;
	S[skb + BITS] = bits & ~PP_RECYCLE;
}

static void kfree_skb(int skb)
{
	if (S[skb + USERS] != 1) { S[skb + USERS]--; return; }
	if (S[skb + DESTRUCTOR]) abort();
	release_data(skb);
	if (S[skb + BITS] & FCLONE_MASK) abort();
	kfree_(skb_addr[skb >> 5]);
	retire(skb);
}

static int skb_clone(int skb)
{
	int head = S[skb + HEAD];
	if (H[head + FLAGS] & ZEROCOPY) abort();
	if ((S[skb + BITS] & FCLONE_MASK) >> 5 == 1) abort();
	double object = heap_alloc(0);
	if (object < 0) return 0;
	int n = take_skb(), bits = S[skb + BITS];
	clear_skb(n);
	skb_addr[n >> 5] = object;
	static const int same[] = {MAC, NET, TRANS, DEV, PROTOCOL, QUEUE, CSUM_START, CB0, CB1, CB2, CB3, CB4, MARK, HASH,
				   LEN, DATA_LEN, MAC_LEN, DATA, TAIL, END, TRUESIZE};
	for (unsigned i = 0; i < sizeof same / sizeof *same; i++) S[n + same[i]] = S[skb + same[i]];
	S[n + BITS] = (S[n + BITS] & ~SUMMED) | (bits & SUMMED);
	S[n + HDR_LEN] = bits & NOHDR ? S[skb + DATA] : S[skb + HDR_LEN];
	S[n + BITS] |= CLONED | (bits & (PFMEMALLOC | PP_RECYCLE | HEAD_FRAG));
	S[n + HEAD] = head;
	S[n + USERS] = 1;
	S[n + STATE] = (S[n + STATE] & ~3) | 1;
	H[head + DATAREF]++;
	S[skb + BITS] = bits | CLONED;
	return n;
}

static const int mix[] = {100, 600, 1500, 64, 1400, 300, 1500, 200};
static uint32_t sum;
static void fold(int skb) { sum = sum * 31 + (uint32_t)(skb + S[skb + TRUESIZE] + S[skb + LEN]); }

static void alloc_free(int ops)
{
	for (int i = 0; i < ops; i++) {
		int skb = alloc_skb(mix[i & 7]);
		skb_put(skb, 60);
		fold(skb);
		kfree_skb(skb);
	}
}

static int *live;
static void replace(int ops, int n)
{
	uint32_t x = 12345;
	for (int i = 0; i < n; i++) live[i] = alloc_skb(mix[i & 7]);
	for (int i = 0; i < ops; i++) {
		x = x * 1664525u + 1013904223u;
		int at = (int)((x >> 8) & (n - 1));
		kfree_skb(live[at]);
		live[at] = alloc_skb(mix[i & 7]);
		fold(live[at]);
	}
	for (int i = 0; i < n; i++) kfree_skb(live[i]);
}

static void clone_free(int ops)
{
	int skb = alloc_skb(1500);
	skb_put(skb, 1000);
	for (int i = 0; i < ops; i++) {
		int n = skb_clone(skb);
		fold(n);
		kfree_skb(n);
	}
	kfree_skb(skb);
}

int main(int argc, char **argv)
{
	const char *what = argv[1];
	int ops = atoi(argv[2]);
	const char *kernel = argc > 3 ? argv[3] : "6.1";
	small_heads = !strcmp(kernel, "6.12") || !strcmp(kernel, "7.2") || !strcmp(kernel, "7.3");
	S = calloc((size_t)ROWS * 32, 4);
	H = calloc((size_t)ROWS * 16, 4);
	F = calloc((size_t)ROWS * 68, 4);
	skb_addr = calloc(ROWS, 8);
	head_addr = calloc(ROWS, 8);
	free_skbs = calloc(ROWS, 4);
	free_heads = calloc(ROWS, 4);
	live = calloc(ROWS, sizeof(int));
	heap_init(40000);
	for (int round = 0; round < 3; round++) { /* the first two warm caches as the other side warms its compiler */
		struct timespec a, b;
		sum = 0;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		if (!strcmp(what, "alloc")) alloc_free(ops);
		else if (!strcmp(what, "clone")) clone_free(ops);
		else replace(ops, atoi(what));
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		if (round == 2) printf("%.3f %u\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / ops, sum);
	}
	return 0;
}
