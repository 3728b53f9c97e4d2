import { expect, test } from "vitest";
import { createCensus } from "../analysis/page_owner/census.ts";
import { prng } from "../base/prng.ts";
import { kpf } from "../kernel/facts/kpageflags.ts";
import type { LiveMap } from "../live/page_map.ts";
import { createLiveMap } from "../live/page_map.ts";
import { pinOwners } from "../live/pin_owners.ts";
import type { LiveMapFile } from "./live_map.ts";
import { liveMapDocument, liveMapFile, pageMapOf } from "./live_map.ts";
import { renderText } from "./text.ts";

const buddy = 1 << kpf.BUDDY;
const slab = 1 << kpf.SLAB;
const cost = { seconds: 2, cpuSeconds: 0.5, entries: 10 };

function mapOf(words: readonly number[], blockOrder = 3): LiveMap {
  const taker = createLiveMap({ frames: words.length, blockOrder });
  taker.add(Uint32Array.from(words.flatMap((w) => [w, 0])), undefined, words.length);
  return taker.finish();
}

test("a map read back from its file is the same, cell for cell", () => {
  const seed = 3;
  const random = prng(seed);
  for (let round = 0; round < 15; round++) {
    const words: number[] = [];
    while (words.length < 5000)
      for (
        let n = random.below(random.chance(0.1) ? 40_000 : 5), w = random.pick([0, buddy, slab, 1 << kpf.LRU]);
        n >= 0;
        n--
      )
        words.push(w);
    const map = mapOf(words);
    const back = pageMapOf(JSON.parse(JSON.stringify(liveMapFile(map))), "m.json");
    expect(Buffer.compare(back.cells.subarray(0, words.length), map.cells), `seed ${seed}`).toBe(0);
    expect(back.legend.reduce((sum, l) => sum + l.pages, 0)).toBe(words.length);
  }
});

test("a file that is none, or is cut, or lies about its size, is one sentence", () => {
  const good = liveMapFile(mapOf([buddy, buddy, slab, 0, 0, 0]));
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [null, /skblab\.live-map\/1 is missing/],
    [{ schema: "skblab.live-map/2" }, /missing/],
    [{ ...good, frames: 1e12 }, /1000000000000 cells/],
    [{ ...good, frames: 2 }, /leaves the map/],
    [{ ...good, frames: 9 }, /end at cell 6 of 9/],
    [{ ...good, framesPerCell: 0 }, /whole numbers/],
    [{ ...good, runs: "§" }, /not Base64/],
    [{ ...good, runs: btoa("\u0001\u0080") }, /last run is cut/],
    [{ ...good, runs: btoa("\u0001\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u0001") }, /last run is cut/],
    [{ ...good, runs: btoa("\u00c8\u0006") }, /leaves the map/],
    [{ ...good, legend: [{ label: "x", colour: "url(x)", pages: 1 }] }, /row of its legend/],
  ];
  for (const [file, why] of bad) expect(() => pageMapOf(file, "m.json")).toThrow(why);
  expect(pageMapOf(good satisfies LiveMapFile, "m.json").cells.length).toBeGreaterThan(5);
});

test("who pins a block is told by page_owner: a slab page in a free block has its owner's name, another page is not listed", () => {
  const census = createCensus({ places: true });
  const dump = `Page allocated via order 0, mask 0x2820(GFP_ATOMIC|__GFP_NOWARN), pid 0, tgid 0 (swapper/0), ts 1 ns, free_ts 0 ns
PFN 0x12 type Unmovable Block 0 type Movable Flags 0x200(slab|node=0|zone=0)
 __alloc_pages+0x1/0x2
 e1000_alloc_rx_buffers+0x1/0x2
 e1000_clean_rx_irq+0x1/0x2

`;
  const bytes = new TextEncoder().encode(dump);
  census.scanner.room().set(bytes);
  census.scanner.push(bytes.length);
  const words = Array.from({ length: 32 }, (_, i) => (i === 0x12 || i === 3 ? slab : buddy));
  const map = mapOf(words);
  const owners = pinOwners(map, census.finish());
  expect(owners).toEqual({ owners: [{ label: "e1000_alloc_rx_buffers", blocks: 1, pages: 1 }], unlisted: 1 });
  const text = renderText(liveMapDocument(map, { cost, owners, unmanagedPages: 7 }), { colour: false, width: 100 });
  expect(text).toMatch(/e1000_alloc_rx_buffers\s+1\s+1/);
  expect(text).toMatch(/1 page that stays\s+2\s+50\.0 %/);
  expect(text).toMatch(/free as one block\s+2\s+50\.0 %/);
  expect(text).toMatch(/10 entries of kpageflags in 2\.0 s, 0\.50 s of one CPU/);
  expect(text).toMatch(/kpagecount could not be read/);
});
