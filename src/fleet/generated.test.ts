// A fleet of which the truth is known: 2,000 hosts, 14 kernels, 9 drivers, 5 causes that begin at known times on hosts of a known kind; noise,
// damaged texts, clocks that are wrong, and hosts whose reports stand in dmesg and in the journal. It has to be told with exactly those causes.

import { expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { oneIn } from "../base/size.testkit.ts";
import { fixture, recordsOf } from "./fleet.testkit.ts";
import type { FleetAnswer } from "./fleet.ts";
import { createFleet } from "./fleet.ts";

/** Of the damaged reports of 1 two lack the line that tells e1000 from e1000e, and one why a page is bad; of 7 and 10 some lack who asked. */
const seeds = oneIn(4, [1, 7, 10, 41]);
const hosts = 2000;
const kernels = [
  ...[78, 81, 84, 85, 87, 90, 94, 99].map((n) => `6.1.${n}`),
  ...[27, 31, 43, 57, 74, 90].map((n) => `6.12.${n}`),
];
const drivers = ["e1000", "e1000e", "igb", "ixgbe", "mlx5_core", "tg3", "virtio_net", "bnxt_en", "ena"];
const start = Date.parse("2026-03-01T00:00:00Z");
const days = 30;
const day = 86_400_000;

interface Machine {
  readonly name: string;
  readonly kernel: string;
  readonly driver: string;
  readonly mtu: number;
  readonly memoryMb: number;
  /** Milliseconds that its clock is ahead. */
  skew: number;
  readonly boot: number;
  /** True times of what happened, and what. */
  readonly events: { readonly at: number; readonly cause: number }[];
}

/** A report as the capture has it, without stamps; what names the captured kernel is named anew. */
function report(name: string, from: RegExp, to: RegExp): (m: Machine) => string[] {
  const lines = fixture(name).split("\n");
  const first = lines.findIndex((l) => from.test(l));
  const last = lines.findIndex((l, i) => i >= first && to.test(l));
  const own = lines.slice(first, last + 1).map((l) => l.replace(/^\[ *\d+\.\d+\] /, ""));
  return ({ kernel }) => own.map((l) => l.replace(/6\.(?:1\.192-oracle|12\.117\+deb12-amd64)/, `${kernel}-amd64`));
}

interface Truth {
  readonly family: string;
  readonly begins: number;
  readonly strikes: (m: Machine) => boolean;
  /** Share of such hosts that have it. */
  readonly share: number;
  readonly words: (m: Machine) => string[];
  readonly title: RegExp;
  /** What has to be found to separate them, and nothing else. */
  readonly split: readonly string[];
}

const truths: readonly Truth[] = [
  {
    family: "6.1",
    begins: 9,
    strikes: (m) => m.kernel === "6.1.90",
    share: 0.2,
    words: report("e1000_refill_6.1.txt", /page allocation failure/, /pages reserved|hwpoisoned/),
    title: /Page allocation failure of order 0/,
    split: ["release 6.1.90-amd64"],
  },
  {
    family: "6.1",
    begins: 0,
    strikes: (m) => m.driver === "mlx5_core",
    share: 0.2,
    words: report("bad_pages_6.1.txt", /BUG: Bad page state/, /^\[ *[\d.]+\] +<\/TASK>/),
    title: /Bad page state: nonzero mapcount/,
    split: ["driver mlx5_core"],
  },
  {
    family: "6.12",
    begins: 14,
    strikes: (m) => m.mtu === 9000,
    share: 0.08,
    words: report("../reports/alloc_failure_6.12.txt", /page allocation failure/, /hwpoisoned/),
    title: /Page allocation failure of order 1/,
    split: ["mtu above 1500"],
  },
  {
    family: "6.12",
    begins: 4,
    strikes: (m) => m.memoryMb === 2048,
    share: 0.15,
    words: report("page_pool_stall_6.1.txt", /stalled pool shutdown/, /stalled pool shutdown/),
    title: /Stalled page_pool/,
    split: ["memory_mb above 2048"],
  },
  {
    family: "6.1",
    begins: 20,
    strikes: () => true,
    share: 0.02,
    words: report("slub_debug_6.1.txt", /Poison overwritten/, /FIX /),
    title: /Slab corruption/,
    split: [],
  },
];

const noise = [
  "e1000e 0000:00:1f.6 eth0: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx",
  "usb 1-1: new high-speed USB device number 4 using xhci_hcd",
  "TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.",
  "EXT4-fs (sda1): re-mounted. Quota mode: none.",
  "perf: interrupt took too long (2511 > 2500), lowering kernel.perf_event_max_sample_rate to 79500",
];

function generate(random: ReturnType<typeof prng>): Machine[] {
  const machines = Array.from({ length: hosts }, (_, h) => {
    const machine: Machine = {
      name: `node${h}.rack${h % 40}.example.com`,
      kernel: random.pick(kernels),
      driver: random.pick(drivers),
      mtu: random.pick([1500, 9000]),
      memoryMb: 2048 << random.below(6),
      skew: (random.below(241) - 120) * 1000,
      boot: start - (1 + random.below(20)) * day,
      events: [],
    };
    truths.forEach((t, cause) => {
      if (!machine.kernel.startsWith(`${t.family}.`) || !t.strikes(machine) || !random.chance(t.share)) return;
      for (let n = 1 + random.below(3); n > 0; n--)
        machine.events.push({ at: start + t.begins * day + random.below((days - t.begins) * day), cause });
    });
    machine.events.sort((a, b) => a.at - b.at);
    return machine;
  });
  // Of the hosts of each cause one clock was never set, and one runs years ahead.
  truths.forEach((_, cause) => {
    const [never, ahead] = machines.filter((m) => m.events.length > 0 && m.events.every((e) => e.cause === cause));
    if (never !== undefined) never.skew = 1000 - start;
    if (ahead !== undefined) ahead.skew = 4000 * day;
  });
  return machines;
}

const two = (n: number): string => String(n).padStart(2, "0");
const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
function syslogDate(time: number): string {
  const d = new Date(time);
  return `${month[d.getUTCMonth()]} ${String(d.getUTCDate()).padStart(2)} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}

/** A host's files: settings, a journal with dates, for every third host dmesg beside it; every ninth text without dmesg is damaged. */
function textsOf(m: Machine, index: number, random: ReturnType<typeof prng>): Record<string, string> {
  const [short = ""] = m.name.split(".");
  const written: { readonly at: number; readonly text: string }[] = [
    { at: m.boot, text: `Linux version ${m.kernel}-amd64 (builder@host) (gcc-12) #1 SMP` },
    { at: m.boot + 2000, text: `${m.driver} 0000:3b:00.0 enp59s0: renamed from eth0` },
  ];
  for (let n = 0; n < 6; n++) written.push({ at: start + random.below(days * day), text: random.pick(noise) });
  for (const e of m.events) for (const text of (truths[e.cause] as Truth).words(m)) written.push({ at: e.at, text });
  written.sort((a, b) => a.at - b.at);
  // A date without a year does not show that its year is wrong.
  const iso = index % 2 === 0 || Math.abs(m.skew) > day;
  const date = (at: number): string =>
    iso ? `${new Date(at + m.skew).toISOString().slice(0, 19)}+00:00` : syslogDate(at + m.skew);
  const journal = written.map(({ at, text }) => `${date(at)} ${short} kernel: ${text}`);
  const dmesg = written.map(({ at, text }) => `[${((at - m.boot) / 1000).toFixed(6).padStart(12)}] ${text}`);
  const both = index % 3 === 0;
  return {
    "ip-s-d-link.txt": `2: enp59s0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${m.mtu} qdisc mq state UP mode DEFAULT group default qlen 1000\n`,
    "proc/meminfo": `MemTotal:       ${m.memoryMb * 1024} kB\nMemFree:          123456 kB\nMemAvailable:     234567 kB\n`,
    "journal.txt": (both || index % 9 !== 1 ? journal : damaged(journal, random)).join("\n"),
    ...(both ? { "dmesg.txt": dmesg.join("\n") } : {}),
  };
}

/** What happens to texts on their way: carriage returns, NULs, lines that are lost, a line of another program in between. */
function damaged(lines: readonly string[], random: ReturnType<typeof prng>): string[] {
  const headline = /page allocation failure|BUG |Bad page|stalled pool|Linux version|renamed/;
  return lines.flatMap((l) => {
    if (random.chance(0.03) && !headline.test(l)) return [];
    if (random.chance(0.05)) return [`${l}\r`];
    if (random.chance(0.03)) return [`${l.slice(0, 40)}\u0000${l.slice(40)}`];
    return random.chance(0.03)
      ? [l, l.replace(/kernel: .*/, "sshd[811]: Connection closed by 10.0.0.1 port 4242")]
      : [l];
  });
}

test.each(seeds)(
  "2,000 hosts, seed %i: exactly the five causes, each with its hosts, its times and what separates them",
  async (seed) => {
    const random = prng(seed);
    const machines = generate(random);
    const fleet = createFleet();
    for (const [index, m] of machines.entries())
      for (const record of await recordsOf(textsOf(m, index, random), m.name)) fleet.add(record);
    const answer = fleet.answer();
    expect([answer.hosts, answer.hostsUnread]).toEqual([hosts, 0]);
    expect(truths.map((t) => answer.causes.filter((c) => t.title.test(c.title)).length)).toEqual(truths.map(() => 1));
    expect(answer.causes.map((c) => c.title)).toHaveLength(truths.length);
    for (const [cause, truth] of truths.entries()) check(answer, truth, machines, cause, seed);
  },
);

function check(answer: FleetAnswer, truth: Truth, machines: readonly Machine[], cause: number, seed: number): void {
  const told = answer.causes.find((c) => truth.title.test(c.title));
  const having = machines.filter((m) => m.events.some((e) => e.cause === cause));
  const events = having.flatMap((m) =>
    m.events
      .filter((e) => e.cause === cause)
      .map((e) => ({ ...e, clock: e.at + m.skew, right: Math.abs(m.skew) < day })),
  );
  const what = `${truth.title} (seed ${seed})`;
  expect(having.length, what).toBeGreaterThan(10);
  expect(told?.hosts, what).toBe(having.length);
  expect(told?.incidents, what).toBe(events.length);
  const right = events.filter((e) => e.right).map((e) => e.clock);
  expect(right.length, `${what}: two clocks are wrong`).toBeLessThan(events.length);
  const second = (time: number): string => new Date(Math.floor(time / 1000) * 1000).toISOString().replace(".000Z", "Z");
  expect([told?.first, told?.last], what).toEqual([second(Math.min(...right)), second(Math.max(...right))]);
  expect(told?.releases.map((r) => r.name).sort(), what).toEqual(
    [...new Set(having.map((m) => `${m.kernel}-amd64`))].sort(),
  );
  expect(
    having.some((m) => m.name === told?.example.host),
    what,
  ).toBe(true);
  expect(told?.example.diagnosis?.advice, what).toBeDefined();
  expect(
    told?.separators.map((s) => s.split),
    what,
  ).toEqual(truth.split);
}
