// What a program rests on: the names of `import … from "skblab"` with their declarations, as they stand in schemas/library.api.txt, and that
// they compile with the oldest TypeScript that is promised.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as skblab from "./index.ts";

const root = join(import.meta.dirname, "..");
const {
  apiReport,
  breaks,
}: {
  apiReport(): string;
  breaks(before: string, after: string): string | undefined;
} = await import(join(root, "scripts/api-report.mjs"));
const report = apiReport();

describe("the library's surface", () => {
  // The build writes what was added into the file; what a program may rest on goes only with a higher version.
  test("has all that was promised", () => {
    const promised = readFileSync(join(root, "schemas/library.api.txt"), "utf8");
    expect(promised.split("\n").length).toBeGreaterThan(150);
    expect(breaks(promised, report)).toBeUndefined();
  });

  test("every value that it gives has its line, and no line is of a value that it does not give", () => {
    const given = Object.keys(skblab).sort();
    const said = report
      .split("\n")
      .flatMap((line) => /^(\S+): (?:abstract )?(?:const|let|function|class) /.exec(line)?.[1] ?? [])
      .sort();
    expect([...new Set(said)]).toEqual(given);
  });

  test("a line that is gone or changed is named until the version says so; a new line never is", () => {
    const [head, blank, first, ...rest] = report.split("\n");
    expect(breaks(report, report)).toBeUndefined();
    expect(breaks(report, [head, blank, first, "another: const another: 1;", ...rest].join("\n"))).toBeUndefined();
    expect(breaks(report, [head, blank, ...rest].join("\n"))).toBe(first);
    expect(breaks(report, [head, blank, `${first} `, ...rest].join("\n"))).toBe(first);
    expect(breaks(report, ["skblab 0.9.0", blank, ...rest].join("\n"))).toBeUndefined();
    const given = "skblab 0.1.0\n\nA: interface A { readonly a: number; b(c: { d: 1; }): void; }";
    expect(breaks(given, given.replace("a: number;", "a: number; readonly more?: string;"))).toBeUndefined();
    expect(breaks(given, given.replace("a: number", "a: string"))).toBe("A: interface A { readonly a: number }");
    expect(breaks(given, given.replace("d: 1", "d: 2"))).toBe("A: interface A { b(c: { d: 1; }): void }");
    const kinds = "skblab 0.1.0\n\nK: type K = { readonly a: 1; } | { readonly b: 2; };";
    expect(breaks(kinds, kinds.replace("a: 1;", "a: 1; readonly c?: true;"))).toBeUndefined();
    expect(breaks(kinds, kinds.replace(" | { readonly b: 2; }", ""))).toContain("K: type K");
    expect(breaks(`skblab 1.1.0\n\n${first}`, "skblab 1.2.0\n\n")).toBe(first);
    expect(breaks(`skblab 1.1.0\n\n${first}`, "skblab 2.0.0\n\n")).toBeUndefined();
  });
});

/** The declarations that a program's compiler reads for `import … from "skblab"`. */
function declarationsFrom(file: string, seen = new Map<string, string>()): ReadonlyMap<string, string> {
  if (seen.has(file) || !existsSync(file)) return seen;
  const text = readFileSync(file, "utf8");
  seen.set(file, text);
  for (const [, to = ""] of text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g))
    declarationsFrom(join(file, "..", to.replace(/\.[jt]s$/, ".d.ts")), seen);
  return seen;
}

// TypeScript 5.4 is not there in most runs of the tests; this is what a newer compiler writes into declarations and it cannot read.
test("no declaration has a typed array with a type of its buffer, which TypeScript before 5.7 refuses", () => {
  const files = declarationsFrom(join(root, "dist/index.d.ts"));
  expect(files.size).toBeGreaterThan(100);
  const generic = /\b(?:Int|Uint|Float|BigInt|BigUint)\d+(?:Clamped)?Array</;
  expect([...files].filter(([, text]) => generic.test(text)).map(([file]) => file)).toEqual([]);
});

// `npm install --no-save typescript-5.4@npm:typescript@5.4` brings it here.
const oldCompiler = join(root, "node_modules/typescript-5.4/bin/tsc");
test.runIf(existsSync(oldCompiler))(
  "a program with the library's types compiles with TypeScript 5.4, libraries checked",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "skblab-types-"));
    try {
      const program = `import { createMachine, explain, parseRelease, type DriverMaker } from "${join(root, "dist/index.js")}";
export const machine = createMachine({ release: parseRelease("6.1"), memoryMb: 64 });
export const said: Promise<unknown> = Promise.resolve(explain({ log: "" }));
export const name = (maker: DriverMaker): string => maker.name;
`;
      const compilerOptions = { noEmit: true, strict: true, target: "es2022", module: "nodenext", types: [] };
      writeFileSync(join(folder, "program.mts"), program);
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.mts"] }));
      const done = spawnSync(process.execPath, [oldCompiler, "-p", folder], {
        encoding: "utf8",
      });
      expect([done.stdout, done.status]).toEqual(["", 0]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

// Numbers and names that cannot be: one sentence, never a ModelBug or a wrong answer.
const release = skblab.parseRelease("6.1-x86_64");
const machine = skblab.createMachine({ release, memoryMb: 64, nics: [{ driver: "ringnic" }] });
const parts = machine as unknown as skblab.DriverParts;
const host = { device: () => machine.devices[0], raiseInterrupt() {} } as unknown as skblab.DriverHost;
const link = (more: object) =>
  skblab.createLink(
    machine.clock,
    machine.frames,
    { bitsPerSecond: 1e9, delayNanos: 0, loss: 0, ...more },
    skblab.prng(1),
    (frame) => machine.frames.give(frame),
  );
const tx = (more: object) => skblab.createTxRing(parts, host, { size: 64, stopRoom: 2, wakeRoom: 2, ...more });

const plugged = (nic: object) => skblab.createMachine({ release, memoryMb: 64, nics: [{ driver: "ringnic", ...nic }] });
const ruled = (rule: { flowType: "udp4" | "tcp4"; srcIp?: string; dstPort?: number; action: number }) =>
  skblab.createMachine({
    release,
    memoryMb: 64,
    nics: [{ driver: "ringnic", queues: 2, rss: { rules: [rule] } }],
  });

const wrong: Readonly<Record<string, () => unknown>> = {
  "The mask is -1": () => skblab.decodeGfp(-1, [6, 1]),
  "The mask is 1.5": () => skblab.decodeGfp(1.5, [6, 1]),
  "The mask is NaN": () => skblab.gfpReadings(Number.NaN),
  'The mask is "0x20"': () => skblab.decodeGfp("0x20" as unknown as number, [6, 1]),
  "The version is []": () => skblab.decodeGfp(32, []),
  "The version is [6, NaN]": () => skblab.decodePageFlags(1n, [6, Number.NaN]),
  "The masks of Linux 2.2": () => skblab.decodeGfp(32, [2, 2]),
  "The flags are -1": () => skblab.decodePageFlags(-1n, [6, 1]),
  "The flags are 5;": () => skblab.decodePageFlags(5 as unknown as bigint, [6, 1]),
  "The flags are 18446744073709551616": () => skblab.pageFlagReadings(1n << 64n),
  "The size of a receive ring is 1": () => skblab.createRxRing(parts, host, 1),
  "The size of a receive ring is 100000000000": () => skblab.createRxRing(parts, host, 1e11),
  "The size of a transmit ring is 0": () => tx({ size: 0 }),
  "stopRoom of a transmit ring is 65": () => tx({ stopRoom: 65 }),
  "wakeRoom of a transmit ring is -1": () => tx({ wakeRoom: -1 }),
  "bitsPerSecond of a link is 0": () => link({ bitsPerSecond: 0 }),
  "bitsPerSecond of a link is NaN": () => link({ bitsPerSecond: Number.NaN }),
  "delayNanos of a link is -1": () => link({ delayNanos: -1 }),
  "loss of a link is 1.1": () => link({ loss: 1.1 }),
  "nth is -1": () => skblab.failing({ nth: -1 }),
  "every is 0.5": () => skblab.failing({ nth: 1, every: 0.5 }),
  "No kernel has a gfp mask GFP_ATOMC": () => skblab.gfpOf(release, "GFP_ATOMC"),
  "No kernel has a gfp mask __GFP_NOWARM": () => skblab.gfpOf(release, "GFP_ATOMIC", "NOWARM"),
  "An MTU is 0": () => skblab.verifyDriver({ driver: "ringnic", kernel: "6.1", mtus: [0] }),
  "nics[0].queues (e1000e) is 4": () =>
    skblab.verifyDriver({ driver: "e1000e", kernel: "6.1", mtus: [1500], queues: 4 }),
  'There is no driver "nonic"': () => skblab.verifyDriver({ driver: "nonic", kernel: "6.1", mtus: [1500] }),
  "nics[0].txQueueLen is Infinity": () => plugged({ txQueueLen: Number.POSITIVE_INFINITY }),
  "nics[0].irqCpus names 1 CPUs for 2 queue pairs": () => plugged({ queues: 2, irqCpus: [0] }),
  "nics[0].rss.indirection is empty": () => plugged({ queues: 2, rss: { indirection: [] } }),
  "slubMaxOrder is NaN": () => skblab.createMachine({ release, memoryMb: 64, slubMaxOrder: Number.NaN }),
  "skbsMax is 1e+300": () => skblab.createMachine({ release, memoryMb: 64, skbsMax: 1e300 }),
  "A random number is to be below NaN": () => skblab.prng(1).below(Number.NaN),
  "The queue of a rule is -1": () => plugged({ queues: 2 }).devices[0]?.rss?.steer(1, -1),
  "queues of a NAPI story is -1": () => skblab.napiStory("mine", { queues: -1 as 1 }),
  "frames of a NAPI story is 1000000000": () => skblab.napiStory("mine", { frames: 1e9 }),
  'interrupts of a NAPI story is "msi"': () => skblab.napiStory("mine", { interrupts: "msi" as "edge" }),
  "giveDriver(): it does not export a driver": () => skblab.giveDriver("x", 5 as unknown as skblab.DriverMaker),
  "giveDriver(): a driver is given without a name": () => skblab.giveDriver("", skblab.drivers[0]!),
  "maxSkbFrags is 46": () =>
    skblab.createMachine({ release: skblab.parseRelease("6.12"), memoryMb: 64, maxSkbFrags: 46 }),
  "fragment 17 of a packet that has room for 17": () => {
    const { atomic } = machine.skbs.config.gfp;
    const page = machine.pages.allocPages(atomic, 0);
    machine.skbs.skbAddRxFrag(machine.skbs.allocSkb(9, atomic), 17, page, 0, 1, 1);
  },
  'names "1.2.3", which is not an IPv4 address': () => ruled({ flowType: "udp4", srcIp: "1.2.3", action: 0 }),
  "rules[0].action is 2": () => ruled({ flowType: "tcp4", action: 2 }),
  "a port is 0": () => ruled({ flowType: "tcp4", dstPort: 0, action: -1 }),
  "memoryMb is NaN": () => skblab.createMachine({ release, memoryMb: Number.NaN }),
  "The seed is NaN": () => skblab.prng(Number.NaN),
  "8 MB is less": () => skblab.createBootedMemory({ release, memoryMb: 8 }),
};

describe("one sentence for", () => {
  test.each(Object.entries(wrong))("%s", (sentence, call) => {
    expect(call).toThrow(sentence);
    expect(call).toThrow(skblab.BadInput);
  });
});

test("an MTU that is no whole number is refused in the driver's words", () => {
  expect(machine.devices[0]?.driver.changeMtu(Number.NaN)).toBe("mtu NaN is not between 68 and 9000");
  expect(machine.devices[0]?.driver.changeMtu(1500.5)).toBe("mtu 1500.5 is not between 68 and 9000");
});

test("the least and the most are taken", () => {
  expect(skblab.decodeGfp(0, [6, 1]).text).toBe("");
  expect(skblab.decodeGfp(0xffffffff, [2, 4, 18]).unknown).not.toEqual([]);
  expect(skblab.decodePageFlags((1n << 64n) - 1n, [6, 1]).names).toContain("locked");
  expect(skblab.createRxRing(parts, host, 2).size).toBe(2);
  expect(tx({ size: 2 }).pending()).toBe(0);
  expect(link({ bitsPerSecond: 1, loss: 1 }).sent()).toBe(0);
  expect(skblab.gfpOf(release, "")).toBe(0);
  // A name that this release lacks is no mistake: WAIT ended with 4.3.
  expect(skblab.gfpOf(release, "", "WAIT")).toBe(0);
});
