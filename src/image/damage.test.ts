// One broken thing gives one finding: each record of damage.ndjson changes a few bytes of a whole image, and says what must be found.
import { describe, expect, test } from "vitest";
import { openImage } from "./container/open.ts";
import { randomBytesOf } from "./container/random_bytes.ts";
import { type Damage, type OracleName, oracleBytes, oracleDamage, whyNoOracle } from "./image.testkit.ts";
import { readImage } from "./image.ts";
import { type Kernel, openKernel, overMemory } from "./kernel.ts";

const why = whyNoOracle();
if (why !== undefined) console.warn(`SKIPPED: damaged images: ${why}`);

const names: readonly OracleName[] = ["6.12-elf", "7.2-elf"];

/** What the one finding must name. */
function expected(d: Damage): readonly RegExp[] {
  const pfn = new RegExp(`\\bpfn ${d.pfn}\\b`);
  switch (d.what) {
    case "free_list_prev":
      return [/prev of pfn/, pfn, new RegExp(`free list ${d.zone} order ${d.order}`)];
    case "free_list_next_cut":
      return [/breaks off after/, pfn, new RegExp(/: (\d+ of \d+) blocks/.exec(d.expect)?.[1] as string)];
    case "buddy_order":
      return [/is on the order/, pfn, new RegExp(/page says order \d+/.exec(d.expect)?.[0] as string)];
    case "free_page_refcount":
      return [pfn, /has refcount 1/];
    case "free_page_not_buddy":
      return [pfn, /is not marked buddy/];
    case "nr_free":
      return [
        /nr_free/,
        new RegExp(`zone ${d.zone} order ${d.order}`),
        new RegExp(`${/the (\d+) blocks/.exec(d.expect)?.[1]} blocks`),
      ];
    case "slab_freelist_pointer":
      return [pfn, new RegExp(`cache ${d.cache}`), /free pointer of the first free object leads out of the slab/];
    case "slab_inuse":
      return [
        pfn,
        new RegExp(`cache ${d.cache}`),
        /inuse/,
        new RegExp(/\((\d+ of \d+) objects/.exec(d.expect)?.[1] as string),
      ];
    case "slab_cache_pointer":
      return [pfn, /does not point to a cache/];
    case "sk_queue_qlen":
      return [new RegExp(`socket ${d.sk} `), new RegExp(/qlen \d+, \d+ on/.exec(d.expect)?.[0] as string)];
    case "skb_frag_in_free_page":
      return [new RegExp(`skb ${d.skb} frag 0 points to pfn ${d.pfn}`), /free buddy page/];
    case "pool_hold_count":
      return [
        new RegExp(`page_pool ${d.pool}`),
        new RegExp(/\d+ pages in flight by the counters, \d+ pages/.exec(d.expect)?.[0] as string),
      ];
    case "pool_cache_double":
      return [new RegExp(`page_pool ${d.pool}`), pfn, /twice in the allocation cache/];
    case "pcp_count":
      return [new RegExp(`zone ${d.zone} cpu \\d+: pcp count`), /0 pages/];
    default:
      throw new Error(`damage.ndjson has a new kind: ${d.what}`);
  }
}

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g) ?? [], (b) => Number.parseInt(b, 16));

describe.skipIf(why !== undefined).each(names)("%s, damaged", (name) => {
  const bytes = why === undefined ? oracleBytes(name) : new Uint8Array(0);
  let kernel: Kernel | undefined;
  const cases = why === undefined ? oracleDamage(name) : [];
  test.each(cases.map((d) => [d.what, d] as const))("%s gives its finding and no other", (_, damage) => {
    kernel ??= openKernel(openImage([randomBytesOf(name, bytes)]));
    const place = bytes.subarray(damage.elf_offset, damage.elf_offset + damage.old.length / 2);
    expect(Buffer.from(place).toString("hex")).toBe(damage.old);
    place.set(bytesOf(damage.new));
    try {
      const memory = openImage([randomBytesOf(name, bytes)]);
      const { findings } = readImage(memory, { kernel: overMemory(kernel, memory), pointers: false });
      const texts = findings.list.map((f) => f.text);
      expect(texts, damage.expect).toHaveLength(1);
      for (const pattern of expected(damage)) expect(texts[0]).toMatch(pattern);
    } finally {
      place.set(bytesOf(damage.old));
    }
  });
});
