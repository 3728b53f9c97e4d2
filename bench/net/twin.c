/* C twin of bench/net/worker.mjs: the same stream through the same stations with the same events: sender, wire, receive ring of 256 skbs, an
 * interrupt 10 us after the first frame, a poll of 64, a new skb before each packet goes up, the protocol's checksum. Heads and sk_buffs
 * come from stacks of free rows; the model's slab, page allocator and journal are not here, so this is the limit, not an equal. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FRAME = 8, SKB = 32, RING = 256, ROWS = 4096 };
static double now_;
/* 4-ary heap of (time, sequence) */
static double at[1024], seqs[1024];
static int heap[1024], place_[1024], freeSlot[1024], handler[1024], arg[1024], size_, freeCount;
static double next_;
static int earlier(int x, int y) { return at[x] < at[y] || (at[x] == at[y] && seqs[x] < seqs[y]); }
static void up(int s, int i)
{
	while (i > 0) { int p = (i - 1) >> 2; if (!earlier(s, heap[p])) break; heap[i] = heap[p]; place_[heap[i]] = i; i = p; }
	heap[i] = s; place_[s] = i;
}
static void down(int s, int i)
{
	for (;;) {
		int c = (i << 2) + 1, best = c, end = c + 4 < size_ ? c + 4 : size_;
		if (c >= size_) break;
		for (int k = c + 1; k < end; k++) if (earlier(heap[k], heap[best])) best = k;
		if (!earlier(heap[best], s)) break;
		heap[i] = heap[best]; place_[heap[i]] = i; i = best;
	}
	heap[i] = s; place_[s] = i;
}
static void after(double d, int h, int a)
{
	int s = freeSlot[--freeCount];
	at[s] = now_ + (d > 0 ? d : 0); seqs[s] = next_++; handler[s] = h; arg[s] = a;
	up(s, size_++);
}
static int32_t W[ROWS * FRAME], S[ROWS * SKB];
static int freeFrames[ROWS], nFrames, freeSkbs[ROWS], nSkbs;
static int rx[RING], frameIn[RING], hw, clean_, waiting, polling;
static double wireFree, perByte = 0.8, step;
static long left_;
static int32_t seq_, payload, headers;
static uint32_t sum;
static double bytes;
static int skb_alloc(int size)
{
	int s = freeSkbs[--nSkbs];
	memset(S + s, 0, SKB * sizeof(int32_t));
	S[s + 1] = S[s + 2] = 64; S[s + 3] = size; S[s + 6] = size + 576; S[s + 7] = 1;
	return s;
}
static void poll_(void)
{
	int work = 0;
	while (work < 64 && frameIn[clean_]) {
		int f = frameIn[clean_], s = rx[clean_], len = W[f] + headers;
		frameIn[clean_] = 0; waiting--;
		rx[clean_] = skb_alloc(1664);
		clean_ = (clean_ + 1) % RING;
		S[s + 2] += len; S[s + 4] += len;
		S[s + 25] = W[f + 1]; S[s + 26] = W[f + 2]; S[s + 27] = W[f + 3]; S[s + 28] = W[f + 5]; S[s + 29] = W[f + 6]; S[s + 22] = W[f + 4];
		freeFrames[nFrames++] = f;
		bytes += S[s + 4] - headers;
		sum = sum * 31 + (uint32_t)S[s + 26];
		if (--S[s + 7] == 0) freeSkbs[nSkbs++] = s;
		work++;
	}
	if (work == 64) after(0, 3, 0); else polling = 0;
}
static void run(long n)
{
	left_ = n;
	after(0, 0, 0);
	while (size_ > 0) {
		int s = heap[0], h = handler[s], a = arg[s];
		if (at[s] > now_) now_ = at[s];
		freeSlot[freeCount++] = s;
		int last = heap[--size_];
		if (size_ > 0) down(last, 0);
		if (h == 0) {
			int f = freeFrames[--nFrames];
			memset(W + f, 0, FRAME * sizeof(int32_t));
			W[f] = payload; W[f + 4] = 1; W[f + 2] = seq_; seq_ += payload;
			double start = wireFree > now_ ? wireFree : now_;
			wireFree = start + (payload + headers + 24) * perByte;
			after(wireFree + 1000 - now_, 1, f);
			if (--left_ > 0) after(step, 0, 0);
		} else if (h == 1) {
			if (rx[hw] == 0 || frameIn[hw]) { freeFrames[nFrames++] = a; continue; }
			frameIn[hw] = a; hw = (hw + 1) % RING;
			if (waiting++ == 0) after(10000, 2, 0);
		} else if (h == 2) { if (!polling) { polling = 1; after(0, 3, 0); } }
		else poll_();
	}
}
int main(int argc, char **argv)
{
	int mtu = argc > 1 ? atoi(argv[1]) : 1500;
	long count = argc > 2 ? atol(argv[2]) : 2000000;
	headers = argc > 3 && strcmp(argv[3], "tcp") == 0 ? 66 : 42;
	payload = mtu + 14 - headers;
	step = (1500 + 38) * 0.8 * (mtu / 1500.0) * 1.02;
	for (int i = 1023; i >= 0; i--) freeSlot[freeCount++] = i;
	for (int i = ROWS - 1; i > 0; i--) { freeFrames[nFrames++] = i * FRAME; freeSkbs[nSkbs++] = i * SKB; }
	for (int i = 0; i < RING; i++) rx[i] = skb_alloc(1664);
	run(200000);
	struct timespec a, b;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	run(count);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	printf("%.1f %u\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / count, sum);
	return 0;
}
