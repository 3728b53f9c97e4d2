// The one line by which a person recognises a report.
import { bareName } from "../kernel/facts/drivers/index.ts";
import type { Case } from "./case.ts";
import { faultAt, faultOf } from "./faults.ts";
import { messageSaid } from "./messages.ts";
import { type Direction, driverNameOf } from "./stack.ts";
import { mayStall } from "./stall.ts";

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
  const driver = driverNameOf(c.stack);
  const side = c.stack.direction === undefined ? "" : doing[c.stack.direction];
  const where = [driver, side].filter((x) => x !== undefined && x !== "").join(", ");
  const behind = where === "" ? "" : ` (${where})`;
  switch (incident.kind) {
    case "alloc_failure": {
      const asker = c.stack.frames[c.stack.caller ?? -1];
      const of = asker?.module === undefined ? "" : ` of ${asker.module}`;
      const who = driver ?? (asker === undefined ? undefined : `${bareName(asker.function)}${of}`);
      const by = where === "" ? (who === undefined ? "" : ` (${who})`) : behind;
      if (incident.reading.variant === "vmalloc") return `vmalloc failed${by}`;
      if (mayStall(c)) return `Page allocation report without its first line${by}`;
      if (incident.reading.variant === "stall") return `Page allocation of order ${c.order ?? "?"} stalls${by}`;
      return `Page allocation failure${c.order === undefined ? "" : ` of order ${c.order}`}${by}`;
    }
    case "slab_failure":
      return `${incident.reading.allocator} cannot grow ${incident.reading.cache ?? "a cache"}`;
    case "bad_page":
      return `Bad page state${incident.reading.pfn === undefined ? "" : ` of pfn 0x${incident.reading.pfn.toString(16)}`}${behind}`;
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
      return `Stalled page_pool: ${incident.reading.inflight} pages in flight`;
    case "oom": {
      const { scope, victim, outcome } = incident.reading;
      return `Out of memory${scope === "memcg" ? " in a cgroup" : ""}${victim === undefined ? (outcome === "panic" ? ", nothing to kill" : "") : `, ${victim.comm} killed`}`;
    }
    case "mem_info":
      return "Memory state without a report";
    case "driver_line":
      return messageSaid(incident.reading).title;
    case "suppressed":
      return `${incident.reading.count} messages left out (${incident.reading.what})`;
  }
}
