// The heap against tables that a running 6.1.192 printed: kmalloc of every size, and every cache of /proc/slabinfo.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { slabinfo } from "../../artifact/proc/slabinfo.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createJournal } from "../journal.ts";
import { slabPartsOf } from "../kernels/slab_parts.ts";
import { createNaivePages } from "../mm/pages.ts";
import { cacheGeometry } from "./geometry.ts";
import type { SlabHeap } from "./kmalloc.ts";
import { createHeap } from "./kmalloc.ts";
import { observeSlabInfo } from "./slabinfo.ts";

const root = join(import.meta.dirname, "../../..");
const fixtures = join(root, "fixtures/slub");
const captures = join(root, "../shared/captures");
const read = (path: string): string =>
  path.endsWith(".gz") ? gunzipSync(readFileSync(path)).toString() : readFileSync(path, "utf8");

const heap = (cpus: number): SlabHeap =>
  createHeap({
    release: parseRelease("6.1.192"),
    parts: slabPartsOf(parseRelease("6.1.192")),
    allocator: "slub",
    cpus,
    pages: createNaivePages(1 << 16, 64),
    journal: createJournal(),
  });

interface Range {
  readonly t: string;
  readonly from: number;
  readonly to: number;
  readonly size: number;
  readonly ksize: number;
  readonly slab: number;
  readonly page_order: number;
  readonly slab_page_order: number;
  readonly roundup: number;
}

describe("kmalloc of every size from 1 to 70000", () => {
  const tables = [
    join(fixtures, "kmalloc-table-6.1-cpus2.json-lines.gz"),
    join(captures, "skb/tables.ndjson"),
    join(captures, "debian-stock/skb/tables.ndjson.gz"),
  ].filter((f) => existsSync(f));

  test.each(tables)("%s: usable bytes, roundup, page order and kind agree", (path) => {
    const h = heap(2);
    let sizes = 0;
    for (const line of read(path).split("\n")) {
      if (!line.includes('"t":"kmalloc')) continue;
      const row = JSON.parse(line) as Range;
      if (row.t === "kmalloc_bucket") {
        const address = h.kmalloc(row.size, 0);
        expect(h.blockOf(address)).toMatchObject({ order: row.slab_page_order, slab: true });
        h.kfree(address);
        continue;
      }
      for (let size = row.from; size <= row.to; size++) {
        const address = h.kmalloc(size, 0);
        const block = h.blockOf(address);
        const mine = [h.ksize(address), h.kmallocSizeRoundup(size), block.order, block.slab ? 1 : 0];
        if (mine.join() !== [row.ksize, row.roundup, row.page_order, row.slab].join())
          expect(mine, `kmalloc(${size})`).toEqual([row.ksize, row.roundup, row.page_order, row.slab]);
        h.kfree(address);
        sizes++;
      }
    }
    expect(sizes).toBe(70000);
    expect(h.live()).toBe(0);
  });
});

describe("/proc/slabinfo", () => {
  const files = [
    ...[2, 4].map((n) => [join(fixtures, `slabinfo-6.1-cpus${n}.txt.gz`), n] as const),
    ...(existsSync(captures)
      ? readdirSync(join(captures, "boot-state")).map(
          (d) => [join(captures, "boot-state", d, "slabinfo.txt"), Number(/cpus(\d+)/.exec(d)?.[1])] as const,
        )
      : []),
    ...(existsSync(captures) ? [[join(captures, "debian-stock/text/slabinfo"), 2] as const] : []),
  ];

  test.each(files)("%s (%i CPUs): objects and pages a slab of every cache agree", (path, cpus) => {
    const { reading } = slabinfo.read(
      read(path)
        .split("\n")
        .filter((l) => l !== "")
        .map((text, i) => ({ text, input: path, line: i + 1 })) as never,
    );
    expect(reading.caches.length).toBeGreaterThan(60);
    const machine = { release: parseRelease("6.1.192"), allocator: "slub" as const, cpus };
    for (const c of reading.caches) {
      // kmalloc-8 and the like say their size; objects of other caches are already padded.
      const g = cacheGeometry(machine, { objectSize: c.objectBytes });
      expect([c.name, g.objects, 2 ** g.order]).toEqual([c.name, c.objectsPerSlab, c.pagesPerSlab]);
    }
  });

  test("what the model shows prints as the kernel prints and reads back equal", () => {
    const h = heap(2);
    const head = h.cacheCreate("skbuff_head_cache", 224, 0);
    for (let i = 0; i < 20; i++) h.cacheAlloc(head, 0);
    h.kmalloc(100, 0);
    const seen = observeSlabInfo(h);
    const text = slabinfo.print(seen);
    expect(text).toMatch(/^skbuff_head_cache +32 +32 +256 +16 +1 : tunables +0 +0 +0 : slabdata +2 +2 +0$/m);
    const lines = text.split("\n").filter((l) => l !== "");
    const { reading, notes } = slabinfo.read(lines.map((t, i) => ({ text: t, input: "model", line: i + 1 })) as never);
    expect(notes).toEqual([]);
    expect(reading).toEqual(seen);
  });
});
