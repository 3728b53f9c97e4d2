// The functions between a failed page request and the bottom of the stack, by release: what a kernel's call trace would name.
import type { Release } from "../../release.ts";
import { atLeast, factAt } from "../../release.ts";
import type { Chain } from "./allocators.ts";
import { pageAllocator, passed, policy, reportersOf, x86Reporters } from "./allocators.ts";
import {
  bottomHalvesOn,
  entry,
  irqExit,
  ksoftirqd,
  poll,
  softirqs,
  systemCall,
  timers,
  upTheStack,
  worker,
} from "./contexts.ts";

/** Sites whose kmalloc and kmem_cache_alloc are those of __alloc_skb(). */
const skbSites = new Set(["__alloc_skb", "pskb_expand_head"]);
const askedAgain: Readonly<Record<string, string>> = { __kmalloc_track_caller: "__kmalloc_node_track_caller" };

/** Who asked, in what context. */
export interface StackAsked {
  /** What is printed: a failed page request, a bad page, or a fault, whose stack begins above the function that stopped. */
  readonly report: "failure" | "bad page" | "fault";
  /** Functions of the model through which the failure returned, innermost first. */
  readonly passed: readonly string[];
  /** The caller's chain as the journal has it, "a < b". */
  readonly caller: string;
  /** Name of the task; empty for the idle task. */
  readonly task: string;
  /** A softirq ran, and whether behind a hard interrupt. */
  readonly softirq: boolean;
  readonly interrupt: boolean;
}

/** The stack in parts: on the interrupt's stack, and on the task's below it. */
export interface StackNames {
  /** Frames of an interrupt's stack; empty in a task. */
  readonly irq: readonly string[];
  readonly task: readonly string[];
}

/** The functions on the stack of a report, innermost first, as a kernel of `release` would name them. */
export function stackNames(release: Release, asked: StackAsked): StackNames {
  const at = (chain: Chain): string[] => names(factAt(chain, release.version)?.value);
  const { arch } = release;
  const reporters = at(reportersOf[arch] ?? x86Reporters);
  const top =
    asked.report === "failure"
      ? [...reporters, ...at(pageAllocator)]
      : asked.report === "fault"
        ? []
        : [...reporters.filter((name) => !name.startsWith("warn_alloc")), "bad_page"];
  const way = wayThrough(release, asked.passed);
  const numa = arch === "x86_64" && way.policy && asked.report === "failure" ? at(policy) : [];
  const own = ownFrames(release, asked);
  const innermost = [...top, ...numa, ...way.frames, ...own];
  // Work of nobody is a timer's.
  const timer = asked.task === "" && !asked.softirq;
  if (asked.softirq || timer) {
    const soft = [...innermost, ...at(timer ? timers : poll), ...at(softirqs)];
    if (asked.interrupt || timer) {
      const exit = factAt(irqExit[arch] ?? irqExit.x86_64, release.version)?.value;
      return { irq: [...soft, ...names(exit?.irq)], task: names(exit?.below) };
    }
    const below = asked.task.startsWith("ksoftirqd")
      ? at(ksoftirqd)
      : [...at(bottomHalvesOn), ...taskFrames(release, asked)];
    return { irq: [], task: [...soft, ...below] };
  }
  return { irq: [], task: [...innermost, ...taskFrames(release, asked)] };
}

const names = (chain: string | undefined): string[] => (chain ?? "").split(" < ").filter((name) => name !== "");

/** Sites that call alloc_pages(), which names no node. */
const policyAsked = new Set(["new_slab", "skb_page_frag_refill", "sk_page_frag_refill"]);

/** The allocators and the skb code between the page allocator and the caller. */
function wayThrough(release: Release, sites: readonly string[]): { frames: string[]; policy: boolean } {
  const frames: string[] = [];
  sites.forEach((site, i) => {
    const forSkb = (site === "kmalloc" || site === "kmem_cache_alloc") && skbSites.has(sites[i + 1] ?? "");
    // A site that stands for itself: skb_clone, skb_copy, skb_page_frag_refill …
    const variant = forSkb
      ? " for an skb"
      : site === "kmalloc_large" && release.arch !== "x86_64"
        ? " without nodes"
        : "";
    const chain = passed[site + variant] ?? [{ since: [2], value: site, source: "" }];
    const numa = release.arch === "x86_64";
    frames.push(...names(factAt(chain, release.version)?.value).map((f) => (numa ? (askedAgain[f] ?? f) : f)));
  });
  const first = sites[0];
  // page_frag and kmalloc_large name a node themselves.
  return { frames, policy: first === undefined || policyAsked.has(first) };
}

/** The caller's own functions: a driver's chain, or the stack's, called from a poll function. */
function ownFrames(release: Release, asked: StackAsked): string[] {
  // A workload of the model is no function: its name has a blank.
  const [first, ...rest] = names(asked.caller).filter((name) => !name.includes(" "));
  if (first !== "netif_receive_skb") return first === undefined ? [] : [first, ...rest];
  return [...names(factAt(upTheStack, release.version)?.value), ...rest];
}

function taskFrames(release: Release, asked: StackAsked): string[] {
  const at = (chain: Chain): string[] => names(factAt(chain, release.version)?.value);
  if (/^(?:kworker|events)\//.test(asked.task)) return at(worker);
  const kind =
    asked.task === openingTask
      ? "ioctl"
      : /send|tcp|rpc/.test([...asked.passed, asked.caller, asked.task].join())
        ? "sendto"
        : "recvfrom";
  const calls = at(systemCall[kind]).map((f) => (release.arch === "x86_64" ? f : f.replace(/^__x64_sys/, "sys")));
  return [...calls, ...(release.arch === "x86_64" ? at(entry) : [])];
}

/** The task that brings interfaces up. */
export const openingTask = "ifconfig";

/** The name of a CPU's idle task: `swapper` until 3.2, `swapper/0` since (kernel/sched, 3.3). */
export const idleTask = (release: Release, cpu: number): string =>
  atLeast(release, [3, 3]) ? `swapper/${cpu}` : "swapper";

/** The name of a kernel thread that does queued work: `events/0`, `kworker/0:1` since 2.6.36 (kernel/workqueue.c). */
export const workerTask = (release: Release, cpu: number): string =>
  atLeast(release, [2, 6, 36]) ? `kworker/${cpu}:1` : `events/${cpu}`;
