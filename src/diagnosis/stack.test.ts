import { describe, expect, test } from "vitest";
import { readIncidents } from "../artifact/log/incidents/read_incidents.ts";
import { repairText } from "../artifact/log/lines.ts";
import { driverOfStack } from "../kernel/facts/drivers/index.ts";
import type { CallTrace } from "../kernel/readings/call_trace.ts";
import { buildCase } from "./case.ts";
import { viewStack } from "./stack.ts";
import { nothingAround } from "./surroundings.ts";
import { wantedOf } from "./wanted.ts";

/** A case from a first line, a release and the names of a stack, innermost first; `?name` is a guess of the unwinder. */
function caseOf(headline: string, release: string, names: readonly string[]) {
  const frames = names.map((n) => {
    const [name = "", module] = n.replace("?", "").split(" ");
    return ` ${n.startsWith("?") ? "? " : ""}${name}+0x1a/0x90${module === undefined ? "" : ` ${module}`}`;
  });
  const text = [headline, `CPU: 1 PID: 0 Comm: swapper/1 Not tainted ${release} #1`, "Call Trace:", ...frames].join(
    "\n",
  );
  const incident = readIncidents(repairText(text)).incidents[0];
  if (incident === undefined) throw new Error("no incident");
  const version = release
    .split(/[-.]/)
    .slice(0, 3)
    .map(Number)
    .filter((n) => !Number.isNaN(n));
  return buildCase(incident, "log", { release, certainty: "stated", version, because: [] }, nothingAround);
}
const failure = (order: number, mask: string): string =>
  `swapper/1: page allocation failure: order:${order}, mode:${mask}`;

describe("a stack says who allocated, for whom, on which side", () => {
  test("igb at a jumbo MTU on 4.19 takes order-1 pages itself: 1500 is excluded", () => {
    const c = caseOf(failure(1, "0x484020(GFP_ATOMIC|__GFP_COMP)"), "4.19.0", [
      "dump_stack",
      "warn_alloc.cold.116",
      "__alloc_pages_slowpath",
      "__alloc_pages_nodemask",
      "igb_alloc_rx_buffers [igb]",
      "igb_poll [igb]",
      "net_rx_action",
      "__do_softirq",
    ]);
    expect(c.stack).toMatchObject({
      path: "pages",
      direction: "rx refill",
      context: "softirq",
      driver: { driver: { name: "igb" } },
    });
    const w = wantedOf(c);
    expect(w?.sentence).toMatch(/3 KiB buffer at an MTU from 1\d{3} to 9216: a block of order 1/);
    expect(w?.mtus?.from).toBeGreaterThan(1500);
  });
  test("a driver that nobody knows refills, when a function called so takes its buffers from netdev_alloc_skb", () => {
    const fill = caseOf(failure(0, "0x1080020(GFP_ATOMIC)"), "4.14.48", [
      "__alloc_pages_nodemask",
      "page_frag_alloc",
      "__netdev_alloc_skb",
      "odd_ring_fill",
      "odd_worker",
    ]);
    expect(fill.stack).toMatchObject({ path: "page_frag", direction: "rx refill" });
    const other = caseOf(failure(0, "0x1080020(GFP_ATOMIC)"), "4.14.48", [
      "__alloc_pages_nodemask",
      "page_frag_alloc",
      "__netdev_alloc_skb",
      "odd_thing",
    ]);
    // It may have asked for a packet that arrived, or through a refill whose line is missing.
    expect(other.stack.direction).toBeUndefined();
  });
  test("a child of a listening socket is born on the receive side, from a cache with a name of its own", () => {
    const c = caseOf(failure(1, "0x20"), "3.16.0", [
      "__alloc_pages_nodemask",
      "kmem_getpages",
      "fallback_alloc",
      "kmem_cache_alloc",
      "sk_prot_alloc",
      "sk_clone_lock",
      "inet_csk_clone_lock",
    ]);
    expect(c.stack.direction).toBe("rx");
    expect(wantedOf(c)?.sentence).toMatch(/for sk_prot_alloc; the report does not say which cache/);
  });
  test("what SLAB calls on the way is not who asked, nor is a folio's helper", () => {
    const slab = caseOf(failure(2, "0x20"), "2.6.32", [
      "__alloc_pages_nodemask",
      "kmem_getpages",
      "cache_grow",
      "____cache_alloc_node",
      "__kmalloc_node",
      "__alloc_skb",
      "skb_copy",
      "tg3_start_xmit [tg3]",
    ]);
    expect(slab.stack.frames[slab.stack.caller ?? -1]?.function).toBe("tg3_start_xmit");
    const folio = caseOf(failure(9, "0x140dca"), "6.12.0", [
      "__alloc_pages_noprof",
      "alloc_pages_mpol_noprof",
      "folio_alloc_mpol_noprof",
      "vma_alloc_folio_noprof",
      "do_huge_pmd_anonymous_page",
    ]);
    expect(folio.stack.frames[folio.stack.caller ?? -1]?.function).toBe("do_huge_pmd_anonymous_page");
  });
  test("a large kmalloc for a jumbo packet is told from a slab", () => {
    const c = caseOf(failure(2, "0x204020"), "3.10.0", [
      "dump_stack",
      "warn_alloc_failed",
      "__alloc_pages_nodemask",
      "kmalloc_large_node",
      "__kmalloc_node_track_caller",
      "__kmalloc_reserve",
      "__alloc_skb",
      "__netdev_alloc_skb",
      "foo_refill [foo]",
      "foo_poll [foo]",
      "net_rx_action",
      "__do_softirq",
    ]);
    expect(c.stack).toMatchObject({ path: "kmalloc_large", direction: "rx refill", object: "skb data" });
    expect(c.stack.driver).toBeUndefined();
    expect(wantedOf(c)?.sentence).toMatch(
      /the data of a packet for foo_refill by kmalloc above its largest cache.*8193 to 16384 bytes/,
    );
  });
  test("a page fragment is named as the last resort it is", () => {
    const c = caseOf(failure(0, "0x1080020(GFP_ATOMIC)"), "4.14.0", [
      "dump_stack",
      "warn_alloc",
      "__alloc_pages_nodemask",
      "page_frag_alloc",
      "__napi_alloc_skb",
      "foo_rx [foo]",
      "net_rx_action",
    ]);
    expect(c.stack.path).toBe("page_frag");
    expect(wantedOf(c)?.sentence).toMatch(/last resort after larger blocks were tried silently/);
  });
  test("an acknowledgement sent while receiving is transmit: the innermost side counts", () => {
    const c = caseOf(failure(0, "0xa20(GFP_ATOMIC)"), "5.15.0", [
      "dump_stack_lvl",
      "warn_alloc",
      "__alloc_pages",
      "allocate_slab",
      "___slab_alloc",
      "kmem_cache_alloc_node",
      "__alloc_skb",
      "__tcp_send_ack.part.0",
      "tcp_rcv_established",
      "tcp_v4_rcv",
      "net_rx_action",
      "__do_softirq",
    ]);
    expect(c.stack).toMatchObject({ path: "slab", direction: "tx", object: "skb head" });
  });
  test("sending from a process may wait; receiving in a softirq may not", () => {
    const c = caseOf(failure(3, "0x6000c0(GFP_KERNEL)"), "4.19.0", [
      "dump_stack",
      "warn_alloc",
      "__alloc_pages_nodemask",
      "skb_page_frag_refill",
      "sk_page_frag_refill",
      "tcp_sendmsg_locked",
      "tcp_sendmsg",
      "sock_sendmsg",
      "__x64_sys_sendto",
      "do_syscall_64",
    ]);
    expect(c.stack).toMatchObject({ path: "page_frag", direction: "tx", context: "process" });
  });
  test("a ring that is made because the MTU changes is setup in process context, and still a refill", () => {
    const c = caseOf(failure(2, "0xcc0(GFP_KERNEL)"), "6.1.0", [
      "dump_stack_lvl",
      "warn_alloc",
      "__alloc_pages",
      "rtl8169_rx_fill [r8169]",
      "rtl8169_init_ring [r8169]",
      "rtl_open [r8169]",
      "__dev_open",
      "dev_open",
      "do_setlink",
      "__x64_sys_sendmsg",
    ]);
    expect(c.stack).toMatchObject({ direction: "setup", context: "process", driver: { driver: { name: "r8169" } } });
    expect(wantedOf(c)?.sentence).toMatch(
      /made once when the interface is opened at the standard MTU: a block of order 2/,
    );
  });
  test("among guesses, what gives memory back asked for none; printed as called, it did", () => {
    const names = ["warn_alloc_failed", "__alloc_pages_nodemask", "__kmalloc", "kmem_cache_free", "__pskb_pull_tail"];
    const asker = (mark: string) => {
      const c = caseOf(
        failure(4, "0x20"),
        "3.4.2",
        names.map((n) => `${mark}${n}`),
      );
      return c.stack.frames[c.stack.caller ?? -1]?.function;
    };
    expect(asker("?")).toBe("__pskb_pull_tail");
    expect(asker("")).toBe("kmem_cache_free");
  });
  test("among guesses a driver's name between two frames of the allocator is a leftover; behind them it is the driver", () => {
    const names = ["__alloc_pages_nodemask", "?", "kmem_getpages", "kmem_cache_alloc", "sk_prot_alloc", "sk_clone"];
    const driver = (...stack: string[]) =>
      caseOf(
        failure(1, "0x20"),
        "2.6.32",
        stack.map((n) => `?${n}`),
      ).stack.driver?.driver.name;
    const with_ = names.map((n) => (n === "?" ? "bond_3ad_xmit_xor [bonding]" : n));
    expect(driver(...with_)).toBeUndefined();
    expect(driver(...names.filter((n) => n !== "?"), "bond_3ad_xmit_xor [bonding]")).toBe("bonding");
  });
  test("frames that are all guesses are still read", () => {
    const c = caseOf(failure(1, "0x20"), "2.6.32", [
      "?__alloc_pages_nodemask",
      "?kmem_getpages",
      "?fallback_alloc",
      "?__kmalloc_node",
      "?__alloc_skb",
      "?bnx2_poll_work [bnx2]",
      "?net_rx_action",
    ]);
    // bnx2 refills by the same call: whether a line between the two is missing these lines do not tell.
    expect(c.stack).toMatchObject({ path: "slab", object: "skb data", direction: undefined });
    expect(wantedOf(c)?.sentence).toMatch(/for bnx2_poll_work; with SLAB of this release that is size-8192/);
  });
  test("what is no network path says neither", () => {
    const c = caseOf(failure(4, "0x40cc0(GFP_KERNEL|__GFP_COMP)"), "6.1.0", [
      "dump_stack_lvl",
      "warn_alloc",
      "__alloc_pages",
      "__kmalloc_large_node",
      "__kmalloc",
      "seq_buf_alloc",
      "seq_read_iter",
      "vfs_read",
      "ksys_read",
      "do_syscall_64",
      "entry_SYSCALL_64_after_hwframe",
    ]);
    expect(c.stack.direction).toBe("neither");
  });
  test("a stack that ends before its bottom frame, or in the allocator, denies nothing", () => {
    const names = [
      "dump_stack_lvl",
      "warn_alloc",
      "__alloc_pages",
      "__kmalloc_large_node",
      "seq_buf_alloc",
      "vfs_read",
    ];
    const cut = caseOf(failure(4, "0x40cc0(GFP_KERNEL|__GFP_COMP)"), "6.1.0", names);
    expect(cut.stack).toMatchObject({ direction: undefined, trace: { state: "cut" } });
    const inside = caseOf(failure(4, "0x40cc0(GFP_KERNEL|__GFP_COMP)"), "6.1.0", names.slice(0, 4));
    expect(inside.stack).toMatchObject({ direction: undefined, trace: { state: "cut" } });
    expect(inside.stack.caller).toBeUndefined();
  });
  test("frames are missing where an allocator is called by what only hands on", () => {
    const c = caseOf(failure(0, "0xa20(GFP_ATOMIC)"), "6.1.0", [
      "dump_stack_lvl",
      "warn_alloc",
      "__alloc_pages",
      "vfs_write",
      "ksys_write",
      "do_syscall_64",
      "entry_SYSCALL_64_after_hwframe",
    ]);
    expect(c.stack).toMatchObject({ direction: undefined, context: "unknown", trace: { state: "cut" } });
  });
});

describe("any driver of the kernel's tree", () => {
  const plain = (...lines: string[]): CallTrace => ({
    form: "plain",
    heading: "Call Trace:",
    items: lines.map((line) => {
      const [, name = "", module] = /^(\S+?)(?: \[(\w+)\])?$/.exec(line) ?? [];
      return { kind: "frame", function: name, offset: 1, size: 2, reliable: true, ...(module ? { module } : {}) };
    }),
  });
  const softirq = ["__napi_poll", "net_rx_action", "__do_softirq", "irq_exit", "ret_from_fork"];
  const refill = ["warn_alloc", "__alloc_pages_slowpath", "__alloc_pages"];

  test("is named with its path, and its innermost telling frame says what it does: ice fills its ring under its poll", () => {
    const view = viewStack(
      plain(...refill, "ice_alloc_rx_bufs [ice]", "ice_clean_rx_irq [ice]", "ice_napi_poll [ice]", ...softirq),
    );
    expect([view.driver?.driver.name, view.driver?.place?.directory, view.direction]).toEqual([
      "ice",
      "drivers/net/ethernet/intel/ice",
      "rx refill",
    ]);
  });

  test("needs no tag when it is built in: no other driver has these functions", () => {
    const view = viewStack(plain(...refill, "aq_ring_rx_fill", "aq_vec_poll", ...softirq));
    expect([view.driver?.driver.name, view.direction]).toEqual(["atlantic", "rx refill"]);
  });

  test("a file system is no network driver, and what it asks for is no packet", () => {
    const view = viewStack(
      plain(
        ...refill,
        "kmalloc_order",
        "__kmalloc",
        "xfs_buf_alloc [xfs]",
        "xfs_buf_read_map [xfs]",
        "kthread",
        "ret_from_fork",
      ),
    );
    expect([view.driver, view.module, view.direction]).toEqual([undefined, undefined, "neither"]);
  });

  test("a transmit is a transmit, whoever's it is, and a driver that is probed is being set up", () => {
    const sent = viewStack(
      plain(...refill, "skb_copy", "ath10k_mac_tx [ath10k_core]", "drv_tx [mac80211]", "dev_hard_start_xmit"),
    );
    expect(sent.direction).toBe("tx");
    const probed = viewStack(
      plain(
        ...refill,
        "dma_alloc_attrs",
        "bnxt_alloc_mem [bnxt_en]",
        "bnxt_init_one [bnxt_en]",
        "local_pci_probe",
        "work_for_cpu_fn",
        "process_one_work",
        "worker_thread",
        "kthread",
        "ret_from_fork",
      ),
    );
    expect([probed.driver?.driver.name, probed.direction]).toEqual(["bnxt_en", "setup"]);
  });

  test("the same name in several drivers names none of them until another frame does; a gadget is not the host's side", () => {
    expect(driverOfStack([{ function: "handle_rx", reliable: true }])?.driver.name).toBe("vhost_net");
    const gadget = plain(
      "warn_alloc",
      "__alloc_pages",
      "__netdev_alloc_skb",
      "rx_submit",
      "usb_gadget_giveback_request",
    );
    expect(viewStack(gadget).driver?.driver.name).toBe("u_ether");
  });
});
