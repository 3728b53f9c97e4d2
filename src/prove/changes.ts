// From an advice to settings of the machine that tests it, or to the reason why no machine can.

import type { Advised, Change, ProveInput } from "../diagnosis/machine_told.ts";
import { parseRelease } from "../kernel/release.ts";
import type { Built } from "./machine.ts";
import { trafficAt } from "./machine.ts";

/** A change as an experiment takes it. */
export interface Trial {
  readonly name: string;
  readonly change: Change;
  readonly advised: boolean;
  readonly note: string | null;
  /** Where the change makes a difference only to a machine that does more: settings of that machine, with and without the change. */
  readonly against?: Readonly<Record<string, unknown>>;
  /** Settings by their path. */
  readonly set: Readonly<Record<string, unknown>>;
}

/** Every advice of an incident, each once. */
export function advised(input: ProveInput): readonly Advised[] {
  const seen = new Set<string>();
  return input.findings
    .flatMap((f) => f.advice)
    .filter((a) => {
      const key = a.command ?? a.action;
      return !seen.has(key) && seen.add(key) !== undefined;
    });
}

/** Why no machine of the model can be changed so. */
export function whyNot(change: Change): string | undefined {
  switch (change.kind) {
    case "evidence":
      return "it changes nothing on the machine, it gathers evidence";
    case "code":
      return "it is a change of somebody's source; the model's drivers ask as the real ones do";
    case "driver_setting":
      return "the model's drivers have no settings of their own";
    case "reboot":
      return "it ends the damage that was done, not its cause";
    case "limit":
      return "the model has no memory cgroups";
    case "memory":
      return "the report does not say what would fill more memory, so any answer would be made up";
    case "cma":
      return "the machine's CMA area, and who uses it, are not in the report";
    case "fresh_buffers":
    case "drain_sockets":
      return "it concerns who holds memory, not requests that fail";
    default:
      return undefined;
  }
}

/** Settings for a change on a built machine, or the reason why there are none. */
export function settingsOf(change: Change, built: Built): Trial["set"] | string {
  const why = whyNot(change);
  if (why !== undefined) return why;
  switch (change.kind) {
    case "min_free_kbytes": {
      const kb = Math.max(128, Math.round(change.kb / built.scale));
      if (kb > built.memoryMb * 512) return `${change.kb} kB are more than half of the machine's memory`;
      return { "sysctl.min_free_kbytes": kb };
    }
    case "watermark_scale_factor":
      return { "sysctl.watermark_scale_factor": change.value };
    case "compact_memory":
      return { "sysctl.compact_memory": true };
    case "drop_caches":
      return { "sysctl.drop_caches": true, "sysctl.compact_memory": true };
    case "slub_max_order":
      return { slubMaxOrder: change.order };
    case "release":
      return { release: `${change.version}-${parseRelease(built.release).arch}` };
    case "rx_ring":
      return { "nics.0.settings.rx_ring": change.entries };
    case "offload":
      if (change.name !== "tso") return `the model's cards cannot have ${change.name} switched off`;
      return { "nics.0.tso": false };
    case "mtu": {
      if (built.standIn) return "the driver that stands in has buffers of that order at every MTU";
      const { framesPerSecond, burst } = trafficAt(built.level, change.mtu, 0);
      return { "nics.0.mtu": change.mtu, "traffic.0.framesPerSecond": framesPerSecond, "traffic.0.burst": burst };
    }
    default:
      return "the model has no such setting";
  }
}

const sends = [{ writesPerSecond: 1000 }];

/** What people try although nobody advised it here: it is run beside the advice, and shown as such. */
export function controls(input: ProveInput, built: Built): readonly Trial[] {
  const found: Trial[] = [];
  const tso = input.findings.find((f) => f.id === "offload.tso");
  if (tso?.answer === "no" && input.machine.tso?.value !== false && !built.standIn && built.sends)
    found.push({
      name: "TSO off, while 1,000 writes/s of 32 KB are sent",
      change: { kind: "offload", name: "tso" },
      advised: false,
      note: "the diagnosis says that it cannot help",
      against: { sends },
      set: { sends, "nics.0.tso": false },
    });
  const { rxRing } = built;
  if (rxRing * 4 * built.bufferBytes < built.memoryMb * 262144)
    found.push({
      name: `a receive ring of ${rxRing * 4} instead of ${rxRing}`,
      change: { kind: "rx_ring", entries: rxRing * 4 },
      advised: false,
      note: "often tried, not advised here",
      set: { "nics.0.settings.rx_ring": rxRing * 4 },
    });
  return found;
}
