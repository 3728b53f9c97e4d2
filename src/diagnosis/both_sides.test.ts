// What decides at a bound or by one of two conditions, asked on both sides of it and at the value itself: addresses and registers, instructions, the
// place of a packet's data, tables of MTUs, two samples, askers that may have asked unseen, and how bad a refusal is.
import { describe, expect, test } from "vitest";
import type { Oops } from "../kernel/readings/oops.ts";
import type { SkbPanic } from "../kernel/readings/skb_panic.ts";
import { rowsOf } from "./buffers.ts";
import { diagnoseTexts } from "./field.testkit.ts";
import { pointerOf } from "./pointers.ts";
import { allocFailure, answerIn, bySlab, bySoftirq, bySyscall, memInfo, only } from "./rules/report.testkit.ts";
import { skbGeometry } from "./skb_geometry.ts";
import { mayAskUnseen, notOlderThan } from "./stack_direction.ts";
import type { StackFrame } from "./stack_frames.ts";
import type { CountedInput, SampledInput } from "./two_samples.ts";
import { compareSamples } from "./two_samples.ts";
import { operandOf } from "./x86_operand.ts";

const at = (...names: readonly string[]): readonly string[] => names.map((n) => n.replace(/^[^<\s]+/, "$&+0x1/0x2"));
const stamped = (lines: readonly string[]): string =>
  lines.map((line, i) => `[   24.${600_000 + i * 10}] ${line}\n`).join("");

describe("the pointer of a fault", () => {
  const headline = "general protection fault, probably for non-canonical address 0x0: 0000 [#1] PREEMPT SMP KASAN";
  test.each([
    // Code without KASAN's checks faults on the address itself, on a kernel with KASAN too.
    ["6b6b6b6b6b6b6b6b", "slab poison", /^0x6b is/],
    ["dffffbffffffffff", "non-canonical", /^an invalid address/],
    ["dffffc0000000000", "null", /offset 0 to 7$/],
    ["dffffc0000000fff", "null", /offset 32760 to 32767$/],
    ["dffffc0000001000", "almost null", /^KASAN's shadow of 0x8000 /],
    ["fffffbffffffffff", "error", /^KASAN's shadow of 0xfffffffffffffff8 /],
    ["fffffc0000000000", "non-canonical", /^an invalid address/],
  ])("%s under KASAN", (address, kind, sentence) => {
    const found = pointerOf({ class: "general protection", headline, address } as Oops);
    expect(found?.said.kind).toBe(kind);
    expect(found?.said.sentence).toMatch(sentence);
  });
  test("an odd place of a null pointer may be an even one of a small negative number, below a page", () => {
    const also = (address: string, RBX: string): string | undefined =>
      /register RBX.*/.exec(
        pointerOf({
          class: "paging request",
          headline: "BUG: kernel NULL pointer dereference",
          address: address.padStart(16, "0"),
          registers: { kind: "registers", values: { RBX }, text: [] },
        } as unknown as Oops)?.said.sentence ?? "",
      )?.[0];
    expect(also("5", "fffffffffffff007")).toMatch(/held minus 4089 .*used at offset 4094$/);
    expect(also("5", "fffffffffffff005")).toBeUndefined();
    expect(also("5", "fffffffffffff003")).toBeUndefined();
    expect(also("1", "ffffffffffffffff")).toMatch(/held minus 1 .*used at offset 2$/);
    expect(also("1", "fffffffffffffffe")).toBeUndefined();
    expect(also("2", "fffffffffffffffe")).toBeUndefined();
  });
});

test("a register that is not printed, or holds no pointer, is none that held a small negative number", () => {
  const also = (values: Readonly<Record<string, string>>, address = "00000001"): string =>
    pointerOf({
      class: "paging request",
      headline: "Unable to handle kernel paging request for data at address 0x00000001",
      address,
      registers: { kind: "registers", values, text: [] },
    } as unknown as Oops)?.said.sentence ?? "";
  expect(also({ GPR05: "XXXXXXXX", GPR06: "fffffff5" })).toMatch(/register GPR06, which held minus 11 .* offset 12$/);
  expect(also({ GPR05: "XXXXXXXX" })).toBe("a null pointer, used at offset 1");
  expect(also({ CTR: "fffffff5" })).toBe("a null pointer, used at offset 1");
  expect(also({ GPR06: "fffffffffffffff5" })).toBe("a null pointer, used at offset 1");
  expect(also({ GPR06: "fffffff5" }, "0000000000000001")).toBe("a null pointer, used at offset 1");
});

test("an address of nine digits is of 64 bits", () => {
  const of = (address: string): string | undefined =>
    pointerOf({ class: "paging request", headline: "BUG: unable to handle", address } as Oops)?.said.kind;
  expect(["c0000001", "c00000001", "80000001", "ffff888012345678"].map(of)).toEqual([
    "other",
    "user",
    "other",
    "other",
  ]);
});

test("a stack is of no older kernel than its youngest function", () => {
  expect(notOlderThan([])).toEqual([2, 6]);
  expect(notOlderThan(["my_own", "kmalloc"])).toEqual([2, 6]);
  expect(notOlderThan(["my_own", "__netdev_alloc_frag", "page_frag_alloc", "kmalloc"])).toEqual([4, 10]);
  expect(notOlderThan(["handle_softirqs", "page_frag_alloc"])).toEqual([5, 10]);
});

test("an opcode has a byte of its operands or not, at each end of a range", () => {
  const known = (opcode: string): boolean => operandOf(`<48> ${opcode} 43 08`) !== undefined;
  expect(["3b", "3c", "3f", "40", "44", "5f", "62", "63", "64", "69", "6a", "6b", "7f", "80"].filter(known)).toEqual([
    "3b",
    "63",
    "69",
    "6b",
    "80",
  ]);
});

test("an offset lies below 64 MiB, and so does all that a packet's numbers say", () => {
  const of = (data: string, tail: string, end: string) =>
    skbGeometry(
      { what: "skb_over_panic", head: "ffff98d66e76e580", data, tail, end, len: 64 } as unknown as SkbPanic,
      undefined,
    );
  const data = "ffff98d66e76e5c0";
  expect(of(data, "0x4000000", "0x3ffffff")).toEqual({ hashed: false, beyond: 1, room: 0x3ffffff, headroom: 64 });
  expect(of(data, "0x4000001", "0x4000000")).toEqual({ hashed: false, beyond: 1, headroom: 64 });
  expect(of("ffff98d66a76e581", "0x40", "0x30").headroom).toBe(1 - 2 ** 26);
  expect(of("ffff98d66a76e580", "0x40", "0x30").headroom).toBeUndefined();
  // The bit alone is wrong, also where the packet begins with its buffer.
  expect(of("ffff98d66a76e580", "0x40", "0x30").flipped?.bit).toBe(26);
});

test("the last row of a table may be of one MTU", () => {
  const rows = (to: number) =>
    rowsOf(68, to, (mtu) => ({ order: mtu < 100 ? 0 : 1, needs: [] })).map((r) => [r.from, r.to, r.order]);
  expect([rows(99), rows(100), rows(101)]).toEqual([
    [[68, 99, 0]],
    [
      [68, 99, 0],
      [100, 100, 1],
    ],
    [
      [68, 99, 0],
      [100, 101, 1],
    ],
  ]);
});

describe("two samples", () => {
  const counted = (...inflight: readonly (readonly [number, number, number?])[]): CountedInput => ({
    counters: new Map(),
    inflight: new Map(inflight.map(([id, pages, ifindex]) => [id, { pages, ifindex }])),
  });
  const input = (name: string, of: CountedInput): SampledInput => ({ name, counted: of });
  test("a pool is told of where its pages in flight are another number", () => {
    const [s] = compareSamples([
      input("web1/page-pool-get.json", counted([1, 100, 2], [2, 50, 3], [4, 7])),
      input("web1/sample2/page-pool-get.json", counted([1, 164, 2], [2, 50, 3], [3, 9], [4, 8])),
    ]);
    expect(s?.pools).toEqual([
      { pool: 1, ifindex: 2, before: 100, after: 164 },
      { pool: 4, ifindex: null, before: 7, after: 8 },
    ]);
  });
  test("the folder of the second stands first in a name, behind a machine's, or is another's", () => {
    const of = (folder: string): readonly string[] =>
      compareSamples([
        input(`${folder}page-pool-get.json`, counted()),
        input(`${folder}sample2/page-pool-get.json`, counted()),
      ]).map((s) => s.of);
    expect([of(""), of("web1/"), of("host.tar:"), of("my")]).toEqual([[""], ["web1/"], ["host.tar:"], []]);
  });
});

test("of several functions that share a name one that may have asked unseen is enough, but for another module's", () => {
  const who = (name: string, module?: string): StackFrame => ({
    kind: "frame",
    function: name,
    reliable: true,
    context: "task",
    ...(module === undefined ? {} : { module }),
  });
  expect(mayAskUnseen(who("LPS_Enter"), ["pages"])).toBe(true);
  expect(mayAskUnseen(who("LPS_Enter", "r8188eu"), ["pages"])).toBe(true);
  expect(mayAskUnseen(who("LPS_Enter", "r8723bs"), ["pages"])).toBe(false);
  expect(mayAskUnseen(who("nobody_knows"), ["pages"])).toBe(true);
  expect(mayAskUnseen(who("nobody_refills"), ["pages"])).toBe(false);
});

describe("how bad a refusal is", () => {
  /** A report of ARM, whose lines name their callers: what may be missing between them cannot be. */
  const ofArm = (order: number, ...names: readonly string[]): string => {
    const all = [
      ...[
        "dump_backtrace",
        "show_stack",
        "dump_stack",
        "warn_alloc",
        "__alloc_pages_slowpath",
        "__alloc_pages_nodemask",
      ],
      ...["new_slab", "___slab_alloc", "kmem_cache_alloc", "skb_clone", ...names, "process_backlog", "net_rx_action"],
      ...["__do_softirq", "irq_exit", "gic_handle_irq", "__irq_svc", "arch_cpu_idle", "do_idle", "start_kernel"],
    ];
    return stamped([
      `server: page allocation failure: order:${order}, mode:0xa20(GFP_ATOMIC)`,
      "CPU: 0 PID: 38 Comm: server Not tainted 5.10.0 #1",
      ...all.slice(1).map((n, i) => `[<c0100000>] (${all[i]}+0x10/0x20) from [<c0100000>] (${n}+0x10/0x20)`),
    ]);
  };
  test.each([
    ["netif_receive_generic_xdp", 0, "harmless"],
    ["packet_rcv", 0, "harmless"],
    ["tpacket_rcv", 0, "harmless"],
    ["packet_rcv", 3, "harmless"],
    ["packet_rcv", 4, "watch"],
    ["my_own", 0, "watch"],
  ] as const)("%s received a packet, order %i: %s", async (name, order, severity) => {
    const found = await only(ofArm(order, name, "__netif_receive_skb_one_core"));
    expect(found).toMatchObject({ direction: "rx", severity });
  });

  const sends = [...bySlab, ...at("__alloc_skb", "tcp_stream_alloc_skb", "tcp_sendmsg_locked", "tcp_sendmsg")];
  test.each([
    ["as a program asks it is", "0xa20(GFP_ATOMIC)", 0, "act"],
    ["but not where the caller can do without", "0x12a20(GFP_ATOMIC|__GFP_NOWARN|__GFP_NORETRY)", 0, "watch"],
    ["nor where lines that might forbid to sleep are missing", "0xa20(GFP_ATOMIC)", 1, "watch"],
  ] as const)("to be acted on, %s", async (_, mask, lost, severity) => {
    const frames = [...sends, ...bySyscall];
    const text = allocFailure({ mask, frames: frames.slice(0, frames.length - lost), memInfo: [] });
    expect(await only(text)).toMatchObject({ direction: "tx", severity });
  });

  test.each([
    [20, /does not show that anything broke/],
    [21, /^Each one costs at most one packet, but 21 of them show that blocks of that size are rare/],
  ])("%i of them", async (times, says) => {
    const frames = [...bySlab, ...at("__alloc_skb", "tcp_send_ack", "tcp_rcv_established"), ...bySoftirq];
    const one = allocFailure({ order: 4, frames, memInfo: [] });
    expect((await only(one.repeat(times))).findings.map((f) => f.claim)).toContainEqual(expect.stringMatching(says));
  });
});

describe("a state of memory alone", () => {
  const cause = async (change: (line: string) => string): Promise<string> =>
    (await only(stamped(memInfo.map(change)))).cause;
  const zone = (how: (line: string) => string) => (line: string) => (/DMA32 free:\d+kB/.test(line) ? how(line) : line);
  test("names the zones below their min mark, as far as both numbers are there", async () => {
    expect(await cause(zone((l) => l.replace(/min:\d+kB/, "min:268kB")))).not.toMatch(/DMA32/);
    expect(await cause(zone((l) => l.replace(/free:\d+kB/, "free:268kB").replace(/min:\d+kB/, "min:269kB")))).toMatch(
      /DMA32 was below the min mark/,
    );
    expect(
      await cause(zone((l) => l.replace(/free:\d+kB/, "free:269kB").replace(/min:\d+kB/, "min:269kB"))),
    ).not.toMatch(/DMA32/);
    expect(await cause(zone((l) => l.replace(/ boost:.*/, "")))).not.toMatch(/DMA32/);
  });
});

describe("what kmemleak suspects", () => {
  const title = async (...names: readonly string[]): Promise<string> =>
    (
      await only(
        stamped([
          "unreferenced object 0xffff888012345680 (size 176):",
          '  comm "server", pid 77, jiffies 4294900000',
          "  backtrace:",
          ...names.map((n) => `    [<ffffffff81234567>] ${n}+0x12/0x340`),
        ]),
      )
    ).title;
  test("is a packet where its maker makes packets, not where one was only in hand", async () => {
    expect(await title("kmem_cache_alloc_node", "__alloc_skb", "my_own", "net_rx_action")).toMatch(
      /^Packets of my_own/,
    );
    expect(await title("kmem_cache_alloc", "skb_clone", "my_own")).toMatch(/^Packets of skb_clone/);
    expect(await title("kmem_cache_alloc_node", "__alloc_skb")).toMatch(/^Packets of an unknown caller/);
    expect(await title("kmem_cache_alloc", "__nf_conntrack_alloc", "nf_conntrack_in", "__netif_receive_skb")).toMatch(
      /^Objects of __nf_conntrack_alloc/,
    );
    expect(await title("kmem_cache_alloc_node", "page_pool_create_percpu", "my_open")).toMatch(
      /^Objects of page_pool_create_percpu/,
    );
  });
});

describe("which buffer was wanted", () => {
  const wanted = async (frames: readonly string[], more: Partial<Parameters<typeof allocFailure>[0]> = {}) =>
    (await only(allocFailure({ ...more, frames }))).wanted;
  const byUsb = [
    ...at("kmalloc_large_node", "__kmalloc_node_track_caller", "__alloc_skb", "__netdev_alloc_skb"),
    ...at("rx_submit [usbnet]", "rx_alloc_submit [usbnet]", "usbnet_bh [usbnet]", "tasklet_action_common"),
    ...at("__do_softirq", "run_ksoftirqd", "smpboot_thread_fn", "kthread", "ret_from_fork"),
  ];
  test.each([
    ["usb 1-1: new high-speed USB device", /^a receive buffer of ax88179_178a \(.*smsc95xx .*cdc_ncm .*or lan78xx/],
    ["cdc_ncm 2-1:1.0 usb0: register 'cdc_ncm'", /^a receive buffer of cdc_ncm \(NTB\), NTB at the standard MTU/],
    ["cdc_mbim 2-1:1.0 wwan0: register 'cdc_mbim'", /^a receive buffer of cdc_ncm \(NTB\), NTB at the standard MTU/],
    [
      "rndis_host 1-1.2:1.0 usb0: register 'rndis_host'",
      /^a receive buffer of usbnet \(.* at an MTU from 15987 to 16384/,
    ],
    ["btusb 1-1.2:1.0 hci0: firmware", /^a receive buffer of ax88179_178a \(/],
  ])("%s", async (line, says) => {
    const failure = allocFailure({ order: 3, mask: "0x40a20(GFP_ATOMIC|__GFP_COMP)", frames: byUsb });
    expect((await only(`[    1.000000] ${line}\n${failure}`)).wanted).toMatch(says);
  });
  test("a pool's page, where the driver takes its pages from one", async () => {
    const byPool = [...at("page_pool_alloc_pages", "mvneta_rx_refill [mvneta]", "mvneta_poll [mvneta]"), ...bySoftirq];
    expect(await wanted(byPool)).toMatch(/^a receive buffer of mvneta, one page per descriptor at the standard MTU/);
    expect(await wanted(byPool, { order: 1 })).toMatch(/^a page for a page_pool for mvneta_rx_refill/);
    expect(await wanted([...at("mvneta_rx_refill [mvneta]", "mvneta_poll [mvneta]"), ...bySoftirq])).toMatch(
      /straight from the page allocator for mvneta_rx_refill$/,
    );
  });
  test("nothing is worked out for a kernel whose allocators nobody has read", async () => {
    const found = await only(
      allocFailure({
        release: "2.4.37",
        frames: [...at("e1000_alloc_rx_buffers [e1000]", "e1000_clean [e1000]"), ...bySoftirq],
      }),
    );
    expect(found.driver).toBe("e1000");
    expect(found.wanted).toMatch(/straight from the page allocator for e1000_alloc_rx_buffers$/);
    expect(found.findings.map((f) => f.id)).not.toContain("mtu.order_zero");
  });
  test.each(["kzalloc", "kmemdup", "kstrdup", "krealloc", "kvmalloc_node", "__kmalloc"])(
    "%s alone tells a bucket",
    async (name) => {
      expect(await wanted(at("new_slab", "___slab_alloc", name, "my_own", "vfs_write"), { order: 1 })).toMatch(
        /with SLUB of this release that is kmalloc-8k$/,
      );
    },
  );
  test.each([
    ["fallback_alloc", /with SLAB of this release that is size-8192$/],
    ["cache_grow", /with SLAB of this release that is size-8192$/],
    ["kmem_getpages", /with SLAB of this release that is size-8192$/],
    ["cache_alloc_refill", /with SLAB of this release that is size-8192$/],
    ["__slab_alloc", /with SLUB of this release that is kmalloc-8192$/],
    ["___slab_alloc", /with SLUB of this release that is kmalloc-8192$/],
    ["new_slab", /with SLUB of this release that is kmalloc-8192$/],
    ["allocate_slab", /with SLUB of this release that is kmalloc-8192$/],
  ])("%s tells which allocator", async (name, says) => {
    const frames = [...at(name, "kmem_cache_alloc_node", "__kmalloc_node", "my_own"), ...bySyscall];
    expect(await wanted(frames, { release: "2.6.32", order: 1 })).toMatch(says);
  });
});

test.each([
  ["6.6.20-v8-16k+", true],
  ["6.1.0-18-amd64", true],
  ["5.14.0-503.el9.aarch64+64k", false],
])("a page of heads of %s is a last resort or all that is tried", async (release, tried) => {
  const frames = [...at("page_frag_alloc", "__netdev_alloc_skb", "my_refill [my_driver]"), ...bySoftirq];
  const said = (await only(allocFailure({ release, frames, memInfo: [] }))).wanted ?? "";
  expect(said).toContain("a page that packet heads are cut from for my_refill: order 0");
  expect(said.includes("the last resort after larger blocks were tried silently")).toBe(tried);
});

test("a block of heads that is larger than a page is more than is needed", async () => {
  const frames = [...at("page_frag_alloc", "__netdev_alloc_skb", "my_refill [my_driver]"), ...bySoftirq];
  const said = async (order: number) => (await only(allocFailure({ order, frames, memInfo: [] }))).wanted ?? "";
  expect(await said(3)).toContain("order 3 (32 KiB), more than is needed: smaller blocks are tried next");
  expect(await said(0)).not.toContain("more than is needed");
});

describe("a cache of its own", () => {
  const own = async (release: string, order: number): Promise<string> =>
    (
      await only(
        allocFailure({
          release,
          order,
          frames: [...at("new_slab", "___slab_alloc", "kmem_cache_alloc", "my_own"), ...bySyscall],
        }),
      )
    ).wanted ?? "";
  test.each([
    ["6.0.19", 0, "without CONFIG_TRACING a kmalloc of a constant size looks the same"],
    ["6.1.0", 0, "one of its own, no kmalloc bucket"],
    ["6.1.0", 1, "one of its own, whose objects have 4097 to 8192 bytes"],
    ["6.0.19", 3, "one of its own, whose objects have 16385 to 32768 bytes"],
  ])("of %s at order %i", async (release, order, says) => {
    expect(await own(release, order)).toContain(says);
  });
});

test("a receive buffer of one to four pages' orders belongs to a large MTU", async () => {
  const frames = [...bySlab, ...at("__alloc_skb", "__netdev_alloc_skb", "my_refill [my_driver]"), ...bySoftirq];
  const said = async (order: number) =>
    await answerIn(allocFailure({ order, frames, memInfo: [] }), "mtu.large_buffer");
  expect((await Promise.all([0, 1, 4, 5].map(said))).map((f) => f?.answer)).toEqual([
    undefined,
    "unknown",
    "unknown",
    undefined,
  ]);
});

test.each([
  [32_768, /never unmapped/],
  [16_384, /never unmapped/],
  [16_383, /^Most slots are free/],
  [11_000, /^Most slots are free/],
])("%i of 32768 slots are taken", async (used, says) => {
  const line = `ixgbe 0000:01:00.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used ${used} (slots)`;
  expect((await answerIn(stamped([line]), "driver_line.meaning"))?.claim).toMatch(says);
});

describe("behind a helper that stopped", () => {
  const memory = async (...names: readonly string[]): Promise<string> => {
    const found = await answerIn(
      stamped([
        "BUG: unable to handle page fault for address: ffffb40a4b1fe008",
        "#PF: supervisor read access in kernel mode",
        "Oops: 0000 [#1] SMP",
        "CPU: 1 PID: 77 Comm: server Not tainted 6.1.0 #1",
        "RIP: 0010:memcpy+0x12/0x340",
        ...[
          "Call Trace:",
          " <TASK>",
          ...at(...names).map((n) => ` ${n}`),
          ...bySyscall.map((n) => ` ${n}`),
          " </TASK>",
        ],
        "---[ end trace 0000000000000000 ]---",
      ]),
      "oops.packet_memory",
    );
    return `${found?.answer} ${found?.claim}`;
  };
  test("two frames are at work on the memory, further out stands what the kernel was busy with", async () => {
    expect(await memory("my_a", "skb_copy_bits")).toMatch(/^yes Packet memory is involved: skb_copy_bits/);
    expect(await memory("my_a", "my_b", "skb_copy_bits")).toMatch(/^unknown A packet was being handled/);
  });
  test("the allocator stands near", async () => {
    const far = (n: number): readonly string[] => [
      ...Array.from({ length: n }, (_, i) => `my_${i}`),
      "kmem_cache_alloc",
    ];
    expect(await memory(...far(4))).toMatch(/^unknown It stopped inside the allocator/);
    expect(await memory(...far(5))).toMatch(/^no Nothing on this stack/);
  });
});

const byE1000e = allocFailure({
  frames: [
    ...bySlab,
    ...at("__alloc_skb", "__netdev_alloc_skb", "e1000_alloc_rx_buffers", "e1000_clean"),
    ...bySoftirq,
  ],
});

test("of many interfaces the first eight are looked at", async () => {
  const text = byE1000e;
  const link = (n: number): string => `${n + 2}: eth${n}: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP\n`;
  const { findings } = await only(text, { "ip-link.txt": Array.from({ length: 9 }, (_, n) => link(n)).join("") });
  const told = findings.filter((f) => f.id.startsWith("mtu.interface.")).map((f) => f.id.slice(-1));
  expect(told.join("")).toBe("01234567");
});

test("an interface's MTU may be the first of a row of the table", async () => {
  const text = byE1000e;
  const table = (await diagnoseTexts({ log: text })).incidents[0]?.mtuTable;
  const [first, second] = table?.rows ?? [];
  expect(second?.from).toBe((first?.to ?? 0) + 1);
  for (const row of [first, second])
    for (const mtu of [row?.from, row?.to])
      expect(
        (
          await answerIn(text, "mtu.interface.eth0", {
            "ip-link.txt": `2: eth0: <BROADCAST,UP,LOWER_UP> mtu ${mtu} qdisc mq state UP\n`,
          })
        )?.claim,
      ).toContain(
        `MTU of ${mtu} stay at order 0, if it is the ${table?.driver}? Order ${row?.order}: ${row?.needs.join("; ")}.`,
      );
});

describe("a pointer that a register held, in words", () => {
  const all = ["RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "R08", "R09", "R10", "R11", "R12", "R13", "R14", "R15"];
  const said = async (
    place: string,
    address: string,
    values: Readonly<Record<string, string>>,
    code = "90 <48> 8b 47 08",
  ): Promise<string> =>
    (
      await answerIn(
        stamped([
          `BUG: unable to handle page fault for address: ${address}`,
          "#PF: supervisor read access in kernel mode",
          "Oops: 0000 [#1] SMP",
          "CPU: 1 PID: 77 Comm: server Not tainted 6.1.0 #1",
          `RIP: 0010:${place}+0x12/0x340`,
          `Code: ${code}`,
          "RSP: 0018:ffffc90000123d28 EFLAGS: 00010246",
          ...[0, 3, 6, 9, 12].map((i) =>
            all
              .slice(i, i + 3)
              .map((n) => `${n}: ${values[n] ?? "ffff888012345680"}`)
              .join(" "),
          ),
          ...["Call Trace:", " <TASK>", " my_caller+0x1/0x2", ...bySyscall.map((n) => ` ${n}`), " </TASK>"],
          "---[ end trace 0000000000000000 ]---",
        ]),
        "oops.pointer",
      )
    )?.claim ?? "";
  const takesPacket = "The function takes a packet, so the packet pointer itself was already invalid";
  test("it is the packet itself where the function takes one, and the pointer is none at all", async () => {
    const wild = { RDI: "5441444f4e2f3065" };
    expect(await said("skb_release_data", "5441444f4e2f306d", wild)).toContain(takesPacket);
    expect(await said("my_own", "5441444f4e2f306d", wild)).not.toContain(takesPacket);
    expect(
      await said("skb_release_data", "5441444f4e2f306d", { RBX: "5441444f4e2f3065" }, "90 <48> 8b 43 08"),
    ).not.toContain(takesPacket);
    expect(await said("skb_release_data", "ffffb40a4b1fe008", { RDI: "ffffb40a4b1fe000" })).not.toContain(takesPacket);
    expect(await said("skb_release_data", "0000000000000008", { RDI: "0000000000000000" })).not.toContain(takesPacket);
  });
  test("it was used at an offset from it, or below it", async () => {
    expect(await said("my_own", "5441444f4e2f306d", { RDI: "5441444f4e2f3065" })).toContain(
      "Register RDI held 0x5441444f4e2f3065, and the fault was at offset 0x8 from it",
    );
    expect(await said("my_own", "5441444f4e2f305d", { RDI: "5441444f4e2f3065" }, "90 <48> 8b 47 f8")).toContain(
      "Register RDI held 0x5441444f4e2f3065, and the fault was at 8 bytes below it",
    );
  });
  test("a single bit is a flag of a page where the layout has it", async () => {
    const stray = "this suggests a stray write by code that handles free pages";
    expect(await said("my_own", "0000000000040008", { RDI: "0000000000040000" })).toContain(
      "a single bit (bit 18), which looks like a flag",
    );
    expect(await said("my_own", "0000000000000400", { RDI: "00000000000003f8" })).not.toContain(stray);
    expect(await said("my_own", "0000000000040008", { RDI: "0000000000040000" })).toContain(stray);
    expect(await said("my_own", "0000000000040009", { RDI: "0000000000040001" })).not.toContain(stray);
  });
});
