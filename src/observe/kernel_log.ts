// What the kernel logs while a machine runs: failure reports, bad pages, faults, page_pool's complaints, and how many of each it kept to itself.
// Everything is heard as events of the journal. A failure's call chain comes behind the failure, function by function, as it returns to
// whoever asked (Journal.refused); the report is made when somebody wants to read it.
import { eventKind } from "../kernel/events.ts";
import { stackNames } from "../kernel/facts/call_chains/index.ts";
import { decodeGfp } from "../kernel/facts/gfp.ts";
import { badPageLimits, failureLimits, memInfoLimits, slabLimit } from "../kernel/facts/rate_limits.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import type { BadPage } from "../kernel/readings/bad_page.ts";
import type { CallTrace } from "../kernel/readings/call_trace.ts";
import type { Oops } from "../kernel/readings/oops.ts";
import type { ProcessLine } from "../kernel/readings/process_line.ts";
import type { SkbPanic } from "../kernel/readings/skb_panic.ts";
import type { SlabFailure } from "../kernel/readings/slab_failure.ts";
import type { Release } from "../kernel/release.ts";
import { atLeast, factAt } from "../kernel/release.ts";
import { running } from "../model/journal.ts";
import type { Machine } from "../model/machine.ts";
import { observeAllocFailure } from "../model/mm/observe_failure.ts";
import { observeBadPage } from "./bad_page.ts";
import { callTrace } from "./call_trace.ts";
import type { Fault } from "./fault.ts";
import { observeBug, observeSkbPanic, observeWarning } from "./fault.ts";
import { createRateLimiter } from "./rate_limit.ts";
import { taintNames, taintText } from "./taint.ts";
import { taskOf } from "./task.ts";

/** One report in the log, or one line. */
export type Logged = { readonly nanos: number } & (
  | { readonly kind: "alloc_failure"; readonly reading: AllocFailure }
  | { readonly kind: "bad_page"; readonly reading: BadPage }
  | { readonly kind: "skb_panic"; readonly reading: SkbPanic }
  | { readonly kind: "oops"; readonly reading: Oops }
  | { readonly kind: "line"; readonly text: string }
);

export interface KernelLog {
  /** The first failure reports, whether the log has them or not. */
  reports(): AllocFailure[];
  /** Warnings and oopses, in words. */
  readonly said: readonly string[];
  /** Failures that were to be printed, by order. */
  printed(): { readonly order: number; readonly count: number }[];
  /** All that the log holds, in order of time. */
  log(): Logged[];
}

const saidMax = 20;
/** Reports kept; a rate limit lets through no more than this in many minutes. */
const loggedMax = 2000;

/** Who ran, and on whose behalf; functions the failure has returned through so far. */
interface Stack {
  readonly cpu: number;
  readonly caller: number;
  readonly task: number;
  readonly level: number;
  readonly passed: number[];
  /** The process line's word on what happened to this kernel before. */
  readonly taint: string;
  readonly taintNames: string | undefined;
}

interface Failure {
  readonly nanos: number;
  readonly reading: AllocFailure;
  readonly stack: Stack;
  slab?: SlabFailure | undefined;
}

/**
 * Listens from now on. The first `reportsMax` failures are reported even where the kernel is silent; nothing is heard while `muted`. Without
 * `kept` nobody reads the log: of failures it holds those reports only, for what memory looked like takes its time to see.
 */
export function createKernelLog(machine: Machine, reportsMax: number, muted: () => boolean, kept = true): KernelLog {
  const { journal, release } = machine;
  const at = <T>(facts: Parameters<typeof factAt<T>>[0]): T | undefined => factAt(facts, release.version)?.value;
  const failureLimit = at(failureLimits);
  const failures = createRateLimiter(failureLimit);
  const memInfos = createRateLimiter(at(memInfoLimits));
  const slabs = createRateLimiter(slabLimit);
  const badLimit = at(badPageLimits);
  const badPages = createRateLimiter(badLimit);
  const byOrder = new Map<number, number>();
  const reports: Failure[] = [];
  const said: string[] = [];
  const entries: (() => Logged)[] = [];
  const taints = new Set<string>();
  let pending: Failure | undefined;
  let dead = false;

  const log = (nanos: number, entry: () => Logged): void => {
    if (dead) return;
    if (entries.length < loggedMax) entries.push(entry);
    else if (entries.length === loggedMax)
      entries.push(() => ({ nanos, kind: "line", text: `skblab: the log ends here, ${loggedMax} reports are kept` }));
  };
  const line = (nanos: number, text: string): void => log(nanos, () => ({ nanos, kind: "line", text }));
  const suppressed = (nanos: number, form: string | undefined, count: number): void => {
    if (count > 0 && form !== undefined && form !== "") line(nanos, form.replace("%d", String(count)));
  };
  const stackNow = (): Stack => ({
    cpu: journal.cpu,
    caller: journal.caller,
    task: journal.task,
    level: journal.level,
    passed: [],
    taint: taintText(release, taints),
    taintNames: taintNames(release, taints),
  });
  const view: View = { machine, text: (id) => journal.text(id) };
  let deaths = 0;
  const faultOf = (stack: Stack): Fault => ({
    process: processOf(view, stack),
    trace: traceOf(view, stack, "fault"),
    dieCounter: deaths,
    fatal: stack.level !== 0 || stack.task === 0,
  });
  const died = (nanos: number, text: string, skb: number, n: number): void => {
    deaths++;
    const stack = stackNow();
    const panic = /^skb_(?:over|under)_panic$/.exec(text)?.[0] as SkbPanic["what"] | undefined;
    const fault = faultOf(stack);
    if (panic === undefined) {
      const name = /\b_{0,3}p?skb_\w+/.exec(text)?.[0] ?? "skb_put";
      log(nanos, () => ({ nanos, kind: "oops", reading: observeBug(release, name, fault) }));
    } else {
      stack.passed.push(journal.textId(panic === "skb_over_panic" ? "skb_put" : "skb_push"));
      const seen = observeSkbPanic(machine, panic, skb, n);
      const oops = observeBug(release, atLeast(release, [3, 9]) ? "skb_panic" : panic, faultOf(stack));
      log(nanos, () => ({ nanos, kind: "skb_panic", reading: { ...seen, oops } }));
    }
    taints.add("D");
    // The machine is gone; what the model goes on to do, nobody sees.
    if (fault.fatal) dead = true;
  };
  const warned = (nanos: number, text: string): void => {
    const fault = faultOf(stackNow());
    taints.add("W");
    const name = /^skb_\w+/.exec(text)?.[0] ?? "";
    log(nanos, () => ({ nanos, kind: "oops", reading: observeWarning(release, name, fault) }));
  };

  journal.listen((_kind, nanos, _cpu, order, gfp) => {
    pending = undefined;
    if (muted()) return;
    byOrder.set(order, (byOrder.get(order) ?? 0) + 1);
    const allowed = kept && failures.allows(nanos);
    const wanted = reports.length < reportsMax;
    if (!allowed && !wanted) return;
    const stack = stackNow();
    const whole = observeAllocFailure(machine.memory, release, {
      ...commOf(view, stack),
      order,
      gfp,
      slabPages: machine.heap.engine.slabPages(),
    });
    const failure: Failure = { nanos, reading: whole, stack };
    pending = failure;
    if (wanted) reports.push(failure);
    if (!allowed) return;
    suppressed(nanos, failureLimit?.suppressed, failures.missed());
    const withMemory = memInfos.allows(nanos);
    log(nanos, () => ({ nanos, kind: "alloc_failure", reading: reportOf(view, failure, withMemory) }));
  }, "page_allocation_failure");

  journal.listen((_kind, nanos, _cpu, site, cache, gfp) => {
    if (pending === undefined || pending.nanos !== nanos) return;
    pending.stack.passed.push(site);
    if (journal.text(site) === "new_slab" && atLeast(release, [2, 6, 31]) && slabs.allows(nanos))
      pending.slab = slabFailure(machine, cache, gfp);
  }, "allocation_refused");

  journal.listen((_kind, nanos, _cpu, pfn, word, reason) => {
    if (!badPages.allows(nanos)) return;
    if (badLimit !== undefined && badLimit !== "none") suppressed(nanos, badLimit.suppressed, badPages.missed());
    const stack = stackNow();
    taints.add("B");
    const seen = observeBadPage(machine.memory, release, pfn, word, journal.text(reason));
    log(nanos, () => ({
      nanos,
      kind: "bad_page",
      reading: {
        ...seen,
        comm: commOf(view, stack).comm,
        process: processOf(view, stack),
        trace: traceOf(view, stack, "bad page"),
      },
    }));
  }, "bad_page");

  journal.listen(
    (kind, nanos, _cpu, id, a, b) => {
      const text = journal.text(id);
      if (said.length < saidMax) said.push(`${kind === eventKind.oops ? "oops" : "warning"}: ${text} (${a}, ${b})`);
      // page_pool's words are the kernel's; other warnings are the model's own, of faults that the kernel has not noticed.
      if (/^page_pool_\w+\(\)|^Negative\(/.test(text)) line(nanos, text);
      if (kind === eventKind.oops) died(nanos, text, a, b);
      else if (/^skb_\w+/.test(text)) warned(nanos, text);
    },
    "warning",
    "oops",
  );

  return {
    reports: () => reports.map((r) => reportOf(view, r, true)),
    said,
    printed: () => [...byOrder].map(([order, count]) => ({ order, count })).sort((a, b) => a.order - b.order),
    log: () => entries.map((entry) => entry()),
  };
}

interface View {
  readonly machine: Machine;
  text(id: number): string;
}

function reportOf(view: View, { reading, stack, slab }: Failure, withMemory: boolean): AllocFailure {
  const { memInfo, ...rest } = reading;
  return {
    ...rest,
    process: processOf(view, stack),
    trace: traceOf(view, stack, "failure"),
    ...(memInfo === undefined || !withMemory ? {} : { memInfo }),
    ...(slab === undefined ? {} : { slab }),
  };
}

/** The stack of a report, made from who ran. */
function traceOf(view: View, stack: Stack, report: "failure" | "bad page" | "fault"): CallTrace {
  const { release } = view.machine;
  const names = stackNames(release, {
    report,
    passed: stack.passed.map(view.text),
    caller: view.text(stack.caller),
    task: view.text(stack.task),
    softirq: (stack.level & running.softirq) !== 0,
    interrupt: (stack.level & running.interrupt) !== 0,
  });
  return callTrace(release, names);
}

const commOf = ({ machine, text }: View, { task, cpu }: Stack): { comm: string; pid: number } =>
  taskOf(machine.release, text(task), task, cpu);

function processOf(view: View, stack: Stack): ProcessLine {
  const { release } = view.machine;
  return {
    cpu: stack.cpu,
    // Kernel threads and the idle task run as root, and so does who makes rings: 6.11 and later say it (lib/dump_stack.c).
    ...(atLeast(release, [6, 11]) ? { uid: 0 } : {}),
    ...commOf(view, stack),
    taint: stack.taint,
    release: release.version.join("."),
    build: "#1",
    ...(stack.taintNames === undefined ? {} : { taintNames: stack.taintNames }),
  };
}

/** slab_out_of_memory(), mm/slub.c since 2.6.31: the cache in numbers, and the caller's mask. */
function slabFailure(machine: Machine, cache: number, gfp: number): SlabFailure | undefined {
  const info = machine.heap.caches()[cache];
  if (info === undefined) return undefined;
  const { geometry: g, counts, name } = info;
  const comma = atLeast(machine.release, [4, 6]);
  return {
    allocator: "SLUB",
    node: -1,
    gfp: { mask: gfp >>> 0, ...(comma ? { names: namesOf(gfp, machine.release) } : {}) },
    form: comma ? "comma" : "parentheses",
    cache: name,
    objectSize: g.objectSize,
    bufferSize: g.size,
    defaultOrder: g.order,
    minOrder: g.minOrder,
    nodes: [{ node: 0, slabs: counts.slabs, objects: counts.objects, free: counts.objects - counts.active }],
  };
}

const namesOf = (gfp: number, release: Release): string => decodeGfp(gfp >>> 0, release.version).text;
