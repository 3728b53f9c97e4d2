// The one cause of a report of something corrupted, leaked, stopped or refused in one line.
import type { BadPage } from "../kernel/readings/bad_page.ts";
import type { Incident } from "../kernel/readings/incident.ts";
import type { Oops } from "../kernel/readings/oops.ts";
import type { PagePoolStall } from "../kernel/readings/page_pool_stall.ts";
import type { SkbPanic } from "../kernel/readings/skb_panic.ts";
import type { SlabCorruption } from "../kernel/readings/slab_corruption.ts";
import type { Case } from "./case.ts";
import type { Conclusion } from "./conclusion.ts";
import { faultAt, faultModule, faultOf } from "./faults.ts";
import type { Finding } from "./finding.ts";
import { messageSaid } from "./messages.ts";

const answerOf = (findings: readonly Finding[], id: string): Finding["answer"] | undefined =>
  findings.find((f) => f.id === id)?.answer;

type Faulty = Extract<
  Incident,
  { kind: "bad_page" | "oops" | "skb_panic" | "slab_corruption" | "page_pool_stall" | "driver_line" }
>;

/** The conclusion on the case's report of a fault; `findings` are the answers of all rules. */
export function faulty(c: Case, incident: Faulty, findings: readonly Finding[]): Conclusion {
  switch (incident.kind) {
    case "bad_page":
      return badPage(incident.reading, findings);
    case "oops":
      return oops(c, incident.reading, findings);
    case "skb_panic":
      return skbPanic(incident.reading);
    case "slab_corruption":
      return slabCorruption(incident.reading, findings);
    case "page_pool_stall":
      return pagePool(incident.reading);
    case "driver_line": {
      const { key, cause, severity, consequence } = messageSaid(incident.reading);
      return { key: `driver_line:${key}`, cause, severity, consequence };
    }
  }
}

function badPage(page: BadPage, findings: readonly Finding[]): Conclusion {
  const double = answerOf(findings, "bad_page.double_free") === "yes";
  const reason = page.reason;
  const leak = /page_pool leak/.test(reason ?? "");
  return {
    key: `bad_page:${double ? "double free" : (reason ?? "fields")}`,
    cause: leak
      ? "A page of a page_pool was freed past its pool: the pool leaks."
      : double
        ? "Memory was freed twice: the page was on the free list while it still belonged to a buffer (double or overlapping free). Corruption, not fragmentation."
        : `A page was freed, or handed out, in a state that no free page may have${reason === undefined ? "" : ` (${reason})`}. Corruption, not a shortage.`,
    severity: "corruption",
  };
}

function oops(c: Case, o: Oops, findings: readonly Finding[]): Conclusion {
  const fault = faultOf(c, o);
  const packet = answerOf(findings, "oops.packet_memory") === "yes";
  const module = faultModule(o);
  const whose = module?.foreign === true ? ` Look for the error in ${module.name} first.` : "";
  const before =
    packet && fault.severity === "corruption" && fault.memory === "corruption"
      ? " Packet memory was damaged or used too late."
      : "";
  return {
    key: `oops:${fault.key}:${faultAt(o) ?? o.source?.file ?? ""}`,
    cause: `${fault.cause}${before}${whose}`,
    severity: fault.severity,
    consequence: fault.consequence,
  };
}

const skbPanic = (p: SkbPanic): Conclusion => ({
  key: `skb_panic:${p.what}`,
  cause:
    p.what === "skb_over_panic"
      ? "More bytes were appended to a packet than its buffer holds; the kernel stopped instead of overwriting memory."
      : "A header was put in front of a packet that had no room for it; the kernel stopped instead of overwriting memory.",
  severity: "act",
});

const mistakes: readonly (readonly [finding: string, what: string])[] = [
  ["slab.use_after_free", "was used after it was freed"],
  ["slab.out_of_bounds", "was written past its end"],
  ["slab.double_free", "was freed twice"],
];

const slabCorruption = (s: SlabCorruption, findings: readonly Finding[]): Conclusion => ({
  key: `slab_corruption:${s.cache}:${s.problem}`,
  cause: `An object of ${s.cache} ${mistakes.find(([id]) => findings.some((f) => f.id === id))?.[1] ?? "is damaged"}.`,
  severity: "corruption",
});

const pagePool = (p: PagePoolStall): Conclusion => ({
  key: `page_pool:${p.poolId ?? ""}`,
  cause: `A destroyed page_pool waits for ${p.inflight} pages that somebody still holds.`,
  severity: "watch",
});
