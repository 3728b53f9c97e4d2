// A zone and its free blocks as files of /proc. For tests only; not in the package.

/** A zone as 6.1 prints it. */
export const zoneinfo = (free: number, min = 100, low = 125, boost = 0): string =>
  [
    "Node 0, zone   Normal",
    "  per-node stats",
    "      nr_inactive_anon 5",
    `  pages free     ${free}`,
    `        boost    ${boost}`,
    `        min      ${min}`,
    `        low      ${low}`,
    "        high     150",
    "        spanned  100000",
    "        present  100000",
    "        managed  90000",
    "        cma      0",
    "        protection: (0, 0, 0)",
    `      nr_free_pages ${free}`,
    "      nr_free_cma  0",
    "  start_pfn:           4096",
    "",
  ].join("\n");
/** The line of /proc/buddyinfo, blocks by order. */
export const buddyinfo = (blocks: readonly number[]): string =>
  `Node 0, zone   Normal ${Array.from({ length: 11 }, (_, o) => String(blocks[o] ?? 0).padStart(6)).join(" ")} \n`;
/** /proc/pagetypeinfo: rows of free blocks by order, and ten pageblocks of each type. */
export const pagetypeinfo = (
  rows: readonly (readonly [type: string, ...blocks: (number | string)[]])[],
  named = rows.map((r) => r[0]),
): string =>
  [
    "Page block order: 9",
    "Pages per block:  512",
    "",
    `Free pages count per migrate type at order  ${Array.from({ length: 11 }, (_, o) => String(o).padStart(6)).join(" ")} `,
    ...rows.map(
      ([type, ...blocks]) =>
        `Node    0, zone   Normal, type ${type.padStart(12)} ${Array.from({ length: 11 }, (_, o) => String(blocks[o] ?? 0).padStart(6)).join(" ")} `,
    ),
    "",
    `Number of blocks type ${named.map((n) => n.padStart(12)).join(" ")} `,
    `Node 0, zone   Normal ${named.map(() => "          10").join(" ")} `,
    "",
  ].join("\n");
