// A run of a machine as a reader wants it: what came in, what was lost where, what the allocator was asked for, the timeline, the reports.

import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import { parseRelease } from "../kernel/release.ts";
import type { MachineResult } from "../scenario/machine_run.ts";
import type { Block, Document } from "./document.ts";
import { facts, heading, list, paragraph, table } from "./document.ts";
import { reportLines } from "./kernel_log.ts";

const round = (n: number, digits = 1): string => Number(n.toFixed(digits)).toLocaleString("en-US");

/** A failure report in the words of its release. */
export function reportText(report: AllocFailure): string {
  return reportLines(report, parseRelease(report.process?.release ?? "6.1").version).join("\n");
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
      ...trafficFacts(r),
      ["failures to report", r.printed.map((p) => `${p.count} of order ${p.order}`).join(", ") || "none"],
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
    ...queueTables(r),
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
    ...pressureBlocks(r.pressure),
    ...tcpBlocks(r.tcp),
    timeline(r, "free memory", "pages", [
      ["all free", (s) => s.freePages],
      ["order 3 and above", (s) => s.largeFreePages],
    ]),
    timeline(r, "failures and ring", "", [
      ["failed so far", (s) => s.failures],
      ["buffers in the rings", (s) => s.ringFilled],
    ]),
  );
  if (r.pressure !== undefined)
    blocks.push(
      timeline(
        r,
        "held by workloads",
        "pages or objects",
        r.pressure.workloads.map(({ kind }, i) => [`${i + 1} ${kind}`, (s) => s.held?.[i] ?? null]),
      ),
    );
  if (r.tcp !== undefined)
    blocks.push(
      timeline(r, "memory in TCP's queues", "KiB of truesize", [
        ["to be read", (s) => (s.tcp === undefined ? null : s.tcp.receiveQueueBytes / 1024)],
        ["to be acknowledged", (s) => (s.tcp === undefined ? null : s.tcp.sendQueueBytes / 1024)],
      ]),
      timeline(r, "segments retransmitted", "", [["so far", (s) => s.tcp?.retransmitted ?? null]]),
    );
  if (r.said.length > 0) blocks.push(heading(2, "What the kernel said"), list(r.said));
  for (const report of r.reports) blocks.push({ kind: "code", text: reportText(report) });
  return blocks;
}

/** Queue by queue: what came, and what its page pool did, counted as page_pool_get_stats() does. */
function queueTables(r: MachineResult): Block[] {
  const count = (n: number | undefined): string => n?.toLocaleString("en-US") ?? "–";
  return r.devices.flatMap(({ name, queues, pool }) => {
    const rows = queues ?? (pool === undefined ? [] : [{ cpu: undefined, counters: undefined, ring: undefined, pool }]);
    if (rows.length === 0) return [];
    const pooled = rows.some((q) => q.pool !== undefined);
    const own = queues !== undefined;
    return [
      table(
        [
          ...(own ? [">queue", ">CPU", ">rx packets", ">ring"] : []),
          ...(pooled
            ? [">fast", ">refill", ">slow", ">slow high order", ">to ring", ">to cache", ">ring full", ">held"]
            : []),
        ],
        rows.map((q, i) => [
          ...(own
            ? [`${i}`, `${q.cpu}`, count(q.counters?.["rx_packets"]), `${q.ring?.filled} of ${q.ring?.size}`]
            : []),
          ...(pooled
            ? [
                count(q.pool?.fast),
                count(q.pool?.refill),
                count(q.pool?.slow),
                count(q.pool?.slowHighOrder),
                count(q.pool?.ring),
                count(q.pool?.cached),
                count(q.pool?.ringFull),
                count(q.pool?.releasedRefcnt),
              ]
            : []),
        ]),
        own ? `Queues of ${name}${pooled ? " and their page pools" : ""}` : `The page pool of ${name}`,
      ),
    ];
  });
}

/** What came and went as datagrams and writes, as far as there were any. */
function trafficFacts(r: MachineResult): [string, string][] {
  const rows: [string, string][] = [];
  if (r.sent > 0 || r.tcp === undefined)
    rows.push(
      ["frames sent to the machine", r.sent.toLocaleString("en-US")],
      ["read by the application", r.received.toLocaleString("en-US")],
      ["dropped by the socket", r.socketDrops.toLocaleString("en-US")],
    );
  for (const d of r.devices)
    if (d.filtered !== undefined)
      rows.push([`dropped by flow rules of ${d.name}`, `${d.filtered.toLocaleString("en-US")} frames`]);
  if (r.busyPolled !== undefined)
    rows.push(["taken by the reader's busy polls", `${r.busyPolled.toLocaleString("en-US")} packets`]);
  if (r.reserveDrops > 0)
    rows.push(["refused: in memory of the emergency reserve", r.reserveDrops.toLocaleString("en-US")]);
  if (r.groups !== undefined)
    rows.push([
      "to listeners of groups",
      `${r.groups.delivered.toLocaleString("en-US")} delivered, ${r.groups.rcvbufErrors} over the buffer, ${r.groups.memErrors} over udp_mem, ${r.groups.cloneErrors} without memory for a clone`,
    ]);
  const { sent, frames, dropped } = r.writes;
  if (sent + dropped > 0 || r.tcp === undefined)
    rows.push(["writes", `${sent} sent as ${frames} packets, ${dropped} given up`]);
  return rows;
}

function pressureBlocks(p: MachineResult["pressure"]): Block[] {
  if (p === undefined) return [];
  return [
    table(
      [">", "workload", ">held at the end", ">held at most", ">refused"],
      p.workloads.map((w, i) => [
        String(i + 1),
        w.kind === "slab" ? "slab (objects)" : w.kind,
        w.held.toLocaleString("en-US"),
        w.heldMost.toLocaleString("en-US"),
        w.refused.toLocaleString("en-US"),
      ]),
      "What else used memory, in pages",
    ),
    paragraph(
      `Reclaim took ${p.evicted.toLocaleString("en-US")} clean pages and had to leave a dirty one ${p.leftDirty.toLocaleString("en-US")} times; compaction moved ${p.moved.toLocaleString("en-US")}.`,
    ),
  ];
}

function tcpBlocks(t: MachineResult["tcp"]): Block[] {
  if (t === undefined) return [];
  const said = Object.entries(t.counters).filter(([, n]) => n !== 0);
  const blocks: Block[] = [];
  if (t.streams.length > 0)
    blocks.push(
      table(
        ["TCP", ">connections", ">Mbit/s", ">writes", ">MB", ">memory a byte", ">socket drops"],
        t.streams.map((s) => [
          `${s.direction} ${s.nic}`,
          String(s.connections),
          round(s.goodputMbit),
          s.writes.toLocaleString("en-US"),
          round(s.bytes / 1e6),
          s.truesizePerByte === 0 ? "" : round(s.truesizePerByte, 2),
          s.drops.toLocaleString("en-US"),
        ]),
      ),
    );
  if (t.rpc.length > 0)
    blocks.push(
      table(
        ["RPC", ">calls", ">answered", ">written again", ">pages reused while held", ">mean ms"],
        t.rpc.map((c) => [
          c.nic,
          String(c.calls),
          String(c.answered),
          String(c.sentAgain),
          String(c.reusedWhileHeld),
          round(c.meanMillis, 2),
        ]),
      ),
    );
  blocks.push(
    facts([
      ["this machine's TCP", said.map(([name, n]) => `${name} ${n.toLocaleString("en-US")}`).join(", ") || "quiet"],
      [
        "remote hosts",
        `${t.remote.segments.toLocaleString("en-US")} segments, ${t.remote.retransmitted} retransmitted, ${t.remote.timeouts} timeouts`,
      ],
      ["joined by GRO", t.groMerged.toLocaleString("en-US")],
      [
        "socket memory",
        `${t.memoryPagesMost.toLocaleString("en-US")} pages at most; pressure begins at ${t.memoryPagesPressure.toLocaleString("en-US")} (tcp_mem)`,
      ],
    ]),
  );
  return blocks;
}

type Pick = readonly [name: string, of: (sample: MachineResult["samples"][number]) => number | null];

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
