import { describe, expect, test } from "vitest";
import { compareVersions, parseRelease } from "../../release.ts";
import { functionIndex } from "../functions/index.ts";
import type { RxMachine } from "./driver.ts";
import { driverOfStack, drivers, failureAt, rxRuleAt } from "./index.ts";
import { cacheLineOf, memoryOf, padsOf } from "./rx_path.ts";

const stack = (...names: string[]) =>
  names.map((n) => {
    const [name = "", module] = n.split(" ");
    return { function: name, reliable: true, ...(module === undefined ? {} : { module: module.slice(1, -1) }) };
  });
const machine = (text: string, sharedInfo: number): RxMachine => {
  const release = parseRelease(text);
  return { pageSize: 4096, cacheLine: cacheLineOf(release.arch), ...padsOf(release), sharedInfo };
};

describe("a driver is recognised by its frames", () => {
  test("tg3 refilling its receive ring in 2.6.24", () => {
    const seen = driverOfStack(
      stack("__alloc_pages", "__netdev_alloc_skb", "__alloc_skb", "tg3_alloc_rx_skb", "tg3_poll"),
    );
    expect([seen?.driver.name, seen?.role]).toEqual(["tg3", "rx refill"]);
  });
  test("e1000 and e1000e share names; e1000_up and e1000e_up tell them apart, and so does the module", () => {
    const frames = ["e1000_alloc_rx_buffers", "e1000_configure"];
    expect(driverOfStack(stack(...frames))).toBeUndefined();
    expect(driverOfStack(stack(...frames, "e1000_up"))?.driver.name).toBe("e1000");
    expect(driverOfStack(stack(...frames, "e1000e_up"))?.driver.name).toBe("e1000e");
    expect(driverOfStack(stack("e1000_alloc_rx_buffers [e1000e]"))?.driver.name).toBe("e1000e");
  });
  test("a driver of the trees is recognised by the index alone, and its facts begin with the first tree that was read", () => {
    const seen = driverOfStack(stack("aq_ring_rx_fill", "macb_poll"));
    expect(seen?.driver.name).toBe("atlantic");
    const ice = driverOfStack(stack("ice_alloc_rx_bufs [ice]", "ice_clean_rx_irq [ice]"));
    expect([ice?.driver.name, ice?.role, ice?.place?.directory]).toEqual([
      "ice",
      "rx refill",
      "drivers/net/ethernet/intel/ice",
    ]);
    expect(rxRuleAt(ice!.driver, [5, 4])).toBeUndefined();
    expect(rxRuleAt(ice!.driver, [6, 13])?.rule.notRead).toBe(true);
    const at = machine("6.1-x86_64", 320);
    expect(rxRuleAt(ice!.driver, [6, 1])?.rule.buffers(1500, at)[0]?.order).toBe(0);
    expect(rxRuleAt(ice!.driver, [6, 1])?.rule.buffers(1501, at)[0]?.order).toBe(1);
  });
  test("compiler suffixes do not hide a name, and a foreign module's frame names no driver here", () => {
    expect(driverOfStack(stack("mlx5e_post_rx_wqes.constprop.0"))?.driver.name).toBe("mlx5");
    expect(driverOfStack(stack("start_xmit [my_own_nic]", "dev_hard_start_xmit"))).toBeUndefined();
    expect(driverOfStack(stack("vfs_write", "ksys_write"))).toBeUndefined();
  });
});

describe("what a driver asks the allocators for", () => {
  test("tg3's standard buffer in 2.6.24 is 1976 bytes of kmalloc with a shared_info of 312 (seed arithmetic)", () => {
    const at = machine("2.6.24-x86_64", 312);
    const [standard] = rxRuleAt(driverOfStack(stack("tg3_poll"))!.driver, [2, 6, 24])!.rule.buffers(1500, at);
    expect(memoryOf(standard!, parseRelease("2.6.24"), at, false)).toMatchObject({ allocator: "kmalloc", bytes: 1976 });
  });
  test("the EMAC asks for more than a page for every MTU above 1500 (2.6.29)", () => {
    const at = machine("2.6.29-ppc32", 336);
    const release = parseRelease("2.6.29-ppc32");
    const emac = drivers.find((d) => d.name === "ibm_emac")!;
    const bytes = (mtu: number) =>
      memoryOf(rxRuleAt(emac, release.version)!.rule.buffers(mtu, at)[0]!, release, at, false).bytes;
    expect(bytes(1500)).toBe(1536 + 336);
    expect(bytes(1501)).toBe(4096 + 336);
    expect(bytes(4000)).toBe(4096 + 336);
    expect(bytes(9000)).toBe(9024 + 336);
  });
  test("e1000e at MTU 9000 splits packets: a small header and three pages, as captured on 6.1", () => {
    const at = machine("6.1-x86_64", 320);
    const e1000e = drivers.find((d) => d.name === "e1000e")!;
    const asked = rxRuleAt(e1000e, [6, 1])!
      .rule.buffers(9000, at)
      .map((b) => memoryOf(b, parseRelease("6.1"), at, true));
    expect(asked).toMatchObject([
      { allocator: "kmalloc", bytes: 512 },
      { allocator: "pages", order: 0 },
    ]);
  });
  test("netdev_alloc_skb cuts from a page fragment from 3.5 on, not when the mask may sleep, and not for small heads from 5.11 on", () => {
    const ask = (text: string, bytes: number, sleeping: boolean) =>
      memoryOf({ call: "netdev_alloc_skb", bytes, holds: "" }, parseRelease(text), machine(text, 320), sleeping)
        .allocator;
    expect([ask("3.2", 1500, false), ask("3.10", 1500, false), ask("3.10", 1500, true)]).toEqual([
      "kmalloc",
      "page_frag",
      "kmalloc",
    ]);
    expect([ask("4.19", 256, false), ask("6.1", 256, false)]).toEqual(["page_frag", "kmalloc"]);
    expect(ask("6.1", 9000, false)).toBe("kmalloc");
    // 320 bytes and the pad fit a small head of 6.12.117; 321 do not, and 640 still were kmalloc's before.
    expect([ask("6.12.117", 320, false), ask("6.12.117", 321, false)]).toEqual(["kmalloc", "page_frag"]);
    expect([ask("6.11", 640, false), ask("6.11", 641, false)]).toEqual(["kmalloc", "page_frag"]);
  });
  test("heads up to 704 bytes with shared_info are objects of skbuff_small_head on 6.12.117 and 7.2.12, up to 640 on 6.3, none before", () => {
    const small = (text: string, bytes: number) => {
      const asked = memoryOf({ call: "alloc_skb", bytes, holds: "" }, parseRelease(text), machine(text, 320), false);
      return asked.allocator === "kmalloc" ? asked.smallHead : asked.allocator;
    };
    for (const text of ["6.12.117", "7.2.12"]) expect([small(text, 384), small(text, 385)]).toEqual([704, undefined]);
    expect([small("6.3", 320), small("6.3", 321)]).toEqual([640, undefined]);
    expect([small("6.2", 0), small("6.1.192", 128)]).toEqual([undefined, undefined]);
    // A driver's own kmalloc() is no head.
    expect(
      memoryOf({ call: "kmalloc", bytes: 512, holds: "" }, parseRelease("7.2"), machine("7.2", 320), false),
    ).not.toHaveProperty("smallHead");
  });

  test("a poll's small heads are slices of a page from 6.1 to 6.13", () => {
    const ask = (text: string, bytes: number) =>
      memoryOf({ call: "napi_alloc_skb", bytes, holds: "" }, parseRelease(text), machine(text, 320), false);
    const slice = { allocator: "page_frag", bytes: 1024, triedOrder: 0 };
    expect([ask("5.10.223", 640).allocator, ask("6.0", 640).allocator]).toEqual(["kmalloc", "kmalloc"]);
    for (const text of ["6.1.192", "6.12.117"]) {
      expect(ask(text, 640)).toMatchObject(slice);
      expect(ask(text, 641)).toMatchObject({ allocator: "page_frag", triedOrder: 3 });
    }
    expect([ask("7.2.12", 320).allocator, ask("7.2.12", 321).allocator]).toEqual(["kmalloc", "page_frag"]);
  });
});

test("every driver has dated rules in order, a source for each, and says what a failed refill costs", () => {
  for (const driver of drivers) {
    expect(driver.rx.length, driver.name).toBeGreaterThan(0);
    for (const fact of [...driver.rx, ...driver.failure]) expect(fact.source.length, driver.name).toBeGreaterThan(5);
    const last = driver.rx.at(-1)!;
    // Where nobody has read what a driver does without a buffer, nothing is promised.
    if (driver.failure.length > 0) expect(failureAt(driver, last.since)?.sentence, driver.name).toMatch(/\.$/);
    const at = machine("6.1-x86_64", 320);
    for (const fact of driver.rx)
      for (const mtu of [68, 1500, 1501, 4000, 9000])
        for (const b of fact.value.buffers(mtu, at)) expect(b.bytes, `${driver.name} ${mtu}`).toBeGreaterThan(0);
  }
});

/** In no kernel of the index (5.10, 6.1, 6.12, 7.2): older, or static there and without a symbol; by the driver that names it. */
const notInIndex: Readonly<Record<string, readonly string[]>> = {
  tg3: ["tg3_alloc_rx_skb", "tigon3_dma_hwbug_workaround", "tg3_tx", "tg3_rx"],
  ibm_emac: ["emac_poll_rx", "emac_poll_tx", "emac_resize_rx_ring", "mal_poll"],
  igb: ["igb_alloc_mapped_page", "igb_clean_tx_irq"],
  ixgbe: ["ixgbe_alloc_mapped_page", "ixgbe_clean_tx_irq"],
  i40e: ["i40e_alloc_mapped_page", "i40e_clean_tx_irq"],
  virtio_net: ["receive_mergeable", "virtnet_receive"],
  "xen-netfront": ["xennet_alloc_one_rx_buffer"],
  hv_netvsc: ["netvsc_alloc_recv_skb"],
  lan78xx: ["lan78xx_rx_bh"],
  r8152: ["rtl_get_free_rx", "alloc_all_mem", "rx_bottom", "tx_bottom"],
  mvneta: ["mvneta_frag_alloc", "hwbm_pool_refill", "mvneta_txq_done"],
  bcmgenet: ["bcmgenet_alloc_rx_buffers", "bcmgenet_desc_rx"],
  r8169: ["rtl8169_rx_fill", "rtl8169_try_rx_copy", "rtl8169_rx_interrupt", "rtl_rx", "rtl_tx"],
};

test("every function that a driver is known by is one of the index, or named as none of it", () => {
  const index = functionIndex();
  const absent = drivers.flatMap((d) =>
    d.symbols.flatMap((s) => (s.prefix !== true && index?.find(s.name).length === 0 ? [`${d.name} ${s.name}`] : [])),
  );
  const named = Object.entries(notInIndex).flatMap(([driver, names]) => names.map((name) => `${driver} ${name}`));
  expect(absent.sort()).toEqual(named.sort());
  expect(drivers.flatMap((d) => d.symbols).length).toBeGreaterThan(150);
});

/** Modules that no kernel of the index builds (5.10, 6.1, 6.12, 7.2 for x86 and arm64): other names of old, or other architectures. */
const notBuilt = ["ibm_newemac", "ibm_emac", "bcmgenet", "mtk_eth_soc"];
/** Drivers that people call otherwise than the module is called. */
const calledOtherwise: Readonly<Record<string, string>> = {
  mlx5: "mlx5_core",
  mlx4: "mlx4_en",
  "dpaa2-eth": "fsl_dpaa2_eth",
  thunderx: "nicvf",
  ath10k: "ath10k_core",
  rtw88: "rtw88_pci",
  rtw89: "rtw89_pci",
  ipoib: "ib_ipoib",
};

test("a driver's module is one of the index, and the driver is called after it", () => {
  const index = functionIndex();
  const absent = drivers.flatMap((d) => d.modules.filter((m) => index?.module(m) === undefined));
  expect(absent.sort()).toEqual([...notBuilt].sort());
  for (const { name, modules } of drivers)
    expect(modules, name).toContain(calledOtherwise[name] ?? name.replaceAll("-", "_"));
});

test("what a driver does without a buffer is told from the release on that its buffers are told", () => {
  const apart = drivers.flatMap(({ name, rx, failure }) =>
    failure[0] !== undefined && failure[0].since.join() !== rx[0]?.since.join()
      ? [`${name}: ${rx[0]?.since.join(".")}, ${failure[0].since.join(".")}`]
      : [],
  );
  // usbnet's minidrivers share what the core does; of the two others the code that refuses is older or younger than what was read of the buffers.
  expect(apart).toEqual([
    "virtio_net: 2.6.24, 2.6.29",
    "ax88179_178a: 3.9, 2.6.12",
    "smsc95xx: 2.6.28, 2.6.12",
    "smsc75xx: 2.6.34, 2.6.12",
    "cdc_ncm: 2.6.38, 2.6.12",
    "dm9601: 2.6.22, 2.6.12",
    "rtw89: 6.12, 6.1",
  ]);
  for (const { name, rx, failure } of drivers)
    for (const facts of [rx, failure])
      for (const [i, { since }] of facts.entries())
        if (i > 0) expect(compareVersions(facts[i - 1]?.since ?? [], since), name).toBeLessThan(0);
});

describe("what a driver does without a fresh buffer", () => {
  const named = (name: string) => drivers.find((d) => d.name === name)!;
  /** Drivers of which it was not declared for a long time. */
  const late = ["mlx4", "qede", "be2net", "sfc", "cxgb4", "bnxt_en", "fec", "dpaa2-eth", "thunderx", "rtw88", "rtw89"];
  /**
   * Read, but no fact fits. ath11k asks for as many buffers as it has just taken and never again for one that was refused; what is missing is
   * made good only by chips that signal a nearly empty ring (IPQ8074, QCN9074), not by QCA6390, WCN6855 and WCN6750, and frames do not tell
   * the chip (ath11k_dp_rxbufs_replenish, ath11k_dp_service_srng, host2rxdma in hw.c; 5.10.265, 6.1.192, 6.12.117 and 7.2.13).
   */
  const undeclared = ["ath11k"];

  test.each(late)("%s: declared from a named file, of releases that were read", (name) => {
    const facts = named(name).failure;
    expect(facts.length).toBeGreaterThan(0);
    for (const fact of facts) expect(fact.source).toMatch(/^drivers\/net\/\S+\.c .*\b\d+\.\d+\.\d+\b/);
    expect(failureAt(named(name), [6, 1])?.sentence.startsWith(name)).toBe(true);
    // Nobody has read an earlier kernel.
    expect(failureAt(named(name), [5, 9])).toBeUndefined();
  });
  test.each(undeclared)("%s: nothing is promised", (name) => {
    expect(named(name).failure).toEqual([]);
  });
  test("a dropped packet leaves its slot as it was, an empty slot has cost no packet yet", () => {
    for (const name of late)
      for (const { value } of named(name).failure)
        expect(value.packet, name).toBe(value.slot === "stays empty and is retried" ? "kept" : "dropped");
    expect(failureAt(named("fec"), [6, 1])?.slot).toBe("keeps its old buffer");
    expect(failureAt(named("be2net"), [6, 1])?.slot).toBe("stays empty and is retried");
    expect(failureAt(named("rtw88"), [6, 1])?.slot).toBe("no ring slot: copied per packet");
  });
  test("a counter that ethtool does not show comes with the command that does", () => {
    const shown = drivers.flatMap((d) =>
      d.failure.filter((f) => f.value.counterCommand !== undefined).map(() => d.name),
    );
    expect(shown.sort()).toEqual(["ath9k", "cxgb4"]);
    for (const { failure, name } of drivers)
      for (const { value } of failure) expect(value.counter ?? "", name).not.toMatch(/debugfs/);
  });
  test("bnxt_en counts what it drops since 6.1 at the latest, and by a name of its own since 6.12 at the latest", () => {
    const counter = (version: readonly number[]) => failureAt(named("bnxt_en"), version)?.counter;
    expect([counter([5, 10]), counter([6, 1]), counter([6, 12])]).toEqual([
      undefined,
      "rx_dropped",
      "rx_total_oom_discards",
    ]);
  });
});
