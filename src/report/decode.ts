// The answers of `skblab decode`: a gfp mask or a page-flags word, as a Document and as data.
import { BadInput } from "../base/bad_input.ts";
import type { GfpDecoded, GfpReadingRange } from "../kernel/facts/gfp.ts";
import { decodeGfp, gfpCombination, gfpEraAt, gfpMask, gfpReadings, hex } from "../kernel/facts/gfp.ts";
import type { PageFlagRange, PageFlagsDecoded } from "../kernel/facts/page_flags.ts";
import { blockOf, decodePageFlags, largestHeadOrder, pageFlagReadings } from "../kernel/facts/page_flags.ts";
import type { Release } from "../kernel/release.ts";
import type { Block, Document, Text } from "./document.ts";
import { facts, heading, list, paragraph, span, table } from "./document.ts";

export interface DecodeAnswer {
  readonly document: Document;
  readonly json: unknown;
}

/** Reads `0x4020`, `4020` (hex, as kernels print masks) or `GFP_ATOMIC|__GFP_COMP`; names need a release. Throws BadInput. */
export function parseGfp(text: string, version: readonly number[] | undefined): number {
  const hexDigits = /^(?:0[x×X])?([0-9a-f]{1,8})$/iu.exec(text.trim())?.[1];
  if (hexDigits !== undefined) return Number.parseInt(hexDigits, 16);
  const names = text.split("|").map((name) => name.trim());
  if (!names.every((n) => /^(__)?GFP_[A-Z0-9_]+$/.test(n))) {
    throw new BadInput(
      `"${text}" is not a gfp mask.`,
      undefined,
      "Write it as the kernel does: 0x4020 (at most 8 hex digits) or GFP_ATOMIC|__GFP_COMP.",
    );
  }
  if (version === undefined) {
    throw new BadInput(
      "The value of a name depends on the kernel.",
      undefined,
      "Add --kernel, for example --kernel 4.19.",
    );
  }
  return names.reduce((mask, name) => (mask | maskOfName(name, version)) >>> 0, 0);
}

function maskOfName(name: string, version: readonly number[]): number {
  const era = gfpEraAt(version);
  const flag = name.replace(/^(__)?GFP_/, "");
  const value = gfpCombination(name, version) ?? (era === undefined ? undefined : gfpMask(flag, era));
  if (value !== undefined) return value;
  throw new BadInput(
    `${name} does not exist in Linux ${version.join(".")}.`,
    undefined,
    "Without --kernel a mask is tried in every era.",
  );
}

/** What a mask says in one release, or in every era when none is given. */
export function answerGfp(mask: number, release: Release | undefined): DecodeAnswer {
  if (release !== undefined && gfpEraAt(release.version) === undefined) {
    throw new BadInput(
      `Linux ${release.version.join(".")} is older than the layouts known here.`,
      undefined,
      "They begin with 2.4.",
    );
  }
  const readings = gfpReadings(mask);
  const stated = release === undefined ? undefined : decodeGfp(mask, release.version);
  const document =
    stated === undefined || release === undefined
      ? gfpAcrossEras(mask, readings)
      : gfpInRelease(stated, release.version.join("."), readings);
  return {
    document,
    json: {
      schema: "skblab.decode/1",
      what: "gfp",
      mask,
      hex: hex(mask),
      ...(stated === undefined || release === undefined
        ? {}
        : { kernel: release.version.join("."), ...gfpJson(stated) }),
      readings: readings.map((r) => ({ kernels: r.kernels, score: r.score, because: r.because, ...gfpJson(r) })),
    },
  };
}

const gfpJson = (d: GfpDecoded): object => ({
  text: d.text,
  names: d.names.map((n) => ({ name: n.name, mask: n.mask, ...(n.when === undefined ? {} : { when: n.when }) })),
  unknown: d.unknown,
  source: d.era.source,
});

function gfpInRelease(decoded: GfpDecoded, kernel: string, readings: readonly GfpReadingRange[]): Document {
  const blocks: Block[] = [
    heading(1, `gfp ${hex(decoded.mask)} in Linux ${kernel}`),
    paragraph([span(decoded.text === "" ? "no flags" : decoded.text, "strong")]),
    table(["name", ">mask", "holds"], gfpRows(decoded)),
    ...cautions(decoded),
  ];
  const likely = readings.find((r) => r.score === 3);
  const here = readings.find((r) => r.text === decoded.text);
  if (likely !== undefined && here !== undefined && here.score < 2) {
    blocks.push(
      paragraph([
        span("This kernel is an unlikely source: ", "warn"),
        span(`${here.because}. The mask fits ${likely.kernels} (${likely.text}).`),
      ]),
    );
  }
  return blocks;
}

function gfpRows(decoded: GfpDecoded): Text[][] {
  return [
    ...decoded.names.map((n): Text[] => [n.name, hex(n.mask), n.when ?? "always"]),
    ...decoded.unknown.map((u): Text[] => [
      [span("unknown", "warn")],
      hex(u.mask),
      u.hint ?? "no stock kernel of this era has it",
    ]),
  ];
}

function cautions(decoded: GfpDecoded): Block[] {
  const texts = [...(decoded.era.caution === undefined ? [] : [decoded.era.caution]), ...fromHistory(decoded.era)];
  return [facts([["source", decoded.era.source], ...texts.map((t) => ["caution", t] as const)])];
}

/** A layout whose first release nobody read says so. */
const fromHistory = ({ since, sinceIsRead }: GfpDecoded["era"] | PageFlagsDecoded["era"]): readonly string[] =>
  sinceIsRead ? [] : [`Its first release, ${since.join(".")}, is known from history, not read in a header.`];

function gfpAcrossEras(mask: number, readings: readonly GfpReadingRange[]): Document {
  const [best] = readings;
  const fitting = readings.filter((r) => r.score >= 2);
  const blocks: Block[] = [heading(1, `gfp ${hex(mask)}`)];
  if (best !== undefined && best.score >= 2) {
    blocks.push(
      paragraph([
        span(best.text === "" ? "no flags" : best.text, "strong"),
        span(`, most likely from Linux ${best.kernels}: ${best.because}.`),
      ]),
    );
  } else blocks.push(paragraph([span("No stock kernel makes this mask.", "warn")]));
  blocks.push(
    table(
      ["kernels", "reads", "why"],
      fitting.map((r) => [r.kernels, r.text, r.because]),
      "Where the mask makes sense",
    ),
  );
  const odd = readings.filter((r) => r.score < 2);
  if (odd.length > 0) {
    blocks.push(
      table(
        ["kernels", "would read", "evidence against it"],
        odd.map((r) => [r.kernels, r.text, r.because]),
        "Where it does not",
      ),
    );
  }
  blocks.push(paragraph([span("Give the release with --kernel for one answer.", "dim")]));
  return blocks;
}

/** Reads `0x44000`, `00044000` or a 64-bit word as printed. Throws BadInput. */
export function parseFlagsWord(text: string): bigint {
  const digits = /^(?:0[x×X])?([0-9a-f]{1,16})$/iu.exec(text.trim())?.[1];
  if (digits !== undefined) return BigInt(`0x${digits}`);
  throw new BadInput(
    `"${text}" is not a page-flags word.`,
    undefined,
    "Write it as printed: 0x44000 or 4000000000010200.",
  );
}

/** Reads a page frame number in hex, `0x80db`. Throws BadInput. */
export function parsePfn(text: string): number {
  const digits = /^(?:0x)?([0-9a-f]{1,13})$/i.exec(text.trim())?.[1];
  if (digits !== undefined) return Number.parseInt(digits, 16);
  throw new BadInput(`"${text}" is not a page frame number.`, undefined, "Write it in hex: 0x80db.");
}

/** What a flags word says, in one release or in every era; with a pfn, what that page frame rules out. */
export function answerPageFlags(flags: bigint, release: Release | undefined, pfn: number | undefined): DecodeAnswer {
  const readings = pageFlagReadings(flags);
  const stated = release === undefined ? undefined : decodePageFlags(flags, release.version);
  const compact =
    release === undefined || stated?.era.compactBits === undefined
      ? undefined
      : decodePageFlags(flags, release.version, true);
  const word = `0x${flags.toString(16)}`;
  const blocks: Block[] = [
    heading(1, `page flags ${word}${release === undefined ? "" : ` in Linux ${release.version.join(".")}`}`),
  ];
  if (stated === undefined) {
    blocks.push(
      table(
        ["kernels", "reads", "forbidden on a page being freed"],
        readings.map((r) => [r.kernels, or(r.text), or(r.badAtFree.join("|"))]),
      ),
    );
    blocks.push(paragraph([span("Give the release with --kernel for one answer.", "dim")]));
  } else blocks.push(...flagsInRelease(stated, compact));
  const arithmetic = pfn === undefined ? [] : pfnSays(pfn, stated === undefined ? readings : [stated]);
  if (pfn !== undefined && arithmetic.length > 0)
    blocks.push(heading(2, `page frame 0x${pfn.toString(16)}`), list(arithmetic));
  return {
    document: blocks,
    json: {
      schema: "skblab.decode/1",
      what: "page-flags",
      flags: word,
      ...(stated === undefined || release === undefined
        ? {}
        : { kernel: release.version.join("."), ...flagsJson(stated) }),
      readings: readings.map((r) => ({ kernels: r.kernels, ...flagsJson(r) })),
      ...(pfn === undefined ? {} : { pfn, says: arithmetic }),
    },
  };
}

const or = (text: string): string => (text === "" ? "none" : text);

const flagsJson = (d: PageFlagsDecoded): object => ({
  text: d.text,
  bits: d.bits,
  unknown: d.unknown,
  place: `0x${d.place.toString(16)}`,
  badAtFree: d.badAtFree,
  source: d.era.source,
});

function flagsInRelease(d: PageFlagsDecoded, compact: PageFlagsDecoded | undefined): Block[] {
  const rows: Text[][] = [
    ...d.bits.map((b): Text[] => [
      String(b.bit),
      b.name,
      d.badAtFree.includes(b.name) ? "must not be set on a page being freed" : "",
    ]),
    ...d.unknown.map((u): Text[] => [String(u.bit), [span("unknown", "warn")], u.hint ?? "no flag has this bit"]),
  ];
  const notes: (readonly [string, Text])[] = [
    ["source", d.era.source],
    ...fromHistory(d.era).map((text) => ["caution", text] as const),
  ];
  if (d.place !== 0n)
    notes.push([
      "upper end",
      `0x${d.place.toString(16)}: section, node, zone and last CPU, in a layout that depends on the configuration`,
    ]);
  if (compact !== undefined && compact.text !== d.text)
    notes.push(["32-bit with SPARSEMEM", `one compound bit there: ${or(compact.text)}`]);
  return [paragraph([span(or(d.text), "strong")]), table([">bit", "name", "note"], rows), facts(notes)];
}

/** What a page frame number excludes, given what the flags could mean. */
function pfnSays(pfn: number, readings: readonly (PageFlagsDecoded | PageFlagRange)[]): string[] {
  const most = largestHeadOrder(pfn);
  const says = [
    most === 0
      ? "Its lowest bit is set: it cannot be the head of a compound of any order, only a single page or a tail."
      : `It can head a compound up to order ${most}, because it is a multiple of ${2 ** most}.`,
  ];
  for (const order of [1, 2, 3]) {
    const [first, last] = blockOf(pfn, order);
    says.push(
      `In an order-${order} block it is page ${pfn - first} of 0x${first.toString(16)}..0x${last.toString(16)}.`,
    );
  }
  for (const r of readings) {
    if (most === 0 && r.names.includes("head")) {
      says.push(
        `The reading ${r.text}${"kernels" in r ? ` (${r.kernels})` : ""} is excluded: this page cannot be a head.`,
      );
    }
  }
  return says;
}
