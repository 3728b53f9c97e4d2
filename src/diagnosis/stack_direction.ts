// On which side of the network a stack stands: receive, send, setup or neither; and whether the frame that tells it may decide.
import type { FrameRole } from "../kernel/facts/drivers/driver.ts";
import type { DriverSeen } from "../kernel/facts/drivers/index.ts";
import { bareName, modulesOf, networkFrame, refillAsksFor } from "../kernel/facts/drivers/index.ts";
import type { NetworkFrame } from "../kernel/facts/drivers/seen.ts";
import { functionIndex } from "../kernel/facts/functions/index.ts";
import type { MemoryKind } from "../kernel/facts/functions/roles.ts";
import { compareVersions } from "../kernel/release.ts";
import type { StackFrame } from "./stack_frames.ts";
import { firstIn, firstSure, indexOf } from "./stack_frames.ts";
import type { Direction } from "./stack_names.ts";
import {
  bornFrames,
  closedFrames,
  directions,
  has,
  memoryNames,
  pollers,
  polling,
  probers,
  receiveBuffers,
  refilling,
  skbData,
  softirqNames,
} from "./stack_names.ts";

/** What holds the frames of a stack together. */
export interface Joints {
  /** Index of who asked; 0 where that is not known. */
  readonly asker: number;
  readonly asked: boolean;
  /** It is the stack of a fault: the first frame called the function that it stood in. */
  readonly fault: boolean;
  /** Each line names its caller, and the next line begins with it. */
  readonly linked: boolean;
  /** Nothing is known to be missing anywhere. */
  readonly whole: boolean;
}

interface Side {
  readonly direction: Direction | undefined;
  readonly directionFrame?: number;
}

const directionOfRole = (role: FrameRole): Direction => (role === "rx poll" ? "rx" : role);

/**
 * Which side of the network this is: the innermost frame that tells one decides, whoever's it is: a function of the generic tables, of the
 * driver by hand, of any network module by the index. A frame under which much is done that is not its own (a poll, the ladder of the receive
 * path, the opening of an interface) decides only where nothing can be missing between it and who asked.
 */
export function directionOf(frames: readonly StackFrame[], driver: DriverSeen | undefined, joints: Joints): Side {
  if (frames.length === 0) return { direction: undefined };
  const { asker: from } = joints;
  const guesses = !frames.some((f) => f.reliable);
  const told = frames.map((f, i) => (i >= from && (guesses || f.reliable) ? networkFrame(f) : undefined));
  const sides = [byTables(frames), byDriver(driver), byIndex(told), byReceiveBuffer(frames)].filter(
    (side) => side !== undefined,
  );
  let inner: TellingSide | undefined;
  for (const side of sides) if (inner === undefined || side.directionFrame < inner.directionFrame) inner = side;
  if (inner !== undefined) {
    const made = inner.direction === "setup" ? fillsRing(frames, inner.directionFrame) : undefined;
    if (made !== undefined) return made;
    return inner.closed || decides(frames, inner, joints)
      ? { direction: inner.direction, directionFrame: inner.directionFrame }
      : { direction: undefined };
  }
  const asker = receiveAsker(frames);
  const copies =
    asker === undefined &&
    /rx|recv/i.test(frames[from]?.function ?? "") &&
    has(skbData, bareName(frames[from - 1]?.function ?? "")) !== undefined;
  if (joints.asked && (asker === from || copies) && (joints.linked || askedInPoll(frames, from)))
    return { direction: refilling.test(frames[from]?.function ?? "") ? "rx refill" : "rx", directionFrame: from };
  const network =
    driver !== undefined ||
    told.some((f) => f !== undefined) ||
    firstIn(frames, [...pollers, ...probers]) !== undefined;
  return { direction: joints.whole && !network && !mayBeDriver(frames) ? "neither" : undefined };
}

/**
 * A module that no kernel of the index builds may be a network driver whose telling lines are those that are missing, where what it was called
 * by tells nothing: a thread, queued work, a file that is written to.
 */
const mayBeDriver = (frames: readonly StackFrame[]): boolean =>
  frames.some(isNobodys) && frames.some((f) => callsAnything.test(f.function));

const isNobodys = (f: StackFrame): boolean =>
  f.reliable && f.module !== undefined && functionIndex()?.module(f.module) === undefined;

const callsAnything =
  /^(?:kthread|smpboot_thread_fn|worker_thread|process_one_work|ret_from_fork|ret_from_kernel_thread|full_proxy_write|new_sync_write|(?:vfs|(?:__x64_|__se_|__arm64_|k)?sys|SyS)_write)/;

/** A function of a driver's own that polls nothing itself asked for a receive buffer, in a softirq. */
function askedInPoll(frames: readonly StackFrame[], asker: number): boolean {
  const who = frames[asker];
  return (
    who?.module !== undefined &&
    !polling.test(who.function) &&
    (firstIn(frames, pollers) ?? firstIn(frames, softirqNames)) !== undefined
  );
}

/**
 * Whether a frame under which others do their own work decides all the same: nothing can be missing below it. It is the first frame of a
 * fault; or it asked itself, for what its driver's refill never asks for.
 */
function decides(frames: readonly StackFrame[], side: TellingSide, joints: Joints): boolean {
  const at = side.directionFrame;
  // Who gives a packet back handles it; but polls and TCP's receive side also free what was sent.
  if (
    (side.direction !== "rx" || !freesBoth(bareName(frames[at]?.function ?? ""))) &&
    /^(__)?(kfree_skb|consume_skb|napi_consume_skb|dev_kfree_skb)/.test(bareName(frames[at - 1]?.function ?? ""))
  )
    return true;
  if (joints.fault) return at < 0;
  if (!joints.asked) return false;
  if (joints.linked) return true;
  const { asker } = joints;
  const setup = side.direction === "setup";
  const who = frames[asker] as StackFrame;
  const teller = frames[at];
  // Between the two only the same module's frames: another's would tell its own side. What brings an interface up may call helpers.
  const own = setup ? teller?.module : who.module;
  if (
    frames.slice(asker, at).some((f) => f.module !== own && !(setup && (f.module === undefined || own === undefined)))
  )
    return false;
  const modules = modulesOf(setup && teller?.module !== undefined ? teller : who).filter((m) => m !== "");
  if (at < asker || modules.length === 0) return false;
  const request = bareName(frames[asker - 1]?.function ?? "");
  const kinds = has(memoryNames, request);
  if (kinds === undefined) return false;
  // Rings are made of other memory than what they are filled with; what a packet is handled with is no slab of the driver's own.
  if (!setup && (kinds.includes("slab") || kinds.includes("pages"))) return false;
  const since = notOlderThan(frames.map((f) => bareName(f.function)));
  const known = modules.filter((m) => functionIndex()?.module(m) !== undefined);
  if (known.length > 0)
    return !known.some((m) => refillAsksFor(m, kinds, since)) && !(setup && mayAskUnseen(who, kinds));
  return /napi_alloc_skb/.test(request) || (setup && notForRings.some((k) => kinds.includes(k)));
}

/** Kinds of memory that are made of another, with the functions between whose lines may be missing. */
const madeOf: Readonly<Partial<Record<MemoryKind, readonly MemoryKind[]>>> = {
  pages: ["skb", "rxSkb", "frag", "pool"],
  slab: ["skb", "rxSkb"],
};

/**
 * Whether a function may have asked for other memory than the allocator's frame behind it tells: lines of a packet's maker, of a cache of
 * fragments or of a pool may be missing between the two. What fills a ring by its name asks as it stands.
 */
export function mayAskUnseen(who: StackFrame, kinds: readonly MemoryKind[]): boolean {
  if (refilling.test(who.function)) return false;
  const found = (functionIndex()?.find(bareName(who.function)) ?? []).filter(
    (f) => who.module === undefined || f.place.name === modulesOf(who)[0],
  );
  const fills = kinds.flatMap((k) => madeOf[k] ?? []);
  // An index without calls of what is inlined knows no memory of the function at all.
  return found.length === 0 || found.some((f) => f.memory.size === 0 || fills.some((k) => f.memory.has(k)));
}

/** On the receive side only these free nothing but what arrived: under polls and the ladder to TCP runs what frees packets that were sent. */
const freesBoth = (name: string): boolean =>
  !/^(?:icmp_rcv|icmpv6_rcv|udp_rcv|__udp[46]_lib_rcv|ip_defrag|arp_rcv)$/.test(name);

/** Memory of which rings are made, not what they are filled with. */
const notForRings: readonly MemoryKind[] = ["slab", "dma", "vmalloc"];

/** A side with the frame that tells it. `closed`: so is all that runs under that frame. */
interface TellingSide extends Side {
  readonly directionFrame: number;
  readonly closed: boolean;
}

function byTables(frames: readonly StackFrame[]): TellingSide | undefined {
  const at = firstSure(frames, directions);
  if (at === undefined) return undefined;
  const name = bareName(frames[at]?.function ?? "");
  return { direction: has(directions, name), directionFrame: at, closed: has(closedFrames, name) !== undefined };
}

const byRole = (role: FrameRole | undefined, frame: number): TellingSide | undefined =>
  role === undefined
    ? undefined
    : { direction: directionOfRole(role), directionFrame: frame, closed: role === "rx refill" || role === "tx" };

const byDriver = (driver: DriverSeen | undefined): TellingSide | undefined =>
  driver === undefined ? undefined : byRole(driver.role, driver.frame);

function byIndex(told: readonly (NetworkFrame | undefined)[]): TellingSide | undefined {
  const at = told.findIndex((f) => f?.role !== undefined);
  return byRole(told[at]?.role, at);
}

/** The function that asked for a buffer as only receivers do; undefined when none did. */
function receiveAsker(frames: readonly StackFrame[]): number | undefined {
  const buffer = firstIn(frames, receiveBuffers);
  return buffer === undefined
    ? undefined
    : indexOf(frames, (f, i) => i >= buffer && has(receiveBuffers, bareName(f.function)) === undefined);
}

/** An unknown driver's function that asked for a receive buffer and is called as those are that fill rings. */
function byReceiveBuffer(frames: readonly StackFrame[]): TellingSide | undefined {
  const asker = receiveAsker(frames);
  return asker !== undefined && refilling.test(frames[asker]?.function ?? "")
    ? { direction: "rx refill", directionFrame: asker, closed: true }
    : undefined;
}

/** Receive buffers that are made while the interface is opened fill its ring, whatever the function is called. */
function fillsRing(frames: readonly StackFrame[], setup: number): Side | undefined {
  const asker = receiveAsker(frames);
  return asker !== undefined && asker <= setup ? { direction: "rx refill", directionFrame: asker } : undefined;
}

/** The frames that bring an interface up or change it: the ring is filled in process context. */
export const isSetup = (name: string): boolean => has(directions, name) === "setup";

/** Any kernel that prints such a stack. */
const oldest: readonly number[] = [2, 6];

/** The release that the youngest function of a stack came with. */
export const notOlderThan = (names: readonly string[]): readonly number[] =>
  names.map((name) => has(bornFrames, name) ?? oldest).reduce((a, b) => (compareVersions(a, b) >= 0 ? a : b), oldest);
