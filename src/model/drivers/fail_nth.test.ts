import { describe, expect, test } from "vitest";
import { parseRelease } from "../../kernel/release.ts";
import type { Failing } from "../failing.ts";
import { failing } from "../failing.ts";
import type { Machine } from "../machine.ts";
import { createMachine } from "../machine.ts";
import type { PageAllocator } from "../mm/pages.ts";
import { frameField, frameKind, headerBytes } from "../net/wire.ts";

/** What is out at the moment: page references by block, kmalloc objects, objects of named caches. */
interface Out {
  readonly refs: Map<number, number>;
  kmalloc: number;
  objects: number;
}

/** failing(), and beneath it a count of everything that is out. */
function counted(fail: Failing): { out: Out; wrap: Failing } {
  const out: Out = { refs: new Map(), kmalloc: 0, objects: 0 };
  const count = (inner: PageAllocator): PageAllocator => {
    const add = (pfn: number, n: number): void => {
      const head = inner.compoundHead(pfn);
      const now = (out.refs.get(head) ?? 0) + n;
      if (now === 0) out.refs.delete(head);
      else out.refs.set(head, now);
    };
    return {
      ...inner,
      allocPages(gfp, order) {
        const pfn = inner.allocPages(gfp, order);
        if (pfn >= 0) out.refs.set(pfn, 1);
        return pfn;
      },
      allocPagesBulk(gfp, want, into) {
        const got = inner.allocPagesBulk(gfp, want, into);
        for (let i = 0; i < got; i++) out.refs.set(into[i] as number, 1);
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
  };
  const wrap: Failing = {
    ...fail,
    pages: (inner) => fail.pages(count(inner)),
    heap: (inner) =>
      fail.heap({
        ...inner,
        kmalloc(size, gfp) {
          const address = inner.kmalloc(size, gfp);
          if (address >= 0) out.kmalloc++;
          return address;
        },
        kfree(address) {
          out.kmalloc--;
          inner.kfree(address);
        },
        cacheAlloc(cache, gfp) {
          const address = inner.cacheAlloc(cache, gfp);
          if (address >= 0) out.objects++;
          return address;
        },
        cacheAllocBulk(cache, gfp, into, from, to) {
          const got = inner.cacheAllocBulk?.(cache, gfp, into, from, to) ?? 0;
          out.objects += got;
          return got;
        },
        cacheFree(cache, address) {
          out.objects--;
          inner.cacheFree(cache, address);
        },
      }),
  };
  return { out, wrap };
}

const sizes = [20, 1400, 300, 60, 1400, 1400, 130, 1000];

/** Up, receive, MTU change, receive large and small, transmit, down. */
function life(machine: Machine, mtu: number): number {
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
  const limit = (): number => clock.now() + 3e8;
  machine.up(device);
  for (let n = 0; n < 24; n++) {
    arrive(sizes[n % sizes.length]!, n);
    if (n % 6 === 5) clock.run(limit(), 1e5);
  }
  device.driver.changeMtu(mtu);
  for (let n = 0; n < 24; n++) {
    arrive(n % 3 === 0 ? mtu - 60 : sizes[n % sizes.length]!, n);
    if (n % 6 === 5) clock.run(limit(), 1e5);
  }
  for (let n = 0; n < 6 && device.running; n++) {
    const skb = skbs.allocSkb(1600, skbs.config.gfp.atomic, 1);
    if (skb === 0) continue;
    skbs.skbReserve(skb, 64);
    skbs.skbPut(skb, headerBytes[1] + 800);
    skbs.columns.S[skb + 22] = frameKind.udp;
    xmit.queue(device, skb);
  }
  clock.run(limit(), 1e5);
  machine.down(device);
  clock.run(limit(), 1e5);
  device.driver.changeMtu(1500);
  return got;
}

const cases: readonly [driver: string, release: string, mtu: number, settings?: Record<string, string | number>][] = [
  ["ringnic", "6.1.192-x86_64", 4000],
  ["ringnic", "2.6.24-x86_64", 4000, { refill: "after", copybreak: 200 }],
  ["e1000", "6.1.192-x86_64", 9000],
  ["e1000", "2.6.24-x86_64", 9000],
  ["e1000e", "6.1.192-x86_64", 9000],
  ["virtio_net", "6.1.192-x86_64", 9000],
  ["virtio_net", "6.1.192-x86_64", 1500, { mode: "small" }],
  ["virtio_net", "6.1.192-x86_64", 9000, { mode: "big" }],
  ["tg3", "2.6.24-x86_64", 9000],
  ["tg3", "6.1.192-x86_64", 9000],
  ["ibm_emac", "2.6.29-ppc32", 9000],
  ["mvneta", "3.10-arm", 4000],
  ["mvneta", "4.14-arm", 4000],
  ["mvneta", "4.19-arm64", 1500],
  ["mvneta", "6.1-arm64", 9000],
];

describe("every allocation of every driver path fails once, and nothing stays behind", () => {
  for (const [driver, release, mtu, settings = {}] of cases)
    test(`${driver} of ${release} ${JSON.stringify(settings)}`, () => {
      const fail = failing({ nth: 0 });
      const { out, wrap } = counted(fail);
      const machine = createMachine({
        release: parseRelease(release),
        memoryMb: 64,
        failing: wrap,
        nics: [{ driver, settings: { rx_ring: 24, rx_jumbo_ring: 12, ...settings } }],
      });
      const leftOver = (): readonly number[] => [
        machine.skbs.columns.skbsLive(),
        machine.skbs.columns.headsLive(),
        machine.frames.alive(),
        out.kmalloc,
      ];
      const whole = life(machine, mtu);
      expect(whole).toBeGreaterThan(20);
      expect(leftOver()).toEqual([0, 0, 0, 0]);
      let nth = 1;
      for (; ; nth++) {
        fail.arm(nth);
        life(machine, mtu);
        expect([nth, ...leftOver()]).toEqual([nth, 0, 0, 0, 0]);
        // The CPU's page of fragments, its page of slices, its spare sk_buffs.
        expect(out.refs.size, `blocks of pages out after failure ${nth}`).toBeLessThanOrEqual(2);
        expect(out.objects).toBeLessThanOrEqual(64);
        if (fail.refused() === 0) break;
      }
      expect(nth).toBeGreaterThan(40);
      fail.arm(0);
      expect(life(machine, mtu)).toBe(whole);
    });
});

test("a driver that keeps a reference is found by the same count (canary)", () => {
  const { out, wrap } = counted(failing({ nth: 0 }));
  const machine = createMachine({ release: parseRelease("6.1.192-x86_64"), memoryMb: 64, failing: wrap, nics: [] });
  machine.pages.getPage(machine.pages.allocPages(machine.skbs.config.gfp.kernel, 0));
  machine.pages.putPage([...out.refs.keys()][0] as number);
  expect([...out.refs.values()]).toEqual([1]);
});
