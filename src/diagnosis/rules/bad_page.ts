// A page whose fields contradict that it is free: which field, which block it was part of, what that excludes, and whose hand it was.
import { has, type Row } from "../../kernel/facts/functions/known.ts";
import {
  compoundFrees,
  fragmentFrees,
  handOutChecks,
  lateChecks,
  ownerAllocates,
  ownerFrees,
  packetDataFrees,
  packetFrees,
  packetReleases,
  wholeBlockFrees,
} from "../../kernel/facts/functions/page_lives.ts";
import { decodePageFlags, pageFlagEraAt } from "../../kernel/facts/page_flags.ts";
import { declaredStructs } from "../../kernel/facts/structs.ts";
import type { BadPage } from "../../kernel/readings/bad_page.ts";
import { rawWord } from "../../kernel/readings/bad_page.ts";
import type { IncidentOf } from "../../kernel/readings/incident.ts";
import { none } from "../../kernel/readings/part.ts";
import type { Case } from "../case.ts";
import { byKind, quote, quoteFrames } from "../case.ts";
import type { Advice, Finding, Quote } from "../finding.ts";
import { shown } from "../finding.ts";
import { ownBuffers } from "../own_buffers.ts";
import type { PageVerdict } from "../page_records.ts";
import { loneBit, pageVerdict, poolSignature, repeatedWords, writtenOver } from "../page_records.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { listing } from "../words.ts";
import { ofFragmentation } from "./fragmentation.ts";
import { linesWith } from "./lines.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "bad_page.flags": { question: "Are flags set on the page?" },
  "bad_page.double_free": { question: "Was the memory freed twice?", rank: 3 },
  "bad_page.overwritten": { question: "Was struct page overwritten?" },
  "bad_page.reason": { question: "Is the kernel's reason known?", rank: 4 },
  "bad_page.page_pool": { question: "Does the page belong to a page_pool?" },
  "bad_page.struct_page": { question: "Do pointer and page number agree?" },
  "bad_page.process_guilty": {
    question: "Is the named process to blame?",
    clears: "the named process",
  },
  "bad_page.owner": { question: "Is it known who had the page?" },
  "bad_page.whole_block": { question: "Was it one block of several pages?" },
  "bad_page.packet_memory": { question: "Is it packet memory?", clears: "packet memory" },
  ...ofFragmentation,
});

const findDoubleFree: Advice = {
  change: { kind: "evidence" },
  action: "Boot with page_owner and slab debugging, and wait for the next report",
  changes: "the next Bad page report says who allocated the page and who freed it",
  costs: "a reboot, about 1 % of memory and some speed",
  command: "page_owner=on slub_debug=FZPU on the kernel command line (CONFIG_PAGE_OWNER, CONFIG_SLUB_DEBUG)",
};
/** Ownership records help only where there are none yet. */
const ownership = (page: BadPage): readonly Advice[] => (page.owner === undefined ? [findDoubleFree] : []);
const reboot: Advice = {
  change: { kind: "reboot" },
  action: "Reboot when you can afford the downtime",
  changes: "ends the risk; until then the kernel does not use this page, but whatever writes to it keeps writing",
  costs: "downtime",
};

export const badPage = defineRule({
  id: "bad_page",
  asks: "Which field of the page is wrong, and what does that prove?",
  questions,
  kinds: ["bad_page"],
  answer: (c) => {
    if (c.incident.kind !== "bad_page") return [];
    const incident = c.incident;
    const page = incident.reading;
    return [
      ...flagsSay(c, page),
      ...blockSays(c, page),
      ...reasonSays(c, page),
      ...structSize(c, page),
      ...whoseHand(c, incident),
      fragmentation(c, page),
    ];
  },
});

const flagsOf = (page: BadPage): bigint | undefined => {
  const digits = /^(?:0x)?([0-9a-f]+)/i.exec(page.flags ?? "")?.[1];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
};

const fields = (c: Case): readonly Quote[] => {
  const lines = [...quote(c, "page", 1), ...quote(c, "flags")];
  return lines.length > 0 ? lines : quote(c, "headline");
};

/** What the flags word says in the layout of that release. */
export function flagsInLayout(c: Case, page: BadPage): ReturnType<typeof decodePageFlags> | undefined {
  const flags = flagsOf(page);
  return flags === undefined ? undefined : decodePageFlags(flags, c.release.version);
}

/** The names of flags that the kernel printed itself, without what is no flag (`zone=1`). */
const printedNames = (page: BadPage): readonly string[] | undefined =>
  page.flagNames === undefined ? undefined : page.flagNames.split("|").filter((n) => n !== "" && !n.includes("="));

/** The flags by name: the kernel's own where it prints them; they go before every table. */
function flagNamesOf(c: Case, page: BadPage): readonly string[] {
  return printedNames(page) ?? flagsInLayout(c, page)?.names ?? [];
}

/** What the word of flags holds beside them. */
function inOthers(page: BadPage): string {
  if ((page.flagNames ?? "") !== "") return `: ${page.flagNames}`;
  return flagsOf(page) === 0n ? "" : ", which are its node, its zone and the like";
}

function flagsSay(c: Case, page: BadPage): readonly Finding[] {
  const decoded = flagsInLayout(c, page);
  if (decoded === undefined) return [];
  const { flags = "" } = page;
  const printed = printedNames(page);
  const agrees =
    printed === undefined ||
    (printed.length === decoded.names.length && printed.every((n) => decoded.names.includes(n)));
  if ((printed ?? decoded.names).length === 0)
    return [
      no(
        "bad_page.flags",
        `No flag of the page is set (${flags}${inOthers(page)}): the flags are not what is wrong.`,
        shown(flags, fields(c)),
      ),
    ];
  const wrong =
    agrees && decoded.badAtFree.length > 0
      ? ` ${listing(decoded.badAtFree)} must not be set on a page that is being freed.`
      : "";
  const names =
    printed === undefined
      ? `${decoded.text} in the page-flag layout of ${pageFlagEraAt(c.release.version).since.join(".")} and later`
      : `${page.flagNames}, by the kernel's own words`;
  return [yes("bad_page.flags", `flags ${flags} mean ${names}.${wrong}`, fields(c))];
}

/** The stack frees a packet's head as a page fragment, and the page is a slab's. */
export const slabFragment = (c: Case, page: BadPage): boolean =>
  flagNamesOf(c, page).includes("slab") &&
  c.stack.frames.some((f) => has(fragmentFrees, f.function)) &&
  c.stack.frames.some((f) => has(packetDataFrees, f.function));

/** buddy beside whatever flag: on the free list already. Up to 4.17 _mapcount -128 said so (printed as -127). */
const onFreeList = (c: Case, page: BadPage): boolean =>
  flagNamesOf(c, page).includes("buddy") || page.mapcount === -127;

/** The verdict on the page of a case. */
export const verdictOn = (c: Case, page: BadPage): PageVerdict =>
  pageVerdict(page, {
    doubleFree: onFreeList(c, page),
    slabFragment: slabFragment(c, page),
    packetFreed: c.stack.frames.some((f) => has(packetReleases, f.function))
      ? "yes"
      : none(c.stack.trace, (f) => has(packetReleases, f.function) === true) === undefined
        ? "unknown"
        : "no",
  });

/** The stack gives back a block of several pages at once: free_pages_prepare() looks at each page of it. */
const wholeBlock = (c: Case): boolean => c.stack.frames.some((f) => has(wholeBlockFrees, f.function));

/** The largest block that ends with this page: 0x80db ends 0x80d8..0x80db (order 2) and 0x80da..0x80db (order 1). */
export function blockEndingAt(pfn: number): { order: number; first: number } {
  let order = 0;
  while (order < 10 && Math.floor(pfn / 2 ** order) % 2 === 1) order++;
  return { order, first: pfn - 2 ** order + 1 };
}

function blockSays(c: Case, page: BadPage): readonly Finding[] {
  const decoded = flagsInLayout(c, page);
  if (decoded === undefined || page.pfn === undefined) return [];
  const pfn = page.pfn;
  const h = (n: number): string => `0x${n.toString(16)}`;
  const evidence = [...quote(c, "headline"), ...fields(c)];
  const tail = flagNamesOf(c, page).includes("tail");
  const buddy = onFreeList(c, page);
  if (tail) {
    const { order, first } = blockEndingAt(pfn);
    const place =
      order >= 2
        ? `pfn ${h(pfn)} is ${pfn % 2 ** order} mod ${2 ** order}: it ends the aligned order-${order} block ${h(first)}..${h(pfn)} (${2 ** order} pages, ${2 ** order * c.pageKb} KiB)${order > 2 ? "" : `; if the buffer had only two pages, ${h(pfn - 1)}..${h(pfn)}`}.`
        : `pfn ${h(pfn)} is a later page of a block of several pages.`;
    const both = buddy
      ? `${place} Its tail flag says that it was part of a block in use when it was freed, its buddy flag that it was on the free list already: the memory had been freed before, whole (a double free) or in part (an overlapping free).`
      : wholeBlock(c)
        ? `${place} Its tail flag says that it belongs to a block; the stack frees that whole block, and each of its pages is checked.`
        : `${place} Its tail flag says that it still belonged to a block; the report does not say whether the block or the page alone was freed.`;
    return [(buddy ? yes : unknown)("bad_page.double_free", both, evidence, [...ownership(page), reboot])];
  }
  if (buddy)
    return [
      yes(
        "bad_page.double_free",
        `buddy is set: the page was on the free list already when it was freed again (pfn ${h(pfn)}).`,
        evidence,
        [...ownership(page), reboot],
      ),
    ];
  return [];
}

const reasons: readonly (readonly [RegExp, string])[] = [
  [
    /non-NULL mapping/,
    "mapping is not NULL: the page was freed while still in the page cache, or struct page was overwritten",
  ],
  [/PAGE_FLAGS_CHECK_AT_FREE/, "a flag is set that no page may have when it is freed"],
  [
    /PAGE_FLAGS_CHECK_AT_PREP/,
    "a flag appeared while the page was free: something wrote to memory that it did not own",
  ],
  [
    /page_pool leak/,
    "the page was freed to the page allocator while a page_pool still counts it as handed out: put_page() was called instead of the pool's own release function, so the pool will wait for it forever",
  ],
  [
    /corrupted mapping in tail page|compound_head not consistent|TAIL_MAPPING/,
    "a tail page of a block was overwritten",
  ],
  [/hwpoison/, "the hardware reported this memory as broken"],
];

/** A count that is not what a free page has: its sign says whether too much was given back or too much is held. */
function countSays(page: BadPage): string | undefined {
  const { refcount: count, mapcount: mapped } = page;
  if (count !== undefined && count < 0)
    return `the reference count is ${count}, below zero: the page was released ${count === -1 ? "once" : `${-count} times`} too often`;
  if (count !== undefined && count > 0)
    return `the reference count is ${count}: ${count === 1 ? "a reference is still held, or was" : `${count} references are still held, or were`} taken after the last one had been dropped`;
  if (mapped === undefined) return undefined;
  if (mapped < 0)
    return `mapcount is ${mapped}, below zero: it was unmapped too often, or the field was overwritten (up to 4.4 a tail page counts its pins there, mm/swap.c)`;
  if (mapped > 0) return `mapcount is ${mapped}: a process still maps the page, or the field was overwritten`;
  return undefined;
}

/** What the reason that the kernel gives means for this page. */
function meaningOf(text: string, page: BadPage): string | undefined {
  if (/nonzero (?:mapcount|_refcount|_count)/.test(text)) return countSays(page);
  if (/still charged to cgroup/.test(text))
    return page.memcg === undefined || /^[89a-f]/i.test(page.memcg)
      ? "the page is still charged to a memory cgroup"
      : undefined;
  return reasons.find(([form]) => form.test(text))?.[1];
}

const findFreer: Advice = {
  change: { kind: "code" },
  action:
    "Look for the driver or feature that frees received pages by itself (XDP, AF_XDP, a forwarding or filter module outside the kernel)",
  changes: "stops the leak; the pool can be destroyed again",
  costs: "an update or a bug report",
  command: "for p in /sys/module/*/taint; do grep -H . $p; done",
};
const testMemory: Advice = {
  change: { kind: "evidence" },
  action: "Test the memory, the power supply and devices that write by DMA before any code is blamed",
  changes: "tells broken hardware from a stray write by software",
  costs: "hours without the machine",
  command: "memtest86+ from the boot loader, or memtest=4 on the kernel command line",
};

function reasonSays(c: Case, page: BadPage): readonly Finding[] {
  const { trouble } = verdictOn(c, page);
  const found: Finding[] = [];
  const text = page.reason;
  const overwritten = trouble === "written over" || trouble === "lone bit";
  if (overwritten)
    found.push(
      yes(
        "bad_page.overwritten",
        trouble === "written over"
          ? `${listing(
              repeatedWords(page)
                .slice(0, 4)
                .map((w) => `${w.field} (${w.hex})`),
            )} hold one repeated byte, as a memory pattern or a stray write leaves it.${text === undefined ? "" : ` The kernel's reason "${text}" describes only the first such field that it found.`}`
          : `${loneBit(page)?.field} is ${loneBit(page)?.hex}: bit ${loneBit(page)?.bit} alone, no pointer. The rest of the record may be intact.`,
        fields(c),
        [testMemory],
      ),
    );
  if (text !== undefined) {
    const meaning = overwritten || trouble === "no pool" ? undefined : meaningOf(text, page);
    found.push(
      yes(
        "bad_page.reason",
        `The kernel's reason is "${text}"${meaning === undefined ? "." : `: ${meaning}.`}`,
        quote(c, "reason", 1),
        trouble === "pool leak" ? [findFreer] : ownership(page),
      ),
    );
  } else if (!overwritten) {
    const counted = countSays(page);
    if (counted !== undefined)
      found.push(
        yes("bad_page.reason", `${counted.charAt(0).toUpperCase()}${counted.slice(1)}.`, fields(c), ownership(page)),
      );
  }
  return [...found, ...poolSays(c, page)];
}

/** Whether a page_pool's mark is in the record. */
function poolSays(c: Case, page: BadPage): readonly Finding[] {
  const mark = poolSignature(page);
  const claimed = /page_pool leak/.test(page.reason ?? "");
  if (mark === true)
    return [
      yes(
        "bad_page.page_pool",
        `raw word 1 is ${page.raw[1]}: the page belongs to a page_pool (pool at ${page.raw[2] ?? "?"}).`,
        quote(c, "raw", 1),
      ),
    ];
  const word = rawWord(page, 1);
  if (mark === false && claimed && word !== undefined)
    return [
      no(
        "bad_page.page_pool",
        `raw word 1 is ${word}, not the mark that a page_pool puts there: the page did not belong to a pool. On 32-bit machines the check of some releases took other words for the mark (fixed by 95920c2ed02b).`,
        shown(word, quote(c, "raw", 1)),
      ),
    ];
  return [];
}

/** Sizes that struct page has had; the right one puts mem_map on a page boundary. */
function structSize(c: Case, page: BadPage): readonly Finding[] {
  const text = page.page ?? "";
  if (page.pfn === undefined || !/^[0-9a-f]{8}$/.test(text)) return [];
  if (writtenOver(page)) return [];
  const address = Number.parseInt(text, 16);
  const pfn = page.pfn;
  const declared = declaredStructs(c.release).layout("page")?.sizeBytes;
  const candidates = new Set([...(declared === undefined ? [] : [declared]), 32, 28, 36, 40]);
  const fits = [...candidates].filter((bytes) => address - pfn * bytes > 0 && (address - pfn * bytes) % 4096 === 0);
  if (fits.length !== 1) return [];
  const bytes = fits[0] as number;
  return [
    yes(
      "bad_page.struct_page",
      `page ${text} minus pfn × ${bytes} bytes is 0x${(address - pfn * bytes).toString(16)}, the start of a page: struct page has ${bytes} bytes here and pfn and pointer agree, so the report itself is sound.`,
      [...quote(c, "headline"), ...fields(c)],
    ),
  ];
}

function whoseHand(c: Case, incident: IncidentOf<"bad_page">): readonly Finding[] {
  const page = incident.reading;
  const found: Finding[] = [];
  const names = c.stack.frames.map((f) => f.function);
  // Frames without the check above them are those of somebody who had the page before.
  const check = names.indexOf("bad_page");
  const under = (rows: readonly Row<true>[]): number =>
    names.findIndex((n, i) => check >= 0 && i > check && has(rows, n));
  const late = under(lateChecks);
  const prep = under(handOutChecks);
  const [drains, hands] = [names[late], names[prep]];
  if (drains !== undefined)
    found.push(
      no(
        "bad_page.process_guilty",
        `Process ${page.comm ?? "named here"} need not have caused it: the check ran while a per-CPU list was drained, some time after the page was freed.`,
        shown(drains, quoteFrames(c, [late])),
      ),
    );
  else if (hands !== undefined)
    found.push(
      no(
        "bad_page.process_guilty",
        `Process ${page.comm ?? "named here"} only requested a page: the damage was done while the page was free, for example by code that still used it.`,
        shown(hands, quoteFrames(c, [prep])),
      ),
    );
  const by = page.owner?.allocatedBy.find((f) => !has(ownerAllocates, f.function));
  const freed = page.owner?.freedBy.find((f) => !has(ownerFrees, f.function));
  if (by !== undefined || freed !== undefined)
    found.push(
      yes(
        "bad_page.owner",
        `page_owner says who had the page: ${[by && `allocated by ${by.function}${by.module === undefined ? "" : ` [${by.module}]`}`, freed && `last freed by ${freed.function}${freed.module === undefined ? "" : ` [${freed.module}]`}`].filter((x) => x !== undefined).join(", ")}.`,
        ownerLines(c, [by?.function, freed?.function]),
      ),
    );
  else
    found.push(
      unknown(
        "bad_page.owner",
        "The report does not say who allocated the page or freed it first; page_owner lines would have said so.",
        [],
        [findDoubleFree],
      ),
    );
  const large = names.findIndex((n) => has(compoundFrees, n));
  const kfree = names.findIndex((n) => n.startsWith("kfree"));
  if (names[large] !== undefined && names[kfree] !== undefined)
    found.push(
      yes(
        "bad_page.whole_block",
        `The buffer was one block of several pages from kmalloc: kfree() freed it through ${names[large]}.`,
        quoteFrames(c, [large, kfree]),
      ),
    );
  const skb = names.findIndex((n) => has(packetFrees, n));
  if (names[skb] !== undefined)
    found.push(
      yes(
        "bad_page.packet_memory",
        `It is packet memory: the page was being freed with a packet's buffer (${names[skb]}).`,
        quoteFrames(c, [skb]),
        slabFragment(c, page) ? [headIsNoFragment] : verdictOn(c, page).trouble === "pool leak" ? [] : [ownBuffers],
      ),
    );
  return found;
}

/** page_frag_free() of a slab page: build_skb() was told that a kmalloced buffer is a fragment. */
const headIsNoFragment: Advice = {
  change: { kind: "code" },
  action:
    "Find who builds the packet: a kmalloc buffer goes to build_skb(data, 0) up to 6.1 and to slab_build_skb(data) since 6.2; with a fragment size the packet is freed by page_frag_free() (skb->head_frag)",
  changes: "the buffer goes back to its slab",
  costs: "a change of the driver",
};

/** The sentences of page_owner and the frames that the finding names. */
const ownerLines = (c: Case, names: readonly (string | undefined)[]): readonly Quote[] =>
  linesWith(
    c,
    "owner",
    (text) => /page_owner|page last/.test(text) || names.some((n) => n !== undefined && text.includes(`${n}+`)),
  );

function fragmentation(c: Case, page: BadPage): Finding {
  const because = onFreeList(c, page)
    ? "the page was on the free list while it was in use"
    : page.reason !== undefined
      ? `the kernel reports ${page.reason}`
      : "the kernel reports a wrong field of struct page";
  return no(
    "fragmentation",
    `This is not fragmentation: no request was refused. ${because.charAt(0).toUpperCase()}${because.slice(1)}, which a lack of contiguous memory cannot cause.`,
    byKind(c, [...quote(c, "headline"), ...fields(c)]),
  );
}
