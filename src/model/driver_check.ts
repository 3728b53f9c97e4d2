// Puts a driver to the test: up, receive, another MTU, receive, transmit, down; then the same life again and again, with the first, the
// second, … request for memory refused. Whatever is still out afterwards is a leak on that error path; every sk_buff and page is watched
// meanwhile. The drivers of the model pass it (driver_check.test.ts), and so should yours: `skblab verify my_driver.mjs`.
import type { Release } from "../kernel/release.ts";
import { takenCounters } from "./drivers/cards/xdp.ts";
import type { DriverMaker, DriverSettings } from "./drivers/driver.ts";
import { driverNamed } from "./drivers/drivers.ts";
import type { Failing } from "./failing.ts";
import { failing } from "./failing.ts";
import type { Machine } from "./machine.ts";
import { createMachine } from "./machine.ts";
import type { PageAllocator } from "./mm/pages.ts";
import { frameField, frameKind, headerBytes } from "./net/path/wire.ts";
import type { OwnershipFault } from "./net/skb/ownership.ts";
import { skbField } from "./net/skb/skb_columns.ts";

export interface DriverCheckOptions {
  /** Name of a driver of the model, or your own. */
  readonly driver: string | DriverMaker;
  readonly release: Release;
  /** The MTU that is changed to while the interface is up, bytes. */
  readonly mtu: number;
  readonly settings?: DriverSettings;
  /** Queue pairs of the card, over as many CPUs; 1 when left out. */
  readonly queues?: number;
  /** Default 64. */
  readonly memoryMb?: number;
  /** Watches sk_buffs and pages too; slower. Default true. */
  readonly watched?: boolean;
  /** What the machine goes through, in place of the life above; it begins and ends with the interface down. Packets or bytes that came up. */
  readonly life?: (machine: Machine, mtu: number) => number;
  /** After each life: how many of about how many. */
  readonly progress?: (done: number, of: number) => void;
}

/** What was still out after a life. */
export interface DriverLeak {
  /** Which request was refused, from 1; 0: none. */
  readonly nth: number;
  /** That request in words, with its caller. */
  readonly refused: string;
  readonly skbs: number;
  readonly heads: number;
  readonly frames: number;
  readonly kmallocs: number;
  /** Blocks of pages, beyond the two that a CPU's caches keep. */
  readonly pageBlocks: number;
}

/** What the kernel would have said: a BUG, a warning, a bad page. */
export interface DriverComplaint {
  readonly nth: number;
  readonly refused: string;
  readonly said: string;
}

export interface DriverFault {
  readonly nth: number;
  readonly refused: string;
  readonly fault: OwnershipFault;
}

export interface DriverCheck {
  readonly driver: string;
  readonly mtu: number;
  /** Packets that came up in a life in which nothing was refused; of `arrived` frames. */
  readonly received: number;
  readonly arrived: number;
  /** Frames that an XDP program of the card took, in that life: these come up nowhere. */
  readonly taken: number;
  /** Requests for memory in that life, and lives with one of them refused: beside these the driver lives once before and once after. */
  readonly requests: number;
  readonly lives: number;
  readonly leaks: readonly DriverLeak[];
  readonly faults: readonly DriverFault[];
  /** At most 50. */
  readonly complaints: readonly DriverComplaint[];
  /** After all the refusals the driver received as much as at first. */
  readonly recovered: boolean;
}

const framesOfALife = 48;
const takenByProgram: ReadonlySet<string> = new Set(Object.values(takenCounters));
/** The CPU's page of fragments and its page of slices stay out between lives, and are no leak. */
const cachedBlocks = 2;
/** A check ends after so many leaks and faults: one mistake shows again and again. */
const most = 50;

export function checkDriver(options: DriverCheckOptions): DriverCheck {
  const { release, mtu, progress, life = lifeOfFrames } = options;
  const maker = typeof options.driver === "string" ? driverNamed(options.driver) : options.driver;
  // Small rings, so that they go round in a short life.
  const small = Object.entries({ rx_ring: 24, rx_jumbo_ring: 12 }).filter(
    ([name]) => maker.settings?.[name] !== undefined,
  );
  const settings = { ...Object.fromEntries(small), ...options.settings };
  const fail = failing({ nth: 0 });
  const out: Out = { refs: new Map(), kmalloc: 0, asked: [] };
  const leaks: DriverLeak[] = [];
  const faults: DriverFault[] = [];
  let nth = 0;
  const refusedWords = (): string => (nth === 0 ? "nothing" : (out.asked[nth - 1] ?? "a request that came up anew"));
  const machine: Machine = createMachine({
    release,
    memoryMb: options.memoryMb ?? 64,
    failing: counted(fail, out, () => machine.journal.text(machine.journal.caller)),
    cpus: options.queues ?? 1,
    nics: [{ driver: maker, settings, queues: options.queues ?? 1 }],
    ...(options.watched === false
      ? {}
      : {
          owned: {
            onFault: (fault) => void (faults.length < most && faults.push({ nth, refused: refusedWords(), fault })),
          },
        }),
  });
  const complaints: DriverComplaint[] = [];
  machine.journal.listen(
    (_kind, _nanos, _cpu, text) => {
      if (complaints.length < most) complaints.push({ nth, refused: refusedWords(), said: machine.journal.text(text) });
    },
    "oops",
    "warning",
  );
  const { columns } = machine.skbs;
  const before = { skbs: 0, heads: 0, frames: 0, kmallocs: 0, pageBlocks: cachedBlocks };
  /** What the last life left behind that was not there before it. */
  const account = (): void => {
    const now = {
      skbs: columns.skbsLive(),
      heads: columns.headsLive(),
      frames: machine.frames.alive(),
      kmallocs: out.kmalloc,
      pageBlocks: out.refs.size,
    };
    const left = {
      skbs: now.skbs - before.skbs,
      heads: now.heads - before.heads,
      frames: now.frames - before.frames,
      kmallocs: now.kmallocs - before.kmallocs,
      pageBlocks: Math.max(0, now.pageBlocks - before.pageBlocks),
    };
    if (Object.values(left).some((n) => n !== 0)) leaks.push({ nth, refused: refusedWords(), ...left });
    Object.assign(before, now, { pageBlocks: Math.max(cachedBlocks, now.pageBlocks) });
  };

  const live = (): number => {
    let up = 0;
    const run = (): void => {
      up = life(machine, mtu);
    };
    if (maker.guard === undefined) run();
    else maker.guard(run);
    return up;
  };
  const takenSoFar = (): number =>
    Object.entries(machine.devices[0]?.driver.counters ?? {})
      .filter(([name]) => takenByProgram.has(name))
      .reduce((sum, [, n]) => sum + n, 0);
  fail.arm(0);
  out.noting = true;
  const received = live();
  const taken = takenSoFar();
  out.noting = false;
  const requests = fail.asked();
  account();
  for (nth = 1; leaks.length < most && faults.length < most && complaints.length < most; nth++) {
    fail.arm(nth);
    live();
    // Fewer requests than at first, because what the CPUs cache is there already.
    if (fail.refused() === 0) break;
    account();
    progress?.(nth, requests);
  }
  const lives = nth - 1;
  nth = 0;
  fail.arm(0);
  const takenBefore = takenSoFar();
  const recovered = live() === received && takenSoFar() - takenBefore === taken;
  account();
  const arrived = life === lifeOfFrames ? framesOfALife : received;
  return { driver: maker.name, mtu, received, arrived, taken, requests, lives, leaks, faults, complaints, recovered };
}

/** What is out at the moment: references by block of pages, kmalloc objects. */
interface Out {
  readonly refs: Map<number, number>;
  kmalloc: number;
  /** While `noting`: what was asked for, in order. */
  readonly asked: string[];
  noting?: boolean;
}

/** failing(), beneath it a count of everything that is out, above it a note of who asks. */
function counted(fail: Failing, out: Out, caller: () => string): Failing {
  const note = (what: () => string): void => {
    if (out.noting === true) out.asked.push(`${what()}${caller() === "" ? "" : ` for ${caller()}`}`);
  };
  return {
    ...fail,
    pages(inner) {
      const pages = fail.pages(countPages(inner, out.refs));
      return {
        ...pages,
        allocPages(gfp, order) {
          note(() => `pages of order ${order}`);
          return pages.allocPages(gfp, order);
        },
        allocPagesBulk(gfp, want, into) {
          note(() => `${want} pages in bulk`);
          return pages.allocPagesBulk(gfp, want, into);
        },
      };
    },
    heap(inner) {
      // kfree() also takes objects of named caches, as small heads are since 6.3: those are none of kmalloc's.
      const named = new Set<number>();
      const heap = fail.heap({
        ...inner,
        cacheAlloc(cache, gfp) {
          const address = inner.cacheAlloc(cache, gfp);
          if (address >= 0) named.add(address);
          return address;
        },
        cacheFree(cache, address) {
          named.delete(address);
          inner.cacheFree(cache, address);
        },
        kmalloc(size, gfp) {
          const address = inner.kmalloc(size, gfp);
          if (address >= 0) out.kmalloc++;
          return address;
        },
        kfree(address) {
          if (!named.delete(address)) out.kmalloc--;
          inner.kfree(address);
        },
      });
      return {
        ...heap,
        kmalloc(size, gfp) {
          note(() => `kmalloc of ${size} bytes`);
          return heap.kmalloc(size, gfp);
        },
        cacheAlloc(cache, gfp) {
          note(() => "an object of a named cache");
          return heap.cacheAlloc(cache, gfp);
        },
        cacheAllocBulk(cache, gfp, into, from, to) {
          note(() => "objects of a named cache in bulk");
          return heap.cacheAllocBulk?.(cache, gfp, into, from, to) ?? 0;
        },
      };
    },
  };
}

function countPages(inner: PageAllocator, refs: Map<number, number>): PageAllocator {
  const add = (pfn: number, n: number): void => {
    const head = inner.compoundHead(pfn);
    const now = (refs.get(head) ?? 0) + n;
    if (now === 0) refs.delete(head);
    else refs.set(head, now);
  };
  return {
    ...inner,
    allocPages(gfp, order) {
      const pfn = inner.allocPages(gfp, order);
      if (pfn >= 0) refs.set(pfn, 1);
      return pfn;
    },
    allocPagesBulk(gfp, want, into) {
      const got = inner.allocPagesBulk(gfp, want, into);
      for (let i = 0; i < got; i++) refs.set(into[i]!, 1);
      return got;
    },
    freePages(pfn, order) {
      add(pfn, -1);
      inner.freePages(pfn, order);
    },
    putPage(pfn) {
      add(pfn, -1);
      inner.putPage(pfn);
    },
    getPage(pfn) {
      add(pfn, 1);
      inner.getPage(pfn);
    },
    addPageRefs(pfn, n) {
      add(pfn, n);
      inner.addPageRefs(pfn, n);
    },
  };
}

const sizes = [20, 1400, 300, 60, 1400, 1400, 130, 1000];

/** Up, receive, MTU change, receive large and small, transmit, down. Packets that came up. */
function lifeOfFrames(machine: Machine, mtu: number): number {
  const { clock, frames, skbs, xmit } = machine;
  const device = machine.devices[0]!;
  let got = 0;
  const arrive = (bytes: number, n: number): void => {
    const f = frames.take();
    frames.W[f + frameField.LEN] = bytes;
    frames.W[f + frameField.KIND] = frameKind.tcp;
    frames.W[f + frameField.FLOW] = n % 3;
    frames.W[f + frameField.SEQ] = n * 1400;
    device.driver.frameArrived(f);
  };
  machine.receive.protocol(frameKind.tcp, (skb) => {
    got++;
    skbs.consumeSkb(skb);
  });
  const settle = (): void => void clock.run(clock.now() + 3e8, 1e5);
  machine.up(device);
  for (let n = 0; n < framesOfALife; n++) {
    if (n === framesOfALife / 2) device.driver.changeMtu(mtu);
    arrive(n >= framesOfALife / 2 && n % 3 === 0 ? mtu - 60 : sizes[n % sizes.length]!, n);
    if (n % 6 === 5) settle();
  }
  for (let n = 0; n < 6 && device.running; n++) {
    const skb = skbs.allocSkb(1600, skbs.config.gfp.atomic, 1);
    if (skb === 0) continue;
    skbs.skbReserve(skb, 64);
    skbs.skbPut(skb, headerBytes[1] + 800);
    skbs.columns.S[skb + skbField.PROTOCOL] = frameKind.udp;
    xmit.queue(device, skb);
  }
  settle();
  // ndo_stop is for a device whose ndo_open went well (__dev_open(), net/core/dev.c).
  if (device.running) machine.down(device);
  settle();
  device.driver.changeMtu(1500);
  return got;
}
