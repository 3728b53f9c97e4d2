// Whatever a program gives to a function of the library, it gets a value or one sentence (BadInput): never an error of the language, never a bug of
// the model's own, and not after a long time. And what the types ask for, with nothing that may be left out, is never refused.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, expectTypeOf, test } from "vitest";
import { members, realOf, text, whole } from "./base/given.ts";
import { oneIn } from "./base/size.testkit.ts";
import { elfCore } from "./image/container/container.testkit.ts";
import { tinyKernel, tinyMemory } from "./image/tiny.testkit.ts";
import * as inner from "./index.ts";
import * as skblab from "./library.ts";
import { viewSkb } from "./model/net/skb/skb_view.ts";
import type { Skbs } from "./model/net/skb/skbs.ts";

const root = join(import.meta.dirname, "..");
type Lib = typeof skblab;
type Names = { [K in keyof Lib]: Lib[K] extends (...all: never[]) => unknown ? K : never }[keyof Lib];

const release = skblab.parseRelease("6.1.192-x86_64");
const machine = skblab.createMachine({ release, memoryMb: 64, nics: [{ driver: "ringnic" }] });
const memory = machine.memory;
const parts = machine as unknown as skblab.DriverParts;
const host = { device: () => machine.devices[0], raiseInterrupt() {} } as unknown as skblab.DriverHost;
let story!: skblab.Story;
const cells: { cell: skblab.Cell; lock: skblab.Lock; fifo: skblab.Fifo } = (() => {
  let kept!: { cell: skblab.Cell; lock: skblab.Lock; fifo: skblab.Fifo };
  story = skblab.defineStory("small", (s) => {
    kept = { cell: s.cell("flag"), lock: s.lock("lock"), fifo: s.fifo("queue", 2, 2) };
    s.task({
      name: "one",
      context: "process",
      cpu: 0,
      start: "main",
      sections: {
        *main() {
          yield skblab.write(kept.cell, 1);
        },
      },
    });
  });
  return kept;
})();
const { cell, lock, fifo } = cells;
const program = skblab.compile(story);
const btfBytes = new Uint8Array(readFileSync(join(root, "fixtures/btf/small.btf")));
const ethtool = readFileSync(join(root, "fixtures/page_pool/ethtool_slow.txt"), "utf8");
const log = readFileSync(join(root, "fixtures/logs/ppc405ex_emac_2009.txt"), "utf8");
const indexBytes = new Uint8Array(gunzipSync(readFileSync(join(root, "src/kernel/facts/functions/network.idx.gz"))));
const layout = skblab.declaredStructs(release).layout("sk_buff") as skblab.StructLayout;
const picture = viewSkb(realOf(machine.skbs) as Skbs, machine.skbs.allocSkb(100, machine.skbs.config.gfp.kernel));
const elf = elfCore(new Map([[0, new Uint8Array(4096)]]), {});
const physical = tinyMemory(tinyKernel(5));
const image = skblab.readImage(physical);
const readings = [skblab.readPools("a", ethtool)];
const verdicts = skblab.judgePools(readings);
const lines = skblab.repairText(log);
const incidents = skblab.readIncidents(lines).incidents;
const diagnosis = await skblab.explain({ log });
const collector = skblab.createCollector();
const read = collector.finish(
  await skblab.gather([{ source: skblab.sourceOf("log", log), named: true }], { onWindow: collector.onWindow }),
);
const document = skblab.diagnosisDocument(diagnosis);
const scenario = readFileSync(join(root, "examples/drivers/mynic.yaml"), "utf8").replace("./mynic.mjs", "ringnic");
const transcript = gunzipSync(readFileSync(join(root, "fixtures/page_frag/page_frag_s1.ndjson.gz")))
  .toString("utf8")
  .split("\n");

const maker = skblab.drivers.find((d) => d.name === "ringnic") as skblab.DriverMaker;
const rules = skblab.rulesOf(release);
const link = { bitsPerSecond: 1e9, delayNanos: 0, loss: 0 };
const frame = machine.frames.take();

/** What the types ask for and no more: every function with a right call. */
const right: { readonly [K in Names]: () => Parameters<Lib[K]> } = {
  add: () => [cell, 1],
  addAndRead: () => [cell, 1],
  addAndTest: () => [cell, -1],
  bhOff: () => [],
  bhOn: () => [],
  compile: () => [story],
  createBootedMemory: () => [{ release, memoryMb: 64 }],
  createCollector: () => [],
  createLink: () => [machine.clock, machine.frames, link, skblab.prng(1), () => undefined],
  createMachine: () => [{ release, memoryMb: 64 }],
  createPageOwner: () => [memory, [6, 1]],
  createRxRing: () => [parts, host, 8],
  createTxRing: () => [parts, host, { size: 64, stopRoom: 2, wakeRoom: 2 }],
  declaredStructs: () => [release],
  decodeGfp: () => [0x20, [6, 1]],
  decodePageFlags: () => [1n, [6, 1]],
  defineStory: () => [
    "mine",
    (s) => s.task({ name: "one", context: "process", cpu: 0, start: "a", sections: { *a() {} } }),
  ],
  diagnose: () => [read],
  diagnosisDocument: () => [diagnosis],
  diagnosisJsonSchema: () => [],
  drawSkbAscii: () => [picture],
  drawSkbSvg: () => [picture],
  effectText: () => [skblab.step()],
  enter: () => [cell, "!=", 0],
  explain: () => [{ log }],
  fail: () => ["it went wrong"],
  failing: () => [{ nth: 1 }],
  findReadings: () => [[{ line: 1, text: "MemTotal: 1 kB" }]],
  formatRelease: () => [{ version: [6, 1], arch: "x86_64" }],
  frameBytes: () => [machine.frames, frame],
  freeSkb: () => [],
  gather: () => [[{ source: skblab.sourceOf("log", log), named: true }]],
  gfpOf: () => [release, "GFP_ATOMIC"],
  gfpReadings: () => [0x20],
  giveDriver: () => ["library_arguments", maker],
  giveFunctionIndex: () => [() => undefined],
  holesOf: () => [layout],
  identify: () => [new Uint8Array()],
  idle: () => [cell, "!=", 0],
  imageDocument: () => [image],
  imageJson: () => [image],
  imageRecords: () => [image],
  inferRelease: () => [[]],
  irqOff: () => [],
  irqOn: () => [],
  irqRestore: () => [1],
  irqSave: () => [],
  joined: () => [skblab.step()],
  judgePools: () => [readings],
  kindNamed: () => ["machine"],
  kmallocGeometry: () => [release, { allocator: "slub", cpus: 2 }],
  lock: () => [lock],
  memberOf: () => [layout, "len"],
  napiStory: () => ["mine"],
  observeBuddyinfo: () => [memory],
  observeExtfrag: () => [memory, "index"],
  observePagetypeinfo: () => [memory],
  observeZoneinfo: () => [memory],
  openImage: () => [[skblab.randomBytesOf("tiny", elf)]],
  pageFlagReadings: () => [1n],
  parseRelease: () => ["6.1"],
  partsFor: () => [release],
  poolsDocument: () => [verdicts, readings],
  poolsJson: () => [verdicts, readings],
  pop: () => [fifo],
  prng: () => [1],
  push: () => [fifo, 1],
  pushFront: () => [fifo, 1],
  randomBytesOf: () => ["a", new Uint8Array(8)],
  randomRuns: () => [program, { seed: 1, runs: 2 }],
  read: () => [cell],
  readBtf: () => [btfBytes, "small.btf"],
  readFunctionIndex: () => [indexBytes],
  readImage: () => [physical],
  readIncidents: () => [lines],
  readKernelFile: () => [btfBytes, "small.btf", async (_packing, packed) => packed],
  readPools: () => ["a", ethtool],
  readScenario: () => ["a.yaml", scenario],
  readSchedule: () => ["0", program],
  refillStory: () => ["mine", true],
  remark: () => ["finding", "words"],
  renderMarkdown: () => [document],
  renderText: () => [document, { colour: false, width: 80 }],
  repairText: () => [log],
  replay: () => [program, [0]],
  replayTranscript: () => [{ path: "page_frag.ndjson", lines: transcript }],
  requestAtMin: () => [rules, 0x20, 0, 0],
  rulesOf: () => [release],
  scheduleText: () => [[0, 1]],
  search: () => [program],
  sleep: () => ["kmalloc"],
  sourceOf: () => ["log", log],
  step: () => [],
  test: () => [cell],
  testAndClear: () => [cell],
  testAndSet: () => [cell],
  to: () => ["main"],
  trylock: () => [lock],
  unlock: () => [lock],
  verifyDriver: () => [{ driver: "ringnic", kernel: "6.1", mtus: [1500] }],
  wait: () => [cell, "!=", 0],
  write: () => [cell, 1],
  zoneStateFromReport: () => [{ pageKb: 4, freeKb: 100, minKb: 10, lowKb: 20, highKb: 30 }],
  zoneWatermarkOk: () => [
    3,
    {
      free: 100,
      min: 10,
      low: 20,
      high: 30,
      boost: 0,
      lowmemReserve: undefined,
      orders: undefined,
      freeCma: 0,
      reservedHighatomic: 0,
    },
    { order: 0, mark: "min", highestZone: 0, high: false, harder: false, oom: false, cma: false, highatomic: false },
  ],
};

type Call = (...given: readonly unknown[]) => unknown;
const isCall = (entry: readonly [string, unknown]): entry is [Names, Call] =>
  typeof entry[1] === "function" && /^[a-z]/.test(entry[0]);
const functions = Object.entries(skblab).filter(isCall);
const absurd: readonly unknown[] = [
  undefined,
  null,
  -1,
  0.5,
  Number.NaN,
  1e99,
  "",
  "\0",
  {},
  [],
  [null],
  () => 5,
  5n,
  Symbol.iterator,
];
/** CPU time of one call. */
const budgetMillis = 3000;

/** What comes of a call: undefined when all is well, or what is wrong. */
async function outcome(call: () => unknown): Promise<string | undefined> {
  const began = process.cpuUsage();
  let said: string | undefined;
  try {
    const value = await call();
    if (typeof value === "object" && value !== null && "next" in value) (value as Iterator<unknown>).next();
  } catch (error) {
    if (!(error instanceof skblab.BadInput))
      said = error instanceof Error ? (error.stack ?? error.message) : String(error);
    else if (error.message.trim() === "" || error.message.includes("\n")) said = `not a sentence: ${error.message}`;
  }
  const { user, system } = process.cpuUsage(began);
  const millis = (user + system) / 1000;
  return said ?? (millis > budgetMillis ? `took ${millis} ms` : undefined);
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" &&
  value !== null &&
  Object.getPrototypeOf(value) === Object.prototype &&
  Object.keys(value).length < 12;

/** What functions of the library gave: as a whole it is replaced by something else, inside of it nothing is. */
const ours = new Set<unknown>([
  ...[release, machine, memory, machine.clock, machine.frames, parts, host, story, cell, lock, fifo, program, layout],
  ...[
    physical,
    picture,
    image,
    ...readings,
    ...verdicts,
    ...lines,
    ...incidents,
    diagnosis,
    ...read,
    ...document,
    maker,
    rules,
  ],
]);

/** A value with one thing wrong in it, everywhere where something can be wrong, two levels deep. */
function* spoiled(value: unknown, depth = 2): Generator<readonly [where: string, value: unknown]> {
  for (const other of absurd) yield [String(typeof other === "object" ? JSON.stringify(other) : String(other)), other];
  if (depth === 0 || ours.has(value)) return;
  if (Array.isArray(value) && value.length > 0 && value.length < 10)
    for (const [where, one] of spoiled(value[0], depth - 1)) yield [`[0]: ${where}`, [one, ...value.slice(1)]];
  if (!isPlain(value)) return;
  for (const key of Object.keys(value)) {
    const { [key]: _gone, ...others } = value;
    yield [`without ${key}`, others];
    for (const [where, one] of spoiled(value[key], depth - 1)) yield [`${key}: ${where}`, { ...others, [key]: one }];
  }
}

describe("every function", () => {
  test("looks at its arguments, and has a right call here", () => {
    expect(functions.length).toBeGreaterThan(90);
    expect(Object.keys(skblab).sort()).toEqual(Object.keys(inner).sort());
    expect(
      functions.filter(([name, call]) => (inner as Record<string, unknown>)[name] === call).map(([name]) => name),
    ).toEqual([]);
    expect(Object.keys(right).sort()).toEqual(functions.map(([name]) => name).sort());
  });

  test.each(functions)("%s takes what its type asks for, with nothing that may be left out", async (name, call) => {
    await call(...right[name]());
  });

  test.each(functions)("%s answers what cannot be with a value or one sentence", async (name, call) => {
    const wrong: string[] = [];
    const good = right[name]();
    // One more than it needs: what may be left out is given, and wrong.
    // A driver that is verified goes through its whole life each time.
    const every = name === "verifyDriver" ? 6 : 1;
    for (let i = 0; i <= good.length; i++)
      for (const [where, value] of oneIn(every, [...spoiled(good[i])])) {
        const said = await outcome(() => call(...good.slice(0, i), value, ...good.slice(i + 1)));
        if (said !== undefined) wrong.push(`${name}, argument ${i}, ${where}: ${said}`);
      }
    expect(wrong.slice(0, 3)).toEqual([]);
  });
});

describe("the sentence names the function, the argument and what it must be", () => {
  const told: Readonly<Record<string, () => unknown>> = {
    "readPools(): text is 5; it must be text.": () => (skblab.readPools as Call)("a", 5),
    "kmallocGeometry(): release is 5; it must be a release, as parseRelease() gives it.": () =>
      (skblab.kmallocGeometry as Call)(5),
    'readIncidents(): all[0] is "BUG: …"; it must be what repairText() gives.': () =>
      (skblab.readIncidents as Call)(["BUG: …"]),
    'identify(): head is "text"; it must be a Uint8Array.': () => (skblab.identify as Call)("text"),
    "replayTranscript(): input.lines[0] is 5; it must be text.": () =>
      (skblab.replayTranscript as Call)({ path: "a", lines: [5] }),
    "createMachine(): options.release is undefined; it must be a release, as parseRelease() gives it.": () =>
      (skblab.createMachine as Call)({ memoryMb: 64 }),
    "createMachine(): options.nics[0].driver is undefined": () =>
      (skblab.createMachine as Call)({ release, memoryMb: 64, nics: [{}] }),
  };
  test.each(Object.entries(told))("%s", (sentence, call) => {
    expect(call).toThrow(sentence);
    expect(call).toThrow(skblab.BadInput);
  });
});

test("a function that gives a promise gives one for a wrong argument too: it is rejected", async () => {
  for (const call of [skblab.explain, skblab.gather, skblab.readKernelFile] as readonly Call[]) {
    const given = call(5);
    expect(given).toBeInstanceOf(Promise);
    await expect(given).rejects.toThrow(skblab.BadInput);
  }
});

test("an option that is misspelt is no option left out; a member that is nobody's is let be", () => {
  const misspelt = { queus: 2 } as skblab.NapiOptions;
  expect(() => skblab.napiStory("mine", misspelt)).toThrow("napiStory(): options has no queus.");
  expect(() => skblab.createMachine({ release, memoryMb: 64, cpu: 2 } as skblab.MachineOptions)).toThrow(
    skblab.BadInput,
  );
  expect(() => skblab.napiStory("mine", { queues: 2, color: "blue" } as skblab.NapiOptions)).not.toThrow();
});

test("an order that no block has is no answer of 0", () => {
  const { pages } = machine;
  for (const order of [-1, 0.5, Number.NaN, "0" as unknown as number])
    expect(() => pages.allocPages(0xcc0, order)).toThrow(
      `pages.allocPages(): order is ${typeof order === "string" ? `"${order}"` : order}; it must be a whole number`,
    );
  expect(pages.allocPages(0xcc0, 99)).toBe(-1);
});

test("a size that no request has is no answer of the smallest cache", () => {
  const { forSize } = skblab.kmallocGeometry(release, { allocator: "slub", cpus: 2 });
  expect(() => forSize(-1)).toThrow("forSize(): bytes is -1; it must be a whole number 0 ..");
  expect(forSize(8)).toMatchObject({ kind: "slab" });
});

test("shapes are held to types: a member that is forgotten, required though it may be left out, or of another type does not compile", () => {
  interface Point {
    readonly x: number;
    readonly name?: string;
  }
  const point = members<Point>({ x: whole, "name?": text });
  expectTypeOf(point.of).toEqualTypeOf<((value: Point) => Point) | undefined>();
  // @ts-expect-error name is forgotten
  members<Point>({ x: whole });
  // @ts-expect-error name may be left out
  members<Point>({ x: whole, name: text });
  // @ts-expect-error x may not
  members<Point>({ "x?": whole, "name?": text });
  // @ts-expect-error x is no text
  members<Point>({ x: text, "name?": text });
});
