// The numbers that experiments compare of a machine's run, and what each of them is.
import type { Metric } from "./kind.ts";
import type { MachineResult } from "./machine_run.ts";
import type { TcpResult } from "./machine_streams.ts";

const ordersMost = 10;

/** Every measure of a machine; those of TCP and RPC are there where the scenario has it. */
export const machineMetrics: readonly Metric[] = [
  { name: "goodputMbit", unit: "Mbit/s", means: "payload that applications read, datagrams and TCP" },
  {
    name: "lostShare",
    unit: "share",
    means: "datagrams that were sent to the machine and not read in the time of the run",
  },
  {
    name: "allocFailures",
    unit: "requests",
    means: "page requests of the network that failed, including those that the kernel does not report",
  },
  { name: "printedFailures", unit: "reports", means: "page allocation failures that the kernel would report" },
  { name: "framesSent", unit: "frames", means: "frames that left the machine" },
  { name: "failureShare", unit: "share", means: "page requests of the network that failed, of those made" },
  { name: "highOrderFailures", unit: "requests", means: "the same, of order 1 and above" },
  {
    name: "highOrderFailureShare",
    unit: "share",
    means: "page requests of order 1 and above that failed, of those made",
  },
  ...Array.from({ length: ordersMost + 1 }, (_, order) => ({
    name: `failedOrder${order}`,
    unit: "requests",
    means: `page requests of order ${order} that failed`,
  })),
  { name: "highestOrder", unit: "order", means: "the highest order that the network asked for" },
  { name: "ringDrops", unit: "frames", means: "frames that found no buffer in a receive ring" },
  { name: "driverDrops", unit: "frames", means: "frames that a driver gave up for lack of memory" },
  { name: "socketDrops", unit: "datagrams", means: "datagrams that found a socket's receive buffer full" },
  { name: "reserveDrops", unit: "packets", means: "packets in memory of the emergency reserve, which sockets refuse" },
  { name: "loadRefused", unit: "requests", means: "page requests of the load or the workloads that failed" },
  { name: "tcpInMbit", unit: "Mbit/s", means: "payload that TCP brought into the machine" },
  { name: "tcpOutMbit", unit: "Mbit/s", means: "payload that TCP carried out of it" },
  { name: "tcpRetransmitted", unit: "segments", means: "segments retransmitted by either side" },
  { name: "tcpTimeouts", unit: "timeouts", means: "retransmission timers that ran out, on either side" },
  { name: "tcpOutOfOrder", unit: "segments", means: "segments that waited for an earlier one" },
  { name: "tcpDrops", unit: "segments", means: "segments that a socket dropped" },
  {
    name: "tcpReadTruesizePerByte",
    unit: "bytes a byte",
    means: "truesize by payload in a receive queue before each read; the worst stream",
  },
  {
    name: "tcpSendTruesizePerByte",
    unit: "bytes a byte",
    means: "truesize by payload in a send queue; the worst stream",
  },
  { name: "tcpMemoryPagesMost", unit: "pages", means: "the most that TCP's sockets were charged with at once" },
  { name: "rpcAnswered", unit: "calls", means: "calls that were answered" },
  { name: "rpcSentAgain", unit: "calls", means: "calls sent again because the reply was late" },
  {
    name: "rpcReusedWhileHeld",
    unit: "pages",
    means: "pages that became the client's again while a packet still pointed into them",
  },
  { name: "freePagesLeast", unit: "pages", means: "the fewest free pages at any sample" },
];

/** Every measure of a run that has it. */
export function metricsOf(r: MachineResult): Readonly<Record<string, number>> {
  const asked = r.orders.reduce((n, o) => n + o.asked, 0);
  const failed = r.orders.reduce((n, o) => n + o.failed, 0);
  const highAsked = r.orders.reduce((n, o) => n + (o.order > 0 ? o.asked : 0), 0);
  const highFailed = r.orders.reduce((n, o) => n + (o.order > 0 ? o.failed : 0), 0);
  const of = (pick: (d: MachineResult["devices"][number]) => number): number =>
    r.devices.reduce((n, d) => n + pick(d), 0);
  return {
    goodputMbit: r.goodputMbit,
    lostShare: r.sent === 0 ? 0 : 1 - r.received / r.sent,
    allocFailures: failed,
    printedFailures: r.printed.reduce((n, p) => n + p.count, 0),
    framesSent: r.writes.frames,
    failureShare: asked === 0 ? 0 : failed / asked,
    highOrderFailures: highFailed,
    highOrderFailureShare: highAsked === 0 ? 0 : highFailed / highAsked,
    ...Object.fromEntries(
      Array.from({ length: ordersMost + 1 }, (_, order) => [
        `failedOrder${order}`,
        r.orders.find((o) => o.order === order)?.failed ?? 0,
      ]),
    ),
    reserveDrops: r.reserveDrops,
    highestOrder: r.orders.reduce((n, o) => Math.max(n, o.order), 0),
    ringDrops: of((d) => d.stats.rxMissed),
    driverDrops: of((d) => d.stats.rxDropped),
    socketDrops: r.socketDrops,
    loadRefused: r.loadRefused,
    ...(r.tcp === undefined ? {} : tcpMetricsOf(r.tcp)),
    freePagesLeast: r.samples.reduce((n, x) => Math.min(n, x.freePages), Number.MAX_SAFE_INTEGER),
  };
}

function tcpMetricsOf({
  streams,
  counters,
  remote,
  rpc,
  memoryPagesMost,
}: TcpResult): Readonly<Record<string, number>> {
  const sum = (pick: (s: TcpResult["streams"][number]) => number, direction?: string): number =>
    streams.reduce((n, s) => n + (direction === undefined || s.direction === direction ? pick(s) : 0), 0);
  const worst = (direction: string): number =>
    streams.reduce((n, s) => (s.direction === direction ? Math.max(n, s.truesizePerByte) : n), 0);
  return {
    tcpInMbit: sum((s) => s.goodputMbit, "in"),
    tcpOutMbit: sum((s) => s.goodputMbit, "out"),
    tcpRetransmitted: counters.retransSegs + remote.retransmitted,
    tcpTimeouts: counters.timeouts + remote.timeouts,
    tcpOutOfOrder: counters.ofoQueue,
    tcpDrops: sum((s) => s.drops),
    tcpReadTruesizePerByte: worst("in"),
    tcpSendTruesizePerByte: worst("out"),
    tcpMemoryPagesMost: memoryPagesMost,
    rpcAnswered: rpc.reduce((n, c) => n + c.answered, 0),
    rpcSentAgain: rpc.reduce((n, c) => n + c.sentAgain, 0),
    rpcReusedWhileHeld: rpc.reduce((n, c) => n + c.reusedWhileHeld, 0),
  };
}
