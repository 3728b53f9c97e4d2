// One-line messages: which are about memory, what their numbers mean, and which advice names the right setting.
import { describe, expect, test } from "vitest";
import { messageLines } from "../../kernel/facts/messages.ts";
import { explain } from "../explain.ts";
import type { DiagnosedIncident, Finding } from "../finding.ts";

const one = async (text: string): Promise<DiagnosedIncident> => {
  const d = await explain({ log: text });
  expect(d.incidents).toHaveLength(1);
  return d.incidents[0] as DiagnosedIncident;
};
const finding = (i: DiagnosedIncident, id: string): Finding | undefined => i.findings.find((f) => f.id === id);

test.each(messageLines.map((m) => [m.example] as const))(
  "%s has a cause, a meaning and a consequence of its own",
  async (example) => {
    const i = await one(`[  100.000000] ${example}\n`);
    expect(i.cause.length).toBeGreaterThan(30);
    expect(i.cause).not.toMatch(/undefined|NaN/);
    if (i.kind === "driver_line") expect(finding(i, "driver_line.meaning")?.answer).toBe("yes");
    expect(finding(i, "judgement.harmless")?.evidence).toHaveLength(1);
  },
);

describe("a kevent is read with the table of its number", () => {
  test.each([
    ["smsc95xx 1-1:1.0 eth0", 2, "watch", undefined],
    ["smsc95xx 1-1:1.0 eth0", 0, "watch", "no"],
    ["smsc95xx 1-1:1.0 eth0", 1, "watch", "no"],
    ["cdc_ether 2-1.3:2.0 eth1", 4, "harmless", "no"],
    ["cdc_ether 2-1.3:2.0 eth1", 11, "harmless", "no"],
    ["lan78xx 1-1:1.0 eth0", 6, "harmless", "no"],
    ["cdc_ncm 1-1.2:1.6 wwan0", 99, "harmless", "no"],
  ])("%s %i: %s", async (who, event, severity, memory) => {
    const i = await one(`${who}: kevent ${event} may have been dropped\n`);
    expect(i.severity).toBe(severity);
    expect(finding(i, "driver_line.memory")?.answer).toBe(memory);
  });
});

describe("TCP's own limits name their settings", () => {
  test.each([
    ["TCP: out of memory -- consider tuning tcp_mem", /net\.ipv4\.tcp_mem/, /tcp_max_orphans/],
    ["TCP: too many orphaned sockets", /tcp_max_orphans/, /sysctl net\.ipv4\.tcp_mem/],
    ["Out of socket memory", /tcp_max_orphans[\s\S]*tcp_mem/, /kernel log/],
  ])("%s", async (text, named, other) => {
    const i = await one(`${text}\n`);
    const commands = (finding(i, "driver_line.meaning")?.advice ?? []).map((a) => a.command ?? "").join("\n");
    expect(commands).toMatch(named);
    expect(commands).not.toMatch(other);
    expect(i.severity).toBe("act");
  });
});

describe("the size of a buffer goes the way of its release", () => {
  const banner = (release: string): string =>
    `[    0.000000] Linux version ${release} (builder@host1) (gcc version 7.3.0) #0 Sat May 16 18:32:20 2020\n`;
  const line = "[ 1862.570361] ath: skbuff alloc of size 1974 failed\n";
  test("since 3.5 from a page fragment: no cache has a part in it", async () => {
    expect(finding(await one(banner("4.14.180") + line), "driver_line.size")?.claim).toMatch(
      /page fragment.*No slab cache/,
    );
  });
  test("before, from kmalloc; which cache needs the machine", async () => {
    expect(finding(await one(banner("2.6.32") + line), "driver_line.size")?.answer).toBe("unknown");
    expect(finding(await one(banner("2.6.32-5-amd64") + line), "driver_line.size")?.claim).toMatch(
      /come from (?:kmalloc|size)-4096/,
    );
  });
  test("without a release nothing is computed", async () => {
    expect(finding(await one(line), "driver_line.size")?.answer).toBe("unknown");
  });
});

describe("kmemleak's records are a census by stack", () => {
  const record = (address: string, hand: string): string => `unreferenced object 0x${address} (size 176):
  comm "softirq", pid 0, jiffies 874518 (age 39797.180s)
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 d8 79 b4 00 00 00 00  ..........y.....
  backtrace:
    [<db841d9f>] kmem_cache_alloc+0xe0/0x1f4
    [<a2e2b9fa>] __build_skb+0x2c/0x60
    [<c13a28b3>] __netdev_alloc_skb+0xd8/0x178
    [<49de749a>] ${hand}+0x38/0x210
`;
  test("records of one hand are one cause, counted; another hand is another", async () => {
    const text =
      record("b5971f00", "ftgmac100_poll") + record("b5972f00", "ftgmac100_poll") + record("b5973f00", "tcp_sendmsg");
    const d = await explain({ log: text });
    expect(d.incidents.map((i) => [i.title, i.count])).toEqual([
      ["Packets of ftgmac100_poll: a leak is suspected", 2],
      ["Packets of tcp_sendmsg: a leak is suspected", 1],
    ]);
  });
  test("the extension of a packet is not a packet, and who made it is not its allocator", async () => {
    const i = await one(`unreferenced object 0xffff88801bde2e80 (size 40):
  backtrace:
    [<000000004fca31f6>] __skb_ext_alloc+0x19/0x80 net/core/skbuff.c:6172
    [<0000000083fa8328>] skb_ext_add+0x219/0x480 net/core/skbuff.c:6267
    [<000000005e11c172>] tcp_send_synack+0x5da/0x1470 net/ipv4/tcp_output.c:3481
`);
    expect(i.cause).toMatch(
      /the extension of a packet \(skb_ext\) of 40 bytes that tcp_send_synack allocated, so it suspects/,
    );
  });
  test("a record without its stack names nobody", async () => {
    expect((await one("unreferenced object 0xb5971f00 (size 176):\n")).cause).toMatch(/does not say/);
  });
});

describe("a device that cannot be unregistered", () => {
  const waiting = (usage: number): string =>
    `[ 8123.456789] unregister_netdevice: waiting for lo to become free. Usage count = ${usage}\n`;
  test.each([
    // net/core/dev.c netdev_wait_allrefs(): 5.10.223 waits for 0; netdev_wait_allrefs_any() of 6.1.192 for 1, the device's own.
    [1, /still holds a reference to it/],
    [2, /still has 2 references.*Up to 5\.10 each of them is somebody's; in 6\.1 and later one is the device's own/],
    [0, /is 0: more were dropped than were taken/],
    [-1, /is -1: more were dropped than were taken/],
  ])("a count of %i", async (usage, said) => {
    expect((await one(waiting(usage))).cause).toMatch(said);
  });
  test("who holds it is told where the tracker printed it, and nobody is advised to turn the tracker on", async () => {
    const i = await one(`${waiting(2)}[ 8123.456799] ref_tracker: lo@ffff8880111805f0 has 1/1 users at
[ 8123.456799]      __netdev_tracker_alloc include/linux/netdevice.h:4020 [inline]
[ 8123.456799]      netdev_hold include/linux/netdevice.h:4049 [inline]
[ 8123.456799]      dst_init+0xe0/0x520
[ 8123.456799]      dst_alloc+0x16b/0x1f0
`);
    expect(i.findings.map((f) => f.claim).join(" ")).toMatch(/dst_init, called by dst_alloc \(1 reference\)/);
    expect(
      i.findings
        .flatMap((f) => f.advice)
        .map((a) => a.action)
        .join(" "),
    ).not.toMatch(/REFCNT_TRACKER/);
  });
});

test.each([
  [
    "8390 eth0: Couldn't allocate a sk_buff of size 1514",
    "watch",
    /^The packet in hand is dropped and its buffer goes back/,
  ],
  ["ena 0000:00:05.0 ens5: Refilled rx qid 3 with only 12 buffers (from 64)", "watch", /^The slot stays empty and is/],
  ["jme 0000:05:00.0 eth0: Allocating resources for RX error, Device STOPPED!", "act", /^The device stops receiving/],
  ["enic 0000:01:00.0 eth0: Unable to alloc receive buffers", "act", /^The interface does not come up/],
  ["pcnet32 eth0: netdev_alloc_skb failed", "watch", /^The line does not say what the driver does/],
  ["my_driver 0000:01:00.0: failed to allocate rx skb", "watch", /^The line does not say what the driver does/],
  ["my_driver 0000:01:00.0: failed to allocate rx skb, dropping packet", "watch", /^One packet was lost each time/],
  ["smsc95xx 1-1.1:1.0 eth0: kevent 0 may have been dropped", "watch", /^An endpoint that stalls again and again/],
  ["smsc95xx 1-1.1:1.0 eth0: kevent 1 may have been dropped", "watch", /^An endpoint that stalls again and again/],
  ["smsc95xx 1-1.1:1.0 eth0: kevent 2 may have been dropped", "watch", /^The receive side runs with fewer buffers/],
  ["smsc95xx 1-1.1:1.0 eth0: kevent 3 may have been dropped", "harmless", /^Harmless by itself: the worker runs once/],
])("%s: what follows", async (line, severity, says) => {
  const i = await one(`[  100.000000] ${line}\n`);
  expect(i.severity).toBe(severity);
  expect(finding(i, "judgement.harmless")?.claim).toMatch(says);
});

test.each([
  ["failed to allocate rx skb, dropping packet", /^The packet in hand was dropped\. Only the line/],
  ["failed to allocate rx skb", /^Only the line of the driver is there/],
])("my_driver: %s: what it says", async (line, says) => {
  const i = await one(`[  100.000000] my_driver 0000:01:00.0: ${line}\n`);
  expect(finding(i, "driver_line.meaning")?.claim).toMatch(says);
});

test.each([
  ["-12", / -12 \(ENOMEM\): memory could not be had\.$/, /^The receive queue cannot be set up/, undefined],
  ["-22", / -22 \(EINVAL\): the parameters do not fit/, /^An unknown flag/, "no"],
  ["-7", / -7 \(E2BIG\): the ring is too large\.$/, /^The receive queue cannot be set up/, "no"],
  ["-1", /got error -1\.$/, /^The receive queue cannot be set up/, "no"],
])("a pool that was refused with error %s", async (errno, cause, meaning, memory) => {
  const i = await one(`[  100.000000] page_pool_create_percpu() gave up with errno ${errno}\n`);
  expect(i.cause).toMatch(cause);
  expect(finding(i, "driver_line.meaning")?.claim).toMatch(meaning);
  expect(finding(i, "driver_line.memory")?.answer).toBe(memory);
});
