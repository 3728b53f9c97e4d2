// Since 6.8 a zone reserves a hundredth, in whole pageblocks, and nothing where that is less than one. A pageblock that crosses the zone's border
// stays out, and a block of several pageblocks enters and leaves as a whole. Follows mm/page_alloc.c, 6.12.117 and 7.2.12.
import { zoneField, zoneStride } from "../memory.ts";
import type { HighatomicPart } from "./highatomic.ts";

const ZONE_ROW = Math.log2(zoneStride);
const MANAGED = zoneField.managed;
const RESERVED = zoneField.reservedHighatomic;

export const onePercent = (name: string, fromFreeListsOnly: boolean): HighatomicPart => ({
  name,
  fromFreeListsOnly,
  make(memory, area, rules) {
    const { zone } = memory;
    const { orders, pageblockOrder } = memory.spec;
    const { firstOf, blockTypeOf, setBlockType, setBlockTypes, moveToList, moveFreepagesBlock, blockInZone } = area;
    const HIGHATOMIC = rules.types.highatomic;
    const blockPages = 1 << pageblockOrder;
    return {
      reserve(pfn, z, order) {
        const at = z << ZONE_ROW;
        const share = Math.floor(zone[at | MANAGED]! / 100);
        if (share < blockPages || zone[at | RESERVED]! >= Math.ceil(share / blockPages) * blockPages) return;
        const type = blockTypeOf(pfn);
        if (type >= HIGHATOMIC) return;
        if (order >= pageblockOrder) {
          setBlockTypes(pfn, order, HIGHATOMIC);
          zone[at | RESERVED] = zone[at | RESERVED]! + (1 << order);
        } else if (blockInZone(pfn, z)) {
          moveFreepagesBlock(pfn, z, type, HIGHATOMIC);
          setBlockType(pfn, HIGHATOMIC);
          zone[at | RESERVED] = zone[at | RESERVED]! + blockPages;
        }
      },
      unreserve(z, type, force) {
        const at = z << ZONE_ROW;
        if (!force && zone[at | RESERVED]! <= blockPages) return false;
        for (let order = 0; order < orders; order++) {
          const pfn = firstOf(z, order, HIGHATOMIC);
          if (pfn < 0) continue;
          zone[at | RESERVED] = zone[at | RESERVED]! - Math.min(Math.max(blockPages, 1 << order), zone[at | RESERVED]!);
          if (order >= pageblockOrder) {
            moveToList(pfn, z, order, HIGHATOMIC, type);
            setBlockTypes(pfn, order, type);
            return true;
          }
          const moved = moveFreepagesBlock(pfn, z, HIGHATOMIC, type);
          setBlockType(pfn, type);
          if (moved > 0) return true;
        }
        return false;
      },
    };
  },
});

export const onePercentOfZone = onePercent("a hundredth", false);
export const onePercentFromFreeLists = onePercent("a hundredth, from the free lists", true);
