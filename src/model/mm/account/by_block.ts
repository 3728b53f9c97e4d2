// Counting in every list operation, since 6.10: each block that is taken, freed or moved is an update of its own, and folds on its own.
// Follows account_freepages() and its callers, mm/page_alloc.c, 6.12.117 and 7.2.12.
import { zoneField, zoneStride } from "../memory.ts";
import type { AccountPart } from "./account.ts";
import { createCounters } from "./account.ts";

const ZONE_ROW = Math.log2(zoneStride);
const FREE_HIGHATOMIC = zoneField.freeHighatomic;

export const byBlock: AccountPart = {
  name: "by block",
  make(memory, journal, { cma, isolate, highatomic }) {
    const { zone } = memory;
    const { modFree, modFreeCma } = createCounters(memory, journal);
    const count = (z: number, delta: number, type: number): void => {
      if (type < 3) modFree(z, delta);
      else if (type !== isolate) {
        modFree(z, delta);
        if (type === cma) modFreeCma(z, delta);
        else if (type === highatomic)
          zone[(z << ZONE_ROW) | FREE_HIGHATOMIC] = zone[(z << ZONE_ROW) | FREE_HIGHATOMIC]! + delta;
      }
    };
    return {
      modFree,
      count,
      taken: (z, order, type) => count(z, -(1 << order), type),
      moved(z, order, from, to) {
        count(z, -(1 << order), from);
        count(z, 1 << order, to);
      },
      handedOut: () => {},
      refilled: () => {},
    };
  },
};
