// What a simulated kernel logs is explained like a real log: a run's settings are found again in its own report, by the same rules.
import { describe, expect, test } from "vitest";
import { findReadings } from "../artifact/embedded.ts";
import { readIncidents } from "../artifact/log/incidents/read_incidents.ts";
import { repairText } from "../artifact/log/lines.ts";
import { explain } from "../diagnosis/explain.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import type { Frame } from "../kernel/readings/call_trace.ts";
import { parseRelease } from "../kernel/release.ts";
import { createMachine } from "../model/machine.ts";
import type { KernelFile } from "../observe/kernel_files.ts";
import type { Logged } from "../observe/kernel_log.ts";
import { createKernelLog } from "../observe/kernel_log.ts";
import type { MachineResult } from "../scenario/machine_run.ts";
import { runMachine } from "../scenario/machine_run.ts";
import { machineSchema } from "../scenario/machine_settings.ts";
import { fileText, logText, reportLines } from "./kernel_log.ts";

interface Ran {
  readonly result: MachineResult;
  readonly log: readonly Logged[];
  readonly text: string;
}

type Given = Record<string, unknown> & { readonly release: string };

/** What was run before is not run again: a run is a function of what is given. */
const before = new Map<string, Ran>();
function ran(given: Given): Ran {
  const key = JSON.stringify(given);
  const all = before.get(key) ?? ranAnew(given);
  before.set(key, all);
  return all;
}

function ranAnew(given: Given): Ran {
  let log: readonly Logged[] = [];
  const result = runMachine(machineSchema.parse(given), {
    end(logged) {
      log = logged;
    },
  });
  return { result, log, text: logText(log, given.release) };
}

/** Packets come faster than they are read, until memory is gone; what else uses it leaves single pages. */
const flooded = (release: string, driver: string, mtu: number, settings: object = {}) => ({
  release,
  memoryMb: 64,
  nics: [{ driver, mtu, settings, mbitPerSecond: 10_000 }],
  traffic: [{ framesPerSecond: 400_000, burst: 32 }],
  reader: { everyMicros: 100_000, rcvbufKb: 163_840 },
  load: { kilopages: 20, jobs: 4, pagesPerMilli: 50 },
  millis: 45,
  eventsMax: 200_000,
});

const failuresOf = (text: string): AllocFailure[] =>
  readIncidents(repairText(text)).incidents.flatMap((i) => (i.kind === "alloc_failure" ? [i.reading] : []));
const firstFailure = (text: string): AllocFailure => {
  const [first] = failuresOf(text);
  expect(first, "the run fails to get memory").toBeDefined();
  return first as AllocFailure;
};

const functions = (f: AllocFailure): string[] =>
  (f.trace?.items ?? []).filter((i): i is Frame => i.kind === "frame" && i.reliable).map((i) => i.function);

describe.each([
  { release: "2.6.24-x86_64", driver: "tg3", mtu: 1500, order: 1, wanted: /tg3, standard ring.*1976 bytes/ },
  { release: "2.6.31-ppc32", driver: "ibm_emac", mtu: 9000, order: 2, wanted: /ibm_emac, jumbo buffer.*MTU.* to 9000/ },
  { release: "4.9-x86_64", driver: "e1000", mtu: 9000, order: 0, wanted: /e1000, jumbo page/ },
  { release: "4.14-arm", driver: "mvneta", mtu: 9000, order: 2, wanted: /mvneta, linear buffer at an MTU from 7913/ },
  { release: "5.4-x86_64", driver: "tg3", mtu: 9000, order: 2, wanted: /tg3, jumbo ring/ },
  { release: "6.1-x86_64", driver: "e1000", mtu: 9000, order: 0, wanted: /e1000, jumbo page/ },
  { release: "6.1-x86_64", driver: "virtio_net", mtu: 1500, order: 0, wanted: /virtio_net, mergeable buffer/ },
])("$driver with MTU $mtu on $release, out of memory", ({ release, driver, mtu, order, wanted }) => {
  const { result, text } = ran(flooded(release, driver, mtu));
  const report = firstFailure(text);

  test("the report names the driver, receive refill, the order and the object; the model agrees that it was refused", async () => {
    const { incidents } = await explain({ "run.log": text });
    // A jumbo frame's sk_buff (napi_get_frags()) may be refused as well: its stack does not say that packets are received.
    const refill = incidents.find((i) => i.direction === "rx refill");
    expect(refill).toMatchObject({
      kind: "alloc_failure",
      driver,
      direction: "rx refill",
      order,
      kernel: { certainty: "stated" },
    });
    expect(refill?.wanted).toMatch(wanted);
    const refused = refill?.findings.find((f) => f.id === "why.refused");
    expect([refused?.answer, refused?.claim]).toEqual(["yes", expect.stringMatching(/refuses? it/)]);
    expect(refill?.findings.filter((f) => f.id === "context" && f.answer === "unknown")).toEqual([]);
  });

  test("it is what the run counted, in the idle task, and reads back as it was made", () => {
    expect(result.printed.find((p) => p.order === order)?.count).toBeGreaterThan(0);
    const made = result.reports[0] as AllocFailure;
    expect(functions(report)).toEqual(functions(made));
    expect(report.comm).toBe(/^2/.test(release) ? "swapper" : "swapper/0");
    const again = reportLines(report, report.process!.release!.split(".").map(Number)).join("\n");
    expect(firstFailure(again).trace).toEqual(report.trace);
  });
});

describe("the functions on a stack are those that the request went through", () => {
  const stackOf = (release: string, driver: string, mtu: number): string =>
    functions(firstFailure(ran(flooded(release, driver, mtu)).text)).join(" < ");

  test("a slab, as in the report of 2.6.24 that seed 001 shows", () => {
    expect(stackOf("2.6.24-x86_64", "tg3", 1500)).toBe(
      "__alloc_pages < new_slab < __slab_alloc < __kmalloc_node_track_caller < __alloc_skb < __netdev_alloc_skb < tg3_alloc_rx_skb < tg3_rx < tg3_poll < net_rx_action < __do_softirq < call_softirq < do_softirq < irq_exit < do_IRQ < ret_from_intr < default_idle < cpu_idle",
    );
  });
  test("a page of the driver's own, as in the captured report of 6.1.192", () => {
    expect(stackOf("6.1-x86_64", "e1000", 9000)).toMatch(
      /^dump_stack_lvl < dump_stack < warn_alloc < __alloc_pages_slowpath.constprop.0 < __alloc_pages < e1000_alloc_jumbo_rx_buffers < e1000_clean_jumbo_rx_irq < e1000_clean < __napi_poll < net_rx_action < /,
    );
  });
  test("a page fragment, and no skb function behind it", () => {
    expect(stackOf("6.1-x86_64", "virtio_net", 1500)).toMatch(
      / < __alloc_pages < skb_page_frag_refill < add_recvbuf_mergeable < try_fill_recv < virtnet_receive < virtnet_poll < /,
    );
  });
});

describe("the log says as much as the release lets through", () => {
  test("2.6.24 prints ten failures of a burst, 6.1 one, and neither more than there were", () => {
    for (const [release, driver, mtu, most] of [
      ["2.6.24-x86_64", "tg3", 1500, 10],
      ["6.1-x86_64", "e1000", 9000, 1],
    ] as const) {
      const { result, log } = ran(flooded(release, driver, mtu));
      const printed = log.filter((e) => e.kind === "alloc_failure").length;
      const there = result.printed.reduce((n, p) => n + p.count, 0);
      expect(printed, release).toBe(Math.min(most, there));
      expect(there, release).toBeGreaterThanOrEqual(printed);
    }
  });

  test("every line has its time, and two runs log the same", () => {
    const once = ran(flooded("2.6.31-ppc32", "ibm_emac", 9000));
    expect(once.text.split("\n").filter((l) => l !== "" && !/^\[ {4}0\.\d{6}\] /.test(l))).toEqual([]);
    expect(ranAnew(flooded("2.6.31-ppc32", "ibm_emac", 9000)).text).toBe(once.text);
  });
});

describe("the files of a machine", () => {
  test.each([
    ["2.6.24-x86_64", "tg3"],
    ["6.1-x86_64", "e1000"],
    ["2.6.9-i386", "e1000"],
    ["6.1-x86_64", "virtio_net"],
    ["2.6.31-ppc32", "ibm_emac"],
    ["6.1-arm64", "mvneta"],
  ])("are read back as they were made: %s, %s", (release, driver) => {
    let files: readonly KernelFile[] = [];
    const tcp = [{ nic: "eth0", direction: "in", connections: 1 }];
    const result = runMachine(machineSchema.parse({ release, memoryMb: 64, nics: [{ driver }], tcp, millis: 5 }), {
      end(_log, now) {
        files = now();
      },
    });
    const paths = files.map((f) => f.path);
    expect(paths).toEqual(
      expect.arrayContaining(
        ["proc/buddyinfo", "proc/zoneinfo", "proc/slabinfo", "proc/net/netstat"].filter(
          (p) => p !== "proc/zoneinfo" || release !== "2.6.9-i386",
        ),
      ),
    );
    for (const { path, reading } of files) {
      if (typeof reading === "string") {
        expect(reading).toMatch(/^2: eth0: <.*,UP,.*> mtu 1500 /);
        continue;
      }
      const lines = fileText(reading).trimEnd().split("\n");
      const [back, another] = findReadings(lines.map((text, i) => ({ line: i + 1, text })));
      expect([path, back?.reading, back?.notes, another]).toEqual([path, reading, [], undefined]);
    }
    const packets = files.find((f) => f.path === "ethtool-S-eth0.txt")?.reading;
    if (typeof packets !== "object" || packets.kind !== "ethtool -S") throw new Error("no ethtool -S");
    const received = packets.counters.find(([name]) => /^rx.*packets$|^good_frames_received$/.test(name))?.[1];
    expect(received).toBe(result.devices[0]?.counters.rx_packets);
    expect(received).toBeGreaterThan(0);
  });
});

test("min_free_kbytes of a small machine is seen to be untouched, and a lowered one to be lowered", async () => {
  const answer = async (more: object): Promise<readonly unknown[]> => {
    const { text } = ran({ ...flooded("2.6.24-x86_64", "tg3", 1500), ...more });
    const found = (await explain({ "run.log": text })).incidents[0]?.findings.find((f) => f.id === "min_free.default");
    return [found?.answer, found?.claim, found?.evidence.some((q) => q.text.includes("reserved"))];
  };
  expect(await answer({})).toEqual(["yes", expect.stringMatching(/it is the default/), true]);
  expect(await answer({ sysctl: { min_free_kbytes: 400 } })).toEqual(["no", expect.stringMatching(/lowered/), true]);
});

describe("faults are logged so that they are read and explained", () => {
  test.each(["2.6.29-ppc32", "2.6.24-x86_64", "4.4-x86_64", "6.1-x86_64"])(
    "preallocated buffers used again on %s end in skb_over_panic, once, and a panic",
    async (release) => {
      const { text } = ran({
        release,
        memoryMb: 64,
        nics: [{ driver: "ringnic", mtu: 9000, settings: { buffers: "preallocated", rx_ring: 64 } }],
        traffic: [{ framesPerSecond: 20_000, burst: 32 }],
        reader: { everyMicros: 20_000, rcvbufKb: 16_384 },
        millis: 10,
      });
      expect(text).toMatch(/kernel BUG at net\/core\/skbuff\.c:\d+!/);
      expect(text.trimEnd().split("\n").at(-1)).toMatch(/Kernel panic - not syncing: Fatal exception in interrupt$/);
      const read = readIncidents(repairText(text));
      expect(read.incidents.map((i) => [i.kind, i.missing])).toEqual([["skb_panic", []]]);
      const { incidents } = await explain({ "run.log": text });
      expect(incidents).toHaveLength(1);
      expect(incidents[0]).toMatchObject({ kind: "skb_panic", kernel: { certainty: "stated" } });
      expect(incidents[0]?.findings.map((f) => f.claim).join()).toMatch(/packet belonged to eth0/);
    },
  );

  test.each(["2.6.18-i386", "2.6.31-ppc32", "3.13-x86_64", "4.19-x86_64", "6.1-x86_64"])(
    "a page that is freed twice is a bad page on %s, with its number and where it was found",
    (release) => {
      // Large enough for per-CPU lists: up to 5.13 a zone below some 8,000 pages keeps none, and the page is looked at when it leaves a list.
      const machine = createMachine({ release: parseRelease(release), memoryMb: 256 });
      const log = createKernelLog(machine, 0, () => false);
      const { atomic } = machine.skbs.config.gfp;
      const [pfn = -1, ...others] = Array.from({ length: 1000 }, () => machine.pages.allocPages(atomic, 0));
      machine.pages.freePages(pfn, 0);
      machine.pages.freePages(pfn, 0);
      for (const other of others) machine.pages.freePages(other, 0);
      const text = logText(log.log(), release);
      const [bad] = readIncidents(repairText(text)).incidents;
      if (bad?.kind !== "bad_page") throw new Error(text);
      expect(bad.reading).toMatchObject({ comm: expect.stringMatching(/^swapper/), mapcount: 0 });
      if (!release.startsWith("2.6.18")) expect(bad.reading.pfn).toBe(pfn);
      expect(bad.reading.refcount).toBe(-1);
      expect(bad.reading.trace?.items.length).toBeGreaterThan(1);
    },
  );
});

test("with the machine's files beside its log the diagnosis knows MTU, ring and settings, and misses nothing", async () => {
  let files: readonly KernelFile[] = [];
  let text = "";
  runMachine(machineSchema.parse(flooded("5.4-x86_64", "tg3", 9000)), {
    end(logged, now) {
      text = logText(logged, "5.4-x86_64");
      files = now();
    },
  });
  const alone = (await explain({ "run.log": text })).incidents[0];
  const inputs = Object.fromEntries(files.map((f) => [f.path, fileText(f.reading)]));
  const both = (await explain({ "run.log": text, ...inputs })).incidents[0];
  const missing = (i: typeof both) => i?.findings.filter((f) => f.id.startsWith("missing")).map((f) => f.claim) ?? [];
  expect(missing(alone).join()).toMatch(/MTU/);
  expect(missing(both)).toEqual([]);
  expect(both?.wanted).toMatch(/tg3, jumbo ring/);
  const told = both?.findings.find((f) => f.id === "mtu.interface.eth0");
  expect([told?.answer, told?.claim]).toEqual(["no", expect.stringMatching(/MTU of 9000.*Order 2/)]);
});

test("a sender that is woken to go on asks as a task: transmit, in its own name, through a system call", async () => {
  const { text } = ran({
    ...flooded("6.1-x86_64", "e1000", 1500),
    nics: [{ driver: "e1000", mbitPerSecond: 10_000 }, { driver: "tg3" }],
    tcp: [{ nic: "eth1", direction: "out", connections: 20 }],
    eventsMax: 300_000,
  });
  const report = firstFailure(text);
  expect(report.comm).toBe("sender");
  expect(functions(report).join(" < ")).toMatch(
    /sk_page_frag_refill < tcp_sendmsg_locked < tcp_sendmsg < .*do_syscall_64/,
  );
  const { incidents } = await explain({ "run.log": text });
  expect(incidents[0]).toMatchObject({ direction: "tx", order: 0 });
});
