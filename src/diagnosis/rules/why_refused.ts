// Why the request failed: the zones of the report, judged by the model's watermark test of that release.

import { linesOf } from "../../kernel/readings/incident.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Advice, Answer, Finding, Quote } from "../finding.ts";
import { missed, shown } from "../finding.ts";
import { maskOf } from "../mask.ts";
import { defineQuestions } from "../question.ts";
import type { Rebuilt, RebuiltZone, UntoldZone, WithinError } from "../rebuild.ts";
import { rebuild } from "../rebuild.ts";
import { defineRule, shortages } from "../rule.ts";
import { stalls } from "../stall.ts";
import type { VmallocLack } from "../vmalloc.ts";
import { vmallocLack } from "../vmalloc.ts";
import { count, listing, orderWords, size } from "../words.ts";
import { ofFragmentation } from "./fragmentation.ts";
import { linesWith } from "./lines.ts";

const { questions, answering, no, unknown, yes } = defineQuestions({
  "why.vmalloc": { question: "What failed?", open: true },
  ...ofFragmentation,
  "why.refused": { question: "Why was it refused?", open: true, absence: "yes" },
  "why.waits": { question: "Why did it wait?", open: true },
  "why.zone.": {},
  "why.free_unusable": { question: "Was memory free that it could not use?", clears: "memory set aside for others" },
});

const generationWords = ["2.6.9", "2.6.11 to 4.3", "4.4 to 6.2", "6.3 and later (and late 6.1.y)"] as const;

export const zoneQuotes = (c: Case, z: RebuiltZone): readonly Quote[] => {
  const at = `${z.node}:${z.name}`;
  return [...quote(c, `zone:${at}`), ...quote(c, `lowmem_reserve:${at}`, 1), ...quote(c, `free_lists:${at}`)];
};

export const whyRefused = defineRule({
  id: "why",
  asks: "Which mark or which list refused the request, in numbers?",
  questions,
  kinds: [...shortages],
  answer: (c) => {
    if (c.incident.kind === "oom" && c.incident.reading.scope === "memcg") return [];
    if (c.incident.kind === "alloc_failure" && c.incident.reading.variant === "vmalloc") return vmalloc(c);
    const r = rebuild(c);
    if (stalls(c)) return waits(c, r);
    if (r === undefined) return [notSaid(c), ...singlePage(c)];
    return [verdictOf(c, r), ...zonesSay(c, r), ...unusable(c, r), ...fragmentation(c, r)];
  },
});

/** vmalloc takes single pages and a range of addresses; neither is a block of several pages. */
function vmalloc(c: Case): readonly Finding[] {
  const reading = c.incident.kind === "alloc_failure" ? c.incident.reading : undefined;
  const line = quote(c, "headline", 2);
  const lack = vmallocLack(c);
  const what: string = lack;
  const range: Advice = {
    change: { kind: "evidence" },
    action: "See how much of the vmalloc range is used, and by whom",
    changes: lack === "either" ? "tells a lack of addresses from a lack of pages" : "names who holds the addresses",
    costs: "nothing",
    command: "grep Vmalloc /proc/meminfo; sort -n -k2 -r /proc/vmallocinfo | head",
  };
  return [
    yes(
      "why.vmalloc",
      `vmalloc did not give what was asked for${reading?.reason === undefined ? "" : `: "${reading.reason}"`}. ${vmallocWords[lack]}`,
      line,
      lack === "addresses" || lack === "range" || lack === "either" ? [range] : [],
    ),
    no(
      "fragmentation",
      "Fragmentation of physical memory plays no part: vmalloc takes single pages wherever they lie.",
      shown(what, line),
    ),
  ];
}

const vmallocWords: Readonly<Record<VmallocLack, string>> = {
  size: "A size of 0 is refused at once (mm/vmalloc.c): nothing was short. The caller computed the size wrongly, or had nothing to store.",
  machine:
    "More was asked for than the machine has memory, which is refused at once (mm/vmalloc.c): nothing was short. The caller computed the size wrongly, or wants too much.",
  pages: "It had its range of addresses; single pages ran out.",
  addresses: "The range of addresses for vmalloc had no hole of that size; pages play no part.",
  range:
    "It had not come to taking pages: the range that it may use (32-bit machines and modules have a small one) had no hole of that size, or more was asked for than the machine has memory (mm/vmalloc.c).",
  either:
    "Either single pages ran out or the range of addresses was full, which is small on 32-bit machines and for modules.",
};

/** What a report with a Mem-Info lacks to be judged at all. */
const lackOf = (c: Case): string =>
  c.memInfo?.zones.length === 0
    ? "its zone lines are missing"
    : c.gfp === undefined && c.order === undefined
      ? "its first line, with the order and the mask, is missing"
      : `${c.gfp === undefined ? "the mask" : c.order === undefined ? "the order" : "what the mask means in that release"} is not known`;

function notSaid(c: Case): Finding {
  const old = !atLeast(c.release, [2, 6, 18]);
  return unknown(
    "why.refused",
    c.memInfo === undefined
      ? `The report does not say why: it has no Mem-Info${old ? ", which kernels before 2.6.18 did not print" : ""}. ${c.order === 0 ? "Its zone lines (free, min) would show which mark refused it." : "Its zone lines (free, min) and buddy lines would tell a shortage from fragmentation."}`
      : `The report does not say why: ${lackOf(c)}.`,
    [],
    [
      {
        change: { kind: "evidence" },
        action: "Save the memory state when it happens again",
        changes:
          c.order === 0
            ? "tells how much was free, in which zone, and against which mark"
            : "tells a shortage of memory from fragmentation, and which zone it is in",
        costs: "nothing",
        command: !atLeast(c.release, [2, 6])
          ? "echo m > /proc/sysrq-trigger; dmesg; cat /proc/meminfo /proc/slabinfo"
          : "dmesg; cat /proc/buddyinfo /proc/pagetypeinfo /proc/zoneinfo /proc/vmstat; sysctl vm.min_free_kbytes",
      },
    ],
  );
}

/** What order 0 alone says: one page would do, wherever it lies. */
function singlePage(c: Case): readonly Finding[] {
  if (c.order !== 0 || c.incident.kind === "oom") return [];
  const order: number = c.order;
  const lines = quote(c, c.slab === undefined ? "headline" : "slab", 2);
  return [
    no(
      "fragmentation",
      "This is not fragmentation: one page was asked for, and a single page cannot be fragmented.",
      shown(order, lines),
    ),
  ];
}

/** A request that was not refused: whether it would have been served when its report was printed. */
function waits(c: Case, r: Rebuilt | undefined): readonly Finding[] {
  if (r === undefined)
    return [
      unknown(
        "why.waits",
        `The report does not say what it waited for: ${c.memInfo === undefined ? "it has no Mem-Info" : lackOf(c)}.`,
      ),
      ...singlePage(c),
    ];
  const eligible = r.zones.filter((z) => z.eligible);
  const evidence = [...quote(c, "headline", 1), ...eligible.flatMap((z) => zoneQuotes(c, z))];
  const test = `the watermark test of ${generationWords[r.generation]}`;
  const zones = `every zone ${r.oneNode ? "of a node" : "it may use"}`;
  const said =
    r.refused === true
      ? yes(
          "why.waits",
          `When the report was printed ${zones} still refused it by ${test}: ${decidingWords(eligible)}.`,
          evidence,
        )
      : unknown(
          "why.waits",
          r.refused === false
            ? `With the numbers as printed, ${test} would serve the request from ${listing(eligible.filter((z) => z.verdict.ok === true).map((z) => z.name))}: the wait was over, or its time went into reclaim itself.`
            : `The report does not say enough to repeat ${test}: it lacks ${r.lacks ?? eligible.map((z) => z.verdict.missing).find((m) => m !== undefined) ?? "a zone the request may use"}.`,
          evidence,
        );
  return [said, ...zonesSay(c, r), ...fragmentation(c, r)];
}

/** Zone by zone, the comparison that decided. */
function deciding(z: RebuiltZone): string {
  const step = [...z.verdict.because].reverse().find((s) => s.passed === z.verdict.ok) ?? z.verdict.because.at(-1);
  return `${z.name}: ${step?.text ?? "no comparison"}`;
}

/** Those of several zones; the unit where numbers were compared and not blocks looked for. */
const decidingWords = (zones: readonly RebuiltZone[]): string => withUnit(zones.map(deciding));

const withUnit = (texts: readonly string[]): string =>
  `${texts.join("; ")}${texts.every((text) => text.includes(": no free block ")) ? "" : " (pages)"}`;

function verdictOf(c: Case, r: Rebuilt): Finding {
  const eligible = r.zones.filter((z) => z.eligible);
  const evidence = [...quote(c, "headline", 1), ...eligible.flatMap((z) => zoneQuotes(c, z))];
  const test = `the watermark test of ${generationWords[r.generation]}`;
  const nothingLeft = eligible.every(
    (z) => z.state.orders?.slice(r.request.order).every((o) => o.blocks === 0) === true,
  );
  if (r.noWatermarks && nothingLeft && r.all !== undefined)
    return yes(
      "why.refused",
      `The watermarks did not apply to this task (it frees memory itself): not one block of ${orderWords(r.request.order, c.pageKb)} was free where it could look.`,
      missed(r.all, evidence),
    );
  if (r.refused === true && r.all !== undefined) {
    return yes(
      "why.refused",
      `Rebuilt from the report, every zone ${r.oneNode ? "of a node" : "the request may use"} refuses it by ${test}, as the kernel did. ${decidingWords(eligible)}.`,
      missed(r.all, evidence),
    );
  }
  if (r.refused === undefined) {
    const gap = r.lacks ?? eligible.map((z) => z.verdict.missing).find((m) => m !== undefined);
    const no = eligible.filter((z) => z.verdict.ok === false);
    const those = no.length === 0 ? "" : ` The zones that are there refuse it: ${decidingWords(no)}.`;
    return unknown(
      "why.refused",
      `The report does not say enough to repeat ${test}: it lacks ${gap ?? "a zone the request may use"}.${those}`,
      evidence,
    );
  }
  const open = eligible.filter((z) => z.verdict.ok === true);
  const later = printedLater(c, open);
  if (r.within !== undefined && r.all !== undefined)
    return yes(
      "why.refused",
      `Rebuilt from the report, every zone ${r.oneNode ? "of a node" : "the request may use"} refuses it by ${test}, as the kernel did, once the report's own error is allowed for. ` +
        `${withUnit(r.within.map((w) => withinWords(c, w, later)))}.`,
      missed(r.all, evidence),
    );
  const when = later === undefined || later < 1 ? "after" : `${later} ms after`;
  return unknown(
    "why.refused",
    `With the numbers as printed, ${test} would serve the request from ${listing(open.map((z) => z.name))}. They were printed ${when} the failure: ${
      plenty(c, r)
        ? "so much is not freed in that time: neither a shortage nor a race explains it. The request was confined to other zones (cpuset, node) or to lists that had nothing."
        : "memory had come back by then, or the request was confined to other zones (cpuset, node)."
    }`,
    evidence,
  );
}

/** What the printed state has too much of, and how exact the report is. */
function withinWords(c: Case, w: WithinError, later: number | undefined): string {
  const kb = (pages: number): string => size(pages * c.pageKb * 1024);
  const when = later === undefined || later < 1 ? "after" : `${later} ms after`;
  return (
    `${w.zone.name} was printed ${when} the failure, and its zone line and its buddy line count the same pages with a difference of ${kb(w.error)}: the printed numbers are no more exact than that. ` +
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
  return from === undefined || to <= from ? undefined : Math.round((to - from) * 1000);
}

/** More than this above the limit does not come back between a refusal and its report. */
const plentyBytes = 64 * 2 ** 20;

/** The printed state is far from a refusal in some zone. */
export function plenty(c: Case, r: Rebuilt): boolean {
  return r.zones.some(({ eligible, verdict }) => {
    const compared = verdict.because.find((s) => s.compared !== undefined)?.compared;
    return (
      eligible &&
      verdict.ok === true &&
      compared !== undefined &&
      (compared.usable - compared.limit) * c.pageKb * 1024 > plentyBytes &&
      compared.usable > 4 * compared.limit
    );
  });
}

/** One finding per zone that may serve: passes or not, with every comparison. */
function zonesSay(c: Case, r: Rebuilt): readonly Finding[] {
  return [...r.zones.map((z) => zoneSays(c, r, z)), ...r.untold.filter((z) => z.eligible).map((z) => untoldSays(c, z))];
}

function untoldSays(c: Case, z: UntoldZone): Finding {
  const listed = z.listed === undefined ? "" : ` Its buddy line lists ${size(z.listed * c.pageKb * 1024)}.`;
  return unknown(
    `why.zone.${z.node}.${z.name}`,
    `May zone ${z.name} serve it? The report does not say: it lacks ${z.lacks}.${listed}`,
    quote(c, `free_lists:${z.node}:${z.name}`),
  );
}

function zoneSays(c: Case, r: Rebuilt, z: RebuiltZone): Finding {
  const name = `${r.zones.some((x) => x.node !== z.node) ? `node ${z.node} ` : ""}${z.name}`;
  if (!z.eligible)
    return no(
      `why.zone.${z.node}.${z.name}`,
      `Zone ${name} plays no part: the mask does not allow it.`,
      shown(r.request.highestZone, zoneQuotes(c, z).slice(0, 1)),
    );
  const steps = z.verdict.because
    .map((s) => `${s.text}${s.passed === undefined ? "" : s.passed ? ": passes" : ": refused"}`)
    .join("; ");
  const answer: Answer = z.verdict.ok === undefined ? "unknown" : z.verdict.ok ? "yes" : "no";
  const lacks = z.verdict.ok === undefined ? [`the report lacks ${z.verdict.missing ?? "a number"}`] : [];
  const said = [...(steps === "" ? [] : [steps]), ...lacks].join("; ");
  return answering(answer)(
    `why.zone.${z.node}.${z.name}`,
    `May zone ${name} serve it? ${said}.`,
    shown(z.state.free, zoneQuotes(c, z)),
  );
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
    const reserve = s.lowmemReserve?.[r.request.highestZone];
    const blocks = (s.orders ?? []).slice(order).reduce((n, o) => n + o.blocks, 0);
    const before = parts.length;
    if (s.freeCma > 0 && !r.request.cma)
      parts.push(`${bytes(s.freeCma)} in ${z.name} belong to CMA, which only movable pages may use`);
    if (s.reservedHighatomic > 0 && !r.request.highatomic && !r.request.harder)
      parts.push(`up to ${bytes(s.reservedHighatomic)} in ${z.name} are reserved for atomic requests of several pages`);
    if (reserve !== undefined && reserve > 0 && s.free > s.min)
      parts.push(
        `${bytes(Math.min(reserve, s.free))} in ${z.name} are kept for requests that can only use that zone (lowmem_reserve)`,
      );
    if (order === 0 && closedLists(z))
      parts.push(`every free block in ${z.name} lies on lists that this request may not use (${lettersOf(z, 0)})`);
    if (blocks > 0 && z.verdict.ok === false && order > 0)
      parts.push(
        z.open.ok === true
          ? `${count(blocks, "block")} of order ${order} or more in ${z.name} lie on lists that this request may not use (${lettersOf(z, order)})`
          : `${count(blocks, "block")} of order ${order} or more in ${z.name} ${blocks === 1 ? "was" : "were"} there, but ${r.generation === 1 && z.single.ok === true ? "kernels of that time require the memory in such blocks alone to exceed a part of the mark" : "the zone as a whole was at its mark"}`,
      );
    if (parts.length > before) evidence.push(...zoneQuotes(c, z));
  }
  const free = eligible.reduce((n, z) => n + z.state.free, 0);
  const cma = c.memInfo?.totals.free_cma;
  const unlisted = eligible.find((z) => z.state.orders === undefined);
  const open =
    eligible.map((z) => z.verdict.missing ?? (z.unsure === "" ? undefined : z.unsure)).find((m) => m !== undefined) ??
    r.lacks ??
    (unlisted === undefined ? undefined : `the buddy line of ${unlisted.name}`);
  if (parts.length === 0 && !r.request.cma && cma !== undefined && cma > 0 && open !== undefined)
    return [
      yes(
        "why.free_unusable",
        `A part was not available to this request: ${bytes(cma)} of the ${bytes(c.memInfo?.totals.free ?? cma)} that were free on the machine belong to CMA (free_cma), which only movable pages may use.`,
        linesWith(c, "totals", (text) => text.includes("free_cma")),
      ),
    ];
  // No zone and no number is missing that could tell of pages set aside.
  const all = open === undefined ? r.all : undefined;
  const onlyMovable = parts.length === 0 && r.refused === false ? movableOnly(c, r) : undefined;
  if (onlyMovable !== undefined) return [onlyMovable];
  if (parts.length === 0 && (r.refused !== true || all === undefined))
    return [
      unknown(
        "why.free_unusable",
        open === undefined
          ? "The printed numbers set nothing aside that would explain the refusal."
          : `The report does not say whether a part of the free memory was set aside for others: it lacks ${open}.`,
        eligible.flatMap((z) => zoneQuotes(c, z)).slice(0, 4),
      ),
    ];
  if (parts.length === 0 && all !== undefined)
    return [
      no(
        "why.free_unusable",
        `Of the ${bytes(free)} that were free in zones it may use, nothing was set aside for others: it was too little${order > 0 ? " or in blocks that were too small" : ""}.`,
        missed(all, eligible.flatMap((z) => zoneQuotes(c, z)).slice(0, 4)),
      ),
    ];
  return [
    yes(
      "why.free_unusable",
      `Of ${bytes(free)} that were free in ${r.lacks === undefined ? "zones it may use" : "the zones that the text has"}, a part was not available to this request: ${listing(parts)}.`,
      evidence,
      !r.request.cma && eligible.some((z) => z.state.freeCma > 0 && z.verdict.ok === false && z.withoutCma.ok === true)
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

/** The amounts pass and the lists do not: every free block lies where the request may not go. */
const closedLists = (z: RebuiltZone): boolean =>
  z.verdict.ok === false && z.verdict.because.at(-1)?.compared === undefined && z.verdict.because[0]?.passed === true;

/**
 * Since 6.15 vm.defrag_mode=1 keeps ALLOC_NOFRAGMENT for requests that may not reclaim: they leave the slow path without having tried the
 * lists of other types (mm/page_alloc.c; 7.2 tries them).
 */
function movableOnly(c: Case, r: Rebuilt): Finding | undefined {
  const movable = maskOf(c)?.names.some((n) => n.includes("MOVABLE")) === true;
  const rows = r.zones.filter((z) => z.eligible).flatMap((z) => (z.state.orders ?? []).filter((o) => o.blocks > 0));
  if (movable || !atLeast(c.release, [6, 15]) || atLeast(c.release, [7, 2]) || rows.length === 0) return undefined;
  if (rows.some((o) => o.letters !== "M") || maskOf(c)?.maySleep !== false) return undefined;
  return unknown(
    "why.free_unusable",
    "All free blocks are of movable type (M) and the request wanted unmovable memory without reclaim. From 6.15 on vm.defrag_mode=1 keeps such requests off the lists of other types; the report does not say how it is set.",
    r.zones
      .filter((z) => z.eligible)
      .flatMap((z) => zoneQuotes(c, z))
      .slice(0, 4),
    [
      {
        change: { kind: "evidence" },
        action: "See whether vm.defrag_mode is 1, and set it to 0",
        changes: "requests that may not reclaim try the lists of other types again",
        costs: "large blocks get rarer over time",
        command: "sysctl vm.defrag_mode; sysctl -w vm.defrag_mode=0",
      },
    ],
  );
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
  if (order === 0) return singlePage(c);
  const free = size(eligible.reduce((n, z) => n + z.state.free, 0) * c.pageKb * 1024);
  if (r.singleRefused === true)
    return [
      no(
        "fragmentation",
        `Not fragmentation in the first place: even a single page would have been refused. Memory as a whole was short (${free} free in zones it may use).`,
        shown(order, evidence),
        largeBlocksAdvice(c),
      ),
    ];
  if ((r.refused === true || r.within !== undefined) && r.singleRefused === false) {
    const passing = eligible.filter((z) => z.single.ok === true).map((z) => z.name);
    return [
      yes(
        "fragmentation",
        `This is fragmentation: a single page would have been served (${listing(passing)}; ${free} free in zones it may use), but no block of ${orderWords(order, c.pageKb)}.`,
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
        `This is fragmentation: ${free} were free in zones it may use, but hardly any of it (${size(large * c.pageKb * 1024)}) in blocks of ${orderWords(order, c.pageKb)} or more, even when the state was printed.`,
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
