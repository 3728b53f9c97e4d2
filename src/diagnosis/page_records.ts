// What a struct page says beside the kernel's first complaint: that it was written over as a whole, that one bit flipped, that a count went
// below zero, that a page_pool's mark is there or is not. And the verdict that follows.
import type { BadPage } from "../kernel/readings/bad_page.ts";
import { hardwareError, poolLeak, rawWord, reasonPart } from "../kernel/readings/bad_page.ts";
import { isKnown } from "../kernel/readings/part.ts";
import type { Answer, Severity } from "./finding.ts";

/** A word of the record: its field and its value as hex digits. */
interface Word {
  readonly field: string;
  readonly hex: string;
}

const unsigned32 = (n: number): string => (n >>> 0).toString(16).padStart(8, "0");

/** Every word of the record that the report prints. mapcount is printed one larger than it lies in memory. */
function wordsOf(page: BadPage): readonly Word[] {
  const words: Word[] = [];
  const add = (field: string, text: string | undefined): void => {
    const hex = /^(?:0x)?([0-9a-f]{4,16})$/i.exec(text ?? "")?.[1];
    if (hex !== undefined) words.push({ field, hex: hex.toLowerCase() });
  };
  add("flags", page.flags);
  add("mapping", page.mapping);
  add("mem_cgroup", page.memcg);
  if (page.refcount !== undefined) add("count", unsigned32(page.refcount));
  if (page.mapcount !== undefined && page.mapcount !== 0) add("mapcount", unsigned32(page.mapcount - 1));
  page.raw.forEach((word, i) => {
    add(`raw word ${i}`, word);
  });
  return words;
}

/** Fields whose bytes are all alike, as no pointer, count or flags word is; 00 and ff fill honest fields too. */
export function repeatedWords(page: BadPage): readonly Word[] {
  return wordsOf(page).filter(({ hex }) => {
    const bytes = hex.length % 2 === 0 ? (hex.match(/../g) ?? []) : [];
    return bytes.length >= 4 && bytes[0] !== "00" && bytes[0] !== "ff" && bytes.every((b) => b === bytes[0]);
  });
}

/** The record was written over: two words or more are one byte repeated. */
export const writtenOver = (page: BadPage): boolean => repeatedWords(page).length >= 2;

/** A pointer of the record in which exactly one bit is set: field, its value as printed and number of the bit. */
export function loneBit(
  page: BadPage,
): { readonly field: string; readonly hex: string; readonly bit: number } | undefined {
  const candidates: readonly (readonly [field: string, text: string | undefined])[] = [
    ["mapping", page.mapping],
    ["mem_cgroup", page.memcg],
    ["count", page.refcount === undefined || page.refcount < 256 ? undefined : page.refcount.toString(16)],
    ...complainedOf(page),
  ];
  for (const [field, text] of candidates) {
    const hex = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text ?? "")?.[1];
    if (hex === undefined) continue;
    const value = BigInt(`0x${hex}`);
    // The lowest two bits of mapping are flags of their own (PAGE_MAPPING_ANON and its neighbour).
    if (value > 2n && (value & (value - 1n)) === 0n) return { field, hex, bit: value.toString(2).length - 1 };
  }
  return undefined;
}

/**
 * The word that the kernel complains of, out of the dump: the page line hashes pointers since 4.15. mapping is word 3 since 4.18 and word 1 before
 * (struct page, include/linux/mm_types.h), where the other holds a list pointer or counts; mem_cgroup ends the record of 64 bits.
 */
function complainedOf(page: BadPage): readonly (readonly [field: string, text: string | undefined])[] {
  const reason = page.reason ?? "";
  const word = (i: number, what: string): readonly [string, string | undefined] => [
    `${what} (raw word ${i})`,
    rawWord(page, i),
  ];
  if (/non-NULL mapping/.test(reason)) return [word(1, "mapping"), word(3, "mapping")];
  return /still charged to cgroup/.test(reason) && rawWord(page, 7)?.length === 16 ? [word(7, "mem_cgroup")] : [];
}

/** PP_SIGNATURE: 0x40 on the architecture's poison (include/linux/poison.h); the lowest two bits are not part of it. */
const signature64 = /^(?:dead0000000000|5deadbeef00000)4[0-3]$/;
const signature32 = /^0000004[0-3]$/;

/** Whether the second word carries a page_pool's mark; undefined where that word is not known. */
export function poolSignature(page: BadPage): boolean | undefined {
  const word = rawWord(page, 1);
  return word === undefined ? undefined : (word.length === 16 ? signature64 : signature32).test(word);
}

/** What is wrong with the record, the strongest sign first. */
export type PageTrouble =
  | "written over"
  | "lone bit"
  | "pool leak"
  | "no pool"
  | "slab fragment"
  | "double free"
  | "below zero"
  | "hardware"
  | "fields";

export interface PageVerdict {
  readonly trouble: PageTrouble;
  readonly cause: string;
  readonly severity: Severity;
  readonly consequence: string;
}

const corrupted = "Serious: memory was corrupted. What happens later on this machine cannot be trusted.";
const suspectHardware =
  "Serious: look at RAM, power and devices that write by DMA before any code; what happens later on this machine cannot be trusted.";

/** `slab fragment` and `double free` are known from the stack and the flags: the caller says so. */
export function pageVerdict(
  page: BadPage,
  seen: { readonly doubleFree: boolean; readonly slabFragment: boolean; readonly packetFreed: Answer },
): PageVerdict {
  if (writtenOver(page))
    return {
      trouble: "written over",
      cause: `The kernel's record of the page (struct page) was overwritten: ${repeatedWords(page)
        .slice(0, 4)
        .map((w) => `${w.field} is ${w.hex}`)
        .join(", ")}, one byte repeated. What the kernel complains of first is only one of these fields.`,
      severity: "corruption",
      consequence: suspectHardware,
    };
  const bit = loneBit(page);
  if (bit !== undefined)
    return {
      trouble: "lone bit",
      cause: `In ${bit.field} of the page's record exactly one bit is set (bit ${bit.bit}), which is neither a pointer nor a count: a bit flipped, or a stray write set a flag there.`,
      severity: "corruption",
      consequence: suspectHardware,
    };
  if (seen.slabFragment)
    return {
      trouble: "slab fragment",
      cause:
        "A packet's buffer that came from kmalloc was freed as a page fragment (page_frag_free()): the packet says that its head is a fragment, and it is not.",
      severity: "corruption",
      consequence: "Serious: the slab still counts the object as in use, or somebody else may get it.",
    };
  if (seen.doubleFree)
    return {
      trouble: "double free",
      cause:
        "Memory was freed twice: the page was on the free list while it still belonged to a buffer (double or overlapping free). Corruption, not fragmentation.",
      severity: "corruption",
      consequence: corrupted,
    };
  if (isKnown(page.refcount, (n) => n < 0))
    return {
      trouble: "below zero",
      cause: `The page was released ${page.refcount === -1 ? "once too often" : "too often"}: its reference count is ${page.refcount}, below zero. Corruption, not a shortage.`,
      severity: "corruption",
      consequence: corrupted,
    };
  const reason = reasonPart(page);
  if (reason.state === "whole" && reason.value === poolLeak) return poolLeakSays(page, seen.packetFreed);
  if (reason.state === "whole" && reason.value === hardwareError)
    return {
      trouble: "hardware",
      cause: "The hardware reported this memory as broken.",
      severity: "act",
      consequence: "Act on it: replace the memory module; the kernel keeps the page out of use.",
    };
  const state = "A page was freed, or handed out, in a state that no free page may have";
  if (reason.state === "lost" || reason.state === "cut")
    return {
      trouble: "fields",
      cause: `${state}; the text does not say which field is wrong.`,
      severity: "unknown",
      consequence: `The text does not say whether memory is sound or a page of a page_pool leaked: it lacks ${reason.lacks}.`,
    };
  const words = reason.state === "whole" ? ` (${reason.value})` : "";
  return {
    trouble: "fields",
    cause: `${state}${words}. Corruption, not a shortage.`,
    severity: "corruption",
    consequence: corrupted,
  };
}

/** A page_pool's page at the page allocator: past its pool, or the check took another value for the mark. */
function poolLeakSays(page: BadPage, packetFreed: Answer): PageVerdict {
  const mark = poolSignature(page);
  if (mark === false)
    return {
      trouble: "no pool",
      cause: `The kernel's reason is "${poolLeak}", but the word that would hold a page_pool's mark is ${rawWord(page, 1)}: no pool owned this page. The check took another value for the mark.`,
      severity: "watch",
      consequence: "The page is taken out of use; the report does not show that anything was overwritten or leaked.",
    };
  const leak = "A page of a page_pool was freed past its pool: the pool leaks.";
  if (mark === undefined)
    return {
      trouble: "pool leak",
      cause: `The kernel's reason is "${poolLeak}": a page_pool's page was freed past its pool, if the page had the mark of one.`,
      severity: "unknown",
      consequence: "The text does not say whether a pool owned the page: it lacks the raw words of struct page.",
    };
  if (packetFreed === "yes")
    return {
      trouble: "pool leak",
      cause:
        "A packet's last release gave a page of a page_pool to the page allocator, past its pool: the packet and the pool did not agree on who owns the page.",
      severity: "corruption",
      consequence:
        "Serious: a packet's references and its pool's count disagree. This page is kept out of the free lists and leaks; a page for which the count is wrong the other way is used by two at once.",
    };
  return packetFreed === "no"
    ? {
        trouble: "pool leak",
        cause: leak,
        severity: "act",
        consequence:
          "Act on it: the page and its DMA mapping are lost, and the pool can never be freed. Nothing was overwritten: the check keeps the page out of the free lists.",
      }
    : {
        trouble: "pool leak",
        cause: leak,
        severity: "unknown",
        consequence:
          "Act on it: the page and its DMA mapping are lost, and the pool can never be freed. The text does not say whether freeing a packet released it, in which case pages may be in use twice: it lacks a part of the call trace.",
      };
}
