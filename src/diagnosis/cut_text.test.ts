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
