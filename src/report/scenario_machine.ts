// A run of a machine as a reader wants it: what came in, what was lost where, what the allocator was asked for, the timeline, the reports.

import { printAllocFailure } from "../artifact/log/incidents/alloc_failure_print.ts";
import { completeMemInfo } from "../artifact/log/incidents/complete_mem_info.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import { parseRelease } from "../kernel/release.ts";
import type { MachineResult } from "../scenario/machine_run.ts";
import type { Block, Document } from "./document.ts";
import { facts, heading, list, paragraph, table } from "./document.ts";

const round = (n: number, digits = 1): string => Number(n.toFixed(digits)).toLocaleString("en-US");

/** A failure report in the words of its release. */
export function reportText(report: AllocFailure): string {
  const { version } = parseRelease(`${report.process?.release ?? "6.1"}-x86_64`);
  const memInfo = report.memInfo === undefined ? undefined : completeMemInfo(report.memInfo, version);
  return printAllocFailure({ ...report, ...(memInfo === undefined ? {} : { memInfo }) }, version).join("\n");
}

export function drawMachine(result: unknown): Document {
  const r = result as MachineResult;
  const blocks: Block[] = [];
  if (r.end === "events")
    blocks.push(
      paragraph(
        `The limit of ${r.events.toLocaleString("en-US")} events ended the run after ${round(r.simulatedMillis)} ms of simulated time: raise eventsMax to see more.`,
      ),
    );
  for (const d of r.devices.filter((d) => !d.up))
    blocks.push(paragraph(`${d.name} could not be brought up: ${d.driver} got no memory for its rings.`));
  blocks.push(
    facts([
      ["simulated", `${round(r.simulatedMillis)} ms, ${r.events.toLocaleString("en-US")} events`],
      ["goodput", `${round(r.goodputMbit)} Mbit/s`],
      ["frames sent to the machine", r.sent.toLocaleString("en-US")],
      ["read by the application", r.received.toLocaleString("en-US")],
      ["dropped by the socket", r.socketDrops.toLocaleString("en-US")],
      ["writes", `${r.writes.sent} sent as ${r.writes.frames} packets, ${r.writes.dropped} given up`],
      ["failures printed", r.printed.map((p) => `${p.count} of order ${p.order}`).join(", ") || "none"],
      ["vm.min_free_kbytes", String(r.minFreeKb)],
    ]),
    table(
      ["interface", "driver", ">mtu", ">rx packets", ">no buffer", ">no memory", "driver's counters"],
      r.devices.map((d) => [
        d.name,
        d.driver,
        String(d.mtu),
        String(d.stats.rxPackets),
        String(d.stats.rxMissed),
        String(d.stats.rxDropped),
        Object.entries(d.counters)
          .filter(([, n]) => n !== 0)
          .map(([name, n]) => `${name} ${n}`)
          .join(", "),
      ]),
    ),
    table(
      [">order", ">asked", ">refused", ">share"],
      r.orders.map((o) => [
        String(o.order),
        String(o.asked),
        String(o.failed),
        o.asked === 0 ? "" : `${round((100 * o.failed) / o.asked, 2)} %`,
      ]),
      "What the network asked the page allocator for",
    ),
    timeline(r, "free memory", "pages", [
      ["all free", (s) => s.freePages],
      ["order 3 and above", (s) => s.largeFreePages],
    ]),
    timeline(r, "failures and ring", "", [
      ["failed so far", (s) => s.failures],
      ["buffers in the rings", (s) => s.ringFilled],
    ]),
  );
  if (r.said.length > 0) blocks.push(heading(2, "What the kernel said"), list(r.said));
  for (const report of r.reports) blocks.push({ kind: "code", text: reportText(report) });
  return blocks;
}

/** The failure reports of a run, one after the other. */
export const machineLog = (result: MachineResult): string => result.reports.map((r) => `${reportText(r)}\n`).join("");

type Pick = readonly [name: string, of: (sample: MachineResult["samples"][number]) => number];

function timeline(r: MachineResult, title: string, yTitle: string, picks: readonly Pick[]): Block {
  return {
    kind: "lines",
    title,
    xTitle: "ms",
    yTitle,
    x: r.samples.map((s) => s.millis),
    series: picks.map(([name, of]) => ({ name, values: r.samples.map(of) })),
  };
}
