// From findings to one cause, in one sentence, and to how bad it is. Nothing here looks at the report again: a conclusion rests on
// findings that carry their evidence.

import { grouped } from "../base/grouped.ts";
import { failureAt } from "../kernel/facts/drivers/index.ts";
import { isKnown, nothingMissing } from "../kernel/readings/part.ts";
import { atLeast } from "../kernel/release.ts";

import { answerOf, findingOf } from "./asked.ts";
import type { Case } from "./case.ts";
import { faulty } from "./conclude_faults.ts";
import type { Conclusion } from "./conclusion.ts";
import type { Finding, Severity } from "./finding.ts";
import { maskOf } from "./mask.ts";
import { confinedTo, onlyBlocks, untoldRequest } from "./oom_zones.ts";
import type { Rebuilt } from "./rebuild.ts";
import { rebuild } from "./rebuild.ts";
import { mayBeOfNodes } from "./rules/oom.ts";
import { plenty } from "./rules/why_refused.ts";
import { ringIsBeingMade } from "./stack.ts";
import { mayStall, stalls } from "./stall.ts";
import type { VmallocLack } from "./vmalloc.ts";
import { vmallocLack } from "./vmalloc.ts";
import { wantedOf } from "./wanted.ts";
import { listing, orderWords, size } from "./words.ts";

export function conclude(c: Case, findings: readonly Finding[]): Conclusion {
  const { incident } = c;
  switch (incident.kind) {
    case "alloc_failure":
    case "slab_failure":
      return withCache(shortage(c, findings), findings);
    case "oom": {
      const { scope, outcome } = incident.reading;
      if (scope === "memcg")
        return {
          key: "oom:memcg",
          cause: "A cgroup reached its memory limit; the machine itself was not out of memory.",
          severity: "act",
        };
      const confined = scope === "cpuset" ? undefined : confinedTo(c);
      if (confined !== undefined)
        return {
          key: `oom:zones:${outcome}:${incident.reading.victim?.comm ?? ""}`,
          cause: `The zones that the request may use (${confined.zones}) ran out of memory; ${confined.elsewhere === undefined ? "the report does not say how much the others had" : confined.elsewhere}.`,
          severity: "act",
        };
      const blocks = scope === "cpuset" ? undefined : onlyBlocks(c);
      if (blocks !== undefined && blocks.is !== false)
        return {
          key: `oom:blocks:${outcome}:${incident.reading.victim?.comm ?? ""}`,
          cause: `${outcome === "panic" ? "The machine went down" : "The OOM killer ran"} for a block of ${orderWords(blocks.order, c.pageKb)}; ${blocks.is === true ? "single pages were free, so memory was fragmented, not used up" : "the report does not say whether memory was used up or only fragmented"}.`,
          severity: "act",
        };
      if (scope !== "cpuset" && untoldRequest(c))
        return {
          key: `oom:not said:${incident.reading.victim?.comm ?? ""}`,
          cause:
            "The OOM killer ran; the report does not say whether the machine was short of memory, or only the zones or the blocks that the request needed.",
          severity: "act",
        };
      return {
        key: `oom:machine:${outcome}:${incident.reading.victim?.comm ?? ""}`,
        cause:
          outcome === "panic" && /panic_on_oom is enabled/.test(incident.reading.panic ?? "")
            ? "The machine was out of memory, and vm.panic_on_oom made that a panic."
            : outcome === "panic"
              ? "The machine was really out of memory, and nothing was left to kill."
              : scope === "unknown" && hasCgroups(c)
                ? "Memory ran out: the machine's, or what a cgroup may have; the report does not say which."
                : scope === "cpuset"
                  ? "Memory ran out on the nodes that a cpuset or a memory policy allows; the report does not say whether the whole machine was short."
                  : mayBeOfNodes(c, incident.reading)
                    ? "Memory ran out, and not by a cgroup's limit; the text does not say whether in the whole machine or on the nodes that a cpuset allows."
                    : "The machine was really out of memory: nothing was left to reclaim.",
        severity: "act",
      };
    }
    case "bad_page":
    case "oops":
    case "skb_panic":
    case "slab_corruption":
    case "page_pool_stall":
    case "driver_line":
      return faulty(c, incident, findings);
    case "mem_info":
      return pictureOnly(c);
    case "suppressed":
      return {
        key: `suppressed:${incident.reading.what}`,
        cause: `The kernel left out ${incident.reading.count} messages (${incident.reading.what}).`,
        severity: "watch",
      };
  }
}

/** Limits for groups of tasks came with the memory controller in 2.6.25. */
const hasCgroups = (c: Case): boolean => c.said.release === "unknown" || atLeast(c.release, [2, 6, 25]);

/** A cache that holds a good part of the machine is the trouble, whatever was refused this time. */
function withCache(found: Conclusion, findings: readonly Finding[]): Conclusion {
  const held = findingOf(findings, "slab_holds");
  if (held?.answer !== "yes") return found;
  return {
    ...found,
    cause: `${found.cause} ${held.claim}`,
    severity: found.severity === "corruption" ? found.severity : "act",
    consequence:
      "Act on it: one cache takes the machine's memory; the request that was refused this time is a symptom.",
  };
}

/** Only SysRq-m prints a state of memory for its own sake, and says so in a line before it; otherwise a report lost its head. */
function pictureOnly(c: Case): Conclusion {
  const pressed = c.incident.kind === "mem_info" && c.incident.reading.sysrq === true;
  return pressed
    ? { key: "mem_info", cause: "A state of memory that SysRq-m printed.", severity: "harmless" }
    : {
        key: "mem_info:headless",
        cause: `A state of memory without the report it belongs to: its headline is missing, or SysRq-m was pressed.${lowZones(c)}`,
        severity: "watch",
      };
}

/** Zones that stand below their min mark in a picture of the memory. */
function lowZones(c: Case): string {
  const low = (c.memInfo?.zones ?? []).filter(({ kb: { free = Infinity, min = 0 } }) => free < min);
  return low.length === 0
    ? ""
    : ` ${listing(low.map((z) => z.name))} ${low.length === 1 ? "was" : "were"} below the min mark then.`;
}

function shortage(c: Case, findings: readonly Finding[]): Conclusion {
  const order = c.order;
  const variant = c.incident.kind === "alloc_failure" ? c.incident.reading.variant : undefined;
  if (variant === "vmalloc") {
    const what = vmallocLack(c);
    return { key: `alloc_failure:vmalloc:${what}`, cause: vmallocCause(c, what), severity: "act" };
  }
  if (stalls(c)) return stalled(c);
  const refused = answerOf(findings, "why.refused");
  const r = rebuild(c);
  const fragmented = answerOf(findings, "fragmentation");
  const container = answerOf(findings, "container.limit") === "yes";
  const mask = maskOf(c);
  const atomic = mask?.maySleep === false;
  const block = order === undefined ? "memory" : orderWords(order, c.pageKb);
  const cannotWait = atomic ? ", and the request could not wait" : "";
  const who =
    c.slab?.cache?.replace(/\(.*/, "") ??
    c.stack.driver?.driver.name ??
    c.stack.frames[c.stack.caller ?? -1]?.function ??
    "unknown";
  const key = (why: string): string =>
    `${c.incident.kind}:${order ?? "-"}:${mask?.hex ?? "-"}:${who}:${c.stack.direction ?? "-"}:${why}`;
  const severity = severityOf(c, atomic);
  if (container)
    return {
      key: key("container"),
      cause:
        "Most likely a container's memory limit refused it, not the machine: the cache is that container's own, and the page allocator reports no failure beside it.",
      severity: "act",
    };
  const closed = onClosedLists(r);
  if (refused === "yes" && order === 0 && closed)
    return {
      key: key("closed lists"),
      cause: `Pages were free, but only on lists this request may not use${cannotWait}.`,
      severity,
    };
  if (fragmented === "yes")
    return {
      key: key(closed ? "closed lists" : "fragmentation"),
      cause: closed
        ? `Blocks that are large enough were free, but on lists this request may not use${cannotWait}: ${block} could not be had.`
        : `Memory was fragmented: single pages were free, but no block of ${block}${cannotWait}.`,
      severity,
    };
  if (refused === "yes" && order === 0)
    return {
      key: key("below mark"),
      cause: `Too little memory was free: every zone it may use was at or below the part of the reserve that this request may touch${cannotWait}.`,
      severity,
    };
  if (refused === "yes")
    return {
      key: key("short"),
      cause: `Too little memory was free: even a single page would have been refused, let alone ${block}${cannotWait}.`,
      severity,
    };
  const slabWords = noFallBack(c);
  const had = `${order === undefined ? "Memory" : `A block of ${block}`} could not be had at that moment${cannotWait}`;
  if (r?.refused === false && plenty(c, r))
    return {
      key: key("plenty"),
      cause: `${had}, though far more than it needed was free when the state was printed: neither a shortage nor memory freed in between explains it. Look at which zones, nodes and lists the request may use.`,
      severity,
    };
  if (r?.refused === false)
    return { key: key("race"), cause: `${had}; when the state was printed, memory had come back.`, severity };
  const none =
    `No ${order === undefined ? (c.incident.kind === "slab_failure" || c.stack.path === "slab" ? "memory for a new slab" : "memory") : block} could be had${cannotWait}${slabWords}.`.replace(
      "No order",
      "No block of order",
    );
  if (mayStall(c))
    return {
      key: key("not said"),
      cause:
        "A request for memory was refused, or had been waiting for it for ten seconds: kernels of 4.10 to 4.14 report both, and the first line, which says which, is missing.",
      severity: "watch",
    };
  if (order === 0) return { key: key("not said"), cause: `${none} ${onePage(c, atomic)}`, severity };
  const gap =
    c.memInfo === undefined
      ? "it has no Mem-Info"
      : `its Mem-Info lacks ${r?.lacks ?? gapOf(r) ?? "what would tell it"}`;
  return {
    key: key("not said"),
    cause: `${none} The report does not say whether memory was short or fragmented: ${gap}.`,
    severity,
  };
}

/** The report of a wait, not of a refusal: reclaim and the request went on behind it (__alloc_pages_slowpath() of 4.10 to 4.14). */
function stalled(c: Case): Conclusion {
  const reading = c.incident.kind === "alloc_failure" ? c.incident.reading : undefined;
  const what = c.order === undefined ? "memory" : orderWords(c.order, c.pageKb);
  const waited = reading?.stalledMs === undefined ? "" : ` for ${(reading.stalledMs / 1000).toFixed(1)} s`;
  return {
    key: `alloc_failure:stall:${c.order ?? "-"}`,
    cause: `A request for ${what} had been waiting${waited} when this was printed: reclaim freed too little, too slowly. It was not refused, and goes on.`,
    severity: "watch",
    consequence: "A task stood still meanwhile. The report does not say whether it got its memory.",
  };
}

/** Blocks that are large enough were free in a zone that would have served, on lists that are closed to the request. */
const onClosedLists = (r: Rebuilt | undefined): boolean =>
  r?.zones.some(
    (z) =>
      z.eligible &&
      z.verdict.ok === false &&
      z.open.ok === true &&
      (z.state.orders ?? []).slice(r.request.order).some((o) => o.blocks > 0),
  ) ?? false;

/** What follows from a refused single page alone: one free page is as good as another, so the zones were short of them. */
function onePage(c: Case, atomic: boolean): string {
  // A task that frees memory itself is not reclaimed for: that it did not its whole stack says.
  const inTask = c.stack.reclaimFrame === undefined && nothingMissing(c.stack.trace) !== undefined;
  const reclaimed = maskOf(c)?.maySleep === true && inTask;
  const follows = atomic
    ? "the zones it may use were at or below the part of the reserve that such a request may touch"
    : `nothing was left that the request may take${reclaimed ? ", and reclaim did not free enough" : ""}`;
  const lacks = (c.memInfo?.zones ?? []).some((z) => z.kb.free !== undefined)
    ? "The report does not say enough to repeat the test"
    : "The report does not say how much was free";
  return `A single page cannot be fragmented: ${follows}. ${lacks}.`;
}

const gapOf = (r: Rebuilt | undefined): string | undefined =>
  r?.zones.map((z) => z.verdict.missing).find((m) => m !== undefined);

/** A slab that has to be of its full order, where it is known to be the one that was wanted. */
function noFallBack(c: Case): string {
  const slab = wantedOf(c)?.piece?.slab;
  return slab?.kind === "slab" && !slab.mayFallBack && slab.order > 0
    ? `; the slab of ${slab.bucket} needs it and cannot fall back to fewer pages in this release`
    : "";
}

const vmallocCause = (c: Case, what: VmallocLack): string => {
  const bytes = c.incident.kind === "alloc_failure" ? c.incident.reading.bytes : undefined;
  const who = c.stack.frames[c.stack.caller ?? -1]?.function;
  const asked = `${bytes === undefined ? "" : ` of ${size(bytes)}`}${who === undefined ? "" : ` for ${who}`}`;
  switch (what) {
    case "size":
      return `vmalloc was asked for 0 bytes${who === undefined ? "" : ` by ${who}`}: the size is the bug; nothing ran out.`;
    case "machine":
      return `A vmalloc${asked} was refused at once: the machine has less memory than was asked for.`;
    case "pages":
      return `A vmalloc${asked} could not get all its pages: memory as a whole ran out.`;
    case "addresses":
      return `A vmalloc${asked} found no free range of addresses.`;
    case "range":
      return `A vmalloc${asked} was refused before it took a page: no range of addresses was free for it, or it asked for more than the machine has.`;
    case "either":
      return `A vmalloc${asked} could not get its pages or its range of addresses.`;
  }
};

const core = /^(__)?(tcp|ip6?|inet6?|udp|sk|skb|sock|netlink|nf|br|napi|netif|neigh|icmp|igmp|arp|unix|t?packet|dev)_/;

/** What a refusal leads to is known for the network's own code and for drivers whose facts are known. */
function consequenceKnown(c: Case): boolean {
  if (c.stack.driver !== undefined) return true;
  const caller = c.stack.frames[c.stack.caller ?? -1];
  return caller !== undefined && caller.module === undefined && core.test(caller.function);
}

/** A packet that is dropped is harmless once; what a process needed is not, unless it said that it can do without. */
function severityOf(c: Case, atomic: boolean): Severity {
  const packet = ["rx refill", "rx", "tx", "tx completion"].includes(c.stack.direction ?? "");
  const mask = maskOf(c);
  // A mask that is lost may be that of a caller who can do without.
  const optional = mask === undefined || mask.optional;
  const inProcess = c.stack.context === "process";
  // Without its ring an interface does not come up.
  if (c.stack.direction === "setup" || (c.stack.direction === "rx refill" && ringIsBeingMade(c.stack))) return "act";
  if (!atomic && inProcess) return optional || c.stack.reclaimFrame !== undefined ? "watch" : "act";
  if (!packet || !atomic) return "watch";
  // What a driver does with a slot that stays empty is known of some only: no facts, no promise.
  if (receives(c) && !refillIsKnown(c)) return "watch";
  // Only a whole stack shows that nothing on it forbids a task to sleep.
  if (inProcess && c.stack.noSleepFrame === undefined)
    return optional || nothingMissing(c.stack.trace) === undefined ? "watch" : "act";
  return consequenceKnown(c) && isKnown(c.order, (n) => n <= 3) ? "harmless" : "watch";
}

/** A driver asked for a packet's buffer, for its ring or for a packet that has arrived. */
const receives = (c: Case): boolean => {
  const { direction, driver, caller, frames } = c.stack;
  if (direction === "rx refill") return true;
  if (direction !== "rx" || caller === undefined) return false;
  return frames[caller]?.module !== undefined || driver?.frame === caller;
};

/** True when the driver's facts say what it does without a fresh buffer at this release. */
const refillIsKnown = (c: Case): boolean =>
  c.stack.driver !== undefined && failureAt(c.stack.driver.driver, c.release.version) !== undefined;

/** What the severity means for this incident, in one sentence. */
export function severityWords(severity: Severity, c: Case, count: number): string {
  const kind = c.incident.kind;
  const direction = c.stack.direction ?? null;
  const shortage = kind === "alloc_failure" || kind === "slab_failure";
  switch (severity) {
    case "harmless":
      if (kind === "mem_info") return "Nothing happened: it is only a picture of the memory.";
      return "Harmless by itself: at most one packet is lost. TCP retransmits it; a UDP sender may not. Act on it if it repeats.";
    case "watch":
      if (shortage && count > 20 && (direction ?? "neither") !== "neither" && consequenceKnown(c))
        return `Each one costs at most one packet, but ${grouped(count)} of them show that ${
          c.order === 0 ? "free memory runs short again and again" : "blocks of that size are rare"
        }.`;
      if (kind === "mem_info") return "No harm is known; the text does not show which request this report belongs to.";
      if (shortage && maskOf(c)?.optional === true)
        return "The gfp mask says that the caller can do without this memory, or tries again.";
      if (shortage && (direction === "rx" || direction === "rx refill"))
        return "What this driver does with a refused buffer is not known: it may drop a packet, or its ring may run empty.";
      if (kind === "page_pool_stall") return "Memory and the device stay held until the pages come back.";
      // Of what kind a message was that only the rate limit counted, nobody knows: it need not have been a failure.
      if (kind === "suppressed") return "What they said is not in the text: a rate limit only counted them.";
      return shortage
        ? "An allocation failed; the report does not show that anything broke."
        : "The report does not show that anything broke.";
    case "act":
      if (c.incident.kind === "oom")
        return c.incident.reading.outcome === "panic"
          ? "Act on it: the machine went down because memory ran out."
          : "Act on it: the OOM killer had to run.";
      if (shortage && (ringIsBeingMade(c.stack) || direction === "setup"))
        return "Act on it: memory was refused while a network interface was being set up. Some drivers then leave it down, others start with fewer buffers: ip link shows which.";
      if (shortage)
        return "Act on it: a request of a task, or of the kernel's own work, was refused. The report does not say what came of it.";
      return "Act on it: something failed because of it.";
    case "unknown":
      return "The text does not say whether memory is sound: the part that would tell is missing.";
    case "corruption":
      return "Serious: memory was corrupted. What happens later on this machine cannot be trusted.";
  }
}
