// Compares every cache's geometry with what the model computes from its object size: slab size, objects, order, and what a CPU keeps of it.
// The text is one line a cache, `name attribute=value …`, as read out of /sys/kernel/slab/*/. It names neither the kernel (that lies beside
// it, or the user says it) nor the CPUs: the orders show how many there were, as far as they depend on it.
import { BadInput } from "../base/bad_input.ts";
import { askedSheafCapacity } from "../kernel/facts/slab.ts";
import type { CacheGeometry, KmallocCache, SlabMachine } from "../model/slab/geometry.ts";
import { cacheGeometry, kmallocGeometry } from "../model/slab/geometry.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { kernelOfTranscript } from "./transcript_kernel.ts";

interface RecordedCache {
  readonly name: string;
  readonly line: number;
  readonly values: Readonly<Record<string, number>>;
}

type Wrong = readonly [field: string, kernel: number, model: number];

const attribute = /^([a-z_]+)=(\d*)$/;

function cachesOf(input: TranscriptInput): RecordedCache[] {
  return input.lines.flatMap((text, i): RecordedCache[] => {
    if (text.trim() === "") return [];
    const [name = "", ...fields] = text.trim().split(/ +/);
    const values: Record<string, number> = {};
    for (const field of fields) {
      const [, key, number] = attribute.exec(field) ?? [];
      if (key !== undefined && number !== "") values[key] = Number(number);
    }
    for (const needed of ["object_size", "slab_size", "objs_per_slab", "order", "align"])
      if (values[needed] === undefined)
        throw new BadInput(
          `This line has no ${needed}; it may be cut off.`,
          { file: input.path, line: i + 1 },
          "Copy the file again, whole.",
        );
    const align = values["align"] as number;
    if (align < 1 || (align & (align - 1)) !== 0)
      throw new BadInput(`No kernel aligns objects to ${align} bytes.`, { file: input.path, line: i + 1 });
    return [{ name, line: i + 1, values }];
  });
}

/** The attributes that are compared, where the file has them. */
const compared: readonly (readonly [attribute: string, of: (g: CacheGeometry) => number])[] = [
  ["slab_size", (g) => g.size],
  ["objs_per_slab", (g) => g.objects],
  ["order", (g) => g.order],
  ["cpu_partial", (g) => g.cpuPartial],
  ["min_partial", (g) => g.minPartial],
  ["sheaf_capacity", (g) => g.sheafCapacity],
];

/** The geometry that the model gives a cache of this object size and alignment. */
function modelOf(machine: SlabMachine, { name, values: v }: RecordedCache): CacheGeometry {
  const asked = askedSheafCapacity.get(name);
  const wish = {
    objectSize: v.object_size as number,
    align: v.align as number,
    kmalloc: /(^|-)kmalloc-/.test(name),
    ...(asked === undefined ? {} : { sheafCapacity: asked }),
  };
  // sysfs does not say whether the first words of a free object must survive (constructor, RCU): the size does.
  const plain = cacheGeometry(machine, wish);
  return plain.size === v.slab_size ? plain : cacheGeometry(machine, { ...wish, keepsContents: true });
}

/** kmalloc's own caches have no wish: name, size and alignment are the kernel's. */
function compareKmalloc(
  own: readonly (KmallocCache & { readonly geometry: CacheGeometry })[],
  c: RecordedCache,
): Wrong[] {
  const match = /^(?:dma-)?kmalloc-(?:rcl-|cg-|rnd-\d+-)?(\d+[kM]?)$/.exec(c.name);
  if (match === null) return [];
  const cache = own.find(({ name }) => name === `kmalloc-${match[1]}`);
  const wrong: Wrong[] = [
    ["object_size", c.values.object_size as number, cache?.size ?? 0],
    ["align", c.values.align as number, cache?.geometry.align ?? 0],
  ];
  return wrong.filter(([, kernel, model]) => kernel !== model);
}

interface Compared {
  readonly cpus: readonly [first: number, last: number];
  readonly wrong: readonly { readonly cache: RecordedCache; readonly wrong: readonly Wrong[] }[];
}

/** All caches against a machine with CPUs `first` .. `last`, which are the same to SLUB. */
function compareAll(machine: Omit<SlabMachine, "cpus">, caches: readonly RecordedCache[], first: number): Compared {
  const on: SlabMachine = { ...machine, cpus: first };
  const own = kmallocGeometry(on.release, on).caches;
  const wrong = caches.flatMap((cache) => {
    const g = modelOf(on, cache);
    const found = compared.flatMap(([field, of]): Wrong[] => {
      const kernel = cache.values[field];
      return kernel === undefined || kernel === of(g) ? [] : [[field, kernel, of(g)]];
    });
    const all = [...compareKmalloc(own, cache), ...found];
    return all.length === 0 ? [] : [{ cache, wrong: all }];
  });
  return { cpus: [first, 2 * first - 1], wrong };
}

function difference({ cache, wrong }: Compared["wrong"][number], cpus: string): Difference {
  return {
    line: cache.line,
    operation: `cache ${cache.name}, ${cache.values.object_size} bytes an object`,
    kernel: wrong.map(([field, kernel]) => `${field}=${kernel}`).join(" "),
    model: wrong.map(([field, , model]) => `${field}=${model}`).join(" "),
    reasons: [`The model has ${cpus}, with which most caches agree.`],
  };
}

function replay(input: TranscriptInput): Replayed {
  const { release } = kernelOfTranscript(input, {});
  const caches = cachesOf(input);
  const checked = caches.filter(({ values: v }) => v.red_zone === 1 && v.store_user === 1 && v.poison === 1).length;
  if (checked !== 0 && checked !== caches.length)
    throw new BadInput(
      `${checked} of ${caches.length} caches are checked (slub_debug), the others are not.`,
      { file: input.path },
      "Record all of them with it, or none.",
    );
  const machine = { release, allocator: "slub", slubDebug: checked !== 0 } as const;
  // The order of a slab depends on the number of bits in the number of CPUs.
  const all = [1, 2, 4, 8, 16, 32, 64, 128, 256].map((first) => compareAll(machine, caches, first));
  const best = all.reduce((a, b) => (b.wrong.length < a.wrong.length ? b : a));
  const last = [...all].reverse().find((c) => c.wrong.length === best.wrong.length) ?? best;
  const [from, to] = [best.cpus[0], last.cpus[1]];
  const cpus = from === to ? `${from} CPU` : `${from} to ${to} CPUs`;
  return {
    operations: caches.length,
    exact: caches.length - best.wrong.length,
    firstDifference: best.wrong[0] === undefined ? undefined : difference(best.wrong[0], cpus),
    compared: `The slabs are those of a machine with ${cpus}.`,
  };
}

/** Attributes of every cache of /sys/kernel/slab, one line a cache. */
export const slabGeometryReplayer: Replayer = {
  kind: "slab geometry",
  formats: [],
  sniff: (firstLine) => /^\S+ object_size=\d+ slab_size=\d+ objs_per_slab=\d+ /.test(firstLine),
  replay,
};
