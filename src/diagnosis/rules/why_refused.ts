// Why the request failed: the zones of the report, judged by the model's watermark test of that release.

import { linesOf } from "../../kernel/readings/incident.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Advice, Answer, Finding, Quote } from "../finding.ts";
import { answering, no, unknown, yes } from "../finding.ts";
import type { Rebuilt, RebuiltZone, WithinError } from "../rebuild.ts";
import { rebuild } from "../rebuild.ts";
import { type Rule, shortages } from "../rule.ts";
import { count, listing, orderWords, size } from "../words.ts";

const generationWords = ["2.6.9", "2.6.11 to 4.3", "4.4 to 6.2", "6.3 and later (and late 6.1.y)"] as const;

export const zoneQuotes = (c: Case, z: RebuiltZone): readonly Quote[] => {
  const at = `${z.node}:${z.name}`;
  return [...quote(c, `zone:${at}`, 1), ...quote(c, `lowmem_reserve:${at}`, 1), ...quote(c, `free_lists:${at}`, 1)];
};

export const whyRefused: Rule = {
  id: "why",
  asks: "Which mark or which list refused the request, in numbers?",
  kinds: [...shortages],
  answer: (c) => {
    if (c.incident.kind === "oom" && c.incident.reading.scope === "memcg") return [];
    if (c.incident.kind === "alloc_failure" && c.incident.reading.variant === "vmalloc") return vmalloc(c);
    const r = rebuild(c);
    if (r === undefined) return [notSaid(c)];
    return [verdictOf(c, r), ...zonesSay(c, r), ...unusable(c, r), ...fragmentation(c, r)];
  },
};

/** vmalloc takes single pages and a range of addresses; neither is a block of several pages. */
function vmalloc(c: Case): readonly Finding[] {
  const reading = c.incident.kind === "alloc_failure" ? c.incident.reading : undefined;
  const line = quote(c, "headline", 2);
  return [
    yes(
      "why.vmalloc",
      `vmalloc could not get all it wanted${reading?.reason === undefined ? "" : `: "${reading.reason}"`}. Either single pages ran out or, on 32-bit machines, the range of addresses for vmalloc was full.`,
      line,
      [
        {
          change: { kind: "evidence" },
          action: "See how much of the vmalloc range is used, and by whom",
          changes: "tells a lack of addresses from a lack of pages",
          costs: "nothing",
          command: "grep Vmalloc /proc/meminfo; sort -n -k2 -r /proc/vmallocinfo | head",
        },
      ],
    ),
    no(
      "fragmentation",
      "Fragmentation of physical memory plays no part: vmalloc is content with single pages wherever they lie.",
      line,
    ),
  ];
}

function notSaid(c: Case): Finding {
  const old = !atLeast(c.release, [2, 6, 18]);
  return unknown(
    "why.refused",
    c.memInfo === undefined
      ? `The report does not say why: it has no Mem-Info${old ? ", which kernels before 2.6.18 did not print" : ""}. Its zone lines (free, min) and buddy lines would tell a shortage from fragmentation.`
      : "The report does not say why: its zone lines are missing.",
    [],
    [
      {
        change: { kind: "evidence" },
        action: "Save the memory state when it happens again",
        changes: "tells a shortage of memory from fragmentation, and which zone it is in",
        costs: "nothing",
        command: !atLeast(c.release, [2, 6])
          ? "echo m > /proc/sysrq-trigger; dmesg; cat /proc/meminfo /proc/slabinfo"
          : "dmesg; cat /proc/buddyinfo /proc/pagetypeinfo /proc/zoneinfo /proc/vmstat; sysctl vm.min_free_kbytes",
      },
    ],
  );
}

/** Zone by zone, the comparison that decided. */
function deciding(z: RebuiltZone): string {
  const step = [...z.verdict.because].reverse().find((s) => s.passed === z.verdict.ok) ?? z.verdict.because.at(-1);
  return `${z.name}: ${step?.text ?? "no comparison"}`;
}

function verdictOf(c: Case, r: Rebuilt): Finding {
  const eligible = r.zones.filter((z) => z.eligible);
  const evidence = [...quote(c, "headline", 1), ...eligible.flatMap((z) => zoneQuotes(c, z))];
  const test = `the watermark test of ${generationWords[r.generation]}`;
  const left = eligible.some((z) => (z.state.orders ?? []).slice(r.request.order).some((o) => o.blocks > 0));
  if (r.noWatermarks && !left)
    return yes(
      "why.refused",
      `The watermarks did not apply to this task (it frees memory itself): not one block of ${orderWords(r.request.order, c.pageKb)} was free where it could look.`,
      evidence,
    );
  if (r.refused === true) {
    const why = eligible.map(deciding);
    return yes(
      "why.refused",
      `Rebuilt from the report, every zone ${r.oneNode ? "of a node" : "the request may use"} refuses it by ${test}, as the kernel did. ${why.join("; ")} (pages).`,
      evidence,
    );
  }
  if (r.refused === undefined) {
    const gap = eligible.map((z) => z.verdict.missing).find((m) => m !== undefined);
    return unknown(
      "why.refused",
      `The report does not say enough to repeat ${test}: it lacks ${gap ?? "a zone the request may use"}.`,
      evidence,
    );
  }
  const open = eligible.filter((z) => z.verdict.ok === true);
  const later = printedLater(c, open);
  if (r.within !== undefined)
    return yes(
      "why.refused",
      `Rebuilt from the report, every zone ${r.oneNode ? "of a node" : "the request may use"} refuses it by ${test}, as the kernel did, once the report's own error is allowed for. ` +
        `${r.within.map((w) => withinWords(c, w, later)).join("; ")} (pages).`,
      evidence,
    );
  return unknown(
    "why.refused",
    `With the numbers as printed, ${test} would serve the request from ${listing(open.map((z) => z.name))}. They were printed ${later === undefined || later < 1 ? "after" : `${later} ms after`} the failure: memory had come back by then, or the request was confined to other zones (cpuset, node).`,
    evidence,
  );
}

/** What the printed state has too much of, and how exact the report is. */
function withinWords(c: Case, w: WithinError, later: number | undefined): string {
  const kb = (pages: number): string => size(pages * c.pageKb * 1024);
  const when = later === undefined || later < 1 ? "after" : `${later} ms after`;
  return (
    `${w.zone.name} was printed ${when} the failure, and its zone line and its buddy line count the same pages with a difference of ${kb(w.error)}: the print is no more exact than that. ` +
    `It shows ${kb(w.taken)} more than a refusal leaves room for; without ${w.taken === 1 ? "that page" : "them"}, ${deciding({ ...w.zone, verdict: w.verdict })}`
  );
}

/** Milliseconds between the failure and the buddy lines of these zones, where lines carry the time. */
function printedLater(c: Case, zones: readonly RebuiltZone[]): number | undefined {
  const from = c.incident.seconds;
  const times = zones
    .flatMap((z) => linesOf(c.incident, `free_lists:${z.node}:${z.name}`))
    .map((l) => l.seconds)
    .filter((t) => t !== undefined);
  const to = Math.max(...times);
  return from === undefined || times.length === 0 || to <= from ? undefined : Math.round((to - from) * 1000);
}

/** One finding per zone that may serve: passes or not, with every comparison. */
function zonesSay(c: Case, r: Rebuilt): readonly Finding[] {
  return r.zones.map((z) => {
    const name = `${r.zones.some((x) => x.node !== z.node) ? `node ${z.node} ` : ""}${z.name}`;
    if (!z.eligible)
      return no(
        `why.zone.${z.node}.${z.name}`,
        `Zone ${name} plays no part: the mask does not allow it.`,
        zoneQuotes(c, z).slice(0, 1),
      );
    const steps = z.verdict.because
      .map((s) => `${s.text}${s.passed === undefined ? "" : s.passed ? ": passes" : ": refused"}`)
      .join("; ");
    const answer: Answer = z.verdict.ok === undefined ? "unknown" : z.verdict.ok ? "yes" : "no";
    return answering(answer)(`why.zone.${z.node}.${z.name}`, `May zone ${name} serve it? ${steps}.`, zoneQuotes(c, z));
  });
}

/** Memory that was free and yet not for this request. */
function unusable(c: Case, r: Rebuilt): readonly Finding[] {
  const eligible = r.zones.filter((z) => z.eligible);
  const { order } = r.request;
  const bytes = (pages: number): string => size(pages * c.pageKb * 1024);
  const parts: string[] = [];
  const evidence: Quote[] = [];
  for (const z of eligible) {
    const s = z.state;
    const reserve = s.lowmemReserve?.[r.request.highestZone] ?? 0;
    const blocks = (s.orders ?? []).slice(order).reduce((n, o) => n + o.blocks, 0);
    const before = parts.length;
    if (s.freeCma > 0 && !r.request.cma)
      parts.push(`${bytes(s.freeCma)} in ${z.name} belong to CMA, which only movable pages may use`);
    if (s.reservedHighatomic > 0 && !r.request.highatomic && !r.request.harder)
      parts.push(`up to ${bytes(s.reservedHighatomic)} in ${z.name} are reserved for atomic requests of several pages`);
    if (reserve > 0 && s.free > s.min)
      parts.push(
        `${bytes(Math.min(reserve, s.free))} in ${z.name} are kept for requests that can only use that zone (lowmem_reserve)`,
      );
    if (blocks > 0 && z.verdict.ok === false && order > 0)
      parts.push(
        z.open.ok === true
          ? `${count(blocks, "block")} of order ${order} or more in ${z.name} lie on lists that this request may not use (${lettersOf(z, order)})`
          : `${count(blocks, "block")} of order ${order} or more in ${z.name} ${blocks === 1 ? "was" : "were"} there, but ${r.generation === 1 && z.single.ok === true ? "kernels of that time want the memory in such blocks alone to exceed a part of the mark" : "the zone as a whole was at its mark"}`,
      );
    if (parts.length > before) evidence.push(...zoneQuotes(c, z));
  }
  const free = eligible.reduce((n, z) => n + z.state.free, 0);
  if (parts.length === 0)
    return [
      no(
        "why.free_unusable",
        `Of the ${bytes(free)} that were free in zones it may use, nothing was set aside for others: it was simply too little${order > 0 ? " or in too small pieces" : ""}.`,
        eligible.flatMap((z) => zoneQuotes(c, z)).slice(0, 4),
      ),
    ];
  return [
    yes(
      "why.free_unusable",
      `Of ${bytes(free)} that were free in zones it may use, a part was not for this request: ${listing(parts)}.`,
      evidence,
      eligible.some((z) => z.state.freeCma * 4 > z.state.free && !r.request.cma)
        ? [
            {
              change: { kind: "cma" },
              action: "Make the CMA area smaller",
              changes: "pages that only movable users may take become usable for everybody",
              costs: "devices that need large contiguous memory (camera, GPU, video) may fail; a reboot",
              command: "cma=… on the kernel command line; grep Cma /proc/meminfo",
            },
          ]
        : [],
    ),
  ];
}

/** Pages in free blocks of at least `order`. */
const largeBlocks = (z: RebuiltZone, order: number): number =>
  (z.state.orders ?? []).slice(order).reduce((n, o, i) => n + o.blocks * 2 ** (order + i), 0);

const lettersOf = (z: RebuiltZone, order: number): string =>
  [...new Set((z.state.orders ?? []).slice(order).flatMap((o) => (o.blocks > 0 ? [...(o.letters ?? "")] : [])))].join(
    "",
  ) || "letters not printed";

function fragmentation(c: Case, r: Rebuilt): readonly Finding[] {
  const { order } = r.request;
  if (c.incident.kind === "oom" && order === 0) return [];
  const eligible = r.zones.filter((z) => z.eligible);
  const evidence = eligible.flatMap((z) => zoneQuotes(c, z));
  if (order === 0)
    return [
      no(
        "fragmentation",
        "This is not fragmentation: a single page was asked for, and any free page would have done.",
        [...quote(c, "headline", 1), ...evidence.slice(0, 3)],
      ),
    ];
  const free = size(eligible.reduce((n, z) => n + z.state.free, 0) * c.pageKb * 1024);
  if (r.singleRefused === true)
    return [
      no(
        "fragmentation",
        `Not fragmentation in the first place: even a single page would have been refused. Memory as a whole was short (${free} free in zones it may use).`,
        evidence,
        largeBlocksAdvice(c),
      ),
    ];
  if ((r.refused === true || r.within !== undefined) && r.singleRefused === false) {
    const passing = eligible.filter((z) => z.single.ok === true).map((z) => z.name);
    return [
      yes(
        "fragmentation",
        `This is fragmentation: a single page would have been served (${listing(passing)}; ${free} free in zones it may use), but not ${orderWords(order, c.pageKb)} in one piece.`,
        evidence,
        largeBlocksAdvice(c),
      ),
    ];
  }
  const large = eligible.reduce((n, z) => n + largeBlocks(z, order), 0);
  const all = eligible.reduce((n, z) => n + z.state.free, 0);
  if (r.refused === false && r.singleRefused === false && large * 100 < all)
    return [
      yes(
        "fragmentation",
        `This is fragmentation: ${free} were free in zones it may use, but hardly any of it (${size(large * c.pageKb * 1024)}) in pieces of ${orderWords(order, c.pageKb)} or more, even when the state was printed.`,
        evidence,
        largeBlocksAdvice(c),
      ),
    ];
  return [
    unknown(
      "fragmentation",
      "The report does not say whether memory was short or fragmented: the numbers were printed when the request could have been served again, or are incomplete.",
      evidence,
    ),
  ];
}

const compactNow: Advice = {
  change: { kind: "compact_memory" },
  action: "Compact memory now",
  changes: "joins free pages into larger blocks at once",
  costs: "CPU time for some seconds; the effect wears off",
  command: "echo 1 > /proc/sys/vm/compact_memory",
};
const scaleMarks: Advice = {
  change: { kind: "watermark_scale_factor", value: 100 },
  action: "Let kswapd start earlier and work longer: raise vm.watermark_scale_factor",
  changes:
    "widens the distance between the marks, so blocks of several pages survive until somebody who cannot wait needs one",
  costs: "up to a hundredth of memory per 100 that programs cannot use",
  command: "sysctl -w vm.watermark_scale_factor=100",
};

/** What keeps or makes large blocks on that release; raising min_free_kbytes is the min_free rule's advice. */
const largeBlocksAdvice = (c: Case): readonly Advice[] => [
  ...(atLeast(c.release, [4, 6]) ? [scaleMarks] : []),
  ...(atLeast(c.release, [2, 6, 35]) ? [compactNow] : []),
];
