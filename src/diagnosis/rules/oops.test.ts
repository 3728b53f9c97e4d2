// The class of a fault decides its verdict. The texts are kernel lines of public reports, cut to what decides.
import { describe, expect, test } from "vitest";
import { explain } from "../explain.ts";
import type { DiagnosedIncident, Finding } from "../finding.ts";

const one = async (text: string): Promise<DiagnosedIncident> => {
  const d = await explain({ log: text });
  expect(d.incidents).toHaveLength(1);
  return d.incidents[0] as DiagnosedIncident;
};
const answer = (i: DiagnosedIncident, id: string): Finding["answer"] | undefined =>
  i.findings.find((f) => f.id === id)?.answer;
const claim = (i: DiagnosedIncident, id: string): string => i.findings.find((f) => f.id === id)?.claim ?? "";

const head = "CPU: 1 PID: 0 Comm: swapper/1 Not tainted 5.10.0-23-amd64 #1 Debian 5.10.179-1";

/** The stack of a softirq from the spinning function to the entry that x86 ends with. */
const spinning = `Call Trace:
 tcp_v4_rcv+0x1b/0x50
 ip_protocol_deliver_rcu+0x1b/0x50
 ip_local_deliver_finish+0x1b/0x50
 __netif_receive_skb_one_core+0x1b/0x50
 process_backlog+0x1b/0x50
 __napi_poll+0x1b/0x50
 net_rx_action+0x1b/0x50
 __do_softirq+0x1b/0x50
 run_ksoftirqd+0x1b/0x50
 smpboot_thread_fn+0x1b/0x50
 kthread+0x1b/0x50
 ret_from_fork+0x1b/0x50
`;

describe("a pointer says what it was", () => {
  const fault = (address: string): string => `BUG: unable to handle page fault for address: ${address}\n${head}
RIP: 0010:skb_release_data+0x6d/0x190
Call Trace:
 <IRQ>
 consume_skb+0x41/0xa0
 </IRQ>
`;
  test.each([
    ["0000000000000fff", "act", "NULL pointer"],
    ["0000000000001000", "act", "NULL pointer"],
    ["000000000000ffff", "act", "NULL pointer"],
    // What no register is known to have held may be far behind a null pointer.
    ["0000000000010001", "unknown", "Bad pointer"],
    ["0000000000ffffff", "unknown", "Bad pointer"],
    ["0000000001000000", "corruption", "Wild pointer"],
    ["fffffffffffffff4", "act", "Error used as pointer"],
    ["6b6b6b6b6b6b6b83", "corruption", "Wild pointer"],
    ["dead000000000122", "corruption", "Wild pointer"],
    ["0000000000040000", "unknown", "Bad pointer"],
    ["5441444f4e2f3065", "corruption", "Wild pointer"],
    ["ffffb40a4b1fe008", "act", "Kernel fault"],
    ["25b5f6bb1a24827e", "corruption", "Wild pointer"],
  ])("%s: %s, %s", async (address, severity, title) => {
    const i = await one(fault(address));
    expect(i).toMatchObject({ kind: "oops", severity, title: `${title} in skb_release_data` });
    expect(answer(i, "oops.where")).toBe("yes");
    expect(answer(i, "oops.packet_memory")).toBe("yes");
    expect(answer(i, "oops.pointer")).toBe(title === "Kernel fault" ? "unknown" : "yes");
    expect(answer(i, "oops.use_after_free")).toBe(address.startsWith("6b") ? "yes" : undefined);
    // Only a report of corruption can be the first corruption.
    expect(answer(i, "taint.first")).toBe(severity === "corruption" ? "yes" : undefined);
    expect(answer(i, "fragmentation")).toBe("no");
  });
  test.each([
    ["__kmalloc", "Bad pointer", /near zero/],
    ["skb_release_data", "NULL pointer", /a null pointer, used at offset 1576/],
  ])("a small number in %s, whose next free object is read from memory of others", async (where, title, said) => {
    const i = await one(fault("0000000000000628").replaceAll("skb_release_data", where));
    expect(i).toMatchObject({ title: `${title} in ${where}`, severity: "act" });
    expect(claim(i, "oops.pointer")).toMatch(said);
  });
  test("two CPUs of mips that fault at once: registers with another epc are of the other report", async () => {
    const d = await explain({
      log: [
        "CPU 2 Unable to handle kernel paging request at virtual address 00000070, epc == 803a653c, ra == 803a6848",
        "Unhandled kernel unaligned access[#1]:",
        "CPU: 0 PID: 0 Comm: swapper/0 Not tainted 5.4.179 #20",
        "epc   : 80126820 kmem_cache_alloc+0x164/0x1c4",
        "ra    : 80126824 kmem_cache_alloc+0x168/0x1c4",
        "BadVA : 71540081",
      ].join("\n"),
    });
    expect(d.incidents.map((i) => i.title).sort()).toEqual(["NULL pointer", "Wild pointer in kmem_cache_alloc"]);
  });
  // The upper half holds values that are no address too; the kernel's words tell them (arch/x86/kernel/traps.c since 5.6).
  test.each([
    ["nft_do_chain", "act", /used an invalid address.*overwritten, never set/],
    ["kmem_cache_alloc", "corruption", /used a wild pointer: an invalid address/],
  ])("a non-canonical address of the upper half in %s: %s", async (where, severity, cause) => {
    const text = (words: string): string =>
      [
        `general protection fault, ${words} 0xbc413d60993fb846: 0000 [#1] SMP NOPTI`,
        "CPU: 8 PID: 0 Comm: swapper/8 Not tainted 5.12.1 #1",
        `RIP: 0010:${where}+0x58/0x130`,
        "RSP: 0018:ffffbaab0029cc78 EFLAGS: 00010292",
        "RAX: bc413d60993fb846 RBX: 000000000000c869 RCX: ffff97f69fc25060",
      ].join("\n");
    const i = await one(text("probably for non-canonical address"));
    expect(i).toMatchObject({ kind: "oops", severity, cause: expect.stringMatching(cause) });
    expect((await one(text("maybe for address"))).severity).toBe("act");
    // Nor does an address of a process say that memory was overwritten.
    const low = await one(text("probably for address").replace("0xbc413d60993fb846", "0x00007f60993fb846"));
    expect(low.severity).toBe(severity);
  });
  test.each([
    ["dffffc0000044762", "0x223b10", "unknown"],
    // An eighth of 0xdead000000000100.
    ["fbd59c0000000020", "0xdead000000000100", "corruption"],
    ["dffffc0000000007", "a null pointer that was used at offset 56", "act"],
  ])("KASAN's inline check faults on the shadow %s of %s: %s", async (shadow, behind, severity) => {
    const text = [
      `general protection fault, probably for non-canonical address 0x${shadow}: 0000 [#1] SMP KASAN`,
      "CPU: 1 PID: 2183 Comm: kworker/1:3 Not tainted 5.10.0-rc6 #52",
      "RIP: 0010:skb_release_data+0x217/0x7c0",
    ].join("\n");
    const i = await one(text);
    expect(i.severity).toBe(severity);
    const said = i.findings.find((f) => f.id === "oops.pointer")?.claim;
    expect(said).toContain(`KASAN's shadow of ${behind}`);
    // Which register held it is not printed here: it need not be the packet that the function was given.
    expect(said).not.toMatch(/already invalid/);
  });

  test("a small address that a register held is a wild pointer; whether one did only all registers say", async () => {
    const registers = [
      "RAX: 0000000000040000 RBX: ffff888100000000 RCX: 0000000000000001",
      "RDX: 0000000000000002 RSI: 0000000000000003 RDI: 0000000000000004",
      "RBP: 0000000000000005 R08: 0000000000000006 R09: 0000000000000007",
      "R10: 0000000000000008 R11: 0000000000000009 R12: 000000000000000a",
      "R13: 000000000000000b R14: 000000000000000c R15: 000000000000000d",
    ];
    const text = (lines: readonly string[]): string =>
      `BUG: unable to handle page fault for address: 000000000004009c\n${head}\nRIP: 0010:kfree_skb+0xc/0x38\n${lines.join("\n")}\n`;
    expect((await one(text(registers))).severity).toBe("corruption");
    for (const lost of registers.keys())
      expect((await one(text(registers.filter((_, i) => i !== lost)))).severity).toBe("unknown");
  });

  test("a general protection fault without an address is told by poison in any register, or by all of them", async () => {
    const sets = ["RAX RBX RCX", "RDX RSI RDI", "RBP R08 R09", "R10 R11 R12", "R13 R14 R15"];
    const text = (value: string, most: number): string =>
      `general protection fault: 0000 [#1] SMP\n${head}\nRIP: 0010:kfree_skb+0xc/0x38\n${sets
        .slice(0, most)
        .map((s) => s.replace(/\w+/g, (name) => `${name}: ${value}`))
        .join("\n")}\n`;
    expect((await one(text("6b6b6b6b6b6b6b6b", 1))).severity).toBe("corruption");
    expect((await one(text("ffff888100000000", 5))).severity).toBe("act");
    expect((await one(text("ffff888100000000", 4))).severity).toBe("unknown");
  });

  test("the register is the one that the instruction names, not one that happens to be near", async () => {
    const i = await one(`BUG: kernel NULL pointer dereference, address: 000000000000000c
Oops: Oops: 0002 [#1] SMP NOPTI
CPU: 23 UID: 0 PID: 5904 Comm: ethtool Not tainted 6.19.0 #1 PREEMPT(lazy)
RIP: 0010:ice_alloc_rx_bufs+0x1cd/0x310 [ice]
Code: 8b 04 24 <89> 45 0c 41 8b 47 10
RSP: 0018:ff7894738aa1f768 EFLAGS: 00010246
RBP: 0000000000000000 R08: ff11000110a3c000 R10: 0000000000000001
`);
    expect(claim(i, "oops.pointer")).toMatch(/null pointer, used at offset 12/);
    expect(claim(i, "oops.pointer")).not.toMatch(/R10/);
  });
});

describe("no pointer was followed", () => {
  test.each([
    [
      "an assertion",
      `kernel BUG at net/core/skbuff.c:3945!\ninvalid opcode: 0000 [#1] SMP\n${head}\nRIP: 0010:skb_segment+0xd4a/0xdb0\n`,
      "Kernel assertion in skb_segment",
      "act",
    ],
    [
      "a double free that SLUB caught",
      `kernel BUG at mm/slub.c:305!\ninvalid opcode: 0000 [#1] SMP\n${head}\nRIP: 0010:__slab_free+0x21a/0x430\n`,
      "Double free in __slab_free",
      "corruption",
    ],
    [
      "another check of that file",
      `kernel BUG at mm/slub.c:4118!\ninvalid opcode: 0000 [#1] SMP\n${head}\nRIP: 0010:kfree+0x3ca/0x410\n`,
      "Kernel assertion in kfree",
      "act",
    ],
    [
      "a division by zero",
      `divide error: 0000 [#1] SMP NOPTI\n${head}\nRIP: 0010:__tcp_select_window+0x1a0/0x1d0\n`,
      "Divide error in __tcp_select_window",
      "act",
    ],
    [
      "a split lock",
      `Oops: Split lock detected\n${head}\nRIP: 0010:skb_clone+0x154/0x1e0\n`,
      "Split lock in skb_clone",
      "act",
    ],
    [
      "a lockup with its whole stack",
      `watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [ksoftirqd/3:31]\n${head}\nRIP: 0010:_raw_spin_lock+0x37/0x50\n${spinning}`,
      "Soft lockup in _raw_spin_lock",
      "watch",
    ],
  ])("%s", async (_, text, title, severity) => {
    const i = await one(text);
    expect(i).toMatchObject({ kind: "oops", title, severity });
    expect(i.cause).not.toMatch(/wild pointer/);
    expect(answer(i, "oops.pointer")).toBeUndefined();
    expect(answer(i, "fragmentation")).toBe("no");
  });

  test.each([
    ["no stack", ""],
    ["a cut stack", spinning.split("\n").slice(0, 3).join("\n")],
  ])("a lockup with %s may be one of memory", async (_, stack) => {
    const i = await one(
      `watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [ksoftirqd/3:31]\n${head}\nRIP: 0010:_raw_spin_lock+0x37/0x50\n${stack}`,
    );
    expect(answer(i, "fragmentation")).toBe("unknown");
  });

  test("a lockup inside reclaim is one of memory, and whether it was short is open", async () => {
    const i = await one(
      `watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [kswapd0:45]\n${head}\nRIP: 0010:shrink_page_list+0x100/0xd00\nCall Trace:\n shrink_inactive_list+0x1/0x2\n balance_pgdat+0x3/0x4\n kswapd+0x5/0x6\n kthread+0x118/0x140\n`,
    );
    expect(i.cause).toMatch(/looking for memory to free/);
    expect(answer(i, "fragmentation")).toBe("unknown");
  });
});

describe("a panic means what its reason says", () => {
  test.each([
    ["stack-protector: Kernel stack is corrupted in: ffffffffc08184d2", "corruption"],
    // What these end with stands in what was logged before: of the panic alone nobody can say.
    ["Attempted to kill init! exitcode=0x00000009", "unknown"],
    ["VFS: Unable to mount root fs on unknown-block(0,0)", "act"],
    ["sysrq triggered crash", "harmless"],
    ["Fatal exception in interrupt", "unknown"],
    ["stack-protec", "unknown"],
  ])("%s: %s", async (reason, severity) => {
    const i = await one(`Kernel panic - not syncing: ${reason}\n${head}\n`);
    expect(i).toMatchObject({ kind: "oops", severity });
    expect(i.cause).toContain(reason);
    expect(answer(i, "oops.packet_memory")).toBe("unknown");
  });

  test.each(["System is deadlocked on memory", "Out of memory and no killable processes..."])(
    "%s is a lack of memory",
    async (reason) => {
      const i = await one(
        `Kernel panic - not syncing: ${reason}\n\n${head}\nCall Trace:\n panic+0x101/0x2e3\n out_of_memory+0x34b/0x350\n`,
      );
      expect(i).toMatchObject({ kind: "oom", severity: "act" });
      expect(i.kernel.release).toMatch(/^5\.10/);
    },
  );

  test("a fault that takes the machine down says so, and a second fault is not the first", async () => {
    const i = await one(
      `general protection fault: 0000 [#2] SMP\n${head}\nRIP: 0010:kfree_skb+0xc/0x38\nKernel panic - not syncing: Fatal exception in interrupt\n`,
    );
    expect(answer(i, "oops.panic")).toBe("yes");
    expect(answer(i, "oops.first")).toBe("no");
  });
});

describe("the message of a WARN stands before or behind it", () => {
  const warn = "WARNING: CPU: 2 PID: 14235 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110";
  const words = "refcount_t: underflow; use-after-free.";
  test.each([
    ["before", `------------[ cut here ]------------\n${words}\n${warn}\nModules linked in: igb\n${head}\n`],
    ["behind", `------------[ cut here ]------------\n${warn}\n${words}\nModules linked in: igb\n${head}\n`],
    ["alone", `${words}\n`],
  ])("%s", async (_, text) => {
    const i = await one(text);
    expect(i).toMatchObject({ kind: "oops", severity: "corruption" });
    expect(claim(i, "oops.message")).toContain(words);
  });

  test.each([
    ["refcount_t: saturated; leaking memory.", "act"],
    ["list_del corruption. prev->next should be ffff88003d5c8e70, but was dead000000000100", "corruption"],
    ["NETDEV WATCHDOG: eth0 (mtk_soc_eth): transmit queue 4 timed out", "watch"],
    ["something else that was checked", "watch"],
  ])("%s: %s", async (message, severity) => {
    const i = await one(`------------[ cut here ]------------\n${message}\n${warn}\nModules linked in: igb\n${head}\n`);
    expect(i.severity).toBe(severity);
    expect(claim(i, "oops.message")).toContain(message);
  });

  test("a WARN without a message has none", async () => {
    const i = await one(`------------[ cut here ]------------\n${warn}\nModules linked in: igb\n${head}\n`);
    expect(answer(i, "oops.message")).toBeUndefined();
    // Only its message tells a count that leaks from one that was given back too often.
    expect(i.severity).toBe("unknown");
    const elsewhere = warn.replace("lib/refcount.c:28 refcount_warn_saturate", "net/core/dev.c:5534 napi_enable");
    const other = await one(`------------[ cut here ]------------\n${elsewhere}\nModules linked in: igb\n${head}\n`);
    expect(other.severity).toBe("watch");
  });
});

describe("sanitizers", () => {
  test("KASAN names the object, its owner and who freed it", async () => {
    const i = await one(`==================================================================
BUG: KASAN: slab-use-after-free in skb_release_data+0x1c4/0x1d0
Read of size 8 at addr ffff88800a5b7a40 by task kworker/0:1/12

CPU: 0 PID: 12 Comm: kworker/0:1 Not tainted 6.6.0 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x5b/0x90
 kasan_report+0xc7/0x100
 skb_release_data+0x1c4/0x1d0
 </TASK>

Allocated by task 123:
 kasan_save_stack+0x33/0x60
 kmem_cache_alloc_node+0x183/0x2e0
 __alloc_skb+0x210/0x310
 foo_rx+0x10/0x20 [foo]

Freed by task 12:
 kasan_save_stack+0x33/0x60
 kmem_cache_free+0x100/0x2e0
 bar_done+0x10/0x20 [bar]

The buggy address belongs to the object at ffff88800a5b7a00
 which belongs to the cache skbuff_head_cache of size 232
The buggy address is located 64 bytes inside of
 freed 232-byte region [ffff88800a5b7a00, ffff88800a5b7ae8)
==================================================================
`);
    expect(i).toMatchObject({ kind: "oops", severity: "corruption" });
    expect(claim(i, "oops.sanitizer")).toMatch(
      /KASAN reports slab-use-after-free on an object of skbuff_head_cache. A read of 8 bytes/,
    );
    expect(claim(i, "oops.object_owner")).toBe("The object was allocated by foo_rx and freed by bar_done.");
    expect(answer(i, "oops.packet_memory")).toBe("yes");
    expect(i.advice.map((a) => a.action)).toContain(
      "Find why skb_release_data still had the object when bar_done freed it",
    );
  });

  test("KMSAN's value that nobody wrote is no corruption; without stacks the owner is unknown", async () => {
    const i = await one(`BUG: KMSAN: uninit-value in ip_rcv+0x10/0x20\n${head}\n`);
    expect(i.severity).toBe("act");
    expect(answer(i, "oops.object_owner")).toBe("unknown");
  });
});

describe("whether packet memory had a part in it", () => {
  const bug = (frames: string): string =>
    `kernel BUG at fs/ext4/inode.c:2724!\ninvalid opcode: 0000 [#1] SMP\n${head}\nRIP: 0010:ext4_writepages+0xf5a/0x1090 [ext4]\nCall Trace:\n${frames}`;
  test("no needs the trace down to its end", async () => {
    expect(
      answer(
        await one(bug(" do_writepages+0xbe/0x1a0\n kthread+0x118/0x140\n ret_from_fork+0x22/0x30\n")),
        "oops.packet_memory",
      ),
    ).toBe("no");
    expect(answer(await one(bug(" do_writepages+0xbe/0x1a0\n")), "oops.packet_memory")).toBe("unknown");
  });
  test("a file of the packet code is packet memory without any stack", async () => {
    expect(
      answer(
        await one("kernel BUG at include/linux/skbuff.h:1666!\ninvalid opcode: 0000 [#1] SMP\n"),
        "oops.packet_memory",
      ),
    ).toBe("yes");
  });
  test("a foreign module in the instruction pointer is where to look, by the list of modules", async () => {
    const i = await one(
      `kernel BUG at /build/l7fw/ss_skb.c:758!\ninvalid opcode: 0000 [#1] SMP\nModules linked in: l7fw(O) l7db(O) igb\nCPU: 0 PID: 3 Comm: ksoftirqd/0 Tainted: G           O    4.9.35 #3\nRIP: 0010:[<ffffffffc073b8dc>]  [<ffffffffc073b8dc>] __skb_fragment+0x9cc/0xbf0 [l7fw]\n`,
    );
    expect(claim(i, "taint.foreign")).toMatch(/stopped in __skb_fragment of l7fw itself/);
    expect(i.cause).toMatch(/Look for the error in l7fw first/);
  });
});

describe("a check of a page prints the page first (mm/debug.c dump_page(), include/linux/mmdebug.h)", () => {
  const dump = (reason: string, count = 0): string =>
    `page:ffffea0003e3b5c0 count:${count} mapcount:-127 mapping:          (null) index:0x1\nflags: 0x2ffff8000000000()\nraw: 02ffff8000000000 0000000000000000 0000000000000001 00000000ffffff80\npage dumped because: ${reason}\n------------[ cut here ]------------\n`;
  const bug = `kernel BUG at include/linux/mm.h:462!\ninvalid opcode: 0000 [#1] SMP\n${head}\nRIP: 0010:skb_release_data+0x10a/0x130\nCall Trace:\n consume_skb+0x37/0x90\n`;
  const count = "VM_BUG_ON_PAGE(page_ref_count(page) == 0)";

  test.each([0, -1])("its words are the check's, and the report begins with the page (count %i)", async (counted) => {
    const i = await one(dump(count, counted) + bug);
    expect(i).toMatchObject({ kind: "oops", severity: "corruption" });
    expect(i.occurrences[0]).toMatchObject({ firstLine: 1 });
    expect(i.cause).toMatch(/reference count was zero already/);
    expect(claim(i, "oops.message")).toBe(`The kernel's own words are: "${count}".`);
  });

  test("another check of that file says nothing of the count, and none at all nothing of memory", async () => {
    const tail = await one(dump("VM_BUG_ON_PAGE(PageTail(page))") + bug);
    expect(tail.cause).not.toMatch(/reference count/);
    expect(claim(tail, "oops.message")).toContain("VM_BUG_ON_PAGE(PageTail(page))");
    const bare = await one(bug);
    expect(bare).toMatchObject({ severity: "unknown" });
    expect(bare.cause).not.toMatch(/reference count/);
  });

  test("a page that was dumped for another reason is not this check's", async () => {
    const d = await explain({ log: dump("nonzero _refcount").replace(/-{12}.*\n/, "") + bug });
    expect(d.incidents.map((i) => i.kind).sort()).toEqual(["bad_page", "oops"]);
  });
});
