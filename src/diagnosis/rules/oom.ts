// The OOM killer ran: for the machine or for one cgroup, on whose request, and what memory was used for.
import { grouped } from "../../base/grouped.ts";
import type { MemInfo } from "../../kernel/readings/mem_info.ts";
import type { Oom } from "../../kernel/readings/oom.ts";
import { every, isLack, told } from "../../kernel/readings/part.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Advice, Finding, Quote } from "../finding.ts";
import { shown } from "../finding.ts";
import { hugePagesAreTold, uncountedPages } from "../oom_picture.ts";
import type { Confined } from "../oom_zones.ts";
import { confinedTo, onlyBlocks, untoldRequest } from "../oom_zones.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { listing, orderWords, size } from "../words.ts";
import { linesWith } from "./lines.ts";
import { kernelHolds } from "./oom_slabs.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "oom.scope": { question: "Was the machine out of memory?", rank: 2, clears: "the machine's memory" },
  "oom.cgroup_use": { question: "What uses the cgroup's memory?", open: true },
  "oom.largest": { question: "Who used most?", open: true },
  "oom.kernel_memory": { question: "Was it the kernel's own memory?", clears: "the kernel's own memory" },
  "oom.panic": { question: "Did the machine go down?" },
  "oom.victim": { question: "Who was killed?", open: true },
});

export const oom = defineRule({
  id: "oom",
  asks: "Did the machine run out of memory, or one container, and on what?",
  questions,
  kinds: ["oom"],
  answer: (c) =>
    c.incident.kind === "oom"
      ? [...scope(c, c.incident.reading), ...users(c, c.incident.reading), ...outcome(c, c.incident.reading)]
      : [],
});

/** Packets in sockets are worth a word from one part of so many of the cgroup's memory on. */
const muchInSockets = 10;

/** What the cgroup's memory.stat says; shared memory and tmpfs are a part of its file pages, and are counted once. */
function cgroupUse(c: Case, o: Oom): readonly Finding[] {
  const stat = o.memcg?.statBytes;
  if (stat === undefined) return [];
  const { anon, file, shmem, sock, kernel, slab } = stat;
  const parts: readonly (readonly [bytes: number | undefined, what: string])[] = [
    [anon, "anonymous memory of its programs"],
    [shmem, "shared memory and tmpfs"],
    [file === undefined || shmem === undefined ? undefined : Math.max(0, file - shmem), "file cache without them"],
    [sock, "packets in sockets"],
    kernel === undefined ? [slab, "slab caches"] : [kernel, "the kernel's own memory for it"],
  ];
  const known = parts.flatMap(([bytes, what]) => (bytes === undefined ? [] : [{ bytes, what }]));
  if (known.length === 0) return [];
  const usage = o.memcg?.usage.find((u) => u.what === "memory")?.usageKb;
  const packets = sock !== undefined && usage !== undefined && sock * muchInSockets >= usage * 1024;
  const words = listing(known.toSorted((a, b) => b.bytes - a.bytes).map(({ bytes, what }) => `${size(bytes)} ${what}`));
  return [
    yes(
      "oom.cgroup_use",
      `The cgroup's own counters: ${words}.${packets ? " Packets that its programs have not read, or that wait to be sent, count against its limit." : ""}`,
      quote(c, "memcg_stats", 8),
      packets
        ? [
            {
              change: { kind: "evidence" },
              action: "See which of its sockets sit on unread or unsent data",
              changes: "names the connection whose packets fill the cgroup",
              costs: "nothing",
              command: "ss -tumpn | awk '$2 > 0 || $3 > 0'",
            },
          ]
        : [],
    ),
  ];
}

function scope(c: Case, o: Oom): readonly Finding[] {
  const line = [...quote(c, "headline"), ...quote(c, "summary"), ...quote(c, "memcg", 2)];
  if (o.scope === "memcg") {
    const scoped: string = o.scope;
    const limit = o.memcg?.usage.find((u) => u.what === "memory");
    return [
      no(
        "oom.scope",
        `The machine was not out of memory: a cgroup reached its limit${o.memcg?.limitOf === undefined ? "" : ` (${o.memcg.limitOf})`}${limit === undefined ? "" : `, ${size(limit.usageKb * 1024)} of ${size(limit.limitKb * 1024)}, limit hit ${grouped(limit.failcnt)} times`}.`,
        shown(scoped, line),
        [
          {
            change: { kind: "limit" },
            action: "Raise the container's memory limit or make the program in it smaller",
            changes: "the limit is not reached",
            costs: "memory for the others on the machine",
            command: "systemctl set-property UNIT MemoryMax=…    # docker update --memory …",
          },
        ],
      ),
      ...cgroupUse(c, o),
    ];
  }
  const confined = o.scope === "cpuset" ? undefined : confinedTo(c);
  if (confined !== undefined) return [ofZones(c, o, confined, line)];
  const blocks = o.scope === "cpuset" ? undefined : onlyBlocks(c);
  if (blocks !== undefined && blocks.is !== false) return [ofBlocks(c, o, blocks, line)];
  if (o.scope !== "cpuset" && untoldRequest(c))
    return [
      unknown(
        "oom.scope",
        `The report does not say whether ${shortOf(o)}, or only the zones or the blocks that the request needed: its first line, with the mask and the order, is missing.`,
        line,
      ),
    ];
  const zonesSay = o.memInfo === undefined ? "" : fullWords(o.memInfo, c.pageKb);
  const known = o.scope === "machine";
  return [
    (known ? yes : unknown)(
      "oom.scope",
      `${scopeWords(c, o)}.${zonesSay}${o.comm === undefined ? "" : ` ${o.comm} only happened to allocate at that moment.`}`,
      line,
      known && kernelHolds(o, c.pageKb) === undefined
        ? [
            {
              change: { kind: "memory" },
              action: "Give the machine more memory or swap, or limit the largest user",
              changes: "reclaim finds something to give back before the killer runs",
              costs: "memory, or a slower program",
              command: "systemd-cgtop -m; smem -tk",
            },
          ]
        : [],
    ),
  ];
}

/** What ran out are the zones that the request may use, and no more is known to have. */
function ofZones(c: Case, o: Oom, { zones, elsewhere, slab }: Confined, line: readonly Quote[]): Finding {
  const held =
    slab === undefined
      ? ""
      : ` The kernel's own slab holds ${size(slab.kb * 1024)} there, ${Math.round(slab.share * 100)} % of them.`;
  const who = o.comm === undefined ? "" : ` ${o.comm} only happened to allocate at that moment.`;
  const only = `The zones that the request may use (${zones}) had no memory left`;
  const advice: Advice = {
    change: { kind: "evidence" },
    action: "See what fills those zones",
    changes: "names who holds them; more memory or swap for the machine does not add to them",
    costs: "nothing",
    command: "grep -E 'Low|Slab|SRecl|SUnrecl' /proc/meminfo; cat /proc/zoneinfo; slabtop -o -s c | head -20",
  };
  const lines = [...line, ...(o.memInfo?.zones ?? []).slice(0, 8).flatMap((z) => quote(c, `zone:${z.node}:${z.name}`))];
  return elsewhere === undefined
    ? unknown("oom.scope", `${only}; the report does not say how much the others had.${held}${who}`, lines, [advice])
    : no(
        "oom.scope",
        `The machine was not out of memory: ${elsewhere}. ${only}.${held}${who}`,
        shown(elsewhere, lines),
        [advice],
      );
}

const shortOf = (o: Oom): string =>
  o.scope === "machine"
    ? "the machine was short of memory"
    : "the machine, or what a cgroup may have, was short of memory";

/** The killer ran for a block of several pages: memory as a whole may have been there. */
function ofBlocks(
  c: Case,
  o: Oom,
  { order, is }: { readonly order: number; readonly is: boolean | undefined },
  line: readonly Quote[],
): Finding {
  const block = orderWords(order, c.pageKb);
  const who = o.comm === undefined ? "" : ` ${o.comm} only happened to ask for such a block at that moment.`;
  return is === true
    ? no(
        "oom.scope",
        `The machine was not out of memory: a single page would have been served. No block of ${block} could be had, and the OOM killer runs for that too.${who}`,
        shown(order, line),
      )
    : unknown(
        "oom.scope",
        `The killer ran for a block of ${block}. The report does not say whether ${shortOf(o)}, or only of blocks of that size.${who}`,
        line,
      );
}

/** Since 2.6.29 a report names the cpuset of who asked, on a line of its own and since 5.0 behind the constraint (mm/oom_kill.c dump_header()). */
const cpusetPrintedSince: readonly number[] = [2, 6, 29];

/**
 * The killer's line tells a cgroup's limit from the rest. The constraint or the cpuset's line tells the machine from a part of its nodes, and so
 * does a machine that has one node; where all of these are lost, nothing does.
 */
export function mayBeOfNodes(c: Case, o: Oom): boolean {
  if (o.summary !== undefined || o.cpuset !== undefined || o.outcome === "panic") return false;
  if (o.memInfo === undefined && o.trace === undefined) return true;
  const oneNode = every(c.zones, (z) => z.node === 0) !== undefined;
  return !oneNode && atLeast(c.release, cpusetPrintedSince);
}

function scopeWords(c: Case, o: Oom): string {
  if (o.scope === "cpuset")
    return "The nodes that a cpuset or a memory policy allows were out of memory; the report does not say whether the whole machine was";
  if (o.scope !== "machine") return "The report does not say whether the machine or a cgroup was out of memory";
  return mayBeOfNodes(c, o)
    ? "It was not a cgroup's limit: the machine, or the nodes that a cpuset allows, had no memory left"
    : "The machine was really out of memory";
}

/** What the totals say about the pages that could not be reclaimed. */
function fullWords(m: MemInfo, pageKb: number): string {
  const bytes = (...names: string[]): number | undefined => {
    let sum = 0;
    for (const name of names) {
      const n = told(m.totals, name, "the totals");
      if (isLack(n)) return undefined;
      sum += n;
    }
    return sum * pageKb * 1024;
  };
  const cache = bytes("active_file", "inactive_file");
  const parts: [string, number | undefined][] = [
    ["anonymous memory", bytes("active_anon", "inactive_anon")],
    ["shared memory", bytes("shmem")],
    ["unreclaimable slab", bytes("slab_unreclaimable")],
    ["page tables", bytes("pagetables")],
    ["unevictable", bytes("unevictable")],
  ];
  const big = parts
    .flatMap(([n, v]) => (v === undefined || v === 0 ? [] : [[n, v] as const]))
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3);
  const ram = m.tail["pages RAM"];
  const few = cache !== undefined && ram !== undefined && cache < (ram * pageKb * 1024) / 20;
  const left =
    cache === undefined
      ? ""
      : ` ${few ? "Only " : ""}${size(cache)} of file cache ${few ? "was left to reclaim" : "was there"}.`;
  const used = big.length === 0 ? "" : ` In use were ${listing(big.map(([n, v]) => `${size(v)} ${n}`))}.`;
  return `${left}${used}${m.totalSwapKb === 0 ? " There is no swap." : ""}`;
}

function users(c: Case, o: Oom): readonly Finding[] {
  const top = o.tasks
    .flatMap((t) => (t.columns.rss === undefined || t.columns.rss === 0 ? [] : [{ ...t, rss: t.columns.rss }]))
    .sort((a, b) => b.rss - a.rss)
    .slice(0, 3);
  const found: Finding[] = [];
  if (top.length > 0)
    found.push(
      yes(
        "oom.largest",
        `${o.tasks.length === 1 ? "The 1 process" : `The largest of the ${grouped(o.tasks.length)} processes`} that the report lists: ${listing(top.map((t) => `${t.name} [${t.pid}] ${size(t.rss * c.pageKb * 1024)}`))}.`,
        quote(c, "tasks", 1),
      ),
    );
  const ram = o.memInfo?.tail["pages RAM"];
  const slab = o.memInfo?.totals.slab_unreclaimable;
  if (
    o.memInfo !== undefined &&
    ram !== undefined &&
    slab !== undefined &&
    o.scope !== "memcg" &&
    confinedTo(c) === undefined &&
    onlyBlocks(c)?.is !== true
  ) {
    const own = kernelsOwn(c, o, slab, ram, uncountedPages(o.memInfo, c.pageKb));
    if (own !== undefined) found.push(own);
  }
  return found;
}

/** So much of the machine is the reason; less is not. */
const large = 0.3;

/** Slab is one part of the kernel's own memory; what drivers and pools take from the page allocator no counter has. */
function kernelsOwn(c: Case, o: Oom, slab: number, ram: number, uncounted: number | undefined): Finding | undefined {
  const bytes = (pages: number): string => size(pages * c.pageKb * 1024);
  const percent = (pages: number): string => `${Math.round((pages / ram) * 100)} % of the machine`;
  const lines = linesWith(c, "totals", (text) => text.includes("slab_unreclaimable"));
  const slabWords = `${bytes(slab)} of unreclaimable slab, ${percent(slab)}`;
  if (slab / ram > large)
    return yes(
      "oom.kernel_memory",
      `The kernel itself holds ${slabWords}: look there before blaming any program.`,
      lines,
      kernelHolds(o, c.pageKb) === undefined
        ? [
            {
              change: { kind: "evidence" },
              action: "See which cache grows",
              changes: "names the leaking subsystem",
              costs: "nothing",
              command: "slabtop -o -s c | head -20",
            },
          ]
        : [],
    );
  // Zones that a few requests need may be full of slab on a machine that has little of it.
  if (untoldRequest(c)) return undefined;
  const ownSlab = `The kernel's own unreclaimable slab is ${bytes(slab)}, ${percent(slab)}: not the reason.`;
  if (uncounted !== undefined && uncounted / ram <= large)
    return no("oom.kernel_memory", ownSlab, shown(uncounted, lines));
  return unknown(
    "oom.kernel_memory",
    uncounted === undefined
      ? `${ownSlab} Whether drivers, page pools or vmalloc hold much, the report does not say: a counter or the number of pages is missing.`
      : `${ownSlab} But ${bytes(uncounted)}, ${percent(uncounted)}, are in none of the counters (processes, file cache, slab, page tables, free): pages that drivers, page pools, vmalloc or a balloon took${o.memInfo !== undefined && hugePagesAreTold(o.memInfo) ? "" : ", or huge pages, whose lines are not there"}. The report does not say who.`,
    lines,
    uncounted === undefined
      ? []
      : [
          {
            change: { kind: "evidence" },
            action: "See who holds the pages that no counter has",
            changes:
              "names the function that took them, and so tells a leak of a driver or a page pool from other users",
            costs: "a reboot with page_owner=on; 1 to 2 % of memory while it is on",
            command:
              "cat /proc/meminfo; sort -n -k2 -r /proc/vmallocinfo | head; cat /sys/kernel/debug/page_owner > owners.txt; skblab page-owner owners.txt",
          },
        ],
  );
}

function outcome(c: Case, o: Oom): readonly Finding[] {
  if (o.outcome === "panic")
    return [
      yes(
        "oom.panic",
        `${/panic_on_oom is enabled/.test(o.panic ?? "") ? "vm.panic_on_oom made the machine go down at the first lack of memory" : "Nothing was left to kill and the machine went down"}${o.panic === undefined ? "" : `: ${o.panic}`}.`,
        [...quote(c, "panic"), ...quote(c, "headline")],
      ),
    ];
  if (o.victim === undefined) return [];
  const kb = o.victim.kb;
  const anon = kb["anon-rss"];
  return [
    yes(
      "oom.victim",
      `The kernel killed ${o.victim.comm} [${o.victim.pid}]${anon === undefined ? "" : `, which gave back about ${size(anon * 1024)}`}.`,
      [...quote(c, "victim"), ...quote(c, "headline")].slice(0, 1),
    ),
  ];
}
