// Replays the size tables (tables.ndjson): what alloc_skb, netdev_alloc_skb, napi_alloc_skb and kmalloc give for every single size.
// A line stands for a run of sizes with equal results; each size of the run is allocated, compared and freed.
import { BadInput } from "../base/bad_input.ts";
import type { ExactKernel } from "../model/kernels/kernel.ts";
import type { SkbConfig, SkbMachineSizes } from "../model/net/skb/skb_config.ts";
import { dataAlign, sharedInfoRoom, truesizeOf } from "../model/net/skb/skb_config.ts";
import { skbSizes61 } from "../model/net/skb/skb_config61.ts";
import { viewSkb } from "../model/net/skb/skb_view.ts";
import type { Skbs } from "../model/net/skb/skbs.ts";
import { kmallocGeometry } from "../model/slab/geometry.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";
import { requireSame } from "./said_twice.ts";
import type { Row } from "./skb_compare.ts";
import type { SkbMachine, SkbMachineShape } from "./skb_machine.ts";
import { createSkbMachine, skbConfigOfShape } from "./skb_machine.ts";
import { kernelOfTranscript } from "./transcript_kernel.ts";

export const skbTablesReplayer: Replayer = {
  kind: "skb sizes",
  formats: ["ora_skb/0", "ora_skb/1", "ora_skb/2"],
  sniff: (line) => line.startsWith('{"t":"const",') && line.includes('"sizeof_skb_shared_info"'),
  replay,
};

function replay(input: TranscriptInput): Replayed {
  const constants = objectAt(input, 0);
  const kernel = kernelOfTranscript(input, constants);
  const shape: SkbMachineShape = { kernel, sizes: sizesOf(input, constants), ...shapeOf(kernel, input.lines) };
  const machine = createSkbMachine(shape);
  const config = skbConfigOfShape(shape);
  let operations = 0;
  let exact = 0;
  let first: Difference | undefined;
  const count = (line: number, operation: string, recorded: Row, model: Row): void => {
    operations++;
    const field = Object.keys(model).find((key) => recorded[key] !== model[key]);
    if (field === undefined) exact++;
    else
      first ??= {
        line,
        operation,
        kernel: `${field} = ${String(recorded[field])}`,
        model: `${field} = ${String(model[field])}`,
        reasons: [],
      };
  };
  count(1, "constants", constants, derived(config, constants));
  const buckets = machine.heap.caches().map((c) => c.geometry.objectSize);
  const ended = new Map<string, number>();
  for (let i = 1; i < input.lines.length; i++) {
    const row = objectAt(input, i);
    const kind = String(row["t"]);
    const measure = measures[kind];
    if (measure === undefined) continue;
    const from = Number(row["from"] ?? row["size"]);
    const to = Number(row["to"] ?? row["size"]);
    if (row["from"] !== undefined) {
      const due = ended.get(kind);
      if (from !== (due === undefined ? (kind === "kmalloc" ? 1 : 0) : due + 1))
        throw new BadInput(
          `${kind} goes on at size ${from}, and the line before ended at ${due ?? "none"}.`,
          { file: input.path, line: i + 1 },
          "Lines are missing or were moved: copy the transcript again, whole.",
        );
      ended.set(kind, to);
    } else if (!buckets.includes(from))
      throw new BadInput(`kmalloc has no cache of ${from} bytes.`, { file: input.path, line: i + 1 });
    for (let size = from; size <= to; size++) count(i + 1, `${kind}(${size})`, row, measure(machine, size, row));
  }
  const [end, ...others] = [...ended].filter(([kind]) => kind !== "kmalloc").map(([, to]) => to);
  for (const other of others) requireSame(input, input.lines.length, "The largest size of one table", other, end);
  return { operations, exact, firstDifference: first };
}

interface Shape {
  readonly cpus: number;
  /** Booted with slub_debug=FZPU. */
  readonly slubDebug: boolean;
}

/** The machine that was recorded, as far as it decides the order of slabs: the first with which every recorded order agrees. */
export function shapeOf({ release }: ExactKernel, lines: readonly string[]): Shape {
  const seen = lines.flatMap((line) => {
    const row = /^\{"t":"kmalloc_bucket","size":(\d+),.*"slab_page_order":(\d+)/.exec(line);
    return row === null ? [] : [{ size: Number(row[1]), order: Number(row[2]) }];
  });
  const shapes = [false, true].flatMap((slubDebug) => [2, 1, 4, 8, 16].map((cpus) => ({ cpus, slubDebug })));
  const fits = (shape: Shape): boolean => {
    const kmalloc = kmallocGeometry(release, { allocator: "slub", ...shape });
    return seen.every(({ size, order }) => kmalloc.forSize(size).order === order);
  };
  return shapes.find(fits) ?? { cpus: 2, slubDebug: false };
}

/** The sizes of the recorded kernel; the rules are the model's. BadInput where no kernel of 64 bits has such a size. */
function sizesOf(input: TranscriptInput, constants: Row): Partial<SkbMachineSizes> {
  const number = (key: string, otherwise: number): number => Number(constants[key] ?? otherwise);
  const powers = ["SMP_CACHE_BYTES", "L1_CACHE_BYTES", "ARCH_KMALLOC_MINALIGN", "KMALLOC_MIN_SIZE", "PAGE_SIZE"];
  const words = ["sizeof_sk_buff", "sizeof_sk_buff_fclones", "sizeof_skb_shared_info", "sizeof_page"];
  for (const [keys, sound] of [
    [powers, (n: number): boolean => n > 0 && (n & (n - 1)) === 0],
    [words, (n: number): boolean => n > 0 && n % 8 === 0],
  ] as const)
    for (const key of keys)
      if (!sound(number(key, 64)))
        throw new BadInput(`No kernel has ${key} ${constants[key]}.`, { file: input.path, line: 1 });
  return {
    skBuffBytes: number("sizeof_sk_buff", skbSizes61.skBuffBytes),
    fclonesBytes: number("sizeof_sk_buff_fclones", skbSizes61.fclonesBytes),
    sharedInfoBytes: number("sizeof_skb_shared_info", skbSizes61.sharedInfoBytes),
    fragsMax: number("MAX_SKB_FRAGS", skbSizes61.fragsMax),
    netSkbPad: number("NET_SKB_PAD", skbSizes61.netSkbPad),
    netIpAlign: number("NET_IP_ALIGN", skbSizes61.netIpAlign),
    cacheLineBytes: number("SMP_CACHE_BYTES", skbSizes61.cacheLineBytes),
  };
}

/** What the kernel computes from its sizes, as far as the recording states it. */
function derived(config: SkbConfig, constants: Row): Row {
  const overhead = sharedInfoRoom(config);
  const small = config.smallHeadBytes;
  const all: Row = {
    ...(small === 0 ? {} : { SKB_SMALL_HEAD_SIZE: small }),
    SKB_DATA_ALIGN_sk_buff: dataAlign(config, config.skBuffBytes),
    SKB_DATA_ALIGN_shinfo: overhead,
    SKB_TRUESIZE_0: truesizeOf(config, 0),
    SKB_MAX_HEAD_0: config.pageSize - overhead,
    SKB_MAX_ALLOC: config.pageSize * 4 - overhead,
    SKB_WITH_OVERHEAD_1024: 1024 - overhead,
    SKB_WITH_OVERHEAD_PAGE: config.pageSize - overhead,
    SKB_HEAD_ALIGN_1500: dataAlign(config, 1500) + overhead,
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => name in constants));
}

function measureSkb(machine: SkbMachine, alloc: (skbs: Skbs) => number, received: boolean, recorded: Row): Row {
  const { skbs, heap } = machine;
  const skb = alloc(skbs);
  const view = viewSkb(skbs, skb);
  const common = { end_offset: view.end, truesize: view.truesize };
  const row: Row = received
    ? { ...common, headroom: view.data, head_frag: Number(view.headFrag) }
    : {
        ...common,
        ksize: heap.ksize(view.headAddress),
        ...blockAt(heap, view.headAddress),
        ...("cache" in recorded ? { cache: cacheNameAt(heap, view.headAddress) } : {}),
      };
  skbs.kfreeSkb(skb);
  return row;
}

/** The name of the cache that an object is of; "" for pages of its own. */
function cacheNameAt(heap: SkbMachine["heap"], address: number): string {
  if (!heap.blockOf(address).slab) return "";
  const cache = heap.engine.cacheOf(address);
  return heap.caches().find((c) => c.id === cache)?.name ?? "?";
}

function blockAt(heap: SkbMachine["heap"], address: number): Row {
  const { slab, order } = heap.blockOf(address);
  return { slab: Number(slab), head_page_order: order };
}

function measureKmalloc({ heap }: SkbMachine, size: number, recorded: Row): Row {
  const address = heap.kmalloc(size, 0xcc0);
  const { slab, order } = heap.blockOf(address);
  const row = {
    ksize: heap.ksize(address),
    slab: Number(slab),
    page_order: order,
    // Kernels before 6.1 cannot be asked for it.
    ...("roundup" in recorded ? { roundup: heap.kmallocSizeRoundup(size) } : {}),
  };
  heap.kfree(address);
  return row;
}

const atomic = 0xa20;
const kernel = 0xcc0;

const measures: Readonly<Record<string, (machine: SkbMachine, size: number, recorded: Row) => Row>> = {
  alloc_skb: (m, size, row) => measureSkb(m, (skbs) => skbs.allocSkb(size, kernel), false, row),
  netdev_alloc_skb: (m, size, row) => measureSkb(m, (skbs) => skbs.netdevAllocSkb(size, atomic), true, row),
  netdev_alloc_skb_gfp_kernel: (m, size, row) => measureSkb(m, (skbs) => skbs.netdevAllocSkb(size, kernel), true, row),
  napi_alloc_skb: (m, size, row) => measureSkb(m, (skbs) => skbs.napiAllocSkb(size, atomic), true, row),
  kmalloc: measureKmalloc,
  kmalloc_bucket({ heap }, size) {
    const address = heap.kmalloc(size, kernel);
    const { slab, order } = heap.blockOf(address);
    heap.kfree(address);
    return { slab_page_order: order, is_slab: Number(slab) };
  },
};
