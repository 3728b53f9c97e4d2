// /proc/slabinfo, versions 1.1 (2.4: mm/slab.c), 2.0 and 2.1 (2.6 on: mm/slab.c, mm/slub.c, mm/slab_common.c).
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { SlabInfo, SlabInfoCache } from "../../kernel/readings/slabinfo.ts";
import type { TextReader } from "../reader.ts";
import { asText, skipped } from "../reader.ts";

const first = /^slabinfo - version: (\S.*)$/;
const two =
  /^(\S.{0,200}?) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) : tunables +(\d+) +(\d+) +(\d+) : slabdata +(\d+) +(\d+) +(\d+)( : globalstat .*)?$/;
const one = /^(\S+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)( :.*)?$/;

export const slabinfo: TextReader<SlabInfo> = {
  kind: "slabinfo",
  title: "/proc/slabinfo",
  starts: (text) => first.test(text),
  continues: (text) => two.test(text) || one.test(text) || text.startsWith("# name"),
  read(lines) {
    const notes: LogNote[] = [];
    const caches: SlabInfoCache[] = [];
    let version = "";
    let header: string | undefined;
    for (const source of lines) {
      const { text } = source;
      const cache = cacheOf(text);
      if (cache !== undefined) caches.push(cache);
      else if (text.startsWith("# name")) header = text;
      else if (first.test(text)) version = first.exec(text)![1]!;
      else notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "slabinfo", version, ...(header === undefined ? {} : { header }), caches }, notes };
  },
  print: (info) =>
    asText([
      `slabinfo - version: ${info.version}`,
      ...(info.header === undefined ? [] : [info.header]),
      ...info.caches.map(cacheLine),
    ]),
};

function cacheOf(text: string): SlabInfoCache | undefined {
  const m = two.exec(text);
  if (m !== null) {
    const n = (i: number): number => Number(m[i]);
    return {
      name: m[1]!,
      activeObjects: n(2),
      objects: n(3),
      objectBytes: n(4),
      objectsPerSlab: n(5),
      pagesPerSlab: n(6),
      tunables: [n(7), n(8), n(9)],
      activeSlabs: n(10),
      slabs: n(11),
      sharedAvailable: n(12),
      ...(m[13] === undefined ? {} : { rest: m[13] }),
    };
  }
  const old = one.exec(text);
  if (old === null) return undefined;
  const n = (i: number): number => Number(old[i]);
  return {
    name: old[1]!,
    activeObjects: n(2),
    objects: n(3),
    objectBytes: n(4),
    activeSlabs: n(5),
    slabs: n(6),
    pagesPerSlab: n(7),
    ...(old[8] === undefined ? {} : { rest: old[8] }),
  };
}

const right = (n: number, width: number): string => String(n).padStart(width);

function cacheLine(c: SlabInfoCache): string {
  const start = `${c.name.padEnd(17)} ${right(c.activeObjects, 6)} ${right(c.objects, 6)} ${right(c.objectBytes, 6)}`;
  if (c.objectsPerSlab === undefined || c.tunables === undefined) {
    return `${start} ${right(c.activeSlabs, 4)} ${right(c.slabs, 4)} ${right(c.pagesPerSlab, 4)}${c.rest ?? ""}`;
  }
  const tunables = c.tunables.map((t) => right(t, 4)).join(" ");
  const data = [c.activeSlabs, c.slabs, c.sharedAvailable ?? 0].map((n) => right(n, 6)).join(" ");
  return `${start} ${right(c.objectsPerSlab, 4)} ${right(c.pagesPerSlab, 4)} : tunables ${tunables} : slabdata ${data}${c.rest ?? ""}`;
}
