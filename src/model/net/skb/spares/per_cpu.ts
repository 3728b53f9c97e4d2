// The stack of sk_buff objects that each CPU keeps (struct napi_alloc_cache, net/core/skbuff.c): taken from the slab so many at once, given
// back so many at once. Which requests look here is the part's business (in_bulk.ts, in_polls.ts, in_all.ts).
import { assert } from "../../../../base/assert.ts";
import type { Journal } from "../../../journal.ts";
import type { Heap } from "../../../slab/heap.ts";
import type { SkbConfig } from "../skb_config.ts";

export interface SpareStack {
  /** The object kept last, or -1. */
  pop(): number;
  /** The same, after a refill from the slab where the CPU keeps none; -1 without memory. */
  popOrRefill(): number;
  /** Keeps the object; a full stack gives its upper part back. */
  push(object: number): void;
  kept(): number;
}

interface Stack {
  count: number;
  readonly at: Float64Array;
}

export function createSpareStack(
  heap: Heap,
  skbCache: number,
  config: SkbConfig,
  journal: Journal | undefined,
): SpareStack {
  const { most, taken, givenBack } = config.spareSkbs;
  assert(
    givenBack > 0 && givenBack <= most && taken <= most,
    () => `a CPU keeps at most ${most} sk_buffs and cannot take ${taken} or give back ${givenBack} at once`,
  );
  const gfp = config.receiveGfp;
  const stacks: Stack[] = [];
  const here = (): Stack => (stacks[journal?.cpu ?? 0] ??= { count: 0, at: new Float64Array(most) });

  const refill = (stack: Stack): void => {
    if (heap.cacheAllocBulk !== undefined) {
      stack.count = heap.cacheAllocBulk(skbCache, gfp, stack.at, 0, taken);
      return;
    }
    for (; stack.count < taken; stack.count++) {
      const object = heap.cacheAlloc(skbCache, gfp);
      if (object < 0) break;
      stack.at[stack.count] = object;
    }
  };

  return {
    pop() {
      const stack = here();
      return stack.count === 0 ? -1 : stack.at[--stack.count]!;
    },
    popOrRefill() {
      const stack = here();
      if (stack.count === 0) refill(stack);
      return stack.count === 0 ? -1 : stack.at[--stack.count]!;
    },
    push(object) {
      const stack = here();
      stack.at[stack.count++] = object;
      if (stack.count < most) return;
      for (const keep = most - givenBack; stack.count > keep; stack.count--)
        heap.cacheFree(skbCache, stack.at[stack.count - 1]!);
    },
    kept: () => here().count,
  };
}
