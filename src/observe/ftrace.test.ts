import { describe, expect, test } from "vitest";
import { readPools } from "../artifact/page_pool/read.ts";
import { eventKind, eventShapes } from "../kernel/events.ts";
import { parseRelease } from "../kernel/release.ts";
import type { Machine } from "../model/machine.ts";
import { createMachine } from "../model/machine.ts";
import { frameField, frameKind } from "../model/net/path/wire.ts";
import { createFtrace } from "./ftrace.ts";

/** A card with a page pool that receives, sends and goes down, as its release's ftrace prints it; `events` are those the journal had. */
function traced(
  release: string,
  frames = 40,
): { head: string; lines: string[]; events: Map<string, number>; machine: Machine } {
  const machine = createMachine({
    release: parseRelease(release),
    memoryMb: 64,
    cpus: 2,
    nics: [{ driver: "ringnic", queues: 2, settings: { buffers: "page_pool", rx_ring: 16, copybreak: 100 } }],
  });
  const ftrace = createFtrace(machine);
  const lines: string[] = [];
  const events = new Map<string, number>();
  machine.journal.listen((kind, nanos, cpu, ...numbers) => {
    const name = eventShapes[kind]?.name ?? "";
    events.set(name, (events.get(name) ?? 0) + 1);
    const line = ftrace.line(kind, nanos, cpu, numbers);
    if (line !== undefined) lines.push(line);
  });
  const device = machine.devices[0]!;
  machine.up(device);
  const { W } = machine.frames;
  for (let i = 0; i < frames; i++) {
    const frame = machine.frames.take();
    W[frame + frameField.LEN] = i % 5 === 0 ? 20 : 1200;
    W[frame + frameField.KIND] = frameKind.raw;
    W[frame + frameField.FLOW] = i;
    device.driver.frameArrived(frame);
    machine.clock.run(machine.clock.now() + 1e6, 1e4);
  }
  const skb = machine.skbs.allocSkb(400, machine.skbs.config.gfp.kernel);
  machine.skbs.skbPut(skb, 100);
  machine.xmit.queue(device, skb);
  machine.clock.run(machine.clock.now() + 1e6, 1e4);
  machine.down(device);
  // What memory management says when it is short: told by hand, as this machine is not.
  const { journal } = machine;
  journal.emit(eventKind.mm_page_alloc_extfrag, 512, 0, 10, 0, 1, 1);
  journal.emit(eventKind.mm_page_alloc_zone_locked, 77, 1, 0, 0);
  journal.emit(eventKind.mm_page_pcpu_drain, 77, 0, 1);
  journal.emit(eventKind.mm_vmscan_kswapd_wake, 0, 2);
  return { head: ftrace.head, lines, events, machine };
}

/** A line with its values taken out: what is left is the form. */
const form = (line: string): string =>
  line
    .replace(/^ *\S+-\d+ +\[\d+\] (\S+) +\d+\.\d{6}: /, (_all, flags: string) => `[${flags.length}] `)
    .replace(/\(____ptrval____\)|\b(?:[0-9a-f]{16}|[0-9a-f]{8})\b/g, "@")
    .replace(/\b[\w.]+\+0x[0-9a-f]+\/0x[0-9a-f]+|location=0x[0-9a-f]+|call_site=0x0/g, (site) =>
      site.startsWith("loc") ? "location=SITE" : site.startsWith("call_site") ? "call_site=SITE" : "SITE",
    )
    .replace(/gfp_flags=\S+/, "gfp_flags=G")
    .replace(/reason: \w+/, "reason: R")
    .replace(/dev=\w+|device \S+/g, "DEV")
    .replace(/name=[\w-]+/, "name=N")
    .replace(/0x[0-9a-f]+/g, "0x#")
    .replace(/([= ])-?\d+/g, "$1#");

/** Lines that kernels wrote on recorded machines. */
const written: Readonly<Record<string, string>> = {
  "5.10-x86_64": `
            init-1       [001] d...    12.933758: mm_page_alloc_zone_locked: page=ffffea000016ec80 pfn=23474 order=1 migratetype=0 percpu_refill=0
            init-1       [001] ....    12.933786: mm_page_alloc: page=ffffea000016ec80 pfn=23474 order=1 migratetype=0 gfp_flags=GFP_KERNEL_ACCOUNT|__GFP_ZERO
            ping-644     [000] ....    12.939710: mm_page_free: page=ffffea000018bc40 pfn=25329 order=0
            ping-644     [000] ....    12.946599: net_dev_queue: dev=lo skbaddr=ffff888004c4e100 len=1442
            ping-644     [000] ....    12.947315: net_dev_xmit: dev=lo skbaddr=ffff888004c4e100 len=1442 rc=0
            ping-644     [000] ..s1    12.947510: netif_receive_skb: dev=lo skbaddr=ffff888004c4e100 len=1428
            ping-644     [000] ..s1    12.949571: consume_skb: skbaddr=ffff888004c4e100
            ping-644     [000] ..s1    12.949839: kfree_skb: skbaddr=ffff888004c4ea00 protocol=2048 location=ffffffff817f849f
            ping-644     [000] ..s1    12.949961: napi_poll: napi poll on napi struct ffff88800b834cd0 for device (no_device) work 2 budget 64
            ping-644     [000] d...    13.953730: mm_page_pcpu_drain: page=ffffea0000097100 pfn=9668 order=0 migratetype=1
            init-1       [000] ....    15.978867: page_pool_state_hold: page_pool=ffff888005ad9000 page=ffffea000016ec40 pfn=23473 hold=1
            init-1       [000] ..s1    15.979477: page_pool_state_release: page_pool=ffff888005ad9000 page=ffffea000018c000 pfn=25344 release=1
            init-1       [000] ....    15.981347: page_pool_release: page_pool=ffff888005ad9000 inflight=0 hold=22 release=22 cnt=1
            init-1       [001] d...    33.042851: mm_page_alloc_extfrag: page=ffffea0000200000 pfn=32768 alloc_order=0 fallback_order=10 pageblock_order=9 alloc_migratetype=0 fallback_migratetype=1 fragmenting=0 change_ownership=1`,
  "6.1-x86_64": `
              sh-38      [000] .....    19.837149: kmem_cache_alloc: call_site=copy_process+0x1c1/0x1490 ptr=(____ptrval____) bytes_req=3072 bytes_alloc=3072 gfp_flags=GFP_KERNEL node=-1 accounted=false
              sh-38      [000] .....    19.837264: mm_page_alloc: page=(____ptrval____) pfn=0x4434 order=2 migratetype=0 gfp_flags=GFP_KERNEL_ACCOUNT|__GFP_ZERO
              sh-38      [000] .....    19.837870: kmem_cache_free: call_site=mas_destroy+0x110/0x210 ptr=(____ptrval____) name=maple_node
        ifconfig-117     [000] .....    19.840047: kmalloc: call_site=alloc_bprm+0x2d/0x2f0 ptr=(____ptrval____) bytes_req=416 bytes_alloc=512 gfp_flags=GFP_KERNEL|__GFP_ZERO node=-1 accounted=false
        ifconfig-117     [000] .....    19.840530: kfree: call_site=kfree_link+0x9/0x10 ptr=(____ptrval____)
        ifconfig-117     [000] .....    19.841177: mm_page_free: page=(____ptrval____) pfn=0x5878 order=0`,
  "6.12-x86_64": `
            ping-266     [001] b....    20.615267: net_dev_queue: dev=lo skbaddr=(____ptrval____) len=1442
            ping-266     [001] b....    20.616021: net_dev_xmit: dev=lo skbaddr=(____ptrval____) len=1442 rc=0
            ping-266     [001] ..s1.    20.616220: netif_receive_skb: dev=lo skbaddr=(____ptrval____) len=1428
            ping-266     [001] ..s1.    20.621113: consume_skb: skbaddr=(____ptrval____) location=icmp_rcv+0x26f/0x360
            ping-266     [001] ..s1.    20.621394: kfree_skb: skbaddr=(____ptrval____) rx_sk=0000000000000000 protocol=2048 location=icmp_rcv+0x1f1/0x360 reason: NO_SOCKET
            ping-266     [001] ..s1.    20.621515: napi_poll: napi poll on napi struct (____ptrval____) for device (no_device) work 2 budget 64
     kworker/0:2-149     [000] d.s4.    24.474965: mm_page_pcpu_drain: page=(____ptrval____) pfn=0x6398 order=3 migratetype=0
              sh-164     [001] d..3.    54.109741: mm_page_alloc_extfrag: page=(____ptrval____) pfn=0x82e9 alloc_order=0 fallback_order=8 pageblock_order=9 alloc_migratetype=0 fallback_migratetype=2 fragmenting=1 change_ownership=1
         kswapd0-51      [000] .....    54.112335: mm_vmscan_kswapd_wake: nid=0 order=0
              sh-164     [000] bN...    26.088672: page_pool_state_hold: page_pool=(____ptrval____) netmem=(____ptrval____) is_net_iov=0, pfn=0x57d8 hold=1
              sh-164     [000] bN...    26.089387: page_pool_state_release: page_pool=(____ptrval____) netmem=(____ptrval____) is_net_iov=0 pfn=0x63cb release=1
              sh-164     [000] .....    26.114986: page_pool_release: page_pool=(____ptrval____) inflight=0 hold=64 release=64 cnt=1`,
  "7.2-x86_64": `
            init-1       [001] .....    23.248985: mm_page_alloc: page=(____ptrval____) pfn=0x6d94 order=2 migratetype=0 gfp_flags=GFP_NOWAIT|__GFP_HIGHMEM|__GFP_IO|__GFP_FS|__GFP_ZERO
            ping-668     [000] b....    23.259287: net_dev_queue: dev=lo skbaddr=(____ptrval____) len=1442 net_cookie=7
            ping-668     [000] b....    23.272483: net_dev_xmit: dev=lo skbaddr=(____ptrval____) len=1442 rc=0 net_cookie=7
            ping-668     [000] ..s1.    23.272920: netif_receive_skb: dev=lo skbaddr=(____ptrval____) len=1428 net_cookie=7
            ping-668     [000] ..s1.    23.275057: consume_skb: skbaddr=(____ptrval____) location=icmp_rcv+0x2c9/0x400
            ping-668     [000] ..s1.    23.295831: kfree_skb: skbaddr=(____ptrval____) rx_sk=0000000000000000 protocol=2048 location=ping_rcv+0xaf/0xc0 reason: NO_SOCKET
              nc-671     [001] d..3.    25.477572: mm_page_alloc_zone_locked: page=(____ptrval____) pfn=0x6986 order=0 migratetype=0 percpu_refill=1
            init-1       [000] b....    26.553066: page_pool_state_release: page_pool=(____ptrval____) netmem=(____ptrval____) is_net_iov=0 pfn=0x6d7f release=1`,
};

const head510 = `
#                                _-----=> irqs-off
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| /     delay
#           TASK-PID     CPU#  ||||   TIMESTAMP  FUNCTION
#              | |         |   ||||      |         |
`;
const headSince61 = `
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
`;

describe.each(Object.entries(written))("%s", (release, text) => {
  const { lines, head } = traced(release);
  const real = text.split("\n").filter((line) => line !== "");

  test("each event has the form that the recorded kernel gave it: fields, order, signs, columns", () => {
    const mine = new Map(lines.map((line) => [/: (\w+): /.exec(line)?.[1], form(line)]));
    for (const line of real) {
      const event = /: (\w+): /.exec(line)?.[1];
      expect(mine.get(event), event).toBe(form(line));
    }
    expect(real.length).toBeGreaterThan(5);
  });

  test("columns stand where the kernel's stand", () => {
    const columns = (line: string): number[] => [line.indexOf("["), line.indexOf("]"), line.indexOf(": ")];
    const [first = ""] = real;
    for (const line of lines) expect(columns(line), line).toEqual(columns(first));
    const recorded = release === "5.10-x86_64" ? head510 : headSince61;
    expect(head.split("\n").slice(2)).toEqual(recorded.split("\n").slice(1));
    expect(head.startsWith("# tracer: nop\n#\n")).toBe(true);
  });

  test("read back, each pool has the holds and releases that it had", () => {
    const { lines: all, events } = traced(release);
    const { traces, notes } = readPools("trace", all.join("\n"));
    expect(notes).toEqual([]);
    expect(traces).toHaveLength(2);
    const sum = (pick: (t: (typeof traces)[number]) => number): number => traces.reduce((n, t) => n + pick(t), 0);
    expect(sum((t) => t.holds)).toBe(events.get("page_pool_state_hold"));
    expect(sum((t) => t.releases)).toBe(events.get("page_pool_state_release"));
    expect(sum((t) => t.unknownReleases)).toBe(0);
    for (const t of traces) {
      expect(t.out).toEqual([]);
      expect(t.ended?.inflight).toBe(0);
    }
  });
});

test("a release that was not read says whose forms its trace has; one that was read says nothing", () => {
  const head = (release: string): string => traced(release, 0).head;
  expect(head("6.6-x86_64")).toContain("# forms of 6.1: what 6.6-x86_64 prints was not read\n");
  expect(head("6.12-x86_64")).not.toContain("forms of");
});

test("what is no tracepoint of the kernel is not in the trace, and a packet's card is named", () => {
  const { lines, events } = traced("6.12-x86_64");
  const names = new Set(lines.map((line) => /: (\w+): /.exec(line)?.[1]));
  for (const name of ["warning", "oops", "not_modelled", "allocation_refused", "bad_page", "page_allocation_failure"])
    expect(names.has(name)).toBe(false);
  expect(events.get("netif_receive_skb")).toBe(40);
  const received = lines.filter((line) => line.includes("netif_receive_skb"));
  expect(received).toHaveLength(40);
  for (const line of received) expect(line).toContain("dev=eth0 ");
  for (const line of lines.filter((l) => l.includes("napi poll"))) expect(line).toContain("for device eth0 ");
});
