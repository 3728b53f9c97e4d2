// A virtual machine of 96 MB with Debian's 6.1.0-56-cloud-amd64 under qemu, without KVM: programs took all of its memory until the kernel ended them,
// twice, and an interface was plugged meanwhile (scripts/watch-vm). What its busybox collected and what was sampled each second is in fixtures/live; the
// machine itself is run where SKBLAB_VM_KERNEL names a kernel and qemu is installed.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tarMembers } from "../../artifact/tar.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { parseRelease } from "../../kernel/release.ts";
import { pageKinds } from "../../live/page_map.ts";
import { compressionOf, decompress } from "../input/decompress.ts";
import type { Budget } from "../input/limits.ts";
import { inputLimits } from "../input/limits.ts";
import { metricsText } from "../watch/exposition.ts";
import { sampleTexts, uptimeOf } from "../watch/files.ts";
import { recordLines } from "../watch/kmsg.ts";
import { readLiveMap } from "../watch/live_map.ts";
import type { Told } from "../watch/watcher.ts";
import { createWatcher } from "../watch/watcher.ts";
import { runCommand } from "./command.testkit.ts";
import { command as diagnose } from "./diagnose.ts";

const root = join(import.meta.dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "skblab-vm-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function unpack(archive: string, to: string): Promise<void> {
  const bytes = readFileSync(archive);
  const budget: Budget = { limits: inputLimits, unpacked: 0, files: 0 };
  const unpacking = decompress(sourceOf(archive, [bytes]), compressionOf(bytes)!, budget, { nativeTools: false });
  for await (const { name, size, source } of tarMembers(unpacking.source, () => {})) {
    const content = new Uint8Array(size);
    for (let at = 0; at < size; ) at += await source.read(content.subarray(at));
    mkdirSync(dirname(join(to, name)), { recursive: true });
    writeFileSync(join(to, name), content);
  }
  unpacking.close();
}

interface Run {
  readonly host: string;
  /** Folder with a folder a sample, kmsg, and proc. */
  readonly watched: string;
}

async function checkRun({ host, watched }: Run): Promise<void> {
  // What busybox collected: both kills, with the machine's name on the lines.
  const { json } = await runCommand(diagnose, [host]);
  const { incidents } = json as { incidents: { kind: string; count: number; kernel: { release: string } }[] };
  expect(incidents.map((i) => [i.kind, i.count])).toEqual([["oom", 2]]);
  expect(incidents[0]!.kernel.release).toContain("6.1.0-56-cloud-amd64");
  expect(JSON.stringify(incidents)).toContain("vm-under-pressure/dmesg.txt");

  // The samples, replayed with the log as it came.
  const records = readFileSync(join(watched, "kmsg"), "utf8")
    .split("\n")
    .flatMap((l) => recordLines(l) ?? []);
  const stamp = (text: string): number => Number(/^\[ *([\d.]+)\]/.exec(text)?.[1]);
  const kills = records.filter((l) => l.text.includes("invoked oom-killer")).map((l) => stamp(l.text));
  expect(kills.length).toBe(2);
  const tellings: Told[] = [];
  const remarks: string[] = [];
  const watcher = createWatcher({
    release: parseRelease("6.1.192-x86_64"),
    boot: "vm",
    around: [["/proc/version", readFileSync(join(watched, "proc/version"), "utf8")]],
    told: (told) => {
      if (told.diagnosis.incidents.length > 0) tellings.push(told);
    },
    remark: (sentence) => remarks.push(sentence),
    intervalSeconds: 1,
    quietMillis: 500,
  });
  let next = 0;
  const key = { node: 0, zone: "DMA32", order: 2, context: "atomic" as const };
  const falling: number[] = [];
  for (const name of readdirSync(watched)
    .filter((n) => /^\d+$/.test(n))
    .sort()) {
    const seconds = uptimeOf(join(watched, name))!;
    watcher.sample(sampleTexts(join(watched, name)), seconds);
    const until = records.findIndex((l) => stamp(l.text) > seconds);
    watcher.lines(records.slice(next, until < 0 ? records.length : until), seconds * 1000);
    next = until < 0 ? records.length : until;
    if (kills[0]! > seconds && watcher.history.forecast(key).trend === "falling") falling.push(seconds);
    await watcher.turn(seconds * 1000 + 600);
  }
  watcher.lines(records.slice(next), 0);
  await watcher.turn(0, true);
  expect(tellings.map((t) => t.diagnosis.incidents.map((i) => [i.kind, i.count]))).toEqual([
    [["oom", 1]],
    [["oom", 1]],
  ]);
  // Told with the first sample behind it, and with the minutes before: room fell, and tasks had to reclaim for themselves.
  const [first] = tellings;
  expect(first!.seconds! - kills[0]!).toBeLessThan(15);
  expect(first!.before.rises.map((r) => r.name)).toContainEqual(
    expect.stringMatching(/^vmstat (allocstall_|pgscan_direct)/),
  );
  const room = first!.before.rooms.find((r) => r.zone === "DMA32" && r.order === 2 && r.context === "may wait")!;
  expect(room.requests! <= room.earlier!).toBe(true);
  expect(falling.length, "room was seen to fall before the kill").toBeGreaterThan(0);
  expect(remarks).toContainEqual("Interface dummy0 appeared: its counters are counted from now on.");
  expect(await metricsText(watcher.history, watcher.counts)).toMatch(
    /^skblab_incidents_total\{kind="oom",severity="act"\} 2$/m,
  );

  // Its pages: what the map counts is what the kernel counts itself.
  const { map } = await readLiveMap(join(watched, "proc"), 9);
  const pages = (name: string): number => map.pages[pageKinds.findIndex((k) => k.name === name)]!;
  const meminfo = readFileSync(join(watched, "proc/meminfo"), "utf8");
  const kb = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(meminfo)?.[1]);
  // meminfo counts large kmalloc() as slab too; its pages carry no flag.
  expect(pages("slab") * 4).toBeLessThan(kb("Slab") + 256);
  expect(pages("slab") * 4).toBeGreaterThan(0.8 * kb("Slab"));
  expect(Math.abs(pages("free") * 4 - kb("MemFree"))).toBeLessThan(6144);
  expect(map.tailsOfFreeFlagged && map.counted).toBe(true);
  expect(map.pages.slice(1).reduce((a, b) => a + b, 0)).toBeLessThan(96 * 256 + 1);
}

describe("a virtual machine under pressure", () => {
  const watched = join(folder, "fixture/watched");
  beforeAll(() => unpack(join(root, "fixtures/live/vm-6.1-watched.tar.xz"), join(folder, "fixture")));
  test(
    "as recorded: collect in busybox tells both kills; the samples replayed tell each with what came before it",
    () => checkRun({ host: join(root, "fixtures/live/vm-6.1-host.tar.gz"), watched }),
    120_000,
  );

  const kernel = process.env["SKBLAB_VM_KERNEL"];
  test.skipIf(kernel === undefined || spawnSync("qemu-system-x86_64", ["--version"]).status !== 0)(
    "as it runs now (SKBLAB_VM_KERNEL)",
    async () => {
      const out = join(folder, "now");
      const run = spawnSync(process.execPath, [join(root, "scripts/watch-vm/run.mjs"), kernel!, out], {
        encoding: "utf8",
      });
      expect([run.status, run.stderr]).toEqual([0, ""]);
      await unpack(join(out, "samples.tar.gz"), out);
      await checkRun({ host: join(out, "host.tar"), watched: join(out, "watched") });
    },
    900_000,
  );
});
