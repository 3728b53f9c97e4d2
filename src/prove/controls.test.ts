// Everything that the field turns is run, or told not run and why; and what is run acts by its own mechanism.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { explain } from "../diagnosis/explain.ts";
import type { DiagnosedIncident } from "../diagnosis/finding.ts";
import { checkMachine } from "../scenario/machine_check.ts";
import type { Measures } from "./batch.ts";
import { jobOf, measureJob } from "./batch.ts";
import type { Trial } from "./changes.ts";
import { settingsOf, whyNot } from "./changes.ts";
import { controls, neverRun } from "./controls.ts";
import { burstSettings } from "./episode.ts";
import type { Built } from "./machine.ts";
import { buildMachine } from "./machine.ts";

const root = new URL("../../", import.meta.url);
const textOf = (name: string): string => readFileSync(new URL(name, root), "utf8");

async function incidentOf(text: string, at = 0): Promise<DiagnosedIncident> {
  const incident = (await explain({ log: text })).incidents[at];
  if (incident === undefined) throw new Error("no incident");
  return incident;
}
function builtOf(incident: DiagnosedIncident, asItself: boolean): Built {
  const built = buildMachine(incident, incident.order ?? 0, asItself);
  if (typeof built === "string") throw new Error(built);
  return built;
}
const named = (all: readonly Trial[], name: RegExp): Trial => {
  const found = all.find((t) => name.test(t.name));
  if (found === undefined) throw new Error(`no control ${name}`);
  return found;
};
/** What one burst on the machine meets, with some settings. */
const run = (built: Built, set: Trial["set"], length: number): Measures => {
  const { settings } = jobOf(burstSettings(built, 0, length, set), 1, []);
  checkMachine(settings);
  return measureJob({ kind: "machine", settings, lengths: [length] }).measures[0] ?? {};
};

describe("order 3 with GFP_ATOMIC, as if on 7.2", async () => {
  const text = textOf("fixtures/logs/failures_6.1.txt").replaceAll("6.1.192-oracle", "7.2.12-oracle");
  const incident = await incidentOf(text, 2);
  const built = builtOf(incident, true);
  const all = controls(incident, built, []);
  const never = neverRun(incident, built);

  test("defrag_mode is run there, and on 6.1 it is said when it came", async () => {
    expect(named(all, /defrag_mode/).set).toMatchObject({ "sysctl.defrag_mode": true, "state.settleMillis": 2 });
    expect(never.map((u) => u.action)).not.toContain("vm.defrag_mode=1");
    const old = await incidentOf(textOf("fixtures/logs/failures_6.1.txt"), 2);
    expect(neverRun(old, builtOf(old, true)).find((u) => u.action === "vm.defrag_mode=1")?.why).toMatch(/6\.15/);
  });

  test("what has no mechanism is not run: extfrag_threshold for who may not wait, a queue without a card, memory for large blocks", () => {
    const kinds = new Set(all.map((t) => t.change.kind));
    for (const kind of ["queues", "coalescing", "copybreak", "driver_policy", "mtu", "more_memory", "offload"] as const)
      expect(kinds.has(kind), kind).toBe(false);
    expect(never.map((u) => u.action)).not.toContain("vm.extfrag_threshold");
  });

  test("every control is a machine that can be run", () => {
    for (const { set, against = {} } of all) {
      run(built, set, 2);
      run(built, against, 2);
    }
  });
});

test("extfrag_threshold: not run where the index is asked for larger orders only, or lets compaction through already", async () => {
  const text = textOf("fixtures/logs/failures_6.1.txt").replaceAll(
    "mode:0x40a20(GFP_ATOMIC|__GFP_COMP)",
    "mode:0x40cc0(GFP_KERNEL|__GFP_COMP)",
  );
  const why = async (at: number): Promise<string | undefined> => {
    const incident = await incidentOf(text, at);
    return neverRun(incident, builtOf(incident, true)).find((u) => u.action === "vm.extfrag_threshold")?.why;
  };
  expect(await why(2)).toMatch(/orders above 3 only/);
  // Order 4 among single pages: the index is near 1000.
  expect(await why(3)).toMatch(/in no zone is the fragmentation index from 0 to 500/);
  // Before 4.9 it was asked for every order: without free lists it is not known.
  const incident = await incidentOf(text, 2);
  const old = { ...builtOf(incident, true), release: "3.10-x86_64" };
  expect(neverRun({ ...incident, memory: null }, old).find((u) => u.action === "vm.extfrag_threshold")?.why).toMatch(
    /does not print its free lists/,
  );
});

test("extfrag_threshold is run where memory looks short: few large blocks but one size too small", async () => {
  const text = textOf("fixtures/logs/failures_6.1.txt")
    .replaceAll("mode:0x40a20(GFP_ATOMIC|__GFP_COMP)", "mode:0x40cc0(GFP_KERNEL|__GFP_COMP)")
    .replace(
      /(Workqueue: events ora_refill_work[\s\S]*?)DMA32: 1945\*4kB \(UM\) 15\*8kB \(U\) 4\*16kB \(U\) 3\*32kB \(U\)/,
      "$1DMA32: 1*4kB (U) 0*8kB 0*16kB 250*32kB (U)",
    );
  const incident = await incidentOf(text, 3);
  const found = named(controls(incident, builtOf(incident, true), []), /extfrag/);
  expect(found.set).toEqual({ "sysctl.extfrag_threshold": 0 });
});

describe("e1000, single pages", async () => {
  const incident = await incidentOf(textOf("fixtures/logs/e1000_refill_6.1.txt"));
  const built = builtOf(incident, false);
  const all = controls(incident, built, []);

  test("a later interrupt asks less often for the same memory: fewer failures are printed, as many frames are lost", () => {
    const late = named(all, /rx-usecs/);
    expect(late.counts).toBe("framesLost");
    const [was, is] = [run(built, {}, 700), run(built, late.set, 700)];
    expect(is.printedFailures).toBeLessThan(was.printedFailures ?? 0);
    expect(is.framesLost).toBe(was.framesLost);
  });

  test("a driver that takes a new buffer first loses each frame for which there is none; the other empties its ring first", () => {
    const first = named(all, /takes a new buffer before/);
    const [was, is] = [run(built, first.against ?? {}, 400), run(built, first.set, 400)];
    expect(is.framesLost).toBeGreaterThan(was.framesLost ?? 0);
  });

  test("queues and copybreak of that driver have their reason", () => {
    expect(neverRun(incident, built).map((u) => u.action)).toContain("more receive queues");
    expect(all.some((t) => t.change.kind === "copybreak" || t.change.kind === "queues")).toBe(false);
  });
});

test("a card with several queues is run with four: each has a ring that holds buffers before the burst", async () => {
  const e1000 = textOf("fixtures/logs/e1000_refill_6.1.txt");
  const incident = await incidentOf(e1000);
  const card: DiagnosedIncident = { ...incident, driver: "ice" };
  const built = builtOf({ ...card, machine: { ...card.machine, buffers: null } }, false);
  const four = named(controls(card, built, []), /queues instead of one/);
  expect(four.set).toMatchObject({ "nics.0.queues": 4, "traffic.0.flows": 64 });
  const [was, is] = [run(built, four.against ?? {}, 9000), run(built, four.set, 9000)];
  expect(is.framesLost).toBeLessThan(was.framesLost ?? 0);
});

test("a setting of the driver that makes its buffers smaller is run as smaller requests, so many for each", async () => {
  const incident = await incidentOf(textOf("fixtures/field/a_turbo_1.txt"));
  const [turbo] = incident.advice.filter((a) => a.change.kind === "smaller_buffers");
  // 18,944 bytes by 2,048.
  expect(turbo?.change).toEqual({ kind: "smaller_buffers", order: 0, each: 10 });
  const built = builtOf(incident, true);
  if (turbo === undefined) throw new Error("no advice");
  expect(settingsOf(turbo.change, built, incident)).toEqual({ set: { "state.asks.order": 0 }, frames: 10, order: 0 });
  expect(whyNot({ kind: "driver_setting" })).toMatch(/no such setting/);
});

test("twice the memory has the marks that the kernel computes for it, and no more free blocks than it had", async () => {
  const incident = await incidentOf(textOf("fixtures/logs/failures_6.1.txt"), 6);
  const built = builtOf(incident, true);
  const made = settingsOf({ kind: "more_memory", times: 2 }, built, incident);
  if (typeof made === "string") throw new Error(made);
  const kb = made.set["sysctl.min_free_kbytes"] as number;
  expect(kb / built.minFreeKb).toBeCloseTo(Math.SQRT2, 1);
  const zones = made.set["state.zones"] as { managed: number; free: unknown; marks?: unknown }[];
  const own = built.stateUnder({}, 0).zones;
  expect(zones.map((z) => z.free)).toEqual(own.map((z) => z.free));
  const sum = (all: readonly { managed: number }[]): number => all.reduce((n, z) => n + z.managed, 0);
  expect(sum(zones)).toBe(2 * sum(own));
  // A value of somebody's own: what it would be is not known.
  const set = { ...incident, findings: incident.findings.map((f) => ({ ...f, answer: "no" as const })) };
  expect(settingsOf({ kind: "more_memory", times: 2 }, built, set)).toMatch(/own choice/);
});

test("pages that the report has on other CPUs' lists start there", async () => {
  const incident = await incidentOf(textOf("fixtures/logs/failures_6.1.txt"), 6);
  const zones = buildZones(builtOf(incident, true));
  // free_pcp:316kB local_pcp:96kB
  expect(zones.map((z) => z.onOtherCpus)).toEqual([0, 55]);
});
const buildZones = (built: Built) => built.stateUnder({}, 0).zones;
