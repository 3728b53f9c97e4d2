// What a report says together with the facts of its driver: facts that it contradicts are not shown, numbers are those of the MTU that is
// named, a device that the log names narrows a family, and a driver nobody knows gets no promise.
import { describe, expect, test } from "vitest";
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import { createCollector } from "./collect.ts";
import { diagnose } from "./diagnose.ts";
import type { DiagnosedIncident } from "./finding.ts";

async function only(text: string): Promise<DiagnosedIncident> {
  const collector = createCollector();
  async function* inputs() {
    yield { source: sourceOf("log", text), named: true };
  }
  const { incidents } = diagnose(collector.finish(await gather(inputs(), { onWindow: collector.onWindow })));
  const found = incidents.filter((i) => i.kind === "alloc_failure");
  expect(found).toHaveLength(1);
  return found[0]!;
}

const softirq = [
  "__napi_poll+0x2b/0x170",
  "net_rx_action+0x233/0x2f0",
  "__do_softirq+0xc7/0x2ac",
  "irq_exit+0x9e/0xc0",
];
const report = (release: string, order: number, frames: readonly string[]): string =>
  [
    `swapper/1: page allocation failure: order:${order}, mode:0xa20(GFP_ATOMIC), nodemask=(null),cpuset=/,mems_allowed=0`,
    `CPU: 1 PID: 0 Comm: swapper/1 Not tainted ${release} #1`,
    "Call Trace:",
    " <IRQ>",
    " dump_stack_lvl+0x34/0x48",
    " warn_alloc+0x138/0x160",
    " __alloc_pages_slowpath.constprop.0+0xb3/0xe0",
    " __alloc_pages+0x2d2/0x9e0",
    ...frames.map((f) => ` ${f}`),
    " </IRQ>",
    " <TASK>",
    " asm_common_interrupt+0x22/0x40",
    " start_secondary+0x12a/0x150",
    " </TASK>",
  ]
    .map((line, i) => `[  100.${String(i).padStart(6, "0")}] ${line}`)
    .join("\n");
const skb = [
  "__kmalloc_large_node+0x7c/0x100",
  "kmalloc_reserve+0x44/0xa0",
  "__alloc_skb+0xc8/0x1b0",
  "__netdev_alloc_skb+0x48/0x1a0",
];
const finding = (i: DiagnosedIncident, id: string) => i.findings.find((f) => f.id === id);

describe("a driver's facts and the report", () => {
  test("an order that the facts do not give is another build's: no table, and the MTU is the first thing to look at", async () => {
    const i = await only(
      report("6.1.21", 2, [
        ...skb,
        "bcmgenet_rx_refill+0x40/0x1d0 [genet]",
        "bcmgenet_rx_poll+0x15c/0x5d0 [genet]",
        ...softirq,
      ]),
    );
    expect([i.driver, i.direction, i.mtuTable]).toEqual(["bcmgenet", "rx refill", null]);
    expect(finding(i, "mtu.order_zero")?.answer).toBe("unknown");
    expect(finding(i, "mtu.order_zero")?.advice[0]?.change).toEqual({ kind: "mtu", mtu: 1500 });
  });

  test("an order that they do give keeps the table: igb's half pages on 6.1", async () => {
    const i = await only(
      report("6.1.21", 0, [
        "igb_alloc_rx_buffers+0x1d6/0x270 [igb]",
        "igb_clean_rx_irq+0x3f4/0x850 [igb]",
        "igb_poll+0x76/0x190 [igb]",
        ...softirq,
      ]),
    );
    expect(i.mtuTable?.driver).toBe("igb");
    expect(i.severity).toBe("harmless");
  });

  test("a chip of the same driver with other buffers is no contradiction: r8152 asks order 2, 3 or 4", async () => {
    for (const order of [2, 3, 4]) {
      const i = await only(
        report("6.1.21", order, ["alloc_rx_agg+0x60/0x158 [r8152]", "r8152_poll+0x304/0x7b8 [r8152]", ...softirq]),
      );
      expect(i.wanted, String(order)).toMatch(order === 2 ? /16 KiB/ : order === 3 ? /32 KiB/ : /48 KiB/);
    }
    const five = await only(
      report("6.1.21", 5, ["alloc_rx_agg+0x60/0x158 [r8152]", "r8152_poll+0x304/0x7b8 [r8152]", ...softirq]),
    );
    expect(five.mtuTable).toBeNull();
  });

  test("of a large buffer of any driver the MTU is named; of a single page it is not", async () => {
    const frames = (order: number) =>
      report("6.1.21", order, [...skb, "foo_rx_alloc+0x8d/0x180 [foo]", "foo_poll+0x10/0x20 [foo]", ...softirq]);
    expect(finding(await only(frames(1)), "mtu.large_buffer")?.claim).toMatch(/jumbo/);
    expect(finding(await only(frames(0)), "mtu.large_buffer")).toBeUndefined();
  });

  test("a driver that nobody knows gets no promise that one packet is all that is lost", async () => {
    const i = await only(
      report("6.1.21", 0, [...skb, "foo_rx_alloc+0x8d/0x180 [foo]", "foo_poll+0x10/0x20 [foo]", ...softirq]),
    );
    expect([i.driver, i.severity]).toEqual(["foo", "watch"]);
  });

  test("a device that the log names narrows a family to its driver, with the setting that makes its buffers smaller", async () => {
    const frames = (order: number, device: string) =>
      `[    3.000000] ${device} 1-1.1:1.0: eth0: register '${device}' at usb-1\n${report("3.2.27", order, [
        "cache_alloc_refill+0x2b4/0x560",
        "__kmalloc+0xcc/0xdc",
        "__alloc_skb+0x48/0xe8",
        "rx_submit+0x24/0x1fc",
        "usbnet_bh+0x100/0x200",
        "tasklet_action+0x60/0xd0",
        ...softirq.slice(2),
      ])}`;
    const named = await only(frames(3, "smsc95xx"));
    expect(named.wanted).toMatch(/smsc95xx/);
    expect(named.wanted).not.toMatch(/cdc_ncm/);
    expect(finding(named, "wanted.object")?.advice[0]?.command).toMatch(/turbo_mode=N/);
  });
});
