// Pieces of the field's texts that once said more than the whole: one for each way in which a part can pass for something else.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { explain } from "./explain.ts";
import type { Finding } from "./finding.ts";

const lines = (name: string): readonly string[] =>
  readFileSync(new URL(`../../fixtures/field/${name}.txt`, import.meta.url), "utf8").split("\n");

type Loss = (all: readonly string[]) => readonly string[];
const column =
  (n: number): Loss =>
  (all) =>
    all.map((l) => l.slice(0, n));
const without =
  (from: number, to: number): Loss =>
  (all) =>
    all.filter((_, i) => i < from - 1 || i > to - 1);
const upTo =
  (n: number): Loss =>
  (all) =>
    all.slice(0, n);

const piece = async (name: string, loss: Loss) =>
  (await explain({ "x.log": loss(lines(name)).join("\n") })).incidents[0];

const answer = (findings: readonly Finding[] | undefined, id: string): Finding["answer"] | undefined =>
  findings?.find((f) => f.id === id)?.answer;

const whole: Loss = (all) => all;

test("two lines that begin with the kernel's own word have no prefix of that word", async () => {
  const i = await piece("b_tail_no_release", whole);
  expect(answer(i?.findings, "bad_page.reason")).toBe("yes");
  expect(i?.findings.map((f) => f.claim).join(" ")).not.toMatch(/"page dumped because" .*missing|lacks the line/);
});

test.each([
  ["of which its reserves are the next zone's", "b_buddy_cut_516", without(5, 8)],
  ["whose next zone lost its line", "b_zones_whole_ok", without(24, 24)],
])("a zone %s is not said to serve the request", async (_, name, loss) => {
  expect(answer((await piece(name, loss))?.findings, "why.zone.0.DMA")).not.toBe("yes");
});

test("one zone without its reserves is not the machine: its mark is no vm.min_free_kbytes", async () => {
  expect(answer((await piece("b_zones_whole_ok", upTo(22)))?.findings, "min_free.default")).toBe("unknown");
});

test.each([
  ["f_old_269_whole_ok", column(48), [null, "e1000"]],
  ["f_over_vsock_62", column(36), [null, "vhost_vsock"]],
])("a driver's name of %s may be lost, never another", async (name, loss, allowed) => {
  expect(allowed).toContain((await piece(name, loss))?.driver);
});

test("an address of eight digits in a report of 64 bits lost the others", async () => {
  const i = await piece("p_mptcp_kmem", column(72));
  expect(i?.cause).not.toMatch(/NULL/);
  expect(["corruption", "unknown"]).toContain(i?.severity);
});

test("the stack of a fault without its heading may lack its beginning", async () => {
  expect(answer((await piece("p_syz536", without(26, 45)))?.findings, "oops.packet_memory")).toBe("unknown");
});

test("a hook of sockets whose callers' lines are gone stands on no whole stack", async () => {
  for (const [from, to] of [
    [42, 45],
    [43, 45],
    [44, 44],
    [44, 45],
    [45, 45],
  ] as const) {
    const i = await piece("p_syz536", without(from, to));
    expect(i?.cause).toMatch(/^selinux_socket_sendmsg /);
    expect(answer(i?.findings, "oops.packet_memory")).toBe("unknown");
  }
});

// arch/arm64/kernel/traps.c of 6.1: bug_handler() is all that a BRK of a WARN reaches, and el1h_64_sync() stands on the stack of what broke.
test.each([
  ["arm64", ["bug_handler", "call_break_hook", "brk_handler", "do_debug_exception", "el1_dbg", "el1h_64_sync_handler"]],
  ["powerpc", ["do_program_check", "program_check_exception", "program_check_common_virt"]],
])("behind the break of a check of %s stands who checked: a thread's function has lost it", async (_, entry) => {
  const frames = ["panic", "__warn", "report_bug", ...entry, ...(entry[0] === "bug_handler" ? ["el1h_64_sync"] : [])];
  const told = (checker: readonly string[]): string =>
    [
      "Kernel panic - not syncing: panic_on_warn set ...",
      "CPU: 0 PID: 12 Comm: kworker/0:1 Not tainted 6.1.20 #1",
      "Call trace:",
      ...[...frames, ...checker, "kthread", "ret_from_fork"].map((f) => ` ${f}+0x10/0x20`),
      "Kernel Offset: disabled",
      "",
    ].join("\n");
  const said = async (checker: readonly string[]) =>
    (await explain({ "x.log": told(checker) })).incidents[0]?.findings.find((f) => f.id === "oops.packet_memory")
      ?.answer;
  expect(await said(["inode_check", "process_one_work", "worker_thread"])).toBe("no");
  expect(await said(["worker_thread"])).toBe("unknown");
  expect(await said([])).toBe("unknown");
});

test("a send that lost the frame that forbids sleeping is not said to ask without need", async () => {
  for (const loss of [without(9, 20), without(11, 17), without(15, 28)])
    expect(answer((await piece("c_xmit", loss))?.findings, "context.atomic_needlessly")).not.toBe("yes");
});

test("flags that lost their last digits are not read as none", async () => {
  expect(answer((await piece("b_head_names_no_release", column(37)))?.findings, "bad_page.flags")).not.toBe("no");
});

test("a panic whose reason is cut says nothing of packets", async () => {
  expect(answer((await piece("f_panic_deadlock_518", column(59)))?.findings, "oops.packet_memory")).not.toBe("no");
});

test("a WARN that says what a driver's line says is explained as that line is", async () => {
  for (const loss of [whole, without(1, 3)])
    expect(answer((await piece("p_or1k_watchdog", loss))?.findings, "driver_line.memory")).toBe("no");
});

test.each([
  [
    "s390",
    "Unable to handle kernel pointer dereference in virtual kernel address space\nFailing address: 0000000000000000 TEID: 0000000000000483\nOops: 0004 ilc:2 [#1] SMP\nKrnl PSW : 0704d00180000000 000003ff80212345 (qeth_l2_start_xmit+0x35/0x400 [qeth_l2])\nCall Trace:\n [<0000000000b12345>] dev_hard_start_xmit+0x125/0x300",
    "qeth_l2_start_xmit",
  ],
  [
    "sparc64",
    "Unable to handle kernel NULL pointer dereference\nsshd(1203): Oops [#1]\nTSTATE: 0000004411001606 TPC: 00000000008e3f40 TNPC: 00000000008e3f44 Y: 00000000    Not tainted\nTPC: <__skb_clone+0x20/0x120>\nCall Trace:\n [0000000000992f3c] __tcp_transmit_skb+0x5fc/0xb40",
    "__skb_clone",
  ],
  [
    "LoongArch",
    "CPU 3 Unable to handle kernel paging request at virtual address 0000000000000010, era == 90000000012f4b3c, ra == 90000000012f4b10\nOops[#1]:\n   ra: 90000000012f4b10 skb_copy_datagram_iter+0x30/0x90\n  ERA: 90000000012f4b3c __skb_datagram_iter+0x1c/0x2a0\nCall Trace:\n[<90000000012f4b3c>] __skb_datagram_iter+0x1c/0x2a0",
    "__skb_datagram_iter",
  ],
  [
    "parisc",
    "Kernel Fault: Code=15 (Data TLB miss fault) at addr 0000000000000008\n IAOQ[0]: tg3_poll_work+0x5a4/0x1100 [tg3]\n RP(r2): tg3_poll+0x88/0x3e0 [tg3]\nBacktrace:\n [<0000000008a1c5a4>] tg3_poll+0x88/0x3e0 [tg3]",
    "tg3_poll_work",
  ],
])("a NULL pointer of %s is one, in the function that its own line names", async (_, text, at) => {
  const [i] = (await explain({ "x.log": `${text}\n` })).incidents;
  expect(i?.cause).toMatch(new RegExp(`^${at}\\b.*NULL pointer`));
  expect(i?.severity).toBe("act");
});

test("a warning after the panic is no trouble of its own; a stall is no refusal; a lone OOM line names no scope", async () => {
  const cause = async (text: string): Promise<string> =>
    (await explain({ "x.log": `${text}\n` })).incidents.map((i) => i.cause).join(" ");
  expect(
    await cause(
      "[  100.000001] Kernel panic - not syncing: Fatal exception in interrupt\n[  100.100001] WARNING: CPU: 0 PID: 0 at arch/x86/kernel/apic/ipi.c:68 native_smp_send_reschedule+0x3a/0x40",
    ),
  ).toMatch(/after the machine had panicked/);
  expect(
    await cause("nginx: page allocation stalls for 10012ms, order:0, mode:0x14201ca(GFP_HIGHUSER_MOVABLE|__GFP_COLD)"),
  ).toMatch(/waiting for 10\.0 s.*not refused/);
  expect(await cause("Out of memory: Kill process 2211 (mysqld) score 812 or sacrifice child")).not.toMatch(/really/);
});

test("what was diagnosed before does not change what a report without its release says", async () => {
  const text = without(2, 7)(lines("f_table_r8152_44")).join("\n");
  const first = (await explain({ "x.log": text })).incidents[0];
  expect(answer(first?.findings, "mtu.order_zero")).not.toBe("no");
  expect((await explain({ "x.log": text })).incidents[0]).toEqual(first);
});

test.each([61, 62])(
  "lines that a mailer had broken and marked are not joined where a cut at column %s took the marks",
  async (n) => {
    expect(answer((await piece("f_wrap_qp_52", column(n)))?.findings, "min_free.default")).not.toBe("no");
  },
);

test("a mask at the column at which lines were cut may lack its end, whatever was broken and joined above it", async () => {
  const i = await piece("f_wrap_arm_310", column(74));
  expect(answer(i?.findings, "context.atomic_needlessly")).not.toBe("no");
  expect(i?.gfp).toBeNull();
});

test("a work queue never stops the machine, nor do the files of debugfs free a CPU's pages: frames between are missing", async () => {
  for (const first of [13, 15, 17, 19])
    expect((await piece("p_syz415", without(first, 44)))?.direction, `from ${first}`).not.toBe("neither");
  const log = new URL("../../fixtures/logs/bad_pages_6.1.txt", import.meta.url);
  const text = without(167, 170)(readFileSync(log, "utf8").split("\n")).join("\n");
  const at = (await explain({ "x.log": text })).incidents.find((i) => i.occurrences[0]?.firstLine === 128);
  expect(at?.direction).toBeNull();
});

test("a register of powerpc behind a warning is no word of the warning's own", async () => {
  expect(answer((await piece("p_abrt_ppc64", without(3, 21)))?.findings, "oops.message")).toBeUndefined();
});

const stallBody = [
  "[12345.000001] CPU: 3 PID: 2211 Comm: java Not tainted RELEASE #1",
  "[12345.000003] Call Trace:",
  "[12345.000004]  dump_stack+0x5c/0x86",
  "[12345.000005]  warn_alloc+0xd0/0x170",
  "[12345.000006]  __alloc_pages_slowpath+0xb00/0xb30",
  "[12345.000007]  __alloc_pages_nodemask+0x1f6/0x230",
  "[12345.000008]  alloc_pages_vma+0x7a/0x190",
  "[12345.000009]  __handle_mm_fault+0x8ff/0x11e0",
  "[12345.000012]  do_page_fault+0x2b/0x70",
  "[12345.000013]  page_fault+0x2f/0x40",
  "[12345.000014] Mem-Info:",
];
const stallOf = async (release: string, head: readonly string[] = []) => {
  const log = `${[...head, ...stallBody].join("\n")}\n`.replace("RELEASE", release);
  return (await explain({ "x.log": log })).incidents[0];
};

test("without its first line a report of 4.10 to 4.14 may be one of a stall: a refusal is claimed of other releases only", async () => {
  for (const release of ["4.10.0-42-generic", "4.12.14-lp151.28.36-default", "4.14.199"]) {
    const i = await stallOf(release);
    expect(i?.cause).toMatch(/refused, or had been waiting/);
    expect(i?.title).not.toMatch(/failure/);
  }
  for (const release of ["4.9.30", "4.15.0-20-generic", "6.1.20"]) {
    const i = await stallOf(release);
    expect(i?.cause).not.toMatch(/waiting/);
    expect(i?.title).toMatch(/^Page allocation failure/);
  }
});

test("of a request that waits nobody asks why it was refused", async () => {
  const i = await stallOf("4.14.199", [
    "[12345.000000] java: page allocation stalls for 10008ms, order:0, mode:0x14200ca(GFP_HIGHUSER_MOVABLE), nodemask=(null)",
  ]);
  expect(answer(i?.findings, "why.refused")).toBeUndefined();
  expect(answer(i?.findings, "why.waits")).toBe("unknown");
  expect(i?.findings.map((f) => f.claim).join(" ")).not.toMatch(/gave up|refused it|come back/);
});

// mm/memcontrol.c of 5.10 and 6.1: mem_cgroup_out_of_memory() calls out_of_memory(), mem_cgroup_oom_synchronize() calls it for page faults.
test("the stack of an OOM report tells whose memory ran out, when the line with the constraint is cut", async () => {
  const scope = async (...callers: readonly string[]) =>
    (
      await explain({
        "x.log": `${[
          "[ 5420.100000] nginx invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
          "[ 5420.100001] CPU: 1 PID: 77 Comm: nginx Not tainted 5.10.0-8-amd64 #1",
          "[ 5420.100002] Call Trace:",
          ...["dump_stack", "dump_header", "oom_kill_process", "out_of_memory", ...callers].map(
            (f, i) => `[ 5420.1001${10 + i}]  ${f}+0x10/0x200`,
          ),
        ].join("\n")}\n`,
      })
    ).incidents[0]?.findings.find((f) => f.id === "oom.scope")?.claim;
  expect(await scope("mem_cgroup_out_of_memory", "mem_cgroup_oom_synchronize", "pagefault_out_of_memory")).toMatch(
    /a cgroup reached its limit/,
  );
  expect(await scope("mem_cgroup_out_of_memory", "try_charge", "mem_cgroup_charge")).toMatch(
    /a cgroup reached its limit/,
  );
  // A cpuset may allow a part of the nodes: its own line, or a machine of one node, says that it did not.
  expect(await scope("__alloc_pages_slowpath.constprop.0", "__alloc_pages_nodemask")).toMatch(
    /^It was not a cgroup's limit: the machine, or the nodes that a cpuset allows/,
  );
  expect(await scope("pagefault_out_of_memory", "mm_fault_error")).toMatch(/does not say/);
});

test("what the kernel prints with every report is not said to be another's", async () => {
  const notes = async (name: string) =>
    (await explain({ "x.log": lines(name).join("\n") })).inputs
      .flatMap((x) => x.notes.map((n) => n.sentence))
      .join(" ");
  expect(await notes("p_syz184")).not.toMatch(/not used/);
  expect(await notes("p_syz583")).toMatch(/2 lines inside the report were not used \(lines 5, 17\)/);
});

test("a frame that is torn at the end of a stack hides none inside it; a report that has zones does not lack them", async () => {
  const arm = (last: string) =>
    explain({
      "x.log": `${[
        "[  969.610000] cat: page allocation failure: order:0, mode:0x20",
        "[  969.610000] CPU: 0 PID: 1450 Comm: cat Tainted: G         C      4.3.0-1 #1",
        "[  969.610000] [<c000d20c>] (show_stack) from [<c009bf44>] (warn_alloc_failed+0xdc/0x124)",
        "[  969.610000] [<c009bf44>] (warn_alloc_failed) from [<c009e194>] (__alloc_pages_nodemask+0x178/0x860)",
        "[  969.610000] [<c009e194>] (__alloc_pages_nodemask) from [<c009ea7c>] (__alloc_page_frag+0x160/0x194)",
        "[  969.610000] [<c009ea7c>] (__alloc_page_frag) from [<c051aa84>] (__netdev_alloc_skb+0x84/0xec)",
        "[  969.610000] [<c051aa84>] (__netdev_alloc_skb) from [<bf17c574>] (_rtl_rx_completed+0xac/0x1bc [rtl_usb])",
        "[  969.610000] [<bf17c574>] (_rtl_rx_completed [rtl_usb]) from [<c03f08c8>] (__usb_hcd_giveback_urb+0x70/0x108)",
        "[  969.610000] [<c03f08c8>] (__usb_hcd_giveback_urb) from [<c00216bc>] (tasklet_action+0x74/0xd8)",
        last,
      ].join("\n")}\n`,
    });
  const [torn] = (await arm("[  969.610000] [<c00216bc>] (tasklet_action) from [<c0021")).incidents;
  expect(torn?.findings.map((f) => f.claim).join(" ")).not.toMatch(/lacks frames inside/);
  expect(torn?.direction).toBe("rx");
  const zones = lines("b_zones_whole_ok").filter((l) => !/page allocation failure/.test(l));
  const headless = (await explain({ "x.log": zones.join("\n") })).incidents.find((i) => i.kind === "alloc_failure");
  expect(headless?.findings.find((f) => f.id === "why.refused")?.claim).toMatch(/its first line, with the order/);
});

test("of a zone without its buddy line it is not said that nothing in it was set aside", async () => {
  const text = readFileSync(new URL("../../fixtures/diagnosis/order3_worker_6.1.txt", import.meta.url), "utf8");
  const unusable = async (t: string) =>
    answer((await explain({ "x.log": t })).incidents[0]?.findings, "why.free_unusable");
  expect(await unusable(text)).toBe("yes");
  expect(await unusable(text.replace(/^.*Node 0 DMA: .*\n/m, ""))).toBe("unknown");
});

test("a slab whose asker is cut may be of any cache", async () => {
  const told = async (...frames: readonly string[]) =>
    (
      await explain({
        "x.log": `${[
          "swapper: page allocation failure. order:1, mode:0x20",
          "Pid: 0, comm: swapper Not tainted 2.6.32-279.9.1.el6.x86_64 #1",
          "Call Trace:",
          ...["__alloc_pages_nodemask", "kmem_getpages", "fallback_alloc", "cache_grow", ...frames].map(
            (f) => ` [<ffffffff8112789f>] ? ${f}+0x77/0x940`,
          ),
        ].join("\n")}\n`,
      })
    ).incidents[0]?.wanted;
  expect(await told("____cache_alloc_node")).toMatch(/the report does not say which cache$/);
  expect(await told("____cache_alloc_node", "__kmalloc", "some_driver_open")).toMatch(/size-8192/);
});

test("a sanitizer's first line names where it was, and scripts that decode repeat it for what is inlined", async () => {
  const [i, more] = (
    await explain({
      "x.log": `${[
        "BUG: KASAN: use-after-free in skb_dst_drop include/net/dst.h:269 [inline]",
        "BUG: KASAN: use-after-free in skb_release_head_state+0x223/0x250 net/core/skbuff.c:653",
        "Read of size 8 at addr ffff888020b57a58 by task prog/23125",
        "CPU: 0 PID: 23125 Comm: prog Not tainted 5.11.0-rc2 #0",
        "Call Trace:",
        "__dump_stack lib/dump_stack.c:79 [inline]",
        "dump_stack+0x107/0x163 lib/dump_stack.c:120",
      ].join("\n")}\n`,
    })
  ).incidents;
  expect(more).toBeUndefined();
  expect(i?.occurrences).toHaveLength(1);
  expect(answer(i?.findings, "oops.packet_memory")).toBe("yes");
});

test("a mask with more of its line behind it lacks no names, and the killer's request may wait", async () => {
  const log =
    "[277622.359064] squid invoked oom-killer: gfp_mask=0x42d0, order=3, oom_score_adj=0\n[277622.359382] DMA free:2332kB min:36kB low:44kB high:52kB\n[277622.359384] lowmem_reserve[]: 0 573 36539 36539\n";
  const [i] = (await explain({ "x.log": log })).incidents;
  expect(i?.findings.find((f) => f.id === "wanted.request")?.claim).toMatch(/__GFP_NOWARN.*it may wait and reclaim/);
});

test("one mapping that found no bounce buffer is one, though two functions say so", async () => {
  const pair = (at: number): string =>
    `[ ${at}.947037] rtl8821ae 0000:02:00.0: swiotlb buffer is full (sz: 9100 bytes)\n[ ${at}.947039] DMA: Out of SW-IOMMU space for 9100 bytes at device 0000:02:00.0\n`;
  const [i, more] = (await explain({ "x.log": pair(4851) + pair(4852) })).incidents;
  expect(i?.occurrences).toHaveLength(2);
  expect(more).toBeUndefined();
});

test("digits of a mask whose end is not sure are not said to be missing; a full window of powerpc is one", async () => {
  const log = "kernel: mount.nfs: page allocation failure: order:4, mode:0x4d0\n";
  const [i] = (await explain({ "x.log": log })).incidents;
  const said = i?.findings.find((f) => f.id === "missing.parts")?.claim ?? "";
  expect(said).not.toMatch(/its gfp mask(?:,| and| is)/);
  const window =
    "[   12.345678] ibmvnic 30000003 eth0: iommu_alloc failed, tbl c0000000010d5c48 vaddr c0000000d875eff0 npages 1\n";
  expect((await explain({ "x.log": window })).incidents[0]?.cause).toMatch(/a mapping of 1 IOMMU page/);
});

// kernel/sched/core.c __schedule_bug() of 5.10 and 6.1 prints the line and its own stack.
test.each([
  [["__cond_resched", "_cond_resched", "__kmalloc", "dns_query", "net_rx_action"], /^dns_query allocated memory/],
  [
    ["schedule", "schedule_timeout", "wait_for_common", "cfg_set", "send_config"],
    /^A task went to sleep .*\(cfg_set\)/,
  ],
])("who slept while atomic is told, and for memory only where it asked: %s", async (frames, cause) => {
  const log = [
    "[  295.811418] BUG: scheduling while atomic: swapper/0/0/0x10000100",
    "[  295.811418] CPU: 0 PID: 0 Comm: swapper/0 Not tainted 3.10.0 #43",
    "[  295.811418] Call Trace:",
    ...["dump_stack", "__schedule_bug", "__schedule", ...frames].map(
      (f) => `[  295.811418]  [<c15ad3a9>] ${f}+0x16/0x180`,
    ),
    "",
  ].join("\n");
  const [i] = (await explain({ "x.log": log })).incidents;
  expect(i?.cause).toMatch(cause);
  expect(i?.severity).toBe("act");
});

test("behind a WARN whose own lines are lost a line without the kernel's stamp is not its message", async () => {
  const told = async (behind: string) =>
    (
      await explain({
        "x.log": `[    1.776762] ------------[ cut here ]------------\n[    1.777090] WARNING: CPU: 1 PID: 44 at net/core/skbuff.c:5534 skb_try_coalesce+0x447/0x4d0\n${behind}\n`,
      })
    ).incidents[0]?.findings.find((f) => f.id === "oops.message");
  expect(await told("run.sh finished rc=0")).toBeUndefined();
  expect((await told("[    1.777452] the queue is wrong\n[    1.777460] Modules linked in: x"))?.claim).toMatch(
    /queue is wrong/,
  );
});

test("whoever refills the spare sk_buffs of the polls asks for the struct of a packet", async () => {
  const names = ["dump_stack", "warn_alloc.cold.127", "__alloc_pages_slowpath", "__alloc_pages_nodemask", "new_slab"];
  const frames = [...names, "___slab_alloc", "kmem_cache_alloc_bulk", "napi_skb_cache_get", "__napi_build_skb"];
  const log = `[ 9.5] Call Trace:\n[ 9.5]  <IRQ>\n${frames.map((f) => `[ 9.5]  ${f}+0x41/0x60\n`).join("")}`;
  const [i] = (await explain({ "x.log": log })).incidents;
  expect(i?.findings.find((f) => f.id === "wanted.object")?.claim).toMatch(/struct sk_buff/);
  expect(i?.findings.find((f) => f.id === "direction")?.claim).toMatch(/Memory was requested for a packet/);
});

test("a page that was refused for a mask that is cut is not said to have cost reclaim anything", async () => {
  const mask = "mode:0xcc0(GFP_KERNEL), nodemask=(null)";
  const names =
    "dump_stack_lvl warn_alloc __alloc_pages_slowpath __alloc_pages pte_alloc_one __pte_alloc handle_mm_fault";
  const stack = ["Call Trace:", ...`${names} exc_page_fault asm_exc_page_fault`.split(" ").map((n) => ` ${n}+0x1/0x2`)];
  const [cut, bare, whole] = await Promise.all(
    [["mode:0xa2"], [mask], [mask, "CPU: 0 PID: 7 Comm: sh Not tainted 6.1.0 #1", ...stack]].map(([mode, ...lines]) =>
      explain({
        "x.log": [`sh: page allocation failure: order:0, ${mode}`, ...lines].map((l) => `[ 85.5] ${l}\n`).join(""),
      }),
    ),
  );
  expect(cut?.incidents[0]?.cause).toMatch(/cannot be fragmented/);
  expect(cut?.incidents[0]?.cause).not.toMatch(/reclaim/);
  // Who frees memory itself is not reclaimed for, and only the stack says that.
  expect(bare?.incidents[0]?.cause).not.toMatch(/reclaim/);
  expect(whole?.incidents[0]?.cause).toMatch(/reclaim did not free enough/);
});

test("an entry alone is no whole stack: what it called is lost", async () => {
  const log = (stack: string) =>
    `[ 12.6] BUG: KASAN: invalid-access in __list_add_valid+0x10/0x90\n[ 12.7] CPU: 1 PID: 5007 Comm: a Not tainted 5.14.0 #0\n[ 12.7] Call trace:\n${stack}[ 12.7]  el0t_64_sync+0x1b4/0x1b8\n[ 12.7] \n`;
  const [i] = (await explain({ "x.log": log("") })).incidents;
  expect(answer(i?.findings, "oops.packet_memory")).not.toBe("no");
});

test("the zones behind a second Mem-Info are not those of the first, whose zones are lost", async () => {
  const totals = (free: number) =>
    `[ 65.2] Mem-Info:\n[ 65.2] active_anon:456 inactive_anon:67 isolated_anon:0\n[ 65.2]  free:${free} free_pcp:79 free_cma:0\n[ 65.2] Node 0 active_anon:1824kB inactive_anon:268kB active_file:4kB all_unreclaimable? no\n`;
  const log = `[ 65.1] sh: page allocation failure: order:0, mode:0xa20(GFP_ATOMIC), nodemask=(null)\n${totals(92)}[ 65.6]  ksys_write+0x5f/0xd0\n${totals(218)}[ 65.7] DMA free:392kB boost:0kB min:296kB low:368kB high:440kB reserved_highatomic:0KB present:15992kB managed:15360kB\n[ 65.7] lowmem_reserve[]: 0 26 26 26\n`;
  const [i] = (await explain({ "x.log": log })).incidents;
  expect(i?.title).toMatch(/allocation failure/);
  expect(answer(i?.findings, "why.zone.0.DMA")).toBeUndefined();
});

test("a sum over the zones that are left is not that of the zones the request may use", async () => {
  const claim = async (loss: Loss) =>
    (await piece("f_minfree_whole_ok", loss))?.findings.find((f) => f.id === "why.free_unusable")?.claim;
  expect(await claim(whole)).toMatch(/^Of 52\.6 MiB that were free in zones it may use/);
  expect(await claim(without(25, 26))).toMatch(/^Of 27\.3 MiB that were free in the zones that the text has/);
});
