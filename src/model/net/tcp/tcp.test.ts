import { describe, expect, test } from "vitest";
import { prng } from "../../../base/prng.ts";
import { createJournal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import { createNaivePages } from "../../mm/pages.ts";
import { createClock } from "../../sync/clock.ts";
import { createCpus } from "../../sync/cpu.ts";
import { packetField } from "../path/receive.ts";
import { createNaiveHeap } from "../skb/naive_heap.ts";
import { headField, skbField } from "../skb/skb_columns.ts";
import { createMemory } from "../skb/skb_memory.ts";
import { createSkbs } from "../skb/skbs.ts";
import { createSockMem } from "./sock_mem.ts";
import type { ConnectOptions, Tcp, TcpParts } from "./tcp.ts";
import { createTcp } from "./tcp.ts";
import type { SendPage } from "./tcp_state.ts";

const { LEN, HEAD } = skbField;
const headers = 66;

/**
 * Two connections of one TCP over a cable that carries bytes: each segment becomes a packet of its own at the other end, its head a page
 * fragment, or (paged) its payload in pages. A packet waits in the card until its last frame has left.
 */
function lab(o: {
  seed: number;
  loss?: number;
  reorder?: number;
  paged?: boolean;
  fails?: () => boolean;
  rate?: number;
  limits?: readonly [number, number, number];
  sendPage?: SendPage;
}) {
  const journal = createJournal();
  const clock = createClock(journal);
  const cpus = createCpus(clock, journal, 1);
  const base = createNaivePages(1 << 15, 16);
  const fails = o.fails ?? (() => false);
  const pages: PageAllocator = { ...base, allocPages: (g, order) => (fails() ? -1 : base.allocPages(g, order)) };
  const heap = createNaiveHeap({ pages, fails });
  const cacheAlloc = heap.cacheAlloc;
  const failing = { ...heap, cacheAlloc: (c: number, g: number) => (fails() ? -1 : cacheAlloc(c, g)) };
  const memory = createMemory(4096);
  const skbs = createSkbs({ pages, heap: failing, memory, journal });
  const { S, H } = skbs.columns;
  const random = prng(o.seed);
  const mem = createSockMem(skbs, { limitsPages: o.limits ?? [20000, 24000, 30000], stream: true });
  const perByte = o.rate ?? 1;
  let wireFree = 0;
  let frames = 0;
  const arrive = clock.handler((skb) => tcp.take(skb));
  const complete = clock.handler((skb) => skbs.consumeSkb(skb));

  const segment = (skb: number, offset: number, bytes: number): void => {
    frames++;
    wireFree = Math.max(wireFree, clock.now()) + (bytes + headers) * perByte;
    if (random.chance(o.loss ?? 0)) return;
    // The receiving driver: one buffer a frame, dropped when there is none.
    const n = o.paged === true && bytes > 0 ? pagedPacket(skb, offset, bytes) : linearPacket(skb, offset, bytes);
    if (n === 0) return;
    for (let f = packetField.FLOW; f <= packetField.AUX; f++) S[n + f] = S[skb + f]!;
    S[n + packetField.KIND] = S[skb + packetField.KIND]!;
    S[n + packetField.SEQ] = (S[skb + packetField.SEQ]! + offset) | 0;
    const late = random.chance(o.reorder ?? 0) ? 200_000 : 0;
    clock.after(wireFree - clock.now() + 20_000 + late, arrive, n);
  };
  const linearPacket = (skb: number, offset: number, bytes: number): number => {
    const n = skbs.netdevAllocSkb(headers + bytes, skbs.config.gfp.atomic);
    if (n === 0) return 0;
    skbs.skbPut(n, headers + bytes);
    skbs.copyBits(skb, headers + offset, skbs.dataAddress(n) + headers, bytes);
    return n;
  };
  const pagedPacket = (skb: number, offset: number, bytes: number): number => {
    const pfn = pages.allocPages(skbs.config.gfp.atomic, bytes > 4096 ? 2 : 0);
    const n = pfn < 0 ? 0 : skbs.netdevAllocSkb(128, skbs.config.gfp.atomic);
    if (n === 0) {
      if (pfn >= 0) pages.putPage(pfn);
      return 0;
    }
    skbs.skbPut(n, headers);
    skbs.copyBits(skb, headers + offset, pfn * 4096, bytes);
    skbs.skbAddRxFrag(n, 0, pfn, 0, bytes, bytes > 4096 ? 16384 : 4096);
    return n;
  };

  const parts: TcpParts = {
    skbs,
    clock,
    cpus,
    mem,
    pages,
    output(_c, skb) {
      const all = S[skb + LEN]! - headers;
      const mss = H[S[skb + HEAD]! + headField.GSO_SIZE]! || Math.max(1, all);
      if (all === 0) segment(skb, 0, 0);
      for (let at = 0; at < all; at += mss) segment(skb, at, Math.min(mss, all - at));
      clock.after(wireFree - clock.now(), complete, skb);
      return true;
    },
  };
  const tcp: Tcp = createTcp(parts, o.sendPage === undefined ? {} : { sendPage: o.sendPage });
  const user = base.allocPages(0, 5) * 4096;
  return { clock, skbs, tcp, mem, memory, base, user, heap, frames: () => frames };
}

const pattern = (from: number, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => ((from + i) * 31 + ((from + i) >> 8) * 7) & 255);

interface Transfer {
  readonly bytes: number;
  readonly chunk?: number;
  readonly linear?: boolean;
  /** writev() with pieces of these sizes, one after the other. */
  readonly pieces?: readonly number[];
  readonly mtu?: number;
  readonly isn?: number;
  readonly rcvbuf?: number;
  /** The reader reads so often; at once when left out. */
  readonly readEveryNanos?: number;
}

/** Sends a pattern from one end to the other, and back from there at the same time a tenth of it; the bytes are compared as they are read. */
function transfer(o: Parameters<typeof lab>[0], x: Transfer) {
  const l = lab(o);
  const { tcp, memory, user, clock } = l;
  const chunk = x.chunk ?? 20_000;
  const wrong: string[] = [];
  const sides = [
    { bytes: x.bytes, sent: 0, read: 0, c: 0, peer: 1 },
    { bytes: Math.floor(x.bytes / 10), sent: 0, read: 0, c: 0, peer: 0 },
  ] as { bytes: number; sent: number; read: number; c: number; peer: number }[];
  const write = (side: (typeof sides)[number]): void => {
    while (side.sent < side.bytes) {
      const bytes = Math.min(chunk, side.bytes - side.sent);
      memory.write(user, pattern(side.sent, bytes));
      const { pieces } = x;
      const took =
        pieces === undefined ? tcp.sendmsg(side.c, bytes, 0, user) : tcp.writev(side.c, ...cut(bytes, pieces, user));
      side.sent += took;
      if (took < bytes) return;
    }
  };
  const read = (side: (typeof sides)[number]): void => {
    const from = sides[side.peer]!;
    for (;;) {
      const got = tcp.recv(side.c, 7000, user + 65536);
      if (got === 0) return;
      const bytes = memory.read(user + 65536, got);
      const want = pattern(from.read, got);
      for (let i = 0; i < got; i++)
        if (bytes[i] !== want[i] && wrong.length < 3) wrong.push(`byte ${from.read + i}: ${bytes[i]} for ${want[i]}`);
      from.read += got;
    }
  };
  const options = (flowIn: number, flowOut: number): ConnectOptions => ({
    flowIn,
    flowOut,
    mtu: x.mtu ?? 1500,
    scatterGather: x.linear !== true,
    gso: x.linear !== true,
    ...(x.isn === undefined ? {} : { isn: x.isn }),
    ...(x.rcvbuf === undefined ? {} : { rcvbufBytes: x.rcvbuf }),
  });
  for (const [i, side] of sides.entries())
    side.c = tcp.connect(options(i + 1, 2 - i), {
      writable: () => write(side),
      ...(x.readEveryNanos === undefined ? { readable: () => read(side) } : {}),
    });
  if (x.readEveryNanos !== undefined) {
    const every = x.readEveryNanos;
    const turn = clock.handler(() => {
      for (const side of sides) read(side);
      if (sides.some((s) => s.read < s.bytes)) clock.after(every, turn);
    });
    clock.after(every, turn);
  }
  for (const side of sides) write(side);
  const end = clock.run(600e9, 3e6);
  const done = { end, wrong, read: sides.map((s) => s.read), want: sides.map((s) => s.bytes) };
  return { ...l, ...done, sides };
}

/** The pieces of a buffer at `user`: lengths, tag, addresses. */
function cut(bytes: number, pieces: readonly number[], user: number): [number[], number, number[]] {
  const lengths: number[] = [];
  const addresses: number[] = [];
  for (let at = 0, i = 0; at < bytes; at += lengths.at(-1) as number) {
    addresses.push(user + at);
    lengths.push(Math.min(bytes - at, pieces[i++ % pieces.length] as number));
  }
  return [lengths, 0, addresses];
}

function expectClean(r: ReturnType<typeof transfer>): void {
  const { tcp, skbs, mem, sides } = r;
  for (const s of sides) {
    const sk = tcp.sock(s.c);
    expect([skbs.socks.wmemAlloc[sk], skbs.socks.wmemQueued[sk], skbs.socks.rmemAlloc[sk]]).toEqual([0, 0, 0]);
    tcp.close(s.c);
    expect(skbs.socks.forwardAlloc[sk]).toBeLessThan(4096);
    expect(skbs.socks.forwardAlloc[sk]).toBeGreaterThanOrEqual(0);
  }
  tcp.exit();
  expect([skbs.columns.skbsLive(), skbs.columns.headsLive(), r.heap.live()]).toEqual([0, 0, 0]);
  expect(mem.allocatedPages()).toBe(0);
}

describe("writev", () => {
  for (const sendPage of ["32 KiB a process", "a page a socket"] as const)
    for (const linear of [false, true])
      test(`pieces of any size arrive as one stream: ${sendPage}, ${linear ? "linear" : "scatter-gather"}`, () => {
        const r = transfer(
          { seed: 5, sendPage },
          { bytes: 300_000, linear, mtu: 9000, pieces: [64, 16384, 1784, 1, 4096] },
        );
        expect(r.wrong).toEqual([]);
        expect(r.read).toEqual(r.want);
        expectClean(r);
      });

  test("a packet takes the end of one piece and the beginning of the next: fewer packets than one call a piece", () => {
    const queued = (each: boolean): number => {
      const l = lab({ seed: 1, sendPage: "a page a socket" });
      const c = l.tcp.connect({
        flowIn: 1,
        flowOut: 2,
        mtu: 9000,
        scatterGather: false,
        gso: false,
        noDelay: true,
        sndbufBytes: 1e6,
      });
      const pieces = [100, 100, 100, 100];
      if (each) for (const p of pieces) l.tcp.sendmsg(c, p);
      else l.tcp.writev(c, pieces);
      let packets = 0;
      for (let skb = l.tcp.state.first[c] as number; skb !== 0; skb = l.skbs.columns.S[skb + skbField.NEXT] as number)
        packets++;
      return packets;
    };
    expect(queued(false)).toBe(1);
    expect(queued(true)).toBeGreaterThan(1);
  });

  test("2.6 without scatter-gather: a segment of MTU 9000 is one linear head of four pages; with it, heads stay in a page", () => {
    const orders = (scatterGather: boolean): readonly [number, number] => {
      const l = lab({ seed: 1, sendPage: "a page a socket" });
      const c = l.tcp.connect({ flowIn: 1, flowOut: 2, mtu: 9000, scatterGather, gso: false });
      l.tcp.writev(c, [16384, 1784]);
      const skb = l.tcp.state.first[c] as number;
      const head = l.skbs.columns.S[skb + HEAD] as number;
      return [
        l.skbs.columns.H[head + headField.BYTES] as number,
        l.skbs.columns.H[head + headField.NR_FRAGS] as number,
      ];
    };
    const [linear, none] = orders(false);
    expect(linear).toBeGreaterThan(8192);
    expect(none).toBe(0);
    const [head, frags] = orders(true);
    expect(head).toBeLessThanOrEqual(4096);
    expect(frags).toBeGreaterThan(0);
  });

  test("2.6: the socket keeps a page that has room; one that a single copy fills is the packet's alone", () => {
    const references = (bytes: number): number => {
      const l = lab({ seed: 1, sendPage: "a page a socket" });
      const c = l.tcp.connect({ flowIn: 1, flowOut: 2, mtu: 9000 });
      expect(l.tcp.sendmsg(c, bytes)).toBe(bytes);
      const { F, S, fragBase } = l.skbs.columns;
      return l.base.pageCount(F[fragBase(S[(l.tcp.state.first[c] as number) + HEAD] as number)] as number);
    };
    expect([references(1000), references(4096)]).toEqual([2, 1]);
  });

  test("2.6: what goes into pages leaves the head to the headers, however large the head came out", () => {
    const l = lab({ seed: 1, sendPage: "a page a socket" });
    const c = l.tcp.connect({ flowIn: 1, flowOut: 2, mtu: 9000 });
    l.tcp.sendmsg(c, 4096);
    expect(l.skbs.headlen(l.tcp.state.first[c] as number)).toBe(0);
  });

  for (const sendPage of ["32 KiB a process", "a page a socket"] as const)
    test(`a writer without a page is told by a smaller send buffer: ${sendPage}`, () => {
      let dry = false;
      const l = lab({ seed: 1, sendPage, fails: () => dry });
      const c = l.tcp.connect({ flowIn: 1, flowOut: 2, mtu: 9000 });
      const { sndbuf } = l.skbs.socks;
      sndbuf[l.tcp.sock(c)] = 1e6;
      // The page of 32768 bytes is full, and Nagle keeps a packet with room in the queue: only another page is lacking.
      for (const bytes of [100, 26_668, 6000]) l.tcp.sendmsg(c, bytes);
      dry = true;
      expect(l.tcp.sendmsg(c, 100)).toBe(0);
      expect(sndbuf[l.tcp.sock(c)]).toBeLessThan(1e6);
      expect(l.tcp.counters.sendNoMemory).toBe(0);
    });

  test("what does not fit the send buffer is left to the next call", () => {
    const l = lab({ seed: 1, sendPage: "a page a socket" });
    const c = l.tcp.connect({
      flowIn: 1,
      flowOut: 2,
      mtu: 9000,
      scatterGather: false,
      gso: false,
      sndbufBytes: 20_000,
    });
    const took = l.tcp.writev(c, [16384, 16384, 16384]);
    expect(took).toBeGreaterThan(16384);
    expect(took).toBeLessThan(3 * 16384);
  });
});

describe("TCP carries bytes", () => {
  for (const linear of [false, true])
    for (const paged of [false, true])
      test(`${linear ? "linear" : "GSO"} packets into ${paged ? "pages" : "heads"}: in order, complete, and nothing stays`, () => {
        const r = transfer({ seed: 1, paged }, { bytes: 400_000, linear });
        expect(r.wrong).toEqual([]);
        expect(r.read).toEqual(r.want);
        expect(r.tcp.counters.retransSegs).toBe(0);
        expectClean(r);
      });

  for (const seed of [1, 2, 3, 4, 5, 6])
    test(`through loss and disorder, over the wrap of sequence numbers (seed ${seed})`, () => {
      const r = transfer(
        { seed, loss: 0.03, reorder: 0.05, paged: seed % 2 === 0 },
        { bytes: 250_000, isn: -100_000, linear: seed === 3, mtu: seed === 4 ? 9000 : 1500 },
      );
      expect(r.wrong).toEqual([]);
      expect(r.read).toEqual(r.want);
      expect(r.tcp.counters.retransSegs).toBeGreaterThan(0);
      expectClean(r);
    });

  test("a slow reader closes the window, and it opens again", () => {
    const r = transfer({ seed: 9 }, { bytes: 600_000, rcvbuf: 40_000, readEveryNanos: 10e6 });
    expect(r.wrong).toEqual([]);
    expect(r.read).toEqual(r.want);
    expect(r.clock.now()).toBeGreaterThan(20 * 10e6);
    expectClean(r);
  });

  test("small segments in large buffers are collapsed before anything is dropped", () => {
    let collapsed = 0;
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const r = transfer(
        { seed, loss: 0.05, reorder: 0.1, paged: true },
        { bytes: 60_000, chunk: 2000, linear: true, mtu: 600, rcvbuf: 20_000, readEveryNanos: 60e6 },
      );
      expect(r.wrong).toEqual([]);
      expect(r.read).toEqual(r.want);
      const { counters } = r.tcp;
      expect([counters.ofoPruned, counters.rcvQDrop, counters.ofoDrop]).toEqual([0, 0, 0]);
      collapsed += counters.rcvCollapsed;
      expectClean(r);
    }
    expect(collapsed).toBeGreaterThan(0);
  });

  test("at the limit of tcp_mem what is out of order is thrown away, and comes again", () => {
    let pruned = 0;
    for (const seed of [1, 2, 3, 4]) {
      const r = transfer(
        { seed, loss: 0.05, reorder: 0.1, paged: true, limits: [8, 16, 30] },
        { bytes: 60_000, readEveryNanos: 5e6 },
      );
      expect(r.wrong).toEqual([]);
      expect(r.read).toEqual(r.want);
      pruned += r.tcp.counters.ofoPruned;
      expectClean(r);
    }
    expect(pruned).toBeGreaterThan(0);
  });

  test("splice and mapping hand over pages with a reference each; the rest is read", () => {
    const l = lab({ seed: 1, paged: true });
    const { tcp, memory, base, user, clock, skbs } = l;
    // MSS of exactly one page: every fragment is one that can be mapped.
    const options = (flowIn: number, flowOut: number): ConnectOptions => ({ flowIn, flowOut, mtu: 4096 + 52 });
    const [a, b] = [tcp.connect(options(1, 2)), tcp.connect(options(2, 1))];
    memory.write(user, pattern(0, 40_960));
    expect(tcp.sendmsg(a, 40_960, 0, user)).toBe(40_960);
    clock.run(10e9, 1e5);
    expect(tcp.readableBytes(b)).toBe(40_960);
    let at = 0;
    const check = (pfn: number, offset: number, bytes: number): void => {
      expect(memory.read(pfn * 4096 + offset, bytes)).toEqual(pattern(at, bytes));
      at += bytes;
      base.putPage(pfn);
    };
    expect(tcp.mapPages(b, 3 * 4096 + 100, (pfn) => check(pfn, 0, 4096))).toBe(3 * 4096);
    expect(tcp.recv(b, 100)).toBe(100);
    at += 100;
    expect(tcp.mapPages(b, 1e6, (pfn) => check(pfn, 0, 4096))).toBe(0);
    expect(tcp.splice(b, 10_000, check)).toBe(10_000);
    const left = 40_960 - at;
    expect(tcp.splice(b, 1e6, check)).toBe(left);
    expect(at).toBe(40_960);
    for (const c of [a, b]) tcp.close(c);
    tcp.exit();
    expect([skbs.columns.skbsLive(), l.heap.live()]).toEqual([0, 0]);
  });

  test("a page given to sendpage is held until it is acknowledged and no clone is left", () => {
    const l = lab({ seed: 1, rate: 1000 });
    const { tcp, base, clock, skbs, memory } = l;
    const [a, b] = [tcp.connect({ flowIn: 1, flowOut: 2 }), tcp.connect({ flowIn: 2, flowOut: 1 })];
    const pfn = base.allocPages(0, 0);
    memory.write(pfn * 4096, pattern(0, 4096));
    let told = 0;
    const destructor = skbs.fragDestructors.create(() => told++);
    expect(tcp.sendpage(a, pfn, 0, 4096)).toBe(4096);
    expect(tcp.sendpage(a, pfn, 0, 2000, { destructor })).toBe(2000);
    skbs.fragDestructors.put(destructor);
    expect(base.pageCount(pfn)).toBeGreaterThan(1);
    clock.run(1e6, 1e5);
    expect([told, base.pageCount(pfn) > 1]).toEqual([0, true]);
    clock.run(20e9, 1e5);
    expect([told, base.pageCount(pfn), tcp.readableBytes(b)]).toEqual([1, 1, 6096]);
    expect(tcp.recv(b, 6096, l.user)).toBe(6096);
    expect(memory.read(l.user, 4096)).toEqual(pattern(0, 4096));
    for (const c of [a, b]) tcp.close(c);
    tcp.exit();
    expect([skbs.columns.skbsLive(), l.heap.live()]).toEqual([0, 0]);
  });

  test("every allocation may fail once: the transfer still completes and nothing leaks", () => {
    let asked = 0;
    transfer({ seed: 1, fails: () => ++asked < 0 }, { bytes: 30_000 });
    const total = asked;
    expect(total).toBeGreaterThan(20);
    for (let nth = 1; nth <= total; nth += total > 50 ? Math.ceil(total / 50) : 1) {
      let at = 0;
      const r = transfer({ seed: 1, fails: () => ++at === nth }, { bytes: 30_000 });
      expect([nth, r.wrong, r.read]).toEqual([nth, [], r.want]);
      expectClean(r);
    }
  });

  test("the same seed gives the same run", () => {
    const run = (): unknown => {
      const r = transfer({ seed: 5, loss: 0.05 }, { bytes: 100_000 });
      return [r.clock.events(), r.clock.now(), r.frames(), r.tcp.counters];
    };
    expect(run()).toEqual(run());
  });
});
