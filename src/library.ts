// What `import … from "skblab"` runs: the names of index.ts, where each function looks at its arguments first, so that a wrong one is answered by
// one sentence (BadInput). The types are index.ts's own. A function that is new there needs its line here (library_arguments.test.ts).

import {
  array,
  bits,
  boolean,
  bytes,
  callable,
  checked,
  checkedLater,
  count,
  either,
  finite,
  list,
  made,
  maybe,
  members,
  number,
  object,
  oneOf,
  record,
  type Shape,
  several,
  text,
  whole,
} from "./base/given.ts";
import type { RandomBytes } from "./image/container/random_bytes.ts";
import * as lib from "./index.ts";
import { architectures } from "./kernel/release.ts";
import type { StackDepot } from "./model/mm/page_owner.ts";
import type { NicOptions } from "./model/nic.ts";

export * from "./index.ts";

type First<F extends (...all: never[]) => unknown> = Parameters<F>[0];
type Second<F extends (...all: never[]) => unknown> = Parameters<F>[1];
/** An argument that may be left out, as it is where it is not. */
type Some<T> = Exclude<T, undefined>;

// What our own functions gave.
const machine = made<First<typeof lib.observeBuddyinfo>>("createBootedMemory(), or `memory` of createMachine()", {
  memory: object(),
  pages: object(),
  lru: object(),
  rules: object(),
  journal: object(),
});
const story = made<lib.Story>("defineStory()", { name: text, shared: array(), tasks: array(), ends: array() });
const program = made<lib.Program>("compile()", { story, tasks: count, effects: array(), notes: array() });
const poolReading = made<First<typeof lib.judgePools>[number]>("readPools()", {
  input: text,
  counters: array(),
  states: array(),
  traces: array(),
  warnings: array(),
  notes: array(),
  lines: array(),
});
const poolVerdict = made<lib.PoolVerdict>("judgePools()", {
  subject: text,
  summary: text,
  reasons: array(),
  mayHold: array(),
  next: array(),
});
const image = made<lib.Image>("readImage()", {
  memory: object(),
  kernel: object(),
  zones: object(),
  findings: object(),
  net: object(),
});
const incident = made<lib.Incident>("readIncidents()", {
  kind: text as never,
  reading: object() as never,
  firstLine: number,
});
const inputRead = made<First<typeof lib.diagnose>[number]>("finish() of a collector", {
  name: text,
  incidents: array(),
  notes: array(),
  around: object(),
});
const document = list(made<lib.Block>("diagnosisDocument()", { kind: text as never }));
const diagnosis = made<lib.Diagnosis>("diagnose()", { inputs: array(), incidents: array() });
const parts = made<lib.DriverParts>("a machine", {
  skbs: object(),
  heap: object(),
  pages: object(),
  cpus: object(),
  clock: object(),
  journal: object(),
  release: object(),
});
const host = object<lib.DriverHost>();
const picture = made<lib.SkbPicture>("a fault or an image", { skb: number, frags: array(), fragList: array() });
const prngShape = made<lib.Prng>("prng()", { below: callable(), unit: callable() });
const btf = made<lib.Btf>("readBtf()", { layouts: callable(), countOf: callable() });
const layout = made<lib.StructLayout>("layout() of declaredStructs()", {
  name: text,
  sizeBytes: number,
  members: array(),
});
const logLine = made<lib.LogLine>("repairText()", { line: number, text });
const cell = made<lib.Cell>("cell() of a story", { kind: oneOf("cell"), name: text, max: number });
const fifo = made<lib.Fifo>("fifo() of a story", { kind: oneOf("fifo"), name: text, max: number });
const effect = made<lib.Effect>("lock(), read() and their like", { does: text as never, at: text });
const lockShape = made<lib.Lock>("lock() of a story", { kind: oneOf("lock"), name: text });
const randomBytes = made<RandomBytes>("randomBytesOf()", { name: text, size: count, read: callable() });
const maker = made<lib.DriverMaker>("a driver's file", { name: text, features: number, make: callable() });

// What a program writes itself.
const versionNumbers: Shape<readonly number[]> = {
  must: "the numbers of a release, such as [6, 1]",
  is: (v) => Array.isArray(v) && v.length > 0 && v.every((n) => count.is(n)),
};
const release = members<lib.Release>(
  { version: versionNumbers, arch: oneOf(...architectures) },
  "a release, as parseRelease() gives it",
);
const generation = oneOf(0, 1, 2, 3);
const setting = either(either(number, text), boolean);
const settings = record(setting);
const sourceLine = members<First<typeof lib.findReadings>[number]>({ line: whole, text, "host?": text });
const comparison = oneOf("==", "!=", "<", ">=");
const nic = members<NicOptions>({
  "name?": text,
  driver: either(text, maker),
  "mtu?": number,
  "txQueueLen?": number,
  "irqCpu?": number,
  "queues?": number,
  "irqCpus?": list(whole),
  "xps?": boolean,
  "coalesceNanos?": number,
  "rss?": object(),
  "settings?": settings,
});
const policy = oneOf("classic", "placement-2005", "mobility");
const columns: Shape<number> = { must: "a whole number from 1 on", is: (v) => count.is(v) && v !== 0 };
const positive: Shape<number> = { must: "a number above 0", is: (v) => typeof v === "number" && v > 0 };
/** Of a booted machine, where nothing else is said. */
const bootChoices = {
  "nodes?": whole,
  "zones?": members<Some<lib.BootedOptions["zones"]>>({ types: array(), given: list(object()) }),
  "boostFactor?": count,
  "defragMode?": boolean,
  "extfragThreshold?": count,
  "policy?": policy,
  "activeFreeing?": boolean,
  "compaction?": boolean,
  "cma?": boolean,
  "journal?": made<lib.Journal>("a machine's journal", { emit: callable(), listen: callable() }),
  "marks?": object<Some<lib.BootedOptions["marks"]>>(),
  "killSomething?": callable<Some<lib.BootedOptions["killSomething"]>>(),
};
const nameAt = ["at?", text] as const;

// Texts and images.
export const readBtf = checked(
  "readBtf",
  lib.readBtf,
  ["bytes", bytes],
  ["file", text],
  ["base?", btf],
  ["pointerBytes?", oneOf(4, 8)],
);
export const readKernelFile = checkedLater(
  "readKernelFile",
  lib.readKernelFile,
  ["bytes", bytes],
  ["file", text],
  ["unpack", callable()],
  ["base?", btf],
);
export const readFunctionIndex = checked("readFunctionIndex", lib.readFunctionIndex, ["bytes", bytes]);
export const giveFunctionIndex = checked("giveFunctionIndex", lib.giveFunctionIndex, ["source", callable()]);
export const findReadings = checked("findReadings", lib.findReadings, ["lines", list(sourceLine)]);
export const gather = checkedLater(
  "gather",
  lib.gather,
  ["items", several()],
  [
    "options?",
    members<Some<Second<typeof lib.gather>>>({
      "onWindow?": callable(),
      "sieve?": object(),
      "keptChars?": count,
      "limits?": object(),
      "progress?": callable(),
    }),
  ],
);
export const identify = checked("identify", lib.identify, ["head", bytes]);
export const inferRelease = checked(
  "inferRelease",
  lib.inferRelease,
  ["incidents", list(incident)],
  ["banner?", members<Some<Second<typeof lib.inferRelease>>>({ text, line: logLine, "host?": text })],
);
export const readIncidents = checked("readIncidents", lib.readIncidents, ["all", list(logLine)]);
export const repairText = checked("repairText", lib.repairText, ["text", text], ["lineOf?", callable()]);
export const readPools = checked("readPools", lib.readPools, ["input", text], ["text", text]);
export const sourceOf = checked("sourceOf", lib.sourceOf, ["name", text], ["chunks", either(text, several())]);
export const openImage = checked("openImage", lib.openImage, ["sources", list(randomBytes)], ["live?", boolean]);
export const randomBytesOf = checked("randomBytesOf", lib.randomBytesOf, ["name", text], ["bytes", bytes]);
export const readImage = checked(
  "readImage",
  lib.readImage,
  [
    "memory",
    made<First<typeof lib.readImage>>("openImage()", { name: text, endPfn: count, facts: object(), page: callable() }),
  ],
  [
    "options?",
    members<Some<Second<typeof lib.readImage>>>({ "pointers?": boolean, "kernel?": object(), "progress?": callable() }),
  ],
);
export const imageRecords = checked("imageRecords", lib.imageRecords, ["image", image]);

// Facts.
export const decodeGfp = checked("decodeGfp", lib.decodeGfp, ["mask", number], ["version", versionNumbers]);
export const gfpReadings = checked("gfpReadings", lib.gfpReadings, ["mask", number]);
export const decodePageFlags = checked(
  "decodePageFlags",
  lib.decodePageFlags,
  ["flags", bits],
  ["version", versionNumbers],
  ["compact?", boolean],
);
export const pageFlagReadings = checked("pageFlagReadings", lib.pageFlagReadings, ["flags", bits]);
export const declaredStructs = checked(
  "declaredStructs",
  lib.declaredStructs,
  ["release", release],
  ["options?", made<ReadonlyMap<string, boolean>>("new Map()", { get: callable(), keys: callable() })],
);
export const holesOf = checked("holesOf", lib.holesOf, ["layout", layout]);
export const memberOf = checked("memberOf", lib.memberOf, ["layout", layout], ["path", text]);
export const parseRelease = checked("parseRelease", lib.parseRelease, ["text", text]);
export const formatRelease = checked("formatRelease", lib.formatRelease, ["release", release]);
export const gfpOf = checked("gfpOf", lib.gfpOf, ["release", release], ["combination", text], ["...bits", text]);
export const kmallocGeometry = checked(
  "kmallocGeometry",
  lib.kmallocGeometry,
  ["release", release],
  [
    "options",
    members<Second<typeof lib.kmallocGeometry>>({
      allocator: oneOf("slab", "slub"),
      cpus: whole,
      "cpuIds?": whole,
      "pageSize?": whole,
      "cacheLine?": whole,
      "slubDebug?": boolean,
      "slubMaxOrder?": whole,
      "moreThan32M?": boolean,
    }),
  ],
);

// Diagnosis and its drawings.
export const createCollector = checked("createCollector", lib.createCollector, [
  "options?",
  members<Some<First<typeof lib.createCollector>>>({ "keepAlike?": count, "leaveOut?": object() }),
]);
export const diagnose = checked("diagnose", lib.diagnose, ["inputs", list(inputRead)]);
export const explain = checkedLater("explain", lib.explain, ["inputs", record(either(text, several()))]);
export const judgePools = checked("judgePools", lib.judgePools, ["readings", list(poolReading)]);
export const diagnosisDocument = checked(
  "diagnosisDocument",
  lib.diagnosisDocument,
  ["d", diagnosis],
  ["measured?", list(list(object()))],
);
export const diagnosisJsonSchema = checked("diagnosisJsonSchema", lib.diagnosisJsonSchema);
export const imageDocument = checked("imageDocument", lib.imageDocument, ["image", image]);
export const imageJson = checked("imageJson", lib.imageJson, ["image", image]);
export const renderMarkdown = checked("renderMarkdown", lib.renderMarkdown, ["document", document]);
export const renderText = checked(
  "renderText",
  lib.renderText,
  ["document", document],
  ["style", members<Second<typeof lib.renderText>>({ colour: boolean, width: columns, "ascii?": boolean })],
);
export const poolsDocument = checked(
  "poolsDocument",
  lib.poolsDocument,
  ["verdicts", list(poolVerdict)],
  ["readings", list(poolReading)],
);
export const poolsJson = checked(
  "poolsJson",
  lib.poolsJson,
  ["verdicts", list(poolVerdict)],
  ["readings", list(poolReading)],
);
export const drawSkbAscii = checked("drawSkbAscii", lib.drawSkbAscii, ["picture", picture]);
export const drawSkbSvg = checked("drawSkbSvg", lib.drawSkbSvg, ["picture", picture]);

// The model.

export const prng = checked("prng", lib.prng, ["seed", number]);
export const partsFor = checked("partsFor", lib.partsFor, ["release", release]);
export const rulesOf = checked(
  "rulesOf",
  lib.rulesOf,
  ["release", release],
  [
    "choices?",
    members<Some<Second<typeof lib.rulesOf>>>({ "policy?": policy, "cma?": boolean, "groupingDisabled?": boolean }),
  ],
);
export const createBootedMemory = checked("createBootedMemory", lib.createBootedMemory, [
  "options",
  members<lib.BootedOptions>({ release, memoryMb: number, "cpus?": number, ...bootChoices }),
]);
export const createMachine = checked("createMachine", lib.createMachine, [
  "options",
  members<lib.MachineOptions>({
    release,
    memoryMb: number,
    "cpus?": number,
    "seed?": number,
    "nics?": list(nic),
    "memory?": members<Some<lib.MachineOptions["memory"]>>(bootChoices),
    "skb?": object(),
    "maxSkbFrags?": number,
    "slubMaxOrder?": number,
    "skbsMax?": number,
    "failing?": made<lib.Failing>("failing()", { pages: callable(), heap: callable() }),
    "owned?": object(),
  }),
]);
export const observeBuddyinfo = checked("observeBuddyinfo", lib.observeBuddyinfo, ["machine", machine]);
export const observeExtfrag = checked(
  "observeExtfrag",
  lib.observeExtfrag,
  ["machine", machine],
  ["which", oneOf("index", "unusable")],
);
export const observePagetypeinfo = checked(
  "observePagetypeinfo",
  lib.observePagetypeinfo,
  ["machine", machine],
  ["countAtMost?", count],
);
export const observeZoneinfo = checked("observeZoneinfo", lib.observeZoneinfo, ["machine", machine]);
export const createPageOwner = checked(
  "createPageOwner",
  lib.createPageOwner,
  ["machine", machine],
  ["version", versionNumbers],
  ["depot?", made<StackDepot>("a page owner", { save: callable(), frames: callable() })],
);
export const requestAtMin = checked(
  "requestAtMin",
  lib.requestAtMin,
  ["rules", made("rulesOf()", { gfp: object(), types: object(), generation })],
  ["gfp", count],
  ["order", count],
  ["highestZone", count],
  ["task?", members({ memalloc: boolean, realtime: boolean, inInterrupt: boolean, oomVictim: boolean })],
);
export const zoneStateFromReport = checked("zoneStateFromReport", lib.zoneStateFromReport, [
  "zone",
  members<First<typeof lib.zoneStateFromReport>>({
    pageKb: positive,
    freeKb: finite,
    minKb: finite,
    lowKb: finite,
    highKb: finite,
    "boostKb?": finite,
    "freeCmaKb?": finite,
    "reservedHighatomicKb?": finite,
    "lowmemReserve?": list(finite),
    "orders?": list(
      members<{ readonly blocks: number; readonly letters?: string | undefined }>({ blocks: count, "letters?": text }),
    ),
  }),
]);
export const zoneWatermarkOk = checked(
  "zoneWatermarkOk",
  lib.zoneWatermarkOk,
  ["generation", generation],
  [
    "zone",
    members<Second<typeof lib.zoneWatermarkOk>>({
      free: finite,
      min: finite,
      low: finite,
      high: finite,
      boost: finite,
      lowmemReserve: maybe(list(finite)),
      orders: maybe(list(object())),
      freeCma: finite,
      reservedHighatomic: finite,
    }),
  ],
  [
    "request",
    members<Parameters<typeof lib.zoneWatermarkOk>[2]>({
      order: count,
      mark: oneOf("min", "low", "high"),
      highestZone: count,
      high: boolean,
      harder: boolean,
      oom: boolean,
      cma: boolean,
      highatomic: boolean,
    }),
  ],
  ["boostRetry?", boolean],
);
export const failing = checked("failing", lib.failing, [
  "options",
  members<First<typeof lib.failing>>({ nth: number, "every?": number }),
]);
export const giveDriver = checked("giveDriver", lib.giveDriver, ["name", text], ["maker", object()]);
export const createRxRing = checked(
  "createRxRing",
  lib.createRxRing,
  ["parts", parts],
  ["host", host],
  ["size", number],
);
export const createTxRing = checked(
  "createTxRing",
  lib.createTxRing,
  ["parts", parts],
  ["host", host],
  [
    "options",
    members<Parameters<typeof lib.createTxRing>[2]>({
      size: number,
      "descriptors?": callable(),
      stopRoom: number,
      wakeRoom: number,
      "free?": callable(),
      "unlocked?": callable(),
      "cleaner?": text,
    }),
  ],
);
const frames = made<First<typeof lib.frameBytes>>("a machine's `frames`", { W: object(), give: callable() });
export const createLink = checked(
  "createLink",
  lib.createLink,
  [
    "clock",
    made<First<typeof lib.createLink>>("a machine's `clock`", {
      now: callable(),
      after: callable(),
      handler: callable(),
    }),
  ],
  ["frames", frames],
  [
    "options",
    members<Parameters<typeof lib.createLink>[2]>({
      bitsPerSecond: number,
      delayNanos: number,
      loss: number,
    }),
  ],
  ["random", prngShape],
  ["arrive", callable()],
);
export const frameBytes = checked("frameBytes", lib.frameBytes, ["frames", frames], ["frame", count]);

// Scenarios and what is held to rules.
export const kindNamed = checked("kindNamed", lib.kindNamed, ["name", text]);
export const readScenario = checked(
  "readScenario",
  lib.readScenario,
  ["file", text],
  ["text", text],
  [
    "kinds?",
    list(
      made<Some<ReturnType<typeof lib.kindNamed>>>("kindNamed()", { kind: text, schema: object(), run: callable() }),
    ),
  ],
  ["driverName?", callable()],
);
export const verifyDriver = checked("verifyDriver", lib.verifyDriver, [
  "options",
  members<First<typeof lib.verifyDriver>>({
    driver: either(text, maker),
    kernel: text,
    mtus: list(number),
    "settings?": settings,
    "queues?": number,
    "progress?": callable(),
  }),
]);
export const replayTranscript = checked("replayTranscript", lib.replayTranscript, [
  "input",
  members<First<typeof lib.replayTranscript>>({ path: text, lines: list(text), "kernel?": text, "as?": text }),
]);

// Stories, and what their tasks do.
export const defineStory = checked("defineStory", lib.defineStory, ["name", text], ["build", callable()]);
export const napiStory = checked(
  "napiStory",
  lib.napiStory,
  ["name", text],
  [
    "options?",
    members<lib.NapiOptions>({
      "queues?": oneOf(1, 2),
      "frames?": number,
      "interrupts?": oneOf("edge", "level"),
      "looksAgain?": boolean,
      "interruptFirst?": boolean,
      "remembersMissed?": boolean,
      "forgetsSecond?": boolean,
    }),
  ],
);
export const refillStory = checked("refillStory", lib.refillStory, ["name", text], ["timer", boolean]);
export const compile = checked(
  "compile",
  lib.compile,
  ["story", story],
  [
    "options?",
    members<Some<Second<typeof lib.compile>>>({
      "preemptions?": boolean,
      "limits?": members<Some<Some<Second<typeof lib.compile>>["limits"]>>({ depth: count, announcements: count }),
    }),
  ],
);
export const search = checked(
  "search",
  lib.search,
  ["p", program],
  [
    "options?",
    members<lib.SearchOptions>({
      "states?": count,
      "preemptions?": count,
      "reduce?": boolean,
      "livelock?": boolean,
      "progress?": callable(),
    }),
  ],
);
export const randomRuns = checked(
  "randomRuns",
  lib.randomRuns,
  ["p", program],
  ["options", members<Second<typeof lib.randomRuns>>({ seed: whole, runs: count, "steps?": count })],
);
export const replay = checked("replay", lib.replay, ["p", program], ["schedule", list(count)]);
export const readSchedule = checked("readSchedule", lib.readSchedule, ["text", text], ["p", program]);
export const scheduleText = checked("scheduleText", lib.scheduleText, ["path", list(count)]);
export const effectText = checked("effectText", lib.effectText, ["e", effect]);
export const lock = checked("lock", lib.lock, ["on", lockShape], nameAt);
export const trylock = checked("trylock", lib.trylock, ["on", lockShape], nameAt);
export const unlock = checked("unlock", lib.unlock, ["on", lockShape], nameAt);
export const irqOff = checked("irqOff", lib.irqOff, nameAt);
export const irqOn = checked("irqOn", lib.irqOn, nameAt);
export const irqSave = checked("irqSave", lib.irqSave, nameAt);
export const irqRestore = checked("irqRestore", lib.irqRestore, ["value", whole], nameAt);
export const bhOff = checked("bhOff", lib.bhOff, nameAt);
export const bhOn = checked("bhOn", lib.bhOn, nameAt);
export const read = checked("read", lib.read, ["on", cell], nameAt);
export const write = checked("write", lib.write, ["on", cell], ["value", whole], nameAt);
export const add = checked("add", lib.add, ["on", cell], ["value", whole], nameAt);
export const addAndRead = checked("addAndRead", lib.addAndRead, ["on", cell], ["value", whole], nameAt);
export const addAndTest = checked("addAndTest", lib.addAndTest, ["on", cell], ["value", whole], nameAt);
export const test = checked("test", lib.test, ["on", cell], ["compare?", comparison], ["value?", whole], nameAt);
export const testAndSet = checked("testAndSet", lib.testAndSet, ["on", cell], nameAt);
export const testAndClear = checked("testAndClear", lib.testAndClear, ["on", cell], nameAt);
export const wait = checked("wait", lib.wait, ["on", cell], ["compare", comparison], ["value", whole], nameAt);
export const idle = checked("idle", lib.idle, ["on", cell], ["compare", comparison], ["value", whole], nameAt);
export const enter = checked("enter", lib.enter, ["on", cell], ["compare", comparison], ["value", whole], nameAt);
export const push = checked("push", lib.push, ["on", fifo], ["value", whole], nameAt);
export const pushFront = checked("pushFront", lib.pushFront, ["on", fifo], ["value", whole], nameAt);
export const pop = checked("pop", lib.pop, ["on", fifo], nameAt);
export const freeSkb = checked("freeSkb", lib.freeSkb, nameAt);
export const sleep = checked("sleep", lib.sleep, ["call", text], nameAt);
export const step = checked("step", lib.step, nameAt);
export const joined = checked("joined", lib.joined, ["e", effect]);
export const remark = checked("remark", lib.remark, ["finding", text], ["text", text]);
export const fail = checked("fail", lib.fail, ["text", text]);
export const to = checked("to", lib.to, ["section", text], ["...args", number]);
