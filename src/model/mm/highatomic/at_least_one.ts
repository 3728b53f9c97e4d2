// Up to 6.7 every zone may reserve: a hundredth of it and one pageblock more. Follows mm/page_alloc.c, 6.1.192 and 5.10.223.
import { zoneField, zoneStride } from "../memory.ts";
import type { HighatomicPart } from "./highatomic.ts";

const ZONE_ROW = Math.log2(zoneStride);
const MANAGED = zoneField.managed;
const RESERVED = zoneField.reservedHighatomic;

export const atLeastOne: HighatomicPart = {
  name: "a hundredth and one block",
  fromFreeListsOnly: false,
  make(memory, area, rules) {
    const { zone } = memory;
    const { orders, pageblockOrder } = memory.spec;
    const { firstOf, blockTypeOf, setBlockType, moveFreepagesBlock } = area;
    const HIGHATOMIC = rules.types.highatomic;
    const blockPages = 1 << pageblockOrder;
    return {
      reserve(pfn, z) {
        const at = z << ZONE_ROW;
        const type = blockTypeOf(pfn);
        if (zone[at | RESERVED]! >= Math.floor(zone[at | MANAGED]! / 100) + blockPages || type >= HIGHATOMIC) return;
        zone[at | RESERVED] = zone[at | RESERVED]! + blockPages;
        setBlockType(pfn, HIGHATOMIC);
        moveFreepagesBlock(pfn, z, type, HIGHATOMIC);
      },
      unreserve(z, type, force) {
        const at = z << ZONE_ROW;
        if (!force && zone[at | RESERVED]! <= blockPages) return false;
        for (let order = 0; order < orders; order++) {
          const pfn = firstOf(z, order, HIGHATOMIC);
          if (pfn < 0) continue;
          if (blockTypeOf(pfn) === HIGHATOMIC)
            zone[at | RESERVED] = zone[at | RESERVED]! - Math.min(blockPages, zone[at | RESERVED]!);
          setBlockType(pfn, type);
          if (moveFreepagesBlock(pfn, z, HIGHATOMIC, type) > 0) return true;
        }
        return false;
      },
    };
  },
};
