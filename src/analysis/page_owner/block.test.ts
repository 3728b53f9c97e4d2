import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { blockOwners } from "./block.ts";
import { createCensus } from "./census.ts";
import { pinsOf } from "./pins.ts";

const fixtures = join(import.meta.dirname, "../../../fixtures/page_owner");

function taken(name: string) {
  const data = gunzipSync(readFileSync(join(fixtures, name)));
  const taker = createCensus({ places: true });
  for (let at = 0; at < data.length; ) {
    const room = taker.scanner.room();
    const n = Math.min(room.length, data.length - at);
    room.set(data.subarray(at, at + n));
    taker.scanner.push(n);
    at += n;
  }
  return taker.finish();
}

test("the owners of all blocks together are the pinners of the whole report", () => {
  const census = taken("6.1-loaded.txt.gz");
  const options = { depth: 3 };
  const report = pinsOf(census, 9, "symbol", options);
  const blocks = new Set<number>();
  for (let i = 0; i < (census.places?.count ?? 0); i++) {
    const first = census.places!.pfn[i]!;
    for (let p = first; p < first + 2 ** census.places!.order[i]!; p += 512) blocks.add(Math.floor(p / 512));
  }
  const pages = new Map<string, number>();
  for (const block of blocks) {
    const { owners, firstPfn, unlisted } = blockOwners(census, block * 512 + 17, 9, "symbol", options);
    expect(firstPfn).toBe(block * 512);
    expect(unlisted + owners.reduce((n, o) => n + o.pages, 0)).toBe(512);
    for (const o of owners) pages.set(o.label, (pages.get(o.label) ?? 0) + o.pages);
  }
  expect(blocks.size).toBe(report.blocksSeen);
  expect(pages).toEqual(new Map(report.pinners.map((p) => [p.label, p.pages])));
});

test("a block that no record lies in is all unlisted", () => {
  expect(blockOwners(taken("6.1-before-load.txt.gz"), 2 ** 40, 3, "symbol", { depth: 3 })).toMatchObject({
    unlisted: 8,
    owners: [],
    blockType: "",
  });
});

test("owners of places are told by what a stack says; by process or mask they are refused and not guessed", () => {
  const places = { count: 0, pfn: new Float64Array(), order: new Uint8Array(), stack: new Int32Array() };
  const census = { ...createCensus({ places: true }).finish(), places: { ...places, types: new Uint16Array() } };
  for (const by of ["pid", "tgid", "name", "gfp", "order", "allocator"] as const)
    expect(() => pinsOf(census, 9, by, { depth: 3 })).toThrow(/stack/);
  for (const by of ["symbol", "module", "subsystem", "caller", "stack"] as const)
    expect(pinsOf(census, 9, by, { depth: 3 }).blocksSeen).toBe(0);
});
