// A bad page of the model as the Reading that bad_page() would print: only the fields that the model has.
import type { BadPage } from "../kernel/readings/bad_page.ts";
import type { Release } from "../kernel/release.ts";
import { atLeast } from "../kernel/release.ts";
import type { MachineMemory } from "../model/mm/machine_memory.ts";
import { record, word as wordField } from "../model/mm/memory.ts";

/** Bytes of struct page and where its array begins: vmemmap since 2.6.24 on 64 bits (Documentation/x86/x86_64/mm.txt), mem_map elsewhere. */
const pageStruct = { wide: 64n, narrow: 32 } as const;
const vmemmap = 0xffffea0000000000n;
const memMap = 0xc02d1000;
/** PG_lru: the bit that a page on a list of reclaim has, since 2.6. */
const lruBit = 1 << 5;

/** `word` is the page's word at that moment, `reason` the kernel's (printed since 3.x). */
export function observeBadPage(
  machine: MachineMemory,
  release: Release,
  pfn: number,
  word: number,
  reason: string,
): BadPage {
  const { memory } = machine;
  const zone = (word & wordField.zoneMask) >> wordField.zoneShift;
  const wide = release.arch === "x86_64" || release.arch === "arm64";
  const lru = (word & wordField.lru) !== 0;
  // The zone's number stands in the topmost bits; on 32 bits and before 4.x it is left out of what is compared.
  const flags = (wide ? BigInt(zone) << 62n : BigInt(zone) << 30n) | BigInt(lru ? lruBit : 0);
  const text = (flags & (wide ? 0xffffffffffffffffn : 0xffffffffn)).toString(16).padStart(wide ? 16 : 8, "0");
  const named = atLeast(release, [2, 6, 34]);
  const empty = wide ? "0".repeat(16) : "(null)";
  return {
    pfn,
    page: atLeast(release, [4, 15])
      ? "(____ptrval____)"
      : wide
        ? (vmemmap + BigInt(pfn) * pageStruct.wide).toString(16)
        : (memMap + pfn * pageStruct.narrow).toString(16),
    flags: text,
    ...(named ? { flagNames: [lru ? "lru" : "", `zone=${zone}`].filter((n) => n !== "").join("|") } : {}),
    refcount: memory.page[pfn * 4 + record.references] as number,
    mapcount: 0,
    mapping: atLeast(release, [4, 15]) ? "0000000000000000" : atLeast(release, [2, 6, 29]) ? "(null)" : empty,
    index: named ? "0x0" : "0",
    raw: [],
    ...(atLeast(release, [3, 2]) ? { reason: reason === "Bad page state" ? "nonzero _count" : reason } : {}),
    triesToFix: !atLeast(release, [2, 6, 29]),
  };
}
