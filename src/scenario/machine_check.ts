// Settings of a machine that each may be right and do not go together: what no schema can say.
import { BadInput } from "../base/bad_input.ts";
import { suggest } from "../base/suggest.ts";
import { atLeast, parseRelease } from "../kernel/release.ts";
import type { DriverSettings } from "../model/drivers/driver.ts";
import { settingProblem } from "../model/drivers/driver.ts";
import { drivers, findDriver } from "../model/drivers/drivers.ts";
import { driverExists } from "../model/kernels/card_rules.ts";
import { fragsRange } from "../model/kernels/skb_sizes.ts";
import { createMachine } from "../model/machine.ts";
import { socksMax } from "../model/net/tcp/sock.ts";
import type { MachineSettings } from "./machine_settings.ts";
import { tcpHeaders, udpHeaders } from "./machine_traffic.ts";
import { connectionsOf } from "./machine_wires.ts";

/** A minute of host time and more. */
const pagesMost = 200e6;
/** Frames under way at once that the wires have rows for, less what others need. */
const framesMost = 900_000;
/** The MTU that every driver takes. */
const usualMtu = 1500;
/** Bytes that every link of IPv4 has to carry (RFC 791). */
const leastMtu = 68;

/** Throws BadInput with a sentence that begins with the setting's path. */
export function checkMachine(s: MachineSettings): void {
  const release = parseRelease(s.release);
  const { min_free_kbytes: minFree, watermark_scale_factor: scale } = s.sysctl;
  if (minFree !== undefined && minFree > s.memoryMb * 512)
    throw new BadInput(
      `sysctl.min_free_kbytes of ${minFree} is more than half of the machine's ${s.memoryMb} MB: it would have no memory left to use.`,
    );
  if (scale !== undefined && !atLeast(release, [4, 6]))
    throw new BadInput(`sysctl.watermark_scale_factor does not exist in ${s.release}.`, undefined, "It came with 4.6.");
  for (const { name, on, since } of [
    { name: "sysctl.watermark_boost_factor", on: s.sysctl.watermark_boost_factor !== undefined, since: [5, 0] },
    { name: "sysctl.compaction_proactiveness", on: s.sysctl.compaction_proactiveness !== undefined, since: [5, 9] },
    { name: "sysctl.drop_caches", on: s.sysctl.drop_caches === true, since: [2, 6, 16] },
    { name: "sysctl.compact_memory", on: s.sysctl.compact_memory === true, since: [2, 6, 35] },
    { name: "reader.busyPollMicros", on: s.reader.busyPollMicros !== undefined, since: [4, 5] },
    { name: "maxSkbFrags", on: s.maxSkbFrags !== undefined, since: fragsRange.since },
    { name: "sysctl.defrag_mode", on: s.sysctl.defrag_mode === true, since: [6, 15] },
    { name: "sysctl.extfrag_threshold", on: s.sysctl.extfrag_threshold !== undefined, since: [2, 6, 35] },
    {
      name: "sysctl.percpu_pagelist_high_fraction",
      on: s.sysctl.percpu_pagelist_high_fraction !== undefined,
      since: [5, 14],
    },
    { name: "slubMaxOrder", on: s.slubMaxOrder !== undefined, since: [2, 6, 22] },
  ])
    if (on && !atLeast(release, since))
      throw new BadInput(`${name} does not exist in ${s.release}.`, undefined, `It came with ${since.join(".")}.`);
  const names = s.nics.map((n, i) => n.name ?? `eth${i}`);
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice !== undefined) throw new BadInput(`Two cards are called ${twice}.`);
  for (const [i, nic] of s.nics.entries()) {
    const driver = findDriver(nic.driver);
    if (driver === undefined)
      throw new BadInput(
        `nics[${i}].driver: there is no driver "${nic.driver}" here.`,
        undefined,
        `Drivers: ${drivers.map((d) => d.name).join(", ")}; or a file of your own, such as ./mynic.mjs.`,
      );
    driverExists(driver, release);
    checkQueues(s, i, driver.queuesMost ?? 1);
    checkSteering(s, i, driver.steersNot?.(release));
    for (const [key, value] of Object.entries(nic.settings)) {
      const path = `nics[${i}].settings.${key}`;
      // A driver of your own that declares none takes what there is.
      if (driver.settings === undefined) continue;
      const spec = driver.settings[key];
      if (spec === undefined)
        throw new BadInput(
          `${path}: ${driver.name} has no such setting.`,
          undefined,
          suggest(key, Object.keys(driver.settings)),
        );
      const problem = settingProblem(spec, value, release);
      if (problem !== undefined) throw new BadInput(`${path}: ${JSON.stringify(value)} is not allowed: it ${problem}.`);
      if (/ring/.test(key) && typeof value === "number" && value * nic.queues * nic.mtu > s.memoryMb * 1048576)
        throw new BadInput(
          `${path}: ${value * nic.queues} buffers of ${nic.mtu} bytes are more than the machine's ${s.memoryMb} MB.`,
        );
    }
  }
  for (const [i, w] of s.sends.entries())
    if (!names.includes(w.from))
      throw new BadInput(
        `sends[${i}] leaves by ${w.from}, which is not a card of this machine.`,
        undefined,
        `Cards: ${names.join(", ")}.`,
      );
  for (const [i, t] of (s.traffic ?? []).entries()) {
    const nic = s.nics[names.indexOf(t.to)];
    if (nic === undefined)
      throw new BadInput(
        `traffic[${i}] goes to ${t.to}, which is not a card of this machine.`,
        undefined,
        `Cards: ${names.join(", ")}.`,
      );
    if (t.queue !== undefined && t.queue >= nic.queues)
      throw new BadInput(`traffic[${i}].queue: ${t.to} has queues 0 .. ${nic.queues - 1}.`);
    if (t.flows > 1 && t.listeners > 1)
      throw new BadInput(
        `traffic[${i}].flows: a multicast group has one flow here.`,
        undefined,
        "Leave out flows or listeners.",
      );
    if (t.bytes !== "mtu" && t.bytes + udpHeaders > nic.mtu)
      throw new BadInput(
        `traffic[${i}]: ${t.bytes} bytes and ${udpHeaders} of headers do not fit the MTU ${nic.mtu} of ${t.to}.`,
        undefined,
        `At most ${nic.mtu - udpHeaders} do.`,
      );
  }
  checkPressure(s);
  checkTcp(s, names);
}

function checkQueues(s: MachineSettings, i: number, most: number): void {
  const nic = s.nics[i] as MachineSettings["nics"][number];
  const { queues, irqCpus, rss, xps } = nic;
  if (queues > most)
    throw new BadInput(
      `nics[${i}].queues: ${nic.driver} has ${most === 1 ? "one queue pair" : `${most} queue pairs at most`} here.`,
      undefined,
      most === 1 ? "ringnic has several, and so may a driver of your own (queuesMost)." : undefined,
    );
  if (irqCpus !== undefined && irqCpus.length !== queues)
    throw new BadInput(`nics[${i}].irqCpus: ${irqCpus.length} CPUs for ${queues} queue pairs; name one for each.`);
  const cpu = irqCpus?.find((c) => c >= s.cpus);
  if (cpu !== undefined) throw new BadInput(`nics[${i}].irqCpus: there is no CPU ${cpu}; the machine has ${s.cpus}.`);
  const forQueues = rss !== undefined ? "rss" : xps ? "xps" : nic.rules !== undefined ? "rules" : undefined;
  if (queues === 1 && forQueues !== undefined)
    throw new BadInput(
      `nics[${i}].${forQueues} ${forQueues === "rules" ? "are" : "is"} for a card with several queues.`,
      undefined,
      "Set queues.",
    );
  const queue = rss?.indirection?.find((q) => q >= queues);
  if (queue !== undefined)
    throw new BadInput(`nics[${i}].rss.indirection: there is no queue ${queue}; the card has 0 .. ${queues - 1}.`);
}

/** `not`: why the card takes no rules. */
function checkSteering(s: MachineSettings, i: number, not: string | undefined): void {
  const nic = s.nics[i] as MachineSettings["nics"][number];
  const name = nic.name ?? `eth${i}`;
  const stream = (s.traffic ?? []).findIndex((t) => t.to === name && t.queue !== undefined);
  if (not !== undefined && (nic.rules !== undefined || stream >= 0))
    throw new BadInput(
      `${nic.rules !== undefined ? `nics[${i}].rules` : `traffic[${stream}].queue`}: ${nic.driver} of ${s.release} ${not}.`,
    );
  const beyond = nic.rules?.findIndex(({ action }) => action >= nic.queues) ?? -1;
  if (beyond >= 0)
    throw new BadInput(
      `nics[${i}].rules[${beyond}].action: there is no queue ${nic.rules?.[beyond]?.action}; the card has 0 .. ${nic.queues - 1}.`,
    );
}

/** Throws BadInput for an MTU that a card's driver does not take, in the driver's words. */
export function checkMtus(s: MachineSettings): void {
  for (const [i, { driver, mtu, settings }] of s.nics.entries()) {
    const said = mtuSaid(s.release, driver, mtu, settings);
    if (said !== "ok") throw new BadInput(`nics[${i}].mtu: ${driver} of ${s.release} refuses it: ${said}.`);
  }
}

/** What a driver says to an MTU, by everything that it depends on: the variants of an experiment ask again and again. */
const saidBefore = new Map<string, string>();

function mtuSaid(release: string, driver: string, mtu: number, settings: DriverSettings): string {
  if (mtu === usualMtu) return "ok";
  const key = JSON.stringify([release, driver, mtu, settings]);
  const before = saidBefore.get(key);
  if (before !== undefined) return before;
  const { devices } = createMachine({ release: parseRelease(release), memoryMb: 64, nics: [{ driver, settings }] });
  const said = devices[0]?.driver.changeMtu(mtu) ?? "there is no device";
  saidBefore.set(key, said);
  return said;
}

function checkPressure(s: MachineSettings): void {
  if (s.state !== undefined && (s.workloads.length > 0 || s.load !== undefined))
    throw new BadInput("state, workloads and load all own the page cache: a machine can have one of them.");
  if (s.state === undefined && s.sysctl.compaction_proactiveness !== undefined)
    throw new BadInput("sysctl.compaction_proactiveness is only run with `state`.");
  if (s.workloads.length > 0 && s.load !== undefined)
    throw new BadInput(
      "workloads and load both own the page cache: a machine can have one of them.",
      undefined,
      "Write the load's part as workloads of the kinds processes, page-cache and slab.",
    );
  if (s.workloads.length === 0 && s.warmMillis > 0)
    throw new BadInput("warmMillis without workloads warms nothing.", undefined, "Add `workloads`, or leave it out.");
  const asked = pagesAsked(s);
  if (asked > pagesMost)
    throw new BadInput(
      `${s.workloads.length > 0 ? "workloads" : "load"} would request memory ${Math.round(asked / 1e6).toLocaleString("en-US")} million times: that takes hours.`,
      undefined,
      `Lower the rates or millis; ${pagesMost / 1e6} million are run.`,
    );
  const managed = s.memoryMb * 256;
  for (const [i, w] of s.workloads.entries()) {
    if (w.kind === "pinned" && w.pages > managed)
      throw new BadInput(`workloads[${i}].pages: ${w.pages} pinned pages are more than the machine's ${managed}.`);
    if (w.kind === "writeback" && !s.workloads.some((x) => x.kind === "page-cache" && x.dirtyShare > 0))
      throw new BadInput(
        `workloads[${i}] writes back pages that nothing dirties.`,
        undefined,
        "Give a page-cache workload a dirtyShare.",
      );
  }
}

/** Requests that the users of memory make in a whole run. */
function pagesAsked(s: MachineSettings): number {
  const perMilli = s.workloads.reduce((n, w) => {
    if (w.kind === "atomic") return n + w.blocks / w.everyMillis;
    return n + (w.kind === "slab" ? w.objectsPerMilli : w.pagesPerMilli);
  }, 0);
  const load = s.load === undefined ? 0 : s.load.kilopages * 1000 + s.load.pagesPerMilli * s.millis;
  return load + perMilli * (s.warmMillis + s.millis);
}

function checkTcp(s: MachineSettings, names: readonly string[]): void {
  const where = [...s.tcp.map((t, i) => [`tcp[${i}]`, t.nic]), ...s.rpc.map((r, i) => [`rpc[${i}]`, r.nic])];
  for (const [what, nic] of where)
    if (!names.includes(nic as string))
      throw new BadInput(`${what}.nic: there is no card ${nic} here.`, undefined, `Cards: ${names.join(", ")}.`);
  for (const [i, t] of s.tcp.entries()) {
    const mtu = s.nics[names.indexOf(t.nic)]?.mtu ?? 0;
    if (mtu < leastMtu)
      throw new BadInput(
        `tcp[${i}] goes over ${t.nic}, whose MTU of ${mtu} leaves no room for TCP.`,
        undefined,
        `IPv4 needs at least ${leastMtu}.`,
      );
    if (t.direction === "in" && (t.by !== "write" || t.noDelay))
      throw new BadInput(
        `tcp[${i}].${t.noDelay ? "noDelay" : "by"} is about writes of this machine, and this stream comes in.`,
        undefined,
        "Write direction: out, or leave it out.",
      );
    if (t.bytes / 1048576 > s.memoryMb / 2 && t.by === "sendfile")
      throw new BadInput(`tcp[${i}].bytes: a file of ${t.bytes} bytes takes more than half of the machine's memory.`);
  }
  const windows = s.tcp.reduce((n, t) => {
    const mtu = s.nics[names.indexOf(t.nic)]?.mtu ?? leastMtu;
    const bytes = t.direction === "in" ? t.rcvbufKb * 512 : t.windowKb * 1024;
    return n + (t.connections * bytes) / Math.max(1, mtu - tcpHeaders);
  }, 0);
  if (windows > framesMost)
    throw new BadInput(
      `tcp: the windows let ${Math.round(windows).toLocaleString("en-US")} frames be in flight at once; ${framesMost.toLocaleString("en-US")} can be simulated.`,
      undefined,
      "Lower rcvbufKb, windowKb or connections, or raise the MTU.",
    );
  const connections = connectionsOf(s);
  const listeners = (s.traffic ?? []).reduce((n, t) => n + (t.listeners > 1 ? t.listeners : 0), 0);
  if (connections + listeners > socksMax)
    throw new BadInput(
      `tcp, rpc and listeners ask for ${connections + listeners} sockets; a machine here has ${socksMax}.`,
    );
}
