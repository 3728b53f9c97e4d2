// /proc/slabinfo, versions 1.1 (2.4: mm/slab.c), 2.0 and 2.1 (2.6 on: mm/slab.c, mm/slub.c, mm/slab_common.c); and the table that slabtop of
// procps makes of it, which rounds an object's size to hundredths of a KiB.
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { SlabInfo, SlabInfoCache } from "../../kernel/readings/slabinfo.ts";
import type { TextReader } from "../reader.ts";
import { asText, skipped } from "../reader.ts";

const first = /^slabinfo - version: (\S.*)$/;
const two =
  /^(\S.{0,200}?) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) : tunables +(\d+) +(\d+) +(\d+) : slabdata +(\d+) +(\d+) +(\d+)( : globalstat .*)?$/;
const one = /^(\S+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)( :.*)?$/;

const topHeader =
  /^\s{0,4}OBJS {1,4}ACTIVE {1,4}USE {1,4}OBJ SIZE {1,4}SLABS {1,4}OBJ\/SLAB {1,4}CACHE SIZE {1,4}NAME\s*$/;
const topRow =
  /^\s{0,12}(\d{1,12}) +(\d{1,12}) +(\d{1,3})% +(\d{1,9}\.\d\d)K +(\d{1,12}) +(\d{1,9}) +(\d{1,12})K (\S{1,100})\s*$/;
/** What slabtop writes above its table. */
const topSummary =
  /^\s{0,4}(?:Active \/ Total (?:Objects|Slabs|Caches|Size) \(% used\)|Minimum \/ Average \/ Maximum Object) {1,8}: /;
const slabtop = "slabtop";

export const slabinfo: TextReader<SlabInfo> = {
  kind: "slabinfo",
  title: "/proc/slabinfo",
  starts: (text) => first.test(text) || topHeader.test(text) || topSummary.test(text),
  continues: (text) =>
    two.test(text) ||
    one.test(text) ||
    topRow.test(text) ||
    topHeader.test(text) ||
    topSummary.test(text) ||
    text.trim() === "" ||
    text.startsWith("# name"),
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
      else if (topHeader.test(text) || topSummary.test(text)) {
        version = slabtop;
        header = header === undefined ? text : `${header}\n${text}`;
      } else if (text.trim() === "") header = header === undefined ? undefined : `${header}\n`;
      else if (first.test(text)) version = first.exec(text)![1]!;
      else notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "slabinfo", version, ...(header === undefined ? {} : { header }), caches }, notes };
  },
  print: (info) =>
    asText(
      info.version === slabtop
        ? [info.header ?? "", ...info.caches.map(topLine)]
        : [
            `slabinfo - version: ${info.version}`,
            ...(info.header === undefined ? [] : [info.header]),
            ...info.caches.map(cacheLine),
          ],
    ),
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
  if (old === null) return topOf(text);
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

/** A row of slabtop: its pages are the cache's size over its slabs (proc/slab.c and slabtop.c of procps-ng 4). */
function topOf(text: string): SlabInfoCache | undefined {
  const m = topRow.exec(text);
  if (m === null) return undefined;
  const n = (i: number): number => Number(m[i]);
  const slabs = n(5);
  return {
    name: m[8]!,
    activeObjects: n(2),
    objects: n(1),
    objectBytes: n(4) * 1024,
    objectsPerSlab: n(6),
    pagesPerSlab: slabs === 0 ? 0 : n(7) / slabs / 4,
    activeSlabs: slabs,
    slabs,
  };
}

function topLine(c: SlabInfoCache): string {
  const used = c.objects === 0 ? 0 : Math.floor((100 * c.activeObjects) / c.objects);
  const cells = [
    right(c.objects, 6),
    right(c.activeObjects, 6),
    `${right(used, 3)}%`,
    `${(c.objectBytes / 1024).toFixed(2).padStart(7)}K`,
    right(c.slabs, 6),
    right(c.objectsPerSlab ?? 0, 8),
    `${right(Math.round(c.pagesPerSlab * c.slabs * 4), 9)}K`,
  ];
  return `${cells.join(" ")} ${c.name.padEnd(23)}`;
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
