// Every container gives the pages that were put into it, byte by byte, and a page that was left out is absent, never zeros.
import { constants, deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BadInput } from "../../base/bad_input.ts";
import { prng } from "../../base/prng.ts";
import { readImage } from "../image.ts";
import { tinyFrames, tinyKernel } from "../tiny.testkit.ts";
import { elfCore, flattened, kdumpFile, type Method, type Pages } from "./container.testkit.ts";
import { inflateZlib } from "./inflate.ts";
import { openImage } from "./open.ts";
import type { PhysicalMemory } from "./physical.ts";
import { randomBytesOf } from "./random_bytes.ts";

const endPfn = 700;

/** Pages of several kinds at some frames: zeros, one byte, a half that repeats, noise. */
function somePages(seed: number): Map<number, Uint8Array> {
  const random = prng(seed);
  const pages = new Map<number, Uint8Array>();
  for (let pfn = 0; pfn < endPfn; pfn++) {
    if (random.chance(0.4)) continue;
    const page = new Uint8Array(4096);
    const kind = random.below(4);
    if (kind === 1) page.fill(random.below(256));
    if (kind === 2)
      for (let i = 0; i < 2048; i++) page[i] = page[i + 2048] = random.below(7) === 0 ? random.below(256) : i & 31;
    if (kind === 3) for (let i = 0; i < 4096; i++) page[i] = random.below(256);
    pages.set(pfn, page);
  }
  return pages;
}

function expectPages(memory: PhysicalMemory, pages: Pages, absentToo = true): void {
  for (let pfn = 0; pfn < endPfn + 20; pfn++) {
    const wanted = pages.get(pfn);
    if (wanted === undefined) {
      if (absentToo) expect(memory.page(pfn), `frame ${pfn}`).toBeUndefined();
      if (absentToo) expect(memory.has(pfn)).toBe(false);
    } else {
      expect(memory.has(pfn)).toBe(true);
      expect(Buffer.compare(memory.page(pfn) ?? new Uint8Array(0), wanted), `frame ${pfn}`).toBe(0);
    }
  }
}

const open = (...files: readonly Uint8Array[]): PhysicalMemory =>
  openImage(files.map((f, i) => randomBytesOf(`part${i}`, f)));

describe("containers", () => {
  test.each([false, true])("ELF core, number of segments in section 0: %s", (extended) => {
    const pages = somePages(1);
    const memory = open(elfCore(pages, { extended, note: "OSRELEASE=1\n" }));
    expect(memory.vmcoreinfo).toBe("OSRELEASE=1\n");
    expectPages(memory, pages);
  });

  test.each(["raw", "zlib", "snappy", "lzo", "zstd", "mixed"] as const)(
    "kdump-compressed, %s",
    (method: Method | "mixed") => {
      const pages = somePages(2);
      expectPages(open(kdumpFile(pages, { method, endPfn })), pages);
    },
  );

  test("parts of a split dump, in any order; a part that is missing leaves its pages absent, and that is said", () => {
    const pages = somePages(3);
    const part = (from: number, to: number): Uint8Array =>
      kdumpFile(pages, { method: "zlib", endPfn, part: [from, to] });
    const [a, b, c] = [part(0, 200), part(200, 511), part(511, endPfn)];
    expectPages(open(c, a, b), pages);
    const some = open(a, c);
    expectPages(some, new Map([...pages].filter(([p]) => p < 200 || p >= 511)));
    expect(some.facts.notes.join()).toMatch(/not all of its parts are given/);
    expect(() => open(a, a)).toThrow(BadInput);
  });

  test("flattened: records out of order, and a header that is written again at the end", () => {
    const pages = somePages(4);
    const file = kdumpFile(pages, { method: "mixed", endPfn });
    const random = prng(9);
    const records: [number, number][] = [];
    for (let at = 0; at < file.length; ) {
      const length = Math.min(file.length - at, 1 + random.below(9000));
      records.push([at, length]);
      at += length;
    }
    const shuffled = records
      .map((r) => [random.u32(), r] as const)
      .sort(([x], [y]) => x - y)
      .map(([, r]) => r);
    const wrong = file.slice();
    wrong.fill(0x55, 0, 8192);
    const early = flattened(wrong, [[0, 8192]]);
    const late = flattened(file, [...shuffled, [0, 4096], [4096, 4096]]);
    // The wrong header comes first: what is written later counts.
    const both = new Uint8Array(early.length - 16 + late.length - 4096);
    both.set(early.subarray(0, early.length - 16));
    both.set(late.subarray(4096), early.length - 16);
    expectPages(open(both), pages);
  });

  test("overlapping segments, and a segment that ends inside a page", () => {
    const pages = new Map([
      [3, new Uint8Array(4096).fill(3)],
      [4, new Uint8Array(4096).fill(4)],
    ]);
    const file = elfCore(pages);
    const view = new DataView(file.buffer);
    const table = Number(view.getBigUint64(32, true));
    // Half of the last page is cut off: no whole page, no page.
    view.setBigUint64(table + 56 + 32, 4096n + 2048n, true);
    const memory = open(file);
    expect(memory.page(3)?.[0]).toBe(3);
    expect(memory.page(4)).toBeUndefined();
  });

  test("a whole kernel reads the same out of every container", () => {
    const tiny = tinyKernel(5);
    const pages = new Map(
      Array.from({ length: tinyFrames }, (_, pfn) => [pfn, tiny.bytes.subarray(pfn * 4096, (pfn + 1) * 4096)] as const),
    );
    const note = tiny.vmcoreinfo;
    const files = [
      elfCore(pages, { note }),
      kdumpFile(pages, { method: "mixed", endPfn: tinyFrames, note }),
      flattened(kdumpFile(pages, { method: "lzo", endPfn: tinyFrames, note }), [[0, 1 << 22]]),
    ];
    for (const file of files) {
      const image = readImage(open(file.slice()));
      expect(image.findings.list).toEqual([]);
      expect(new Map(image.zones.zones[0]?.lists.map((l) => [`${l.order}/${l.migrateType}`, l.pfns]))).toEqual(
        tiny.truth.lists,
      );
    }
  });

  test("bytes at random places changed: an absent page or another one, never a crash, and headers give one sentence", () => {
    const seed = 77;
    console.info(`mutation seed ${seed}`);
    const random = prng(seed);
    const pages = new Map([...somePages(6)].slice(0, 60));
    const files = (["zlib", "snappy", "lzo", "zstd"] as const).map((method) => kdumpFile(pages, { method, endPfn }));
    files.push(
      elfCore(pages),
      flattened(files[0] as Uint8Array, [
        [0, 9000],
        [9000, 1 << 20],
      ]),
    );
    for (let round = 0; round < 400; round++) {
      const file = random.pick(files).slice();
      for (let n = 1 + random.below(20); n > 0; n--)
        file[random.below(random.chance(0.5) ? 8400 : file.length)] = random.below(256);
      const cut = random.chance(0.2) ? file.subarray(0, random.below(file.length)) : file;
      try {
        const memory = open(cut);
        for (let pfn = 0; pfn < 130; pfn++) {
          const page = memory.page(pfn);
          if (page !== undefined) expect(page.length).toBe(4096);
        }
      } catch (error) {
        if (!(error instanceof BadInput)) throw error;
      }
    }
  });
});

describe("inflate", () => {
  test.each([
    ["stored", { level: 0 }],
    ["fixed codes", { strategy: constants.Z_FIXED }],
    ["own codes", { level: 9 }],
    ["codes only", { strategy: constants.Z_HUFFMAN_ONLY }],
    ["runs", { strategy: constants.Z_RLE }],
  ] as const)("%s", (_, options) => {
    for (const page of somePages(8).values()) {
      const out = new Uint8Array(4096);
      expect(inflateZlib(new Uint8Array(deflateSync(page, options)), out)).toBe(true);
      expect(Buffer.compare(out, page)).toBe(0);
    }
  });

  test("a frame of another length, or with a wrong checksum, is refused", () => {
    const packed = new Uint8Array(deflateSync(new Uint8Array(4096).fill(7)));
    expect(inflateZlib(packed, new Uint8Array(4095))).toBe(false);
    expect(inflateZlib(packed, new Uint8Array(4097))).toBe(false);
    packed[packed.length - 1] = (packed.at(-1) as number) ^ 1;
    expect(inflateZlib(packed, new Uint8Array(4096))).toBe(false);
  });
});
