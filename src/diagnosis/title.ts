// The one line by which a person recognises a report, and what of it is alike on every machine with the same trouble.

import { bareName } from "../kernel/facts/drivers/index.ts";
import { reasonPart } from "../kernel/readings/bad_page.ts";
import type { Oom } from "../kernel/readings/oom.ts";
import type { Case } from "./case.ts";
import { faultAt, faultOf } from "./faults.ts";
import type { Subject } from "./finding.ts";
import { messageSaid } from "./messages.ts";
import { verdictOn } from "./rules/bad_page.ts";
import { type Direction, driverNameOf } from "./stack.ts";
import { mayStall } from "./stall.ts";
import { count } from "./words.ts";

const doing: Readonly<Record<Direction, string>> = {
  "rx refill": "refilling a receive ring",
  rx: "receiving",
  tx: "transmitting",
  "tx completion": "after a packet was sent",
  setup: "while the interface comes up",
  neither: "",
};

export function titleOf(c: Case): string {
  const { incident } = c;
  const title = generalTitle(c);
  switch (incident.kind) {
    case "bad_page":
      return `${title}${incident.reading.pfn === undefined ? "" : ` of pfn 0x${incident.reading.pfn.toString(16)}`}${sideOf(c)}`;
    case "page_pool_stall":
      return `${title}: ${count(incident.reading.inflight, "page")} in flight`;
    case "oom": {
      const { victim } = incident.reading;
      return victim === undefined ? title : `${title}, ${victim.comm} killed`;
    }
    default:
      return title;
  }
}

export function subjectOf(c: Case): Subject {
  const { incident } = c;
  const asker = incident.kind === "alloc_failure" ? c.stack.frames[c.stack.caller ?? -1] : undefined;
  const which = whichOf(c);
  const title = generalTitle(c);
  return {
    title: incident.kind === "bad_page" ? `${title}${sideOf(c)}${which === null ? "" : `: ${which}`}` : title,
    asker: asker === undefined ? null : { function: bareName(asker.function), module: asker.module ?? null },
    which,
  };
}

function whichOf(c: Case): string | null {
  const { incident } = c;
  switch (incident.kind) {
    case "alloc_failure":
      return incident.reading.variant === "not said" ? null : incident.reading.variant;
    case "bad_page": {
      const { trouble } = verdictOn(c, incident.reading);
      if (trouble !== "fields") return trouble;
      const reason = reasonPart(incident.reading);
      // Kernels up to 3.x print no reason.
      return reason.state === "whole" ? reason.value : reason.state === "not printed" ? "fields" : null;
    }
    case "oom": {
      const { scope } = incident.reading;
      return nothingToKill(incident.reading) ? "nothing to kill" : scope === "unknown" ? null : scope;
    }
    case "slab_failure":
      return incident.reading.cache ?? null;
    default:
      return null;
  }
}

const nothingToKill = ({ victim, outcome, panic = "" }: Oom): boolean =>
  victim === undefined && outcome === "panic" && !panic.includes("panic_on_oom is enabled");

/** Where it happened: ` (e1000, refilling a receive ring)`, or nothing. */
function sideOf(c: Case): string {
  const side = c.stack.direction === undefined ? "" : doing[c.stack.direction];
  const where = [driverNameOf(c.stack), side].filter((x) => x !== undefined && x !== "").join(", ");
  return where === "" ? "" : ` (${where})`;
}

/** The title without page, process and counts. */
function generalTitle(c: Case): string {
  const { incident } = c;
  const behind = sideOf(c);
  switch (incident.kind) {
    case "alloc_failure": {
      const asker = c.stack.frames[c.stack.caller ?? -1];
      const of = asker?.module === undefined ? "" : ` of ${asker.module}`;
      const by = behind === "" && asker !== undefined ? ` (${bareName(asker.function)}${of})` : behind;
      if (incident.reading.variant === "vmalloc") return `vmalloc failed${by}`;
      if (mayStall(c)) return `Page allocation report without its first line${by}`;
      if (incident.reading.variant === "stall") return `Page allocation of order ${c.order ?? "?"} stalls${by}`;
      return `Page allocation failure${c.order === undefined ? "" : ` of order ${c.order}`}${by}`;
    }
    case "slab_failure":
      return `${incident.reading.allocator} cannot grow ${incident.reading.cache ?? "a cache"}`;
    case "bad_page":
      return "Bad page state";
    case "oops": {
      const at = faultAt(incident.reading);
      return `${faultOf(c, incident.reading).title}${at === undefined ? "" : ` in ${at}`}${behind}`;
    }
    case "skb_panic":
      return `${incident.reading.what}: a packet left its buffer${behind}`;
    case "slab_corruption":
      return incident.reading.cache === ""
        ? `Slab corruption: ${incident.reading.problem}`
        : `Slab corruption in ${incident.reading.cache}: ${incident.reading.problem}`;
    case "page_pool_stall":
      return "Stalled page_pool";
    case "oom": {
      const { scope } = incident.reading;
      return `Out of memory${scope === "memcg" ? " in a cgroup" : ""}${nothingToKill(incident.reading) ? ", nothing to kill" : ""}`;
    }
    case "mem_info":
      return "Memory state without a report";
    case "driver_line":
      return messageSaid(incident.reading).title;
    case "suppressed":
      return `${incident.reading.count} messages left out (${incident.reading.what})`;
  }
}
