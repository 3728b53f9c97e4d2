// What the one-line messages of facts/messages.ts mean: which trouble, how bad, what to do. A message with a number in it is read with the
// table of that number.

import { grouped } from "../base/grouped.ts";
import type { AfterRefusal } from "../kernel/facts/drivers/refill_messages.ts";
import type { MessageId } from "../kernel/facts/messages.ts";
import { afterRefusal, messageLines } from "../kernel/facts/messages.ts";
import type { DriverLine } from "../kernel/readings/incident.ts";
import { dmaComplaint } from "./dma_debug.ts";
import type { Advice, MessageSaid } from "./finding.ts";
import { netdeviceWaiting } from "./netdevice_waiting.ts";
import { isPlumbing } from "./plumbing.ts";
import { poolBelowZero } from "./pool_below_zero.ts";
import { size } from "./words.ts";

const look = (action: string, changes: string, command: string): Advice => ({
  change: { kind: "evidence" },
  action,
  changes,
  costs: "nothing",
  command,
});
const code = (action: string, changes: string, costs: string, command?: string): Advice => ({
  change: { kind: "code" },
  action,
  changes,
  costs,
  ...(command === undefined ? {} : { command }),
});

/** Events of usbnet by number (include/linux/usb/usbnet.h; drivers/net/usb/lan78xx.c has the same up to 5). */
const kevents: readonly string[] = [
  "TX_HALT: the transmit endpoint stalled",
  "RX_HALT: the receive endpoint stalled",
  "RX_MEMORY: a receive buffer could not be had",
  "STS_SPLIT: a status message came in pieces",
  "LINK_RESET: the link is to be set up again",
  "RX_PAUSED: receiving was paused",
  "DEV_ASLEEP: the device sleeps",
  "DEV_OPEN: the device was opened",
  "DEVICE_REPORT_IDLE: the device reports that it is idle",
  "NO_RUNTIME_PM: the device cannot be put to sleep",
  "RX_KILL: the receive side is being shut",
  "LINK_CHANGE: the link went up or down",
  "SET_RX_MODE: the receive filter was changed",
];
/** The numbers that lan78xx shares with usbnet. */
const lan78xxEvents = 6;

type Reader = (text: string, groups: readonly (string | undefined)[], line: DriverLine) => MessageSaid;

const oneLine =
  "Only the line of the driver is there; the kernel's own page allocation failure would say which order, which mask and why.";
/** Its command is that of the release, where the case knows it (log_command.ts). */
export const failureSearch = look(
  "Look for the page allocation failure that belongs to it",
  "names the order, the mask and the state of memory",
  "journalctl -k --no-pager | grep -B2 -A60 'page allocation failure'",
);

/** What the driver's source says of the packet and the ring behind such a line. */
const afterwards: Readonly<Record<Exclude<AfterRefusal, "not read">, string>> = {
  "packet dropped": "The packet in hand is dropped and its buffer goes back: the ring stays full.",
  "tried again":
    "The slot stays empty and is tried again at the next poll: packets are lost only while the ring is empty.",
  "receiving stops": "The device stops receiving: the interface is dead until it is brought down and up again.",
  "not opened": "The interface does not come up without its buffers.",
};

const buffer: Reader = (text, _, line) => {
  const after = afterRefusal(text);
  const known = after === undefined || after === "not read" ? undefined : afterwards[after];
  const dropped = /drop/.test(text);
  return {
    key: `buffer:${line.source ?? text.replace(/\d+/g, "N")}`,
    title: `${line.source ?? "A driver"} got no buffer`,
    cause: `${line.source ?? "A driver"} says that it could not get${line.bytes === undefined ? " memory for a packet" : ` ${size(line.bytes)} for a packet`}; the kernel's own report is not in the text.`,
    meaning: dropped ? `The packet in hand was dropped. ${oneLine}` : oneLine,
    severity: after === "receiving stops" || after === "not opened" ? "act" : "watch",
    consequence:
      known !== undefined
        ? known
        : dropped
          ? "One packet was lost each time; the line does not say what the driver does with its ring afterwards."
          : "The line does not say what the driver does without the buffer: some try again, some keep a hole in their ring.",
    memory: "refused",
    advice: [failureSearch],
  };
};

const kevent: Reader = (text, [number], line) => {
  const event = Number(number);
  const lan = /lan78xx/.test(line.source ?? text);
  const name = lan && event >= lan78xxEvents ? undefined : kevents[event];
  const what = name ?? `event ${event}, which the tables here do not have`;
  const who = line.source ?? "A USB network driver";
  if (event === 2)
    return {
      key: `kevent:${who}:2`,
      title: `${who} got no receive buffer`,
      cause: `${who} says that it could not get memory for a receive buffer, and that the work which retries was already queued.`,
      meaning: `Event 2 is ${what} (include/linux/usb/usbnet.h). ${oneLine}`,
      severity: "watch",
      consequence: "The receive side runs with fewer buffers until the work has run; packets may be lost meanwhile.",
      memory: "refused",
      advice: [failureSearch],
    };
  const halted = what.includes("_HALT");
  return {
    key: `kevent:${who}:${event}`,
    title: `${who}: event ${event} was queued already`,
    cause: `${who} wanted its worker for event ${event} (${what}) while the worker was queued for it already. This is not about memory.`,
    meaning: `Event ${event} is ${what}. Only event 2 (RX_MEMORY) has to do with memory.`,
    severity: halted ? "watch" : "harmless",
    consequence: halted
      ? "An endpoint that stalls again and again points to the cable, the power or the USB host, not to memory."
      : "Harmless by itself: the worker runs once for both.",
    memory: "none",
    advice: halted
      ? [
          look(
            "Look for errors of the USB bus around it",
            "shows a bad cable, hub or power supply",
            "journalctl -k | grep -iE 'usb [0-9-]+|xhci|dwc|over-current'",
          ),
        ]
      : [],
  };
};

const tcpMemory: Advice = {
  change: { kind: "evidence" },
  action: "Compare what TCP uses with its limit, then raise net.ipv4.tcp_mem if the machine has the memory",
  changes: "TCP may hold more pages in the buffers of its sockets",
  costs: "memory that nothing else can use; readers that do not read fill any limit",
  command: "grep TCP: /proc/net/sockstat; sysctl net.ipv4.tcp_mem   # both in pages",
};
const orphans: Advice = {
  change: { kind: "evidence" },
  action:
    "Count the sockets that no process owns any more, then raise net.ipv4.tcp_max_orphans or shorten net.ipv4.tcp_orphan_retries",
  changes: "closed connections whose data are still under way are not reset",
  costs: "up to 64 KiB of unswappable memory for each orphan",
  command: "grep TCP: /proc/net/sockstat; sysctl net.ipv4.tcp_max_orphans net.ipv4.tcp_orphan_retries",
};

const limitReached =
  "A limit of the network was reached, not the end of memory: connections or packets beyond it are refused.";

const verdicts: Readonly<Record<MessageId, Reader>> = {
  buffer,
  kevent,
  "ring shortened": (text, _, line) => ({
    key: `ring:${line.source ?? "driver"}`,
    title: `${line.source ?? "A driver"} runs with a shorter ring`,
    cause: "A ring could not be filled as far as the driver wanted; it goes on with fewer buffers.",
    meaning: `The line gives both numbers: "${text.slice(0, 160)}".`,
    severity: "watch",
    consequence: "Bursts that are longer than the shorter ring lose packets, until the interface is set up again.",
    memory: "refused",
    advice: [failureSearch],
  }),
  "hash from vmalloc": () => ({
    key: "hash from vmalloc",
    title: "A hash table came from vmalloc",
    cause: "No contiguous block was large enough for a table; it was taken from vmalloc instead.",
    meaning: "It works the same; a lookup may cost one more TLB miss.",
    severity: "harmless",
    consequence: "Harmless: the table was allocated.",
    memory: "refused",
    advice: [],
  }),
  "tcp memory": () => ({
    key: "tcp memory",
    title: "TCP reached its memory limit",
    cause:
      "TCP holds more pages in its sockets' buffers than net.ipv4.tcp_mem allows: a limit of TCP, not the end of the machine's memory.",
    meaning:
      "tcp_check_oom() compares the pages of all TCP sockets with the third value of net.ipv4.tcp_mem (net/ipv4/tcp.c, since 3.3); the socket is reset.",
    severity: "act",
    consequence: "Act on it: connections are being reset.",
    memory: "limit",
    advice: [tcpMemory],
  }),
  "tcp orphans": () => ({
    key: "tcp orphans",
    title: "Too many orphaned TCP sockets",
    cause:
      "There are more orphaned sockets (without a process) than net.ipv4.tcp_max_orphans allows (or than half of it, for a peer that does not answer): a limit of TCP, not the end of memory.",
    meaning: "tcp_check_oom() since 3.3 tells this from net.ipv4.tcp_mem; the socket is reset.",
    severity: "act",
    consequence: "Act on it: connections that were closed are being reset, and their last data are lost.",
    memory: "limit",
    advice: [orphans],
  }),
  "socket memory": () => ({
    key: "socket memory",
    title: "Out of socket memory",
    cause:
      "TCP reached one of two limits of its own: net.ipv4.tcp_max_orphans or net.ipv4.tcp_mem. The line does not say which, and it does not say that the machine was out of memory.",
    meaning:
      "tcp_out_of_resources() of 3.2 and earlier prints the same words for too many orphaned sockets and for TCP memory above its limit (net/ipv4/tcp_timer.c); orphans are more common.",
    severity: "act",
    consequence: "Act on it: connections are being reset.",
    memory: "limit",
    advice: [orphans, tcpMemory],
  }),
  "fragment queue": () => ({
    key: "fragment queue",
    title: "No memory to reassemble a packet",
    cause: "All fragments of an IP packet had arrived, but there was no memory to join them: the packet was dropped.",
    meaning: "The request is one packet head, allocated without waiting.",
    severity: "watch",
    consequence: "One packet was lost: what was in it is sent again only if it was TCP's, or if the program does so.",
    memory: "refused",
    advice: [failureSearch],
  }),
  "conntrack full": () => ({
    key: "conntrack full",
    title: "The connection tracking table is full",
    cause:
      "As many connections are tracked as net.netfilter.nf_conntrack_max allows; packets of new ones are dropped. A limit, not the end of memory.",
    meaning: "__nf_conntrack_alloc() refuses an entry above the limit (net/netfilter/nf_conntrack_core.c).",
    severity: "act",
    consequence: "Act on it: new connections are refused while it lasts.",
    memory: "limit",
    advice: [
      look(
        "Compare the number of entries with the limit, then raise net.netfilter.nf_conntrack_max or track less",
        "new connections are tracked again",
        "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
      ),
    ],
  }),
  "neighbour overflow": () => ({
    key: "neighbour overflow",
    title: "The neighbor table is full",
    cause:
      "More neighbors (ARP or NDP entries) are known than gc_thresh3 allows: packets to new ones are dropped. A limit, not the end of memory.",
    meaning: "neigh_alloc() refuses an entry above net.ipv4.neigh.default.gc_thresh3.",
    severity: "act",
    consequence: limitReached,
    memory: "limit",
    advice: [
      look(
        "Count the neighbors and compare with the limit",
        "shows a too large flat network, a scan, or a limit that is too small",
        "ip -s neigh | wc -l; sysctl net.ipv4.neigh.default.gc_thresh3 net.ipv6.neigh.default.gc_thresh3",
      ),
    ],
  }),
  "dst overflow": () => ({
    key: "dst overflow",
    title: "The route cache is full",
    cause:
      "More routes are held than net.ipv4.route.max_size allows: they are not released, or there are too many peers.",
    meaning: "Every packet in flight holds a route; packets that are never freed keep theirs.",
    severity: "act",
    consequence: limitReached,
    memory: "limit",
    advice: [
      look(
        "See whether the number only ever grows",
        "tells a leak of packets from many peers",
        "grep -E 'ip_dst_cache|skbuff' /proc/slabinfo; sysctl net.ipv4.route.max_size",
      ),
    ],
  }),
  "swiotlb full": (_, [sz, total, used, asked]) => {
    const bytes = sz ?? asked;
    const told = used !== undefined;
    // A slot has 2 KiB (IO_TLB_SHIFT, include/linux/swiotlb.h).
    const words = told
      ? `${grouped(Number(used))} of ${grouped(Number(total))} slots of 2 KiB are taken (${size(Number(total) * 2048)} in all)`
      : "the line does not say how many slots were taken";
    const contiguous = told && Number(used) < Number(total) / 2;
    const left = told && Number(used) < Number(total) ? "has no free stretch of that length" : "has none left";
    return {
      key: "swiotlb full",
      title: "The bounce buffers are full",
      cause: `A device that cannot reach all memory needs a bounce buffer${bytes === undefined ? "" : ` of ${size(Number(bytes))}`}, and the swiotlb ${left}: ${words}.`,
      meaning: contiguous
        ? "Most slots are free, but not that many in a row; one mapping can take at most 128 slots (256 KiB)."
        : "Mappings that are never unmapped fill it too: a driver that leaks them, or a queue that holds many packets.",
      severity: "act",
      consequence:
        "Act on it: the packet, the buffer or the request could not be given to the device; drivers that do not check the mapping may hang.",
      memory: "limit",
      advice: [
        {
          change: { kind: "memory" },
          action: "Give it more slots, or let the device reach all memory (an IOMMU, a 64-bit DMA mask)",
          changes: "more mappings fit at a time",
          costs: "a reboot; memory that nothing else can use",
          command:
            "cat /sys/kernel/debug/swiotlb/io_tlb_used; swiotlb=65536 on the kernel command line (slots of 2 KiB)",
        },
      ],
    };
  },
  "iommu full": (_, [pages]) => ({
    key: "iommu full",
    title: "The IOMMU's window is full",
    cause: `A device needed a mapping${pages === undefined ? "" : ` of ${pages} IOMMU ${pages === "1" ? "page" : "pages"}`} and its window had no room left: the window is too small, or mappings are never unmapped.`,
    meaning: "The memory was there; its address for the device was not.",
    severity: "act",
    consequence: "Act on it: the request could not be given to the device.",
    memory: "limit",
    advice: [
      pages === undefined
        ? look(
            "Make the window larger or use a device that reaches all memory",
            "more mappings fit at a time",
            "iommu=memaper=3 on the kernel command line",
          )
        : look(
            "See which device and driver ask, and whether the number of such lines grows with the traffic or with time",
            "tells a window that is too small (fewer or smaller rings, 64-bit DMA) from mappings that leak",
            "journalctl -k | grep -E 'iommu_alloc failed|DMA window|TCE'",
          ),
    ],
  }),
  "dma debug": (text, _, line) => ({ ...dmaComplaint(text, line.source), memory: "not said" }),
  "netdevice waiting": (_, [device, usage], line) =>
    netdeviceWaiting(device ?? "An interface", usage === undefined ? undefined : Number(usage), line),
  "netdev watchdog": (text) => ({
    key: `watchdog:${/: (\S{1,16}) \(/.exec(text)?.[1] ?? ""}`,
    title: "Transmit queue stopped",
    cause: `A transmit queue made no progress and the driver was told to reset it: "${text.slice(0, 120)}". This is not about a lack of memory.`,
    meaning:
      "The hardware, its interrupt, its firmware or flow control did not finish what was queued to it. Memory has a part only if the log also shows an allocation failure of the driver.",
    severity: "watch",
    consequence: "The interface stands still until its driver has reset it.",
    memory: "none",
    advice: [
      look(
        "Look at flow control, the driver's own statistics and the firmware",
        "tells a paused link from a hanging adapter",
        "ethtool -S IFACE | grep -iE 'pause|timeout|hang'; ethtool -a IFACE",
      ),
    ],
  }),
  "vm killing": (_, [program]) => ({
    key: `vm killing:${program?.trim() ?? ""}`,
    title: `${program?.trim() ?? "A program"} was killed in a page fault`,
    cause: `A page fault of ${program?.trim() ?? "a program"} found no memory, and the kernel killed it.`,
    meaning:
      "arch/*/mm/fault.c of 2.4 and of 2.6 up to about 2.6.28 prints this. A page fault that fails for another reason may print it too; such an error has a line of its own above.",
    severity: "act",
    consequence: "Act on it: a program was killed.",
    memory: "refused",
    advice: [
      {
        change: { kind: "memory" },
        action: "Give the machine more memory or swap, or run less on it",
        changes: "page faults find a page",
        costs: "memory, or fewer programs",
      },
    ],
  }),
  "kmemleak census": (_, [count]) => ({
    key: "kmemleak census",
    title: "kmemleak suspects leaks",
    cause: `kmemleak found ${count} objects to which nothing points any more; /sys/kernel/debug/kmemleak says what they are.`,
    meaning:
      "Each is a suspicion: a pointer that is kept where the scanner does not look makes a false one. Objects that grow in number with the traffic are real.",
    severity: "watch",
    consequence: "A leak that grows takes the machine's memory in time.",
    memory: "held",
    advice: [
      look(
        "Read the records and hand them to skblab",
        "names who allocated each object",
        "echo scan > /sys/kernel/debug/kmemleak; cat /sys/kernel/debug/kmemleak > kmemleak.txt",
      ),
    ],
  }),
  "unreferenced object": (_, [bytes], line) => {
    const names =
      line.trace === undefined ? [] : line.trace.items.flatMap((i) => (i.kind === "frame" ? [i.function] : []));
    const hand = names.find((n) => !isPlumbing(n));
    // Further out stand those who had a packet in hand when the object was made.
    const makers = hand === undefined ? names : names.slice(0, names.indexOf(hand) + 1);
    const packet = makers.some((n) => n.includes("skb"));
    const extension = names.some((n) => /^(?:__)?skb_ext_/.test(n));
    const what = extension ? "the extension of a packet (skb_ext)" : packet ? "a packet or its buffer" : "an object";
    return {
      key: `unreferenced:${hand ?? "?"}:${bytes}`,
      title: `${packet ? "Packets" : "Objects"} of ${hand ?? "an unknown caller"}: a leak is suspected`,
      cause: `kmemleak: nothing points any more to ${what} of ${bytes} bytes${hand === undefined ? "; the record does not say who allocated it" : ` that ${hand} allocated`}, so it suspects that nobody will free it.`,
      meaning: `${names.length === 0 ? "The record's stack is missing." : `The stack: ${names.slice(0, 6).join(" < ")}.`} A single record may be a false suspicion; records of one stack that grow in number are a leak.`,
      severity: "watch",
      consequence: "A leak that grows with the traffic takes the machine's memory in time.",
      memory: "held",
      advice: [
        code(
          `Look where ${hand ?? "the caller"} loses the object: an error path, a drop that does not free, a queue that is thrown away`,
          "the memory comes back",
          "a fix",
          "echo clear > /sys/kernel/debug/kmemleak; sleep 600; echo scan > /sys/kernel/debug/kmemleak; cat /sys/kernel/debug/kmemleak",
        ),
      ],
    };
  },
  percpu: (_, [bytes]) => ({
    key: "percpu",
    title: "Per-CPU memory could not be had",
    cause: `${bytes === undefined ? "A piece" : size(Number(bytes))} of per-CPU memory could not be had.`,
    meaning:
      "Per-CPU memory comes in chunks for all CPUs at once; many CPUs, network namespaces or cgroups need much of it.",
    severity: "watch",
    consequence: "Something (a counter, a device, a namespace) could not be set up.",
    memory: "refused",
    advice: [
      look(
        "See how much per-CPU memory there is",
        "tells a leak of namespaces or cgroups from a small machine",
        "grep Percpu /proc/meminfo",
      ),
    ],
  }),
  "cache not empty": (_, [a, b]) => ({
    key: `cache not empty:${a ?? b ?? ""}`,
    title: `Objects of ${a ?? b ?? "a cache"} were never freed`,
    cause:
      `The slab cache ${a ?? b ?? ""} was to be destroyed but still holds objects: its owner never freed them.`.replace(
        "  ",
        " ",
      ),
    meaning: "Usually a module was unloaded whose objects are still in use or leaked.",
    severity: "act",
    consequence: "Act on it: the objects leak, and whoever still uses them uses memory of a module that is gone.",
    memory: "held",
    advice: [
      code("Do not unload the module, and report the leak to its maintainers", "the objects stay valid", "a fix"),
    ],
  }),
  "pool negative": (_, [pages]) => ({
    key: "pool negative",
    title: "A page_pool got back more pages than it gave out",
    cause: `A page_pool counts ${pages} pages in flight: more were released than taken, so one page was released twice, or to the wrong pool.`,
    meaning: "page_pool_inflight() warns when hold minus release is below zero (net/core/page_pool.c).",
    ...poolBelowZero,
    advice: [
      code(
        "Look for a driver that both releases a page and lets the packet recycle it",
        "each page goes back once",
        "a fix of the driver",
      ),
    ],
  }),
  "pool page in use": (_, [references]) => ({
    key: "pool page in use",
    title: "A page in a page_pool's ring is still in use",
    cause: `A page in the pool's ring had ${references} references, where it must have exactly one: another user still holds it.`,
    meaning: "page_pool_empty_ring() checks each page when the pool is destroyed (net/core/page_pool.c).",
    severity: "corruption",
    consequence: "Serious: the next packet may be written into a page that somebody reads.",
    memory: "held",
    advice: [
      code(
        "Look for who takes a page reference of a received packet and recycles it nevertheless",
        "the page is not used by two",
        "a fix of the driver",
      ),
    ],
  }),
  "pool refused": (_, [errno]) => ({
    key: `pool refused:${errno}`,
    title: "A page_pool could not be made",
    cause: `A driver asked for a page_pool and got error ${errno}${errno === "-22" ? " (EINVAL): the parameters do not fit each other" : errno === "-12" ? " (ENOMEM): memory could not be had" : errno === "-7" ? " (E2BIG): the ring is too large" : ""}.`,
    meaning:
      errno === "-22"
        ? "An unknown flag, DMA sync without DMA map or without a length, or a wrong direction (page_pool_init(), net/core/page_pool.c)."
        : "The receive queue cannot be set up without it.",
    severity: "act",
    consequence: "Act on it: a receive queue could not be set up.",
    memory: errno === "-12" ? "refused" : "none",
    advice:
      errno === "-12"
        ? [failureSearch]
        : [code("Report it to the driver's maintainers", "the queue can be set up", "a fix of the driver")],
  }),
};

/** What a message means. */
export function messageSaid(line: DriverLine): MessageSaid {
  const row = messageLines.find((m) => m.id === line.message && m.form.test(line.text));
  const groups = row?.form.exec(line.text)?.slice(1) ?? [];
  return verdicts[line.message](line.text, groups, line);
}
