// What was wanted: from the stack to the object, from the object to its size, from the size to the bucket, from the bucket to the slab.
// Where the report does not carry a step, the answer says so instead of guessing.

import { BadInput } from "../base/bad_input.ts";
import type { DriverFacts } from "../kernel/facts/drivers/driver.ts";
import { bareName, rxRuleAt } from "../kernel/facts/drivers/index.ts";
import { largerFragment } from "../kernel/facts/drivers/rx_path.ts";
import { functionIndex } from "../kernel/facts/functions/index.ts";
import { ownCacheOf } from "../kernel/facts/own_caches.ts";
import { nothingMissing } from "../kernel/readings/part.ts";
import { atLeast } from "../kernel/release.ts";
import type { BufferMachine, Piece } from "./buffers.ts";
import { bufferMachine, curedPieces, mtuTable, otherPieces, piecesOf } from "./buffers.ts";
import type { Case } from "./case.ts";
import { frameName, workOf } from "./case.ts";
import type { Advice, MtuRow } from "./finding.ts";
import { maskOf } from "./mask.ts";
import { perCase } from "./per_case.ts";
import { ringIsBeingMade } from "./stack.ts";
import { mayAskUnseen } from "./stack_direction.ts";
import { listing, orderWords } from "./words.ts";

export interface Wanted {
  /** One sentence. */
  readonly sentence: string;
  /** The driver's piece that fits the report, and the MTUs at which it is asked for. */
  readonly piece?: Piece;
  readonly mtus?: { readonly from: number; readonly to: number };
  /** Pieces of that driver that the report excludes. */
  readonly excluded: readonly string[];
  /** False when the sentence rests on more than the report's own lines. */
  readonly certain: boolean;
  /** Settings of the driver that make its buffers smaller. */
  readonly cures?: readonly Advice[];
}

/** SLUB or SLAB, as the frames say. */
function allocatorSeen(c: Case): "slub" | "slab" | undefined {
  const names = c.stack.frames.map((f) => f.function);
  if (c.slab !== undefined) return c.slab.allocator === "SLUB" ? "slub" : "slab";
  if (names.some((n) => /^(new_slab|allocate_slab|___?slab_alloc)/.test(n))) return "slub";
  if (names.some((n) => /^(cache_alloc_refill|cache_grow|kmem_getpages|fallback_alloc)/.test(n))) return "slab";
  return undefined;
}

const machines = new WeakMap<Case, { readonly machine: BufferMachine | undefined }>();

/** The machine to compute buffers with; undefined for a release whose slab allocator is not in the facts (2.4, or a misread version). */
export function machineOf(c: Case): BufferMachine | undefined {
  // A machine holds its case's release: it is kept for that case alone.
  const known = machines.get(c) ?? { machine: findMachine(c) };
  machines.set(c, known);
  return known.machine;
}

function findMachine(c: Case): BufferMachine | undefined {
  const seen =
    Math.max(0, ...(c.memInfo?.perCpu ?? []).flatMap((z) => z.cpus.map((p) => p.cpu)), c.process?.cpu ?? 0) + 1;
  const cpus = c.around.cpus?.value ?? Math.max(seen, 2);
  const seenAllocator = allocatorSeen(c);
  for (const allocator of [seenAllocator, undefined])
    try {
      return bufferMachine(c.release, c.pageKb, cpus, allocator);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
    }
  return undefined;
}

/** What the case wanted; undefined when the incident is no request for memory. */
export const wantedOf = perCase((c: Case): Wanted | undefined => {
  if (c.incident.kind === "oom") return oomWanted(c);
  if (c.incident.kind !== "alloc_failure" && c.incident.kind !== "slab_failure") return undefined;
  const of = driverSeen(c);
  return (of === undefined ? undefined : ofDriver(c, of)) ?? generic(c, machineOf(c));
});

/** A driver, and the machine that its buffers are worked out for. */
interface DriverThere {
  readonly driver: DriverFacts;
  readonly machine: BufferMachine;
}

/** The driver that the stack names; undefined where it names none, or nothing can be worked out for the release. */
function driverSeen(c: Case): DriverThere | undefined {
  const driver = c.stack.driver?.driver;
  const machine = machineOf(c);
  return driver === undefined || machine === undefined ? undefined : { driver, machine };
}

function oomWanted(c: Case): Wanted | undefined {
  if (c.order === undefined) return undefined;
  const mask = maskOf(c);
  const user = mask?.names.some((n) => n.includes("HIGHUSER") || n === "GFP_USER") === true;
  return {
    sentence: `${orderWords(c.order, c.pageKb)}${mask === undefined ? "" : ` with ${mask.text}`}${user ? ": a page for a program or for the file cache" : ""}`,
    excluded: [],
    certain: true,
  };
}

/** One way in which a driver may have asked: at the MTUs of a row, or as another of its chips does. */
interface Fitting {
  readonly member: DriverFacts;
  readonly row: MtuRow;
  readonly piece: Piece;
}

const moduleDirectory = (module: string): string | undefined => functionIndex()?.module(module)?.directory;

/** The drivers that may be meant: of a family those that the log names elsewhere, where it names any. */
function membersOf(c: Case, driver: DriverFacts): readonly DriverFacts[] {
  if (driver.family === undefined) return [driver];
  const named = driver.family.filter((d) => d.modules.some((m) => c.around.devices.has(m)));
  if (named.length > 0) return named;
  // Another minidriver is named that nothing more is known of: the core's own way then.
  const other = [...c.around.devices.keys()].some((m) => moduleDirectory(m) === "drivers/net/usb");
  return other ? [driver] : [driver, ...driver.family];
}

interface Fits {
  readonly fit: readonly Fitting[];
  readonly excluded: ReadonlySet<string>;
}

/** The pieces at every MTU of the driver that the stack names, those kept whose path and order the report shows. */
const fittingOf = perCase((c: Case): Fits => {
  const of = driverSeen(c);
  if (of === undefined) return { fit: [], excluded: new Set() };
  const { driver, machine } = of;
  const sleeping = ringIsBeingMade(c.stack) && maskOf(c)?.maySleep === true;
  const fit: Fitting[] = [];
  const excluded = new Set<string>();
  for (const member of membersOf(c, driver))
    for (const row of mtuTable(member, machine)?.rows ?? [])
      for (const piece of [
        // A number is computed at the MTU that the sentence names.
        ...piecesOf(member, holdsUsual(row) ? usualMtu : row.from, machine, sleeping),
        ...otherPieces(member, machine, sleeping),
      ]) {
        if (fits(piece, pathTold(c), c.order)) fit.push({ member, row, piece });
        else excluded.add(`${piece.request.holds} (${piece.words})`);
      }
  return { fit, excluded };
});

/** The way the request took; pages that may be those of a packet, of fragments or of a pool are not known to be asked for as pages. */
function pathTold(c: Case): Case["stack"]["path"] {
  const { path, frames, caller } = c.stack;
  const who = frames[caller ?? -1];
  return path === "pages" && (who === undefined || mayAskUnseen(who, ["pages"])) ? "unknown" : path;
}

/** The report itself asks for a receive buffer as the driver's facts for this release say that it does. */
export const confirmsFacts = (c: Case): boolean =>
  c.incident.kind === "alloc_failure" && c.order !== undefined && receiving(c) && fittingOf(c).fit.length > 0;

const receiving = (c: Case): boolean => ["rx refill", "setup", "rx"].includes(c.stack.direction ?? "");

/**
 * The report asks for receive buffers in a way that the driver's facts for this release do not give: it is another build of the driver, and
 * what is known of it is not this machine's.
 */
export const contradictsFacts = perCase((c: Case): boolean => {
  const of = driverSeen(c);
  if (of === undefined || c.order === undefined || c.incident.kind !== "alloc_failure") return false;
  if (c.stack.direction !== "rx refill" || c.stack.object === "skb head") return false;
  if (!["slab", "kmalloc_large", "page_frag", "pages", "page_pool"].includes(pathTold(c))) return false;
  const rows = membersOf(c, of.driver).flatMap((member) => mtuTable(member, of.machine)?.rows ?? []);
  return rows.length > 0 && fittingOf(c).fit.length === 0;
});

function ofDriver(c: Case, { driver, machine }: DriverThere): Wanted | undefined {
  if (!receiving(c)) return undefined;
  const { fit, excluded: others } = fittingOf(c);
  // Of several drivers that share their names, those are likelier that need this order at the MTU everybody has.
  const usual = driver.family === undefined ? [] : fit.filter((f) => holdsUsual(f.row));
  const fitting = usual.length > 0 ? usual : fit;
  const first = fitting[0];
  if (first === undefined) return undefined;
  const members = [
    ...new Set(
      fitting.map((f) => (driver.family === undefined ? f.member.name : `${f.member.name} (${f.piece.request.holds})`)),
    ),
  ];
  const all = fitting.filter((f) => f.member === first.member && f.piece.request.holds === first.piece.request.holds);
  const from = Math.min(...all.map((f) => f.row.from));
  const to = Math.max(...all.map((f) => f.row.to));
  const standard = holdsUsual({ from, to });
  const which = new Set(fitting.map((f) => f.piece.request.holds)).size;
  const excluded = new Set(others);
  for (const f of fitting) excluded.delete(`${f.piece.request.holds} (${f.piece.words})`);
  return {
    sentence: `a receive buffer of ${listing(members, "or")}, ${first.piece.request.holds}${standard ? " at the standard MTU" : ` at an MTU from ${from} to ${to}`}: ${chain(first.piece, machine)}`,
    piece: first.piece,
    mtus: { from, to },
    excluded: [...excluded],
    // Without the order another of its buffers, or another build's, may have been meant.
    certain: which === 1 && c.order !== undefined,
    cures: [...new Map(fitting.map((f) => [f.member.name, curesOf(f.member, machine)])).values()].flat(),
  };
}

/** What makes this driver's buffers smaller; of several that may be meant each says its own. */
const curesOf = (member: DriverFacts, machine: BufferMachine): readonly Advice[] => {
  const cure = rxRuleAt(member, machine.release.version)?.rule.cure;
  if (cure === undefined) return [];
  const { buffers: _buffers, ...words } = cure;
  const bytes = (pieces: readonly Piece[]): number => pieces.reduce((n, p) => n + p.request.bytes, 0);
  const cured = curedPieces(member, usualMtu, machine);
  const was = bytes(piecesOf(member, usualMtu, machine, false));
  const change: Advice["change"] =
    cured === undefined
      ? { kind: "driver_setting" }
      : {
          kind: "smaller_buffers",
          order: Math.max(0, ...cured.map((p) => p.order)),
          each: Math.max(1, Math.ceil(was / bytes(cured))),
        };
  return [{ change, ...words }];
};

/** The MTU that everybody has. */
const usualMtu = 1500;
const holdsUsual = ({ from, to }: Pick<MtuRow, "from" | "to">): boolean => from <= usualMtu && to >= usualMtu;

function fits(piece: Piece, path: Case["stack"]["path"], order: number | undefined): boolean {
  if (order !== undefined && piece.order !== order) return false;
  switch (piece.memory.allocator) {
    case "kmalloc":
      return piece.slab?.kind === "large" ? path === "kmalloc_large" : path === "slab";
    case "page_frag":
      return path === "page_frag";
    case "pages":
      return path === "pages";
    case "page_pool":
      return path === "page_pool";
  }
}

/** The steps from the driver's request to the pages, with every number. */
function chain(piece: Piece, m: BufferMachine): string {
  const { request, memory } = piece;
  const wrapped = memory.bytes !== request.bytes;
  const parts = wrapped
    ? `${request.bytes} bytes of ${request.call} become ${memory.bytes} with pads and ${m.rx.sharedInfo} bytes of skb_shared_info; `
    : "";
  if (piece.slab !== undefined) return `${parts}${piece.slab.because.replace(/\.$/, "")}`;
  return `${parts}${piece.words}`;
}

/** Whether larger blocks were tried before a fragment's single page: only said where every release that the report may be of does so. */
function triedBefore(c: Case): string {
  // The larger blocks are tried with __GFP_NOWARN: of a report without its first line only the single page can have been refused.
  if (c.order === undefined) return ", the last resort: larger blocks are tried silently";
  if (c.order !== 0) return ", more than is needed: smaller blocks are tried next";
  const from = c.verdict.certainty === "stated" ? c.release.version : c.verdict.since;
  const page = c.pageKb * 1024;
  return from !== undefined && largerFragment(from, page) > 0 && !napiSlice(c)
    ? ", the last resort after larger blocks were tried silently"
    : "";
}

/** A small head of a poll is cut from a page of its own since 6.1; nothing larger is tried (net/core/skbuff.c page_frag_alloc_1k). */
const napiSlice = (c: Case): boolean => c.stack.frames.some((f) => /^page_frag_alloc_1k/.test(f.function));

/** Without a known driver: what the generic frames and the slab's own lines say. */
function generic(c: Case, machine: BufferMachine | undefined): Wanted | undefined {
  const order = c.order;
  const orderText = order === undefined ? "memory" : orderWords(order, c.pageKb);
  const who = frameName(c, c.stack.caller) ?? workOf(c);
  const forWhom = who === undefined ? "" : ` for ${who}`;
  const said = (sentence: string, certain = true): Wanted => ({ sentence, excluded: [], certain });
  // What the stack tells is certain only where nothing is missing of it.
  const byStack = (sentence: string, certain = true): Wanted =>
    said(sentence, certain && c.stack.asked && c.stack.trace.state === "whole");
  if (c.slab?.cache !== undefined) {
    const s = c.slab;
    // Without the report's own mask the slab's lines may be another request's.
    return said(
      `an object of ${s.cache}${s.objectSize === undefined ? "" : ` (${s.objectSize} bytes)`}${forWhom}, which needed a new slab: ${s.minOrder === undefined ? orderText : `order ${s.minOrder} at least, order ${s.defaultOrder ?? s.minOrder} by preference`}`,
      c.incident.kind !== "alloc_failure" || c.gfp !== undefined,
    );
  }
  const reading = c.incident.kind === "alloc_failure" ? c.incident.reading : undefined;
  if (reading?.variant === "vmalloc")
    return said(
      `a vmalloc area${reading.bytes === undefined ? "" : ` of ${reading.bytes} bytes`}${forWhom}, made of single pages: the order plays no part`,
    );
  const what =
    c.stack.object === "skb data"
      ? "the data of a packet"
      : c.stack.object === "skb head"
        ? "a struct sk_buff"
        : "an object";
  switch (c.stack.path) {
    case "slab": {
      const caches =
        order === undefined || machine === undefined
          ? []
          : machine.kmalloc.caches.filter((k) => k.geometry.minOrder === order).map((k) => k.name);
      // kmem_cache_alloc without kmalloc: a cache with a name of its own, which the stack does not show.
      const own =
        nothingMissing(c.stack.joined) !== undefined &&
        c.stack.object === "other" &&
        c.stack.frames.some((f) => /^(__)?kmem_cache_alloc(?!.*trace)/.test(f.function)) &&
        !c.stack.frames.some((f) => /kmalloc/.test(f.function));
      const named = own ? ownCacheOf(c.stack.frames.map((f) => bareName(f.function))) : undefined;
      if (named !== undefined)
        return byStack(`a new slab of ${orderText} for the cache ${named.cache}: ${named.object}${forWhom}`);
      // Between the slab and who asked the stack may have lost whether it was kmalloc() at all.
      const bucket = c.stack.frames.some((f) => /kmalloc|kzalloc|kmemdup|kstrdup|krealloc|kvmalloc/.test(f.function));
      const most = order === undefined ? 0 : c.pageKb * 1024 * 2 ** order;
      // kmalloc() of a constant size is kmem_cache_alloc() there (include/linux/slab.h, 5.10; kmalloc_trace() in 6.1).
      // SLUB prints for the smallest order alone: that of one object (mm/slub.c allocate_slab(), 2.6.26 and later).
      const sized =
        own && order !== undefined && order > 0 && allocatorSeen(c) === "slub"
          ? ` (one of its own, whose objects have ${most / 2 + 1} to ${most} bytes)`
          : atLeast(c.release, [6, 1])
            ? " (one of its own, no kmalloc bucket)"
            : " (one of its own; without CONFIG_TRACING a kmalloc of a constant size looks the same)";
      const which =
        own || !bucket || order === undefined || order === 0 || caches.length === 0
          ? `the report does not say which cache${own ? sized : ""}`
          : `with ${machine?.allocator.toUpperCase()} of this release that is ${listing(caches, "or")}`;
      return byStack(`a new slab of ${orderText} for ${what}${forWhom}; ${which}`, !own && caches.length === 1);
    }
    case "kmalloc_large": {
      const page = c.pageKb * 1024;
      const most = order === undefined ? undefined : page * 2 ** order;
      const least = order === undefined || order === 0 ? undefined : page * 2 ** (order - 1) + 1;
      return byStack(
        `${what}${forWhom} by kmalloc above its largest cache, straight from the page allocator${order === undefined ? "" : `: ${least === undefined ? orderText : `${least} to ${most} bytes, ${orderText}`}`}`,
        // Told by its own name, not by what does not stand between kmalloc and the pages.
        /large|order/.test(frameName(c, c.stack.pathFrame) ?? ""),
      );
    }
    case "page_frag":
      return byStack(
        `${c.stack.frames.some((f) => /^skb?_page_frag_refill/.test(f.function)) ? "a page that a sender's data is copied into" : "a page that packet heads are cut from"}${forWhom}: ${orderText}${triedBefore(c)}`,
      );
    case "page_pool":
      return byStack(`a page for a page_pool${forWhom}: ${orderText}`);
    case "dma":
      return byStack(`contiguous memory for DMA${forWhom}: ${orderText}`);
    case "vmalloc":
      return byStack(`pages of a vmalloc area${forWhom}: ${orderText}`);
    case "pages":
      if (c.stack.caller === undefined)
        return byStack(
          `${orderText}${forWhom}; the report does not say for what: its call trace stops inside the allocator`,
          false,
        );
      // What stands between the page allocator and who asked may be just what is missing.
      return byStack(`${orderText} straight from the page allocator${forWhom}`, false);
    case "unknown":
      return order === undefined
        ? undefined
        : said(`${orderText}; the report does not say for what: its stack is missing or not readable`, false);
  }
}
