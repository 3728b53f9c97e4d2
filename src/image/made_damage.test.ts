// Damage of kinds that damage.ndjson has not, made from what the reader found in a whole image: each gives one finding that names the place.
import { beforeAll, describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { type OracleName, oracleMemory, whyNoOracle } from "./image.testkit.ts";
import { type Image, readImage } from "./image.ts";
import { frameAddress, type Kernel, openKernel, overMemory } from "./kernel.ts";
import { allocatedObjects, SlabReader } from "./slab/caches.ts";

const why = whyNoOracle();
if (why !== undefined) console.warn(`SKIPPED: made-up damage: ${why}`);

const seed = 20261130;
const random = prng(seed);
const pick = <T>(of: readonly T[]): T => random.pick(of);

/** A word of 1 to 8 bytes at a kernel address. */
type Write = readonly [at: bigint, bytes: 1 | 2 | 4 | 8, value: bigint];

/** Places of an image by what they are. */
class Places {
  readonly image: Image;
  readonly kernel: Kernel;

  constructor(image: Image) {
    this.image = image;
    this.kernel = image.kernel;
  }
  page = (pfn: number): bigint => this.kernel.vmemmap + BigInt(pfn * this.kernel.pageStructBytes);
  word = (
    pfn: number,
    name: "link" | "mapcount" | "refcount" | "private" | "flags" | "mapping" | "poolMagic",
  ): bigint => this.page(pfn) + BigInt((this.image.map.marks.words[name] as number) * 4);
  of = (struct: string, ...members: string[]): bigint => this.kernel.types.struct(struct).at(...members);
  lists = (least: number) =>
    this.image.zones.zones.flatMap((zone) =>
      zone.lists.filter((l) => l.pfns.length >= least).map((list) => ({ zone, list })),
    );
  head({ zone, list }: ReturnType<Places["lists"]>[number]): bigint {
    const area = this.kernel.types.struct("free_area");
    const at = zone.address + this.of("zone", "free_area") + BigInt(list.order * area.sizeBytes);
    return at + area.at("free_list") + BigInt(list.migrateType * 16);
  }
  free = (least = 0): number => pick(pick(this.lists(1).filter((x) => x.list.order >= least)).list.pfns);
  cpuPage = (): number =>
    pick(this.image.zones.zones.flatMap((z) => z.pcp.flatMap((c) => c.lists)).filter((l) => l.length > 0))[0] as number;
  /** A page of the LRU lists. */
  used = (): number => pick(pick((this.image.lru ?? []).filter((l) => l.pfns.length > 2)).pfns);
  partial = () => pick(this.image.caches.filter((c) => (c.nodes[0]?.partial.length ?? 0) > 1));
  node(cache: bigint): bigint {
    const { types, space } = this.kernel;
    const pairs = types.struct("kmem_cache").find("per_node");
    const inPair = pairs === undefined ? 0n : types.struct(pairs.struct as string).at("node");
    return space.u64(cache + (pairs ?? types.struct("kmem_cache").field("node")).at + inPair);
  }
  queued = (name = "rx") =>
    pick(
      this.image.net.sockets.sockets.flatMap((socket) =>
        socket.queues.filter((q) => q.name === name && q.skbs.length > 2).map((queue) => ({ socket, queue })),
      ),
    );
  skb = () => pick(this.image.net.holders.live.filter((s) => this.image.net.holders.placesOf(s.address).length > 0));
  withFrags = () => pick(this.image.net.holders.live.filter((s) => s.fclone === 0 && s.frags.length > 0));
  pool = () => pick(this.image.net.pools.filter((p) => p.owned.length > 0 && p.cache.length > 0));
}

const nowhere = 0xdead000000000100n;

/** What is written, and what the one finding must say. */
const kinds: Readonly<Record<string, (p: Places) => readonly [Write, RegExp]>> = {
  "a free list whose head forgot its first block": (p) => [
    [p.head(pick(p.lists(2))), 8, 0n],
    /breaks off after its head/,
  ],
  "a free list that says it is empty": (p) => {
    const head = p.head(pick(p.lists(2)));
    return [[head, 8, head], /breaks off after its head: 0 of \d+ blocks/];
  },
  "the head's prev": (p) => [[p.head(pick(p.lists(2))) + 8n, 8, nowhere], /prev of the head does not point to pfn \d+/],
  "a next that leads to a page in use": (p) => [
    [p.word(pick(pick(p.lists(3)).list.pfns), "link"), 8, p.word(p.used(), "link")],
    /breaks off after/,
  ],
  "a next that leads to another list": (p) => {
    const own = pick(p.lists(3));
    const other = pick(p.lists(3).filter((x) => x.list.order !== own.list.order));
    return [[p.word(pick(own.list.pfns), "link"), 8, p.word(pick(other.list.pfns), "link")], /breaks off after/];
  },
  "a reference to a page inside a free block": (p) => [
    [p.word(p.free(1) + 1, "refcount"), 4, 1n],
    /on a free list .* holds pfn \d+, which has refcount 1/,
  ],
  "a mapping of a free page": (p) => [[p.word(p.free(), "mapping"), 8, frameAddress(p.kernel, 4096)], /has a mapping/],
  NR_FREE_PAGES: (p) => {
    const zone = pick(p.image.zones.zones.filter((z) => z.present > 0));
    const item = p.kernel.types.constant("zone_stat_item", "NR_FREE_PAGES") ?? 0;
    const at = zone.address + p.of("zone", "vm_stat") + BigInt(item * 8);
    return [[at, 8, BigInt(zone.free + 512)], /NR_FREE_PAGES says \d+ .*, \d+ pages are on the lists/];
  },
  "a buddy mark on a per-CPU page": (p) => [
    [p.word(p.cpuPage(), "mapcount"), 4, BigInt((p.image.map.mapcount[p.free()] as number) >>> 0)],
    /on a per-CPU list .* has the buddy mark/,
  ],
  "a page that was put once too often": (p) => [
    [p.word(p.used(), "refcount"), 4, 0xffffffffn],
    /pfn \d+ has refcount -1/,
  ],
  nr_partial: (p) => {
    const c = p.partial();
    const at = p.node(c.address) + p.of("kmem_cache_node", "nr_partial");
    return [[at, 8, BigInt((c.nodes[0]?.nrPartial ?? 0) + 2)], new RegExp(`cache ${c.name}: nr_partial says`)];
  },
  "the list of partial slabs": (p) => {
    const c = p.partial();
    const at = p.page(pick(c.nodes[0]?.partial ?? [])) + p.of("slab", "slab_list") + 8n;
    return [[at, 8, nowhere], new RegExp(`cache ${c.name}: the list of partial slabs prev of`)];
  },
  "a slab that names another cache": (p) => {
    const own = p.partial();
    const other = pick(p.image.caches.filter((c) => c.size !== own.size));
    const at = p.page(pick(own.nodes[0]?.partial ?? [])) + p.of("slab", "slab_cache");
    return [[at, 8, other.address], /nr_slabs says .* too many points to cache .*, pfn \d+/];
  },
  "an sk_buff without users in a queue": (p) => [
    [pick(p.queued().queue.skbs) + p.of("sk_buff", "users"), 4, 0n],
    /is in the receive queue of socket .*nobody uses it/,
  ],
  "a queue that leads to a freed sk_buff": (p) => {
    const cache = p.image.net.skbs.caches[0]!;
    const inUse = new Set(allocatedObjects(p.kernel, cache, new SlabReader(p.kernel)));
    const base = cache.slabs.map((pfn) => frameAddress(p.kernel, pfn));
    const dead = base.flatMap((b) =>
      Array.from({ length: cache.objectsPerSlab }, (_, i) => b + BigInt(i * cache.size)),
    );
    const at = p.queued().queue.skbs[0]! + p.of("sk_buff", "next");
    return [[at, 8, pick(dead.filter((o) => !inUse.has(o)))], /the receive queue prev of/];
  },
  "a head in a free page": (p) => {
    const skb = pick(p.image.net.holders.live.filter((s) => s.fclone === 0));
    return [[skb.address + p.of("sk_buff", "head"), 8, frameAddress(p.kernel, p.free())], /its head lies in pfn \d+/];
  },
  dataref: (p) => {
    const skb = p.skb();
    return [[skb.head + BigInt(skb.end) + p.of("skb_shared_info", "dataref"), 4, 0n], /nobody refers to its data/];
  },
  nr_frags: (p) => {
    const skb = p.withFrags();
    const at = skb.head + BigInt(skb.end) + p.of("skb_shared_info", "nr_frags");
    return [[at, 1, 200n], /nr_frags says 200/];
  },
  "a fragment that is no page": (p) => {
    const skb = p.withFrags();
    const at = skb.head + BigInt(skb.end) + p.of("skb_shared_info", "frags");
    return [[at, 8, nowhere], /frag 0 points to dead000000000100, which is not a page/];
  },
  data_len: (p) => {
    const skb = p.skb();
    return [[skb.address + p.of("sk_buff", "data_len"), 4, BigInt(skb.len + 1000)], /data_len \d+ is more than len/];
  },
  "a page at home that lost the pool's mark": (p) => [
    [p.word(p.pool().cache[0] as number, "poolMagic"), 8, 0n],
    /is in the allocation cache and does not carry its mark/,
  ],
  "a page that names no pool": (p) => [
    [p.page(p.pool().owned[0]?.pfn as number) + p.of("page", "pp"), 8, frameAddress(p.kernel, 1 << 30)],
    /1 pages carry the mark of a page_pool at .*, where there is no memory/,
  ],
};

const names: readonly OracleName[] = ["6.12-elf"];
describe.skipIf(why !== undefined).each(names)(`%s, damaged by seed ${seed}`, (name) => {
  let places: Places;
  beforeAll(() => {
    const memory = oracleMemory(name);
    places = new Places(readImage(memory, { kernel: openKernel(memory), pointers: false }));
  });
  test.each(Object.entries(kinds))("%s: one finding", (_, make) => {
    const { memory } = places.image;
    const [[at, bytes, value], expected] = make(places);
    const physical = places.kernel.space.translate(at) as number;
    const changed = (memory.page(Math.floor(physical / 4096)) as Uint8Array).slice();
    for (let i = 0; i < bytes; i++) changed[(physical % 4096) + i] = Number((value >> BigInt(i * 8)) & 255n);
    const { copy: __, ...rest } = memory;
    const damaged = {
      ...rest,
      page: (pfn: number) => (pfn === Math.floor(physical / 4096) ? changed : memory.page(pfn)),
    };
    const { findings } = readImage(damaged, { kernel: overMemory(places.kernel, damaged), pointers: false });
    expect(findings.list.map((f) => f.text)).toEqual([expect.stringMatching(expected)]);
  });
});
