// What stands alone and decides something, on both sides of what it compares: the architecture by each of its signs, advice that would change nothing, a
// zone's own numbers, what a collector keeps, counts and leaves out.
import { describe, expect, test } from "vitest";
import type { BadPage } from "../kernel/readings/bad_page.ts";
import type { CallTrace, Frame, FrameForm, TraceItem } from "../kernel/readings/call_trace.ts";
import type { MemInfo } from "../kernel/readings/mem_info.ts";
import { whole } from "../kernel/readings/part.ts";
import type { SkbPanic } from "../kernel/readings/skb_panic.ts";
import type { SlabFailure } from "../kernel/readings/slab_failure.ts";
import type { Architecture } from "../kernel/release.ts";
import { rankedAdvice, withMechanism } from "./advice.ts";
import { architectureOf, pageSizeOf } from "./architecture.ts";
import { diagnoseTexts } from "./field.testkit.ts";
import type { Advice, Finding } from "./finding.ts";
import type { MachineSaid } from "./machine_told.ts";
import { loneBit } from "./page_records.ts";
import { baseRegister, namePointer } from "./pointers.ts";
import { highestZoneOf, nodesOf, zoneTypesOf } from "./rebuild.ts";
import { allocFailure, bySlab, bySoftirq, bySyscall, only, refilling } from "./rules/report.testkit.ts";
import { skbGeometry } from "./skb_geometry.ts";
import { operandOf } from "./x86_operand.ts";

type Change = Advice["change"];

describe("the architecture by a sign of the report", () => {
  const trace = (form: FrameForm, functions: readonly string[], address?: string): CallTrace => ({
    form,
    heading: "Call Trace:",
    items: functions.map(
      (name): Frame => ({
        kind: "frame",
        function: name,
        reliable: true,
        ...(address === undefined ? {} : { address }),
      }),
    ),
  });
  const dump = (values: Readonly<Record<string, string>>): CallTrace => ({
    form: "plain",
    heading: "",
    items: [{ kind: "registers", values, text: [] } satisfies TraceItem],
  });
  const own = "my_own";
  test.each<readonly [string, CallTrace, Architecture | undefined]>([
    ["RAX", dump({ RAX: "0" }), "x86_64"],
    ["RIP", dump({ RIP: "0" }), "x86_64"],
    ["EAX", dump({ EAX: "0" }), "i386"],
    ["EIP", dump({ EIP: "0" }), "i386"],
    ["x29", dump({ x29: "0" }), "arm64"],
    ["NIP of 32 bits", dump({ NIP: "c01234f0" }), "ppc32"],
    ["NIP of 64 bits", dump({ NIP: "c0000000001234f0" }), "ppc64"],
    ["registers of others", dump({ epc: "0" }), undefined],
    ["powerpc's frames", trace("powerpc", [own], "c01234f0"), "ppc32"],
    ["powerpc's wide frames", trace("powerpc", [own], "c0000000001234f0"), "ppc64"],
    ["arm's frames", trace("arm", [own], "c01234f0"), "arm"],
    ...["__x64_sys_read", "x64_sys_call", "entry_SYSCALL_64_fastpath", "ret_from_fork_asm", "asm_common_interrupt"].map(
      (name) => [name, trace("plain", [own, name]), "x86_64"] as const,
    ),
    ...["el0_svc", "el0t_64_sync", "el1_irq", "el1h_64_irq", "__arm64_sys_read", "gic_handle_irq"].map(
      (name) => [name, trace("plain", [own, name]), "arm64"] as const,
    ),
    ...["entry_SYSENTER_32", "sysenter_past_esp", "syscall_call", "common_interrupt"].flatMap((name) => [
      [`${name}, 32 bits`, trace("bracketed", [own, name], "d01234f0"), "i386"] as const,
      [`${name}, no address`, trace("plain", [own, name]), undefined] as const,
    ]),
    ["text at the end of x86-64", trace("bracketed", [own], "ffffffff81234567"), "x86_64"],
    ["text at the end of x86-64, modules", trace("bracketed", [own], "ffffffffa0001234"), "x86_64"],
    ["text of arm64", trace("bracketed", [own], "ffffff8008123456"), "arm64"],
    ["text of arm64, 48 bits", trace("bracketed", [own], "ffff000008123456"), "arm64"],
    ["text of 32-bit x86", trace("bracketed", [own], "c1012345"), "i386"],
    ["text of MIPS", trace("bracketed", [own], "80123456"), "mips"],
    ["text elsewhere", trace("bracketed", [own], "40123456"), undefined],
    ["bracketed without an address", trace("bracketed", [own]), undefined],
    ["an address of another form", trace("plain", [own], "ffffffff81234567"), undefined],
    ["a name alone", trace("plain", [own]), undefined],
  ])("%s", (_, of, arch) => {
    const found = architectureOf(undefined, of, undefined);
    expect({ arch: found.arch, known: found.known }).toEqual({ arch: arch ?? "x86_64", known: arch !== undefined });
  });
  test("zones and addresses only make one likely, and a release's name goes before all", () => {
    const zones = (...names: readonly string[]): MemInfo =>
      ({ zones: names.map((name) => ({ name })) }) as unknown as MemInfo;
    const of = (m: MemInfo | undefined, page?: string, name?: string): string => {
      const { arch, known } = architectureOf(name, dump({ epc: "0" }), m, page);
      return `${arch}${known ? "" : "?"}`;
    };
    expect([
      of(zones("DMA32", "Normal")),
      of(zones("DMA", "HighMem")),
      of(undefined, "c1234567"),
      of(undefined, "ffffea0000123440"),
    ]).toEqual(["x86_64?", "i386?", "i386?", "x86_64?"]);
    expect(
      ["4.9.0-486", "2.6.32-i386", "2.6.32-5-686", "3.2.0-586", "3.0-i486", "3.0-i686", "4.9.0-pae"].map((n) =>
        of(zones("DMA32"), undefined, n),
      ),
    ).toEqual(Array.from({ length: 7 }, () => "i386"));
  });
  test("releases of 32-bit ARM by their names", () => {
    const arch = (name: string): string => architectureOf(name, undefined, undefined).arch;
    expect(["3.2-armv5", "3.2-armv6", "3.2-armv7", "4.19-armhf", "4.9-armmp", "6.1-v7+", "6.1-v7l+"].map(arch)).toEqual(
      Array.from({ length: 7 }, () => "arm"),
    );
    expect(["3.2-armv4", "3.2-armv8"].map(arch)).toEqual(["x86_64", "arm64"]);
  });
  test("pages are as large as what a line's amounts divide by, or as a kmalloc cache's smallest slab", () => {
    const arch = { arch: "arm64" as const, known: true, because: "" };
    const buddy = (totalKb: number, count: number): MemInfo =>
      ({ zones: [{ name: "DMA", freeLists: { totalKb, blocks: [{ order: 1, count }] } }] }) as unknown as MemInfo;
    const slab = (cache: string, bufferSize: number, minOrder: number): SlabFailure =>
      ({ cache, bufferSize, minOrder }) as unknown as SlabFailure;
    const kb = (m: MemInfo | undefined, s?: SlabFailure): string => {
      const size = pageSizeOf(arch, m, s);
      return `${size.kb}${size.shown ? "" : "?"}`;
    };
    expect([
      kb(buddy(64, 2)),
      kb(buddy(256, 2)),
      kb(buddy(32, 2)),
      kb(buddy(16, 2)),
      kb(buddy(60, 2)),
      kb(buddy(0, 0)),
    ]).toEqual(["16", "64", "8", "4", "4?", "4?"]);
    expect([
      kb(undefined, slab("kmalloc-131072", 131_072, 1)),
      kb(undefined, slab("dma-kmalloc-16384", 16_384, 1)),
      kb(undefined, slab("kmalloc-4096", 4096, 0)),
      kb(undefined, slab("TCP", 131_072, 1)),
      kb(undefined, slab("kmalloc-6144", 6144, 1)),
    ]).toEqual(["64", "8", "4?", "4?", "4?"]);
    for (const of of ["x86_64", "i386", "arm", "s390x", "mips"] as const)
      expect(pageSizeOf({ arch: of, known: true, because: "" }, undefined).shown, of).toBe(of !== "mips");
    expect(pageSizeOf({ arch: "x86_64", known: false, because: "" }, undefined).shown).toBe(false);
  });
});

describe("advice", () => {
  const zone = (name: string, freeKb: number | null, managedKb: number | null = 1_000_000) =>
    ({ zone: name, freeKb, managedKb, presentKb: null }) as MachineSaid["zones"][number];
  const machine = (
    zones: MachineSaid["zones"],
    fileKb: number | null = null,
    minFreeKb: number | null = 1000,
  ): MachineSaid =>
    ({
      zones,
      held: { fileKb },
      minFreeKb: minFreeKb === null ? null : { value: minFreeKb, because: "", evidence: [] },
    }) as unknown as MachineSaid;
  const kept = (change: Change, order: number | null, m: MachineSaid): boolean =>
    withMechanism(
      [
        {
          id: "x",
          claim: "",
          answer: "yes",
          evidence: [],
          advice: [{ change, action: "", changes: "", costs: "" }],
        } as unknown as Finding,
      ],
      order,
      m,
    )[0]?.advice.length === 1;

  test("a higher reserve is no cure where three times it is free in every low zone", () => {
    const change: Change = { kind: "min_free_kbytes", kb: 1000 } as Change;
    expect(kept(change, 1, machine([zone("Normal", 3001)]))).toBe(false);
    expect(kept(change, 1, machine([zone("Normal", 3000)]))).toBe(true);
    expect(kept(change, 0, machine([zone("Normal", 3001)]))).toBe(true);
    expect(kept(change, null, machine([zone("Normal", 3001)]))).toBe(true);
    // Two zones share it by their size; what is not low memory has no part in it.
    expect(kept(change, 1, machine([zone("Normal", 1501), zone("DMA32", 1501)]))).toBe(false);
    expect(kept(change, 1, machine([zone("Normal", 1501), zone("DMA32", 1500)]))).toBe(true);
    for (const high of ["HighMem", "Movable", "Device"])
      expect(kept(change, 1, machine([zone("Normal", 3001), zone(high, 0)])), high).toBe(false);
    expect(kept(change, 1, machine([zone("Normal", 3001), zone("DMA32", null)]))).toBe(true);
    expect(kept(change, 1, machine([]))).toBe(true);
  });
  test("a wider spacing is none where twice its part is free as well", () => {
    const change = { kind: "watermark_scale_factor", value: 100 } as Change;
    // 3 × 1000 and 2 × 1,000,000 × 100 / 10,000
    expect(kept(change, 1, machine([zone("Normal", 23_001)]))).toBe(false);
    expect(kept(change, 1, machine([zone("Normal", 23_000)]))).toBe(true);
    expect(kept(change, 0, machine([zone("Normal", 23_001)]))).toBe(true);
    expect(kept(change, 1, machine([zone("Normal", 23_001)], null, null))).toBe(true);
  });
  test("an empty cache need not be dropped for a single page", () => {
    const change = { kind: "drop_caches" } as Change;
    expect([1023, 1024, null].map((kb) => kept(change, 0, machine([], kb)))).toEqual([false, true, true]);
    expect(kept(change, 1, machine([], 0))).toBe(true);
    expect(kept({ kind: "evidence" }, 0, machine([], 0))).toBe(true);
  });
  test("what a changed setting undoes comes first, what only asks for more text last, each once", () => {
    const advice = (command: string): Advice => ({
      change: { kind: "evidence" },
      action: command,
      changes: "",
      costs: "",
      command,
    });
    const finding = (id: string, answer: Finding["answer"], command: string): Finding =>
      ({ id, answer, claim: "", evidence: [], advice: [advice(command), advice("again")] }) as unknown as Finding;
    const order = rankedAdvice({
      findings: [
        finding("missing.parts", "yes", "missing"),
        finding("missing.interface", "yes", "interface"),
        finding("fragmentation", "unknown", "unknown"),
        finding("ring.slot_lost", "yes", "ring"),
        finding("fragmentation", "yes", "answered"),
        finding("min_free.default", "unknown", "setting"),
      ],
    }).map((a) => a.action);
    expect(order).toEqual(["setting", "again", "answered", "ring", "unknown", "missing", "interface"]);
  });
});

describe("zones of a report", () => {
  test("types are those that are printed and those that the reserves still count", () => {
    const types = (names: readonly string[], reserves: number, arch: Architecture): string =>
      zoneTypesOf(
        { zones: names.map((name) => ({ name, lowmemReserve: Array.from({ length: reserves }, () => 0) })) },
        arch,
      ).join();
    expect(types(["DMA", "Normal"], 0, "x86_64")).toBe("DMA,Normal");
    expect(types(["DMA", "DMA32", "Normal"], 4, "x86_64")).toBe("DMA,DMA32,Normal,Movable");
    expect(types(["DMA32"], 5, "x86_64")).toBe("DMA,DMA32,Normal,Movable,Device");
    expect(types(["DMA", "Normal"], 3, "i386")).toBe("DMA,Normal,HighMem");
    for (const arch of ["ppc32", "arm", "mips"] as const)
      expect(types(["Normal"], 3, arch), arch).toBe("Normal,HighMem,Movable");
    expect(types(["Normal"], 3, "arm64")).toBe("DMA32,Normal,Movable");
  });
  test("a mask allows zones up to the one it names", () => {
    const bits = { dma: 1, dma32: 4, highmem: 2, movable: 8 } as Parameters<typeof highestZoneOf>[1];
    const types = ["DMA", "DMA32", "Normal", "HighMem", "Movable"];
    expect([0, 1, 4, 2, 8, 10].map((mask) => types[highestZoneOf(mask, bits, types)])).toEqual([
      "Normal",
      "DMA",
      "DMA32",
      "HighMem",
      "Normal",
      "Movable",
    ]);
    expect(highestZoneOf(4, bits, ["Normal", "Movable"])).toBe(0);
    expect(highestZoneOf(10, bits, ["DMA", "Normal"])).toBe(1);
    expect(highestZoneOf(1, { ...bits, dma: 0 }, types)).toBe(2);
  });
  test("a list of nodes, or none", () => {
    expect([...(nodesOf("0-2,5") ?? [])]).toEqual([0, 1, 2, 5]);
    expect([...(nodesOf("3") ?? [])]).toEqual([3]);
    expect([undefined, "(null)", "", "0-", "a", "0,"].map(nodesOf)).toEqual(Array.from({ length: 6 }, () => undefined));
    expect(nodesOf("4090-9999")?.size).toBe(6);
  });
});

describe("numbers of a packet that left its buffer", () => {
  const of = (
    what: "over" | "under",
    head: string,
    data: string,
    tail: string,
    end: string,
    len: number,
    version?: readonly number[],
  ) => skbGeometry({ what: `skb_${what}_panic`, head, data, tail, end, len } as unknown as SkbPanic, version);
  const head = "ffff98d66e76e580";
  test("offsets: by how much it is out, how large the buffer is, where the data begins", () => {
    expect(of("over", head, "ffff98d66e76e5c0", "0x768", "0x6c0", 1832)).toEqual({
      hashed: false,
      beyond: 0xa8,
      room: 0x6c0,
      headroom: 0x40,
    });
    expect(of("under", head, "ffff98d66e76e57b", "0x140", "0x340", 325)).toEqual({
      hashed: false,
      beyond: 5,
      room: 0x340,
      headroom: -5,
    });
  });
  test("pointers: the same by subtraction", () => {
    expect(of("over", "c2a18000", "c2a18020", "0xc2a1805c", "0xc2a18058", 60)).toEqual({
      hashed: false,
      beyond: 4,
      room: 0x58,
      headroom: 0x20,
    });
  });
  test("hashes give what the offsets give, and nothing else", () => {
    expect(of("over", "0000000049e6a8c2", "00000000b7e9d013", "0x768", "0x6c0", 1832)).toEqual({
      hashed: true,
      beyond: 0xa8,
      room: 0x6c0,
      headroom: 0x768 - 1832,
    });
    expect(
      [
        [4, 14],
        [4, 15],
        [5, 7, 19],
        [5, 8],
      ].map((v) => of("over", head, head, "0x40", "0x30", 64, v).hashed),
    ).toEqual([false, true, true, false]);
    expect(of("over", "0000000000000000", head, "0x40", "0x30", 64).hashed).toBe(false);
  });
  test("what is not printed is absent, and so is what no buffer can be", () => {
    const none = "<NULL>";
    expect(of("over", head, head, none, none, 64)).toEqual({ hashed: false, headroom: 0 });
    expect(of("over", head, head, none, "0x6c0", 64)).toEqual({ hashed: false, room: 0x6c0, headroom: 0 });
    expect(of("over", none, none, "0x40", "0x30", 64)).toEqual({
      hashed: false,
      beyond: 0x10,
      room: 0x30,
      headroom: 0,
    });
    expect(of("over", head, "ffff98d67276e580", "0x40", "0x30", 0x40).headroom).toBeUndefined();
    expect(of("over", head, "ffff98d67276e57f", "0x40", "0x30", 0x40).headroom).toBe(0x3ffffff);
  });
  test("one bit of data that no step reaches was flipped", () => {
    const flipped = (data: string, tail = "0x140"): number | undefined =>
      of("under", head, data, tail, "0x140", 0x100).flipped?.bit;
    expect(flipped("ffff98d66a76e5c0")).toBe(26);
    expect(flipped("ffff98d66c76e5c0")).toBeUndefined();
    expect(flipped("ffff98d66276e5c0")).toBeUndefined();
    expect(flipped("ffff98d66a76e5c0", "0xf0")).toBeUndefined();
    expect([flipped("ffff98d66a76e6c0", "0x240"), flipped("ffff98d66a76e6c1", "0x241")]).toEqual([26, undefined]);
  });
});

test("bounds of pointers and of single bits", () => {
  expect(["ffff", "10000", "10001"].map((hex) => namePointer(hex, 64).kind)).toEqual([
    "almost null",
    "single bit",
    "user",
  ]);
  const bit = (mapping: string): number | undefined => loneBit({ raw: [], mapping } as unknown as BadPage)?.bit;
  expect(["0000000000000001", "0000000000000002", "0000000000000003", "0000000000000004"].map(bit)).toEqual([
    undefined,
    undefined,
    undefined,
    2,
  ]);
});

test("a segment or a narrow address before an instruction: its address is no register's", () => {
  expect(operandOf("<48> 8b 43 08")).toMatchObject({ base: "RBX", displacement: 8 });
  for (const prefix of ["64", "65", "67"]) expect(operandOf(`<${prefix}> 48 8b 43 08`), prefix).toBeUndefined();
  for (const prefix of ["66", "f0", "f2", "f3"])
    expect(operandOf(`<${prefix}> 48 8b 43 08`), prefix).toMatchObject({ base: "RBX" });
});

describe("what was wanted, in words", () => {
  const wanted = async (frames: readonly string[], order = 0): Promise<string> =>
    (await only(allocFailure({ order, frames }))).wanted ?? "";
  const rows: readonly (readonly [string, readonly string[], RegExp, number?])[] = [
    [
      "a sender's page",
      ["skb_page_frag_refill+0x1/0x2", "sk_page_frag_refill+0x1/0x2", "tcp_sendmsg_locked+0x1/0x2", ...bySyscall],
      /copied into/,
    ],
    [
      "a page of heads",
      ["page_frag_alloc+0x1/0x2", "__netdev_alloc_skb+0x1/0x2", "my_poll+0x1/0x2 [my_driver]", ...bySoftirq],
      /cut from/,
    ],
    ["kmalloc's bucket", [...bySlab, "my_own+0x1/0x2", ...bySyscall], /SLUB of this release that is/, 1],
    [
      "a cache of its own",
      ["new_slab+0x1/0x2", "___slab_alloc+0x1/0x2", "kmem_cache_alloc+0x1/0x2", "my_own+0x1/0x2", ...bySyscall],
      /one of its own/,
      3,
    ],
    ["a single page of a slab", [...bySlab, "my_own+0x1/0x2", ...bySyscall], /does not say which cache$/],
    ["pages for itself", ["my_own+0x1/0x2", ...bySyscall], /straight from the page allocator for my_own/],
    ["memory for DMA", ["dma_alloc_attrs+0x1/0x2", "my_own+0x1/0x2", ...bySyscall], /contiguous memory for DMA/],
    ["a pool's page", ["page_pool_dev_alloc_pages+0x1/0x2", "my_own+0x1/0x2", ...bySyscall], /a page for a page_pool/],
    [
      "a large kmalloc",
      ["kmalloc_large_node+0x1/0x2", "__kmalloc_node_track_caller+0x1/0x2", "my_own+0x1/0x2", ...bySyscall],
      /8193 to 16384 bytes/,
      2,
    ],
    ["nothing that tells", [], /its call trace stops inside the allocator/],
  ];
  test.each(rows.map(([what, frames, said, order = 0]) => ({ what, frames, said, order })))(
    "$what",
    async ({ frames, said, order }) => {
      expect(await wanted(frames, order)).toMatch(said);
    },
  );
});

describe("what a line's own words decide", () => {
  const cause = async (log: string): Promise<string> =>
    (await diagnoseTexts({ log })).incidents.map((i) => `${i.title}. ${i.cause}`).join(" ");
  const damaged = (words: string): string =>
    `[  1.000000] ------------[ cut here ]------------\n[  1.000000] ${words}\n[  1.000000] WARNING: CPU: 1 PID: 77 at lib/list_debug.c:28 __list_add_valid+0x55/0x70\n[  1.000000] CPU: 1 PID: 77 Comm: a Not tainted 6.1.0 #1\n`;
  test.each([
    ["list_del corruption, ffff888012345680->next is LIST_POISON1 (dead000000000100)", /twice/],
    ...["dead000000000100", "dead000000000110", "dead000000000122", "00100100", "00100109"].map(
      (was) =>
        [
          `list_add corruption. prev->next should be next (ffff8880123456a0), but was ${was}. (prev=ffff888012345680).`,
          /twice/,
        ] as const,
    ),
    ...["dead000000000130", "0000000000000000", "ffff8880123456b0"].map(
      (was) =>
        [
          `list_add corruption. prev->next should be next (ffff8880123456a0), but was ${was}. (prev=ffff888012345680).`,
          /neighbors/,
        ] as const,
    ),
  ] as const)("%s", async (words, said) => {
    expect(await cause(damaged(words))).toMatch(said);
  });
  test.each([
    ["(sz: 4096 bytes), total 32768 (slots), used 32767 (slots)", /has no free stretch/],
    ["(sz: 4096 bytes), total 32768 (slots), used 32768 (slots)", /has none left/],
    ["(sz: 4096 bytes)", /has none left: the line does not say/],
  ])("bounce buffers: %s", async (rest, said) => {
    expect(await cause(`[  1.000000] ixgbe 0000:01:00.0: swiotlb buffer is full ${rest}\n`)).toMatch(said);
  });
  test("a report without its first line may be of a wait, from 4.10 to 4.14", async () => {
    const of = (release: string): Promise<string> =>
      cause(allocFailure({ release, frames: refilling }).split("\n").slice(1).join("\n"));
    const waits = await Promise.all(["4.9.0", "4.10.0", "4.14.300", "4.15.0", "6.1.0"].map(of));
    expect(waits.map((w) => /had been waiting/.test(w))).toEqual([false, true, true, false, false]);
  });
});

describe("the register that held a bad pointer", () => {
  const based = (values: Readonly<Record<string, string>>, address: string, code?: string): string | undefined => {
    const found = baseRegister(whole(values, "all are printed"), address, code);
    return found === undefined ? undefined : `${found.name} ${found.offset}`;
  };
  test("is near below the address, and the only one; no flags, no segment, no cause of the fault", () => {
    expect(based({ RBX: "6b6b6b6b6b6b6b6b" }, "6b6b6b6b6b6b6b6c")).toBe("RBX 1");
    expect(based({ RBX: "ffff888012345000" }, "ffff888012345fff")).toBe("RBX 4095");
    expect(based({ RBX: "ffff888012345000" }, "ffff888012346000")).toBeUndefined();
    expect(based({ RBX: "ffff888012345000" }, "ffff888012345000")).toBeUndefined();
    expect(based({ RBX: "c1234500", RCX: "c1234500" }, "c1234508")).toBe("RBX 8");
    expect(based({ RBX: "c1234500", RCX: "c1234501" }, "c1234508")).toBeUndefined();
    const special = [
      "EFLAGS",
      "CR2",
      "DR6",
      "CS",
      "DS",
      "ES",
      "FS",
      "GS",
      "FSGS",
      "ORIG_RAX",
      "PKRU",
      "MSR",
      "CR",
      "XER",
      "DAR",
      "DEAR",
      "DSISR",
    ];
    for (const name of [...special, "CTR", "Status", "Cause", "BadVA", "PrId", "psr", "pstate"])
      expect(based({ [name]: "c1234500" }, "c1234508"), name).toBeUndefined();
    for (const name of ["GPR03", "LR", "x0", "r0", "EAX"])
      expect(based({ [name]: "c1234500" }, "c1234508"), name).toBe(`${name} 8`);
  });
  test("is the instruction's own, where its sum is the address, around the end of all addresses too", () => {
    const load = "90 90 <48> 8b 43 08 90 90";
    expect(based({ RBX: "ffffffffffffffff", RCX: "0000000000000001" }, "0000000000000007", load)).toBe("RBX 8");
    expect(based({ RBX: "ffff888012345000" }, "ffff888012345008", load)).toBe("RBX 8");
    expect(based({ RBX: "ffff888012345000", RCX: "ffff888012345001" }, "ffff888012345009", load)).toBeUndefined();
    expect(based({ RBX: "12345000" }, "0000000012345008", load)).toBe("RBX 8");
  });
});
