// What the kernel prints behind a report because of it: the panic that a fault ends in, the vmalloc report whose range of addresses could
// not be had. Such a report is one with its cause, also when other lines stand between the two.
import type { Incident, IncidentOf } from "../../../kernel/readings/incident.ts";
import { oneClock } from "../../../kernel/readings/incident.ts";

/** Seconds that may lie between a fault and its panic: oops_end() prints the stack in between, on slow consoles too. */
const longest = 10;
/** Where no line has a clock, so many lines may. */
const lines = 200;

/** Panics that follow a fault or a warning by themselves (kernel/panic.c, arch/x86/kernel/dumpstack.c oops_end(), arch/arm64 die()). */
const following =
  /^Kernel panic - not syncing: (?:panic_on_warn set|(?:kernel: )?panic_on_warn set|[Ff]atal exception|Oops: Fatal exception|softlockup: hung tasks|kasan\.fault=panic set|KASAN: panic_on_warn|panic_on_oops)/;

function near(cause: Incident, effect: Incident): boolean {
  if (!oneClock(cause, effect)) return false;
  if (cause.seconds !== undefined && effect.seconds !== undefined)
    return effect.seconds >= cause.seconds && effect.seconds - cause.seconds <= longest;
  return effect.firstLine - cause.lastLine <= lines;
}

/** Ties the incidents of one input, in their order, to what caused them. */
export function tieConsequences(incidents: readonly Incident[]): readonly Incident[] {
  const tied: Incident[] = [];
  for (const incident of incidents) {
    const panics =
      incident.kind === "oops" && incident.reading.class === "panic" && following.test(incident.reading.headline);
    if (restOfSlab(tied.at(-1), incident)) continue;
    const at = panics ? tied.findLastIndex((t) => canEnd(t) && near(t, incident)) : -1;
    const cause = tied[at];
    if (panics && cause !== undefined) tied[at] = withPanic(cause, incident);
    else tied.push(incident);
  }
  const out: Incident[] = [];
  for (const incident of tied) {
    // Between the two may stand what the rate limit says of others like them.
    const at = out.findLastIndex((i) => i.kind !== "suppressed");
    const before = out[at];
    const range = before === undefined ? undefined : lackOfAddresses(before, incident);
    if (range === undefined) out.push(incident);
    else {
      const loose = out.slice(0, at).filter((i) => isRangeLine(i)).length;
      out.splice(at, 1);
      out.push({ ...range, suppressedBefore: Math.max(0, (incident.suppressedBefore ?? 0) - loose) });
    }
  }
  return out;
}

const isRangeLine = (i: Incident): boolean =>
  i.kind === "alloc_failure" && i.reading.variant === "vmalloc" && /^vmap allocation/.test(i.reading.reason ?? "");

/** The stack of SLUB's report, which stands behind a dump that may be longer than what is read around a first line. */
const restOfSlab = (before: Incident | undefined, i: Incident): boolean =>
  i.kind === "slab_corruption" &&
  i.missing.includes("headline") &&
  before?.kind === "slab_corruption" &&
  i.firstLine - before.lastLine <= dumped &&
  near(before, i);
/** Lines of the longest dump: a page, sixteen bytes a line, with its guard zones. */
const dumped = 400;

/** A fault that went on to a panic which its own lines do not hold. */
const canEnd = (i: Incident): boolean =>
  (i.kind === "oops" && i.reading.class !== "panic" && i.reading.panic === undefined) ||
  (i.kind === "skb_panic" && i.reading.oops?.panic === undefined);

/** The fault with the panic's line; of a warning whose stack is printed by the panic alone, with that stack as well. */
function withPanic(cause: Incident, panic: IncidentOf<"oops">): Incident {
  const { headline, trace, process, registers } = panic.reading;
  const lacksTrace = cause.kind === "oops" && cause.reading.trace === undefined && trace !== undefined;
  const carried = panic.carried.map((c) => (c.part === "headline" ? { ...c, part: "panic" } : c));
  const added = lacksTrace ? carried : carried.filter((c) => c.part === "panic");
  const common = {
    lastLine: Math.max(cause.lastLine, panic.lastLine),
    carried: [...cause.carried, ...added],
    missing: lacksTrace ? cause.missing.filter((m) => m !== "trace") : cause.missing,
  };
  if (cause.kind === "skb_panic")
    return cause.reading.oops === undefined
      ? cause
      : { ...cause, ...common, reading: { ...cause.reading, oops: { ...cause.reading.oops, panic: headline } } };
  if (cause.kind !== "oops") return cause;
  const stack = lacksTrace
    ? {
        trace,
        ...(cause.reading.process === undefined && process !== undefined ? { process } : {}),
        ...(cause.reading.registers === undefined && registers !== undefined ? { registers } : {}),
      }
    : {};
  return { ...cause, ...common, reading: { ...cause.reading, ...stack, panic: headline } };
}

/** Bytes of guard pages that get_vm_area() adds to what vmalloc() was asked for; on machines with pages of 64 KiB one of those. */
const guard = 65_536;
/** Lines that two neighbouring records may lie apart: the journal's verbose forms give each some thirty. */
const neighbours = 60;

/**
 * `vmap allocation for size … failed` is printed by alloc_vmap_area() just before vmalloc()'s own report of the same request (mm/vmalloc.c):
 * the report with that line, or undefined where they are not one.
 */
function lackOfAddresses(line: Incident, report: Incident): Incident | undefined {
  if (line.kind !== "alloc_failure" || report.kind !== "alloc_failure") return undefined;
  const [range, asked] = [line.reading, report.reading];
  if (range.variant !== "vmalloc" || asked.variant !== "vmalloc") return undefined;
  if (!/^vmap allocation for size/.test(range.reason ?? "") || /^vmap allocation/.test(asked.reason ?? ""))
    return undefined;
  const [size, bytes] = [range.bytes, asked.bytes];
  if (size === undefined || bytes === undefined || size < bytes || size - bytes > guard) return undefined;
  if (!near(line, report) || report.firstLine - line.lastLine > neighbours) return undefined;
  const head = line.carried.find((c) => c.part === "headline");
  return {
    ...report,
    firstLine: line.firstLine,
    ...(line.seconds === undefined ? {} : { seconds: line.seconds }),
    // Of the page allocator's line behind either of them order and mask are the request's.
    reading: {
      ...(range.order === undefined ? {} : { order: range.order }),
      ...(range.gfp === undefined ? {} : { gfp: range.gfp }),
      ...asked,
      ...(range.reason === undefined ? {} : { rangeLine: range.reason }),
    },
    carried: [...(head === undefined ? [] : [{ ...head, part: "range" }]), ...report.carried],
  };
}

/** Stamps of a clock that tells less than a hundredth of a second are shared by events. */
const coarse = (seconds: number): boolean => Math.abs(seconds * 100 - Math.round(seconds * 100)) < 1e-6;

const doubled: ReadonlySet<Incident["kind"]> = new Set([
  "alloc_failure",
  "slab_failure",
  "bad_page",
  "oops",
  "skb_panic",
  "oom",
]);

/**
 * One report that an input holds twice, as when dmesg and syslog were pasted one after the other or its first line was quoted above it: the
 * same first line at the same microsecond. The fuller one is kept, in its place.
 */
export function withoutDoubles(incidents: readonly Incident[]): readonly Incident[] {
  const kept = new Map<string, Incident>();
  const hosts = new Set(incidents.flatMap((i) => i.carried[0]?.lines[0]?.host ?? []));
  if (hosts.size > 1) return incidents;
  const keyOf = (i: Incident): string | undefined => {
    const head = i.carried.find((c) => c.part === "headline")?.lines[0];
    return !doubled.has(i.kind) || i.seconds === undefined || coarse(i.seconds) || head?.seconds !== i.seconds
      ? undefined
      : `${i.kind} ${i.seconds} ${head.text.replace(/\*{1,4}$/, "").trim()}`;
  };
  for (const incident of incidents) {
    const key = keyOf(incident);
    const known = key === undefined ? undefined : kept.get(key);
    if (key !== undefined && (known === undefined || known.carried.length < incident.carried.length))
      kept.set(key, incident);
  }
  return incidents.filter((i) => {
    const key = keyOf(i);
    return key === undefined || kept.get(key) === i;
  });
}
