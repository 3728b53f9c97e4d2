// A journal as /sys/kernel/tracing/trace: each tracepoint in the words of its release. Read in include/trace/events/{kmem,skb,net,napi,
// page_pool,vmscan}.h and kernel/trace/trace_output.c of 5.10, 6.1, 6.12 and 7.2; a release between two of them is written as the older one,
// one before them as 5.10, and the head of the file says so.
//
// Events that the model does not know whole (mm_compaction_end, tcp_retransmit_skb) and those that are no tracepoints of the kernel are left out.
import { eventKind } from "../kernel/events.ts";
import { decodeGfp, gfpEraAt } from "../kernel/facts/gfp.ts";
import type { Release } from "../kernel/release.ts";
import { compareVersions, formatRelease } from "../kernel/release.ts";
import { running } from "../model/journal.ts";
import type { Machine } from "../model/machine.ts";
import { dropReason } from "../model/net/skb/drop_reason.ts";
import { codePlace, hash } from "./call_trace.ts";
import { taskOf } from "./task.ts";

const forms = [
  [5, 10],
  [6, 1],
  [6, 12],
  [7, 2],
] as const;
type Form = (typeof forms)[number];

/** ETH_P_IP: what packets here carry. */
const ethPIp = 2048;

const reasonNames: ReadonlyMap<number, string> = new Map([
  [dropReason.notSpecified, "NOT_SPECIFIED"],
  [dropReason.noSocket, "NO_SOCKET"],
  [dropReason.pktTooSmall, "PKT_TOO_SMALL"],
  [dropReason.socketRcvbuff, "SOCKET_RCVBUFF"],
  [dropReason.nomem, "NOMEM"],
  [dropReason.socketFilter, "SOCKET_FILTER"],
]);

export interface FtraceWriter {
  /** What stands before the first event. */
  readonly head: string;
  /** The line of an event, undefined for one that the kernel does not print. To be asked while the event happens: task and context are those of now. */
  line(kind: number, nanos: number, cpu: number, numbers: readonly number[]): string | undefined;
}

export function createFtrace(machine: Machine): FtraceWriter {
  const { release, journal } = machine;
  const form = formOf(release);
  const since = (version: Form): boolean => compareVersions(form, version) >= 0;
  const text = eventTexts(machine, since);
  return {
    head: headOf(release, form),
    line(kind, nanos, cpu, numbers) {
      const event = text.get(kind);
      if (event === undefined) return undefined;
      const { comm, pid } = taskOf(release, journal.text(journal.task), journal.task, cpu);
      const who = `${(pid === 0 ? "<idle>" : comm).padStart(16)}-${String(pid).padEnd(7)}`;
      const micros = Math.floor(nanos / 1000);
      const time = `${String(Math.floor(micros / 1e6)).padStart(5)}.${String(micros % 1e6).padStart(6, "0")}`;
      return `${who} [${String(cpu).padStart(3, "0")}] ${flagsOf(journal.level, since)} ${time}: ${event(numbers)}`;
    },
  };
}

function formOf({ version }: Release): Form {
  return forms.findLast((form) => compareVersions(form, version) <= 0) ?? forms[0];
}

function headOf(release: Release, form: Form): string {
  const read = compareVersions(form, release.version.slice(0, form.length)) === 0;
  const note = read ? "" : `# forms of ${form.join(".")}: what ${formatRelease(release)} prints was not read\n#\n`;
  const migrate = compareVersions(form, forms[1]) >= 0;
  const bars = migrate ? "|||||" : "||||";
  const rows = [
    migrate
      ? "                                _-----=> irqs-off/BH-disabled"
      : "                                _-----=> irqs-off",
    "                               / _----=> need-resched",
    "                              | / _---=> hardirq/softirq",
    "                              || / _--=> preempt-depth",
    ...(migrate
      ? ["                              ||| / _-=> migrate-disable", "                              |||| /     delay"]
      : ["                              ||| /     delay"]),
    `           TASK-PID     CPU#  ${bars}${migrate ? "" : " "}  TIMESTAMP  FUNCTION`,
    `              | |         |   ${bars}${migrate ? "" : " "}     |         |`,
  ];
  return `# tracer: nop\n#\n${note}${rows.map((row) => `#${row}\n`).join("")}`;
}

/** irqs-off, need-resched, hardirq/softirq, preempt-depth and, since 6.1's form, migrate-disable. */
function flagsOf(level: number, since: (form: Form) => boolean): string {
  const tail = since(forms[1]) ? "." : "";
  if ((level & running.softirq) !== 0) return `..s1${tail}`;
  return `${(level & running.interrupt) !== 0 ? "d.h1" : "...."}${tail}`;
}

type EventText = (numbers: readonly number[]) => string;

function eventTexts(machine: Machine, since: (form: Form) => boolean): ReadonlyMap<number, EventText> {
  const { release, journal, memory, devices, heap } = machine;
  const { pageblockOrder } = memory.memory.spec;
  const wide = /64|s390x/.test(release.arch);
  const era = gfpEraAt(release.version);
  // 5.10 prints addresses as they are, later releases hash them (trace_options hash-ptr): 32 bits with zeros in front. All are made up, the same
  // thing having the same one; their lowest bits are zero, as those of objects are.
  const front = wide ? (since(forms[1]) || release.arch !== "x86_64" ? "00000000" : "ffff8880") : "";
  const pointer = (what: string): string => front + ((hash(what) & ~0x3f) >>> 0).toString(16).padStart(8, "0");
  const none = "0".repeat(wide ? 16 : 8);
  const page = (pfn: number): string => (pfn < 0 ? none : pointer(`page ${pfn}`));
  const pfnOf = (pfn: number): string => {
    const known = Math.max(0, pfn);
    return since(forms[1]) ? `0x${known.toString(16)}` : `${known}`;
  };
  const gfp = (mask: number): string =>
    mask === 0 || era === undefined ? "none" : decodeGfp(mask >>> 0, release.version).text;
  const site = (id: number): string => {
    const [name = ""] = journal.text(id).split(" < ");
    if (name === "") return "0x0";
    const { offset, size } = codePlace(release, name);
    return `${name}+0x${offset.toString(16)}/0x${size.toString(16)}`;
  };
  const skb = (n: number): string => `skbaddr=${pointer(`skb ${n}`)}`;
  const address = (at: number): string => (at < 0 ? none : pointer(`object ${at}`));
  const cards = new Map(devices.flatMap((d) => [d, ...(d.queues ?? [])].map((each) => [each.index, d.name] as const)));
  const ofNapi = devices.flatMap((d) => (d.queues ?? [d]).map(() => d.name));
  const dev = (index: number): string => `dev=${cards.get(index) ?? "(null)"}`;
  const cookie = since(forms[3]) ? " net_cookie=1" : "";
  const placed = since(forms[1]) ? " node=-1 accounted=false" : "";
  const netmem = (pfn: number, comma: string): string =>
    since(forms[2]) ? `netmem=${page(pfn)} is_net_iov=0${comma}` : `page=${page(pfn)}`;
  const located = (id: number): string => {
    const place = journal.text(id) === "" ? "0x0" : site(id);
    return ` location=${since(forms[2]) ? place : pointer(`place ${place}`)}`;
  };
  const cacheOf = (id: number): { name: string; asked: number; size: number } => {
    const cache = heap.caches().find((c) => c.id === id);
    return { name: cache?.name ?? "", asked: cache?.geometry.objectSize ?? 0, size: cache?.geometry.size ?? 0 };
  };
  /** Destroyed pools, tried again each time: cnt. */
  const tries = new Map<number, number>();

  const at = (numbers: readonly number[], i: number): number => numbers[i] ?? 0;
  const list: readonly (readonly [number, EventText])[] = [
    [
      eventKind.mm_page_alloc,
      (n) =>
        `mm_page_alloc: page=${page(at(n, 0))} pfn=${pfnOf(at(n, 0))} order=${at(n, 1)} migratetype=${at(n, 3)} gfp_flags=${gfp(at(n, 2))}`,
    ],
    [eventKind.mm_page_free, (n) => `mm_page_free: page=${page(at(n, 0))} pfn=${pfnOf(at(n, 0))} order=${at(n, 1)}`],
    [
      eventKind.mm_page_alloc_zone_locked,
      (n) =>
        `mm_page_alloc_zone_locked: page=${page(at(n, 0))} pfn=${pfnOf(at(n, 0))} order=${at(n, 1)} migratetype=${at(n, 2)} percpu_refill=${since(forms[1]) ? at(n, 3) : Number(at(n, 1) === 0)}`,
    ],
    [
      eventKind.mm_page_pcpu_drain,
      (n) =>
        `mm_page_pcpu_drain: page=${page(at(n, 0))} pfn=${pfnOf(at(n, 0))} order=${at(n, 1)} migratetype=${at(n, 2)}`,
    ],
    [
      eventKind.mm_page_alloc_extfrag,
      (n) =>
        `mm_page_alloc_extfrag: page=${page(at(n, 0))} pfn=${pfnOf(at(n, 0))} alloc_order=${at(n, 1)} fallback_order=${at(n, 2)} pageblock_order=${pageblockOrder} alloc_migratetype=${at(n, 3)} fallback_migratetype=${at(n, 4)} fragmenting=${Number(at(n, 2) < pageblockOrder)} change_ownership=${at(n, 5)}`,
    ],
    [
      eventKind.kmalloc,
      (n) =>
        `kmalloc: call_site=${site(at(n, 4))} ptr=${address(at(n, 0))} bytes_req=${at(n, 1)} bytes_alloc=${at(n, 2)} gfp_flags=${gfp(at(n, 3))}${placed}`,
    ],
    [eventKind.kfree, (n) => `kfree: call_site=${site(at(n, 1))} ptr=${address(at(n, 0))}`],
    [
      eventKind.kmem_cache_alloc,
      (n) => {
        const { name, asked, size } = cacheOf(at(n, 1));
        return `kmem_cache_alloc: call_site=${site(at(n, 3))} ptr=${address(at(n, 0))}${since(forms[3]) ? ` name=${name}` : ""} bytes_req=${asked} bytes_alloc=${size} gfp_flags=${gfp(at(n, 2))}${placed}`;
      },
    ],
    [
      eventKind.kmem_cache_free,
      (n) =>
        `kmem_cache_free: call_site=${site(at(n, 2))} ptr=${address(at(n, 0))}${since(forms[1]) ? ` name=${cacheOf(at(n, 1)).name}` : ""}`,
    ],
    [eventKind.consume_skb, (n) => `consume_skb: ${skb(at(n, 0))}${since(forms[2]) ? located(at(n, 1)) : ""}`],
    [
      eventKind.kfree_skb,
      (n) =>
        `kfree_skb: ${skb(at(n, 0))}${since(forms[2]) ? ` rx_sk=${none}` : ""} protocol=${ethPIp}${located(at(n, 2))}${since(forms[1]) ? ` reason: ${reasonNames.get(at(n, 1)) ?? `0x${at(n, 1).toString(16)}`}` : ""}`,
    ],
    [
      eventKind.page_pool_state_hold,
      (n) =>
        `page_pool_state_hold: page_pool=${pointer(`pool ${at(n, 0)}`)} ${netmem(at(n, 1), ",")} pfn=${pfnOf(at(n, 1))} hold=${at(n, 2)}`,
    ],
    [
      eventKind.page_pool_state_release,
      (n) =>
        `page_pool_state_release: page_pool=${pointer(`pool ${at(n, 0)}`)} ${netmem(at(n, 1), "")} pfn=${pfnOf(at(n, 1))} release=${at(n, 2)}`,
    ],
    [
      eventKind.page_pool_release,
      (n) => {
        const before = tries.get(at(n, 0)) ?? 0;
        tries.set(at(n, 0), before + 1);
        return `page_pool_release: page_pool=${pointer(`pool ${at(n, 0)}`)} inflight=${at(n, 1)} hold=${at(n, 2)} release=${at(n, 3)} cnt=${before + 1}`;
      },
    ],
    [eventKind.net_dev_queue, (n) => `net_dev_queue: ${dev(at(n, 2))} ${skb(at(n, 0))} len=${at(n, 1)}${cookie}`],
    [
      eventKind.net_dev_xmit,
      (n) => `net_dev_xmit: ${dev(at(n, 3))} ${skb(at(n, 0))} len=${at(n, 1)} rc=${at(n, 2)}${cookie}`,
    ],
    [
      eventKind.netif_receive_skb,
      (n) => `netif_receive_skb: ${dev(at(n, 2))} ${skb(at(n, 0))} len=${at(n, 1)}${cookie}`,
    ],
    [
      eventKind.napi_poll,
      (n) =>
        `napi_poll: napi poll on napi struct ${pointer(`napi ${at(n, 0)}`)} for device ${ofNapi[at(n, 0)] ?? "(no device)"} work ${at(n, 1)} budget ${at(n, 2)}`,
    ],
    [eventKind.mm_vmscan_kswapd_wake, (n) => `mm_vmscan_kswapd_wake: nid=${at(n, 0)} order=${at(n, 1)}`],
    [
      eventKind.mm_vmscan_direct_reclaim_end,
      (n) => {
        const { pid } = taskOf(release, journal.text(journal.task), journal.task, journal.cpu);
        return `mm_vmscan_direct_reclaim_end: nr_reclaimed=${at(n, 0)}${since(forms[3]) ? ` pid=${pid} memcg_id=0 ` : ""}`;
      },
    ],
  ];
  return new Map(list);
}
