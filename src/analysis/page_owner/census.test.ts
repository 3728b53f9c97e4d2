import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { mapOf, mapToPng } from "../page_map.ts";
import type { Census, CensusOptions } from "./census.ts";
import { createCensus } from "./census.ts";
import { diffCensus, kendallChance, seriesOf } from "./compare.ts";
import { groupCensus, groupKeys } from "./group_by.ts";
import { pinsOf } from "./pins.ts";
import { dumpForm, readStackTables } from "./stack_tables.ts";

const fixtures = join(import.meta.dirname, "../../../fixtures/page_owner");
const dump = (name: string): Buffer => gunzipSync(readFileSync(join(fixtures, name)));

function take(text: Uint8Array | string, options: CensusOptions = {}, chunk = 1 << 19): Census {
  const data = typeof text === "string" ? Buffer.from(text, "latin1") : text;
  const taker = createCensus(options);
  for (let at = 0; at < data.length; ) {
    const room = taker.scanner.room();
    const n = Math.min(chunk, room.length, data.length - at);
    room.set(data.subarray(at, at + n));
    taker.scanner.push(n);
    at += n;
  }
  return taker.finish();
}

/** The dumb twin: lines and a Map. */
function naive(text: string): { records: number; pages: number; stacks: Map<string, number> } {
  const stacks = new Map<string, number>();
  let records = 0;
  let pages = 0;
  for (const block of text.split("\n\n")) {
    const lines = block.split("\n").filter((l) => l !== "");
    const order = /^Page allocated via order (\d+)/.exec(lines[0] ?? "")?.[1];
    if (order === undefined || Number(order) > 20) continue;
    const stack = lines
      .slice(1)
      .filter((l) => !l.startsWith("PFN"))
      .join("\n");
    records++;
    pages += 2 ** Number(order);
    stacks.set(stack, (stacks.get(stack) ?? 0) + 2 ** Number(order));
  }
  return { records, pages, stacks };
}

const loaded = dump("6.1-loaded.txt.gz");

describe("a real dump of 6.1", () => {
  const census = take(loaded, { places: true });
  const twin = naive(loaded.toString("latin1"));
  test("counts what a dumb count counts, stack by stack", () => {
    expect([census.records, census.pages]).toEqual([twin.records, twin.pages]);
    const byStack = new Map<string, number>();
    for (const row of census.rows) {
      const text = census.stackTexts[row.stack]!.trimEnd();
      byStack.set(text, (byStack.get(text) ?? 0) + row.pages);
    }
    expect(byStack).toEqual(twin.stacks);
    expect(census.notes).toEqual([]);
  });
  test("reads the same in chunks of 100 bytes", () => {
    const small = take(loaded, {}, 100);
    expect({ ...small, places: undefined }).toEqual({ ...census, places: undefined });
  });
  test("every grouping keeps every page", () => {
    for (const by of groupKeys) {
      const groups = groupCensus(census, { by: [by], depth: 3 });
      expect([by, groups.reduce((n, g) => n + g.pages, 0)]).toEqual([by, census.pages]);
    }
  });
  test("pins: every listed page is in one block, and blocks split into unmovable and movable-only", () => {
    for (const order of [0, 3, 9, 10]) {
      const report = pinsOf(census, order, "symbol", { depth: 1 });
      expect(report.blocksUnmovable + report.blocksMovableOnly).toBe(report.blocksSeen);
      expect(report.pinners.reduce((n, p) => n + p.pages, 0)).toBe(census.pages);
      for (const p of report.pinners) expect(p.alone).toBeLessThanOrEqual(p.blocks);
    }
    // A single page has one owner.
    const single = pinsOf(census, 0, "symbol", { depth: 1 });
    expect(single.pinners.reduce((n, p) => n + p.alone, 0)).toBe(census.pages);
  });
  test("the map shows every listed page once, and is a PNG", () => {
    const map = mapOf(census, "type", { depth: 1 });
    expect(map.pagesPerCell).toBe(1);
    expect(map.cells.reduce((n, c) => n + (c > 0 ? 1 : 0), 0)).toBe(census.pages);
    expect([...mapToPng(map).subarray(1, 4)]).toEqual([...Buffer.from("PNG")]);
  });
  test("the diff with the state before names the load's page cache as what grew most", () => {
    const before = take(dump("6.1-before-load.txt.gz"));
    const changes = diffCensus(before, census, { by: ["subsystem"], depth: 3 });
    expect(changes.reduce((n, c) => n + c.delta, 0)).toBe(census.pages - before.pages);
    expect(["page cache", "shared memory and tmpfs"]).toContain(changes[0]?.labels[0]);
  });
});

describe("other eras", () => {
  test("2005: no mask, no PFN, decimal offsets (the form that the LWN article shows)", () => {
    const text =
      "Page allocated via order 0\n[0xc0146f01] kmem_getpages+49\n[0xc014846d] cache_grow+173\n[0xc0118a8f] copy_files+431\n\nPage allocated via order 2\n[0xc0146572] __do_page_cache_readahead+290\n\n";
    const census = take(text);
    expect([census.records, census.pages]).toEqual([2, 5]);
    expect(groupCensus(census, { by: ["symbol"], depth: 1 }).map((g) => g.labels[0])).toEqual([
      "__do_page_cache_readahead",
      "copy_files",
    ]);
  });
  test("3.19: numbers for types, addresses before names", () => {
    const text =
      "Page allocated via order 1, mask 0x201da\nPFN 4097 Block 8 type 2 Flags      L   A \n [<ffffffff8115c62e>] __alloc_pages_nodemask+0x1/0x2\n [<ffffffff8115c62f>] tcp_sendmsg+0x10/0x20 [tcp_mod]\n\n";
    const census = take(text, { places: true });
    expect(census.rows[0]).toMatchObject({ order: 1, mask: 0x201da, blockType: "M", pages: 2 });
    expect(census.places?.pfn[0]).toBe(4097);
    expect(groupCensus(census, { by: ["symbol", "module"], depth: 1 })[0]?.labels).toEqual([
      "tcp_sendmsg [tcp_mod]",
      "tcp_mod",
    ]);
  });
  test("5.18 and later: memcg and migration lines are remarks, not frames; names may hold spaces and brackets", () => {
    const text =
      "Page allocated via order 0, mask 0xcc0(GFP_KERNEL), pid 7, tgid 7 (a) b), ts 9 ns, free_ts 0 ns\nPFN 0x10 type Unmovable Block 0 type Unmovable Flags 0x0()\n f+0x1/0x2\nPage has been migrated, last migrate reason: compaction\nCharged to memcg x\n\n";
    const census = take(text);
    expect(census.stacks[0]).toMatchObject({
      remarks: ["Page has been migrated, last migrate reason: compaction", "Charged to memcg x"],
      unread: [],
    });
    expect(census.rows[0]?.comm).toBe("a) b");
  });
  test("6.9 and later: stacks with counts; 6.19: handles joined with their stacks", () => {
    const stacks =
      " alloc_slab_page+0x1/0x2\n sk_alloc+0x3/0x4\nnr_base_pages: 16\n\n foo+0x1/0x2 [bar]\nnr_base_pages: 5\n\n";
    expect(dumpForm(stacks)).toBe("stack-table");
    expect(
      groupCensus(readStackTables(stacks, "x"), { by: ["symbol"], depth: 1 }).map((g) => [g.labels[0], g.pages]),
    ).toEqual([
      ["sk_alloc", 16],
      ["foo [bar]", 5],
    ]);
    const handles = "handle: 42\nnr_base_pages: 7\n\nhandle: 43\nnr_base_pages: 1\n\n";
    expect(dumpForm(handles)).toBe("handles");
    const joined = readStackTables(handles, "x", " foo+0x1/0x2\nhandle: 42\n\n");
    expect(groupCensus(joined, { by: ["symbol"], depth: 1 }).map((g) => [g.labels[0], g.pages])).toEqual([
      ["foo", 7],
      ["handle_43", 1],
    ]);
    expect(joined.notes).toHaveLength(1);
  });
});

describe("damage", () => {
  test("a dump cut anywhere loses at most its last record, and says so", () => {
    const text = loaded.toString("latin1").slice(0, 60_000);
    const p = prng(20);
    for (let i = 0; i < 60; i++) {
      const cut = text.slice(0, p.below(text.length));
      const whole = naive(cut.slice(0, cut.lastIndexOf("\n\n") + 2));
      const census = take(cut);
      expect(census.records - whole.records, `cut at ${cut.length}`).toBeLessThanOrEqual(1);
      expect(census.records).toBeGreaterThanOrEqual(whole.records);
      if (!cut.endsWith("\n\n") && cut !== "") expect(census.notes.some((n) => n.kind === "cut")).toBe(true);
    }
  });
  test("mutated bytes never crash it, and totals stay those of the dumb count (seed 7)", () => {
    const source = Buffer.from(loaded.subarray(0, 20_000));
    const p = prng(7);
    for (let round = 0; round < 200; round++) {
      const bytes = Buffer.from(source);
      for (let k = 0; k < 5; k++) bytes[p.below(bytes.length)] = p.pick([0x0a, 0x20, 0x50, 0x30, 0xff, 0x29]);
      const text = `${bytes.toString("latin1").replace(/\n*$/, "")}\n\n`;
      const census = take(text);
      const twin = naive(text.replace(/\n{3,}/g, "\n\n"));
      expect([round, census.records, census.pages]).toEqual([round, twin.records, twin.pages]);
    }
  });
  test("a record longer than a mebibyte is skipped and counted, the rest is read", () => {
    const huge = `Page allocated via order 0, mask 0x1\n${" x+0x1/0x2\n".repeat(150_000)}\n`;
    const good = "Page allocated via order 0, mask 0x1\n y+0x1/0x2\n\n";
    const census = take(good + huge + good);
    expect(census.records).toBe(2);
    expect(census.notes.map((n) => [n.kind, n.count])).toEqual([["oversized", 1]]);
  });
});

describe("equal hashes", () => {
  /** The scanner's hash of a text of 16 bytes (hash_text() in artifact/page_owner/kernel.c), to find texts that collide. */
  const hash16 = (bytes: Int32Array): number => {
    const stir = (acc: number, v: number): number => {
      const m = Math.imul(acc ^ v, 0x9e3779b1);
      return m ^ (m >>> 15);
    };
    const lane = (v: number): number => stir(stir(0x2545f491, v), 0x61c88647);
    const l = Array.from(bytes, lane) as [number, number, number, number];
    let h = l[0] ^ Math.imul(l[1], 0x9e3779b1) ^ Math.imul(l[2], 0x85ebca6b) ^ Math.imul(l[3], 0xc2b2ae35);
    h = Math.imul(h ^ 16, 0x27d4eb2f);
    return h ^ (h >>> 15);
  };
  test("stacks of one hash stay two stacks: the bytes decide", () => {
    const seen = new Map<number, string>();
    const pairs: string[] = [];
    const bytes = new Uint8Array(16);
    for (let i = 0; i < 300_000; i++) {
      const text = ` f${i.toString(36).padStart(5, "0")}+0x1/0x2\n`;
      new TextEncoder().encodeInto(text, bytes);
      const hash = hash16(new Int32Array(bytes.buffer));
      const other = seen.get(hash);
      if (other === undefined) seen.set(hash, text);
      else pairs.push(other, text);
    }
    expect(pairs.length).toBeGreaterThan(0);
    const dumpOf = pairs.map((stack) => `Page allocated via order 0, mask 0x1\n${stack}\n`).join("");
    const census = take(dumpOf.repeat(3));
    expect(census.stackTexts).toEqual(pairs);
    expect(census.rows.map((r) => r.records)).toEqual(pairs.map(() => 3));
  });
});

describe("series", () => {
  const of = (pages: readonly number[]): Census[] =>
    pages.map((n) => readStackTables(` leak+0x1/0x2\nnr_base_pages: ${n}\n\n`, "x"));
  const verdict = (pages: readonly number[]): string | undefined =>
    seriesOf(of(pages), { by: ["symbol"], depth: 1 })[0]?.verdict;
  test("a steady rise is leak-like, a rise that levels off is not, a cache goes up and down, three dumps say nothing", () => {
    expect(verdict([10, 20, 30, 40, 50, 60])).toBe("leak-like");
    expect(verdict([10, 500, 900, 950, 951, 952])).toBe("grew then levelled");
    expect(verdict([10, 90, 40, 80, 20, 60])).toBe("cache-like");
    expect(verdict([10, 20, 30])).toBe("too few dumps");
  });
  test("the chance of a rising order of n is 1/n!", () => {
    expect(kendallChance(4, 6, [1, 2, 3, 4])).toBeCloseTo(1 / 24, 12);
    expect(kendallChance(5, 10, [1, 2, 3, 4, 5])).toBeCloseTo(1 / 120, 12);
    expect(kendallChance(5, -10, [5, 4, 3, 2, 1])).toBeCloseTo(1, 12);
  });
});
