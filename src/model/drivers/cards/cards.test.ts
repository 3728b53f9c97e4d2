// What the cards that are put together from parts ask for, keep and let go, release by release. Sources stand in the files of the parts.
import { describe, expect, test } from "vitest";
import { BadInput } from "../../../base/bad_input.ts";
import { decodeGfp } from "../../../kernel/facts/gfp.ts";
import { parseRelease } from "../../../kernel/release.ts";
import type { Machine } from "../../machine.ts";
import { createMachine } from "../../machine.ts";
import { frameField, frameKind } from "../../net/path/wire.ts";
import { skbField } from "../../net/skb/skb_columns.ts";
import type { DriverSettings } from "../driver.ts";
import { strideLayout } from "./strides.ts";

interface Ran {
  readonly machine: Machine;
  /** Packets that nobody has freed. */
  readonly held: number[];
  readonly counters: Readonly<Record<string, number>>;
  /** Requests for pages since the interface came up, and before: orders and masks. */
  readonly up: readonly (readonly [order: number, mask: string])[];
  readonly later: readonly (readonly [order: number, mask: string])[];
  readonly truesizes: readonly number[];
}

/** Frames into a card, a batch of ten in each 0.1 ms; the first `keep` packets are kept by whoever gets them. */
function run(
  driver: string,
  release: string,
  {
    mtu = 1500,
    bytes = mtu + 14,
    frames: n = 200,
    keep = 0,
    settings = {},
  }: {
    mtu?: number;
    bytes?: number;
    frames?: number;
    keep?: number;
    settings?: DriverSettings;
  } = {},
): Ran {
  const machine = createMachine({ release: parseRelease(release), memoryMb: 128, nics: [{ driver, mtu, settings }] });
  const { clock, frames, skbs, journal } = machine;
  const device = machine.devices[0]!;
  const asked: (readonly [number, string])[] = [];
  const { version } = machine.release;
  journal.listen(
    (_k, _n, _c, _pfn, order, gfp) => void asked.push([order, decodeGfp(gfp >>> 0, version).text]),
    "mm_page_alloc",
  );
  const held: number[] = [];
  const truesizes: number[] = [];
  machine.receive.protocol(frameKind.udp, (skb) => {
    truesizes.push(skbs.columns.S[skb + skbField.TRUESIZE]!);
    if (held.length < keep) held.push(skb);
    else skbs.consumeSkb(skb);
  });
  expect(machine.up(device)).toBe(true);
  clock.run(clock.now() + 1e6, 1e5);
  const up = asked.splice(0);
  for (let i = 0; i < n; i++) {
    const f = frames.take();
    frames.W[f + frameField.LEN] = bytes - 42;
    frames.W[f + frameField.KIND] = frameKind.udp;
    device.driver.frameArrived(f);
    if (i % 10 === 9) clock.run(clock.now() + 1e5, 1e5);
  }
  clock.run(clock.now() + 5e6, 1e5);
  return { machine, held, counters: device.driver.counters, up, later: asked, truesizes };
}

const orders = (asked: Ran["up"]): number[] => [...new Set(asked.map(([order]) => order))].sort();

describe("pages in two halves (ice, i40e)", () => {
  test("a consumer that keeps up costs no page: every half is posted again", () => {
    const { counters, later, up } = run("ice", "6.1.192-x86_64", { settings: { rx_ring: 64 } });
    expect(up.filter(([order, mask]) => order === 0 && mask.includes("MEMALLOC"))).toHaveLength(63);
    expect(later.filter(([, mask]) => mask.includes("MEMALLOC"))).toEqual([]);
    expect(counters).toMatchObject({ rx_packets: 200, rx_cache_reuse: 200, rx_cache_busy: 0 });
  });

  test("packets that are kept hold both halves of a page: it is let go with the second", () => {
    const { counters, later, held } = run("ice", "6.1.192-x86_64", {
      frames: 300,
      keep: 300,
      settings: { rx_ring: 64 },
    });
    expect(held).toHaveLength(300);
    // Each page gives two packets; the second finds the first still there.
    expect(counters["rx_cache_busy"]).toBeGreaterThan(100);
    expect(later.filter(([, mask]) => mask.includes("MEMALLOC")).length).toBe(counters["rx_cache_busy"]);
  });

  test("the mask is dev_alloc_pages(): it may take what no watermark allows", () => {
    const masks = new Set(
      run("i40e", "6.1.192-x86_64")
        .up.map(([, mask]) => mask)
        .filter((m) => m.includes("MEMALLOC")),
    );
    expect([...masks]).toEqual(["GFP_ATOMIC|__GFP_NOWARN|__GFP_COMP|__GFP_MEMALLOC"]);
  });

  test.each([
    ["ice", "6.1.192-x86_64", 1500, [0]],
    ["ice", "6.1.192-x86_64", 1501, [1]],
    ["ice", "6.12.117-x86_64", 9000, [1]],
    ["i40e", "6.1.192-x86_64", 1500, [0]],
    // i40e_calculate_vsi_rx_buf_len() of 6.12 has 3 KiB at every MTU.
    ["i40e", "6.12.117-x86_64", 1500, [1]],
  ] as const)("%s of %s at MTU %i: order %j", (driver, release, mtu, wanted) => {
    const { up } = run(driver, release, { mtu });
    expect(orders(up.filter(([, mask]) => mask.includes("MEMALLOC")))).toEqual(wanted);
  });

  test("MTU 9000 takes three buffers of 3 KiB; half a block is charged for each", () => {
    const { truesizes } = run("ice", "6.12.117-x86_64", { mtu: 9000 });
    // sk_buff and head: build_skb() charges the half and sizeof(struct sk_buff).
    expect(new Set(truesizes)).toEqual(new Set([3 * 4096 + 256]));
  });
});

describe("pages until 2 KiB are left (ena)", () => {
  test("a page of 4 KiB holds two standard frames", () => {
    const { counters, later } = run("ena", "6.1.192-x86_64", { frames: 400, settings: { rx_ring: 64 } });
    expect(counters["rx_packets"]).toBe(400);
    // Every other frame, and those in slots that end with half a page left.
    expect(counters["page_reused"]).toBeGreaterThanOrEqual(200);
    expect(counters["page_reused"]).toBeLessThanOrEqual(232);
    expect(later.filter(([, mask]) => mask.includes("MEMALLOC")).length).toBeGreaterThan(190);
  });
  test("packets up to 256 bytes are copied, and their pages stay in the ring", () => {
    const { counters, later } = run("ena", "6.1.192-x86_64", { bytes: 200 });
    expect(counters).toMatchObject({ rx_packets: 200, page_reused: 0 });
    // The one slot that was empty when the interface went up.
    expect(later.filter(([, mask]) => mask.includes("MEMALLOC"))).toHaveLength(1);
  });
  test("refills wait until more than an eighth of the ring is empty", () => {
    const ringOf = (frames: number): number =>
      run("ena", "6.1.192-x86_64", {
        frames,
        bytes: 1514,
        settings: { rx_ring: 80 },
      }).machine.devices[0]!.driver.ringFill().filled;
    expect(ringOf(10)).toBe(79 - 10);
    expect(ringOf(11)).toBe(79);
  });
});

describe("halves that are looked at again when the ring is refilled (gve)", () => {
  test("a page that everybody gave back in time is used again, others are replaced", () => {
    expect(run("gve", "6.1.192-x86_64", { settings: { rx_ring: 32 } }).counters).toMatchObject({
      rx_frag_flip_cnt: 200,
      rx_page_busy: 0,
    });
    const kept = run("gve", "6.1.192-x86_64", { keep: 200, settings: { rx_ring: 32 } });
    expect(kept.later.filter(([, m]) => m === "GFP_ATOMIC").length).toBeGreaterThan(60);
  });
  test("pages of a queue page list never leave: what finds no free half is copied", () => {
    const settings = { rx_ring: 32, addressing: "queue page list" };
    const kept = run("gve", "6.1.192-x86_64", { keep: 200, settings });
    expect(kept.counters["rx_frag_copy_cnt"]).toBeGreaterThan(100);
    expect(kept.counters["rx_packets"]).toBe(200);
    for (const skb of kept.held) kept.machine.skbs.consumeSkb(skb);
    expect(run("gve", "6.1.192-x86_64", { settings }).counters["rx_frag_copy_cnt"]).toBe(0);
  });
});

describe("the striding queue (mlx5_core)", () => {
  const at = { pageSize: 4096, cacheLine: 64, netSkbPad: 64, netIpAlign: 0, sharedInfo: 320 };
  test("mlx5e_rx_mpwqe_is_linear_skb(): strides of 2 KiB for a standard frame, of 256 bytes where it does not fit a page", () => {
    expect(strideLayout(1500, 1024, false, at)).toEqual({ stride: 2048, linear: true, wqes: 8, headroom: 64 });
    // 64 + 3690 + 22 rounded to 3776, with 320: exactly a page; a byte more is not.
    expect(strideLayout(3690, 1024, false, at)).toMatchObject({ stride: 4096, linear: true, wqes: 16 });
    expect(strideLayout(3691, 1024, false, at)).toMatchObject({ stride: 256, linear: false });
    expect(strideLayout(9000, 1024, false, at)).toEqual({ stride: 256, linear: false, wqes: 64, headroom: 0 });
    expect(strideLayout(1500, 1024, true, at)).toMatchObject({ stride: 4096, headroom: 256 });
  });
  test("single pages at every MTU, from the pool's mask", () => {
    for (const mtu of [1500, 9000]) {
      const { up, counters } = run("mlx5_core", "6.12.117-x86_64", { mtu, settings: { rx_ring: 64 } });
      expect(orders(up.filter(([, m]) => m.includes("NOWARN")))).toEqual([0]);
      expect(counters["rx_packets"]).toBe(200);
    }
  });
  const poolOf = ({ machine }: Ran) => machine.pools().pools.stats(machine.devices[0]!.driver.poolNumber?.() ?? -1);
  test("6.12: pages come home to the pool when the last packet in them has gone; one that is kept keeps its page only", () => {
    const settings = { rx_ring: 64 };
    const gone = run("mlx5_core", "6.12.117-x86_64", { frames: 2000, settings });
    const kept = run("mlx5_core", "6.12.117-x86_64", { frames: 2000, keep: 1, settings });
    expect(gone.counters["rx_packets"]).toBe(2000);
    // Nobody has a piece at the end of a WQE: straight into the cache of the pool.
    expect(poolOf(gone).cached).toBeGreaterThan(500);
    expect(Math.abs(poolOf(gone).slow - poolOf(kept).slow)).toBeLessThan(2);
  });
  test("6.1: a FIFO of the queue whose first page must be free: one kept packet makes every page after it new", () => {
    const settings = { rx_ring: 64 };
    const gone = run("mlx5_core", "6.1.192-x86_64", { frames: 4000, settings });
    const kept = run("mlx5_core", "6.1.192-x86_64", { frames: 4000, keep: 1, settings });
    expect(gone.counters["rx_cache_reuse"]).toBeGreaterThan(1000);
    expect(gone.counters["rx_cache_busy"]).toBe(0);
    expect(kept.counters["rx_cache_busy"]).toBeGreaterThan(1000);
    expect(kept.counters["rx_cache_full"]).toBeGreaterThan(1000);
    expect(kept.counters["rx_packets"]).toBe(4000);
  });
});

describe("pieces of 2 KiB (mt76)", () => {
  test("of an order-3 page of the queue's own until 6.2, of a pool's single pages since", () => {
    const old = run("mt76", "6.1.192-x86_64");
    expect(orders(old.up)).toContain(3);
    expect(old.machine.devices[0]!.driver.poolNumber?.()).toBe(-1);
    const pooled = run("mt76", "6.12.117-x86_64");
    expect(orders(pooled.up.filter(([, m]) => m.includes("NOWARN")))).toEqual([0]);
    expect(pooled.machine.devices[0]!.driver.poolNumber?.()).toBeGreaterThanOrEqual(0);
    expect([old, pooled].map((r) => r.counters["rx_packets"])).toEqual([200, 200]);
  });
});

describe("USB", () => {
  test("r8152 goes up with ten blocks of 32 KiB and four buffers of 16, or not at all", () => {
    const { up, counters } = run("r8152", "6.1.192-x86_64");
    expect(up.filter(([order]) => order === 3)).toHaveLength(10);
    expect(up.filter(([order]) => order === 2)).toHaveLength(4);
    expect(counters["rx_packets"]).toBe(200);
  });
  test("blocks that packets lie in wait; new ones are order 3 from a poll, until there are as many as rx_pending", () => {
    const { later, held, counters } = run("r8152", "6.1.192-x86_64", {
      frames: 2000,
      keep: 2000,
      settings: { rx_pending: 20 },
    });
    expect(later.filter(([order, m]) => order === 3 && m === "GFP_ATOMIC|__GFP_COMP")).toHaveLength(10);
    // Then each packet is copied out whole, and the block posted again.
    expect(counters["rx_copied"]).toBeGreaterThan(1000);
    expect(held).toHaveLength(2000);
  });
  test("usbnet posts ten transfers a run of its tasklet, an sk_buff each, until all are out", () => {
    const { machine, counters } = run("usbnet", "6.1.192-x86_64");
    expect(machine.devices[0]!.driver.ringFill()).toEqual({ filled: 60, size: 60 });
    expect(counters["rx_packets"]).toBe(200);
  });
});

describe("what an XDP program's verdict means for buffers", () => {
  const pool = ({ machine }: Ran) => machine.pools().pools.stats(machine.devices[0]!.driver.poolNumber?.() ?? -1);
  const xdp = (word: string, driver = "mlx5_core", release = "6.12.117-x86_64") =>
    run(driver, release, { frames: 2000, settings: { xdp: word, rx_ring: 64 } });
  test("drop: the memory is posted again, nothing is asked for and nothing comes up", () => {
    for (const driver of ["ice", "i40e", "ena"]) {
      const { later, counters } = xdp("drop", driver, "6.1.192-x86_64");
      // ena: the one slot that was empty when the interface went up.
      expect(later).toHaveLength(driver === "ena" ? 1 : 0);
      expect(counters).toMatchObject({ rx_packets: 0, rx_xdp_drop: 2000 });
    }
  });
  test("tx comes back from the card's poll into the pool's cache, redirect from elsewhere into its ring", () => {
    const [tx, redirect] = [xdp("tx"), xdp("redirect")];
    expect(tx.counters["rx_xdp_tx"]).toBe(2000);
    expect(redirect.counters["rx_xdp_redirect"]).toBe(2000);
    expect(pool(redirect).ring).toBeGreaterThan(100);
    expect(pool(tx).ring).toBe(0);
  });
  test("pass: a packet a page with 256 bytes before it, where without a program two frames share one", () => {
    // mlx5e_build_linear_skb(): MLX5_SKB_FRAG_SZ(room before the frame + 1514), and sizeof(struct sk_buff).
    const truesizes = ["pass", "off"].map((word) => [...new Set(xdp(word).truesizes)]);
    expect(truesizes).toEqual([[1792 + 320 + 256], [1600 + 320 + 256]]);
    expect(xdp("pass", "ena").counters["page_reused"]).toBe(0);
    expect(xdp("off", "ena").counters["page_reused"]).toBeGreaterThan(900);
  });
  test("virtio_net: a page a frame with a program, pieces of an order-3 page without; drop gives the page back", () => {
    const [off, pass, drop] = ["off", "pass", "drop"].map((word) =>
      run("virtio_net", "6.1.192-x86_64", { frames: 400, settings: { xdp: word, rx_ring: 64 } }),
    ) as [Ran, Ran, Ran];
    expect(new Set(pass.truesizes)).toEqual(new Set([4096 + 256]));
    expect(Math.max(...off.truesizes)).toBeLessThan(4096);
    const blocks = ({ later }: Ran): number => later.filter(([order]) => order === 3).length;
    expect(blocks(pass)).toBeGreaterThan(2 * blocks(off));
    expect(drop.counters).toMatchObject({ rx_packets: 0, rx_xdp_drop: 400 });
    const plug = (release: string) =>
      createMachine({
        release: parseRelease(release),
        memoryMb: 64,
        nics: [{ driver: "virtio_net", settings: { xdp: "tx" } }],
      }).devices[0]!.driver.changeMtu(4000);
    expect(plug("6.1")).toBe("ok");
    expect(plug("6.12")).toBe("mtu 4000 is not between 68 and 3506");
    expect(() =>
      createMachine({
        release: parseRelease("6.1"),
        memoryMb: 64,
        nics: [{ driver: "virtio_net", settings: { mode: "big", xdp: "tx" } }],
      }),
    ).toThrow(BadInput);
  });
  test("an MTU that a program cannot have is refused in the driver's words", () => {
    const machine = createMachine({
      release: parseRelease("6.1"),
      memoryMb: 64,
      nics: [{ driver: "ice", settings: { xdp: "pass" } }],
    });
    expect(machine.devices[0]!.driver.changeMtu(3046)).toBe("ok");
    expect(machine.devices[0]!.driver.changeMtu(3047)).toBe("mtu 3047 is not between 68 and 3046");
  });
});

test("a card on a release that had no driver for it is one sentence; one whose release was not read says so in the journal", () => {
  const plug = (driver: string, release: string) =>
    createMachine({ release: parseRelease(release), memoryMb: 64, nics: [{ driver }] });
  expect(() => plug("ice", "4.16")).toThrow("Linux 4.16 has no ice.");
  expect(() => plug("ice", "4.16")).toThrow(BadInput);
  expect(plug("ice", "4.17").devices).toHaveLength(1);
  const said = (release: string): readonly string[] =>
    plug("ena", release)
      .standsFor.map(({ what }) => what)
      .filter((what) => what.startsWith("ena"));
  expect(said("5.15")).toEqual([
    "ena of 5.15-x86_64: it behaves here between those of 5.10.223 and 6.1.192, whose sources were read, by the dates of changes",
  ]);
  for (const read of ["5.10.1", "6.1.50", "6.12.3", "7.2.1", "7.3.4"]) expect(said(read)).toEqual([]);
  expect(said("5.4")).toEqual([
    "ena of 5.4-x86_64: it behaves here as that of 5.10.223, the oldest whose source was read",
  ]);
  expect(said("7.4")).toEqual([
    "ena of 7.4-x86_64: it behaves here as that of 7.3.4, the newest whose source was read",
  ]);
});

describe("memory is gone, and packets go on coming", () => {
  /** ena with everything taken that GFP_ATOMIC may have, after a little traffic; what comes up is read at once. */
  const starved = (mask?: string) => {
    const settings = { rx_ring: 64, ...(mask === undefined ? {} : { gfp_refill: mask }) };
    const machine = createMachine({
      release: parseRelease("6.1.192-x86_64"),
      memoryMb: 48,
      nics: [{ driver: "ena", settings }],
    });
    const { clock, frames, pages, skbs, receive } = machine;
    const device = machine.devices[0]!;
    let got = 0;
    receive.protocol(frameKind.udp, (skb) => {
      got++;
      skbs.consumeSkb(skb);
    });
    const come = (n: number): void => {
      for (let i = 0; i < n; i++) {
        const f = frames.take();
        frames.W[f + frameField.LEN] = 1400;
        frames.W[f + frameField.KIND] = frameKind.udp;
        device.driver.frameArrived(f);
        if (i % 10 === 9) clock.run(clock.now() + 1e5, 1e5);
      }
    };
    machine.up(device);
    come(100);
    while (pages.allocPages(skbs.config.gfp.atomic, 0) >= 0);
    got = 0;
    come(1000);
    return { got, refused: receive.reserveDrops(), counters: device.driver.counters };
  };

  test("dev_alloc_pages() takes the reserve, and sockets refuse what lies in it: the ring stays full and little is read", () => {
    const { got, refused, counters } = starved();
    expect(refused).toBeGreaterThan(500);
    expect(got).toBeLessThan(500);
    expect(counters["rx_refil_partial"]).toBe(0);
  });

  test("a mask without the reserve runs the ring dry instead: nothing is refused, and the card has no buffer", () => {
    const { got, refused, counters } = starved("GFP_ATOMIC | __GFP_NOWARN");
    expect(refused).toBe(0);
    // What lay in the ring.
    expect(got).toBe(63);
    expect(counters["rx_refil_partial"]).toBeGreaterThan(0);
    expect(counters["rx_no_buffer"]).toBeGreaterThan(900);
  });
});
