// Mem-Info of zones with the blocks, marks and pages set aside that a test is about, as 6.1 prints them (mm/page_alloc.c, show_free_areas()).
export interface Zone {
  readonly name?: string;
  readonly node?: number;
  /** kB; what is in the blocks where it is left out. */
  readonly free?: number;
  readonly min?: number;
  readonly low?: number;
  readonly high?: number;
  readonly boost?: number;
  readonly managed?: number;
  readonly cma?: number;
  readonly highatomic?: number;
  readonly reserve?: readonly number[];
  /** Free blocks by order, and the lists they lie on: `3U`. */
  readonly blocks?: readonly (number | string)[];
}
export interface Memory {
  readonly totals?: Readonly<Record<string, number>>;
  readonly ram?: number;
  readonly reserved?: number;
  readonly tail?: readonly string[];
}
const blockOf = (b: number | string | undefined): readonly [count: number, letters: string] => {
  const [, n = "0", letters = ""] = /^(\d+)([A-Z]*)$/.exec(String(b ?? 0)) ?? [];
  return [Number(n), letters || "U"];
};
/** Mem-Info of zones, whose sums are those of the totals. */
export function memory(zones: readonly Zone[], more: Memory = {}): readonly string[] {
  const all = zones.map((z) => {
    const blocks = Array.from({ length: 11 }, (_, o) => blockOf(z.blocks?.[o]));
    const listed = blocks.reduce((n, [count], o) => n + count * 4 * 2 ** o, 0);
    return {
      name: "Normal",
      node: 0,
      min: 400,
      low: 500,
      high: 600,
      boost: 0,
      managed: 400_000,
      cma: 0,
      highatomic: 0,
      reserve: [0, 0],
      ...z,
      blocks,
      listed,
      free: z.free ?? listed,
    };
  });
  const sum = (of: (z: (typeof all)[number]) => number): number => all.reduce((n, z) => n + of(z), 0);
  const totals: Readonly<Record<string, number>> = {
    active_anon: 5000,
    inactive_anon: 600,
    isolated_anon: 0,
    active_file: 10,
    inactive_file: 20,
    isolated_file: 0,
    unevictable: 0,
    dirty: 0,
    writeback: 0,
    slab_reclaimable: 575,
    slab_unreclaimable: 700,
    mapped: 416,
    shmem: 490,
    pagetables: 15,
    sec_pagetables: 0,
    bounce: 0,
    kernel_misc_reclaimable: 0,
    ...more.totals,
  };
  const of = (...names: readonly string[]): string => names.map((n) => `${n}:${totals[n]}`).join(" ");
  const reserved = more.reserved ?? 0;
  return [
    "Mem-Info:",
    of("active_anon", "inactive_anon", "isolated_anon"),
    ` ${of("active_file", "inactive_file", "isolated_file")}`,
    ` ${of("unevictable", "dirty", "writeback")}`,
    ` ${of("slab_reclaimable", "slab_unreclaimable")}`,
    ` ${of("mapped", "shmem", "pagetables")}`,
    ` ${of("sec_pagetables", "bounce")}`,
    ` ${of("kernel_misc_reclaimable")}`,
    ` free:${sum((z) => z.free) / 4} free_pcp:0 free_cma:${sum((z) => z.cma) / 4}`,
    ...[...new Set(all.map((z) => z.node))].map(
      (n) =>
        `Node ${n} active_anon:20000kB inactive_anon:2400kB active_file:40kB inactive_file:80kB unevictable:0kB isolated(anon):0kB isolated(file):0kB mapped:1664kB dirty:0kB writeback:0kB shmem:1960kB writeback_tmp:0kB kernel_stack:944kB pagetables:60kB sec_pagetables:0kB all_unreclaimable? no`,
    ),
    ...all.flatMap((z) => [
      `Node ${z.node} ${z.name} free:${z.free}kB boost:${z.boost}kB min:${z.min}kB low:${z.low}kB high:${z.high}kB reserved_highatomic:${z.highatomic}KB active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB unevictable:0kB writepending:0kB present:${z.managed}kB managed:${z.managed}kB mlocked:0kB bounce:0kB free_pcp:0kB local_pcp:0kB free_cma:${z.cma}kB`,
      `lowmem_reserve[]: ${z.reserve.join(" ")}`,
    ]),
    ...all.map(
      (z) =>
        `Node ${z.node} ${z.name}: ${z.blocks.map(([n, letters], o) => `${n}*${4 * 2 ** o}kB${n === 0 ? "" : ` (${letters})`}`).join(" ")} = ${z.listed}kB`,
    ),
    "Node 0 hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB",
    "493 total pagecache pages",
    "0 pages in swap cache",
    "Free swap  = 0kB",
    "Total swap = 0kB",
    `${more.ram ?? sum((z) => z.managed) / 4 + reserved} pages RAM`,
    "0 pages HighMem/MovableOnly",
    `${reserved} pages reserved`,
    ...(more.tail ?? ["0 pages cma reserved"]),
    "0 pages hwpoisoned",
  ];
}
