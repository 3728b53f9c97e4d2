// Faults as other architectures and older kernels print them: excerpts of public reports, each with its place.
import { describe, expect, test } from "vitest";
import type { Incident, IncidentKind, IncidentOf } from "../../../kernel/readings/incident.ts";
import { repairText } from "../lines.ts";
import { readIncidents } from "./read_incidents.ts";

const read = (text: string): ReturnType<typeof readIncidents> => readIncidents(repairText(text.replace(/^\n/, "")));
const first = <K extends IncidentKind>(text: string, kind: K): IncidentOf<K> => {
  const incident = read(text).incidents.find((i: Incident) => i.kind === kind);
  if (incident === undefined) throw new Error(`no ${kind} in ${text}`);
  return incident as unknown as IncidentOf<K>;
};

describe("faults on other machines", () => {
  const oops = (text: string): IncidentOf<"oops"> => first(text, "oops");

  test("arm of 3.6: PC, LR, the process from its own line, the release behind Not tainted (raspberrypi/linux#341)", () => {
    const text = `
[   39.133751] Unable to handle kernel NULL pointer dereference at virtual address 0000000d
[   39.145991] pgd = c5c54000
[   39.152605] [0000000d] *pgd=05c4e831, *pte=00000000, *ppte=00000000
[   39.162959] Internal error: Oops: 17 [#1] PREEMPT ARM
[   39.171808] Modules linked in: smsc95xx usbnet mii
[   39.182955] CPU: 0    Not tainted  (3.6.11-yem #2)
[   39.191517] PC is at tcp_v4_early_demux+0xa8/0x148
[   39.200104] LR is at __inet_lookup_established+0x264/0x2e4
[   39.209357] pc : [<c026ace8>]    lr : [<c0251b60>]    psr: a0000113
[   39.228344] r10: c5c52030  r9 : c037ebcc  r8 : c5fb9280
[   39.257968] Flags: NzCv  IRQs on  FIQs on  Mode SVC_32  ISA ARM  Segment user
[   39.278498] Process httpd (pid: 132, stack limit = 0xc5c52268)
[   39.288161] Stack: (0xc5c53b50 to 0xc5c54000)
[   39.300000] [<c026ace8>] (tcp_v4_early_demux+0xa8/0x148) from [<c024f0c8>] (ip_rcv_finish+0x100/0x324)
`;
    expect(oops(text).reading).toMatchObject({
      class: "null dereference",
      address: "0000000d",
      dieCounter: 1,
      at: { function: "tcp_v4_early_demux", offset: 0xa8 },
      link: { function: "__inet_lookup_established" },
      process: { comm: "httpd", pid: 132, release: "3.6.11-yem" },
      modules: "smsc95xx usbnet mii",
      trace: { form: "arm" },
    });
    expect(read(text).incidents).toHaveLength(1);
    expect(read(text).notes).toEqual([]);
  });

  test("mips: skb_over_panic is followed by a bug without file and line, epc says where (openwrt/mt76#8)", () => {
    const text = `
<0>[90064.190000] skbuff: skb_over_panic: text:872d0998 len:1832 put:1832 head:872e5800 data:872e5820 tail:0x872e5f48 end:0x872e5f40 dev:<NULL>
<4>[90064.210000] Kernel bug detected[#1]:
<4>[90064.210000] CPU: 0 PID: 0 Comm: swapper Not tainted 3.18.17 #1
<4>[90064.210000] task: 8032ec90 ti: 80328000 task.ti: 80328000
<4>[90064.210000] $ 0   : 00000000 00000001 0000007d 00000000
<4>[90064.210000] epc   : 801e388c skb_panic+0x58/0x5c
<4>[90064.210000]     Not tainted
<4>[90064.210000] ra    : 801e388c skb_panic+0x58/0x5c
<4>[90064.210000] Status: 1100f403      KERNEL EXL IE
`;
    const panic = first(text, "skb_panic");
    expect(panic.reading).toMatchObject({
      what: "skb_over_panic",
      len: 1832,
      tail: "872e5f48",
      end: "872e5f40",
      oops: { dieCounter: 1, at: { function: "skb_panic", offset: 0x58 }, process: { release: "3.18.17" } },
    });
    expect(read(text).incidents).toHaveLength(1);
  });

  test("arm64 names the fault's class over several lines (openwrt/mt76#565)", () => {
    const text = `
<1>[283993.888652] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000053
<1>[283993.897523] Mem abort info:
<1>[283993.900423]   ESR = 0x96000005
<1>[283993.903555]   EC = 0x25: DABT (current EL), IL = 32 bits
<1>[283993.912166]   EA = 0, S1PTW = 0
<1>[283993.915382] Data abort info:
<1>[283993.918390]   ISV = 0, ISS = 0x00000005
<1>[283993.925388] user pgtable: 4k pages, 39-bit VAs, pgdp=00000000428db000
<1>[283993.931911] [0000000000000053] pgd=0000000000000000, p4d=0000000000000000, pud=0000000000000000
<0>[283993.940786] Internal error: Oops: 96000005 [#1] SMP
<4>[283994.000000] CPU: 1 PID: 12 Comm: ksoftirqd/1 Not tainted 5.4.111 #0
<4>[283994.000001] pc : kfree_skb+0x20/0xb8
<4>[283994.000002] lr : mt76_tx_status_skb_add+0x1b0/0x230 [mt76]
<4>[283994.000003] Call trace:
<4>[283994.000004]  kfree_skb+0x20/0xb8
`;
    expect(oops(text).reading).toMatchObject({
      class: "null dereference",
      address: "0000000000000053",
      at: { function: "kfree_skb", offset: 0x20 },
      link: { function: "mt76_tx_status_skb_add", module: "mt76" },
    });
    expect(read(text).notes).toEqual([]);
  });

  test("x86 of 3.12: IP before the registers, a module in brackets (ipt-netflow#27)", () => {
    const text = `
[6437762.553311] BUG: unable to handle kernel NULL pointer dereference at           (null)
[6437762.553582] IP: [<ffffffffa009e8fa>] netflow_target+0x8aa/0x1210 [ipt_NETFLOW]
[6437762.553835] PGD a7af67067 PUD ab8150067 PMD 0
[6437762.553972] Oops: 0000 [#1] SMP
[6437762.554801] CPU: 7 PID: 0 Comm: swapper/7 Tainted: G           O 3.12.21-1gb-mb #1
`;
    expect(oops(text).reading).toMatchObject({
      class: "null dereference",
      at: { function: "netflow_target", module: "ipt_NETFLOW" },
      oops: "Oops: 0000 [#1] SMP",
      process: { release: "3.12.21-1gb-mb" },
    });
  });

  test("i386 of 2.6: EIP names the place and the release", () => {
    const text = `
Unable to handle kernel NULL pointer dereference at virtual address 00000018
 printing eip:
c02a1b2c
*pde = 00000000
Oops: 0000 [#1]
Modules linked in: e1000 ipv6
CPU:    0
EIP:    0060:[<c02a1b2c>]    Not tainted VLI
EFLAGS: 00010246   (2.6.18-6-686 #1)
EIP is at kfree_skb+0xc/0x40
eax: 00000000   ebx: c7a3a000   ecx: 00000000   edx: 00000000
Process swapper (pid: 0, threadinfo=c0398000 task=c0330b60)
Call Trace:
 [<c02b1234>] e1000_clean_tx_irq+0x124/0x2f0 [e1000]
`;
    expect(oops(text).reading).toMatchObject({
      address: "00000018",
      at: { function: "kfree_skb", offset: 0xc },
      process: { comm: "swapper", pid: 0, release: "2.6.18-6-686" },
    });
    expect(read(text).incidents).toHaveLength(1);
  });

  test("a list of modules that ran over its record", () => {
    const incident = oops(
      "WARNING: CPU: 0 PID: 0 at mm/slub.c:3843 ksize+0xe0/0xf8\nModules linked in: a b(O)\n c d(E) [last unloaded: tempesta_db]\nCPU: 0 PID: 0 Comm: swapper/0 Not tainted 4.14.32 #0\n",
    );
    expect(incident.reading).toMatchObject({
      class: "warning",
      source: { file: "mm/slub.c", line: 3843 },
      at: { function: "ksize" },
      modules: "a b(O) c d(E) [last unloaded: tempesta_db]",
    });
  });
});

test("the crash utility's bt below its summary: the process, the place of the exception, the frames with their modules", () => {
  const { reading } = first(
    `
       PANIC: "BUG: unable to handle kernel NULL pointer dereference at 0000000000000028"
         PID: 17
     COMMAND: "ksoftirqd/1"
crash> bt
PID: 17     TASK: ffff8801b9a35080  CPU: 1   COMMAND: "ksoftirqd/1"
 #0 [ffff8801b9a43890] machine_kexec at ffffffff81051beb
 #8 [ffff8801b9a43b10] page_fault at ffffffff8163dd88
    [exception RIP: skb_release_data+89]
    RIP: ffffffff8151d2a9  RSP: ffff8801b9a43bc8  RFLAGS: 00010246
 #9 [ffff8801b9a43bc0] skb_release_all at ffffffff8151d2fd
#11 [ffff8801b9a43c08] tg3_tx at ffffffffa01c9c61 [tg3]
#13 [ffff8801b9a43d38] tg3_poll at ffffffffa01d0fcc [tg3]
`,
    "oops",
  );
  expect(reading).toMatchObject({
    class: "null dereference",
    at: { function: "skb_release_data", offset: 89 },
    process: { comm: "ksoftirqd/1", pid: 17, cpu: 1 },
  });
  const frames = reading.trace?.items.flatMap((i) => (i.kind === "frame" ? [[i.function, i.module]] : []));
  expect(frames?.slice(-2)).toEqual([
    ["tg3_tx", "tg3"],
    ["tg3_poll", "tg3"],
  ]);
});
