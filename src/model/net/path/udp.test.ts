import { describe, expect, test } from "vitest";
import { createNaivePages } from "../../mm/pages.ts";
import { createNaiveHeap } from "../skb/naive_heap.ts";
import { createOwnedSkbs } from "../skb/ownership.ts";
import { skbField } from "../skb/skb_columns.ts";
import type { Skbs } from "../skb/skbs.ts";
import { createSockMem } from "../tcp/sock_mem.ts";
import { packetField } from "./receive.ts";
import { createUdp } from "./udp.ts";
import { frameKind } from "./wire.ts";

function lab(limits: readonly [number, number, number] = [1000, 1200, 2000], fails?: (bytes: number) => boolean) {
  const pages = createNaivePages(4096, 16);
  const heap = createNaiveHeap({ pages, ...(fails === undefined ? {} : { fails }) });
  const skbs = createOwnedSkbs({ pages, heap });
  const mem = createSockMem(skbs, { limitsPages: limits, stream: false });
  const sent: number[] = [];
  const udp = createUdp(skbs, mem, (skb) => sent.push(skb) > 0);
  return { skbs, mem, udp, sent, pages };
}

/** A datagram as a driver hands it up: headers and payload in one head. */
function datagram(skbs: Skbs, flow: number, bytes = 1000): number {
  const skb = skbs.netdevAllocSkb(42 + bytes, skbs.config.gfp.atomic);
  skbs.skbPut(skb, 42 + bytes);
  skbs.columns.S[skb + packetField.FLOW] = flow;
  skbs.columns.S[skb + packetField.KIND] = frameKind.udp;
  return skb;
}

describe("datagram sockets", () => {
  test("a packet is dropped when truesize in the queue exceeds the receive buffer, and not before", () => {
    const { skbs, udp, mem } = lab();
    const sock = udp.bind(7, 10_000);
    for (let i = 0; i < 20; i++) udp.take(datagram(skbs, 7));
    const truesize = skbs.columns.S[datagramPeek(skbs, udp, sock) + skbField.TRUESIZE]!;
    // The check is made before a packet is added: one more than fits.
    expect(udp.queued(sock) + 1).toBe(Math.floor(10_000 / truesize) + 1);
    expect(skbs.socks.drops[sock]).toBe(20 - udp.queued(sock) - 1);
    expect(udp.counters.rcvbufErrors).toBe(skbs.socks.drops[sock]);
    while (udp.recv(sock) >= 0);
    expect([skbs.socks.rmemAlloc[sock], skbs.socks.forwardAlloc[sock], mem.allocatedPages()]).toEqual([0, 0, 0]);
    udp.close(sock);
    expect(skbs.columns.skbsLive()).toBe(0);
  });

  test("a receive buffer that is exactly full takes one more: __udp_enqueue_schedule_skb() drops above sk_rcvbuf, not at it (6.1)", () => {
    const { skbs, udp } = lab();
    const probe = udp.bind(1);
    udp.take(datagram(skbs, 1));
    const truesize = skbs.socks.rmemAlloc[probe] as number;
    const sock = udp.bind(2, truesize * 3);
    for (let i = 0; i < 5; i++) udp.take(datagram(skbs, 2));
    expect([udp.queued(sock), skbs.socks.drops[sock]]).toEqual([4, 1]);
    for (const s of [probe, sock]) udp.close(s);
  });

  test("above half a receive buffer a packet with fragments that fit its head is condensed, and charged less (6.1)", () => {
    const { skbs, udp } = lab();
    const sock = udp.bind(3, 20_000);
    /** 100 bytes in a page fragment behind the headers, charged a whole page. */
    const charged = Array.from({ length: 4 }, () => {
      const before = skbs.socks.rmemAlloc[sock] as number;
      const skb = skbs.allocSkb(42 + 200, skbs.config.gfp.atomic);
      skbs.skbPut(skb, 42);
      skbs.columns.S[skb + packetField.FLOW] = 3;
      skbs.columns.S[skb + packetField.KIND] = frameKind.udp;
      skbs.skbAddRxFrag(skb, 0, skbs.outside.allocPages(skbs.config.gfp.atomic, 0), 0, 100, 4096);
      udp.take(skb);
      return (skbs.socks.rmemAlloc[sock] as number) - before;
    });
    expect(charged[1]).toBe(charged[0]);
    expect(charged[3]).toBe((charged[0] as number) - 4096);
    expect(udp.queued(sock)).toBe(4);
    udp.close(sock);
  });

  test("each member of a group gets every packet; they share the memory and each is charged for all of it", () => {
    const { skbs, udp } = lab();
    const socks = [udp.bind(9), udp.bind(9), udp.bind(9)];
    const heads = skbs.columns.headsLive();
    for (let i = 0; i < 5; i++) udp.take(datagram(skbs, 9));
    expect(skbs.columns.headsLive() - heads).toBe(5);
    expect(skbs.columns.skbsLive()).toBe(15);
    expect(new Set(socks.map((s) => skbs.socks.rmemAlloc[s])).size).toBe(1);
    udp.close(socks[0] as number);
    while (udp.recv(socks[1] as number) >= 0);
    expect(skbs.columns.headsLive() - heads).toBe(5);
    udp.close(socks[2] as number);
    expect([skbs.columns.headsLive(), skbs.columns.skbsLive()]).toEqual([0, 0]);
  });

  test("a member whose clone cannot be had loses the packet, the others do not", () => {
    let refuse = false;
    const { skbs, udp } = lab(undefined, () => refuse);
    const [a, b] = [udp.bind(9), udp.bind(9)];
    const skb = datagram(skbs, 9);
    const clone = skbs.skbClone;
    refuse = true;
    // Named caches do not pass through `fails`: the clone is refused here.
    Object.assign(skbs, { skbClone: (s: number, g: number) => (refuse ? 0 : clone(s, g)) });
    udp.take(skb);
    expect([udp.queued(a), udp.queued(b), skbs.socks.drops[a], udp.counters.cloneErrors]).toEqual([0, 1, 1, 1]);
    udp.close(a);
    udp.close(b);
    expect(skbs.columns.skbsLive()).toBe(0);
  });

  test("beyond the protocol's hard limit only the smallest sockets get memory", () => {
    const { skbs, udp, mem } = lab([4, 6, 8]);
    const sock = udp.bind(7, 1_000_000);
    for (let i = 0; i < 40; i++) udp.take(datagram(skbs, 7));
    expect(mem.allocatedPages()).toBeLessThanOrEqual(8);
    expect(mem.underPressure() || udp.counters.memErrors > 0).toBe(true);
    expect(udp.counters.memErrors).toBe(40 - udp.queued(sock));
    udp.close(sock);
    expect([mem.allocatedPages(), skbs.columns.skbsLive()]).toEqual([0, 0]);
  });

  test("sending stops at the send buffer until the device gives packets back", () => {
    const { skbs, udp, sent } = lab();
    const sock = udp.bind(7, 212992, 8000);
    let accepted = 0;
    while (udp.send(sock, 3, 1000) > 0) accepted++;
    expect(accepted).toBeGreaterThan(2);
    expect(skbs.socks.wmemAlloc[sock]).toBeGreaterThanOrEqual(8000);
    skbs.consumeSkb(sent.shift() as number);
    expect(udp.send(sock, 3, 1000)).toBe(1000);
    for (const skb of sent) skbs.consumeSkb(skb);
    udp.close(sock);
    expect([skbs.socks.wmemAlloc[sock], skbs.columns.skbsLive()]).toEqual([0, 0]);
  });

  test("a packet for nobody is a drop, not a leak", () => {
    const { skbs, udp } = lab();
    udp.take(datagram(skbs, 1));
    expect([udp.counters.noPorts, skbs.columns.skbsLive()]).toEqual([1, 0]);
  });
});

/** Takes one packet out to look at it, and frees it; its row can still be read. */
function datagramPeek(skbs: Skbs, udp: ReturnType<typeof createUdp>, sock: number): number {
  const skb = udp.dequeue(sock);
  skbs.consumeSkb(skb);
  return skb;
}
