// The three limits of a protocol's memory: __sk_mem_raise_allocated(), __sk_mem_reduce_allocated(), sk_stream_moderate_sndbuf(),
// net/core/sock.c and include/net/sock.h, 6.1.192.
import { describe, expect, test } from "vitest";
import { createNaivePages } from "../../mm/pages.ts";
import { createNaiveHeap } from "../skb/naive_heap.ts";
import { createSkbs } from "../skb/skbs.ts";
import { createSockMem, memKind } from "./sock_mem.ts";

const PAGE = 4096;

function lab(limitsPages: readonly [number, number, number], stream = true) {
  const pages = createNaivePages(1024, 16);
  const skbs = createSkbs({ pages, heap: createNaiveHeap({ pages }) });
  const mem = createSockMem(skbs, { limitsPages, stream });
  const { socks } = skbs;
  const open = (): number => {
    mem.join();
    return socks.create(100_000, 100_000);
  };
  /** Reserves and charges whole pages as a receiver; false when refused. */
  const take = (sk: number, n: number): boolean => {
    const granted = mem.schedule(sk, n * PAGE, memKind.receive);
    if (granted) {
      mem.charge(sk, n * PAGE);
      socks.rmemAlloc[sk]! += n * PAGE;
    }
    return granted;
  };
  const give = (sk: number, n: number): void => {
    socks.rmemAlloc[sk]! -= n * PAGE;
    mem.uncharge(sk, n * PAGE);
  };
  return { mem, socks, open, take, give };
}

describe("memory pressure", () => {
  test("begins above the second limit, and a release ends it below the first, not at it", () => {
    const { mem, open, take, give } = lab([10, 20, 40]);
    const sk = open();
    take(sk, 20);
    expect(mem.underPressure()).toBe(false);
    take(sk, 1);
    expect(mem.underPressure()).toBe(true);
    give(sk, 11);
    expect([mem.allocatedPages(), mem.underPressure()]).toEqual([10, true]);
    give(sk, 1);
    expect(mem.underPressure()).toBe(false);
  });

  test("a datagram socket has no say in pressure: up to the first limit all are served, above it those that hold less than a page", () => {
    const { open, take } = lab([10, 20, 40], false);
    const [a, b] = [open(), open()];
    expect([take(a, 4), take(a, 6)]).toEqual([true, true]);
    expect([take(a, 1), take(b, 1), take(b, 1)]).toEqual([false, true, false]);
  });
});

describe("above the hard limit", () => {
  test("a receiver is refused and a sender's buffer shrinks to half of what it has queued, at least 4608 bytes", () => {
    const { mem, socks, open, take } = lab([4, 6, 8]);
    const sk = open();
    expect(take(sk, 8)).toBe(true);
    expect(take(sk, 1)).toBe(false);
    socks.wmemQueued[sk] = 30_000;
    expect(mem.schedule(sk, PAGE, memKind.send)).toBe(true);
    expect(socks.sndbuf[sk]).toBe(15_000);
    socks.wmemQueued[sk] = 6000;
    mem.moderate(sk);
    expect(socks.sndbuf[sk]).toBe(4608);
    socks.sndbufLocked[sk] = 1;
    socks.sndbuf[sk] = 50_000;
    mem.moderate(sk);
    expect(socks.sndbuf[sk]).toBe(50_000);
  });
});
