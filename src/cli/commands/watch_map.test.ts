// The live map of the machine that the tests run on, where it may be read: what it counts is what the kernel itself counts elsewhere.
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { pageKinds } from "../../live/page_map.ts";
import type { LiveMapFile } from "../../report/live_map.ts";
import { pageMapOf } from "../../report/live_map.ts";
import { main, writeMachine } from "../process.testkit.ts";
import { readLiveMap } from "../watch/live_map.ts";
import { runCommand } from "./command.testkit.ts";
import { command as watch } from "./watch.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-map-"));
afterAll(() => rmSync(folder, { recursive: true }));
const may = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
};
const meminfoPages = (name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) / 4;
const near = (a: number, b: number, of: number): boolean => Math.abs(a - b) <= Math.max(20_000, 0.1 * of);

test.skipIf(!may("/proc/kpageflags") || !may("/dev/kmsg"))(
  "this machine's memory: free pages are those of the buddy lists, slab pages those of meminfo, and the file holds the same map",
  async () => {
    const out = join(folder, "map.json");
    const { written } = await runCommand(watch, ["--for", "0", "--map-out", out, "--state", join(folder, "s.json")]);
    const free = readFileSync("/proc/buddyinfo", "utf8")
      .trim()
      .split("\n")
      .flatMap((l) =>
        l
          .trim()
          .split(/\s+/)
          .slice(4)
          .map((n, order) => Number(n) * 2 ** order),
      )
      .reduce((a, b) => a + b, 0);
    const file = JSON.parse(readFileSync(out, "utf8")) as LiveMapFile;
    const pages = Object.fromEntries(file.legend.map((l) => [l.label, l.pages]));
    const all = file.legend.reduce((sum, l) => sum + l.pages, 0);
    expect([near(pages["free"]!, free, all), pages["free"], free]).toEqual([
      true,
      expect.anything(),
      expect.anything(),
    ]);
    expect([near(pages["slab"]!, meminfoPages("Slab"), all), pages["slab"]]).toEqual([true, expect.anything()]);
    const map = pageMapOf(file, out);
    const cells = new Array<number>(pageKinds.length).fill(0);
    for (const cell of map.cells) cells[cell]!++;
    if (file.framesPerCell === 1) expect(cells.slice(1)).toEqual(file.legend.map((l) => l.pages));
    expect(written.toString()).toMatch(/Live map: [\d,]+ pages[\s\S]*entries of kpageflags and kpagecount in \d/);
  },
);

test("a machine's files from a folder: half an entry at the end is left out, and a count file that is shorter is not believed", async () => {
  const proc = join(folder, "proc");
  mkdirSync(proc);
  writeFileSync(
    join(proc, "kpageflags"),
    Buffer.concat([Buffer.from(new BigUint64Array([1024n, 128n, 0n]).buffer), Buffer.of(1, 2)]),
  );
  writeFileSync(join(proc, "kpagecount"), Buffer.from(new BigUint64Array([0n]).buffer));
  const { map, cost } = await readLiveMap(proc, 9);
  expect([map.frames, map.counted, cost.entries]).toEqual([3, false, 4]);
  expect([...map.cells].map((k) => pageKinds[k]!.name)).toEqual(["free", "slab", "kernel, no flag"]);
});

test("where it may not be read the watch says so and goes on; a name that is no picture is refused before", async () => {
  const empty = join(folder, "none");
  mkdirSync(empty);
  await expect(readLiveMap(empty, 9)).rejects.toThrow(/The live map cannot be read/);
  await expect(runCommand(watch, ["--map-out", "x.bmp"])).rejects.toThrow(/\.json, \.png or \.svg/);
});

test("who asked for a map's file and has none at the end gets 2, and the reason once", () => {
  const machine = join(folder, "machine");
  writeMachine(machine, {});
  writeFileSync(join(folder, "kmsg"), "");
  const map = (out: string) =>
    spawnSync(
      process.execPath,
      [main, "watch", "--for", "0", "--map-out", out, "--proc", machine, "--pools", "true"].concat([
        "--kmsg",
        join(folder, "kmsg"),
        "--state",
        join(folder, "state"),
      ]),
      { encoding: "utf8", timeout: 240_000 },
    );
  const refused = map(join(folder, "refused.svg"));
  expect([refused.status, refused.stderr.match(/The live map cannot be read/g)?.length]).toEqual([2, 1]);
  expect(existsSync(join(folder, "refused.svg"))).toBe(false);
  writeFileSync(join(machine, "kpageflags"), Buffer.from(new BigUint64Array([1024n, 128n, 0n]).buffer));
  expect(map(join(folder, "made.svg")).status).toBe(0);
  expect(existsSync(join(folder, "made.svg"))).toBe(true);
  symlinkSync("/dev/full", join(folder, "full.svg"));
  const full = map(join(folder, "full.svg"));
  expect([full.status, full.stderr.match(/the disk is full/g)?.length]).toEqual([2, 1]);
});

test.skipIf(spawnSync("nice").status !== 0 || process.getuid?.() !== 0)(
  "the priority is as it was when the map is read",
  async () => {
    const { getPriority } = await import("node:os");
    const before = getPriority();
    await readLiveMap(join(folder, "proc"), 9);
    expect(getPriority()).toBe(before);
  },
);
