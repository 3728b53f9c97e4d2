// Is vm.min_free_kbytes what the kernel chose by itself, and is it worth raising? The value comes from sysctl or from a whole list of marks;
// an advice with a number needs the value and the memory it is shared over, and is given only where a larger reserve has a mechanism.

import { defaultMinFreeKb, hugePagesMinFreeKb, lowmemOfMinFree, mayLeaveCmaOut } from "../../kernel/facts/min_free.ts";
import { boostSince } from "../../kernel/facts/mm_watermark.ts";
import type { MemInfo, MemZone } from "../../kernel/readings/mem_info.ts";
import { sumZones, zoneKb } from "../../kernel/readings/mem_info_extent.ts";
import type { Lack } from "../../kernel/readings/part.ts";
import { closedOf, isKnown, isLack } from "../../kernel/readings/part.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Advice, Finding, Quote } from "../finding.ts";
import { shown } from "../finding.ts";
import { maskOf } from "../mask.ts";
import { defineQuestions } from "../question.ts";
import { hiddenBoostKb } from "../rebuild.ts";
import { defineRule, shortages } from "../rule.ts";
import { size } from "../words.ts";
import { linesWith } from "./lines.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "min_free.default": {
    question: "Is min_free_kbytes the kernel's own default?",
    clears: "an untouched min_free_kbytes",
  },
  "min_free.changed": { question: "Was vm.min_free_kbytes another then?" },
});

/** Single pages and small blocks survive in a larger reserve; blocks above PAGE_ALLOC_COSTLY_ORDER are not made by it. */
const highestOrder = 3;

export const minFree = defineRule({
  id: "min_free",
  asks: "Is min_free_kbytes the kernel's own default?",
  questions,
  kinds: shortages,
  answer: (c) => {
    if (c.incident.kind === "oom" && c.incident.reading.scope === "memcg") return [];
    // 2.4 has no such setting (kernel/sysctl.c of 2.4.32).
    if (!atLeast(c.release, [2, 6])) return [];
    const told = c.around.sysctls.get("vm.min_free_kbytes");
    if (told === undefined) return fromReport(c);
    const kb = Number(told.value);
    if (!Number.isInteger(kb) || kb <= 0) return [];
    const then = changedSince(c, kb);
    return then === undefined ? fromSysctl(c, kb, told.quote) : otherMoment(c, kb, then, told.quote);
  },
});

/**
 * A sysctl is read at a moment of its own. Where the marks that the report printed add up to another value it has been changed in between: what they
 * add up to, else undefined.
 */
export function changedSince(c: Case, kb: number): number | undefined {
  const m = c.memInfo;
  if (m === undefined || m.zones.length === 0) return undefined;
  const marks = marksOf(c, m);
  if (isLack(marks) || marks.boosted) return undefined;
  // Each zone's share is rounded to pages (mm/page_alloc.c __setup_per_zone_wmarks()).
  const rounding = 2 * c.pageKb * marks.zones.length;
  return Math.abs(marks.kb - kb) > kb * 0.02 + rounding ? marks.kb : undefined;
}

/** The report's own marks say what the request met; the setting read at another time only says that it is different then. */
function otherMoment(c: Case, kb: number, then: number, line: Quote): readonly Finding[] {
  return [
    ...fromReport(c).map((f) => ({ ...f, advice: [] })),
    yes(
      "min_free.changed",
      `The sysctl beside the report says ${kb}, which was read at another moment or on another machine: when the report was printed the marks added up to ${then} kB.${kb > then ? " If it is this machine's, it has been raised since." : ""}`,
      [line],
    ),
  ];
}

/** A larger reserve helps requests that may not wait, for at most a few pages, of the machine and not of a container; vmalloc waits. */
function helps(c: Case): boolean {
  if (c.incident.kind === "alloc_failure" && c.incident.reading.variant === "vmalloc") return false;
  if (c.incident.kind === "oom" || c.order === undefined || c.order > highestOrder) return false;
  const mask = maskOf(c);
  return c.slab?.memcg === undefined && (c.order > 0 || mask?.maySleep !== true);
}

function fromSysctl(c: Case, kb: number, line: Quote): readonly Finding[] {
  const lowmem = lowmemOfMinFree(kb, c.release.version);
  const known = c.around.memTotalKb;
  const advice = raise(c, kb, known?.value ?? lowmem?.from);
  const huge = hugePagesMinFreeKb(kb, c.pageKb);
  if (huge !== undefined)
    return [no("min_free.default", `vm.min_free_kbytes ${kb} is ${hugeWords(huge)}.`, shown(kb, [line]), advice)];
  if (lowmem === undefined)
    return [
      unknown(
        "min_free.default",
        `vm.min_free_kbytes ${kb} is the lowest or highest value that the kernel chooses by itself: it may be the default or a user's value.`,
        [line],
        advice,
      ),
    ];
  const inGib = size(lowmem.from * 1024);
  if (known !== undefined && (lowmem.from > known.value * 1.06 || lowmem.to < known.value * 0.8))
    return [
      no(
        "min_free.default",
        `vm.min_free_kbytes ${kb} would be the default for ${inGib} of low memory; this machine has ${size(known.value * 1024)}, so it was set.`,
        shown(kb, [line, known.quote]),
        advice,
      ),
    ];
  const choice = `vm.min_free_kbytes ${kb} is what the kernel chooses by itself for about ${inGib} of low memory`;
  if (known !== undefined)
    return [
      yes(
        "min_free.default",
        `${choice}, and this machine has ${size(known.value * 1024)} in all: it is the default.`,
        [line, known.quote],
        advice,
      ),
    ];
  const unsaid = "the text does not say how much this machine has";
  return [
    asPeopleSet(kb)
      ? unknown("min_free.default", `${choice}; ${unsaid}, and people set round numbers like it too.`, [line], advice)
      : yes(
          "min_free.default",
          `${choice}, and it is not a round number as people set it: the default, though ${unsaid}.`,
          [line],
          advice,
        ),
  ];
}

/** Numbers that people type: so many hundreds, or a multiple of 64 kB. The kernel's square root falls on one in some forty cases. */
const asPeopleSet = (kb: number): boolean => kb % 100 === 0 || kb % 64 === 0;

const hugeWords = (zones: number): string =>
  `what transparent huge pages raise it to on a machine with ${zones} zones (mm/khugepaged.c); it need not have been tuned`;

/** Below HighMem and what only movable pages use: the memory that min_free_kbytes is shared over. */
const isLow = (z: MemZone): boolean => z.name !== "HighMem" && z.name !== "Movable" && z.name !== "Device";

/** What the marks of all zones add up to, and the memory below them; or what is missing for it. */
interface Marks {
  readonly kb: number;
  /** A boost that the report does not print is in the marks: `kb` is what they can be at most without it. */
  readonly boosted: boolean;
  readonly lowmemKb: number;
  /** What of `lowmemKb` boot may have kept; undefined where that is not told. */
  readonly keptKb: number | undefined;
  readonly zones: readonly MemZone[];
}

function marksOf(c: Case, m: MemInfo): Marks | Lack {
  const all = closedOf(c.zones);
  if (all === undefined) return c.zones.state === "cut" ? { lacks: c.zones.lacks } : { lacks: "its zone lines" };
  const zones = all.filter(isLow);
  const mayBoost = atLeast(c.release, boostSince);
  let kb = 0;
  let boosted = false;
  for (const z of zones) {
    const min = zoneKb(m, z, "min");
    if (isLack(min)) return min;
    const hidden = mayBoost && z.kb.boost === undefined ? hiddenBoostKb(z, min) : 0;
    if (hidden === undefined) return { lacks: `the low mark of zone ${z.name}` };
    boosted ||= hidden > 0;
    kb += min - (z.kb.boost ?? hidden);
  }
  const memory = lowmemOf(c, m, zones);
  if (kb <= 0 || isLack(memory)) return isLack(memory) ? memory : { lacks: "a mark above zero" };
  return { kb, boosted, ...memory, zones };
}

/** Managed pages of the zones; where a release or a cut leaves them out what is present, or what the tail counts. */
function lowmemOf(
  c: Case,
  m: MemInfo,
  zones: readonly MemZone[],
): { lowmemKb: number; keptKb: number | undefined } | Lack {
  const managed = sumZones(m, zones, "managed");
  if (!isLack(managed)) return { lowmemKb: managed, keptKb: 0 };
  const { tail } = m;
  const kept = tail["pages reserved"] ?? tail["reserved pages"];
  const present = sumZones(m, zones, "present");
  const printsManaged = zones.some((z) => z.kb.managed !== undefined) || atLeast(c.release, [3, 9]);
  if (!isLack(present) && !printsManaged)
    return { lowmemKb: present, keptKb: kept === undefined ? undefined : kept * c.pageKb };
  const ram = tail["pages RAM"];
  const high = tail["pages HighMem/MovableOnly"] ?? tail["pages HighMem"];
  if (ram === undefined || kept === undefined || high === undefined) return managed;
  return { lowmemKb: (ram - kept - high) * c.pageKb, keptKb: 0 };
}

/** Without the sysctl: the min marks of all zones below HighMem add up to it. */
function fromReport(c: Case): readonly Finding[] {
  const m = c.memInfo;
  if (m === undefined || m.zones.length === 0) return helps(c) ? [notTold(c, { lacks: "zone lines" })] : [];
  const marks = marksOf(c, m);
  if (isLack(marks)) return [notTold(c, marks)];
  const { kb, lowmemKb, zones } = marks;
  const evidence = [
    ...zones.flatMap((z) => quote(c, `zone:${z.node}:${z.name}`)),
    ...(marks.keptKb !== 0 || zones.some((z) => z.kb.managed === undefined)
      ? linesWith(c, "tail", (text) => /\breserved\b/.test(text))
      : []),
  ];
  const advice = raise(c, kb, lowmemKb);
  if (marks.boosted)
    return [
      unknown(
        "min_free.default",
        `The printed marks contain a temporary boost, which the report does not print separately: low minus min shows that without it they add up to about ${kb} kB. The report does not say vm.min_free_kbytes exactly.`,
        evidence,
        helps(c) ? [readItFirst] : [],
      ),
    ];
  return [judged(c, m, marks, evidence, advice)];
}

function judged(c: Case, m: MemInfo, marks: Marks, evidence: readonly Quote[], advice: readonly Advice[]): Finding {
  const { kb, lowmemKb, keptKb } = marks;
  const { version } = c.release;
  const near = (to: number): boolean => Math.abs(kb - to) <= Math.max(to * 0.1, 128);
  const base = `The min marks of the zones add up to ${kb} kB, so vm.min_free_kbytes is set to about that`;
  if (lowmemKb <= 0)
    return unknown(
      "min_free.default",
      `${base}; the report's amounts of memory do not add up, so what the kernel would have chosen is not known.`,
      evidence,
    );
  const own = defaultMinFreeKb(lowmemKb, version);
  const choice = `the kernel's own choice for ${size(lowmemKb * 1024)}`;
  if (near(own))
    return yes("min_free.default", `${base}; ${choice} is about ${own}: it is the default.`, evidence, advice);
  if (kb < own && keptKb === undefined) return notTold(c, { lacks: "the line that counts the pages reserved" });
  const least = keptKb === undefined ? own : defaultMinFreeKb(Math.max(0, lowmemKb - keptKb), version);
  if (kb < own && kb >= least - Math.max(least * 0.1, 128))
    return yes(
      "min_free.default",
      `${base}; ${choice} is about ${own}, and ${least} without the memory that boot reserved: it is the default.`,
      evidence,
      advice,
    );
  const huge = hugePagesMinFreeKb(kb, c.pageKb);
  if (huge !== undefined) return no("min_free.default", `${base}: ${hugeWords(huge)}.`, shown(kb, evidence), advice);
  if (kb > own)
    return no(
      "min_free.default",
      `${base}; ${choice} would be about ${own}: it was raised.`,
      shown(kb, evidence),
      advice,
    );
  const cma = mayLeaveCmaOut(version) ? cmaOf(c, m) : 0;
  if (cma === undefined || cma > 0) {
    const words = "kernels of that time leave CMA out when they choose";
    if (cma === undefined)
      return unknown(
        "min_free.default",
        `${base}; ${words}, and the report does not say how much CMA there is.`,
        evidence,
      );
    const without = defaultMinFreeKb(Math.max(0, lowmemKb - cma), version);
    if (near(without))
      return yes(
        "min_free.default",
        `${base}; ${words}, and for ${size((lowmemKb - cma) * 1024)} that is about ${without}: it is the default.`,
        evidence,
        advice,
      );
  }
  return no(
    "min_free.default",
    `${base}; ${choice} would be about ${own}: it was lowered.`,
    shown(kb, evidence),
    advice,
  );
}

/** Memory set aside for CMA in kB, 0 where there is none, undefined where only a part of it is told. */
function cmaOf(c: Case, m: MemInfo): number | undefined {
  const pages = m.tail["pages cma reserved"];
  if (pages !== undefined) return pages * c.pageKb;
  return m.totals.free_cma === 0 ? 0 : undefined;
}

function notTold(c: Case, lack: Lack): Finding {
  return unknown(
    "min_free.default",
    `The report does not say how vm.min_free_kbytes is set: it lacks ${lack.lacks}.`,
    [],
    helps(c) ? [readItFirst] : [],
  );
}

/** The same help without a number, where the value at hand or the memory is not told. */
const readItFirst: Advice = {
  change: { kind: "min_free_times", times: 2 },
  action: "Raise vm.min_free_kbytes: read its value, double it, and stay below a twentieth of the machine's memory",
  changes: "kswapd starts earlier and keeps more memory free for requests that may not wait",
  costs: "memory that programs cannot use; a value that is far too high triggers the OOM killer",
  command: "sysctl vm.min_free_kbytes; sysctl -w vm.min_free_kbytes=TWICE_THAT",
};

/** Four times the value at hand, but neither above what the kernel would ever choose nor above a twentieth of low memory; none where that is no raise. */
function raise(c: Case, kb: number, lowmemKb: number | undefined): readonly Advice[] {
  if (!helps(c)) return [];
  if (lowmemKb === undefined) return [readItFirst];
  const to = Math.min(kb * 4, 262144, Math.floor(lowmemKb / 20));
  if (to < kb * 1.1) return [];
  return [
    {
      change: { kind: "min_free_kbytes", kb: to },
      action: `Raise vm.min_free_kbytes from ${kb} to ${to}`,
      changes: isKnown(c.order, (n) => n > 0)
        ? "kswapd starts earlier and keeps more memory free, so that blocks of several pages survive and requests that may not wait find them"
        : "kswapd starts earlier and keeps more memory free for requests that may not wait",
      costs: `${size((to - kb) * 1024)} more memory that programs cannot use; a value that is far too high triggers the OOM killer`,
      command: `sysctl -w vm.min_free_kbytes=${to}`,
    },
  ];
}
