// The forms of a card by release and setting: 5.10.223 and 7.2.12, gve's formats, headers apart, frames of more fragments than MAX_SKB_FRAGS. What the
// other tests of this folder hold for 6.1 and 6.12 is not said again. Sources stand in the files of the parts.
import { describe, expect, test } from "vitest";
import { BadInput } from "../../../base/bad_input.ts";
import { oneIn } from "../../../base/size.testkit.ts";
import { decodeGfp } from "../../../kernel/facts/gfp.ts";
import { parseRelease } from "../../../kernel/release.ts";
import { checkDriver } from "../../driver_check.ts";
import type { Machine } from "../../machine.ts";
import { createMachine } from "../../machine.ts";
import { frameField, frameKind } from "../../net/path/wire.ts";
import { headField, skbField } from "../../net/skb/skb_columns.ts";
import type { DriverSettings } from "../driver.ts";
import { libethLayout } from "./libeth.ts";

interface Seen {
  readonly bytes: number;
  readonly linear: number;
  /** Fragments of the head, and of each sk_buff on its frag_list. */
  readonly frags: readonly number[];
  readonly truesize: number;
  readonly gsoSize: number;
}

interface Ran {
  readonly machine: Machine;
  readonly seen: readonly Seen[];
  readonly held: readonly number[];
  readonly counters: Readonly<Record<string, number>>;
  /** Requests for pages at open and later: order, mask, and the driver's function. */
  readonly up: readonly string[];
  readonly later: readonly string[];
}

function run(
  driver: string,
  version: string,
  {
    mtu = 1500,
    payload = mtu - 52,
    frames: n = 200,
    keep = 0,
    settings = {},
    maxSkbFrags,
    gapNanos = 10_000,
  }: {
    mtu?: number;
    payload?: number;
    frames?: number;
    keep?: number;
    settings?: DriverSettings;
    maxSkbFrags?: number;
    gapNanos?: number;
  } = {},
): Ran {
  const machine = createMachine({
    release: parseRelease(`${version}-x86_64`),
    memoryMb: 128,
    nics: [{ driver, mtu, settings: { rx_ring: 64, ...settings } }],
    ...(maxSkbFrags === undefined ? {} : { maxSkbFrags }),
  });
  const { clock, frames, skbs, journal, release } = machine;
  const device = machine.devices[0]!;
  // Each packet is looked at as the card made it.
  device.features &= ~16;
  const asked: string[] = [];
  journal.listen((_k, _n, _c, _pfn, order, gfp) => {
    const [by = ""] = journal.text(journal.caller).split(" < ");
    asked.push(`${order} ${decodeGfp(gfp >>> 0, release.version).text} ${by}`);
  }, "mm_page_alloc");
  const seen: Seen[] = [];
  const held: number[] = [];
  machine.receive.protocol(frameKind.tcp, (skb) => {
    const { S, H } = skbs.columns;
    const head = S[skb + skbField.HEAD]!;
    const frags = [H[head + headField.NR_FRAGS]!];
    for (let at = H[head + headField.FRAG_LIST]!; at !== 0; at = S[at + skbField.NEXT]!)
      frags.push(H[S[at + skbField.HEAD]! + headField.NR_FRAGS]!);
    seen.push({
      bytes: S[skb + skbField.LEN]!,
      linear: skbs.headlen(skb),
      frags,
      truesize: S[skb + skbField.TRUESIZE]!,
      gsoSize: H[head + headField.GSO_SIZE]!,
    });
    if (held.length < keep) held.push(skb);
    else skbs.consumeSkb(skb);
  });
  expect(machine.up(device)).toBe(true);
  clock.run(clock.now() + 1e6, 1e5);
  const up = asked.splice(0);
  for (let i = 0; i < n; i++) {
    const f = frames.take();
    frames.W[f + frameField.LEN] = payload;
    frames.W[f + frameField.KIND] = frameKind.tcp;
    frames.W[f + frameField.FLOW] = 7;
    frames.W[f + frameField.SEQ] = i * payload;
    device.driver.frameArrived(f);
    clock.run(clock.now() + gapNanos, 1e5);
  }
  clock.run(clock.now() + 5e6, 1e5);
  return { machine, seen, held, counters: device.driver.counters, up, later: asked };
}

const kinds = (asked: readonly string[]): string[] => [...new Set(asked)].sort();
const skbRoom = 256;

describe("5.10.223", () => {
  test("ena takes a page a frame as a fragment, asked for by a plain GFP_ATOMIC; what it copies gets a head of the copybreak's length", () => {
    const { seen, up, later } = run("ena", "5.10.223");
    expect(kinds(up)).toContain("0 GFP_ATOMIC|__GFP_COMP ena_alloc_rx_page");
    expect(later.filter((a) => a.startsWith("0 GFP_ATOMIC|__GFP_COMP ")).length).toBeGreaterThanOrEqual(190);
    // napi_get_frags() and a page: headers were pulled out of it.
    expect(new Set(seen.map(({ frags, linear }) => `${frags} ${linear}`))).toEqual(new Set(["1 66"]));
    expect(seen[0]!.truesize).toBeGreaterThan(4096 + skbRoom);
    const small = run("ena", "5.10.223", { payload: 60 });
    expect(small.later.filter((a) => a.startsWith("0 GFP_ATOMIC|__GFP_COMP "))).toHaveLength(1);
    expect(new Set(small.seen.map(({ truesize }) => truesize)).size).toBe(1);
  });
  test("gve has queue page lists only, one buffer a frame, and copies whole what finds no free half", () => {
    const { seen, counters } = run("gve", "5.10.223", { keep: 200 });
    expect(counters["rx_frag_copy_cnt"]).toBeGreaterThan(100);
    expect(seen.filter(({ frags }) => frags[0] === 0).every(({ linear }) => linear === 1514)).toBe(true);
    const { driver } = createMachine({
      release: parseRelease("5.10"),
      memoryMb: 64,
      nics: [{ driver: "gve" }],
    }).devices[0]!;
    expect(driver.changeMtu(2032)).toBe("ok");
    expect(driver.changeMtu(2033)).toBe("mtu 2033 is not between 68 and 2032");
  });
  test.each([
    ["ice", { rx_cache_reuse: 200 }],
    ["mlx5_core", { rx_cache_busy: 0 }],
    ["mt76", { rx_packets: 200 }],
  ])("%s is as in 6.1.192", (driver, counters) => {
    for (const version of ["5.10.223", "6.1.192"]) expect(run(driver, version).counters).toMatchObject(counters);
  });
});

describe("ice by way of libeth (7.2.12)", () => {
  const at = { pageSize: 4096, cacheLine: 64, netSkbPad: 64, netIpAlign: 0, sharedInfo: 320 };
  test("libeth_rx_page_pool_params(): a power of two for headroom, buffer and shared_info; pages from MTU 1639 on", () => {
    expect(libethLayout(1500, false, false, at)).toMatchObject({ bytes: 1536, truesize: 2048, headroom: 64 });
    // 64 + 1664 rounded to 1728, with 320: 2048; one stride more is not.
    expect(libethLayout(1638, false, false, at)).toMatchObject({ bytes: 1664, truesize: 2048 });
    expect(libethLayout(1639, false, false, at)).toMatchObject({ bytes: 1792, truesize: 4096 });
    expect(libethLayout(9000, false, false, at)).toMatchObject({ bytes: 3712, truesize: 4096 });
    expect(libethLayout(1500, true, false, at)).toMatchObject({ bytes: 2048, truesize: 2048, headerTruesize: 1024 });
    expect(libethLayout(9000, true, false, at)).toMatchObject({ bytes: 4096, truesize: 4096 });
    expect(libethLayout(1500, false, true, at)).toMatchObject({ headroom: 256, truesize: 4096 });
  });
  test("single pages of a pool, two frames a page, that come home by themselves; a jumbo frame takes three", () => {
    const { up, seen, machine } = run("ice", "7.2.12", { frames: 2000 });
    expect(kinds(up).filter((a) => a.includes("ice_"))).toEqual(["0 GFP_ATOMIC|__GFP_NOWARN ice_alloc_rx_bufs"]);
    expect(new Set(seen.map(({ truesize }) => truesize))).toEqual(new Set([2048 + skbRoom]));
    const stats = machine.pools().pools.stats(machine.devices[0]!.driver.poolNumber?.() ?? -1);
    expect(stats.slow).toBeLessThan(130);
    expect(stats.ring + stats.cached).toBeGreaterThan(500);
    expect(run("ice", "7.2.12", { mtu: 9000 }).seen[0]).toMatchObject({ frags: [2], truesize: 3 * 4096 + skbRoom });
  });
  test("with headers apart they are the packet's head, and what has no payload gives its payload buffer back", () => {
    const settings = { header_split: true };
    const { seen } = run("ice", "7.2.12", { settings });
    expect(seen[0]).toMatchObject({ bytes: 1514, linear: 66, frags: [1], truesize: 1024 + 2048 + skbRoom });
    expect(run("ice", "7.2.12", { settings, mtu: 9000 }).seen[0]).toMatchObject({ linear: 66, frags: [3] });
    expect(run("ice", "7.2.12", { settings, payload: 0 }).seen[0]).toMatchObject({ linear: 66, frags: [0] });
  });
  test.each(["5.10.223", "6.1.192", "6.12.117"])("%s has no header split, and says so", (version) => {
    expect(() => run("ice", version, { settings: { header_split: true } })).toThrow(BadInput);
  });
});

describe("gve in the DQO format", () => {
  const format = { format: "DQO" };
  test("6.1.192 to 6.12.117: halves of the driver's pages; a page whose packets are kept is let go when four times the ring are out", () => {
    const gone = run("gve", "6.1.192", { settings: format });
    const pages = (of: readonly string[]): number =>
      of.filter((a) => a === "0 GFP_ATOMIC gve_rx_post_buffers_dqo").length;
    expect(pages(gone.later)).toBeLessThan(3);
    const kept = run("gve", "6.1.192", { settings: format, frames: 300, keep: 300 });
    // Two frames a page, and none that comes back.
    expect(pages(kept.later)).toBeGreaterThanOrEqual(148 - 63);
    expect(kept.counters).toMatchObject({ rx_packets: 300, rx_buf_alloc_fail: 0 });
  });
  test("7.2.12: pieces of a pool, which packets send home", () => {
    const { machine, counters } = run("gve", "7.2.12", { settings: format, frames: 1000 });
    const stats = machine.pools().pools.stats(machine.devices[0]!.driver.poolNumber?.() ?? -1);
    expect(counters["rx_packets"]).toBe(1000);
    expect(stats.ring + stats.cached).toBeGreaterThan(300);
    expect(run("gve", "6.12.117", { settings: format }).machine.devices[0]!.driver.poolNumber?.()).toBe(-1);
  });
  test("with headers apart: a block of 128 bytes a buffer in one piece at open, copied heads, payload in pages", () => {
    const { seen, up, counters } = run("gve", "6.12.117", { settings: { ...format, header_split: true }, mtu: 9000 });
    // 128 bytes for each of 4 * 64 buffers: 32 KiB.
    expect(up.filter((a) => a.startsWith("3 GFP_KERNEL"))).toHaveLength(1);
    expect(seen[0]).toMatchObject({ linear: 66, frags: [3] });
    expect(counters["rx_hsplit_pkt"]).toBe(200);
  });
  test("a page list: short of free pages, buffers are copied into single ones, and no frame is lost", () => {
    const settings = { ...format, addressing: "queue page list", rx_ring: 128 };
    const kept = run("gve", "6.12.117", { settings, frames: 500, keep: 500 });
    expect(kept.counters["rx_frag_alloc_cnt"]).toBeGreaterThan(50);
    expect(kept.counters["rx_packets"]).toBe(500);
    expect(run("gve", "6.12.117", { settings, frames: 500 }).counters["rx_frag_alloc_cnt"]).toBe(0);
  });
  test.each([
    ["5.10", { format: "DQO" }, "has no DQO format"],
    ["6.1", { ...format, addressing: "queue page list" }, "has no page lists in the DQO format"],
    ["6.1", { ...format, header_split: true }, "does not split headers"],
    ["6.12", { header_split: true }, "splits headers in the DQO format with raw addressing only"],
    ["6.12", { lro: true }, "coalesces segments in the DQO format only"],
    ["5.10", { addressing: "raw" }, "has queue page lists only"],
  ])("%s refuses %j", (version, settings, said) => {
    expect(() => run("gve", version, { settings })).toThrow(said);
  });
});

describe("a frame of more fragments than MAX_SKB_FRAGS", () => {
  const settings = { format: "DQO", lro: true, rx_ring: 256 };
  const burst = (version: string, more: { maxSkbFrags?: number } = {}) =>
    run("gve", version, { settings, frames: 45, gapNanos: 0, ...more }).seen;
  test.each(["6.1.192", "6.12.117", "7.2.12"])("gve of %s hangs what finds no room in a second sk_buff", (version) => {
    // 45 segments: 65,226 bytes in 32 buffers of 2 KiB.
    expect(burst(version)).toMatchObject([{ bytes: 66 + 45 * 1448, frags: [17, 15], gsoSize: 1448 }]);
  });
  test("CONFIG_MAX_SKB_FRAGS of 45 gives it room, at the price of shared_info in every packet", () => {
    expect(burst("6.12.117", { maxSkbFrags: 45 })[0]?.frags).toEqual([32]);
    const room = (frags?: number): number =>
      run("ena", "6.12.117", frags === undefined ? {} : { maxSkbFrags: frags }).machine.skbs.config.sharedInfoBytes;
    expect([room(), room(17), room(45)]).toEqual([320, 320, 320 + 28 * 16]);
    expect(() => burst("6.1.192", { maxSkbFrags: 20 })).toThrow("6.1.192-x86_64 has a fixed MAX_SKB_FRAGS");
    expect(() => burst("6.12.117", { maxSkbFrags: 46 })).toThrow(BadInput);
  });
  test("a driver that writes behind the last fragment is told so, not obeyed", () => {
    const { machine } = run("ena", "6.1.192", { frames: 1 });
    const skb = machine.skbs.allocSkb(100, machine.skbs.config.gfp.kernel);
    expect(() => machine.skbs.skbAddRxFrag(skb, 17, 1000, 0, 10, 10)).toThrow("room for 17 (MAX_SKB_FRAGS)");
  });
  test("the release's own number: 18 in 2.6.24, 17 since 3.3", () => {
    const frags = (text: string): number =>
      createMachine({ release: parseRelease(text), memoryMb: 64 }).skbs.config.fragsMax;
    expect(["2.6.24-x86_64", "3.2-x86_64", "3.13-x86_64", "7.2.12-x86_64"].map(frags)).toEqual([18, 18, 17, 17]);
  });
});

describe("mlx5_core", () => {
  test("7.2.12 copies the headers of a long frame, 6.12.117 its first 256 bytes", () => {
    expect(["6.12.117", "7.2.12"].map((v) => run("mlx5_core", v, { mtu: 9000 }).seen[0]?.linear)).toEqual([256, 66]);
  });
});

describe("virtio_net of 7.2", () => {
  const modes = (version: string, mode: string): Ran => run("virtio_net", version, { settings: { mode } });
  test.each(["mergeable", "small"])(
    "%s: pieces of a page_pool's single pages, where 6.12 has a big page of the queue",
    (mode) => {
      const [before, now] = [modes("6.12.117", mode), modes("7.2.12", mode)];
      expect(before.up.some((request) => request.startsWith("3 "))).toBe(true);
      expect(now.up.length).toBeGreaterThan(5);
      expect(now.up.filter((request) => !request.startsWith("0 "))).toEqual([]);
      expect([before, now].map(({ machine }) => machine.devices[0]!.driver.poolNumber?.())).toEqual([-1, 0]);
      expect(now.counters["rx_packets"]).toBe(200);
      // What packets held came home, so that hardly a page was asked for later.
      expect(now.later.length).toBeLessThan(before.later.length + 20);
    },
  );
  test("big: chains of single pages as before, without a pool", () => {
    const now = run("virtio_net", "7.2.12", { mtu: 9000, settings: { mode: "big" } });
    expect(now.machine.devices[0]!.driver.poolNumber?.()).toBe(-1);
    expect(now.counters["rx_packets"]).toBe(200);
  });
  test("small: the last piece of a page has what is left of it", () => {
    // 64 before the header of 12, and 1518: 1600 in cache lines, and shared_info. Two such pieces to a page, the second longer.
    const piece = 1600 + 320;
    const truesizes = new Set(modes("7.2.12", "small").seen.map(({ truesize }) => truesize));
    expect(truesizes).toEqual(new Set([piece + skbRoom, 4096 - piece + skbRoom]));
  });
  test("a release between the trees that were read says so, others do not", () => {
    const said = (version: string): readonly string[] =>
      createMachine({
        release: parseRelease(version),
        memoryMb: 64,
        nics: [{ driver: "virtio_net" }],
      }).standsFor.map(({ what }) => what);
    expect(said("7.1-x86_64").join()).toContain("virtio_net of 7.1");
    expect(said("7.2.12-x86_64").join()).not.toContain("virtio_net");
    expect(said("6.12.117-x86_64").join()).not.toContain("virtio_net");
  });
});

describe("every request of the new forms fails once, and nothing stays behind", () => {
  const forms = [
    ["ena", "5.10.223", 9000, {}],
    ["gve", "5.10.223", 1500, {}],
    ["gve", "6.12.117", 9000, { addressing: "queue page list" }],
    ["gve", "6.1.192", 9000, { format: "DQO" }],
    ["gve", "6.12.117", 9000, { format: "DQO", header_split: true }],
    ["gve", "7.2.12", 1500, { format: "DQO", lro: true }],
    ["ice", "7.2.12", 9000, { header_split: true }],
    ["ice", "7.2.12", 1500, { xdp: "redirect" }],
    ["mlx5_core", "7.2.12", 9000, { rx_ring: 64 }],
    ["virtio_net", "6.12.117", 60_000, { rx_ring: 256 }],
    ["virtio_net", "7.2.12", 60_000, { rx_ring: 256 }],
  ] as const;
  test.each(oneIn(2, forms))("%s of %s, MTU %i, %j", (driver, version, mtu, settings) => {
    const check = checkDriver({ driver, release: parseRelease(`${version}-x86_64`), mtu, settings });
    expect(check).toMatchObject({ leaks: [], faults: [], complaints: [], recovered: true });
    expect(check.received + check.taken).toBeGreaterThan(20);
  });
});
