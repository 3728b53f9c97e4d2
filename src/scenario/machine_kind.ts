// The scenario kind of whole machines.
import type { ScenarioKind } from "./kind.ts";
import { checkMachine } from "./machine_check.ts";
import type { MachineResult, Onlooker } from "./machine_run.ts";
import { runMachine } from "./machine_run.ts";
import type { MachineSettings } from "./machine_settings.ts";
import { machineSchema } from "./machine_settings.ts";
import type { TcpResult } from "./machine_streams.ts";

export const machineKind: ScenarioKind = {
  kind: "machine",
  summary: "a machine with network cards, traffic into it, and whatever else uses its memory",
  schema: machineSchema,
  check: (settings) => checkMachine(settings as MachineSettings),
  run: (settings) => runMachine(settings as MachineSettings),
  watch: (settings, onlooker: Onlooker) => runMachine(settings as MachineSettings, onlooker),
  shortest: { millis: 0.001, load: undefined, workloads: [], warmMillis: 0, sampleMillis: 1 },
  measure: (result) => metricsOf(result as MachineResult),
};

/** What experiments compare; units are in the names. */
function metricsOf(r: MachineResult): Readonly<Record<string, number>> {
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
      Array.from({ length: 11 }, (_, order) => [
        `failedOrder${order}`,
        r.orders.find((o) => o.order === order)?.failed ?? 0,
      ]),
    ),
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
