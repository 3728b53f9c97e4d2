// The one cause of a report of something corrupted, leaked, stopped or refused in one line.

import type { BadPage } from "../kernel/readings/bad_page.ts";
import type { Incident } from "../kernel/readings/incident.ts";
import type { Oops } from "../kernel/readings/oops.ts";
import type { PagePoolStall } from "../kernel/readings/page_pool_stall.ts";
import type { SkbPanic } from "../kernel/readings/skb_panic.ts";
import type { SlabCorruption } from "../kernel/readings/slab_corruption.ts";
import type { FindingId } from "./asked.ts";
import { answerOf } from "./asked.ts";
import type { Case } from "./case.ts";
import type { Conclusion } from "./conclusion.ts";
import { faultAt, faultModule, faultOf } from "./faults.ts";
import type { Finding } from "./finding.ts";
import { messageSaid } from "./messages.ts";
import { verdictOn } from "./rules/bad_page.ts";
import { mayBeWritten } from "./rules/skb_panic.ts";
import { cacheOf } from "./rules/slab_corruption.ts";
import { skbGeometry } from "./skb_geometry.ts";
import { count } from "./words.ts";

type Faulty = Extract<
  Incident,
  { kind: "bad_page" | "oops" | "skb_panic" | "slab_corruption" | "page_pool_stall" | "driver_line" }
>;

/** The conclusion on the case's report of a fault; `findings` are the answers of all rules. */
export function faulty(c: Case, incident: Faulty, findings: readonly Finding[]): Conclusion {
  switch (incident.kind) {
    case "bad_page":
      return badPage(c, incident.reading);
    case "oops":
      return oops(c, incident.reading, findings);
    case "skb_panic":
      return skbPanic(c, incident.reading);
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

function badPage(c: Case, page: BadPage): Conclusion {
  const { trouble, cause, severity, consequence } = verdictOn(c, page);
  return {
    key: `bad_page:${trouble === "fields" ? (page.reason ?? "fields") : trouble}`,
    cause,
    severity,
    consequence,
  };
}

function oops(c: Case, o: Oops, findings: readonly Finding[]): Conclusion {
  const fault = faultOf(c, o);
  const packet = answerOf(findings, "oops.packet_memory") === "yes";
  const module = faultModule(o);
  const whose = module?.foreign === true ? ` Look for the error in ${module.name} first.` : "";
  const before =
    packet && fault.severity === "corruption" && fault.memory === "corruption" && o.class !== "panic"
      ? o.sanitizer?.access === "read" && /out-of-bounds/.test(o.sanitizer.bug)
        ? " The memory is a packet's."
        : " Packet memory was damaged, or used after it was freed."
      : "";
  return {
    key: `oops:${fault.key}:${faultAt(o) ?? o.source?.file ?? ""}`,
    // A function keeps its spelling at the head of the sentence; what is no name begins it as a sentence.
    cause: `${fault.cause.replace(/^a function /, "A function ")}${before}${whose}`,
    severity: fault.severity,
    consequence: fault.consequence,
  };
}

function skbPanic(c: Case, p: SkbPanic): Conclusion {
  const { flipped } = skbGeometry(p, c.verdict.version);
  if (flipped !== undefined)
    return {
      key: `skb_panic:${p.what}:flipped`,
      cause: `One bit of a packet's data pointer was flipped (bit ${flipped.bit}); the check of the next push or put found it.`,
      severity: "corruption",
    };
  const over = p.what === "skb_over_panic";
  const written = over && mayBeWritten(c);
  return {
    key: `skb_panic:${p.what}`,
    cause: over
      ? `More bytes were appended to a packet than its buffer holds; the check in skb_put() stopped the kernel${written ? "" : " before they were written"}.`
      : "A header was put in front of a packet that had no room for it; the kernel stopped before it was written.",
    severity: "act",
    consequence: written
      ? "Act on it: the task or the machine stopped. The report does not say whether memory behind the buffer was written before the check."
      : "Act on it: the task or the machine stopped; the check comes before the write.",
  };
}

const mistakes: readonly (readonly [finding: FindingId, what: string])[] = [
  ["slab.use_after_free", "was used after it was freed"],
  ["slab.state", "is marked as free and as in use at once"],
  ["slab.before", "was overwritten in front of where it begins"],
  ["slab.out_of_bounds", "was written past its end"],
  ["slab.double_free", "was freed twice"],
];

const slabCorruption = (s: SlabCorruption, findings: readonly Finding[]): Conclusion => ({
  key: `slab_corruption:${s.cache}:${s.problem}`,
  cause: `An object of ${cacheOf(s)} ${mistakes.find(([id]) => answerOf(findings, id) === "yes")?.[1] ?? "is damaged"}.`,
  severity: "corruption",
});

const pagePool = (p: PagePoolStall): Conclusion => ({
  key: `page_pool:${p.poolId ?? ""}`,
  cause: `A destroyed page_pool waits for ${count(p.inflight, "page")} that somebody still holds.`,
  severity: "watch",
});
