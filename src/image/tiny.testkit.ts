// A kernel of 2 MiB, made up: page tables, kallsyms, BTF, one zone with free lists, one slab cache. Its structs are laid out by a seed, as no
// kernel ever was, and its struct page has 144 bytes: a reader that finds its way asks BTF and knows nothing by heart. For tests only.
import { type Prng, prng } from "../base/prng.ts";
import type { PhysicalMemory } from "./container/physical.ts";
import { array, type Enums, int, Layouts, type Shapes, struct, word } from "./made_up.testkit.ts";

export const tinyFrames = 512;
const pageOffset = 0xffff888000000000n;
const vmemmap = 0xffffea0000000000n;
const kernelMap = 0xffffffff80000000n;
/** No power of two: struct pages lie across page borders. */
const structPage = 144;
/** struct slab lies over struct page; its words begin behind those that are read of the page itself. */
const slabStart = 72;
const buddyWord = 0xf0000000;

const shapes: Shapes = {
  list_head: {
    fixed: [
      ["next", word],
      ["prev", word],
    ],
  },
  // The word of lru, compound_head and (in a kernel with them) pp_magic is one word in all kernels.
  page: {
    free: [
      ["flags", word],
      ["lru", struct("list_head")],
      ["mapping", word],
      ["private", word],
      ["_mapcount", int(4)],
      ["_refcount", int(4)],
      ["compound_head", word],
      ["compound_order", int(1)],
    ],
    size: structPage,
  },
  slab: {
    free: [
      ["slab_cache", word],
      ["slab_list", struct("list_head")],
      ["freelist", word],
      ["inuse", int(2)],
      ["objects", int(2)],
    ],
    start: slabStart,
    size: structPage,
  },
  free_area: {
    free: [
      ["free_list", array(struct("list_head"), 4)],
      ["nr_free", word],
    ],
  },
  per_cpu_pages: {
    free: [
      ["count", int(4)],
      ["high", int(4)],
      ["batch", int(4)],
      ["lists", array(struct("list_head"), 3)],
    ],
  },
  per_cpu_zonestat: {
    free: [
      ["vm_stat_diff", array(int(1), 4)],
      ["stat_threshold", int(1)],
    ],
  },
  zone: {
    free: [
      ["name", word],
      ["zone_start_pfn", word],
      ["spanned_pages", word],
      ["present_pages", word],
      ["managed_pages", word],
      ["_watermark", array(word, 3)],
      ["vm_stat", array(word, 4)],
      ["free_area", array(struct("free_area"), 5)],
      ["per_cpu_pageset", word],
      ["per_cpu_zonestats", word],
    ],
  },
  pglist_data: { free: [["node_zones", array(struct("zone"), 1)]] },
  cpumask: { fixed: [["bits", word]] },
  // As 6.18 and 6.19 have it: slabs of CPUs, and sheaves besides.
  slab_sheaf: {
    free: [
      ["barn_list", struct("list_head")],
      ["size", int(4)],
      ["objects", array(word, 4)],
    ],
  },
  node_barn: { free: [["sheaves_full", struct("list_head")]] },
  slub_percpu_sheaves: {
    free: [
      ["main", word],
      ["spare", word],
      ["rcu_free", word],
    ],
  },
  kmem_cache_node: {
    free: [
      ["barn", word],
      ["partial", struct("list_head")],
      ["nr_partial", word],
      ["nr_slabs", word],
      ["total_objects", word],
    ],
  },
  kmem_cache_cpu: {
    free: [
      ["freelist", word],
      ["slab", word],
    ],
  },
  kmem_cache: {
    free: [
      ["cpu_slab", word],
      ["cpu_sheaves", word],
      ["flags", int(4)],
      ["size", int(4)],
      ["object_size", int(4)],
      ["offset", int(4)],
      ["oo", int(4)],
      ["refcount", int(4)],
      ["align", int(4)],
      ["random", word],
      ["name", word],
      ["list", struct("list_head")],
    ],
    // The array of nodes ends a cache, as it does in kernels.
    ends: [["node", array(word, 1)]],
    size: 512,
  },
};

const enums: Enums = [
  ["pageflags", { PG_locked: 0, PG_lru: 5, PG_head: 6, PG_reserved: 14 }],
  ["pagetype", { PGTY_buddy: 0xf0, PGTY_offline: 0xf1, PGTY_table: 0xf2, PGTY_slab: 0xf5 }],
  ["migratetype", { MIGRATE_UNMOVABLE: 0, MIGRATE_MOVABLE: 1, MIGRATE_RECLAIMABLE: 2, MIGRATE_ISOLATE: 3 }],
  ["zone_stat_item", { NR_FREE_PAGES: 0 }],
];

/** What was put into a tiny kernel: what a reader must find. */
export interface TinyTruth {
  readonly layouts: { off(struct: string, field: string): number };
  /** Physical place of the struct page of frame 0; the map is contiguous. */
  readonly mapAt: number;
  /** Blocks per `order/type`, head first. */
  readonly lists: ReadonlyMap<string, readonly number[]>;
  readonly pcp: readonly (readonly number[])[];
  readonly slabs: readonly number[];
  /** Addresses of allocated objects, rising. */
  readonly objects: readonly bigint[];
}

export interface Tiny {
  readonly bytes: Uint8Array;
  /** Frames that exist. */
  readonly present: readonly boolean[];
  readonly vmcoreinfo: string;
  readonly truth: TinyTruth;
}

/** What a test wants in a kernel besides: its structs, and what is put into them. */
export interface TinyExtra {
  readonly shapes: Shapes;
  put(into: TinyBuilder): void;
}

/** Makes one. The same seed gives the same bytes. */
export function tinyKernel(seed: number, extra?: TinyExtra): Tiny {
  return new TinyBuilder(prng(seed), extra).build();
}

export class TinyBuilder {
  readonly random: Prng;
  readonly layouts: Layouts;
  private readonly extra: TinyExtra | undefined;
  private readonly bytes = new Uint8Array(tinyFrames * 4096);
  private readonly view = new DataView(this.bytes.buffer);
  /** Kernel data grows from 1 MiB up. */
  private next = 0x100000;
  private readonly symbols = new Map<string, bigint>();

  constructor(random: Prng, extra: TinyExtra | undefined) {
    this.random = random;
    this.extra = extra;
    // A struct stands behind those that it holds: what replaces one comes last.
    const own = extra?.shapes ?? {};
    const kept = Object.entries(shapes).filter(([name]) => own[name] === undefined);
    this.layouts = new Layouts(random, { ...Object.fromEntries(kept), ...own }, enums);
  }

  alloc(size: number, align = 8): number {
    this.next = Math.ceil(this.next / align) * align;
    const at = this.next;
    this.next += size;
    return at;
  }

  put64(at: number, value: bigint): void {
    this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }

  /** A new struct with members set: numbers by the size of the member. Its place. */
  make(name: string, members: Readonly<Record<string, bigint | number>>): number {
    const at = this.alloc(this.layouts.of(name).size);
    for (const [member, value] of Object.entries(members)) this.set(at, name, member, value);
    return at;
  }

  set(at: number, name: string, member: string, value: bigint | number): void {
    const found = this.layouts.of(name).members.find(([n]) => n === member);
    if (found === undefined) throw new Error(`${name} has no ${member}`);
    const [, type, offset] = found;
    if (type.kind === "int" && type.bytes === 4) this.view.setUint32(at + offset, Number(value) >>> 0, true);
    else if (type.kind === "int" && type.bytes === 2) this.view.setUint16(at + offset, Number(value), true);
    else if (type.kind === "int" && type.bytes === 1) this.view.setUint8(at + offset, Number(value));
    else this.put64(at + offset, BigInt(value));
  }

  /** Text with its NUL; its address. */
  text(text: string): bigint {
    return this.direct(this.data(new TextEncoder().encode(`${text}\0`)));
  }

  u64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }

  /** Writes text without its NUL. */
  bytesAt(at: number, text: string): void {
    this.bytes.set(new TextEncoder().encode(text), at);
  }

  copy(to: number, from: number, length: number): void {
    this.bytes.copyWithin(to, from, from + length);
  }

  data(bytes: Uint8Array, align = 8): number {
    const at = this.alloc(bytes.length, align);
    this.bytes.set(bytes, at);
    return at;
  }

  symbol(name: string, at: number): void {
    this.symbols.set(name, kernelMap + BigInt(at));
  }

  readonly direct = (at: number): bigint => pageOffset + BigInt(at);
  private readonly pageAt = (pfn: number): number => this.map + pfn * structPage;
  /** Address of a struct page. */
  readonly pageVa = (pfn: number): bigint => vmemmap + BigInt(pfn * structPage);
  private map = 0;

  build(): Tiny {
    const l = this.layouts;
    this.symbol("_stext", 0x100000);
    const btf = this.data(l.btf());
    this.symbol("__start_BTF", btf);
    this.symbol("__stop_BTF", this.next);
    this.alloc(0, 8);
    this.map = this.alloc(tinyFrames * structPage, 4096);
    const tables = this.pageTables();
    for (const [name, value] of [
      ["page_offset_base", pageOffset],
      ["vmemmap_base", vmemmap],
      ["__per_cpu_offset", 0n],
      ["__cpu_online_mask", 1n],
      ["__cpu_possible_mask", 1n],
    ] as const) {
      const at = this.alloc(8);
      this.put64(at, value);
      this.symbol(name, at);
    }
    this.symbol("init_uts_ns", this.alloc(64));
    const zone = this.zone();
    const cache = this.cache();
    this.extra?.put(this);
    const info = this.finish(tables);
    return {
      bytes: this.bytes,
      present: Array.from({ length: tinyFrames }, () => true),
      vmcoreinfo: info,
      truth: { layouts: l, mapAt: this.map, ...zone, ...cache },
    };
  }

  /** Four levels for the memory map only; the rest is direct map and kernel mapping. */
  private pageTables(): number {
    const top = this.alloc(4096, 4096);
    let table = top;
    for (const shift of [39n, 30n, 21n]) {
      const next = this.alloc(4096, 4096);
      this.put64(table + Number((vmemmap >> shift) & 511n) * 8, BigInt(next) | 3n);
      table = next;
    }
    for (let i = 0; i < Math.ceil((tinyFrames * structPage) / 4096); i++)
      this.put64(table + i * 8, BigInt(this.map + i * 4096) | 3n);
    this.symbol("swapper_pg_dir", top);
    return top;
  }

  /** Links a list_head (by address) and its entries; entries are addresses of list_heads too. */
  ring(head: bigint, entries: readonly bigint[], place: (address: bigint) => number = this.placeOf): void {
    const all = [head, ...entries];
    for (const [i, at] of all.entries()) {
      this.put64(place(at), all[(i + 1) % all.length] as bigint);
      this.put64(place(at) + 8, all[(i + all.length - 1) % all.length] as bigint);
    }
  }

  private readonly placeOf = (address: bigint): number =>
    address >= vmemmap && address < pageOffset + (1n << 46n) * 2n && address - vmemmap < BigInt(tinyFrames * structPage)
      ? this.map + Number(address - vmemmap)
      : Number(address - pageOffset);

  /** One zone over all frames; frames 8 to 160 are cut into free blocks, per-CPU pages and pages in use. */
  private zone(): Pick<TinyTruth, "lists" | "pcp"> {
    const l = this.layouts;
    const node = this.alloc(l.of("pglist_data").size + 64);
    const zone = node + l.off("pglist_data", "node_zones");
    const table = this.alloc(8);
    this.put64(table, this.direct(node));
    this.symbol("node_data", table);
    const set = (field: string, value: bigint, i = 0): void => this.put64(zone + l.off("zone", field) + i * 8, value);
    set("name", this.text("DMA"));
    set("spanned_pages", BigInt(tinyFrames));
    set("present_pages", BigInt(tinyFrames));
    set("managed_pages", 300n);
    for (const i of [0, 1, 2]) set("_watermark", BigInt(10 + i), i);
    const mapcount = l.off("page", "_mapcount");
    for (let pfn = 0; pfn < tinyFrames; pfn++) {
      this.view.setInt32(this.pageAt(pfn) + mapcount, -1, true);
      this.view.setInt32(this.pageAt(pfn) + l.off("page", "_refcount"), 1, true);
    }
    const lists = new Map<string, number[]>();
    const pcp: number[][] = [[], [], []];
    let free = 0;
    for (let pfn = 8; pfn < 160; ) {
      const order = this.random.below(5);
      if (pfn % 2 ** order !== 0 || pfn + 2 ** order > 160 || this.random.chance(0.3)) {
        if (this.random.chance(0.3)) {
          (pcp[this.random.below(3)] as number[]).push(pfn);
          this.view.setInt32(this.pageAt(pfn) + l.off("page", "_refcount"), 0, true);
        }
        pfn++;
        continue;
      }
      const key = `${order}/${this.random.below(3)}`;
      lists.set(key, [pfn, ...(lists.get(key) ?? [])]);
      this.view.setUint32(this.pageAt(pfn) + mapcount, buddyWord, true);
      for (let p = pfn; p < pfn + 2 ** order; p++)
        this.view.setInt32(this.pageAt(p) + l.off("page", "_refcount"), 0, true);
      this.put64(this.pageAt(pfn) + l.off("page", "private"), BigInt(order));
      free += 2 ** order;
      pfn += 2 ** order;
    }
    set("vm_stat", BigInt(free));
    const lru = BigInt(l.off("page", "lru"));
    const area = l.of("free_area").size;
    for (let order = 0; order < 5; order++) {
      const at = zone + l.off("zone", "free_area") + order * area;
      let blocks = 0;
      for (let type = 0; type < 4; type++) {
        const own = lists.get(`${order}/${type}`) ?? [];
        blocks += own.length;
        const head = this.direct(at + l.off("free_area", "free_list") + type * 16);
        this.ring(
          head,
          own.map((pfn) => this.pageVa(pfn) + lru),
          this.placeOf,
        );
      }
      this.put64(at + l.off("free_area", "nr_free"), BigInt(blocks));
    }
    const pages = this.alloc(l.of("per_cpu_pages").size);
    set("per_cpu_pageset", this.direct(pages));
    this.view.setInt32(
      pages + l.off("per_cpu_pages", "count"),
      pcp.reduce((n, p) => n + p.length, 0),
      true,
    );
    for (const [i, own] of pcp.entries())
      this.ring(
        this.direct(pages + l.off("per_cpu_pages", "lists") + i * 16),
        own.map((pfn) => this.pageVa(pfn) + lru),
        this.placeOf,
      );
    set("per_cpu_zonestats", this.direct(this.alloc(l.of("per_cpu_zonestat").size)));
    return { lists, pcp };
  }

  /** One cache with three slabs in frames 200 to 202, scrambled free pointers. */
  private cache(): Pick<TinyTruth, "slabs" | "objects"> {
    const l = this.layouts;
    const cache = this.alloc(512);
    const node = this.alloc(l.of("kmem_cache_node").size);
    const cpu = this.alloc(l.of("kmem_cache_cpu").size);
    const random = (BigInt(this.random.u32()) << 32n) | BigInt(this.random.u32());
    const set32 = (field: string, value: number): void =>
      this.view.setUint32(cache + l.off("kmem_cache", field), value, true);
    const [size, perSlab, offset] = [256, 16, 64];
    for (const [field, value] of [
      ["size", size],
      ["object_size", 250],
      ["offset", offset],
      ["oo", perSlab],
      ["refcount", 1],
    ] as const)
      set32(field, value);
    this.put64(cache + l.off("kmem_cache", "random"), random);
    this.put64(cache + l.off("kmem_cache", "name"), this.text("tiny"));
    this.put64(cache + l.off("kmem_cache", "cpu_slab"), this.direct(cpu));
    this.put64(cache + l.off("kmem_cache", "node"), this.direct(node));
    const slabs = [200, 201, 202];
    const objects: bigint[] = [];
    const inSheaves: bigint[] = [];
    for (const pfn of slabs) {
      const base = this.direct(pfn * 4096);
      const free = Array.from({ length: perSlab }, (_, i) => i).filter(() => this.random.chance(0.4));
      for (let i = 0; i < perSlab; i++) if (!free.includes(i)) objects.push(base + BigInt(i * size));
      // Two objects of each slab wait in sheaves: the slab counts them as in use.
      inSheaves.push(...objects.splice(-2));
      const at = this.pageAt(pfn);
      const chain = free.map((i) => base + BigInt(i * size));
      this.view.setUint32(at + l.off("page", "_mapcount"), 0xf5000000, true);
      // struct slab lies over struct page; its own words are written after, and the type once more.
      this.put64(at + l.off("slab", "slab_cache"), this.direct(cache));
      this.put64(at + l.off("slab", "freelist"), chain[0] ?? 0n);
      this.view.setUint16(at + l.off("slab", "inuse"), perSlab - free.length, true);
      this.view.setUint16(at + l.off("slab", "objects"), perSlab, true);
      for (const [i, object] of chain.entries()) {
        const place = object + BigInt(offset);
        const plain = (chain[i + 1] ?? 0n) ^ random ^ swapped(place);
        this.put64(Number(place - pageOffset), plain);
      }
    }
    const list = this.direct(node + l.off("kmem_cache_node", "partial"));
    this.ring(
      list,
      slabs.map((pfn) => this.pageVa(pfn) + BigInt(l.off("slab", "slab_list"))),
      this.placeOf,
    );
    for (const [field, value] of [
      ["nr_partial", 3],
      ["nr_slabs", 3],
      ["total_objects", 48],
    ] as const)
      this.put64(node + l.off("kmem_cache_node", field), BigInt(value));
    const sheaves = this.alloc(l.of("slub_percpu_sheaves").size);
    const barn = this.alloc(l.of("node_barn").size);
    this.put64(sheaves + l.off("slub_percpu_sheaves", "main"), this.direct(this.sheaf(inSheaves.slice(0, 3))));
    this.ring(
      this.direct(barn + l.off("node_barn", "sheaves_full")),
      [this.direct(this.sheaf(inSheaves.slice(3)) + l.off("slab_sheaf", "barn_list"))],
      this.placeOf,
    );
    this.put64(cache + l.off("kmem_cache", "cpu_sheaves"), this.direct(sheaves));
    this.put64(node + l.off("kmem_cache_node", "barn"), this.direct(barn));
    const head = this.alloc(16);
    this.symbol("slab_caches", head);
    this.ring(this.direct(head), [this.direct(cache + l.off("kmem_cache", "list"))], this.placeOf);
    // The list's head is known by its address in the kernel's mapping.
    this.put64(cache + l.off("kmem_cache", "list"), kernelMap + BigInt(head));
    this.put64(cache + l.off("kmem_cache", "list") + 8, kernelMap + BigInt(head));
    return { slabs, objects };
  }

  private sheaf(objects: readonly bigint[]): number {
    const l = this.layouts;
    const at = this.alloc(l.of("slab_sheaf").size);
    this.view.setUint32(at + l.off("slab_sheaf", "size"), objects.length, true);
    for (const [i, o] of objects.entries()) this.put64(at + l.off("slab_sheaf", "objects") + i * 8, o);
    return at;
  }

  /** kallsyms and VMCOREINFO. */
  private finish(tables: number): string {
    const names = [...this.symbols];
    const packed = names.flatMap(([name]) =>
      [name.length + 1, ..."T".concat(name)].map((c) => (typeof c === "number" ? c : c.charCodeAt(0))),
    );
    const at = {
      kallsyms_names: this.data(Uint8Array.from(packed)),
      kallsyms_num_syms: this.data(new Uint8Array(new Uint32Array([names.length]).buffer)),
      kallsyms_token_table: this.data(Uint8Array.from({ length: 512 }, (_, i) => (i % 2 === 0 ? i / 2 : 0))),
      kallsyms_token_index: this.data(new Uint8Array(Uint16Array.from({ length: 256 }, (_, i) => i * 2).buffer)),
      kallsyms_offsets: this.alloc(names.length * 4),
    };
    for (const [i, [, address]] of names.entries())
      this.view.setInt32(
        at.kallsyms_offsets + i * 4,
        Number(address - kernelMap) - (at.kallsyms_offsets + i * 4),
        true,
      );
    const wanted = ["_stext", "init_uts_ns", "swapper_pg_dir", "node_data"];
    return [
      "OSRELEASE=9.9.9-tiny",
      "PAGESIZE=4096",
      ...wanted.map((n) => `SYMBOL(${n})=${this.symbols.get(n)?.toString(16)}`),
      ...Object.entries(at).map(([n, p]) => `SYMBOL(${n})=${(kernelMap + BigInt(p)).toString(16)}`),
      `SYMBOL(init_top_pgt)=${(kernelMap + BigInt(tables)).toString(16)}`,
      "LENGTH(node_data)=1",
      "NUMBER(phys_base)=0",
      `SIZE(page)=${structPage}`,
      "",
    ].join("\n");
  }
}

function swapped(value: bigint): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value);
  return view.getBigUint64(0, true);
}

/** The memory of a tiny kernel without a container around it. */
export function tinyMemory(tiny: Tiny, bytes: Uint8Array = tiny.bytes): PhysicalMemory {
  return {
    name: "tiny",
    facts: { kind: "none", dumpLevel: undefined, incomplete: false, notes: [] },
    endPfn: tinyFrames,
    vmcoreinfo: tiny.vmcoreinfo,
    physBase: undefined,
    live: false,
    page: (pfn) => (tiny.present[pfn] === true ? bytes.subarray(pfn * 4096, (pfn + 1) * 4096) : undefined),
    has: (pfn) => tiny.present[pfn] === true,
  };
}
