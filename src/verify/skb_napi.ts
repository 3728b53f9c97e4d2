// Compares what a CPU keeps for receiving (struct napi_alloc_cache), where a recorder shows it after every operation: how many sk_buffs it
// keeps, and where its page fragments stand. What the CPU kept before the transcript began is taken from the first line.
import type { Difference } from "./replayer.ts";
import type { Row } from "./skb_compare.ts";
import type { SkbMachine } from "./skb_machine.ts";

export interface NapiComparer {
  /** The difference on one operation's line; undefined when there is none, or nothing shown. */
  compare(row: Row): Omit<Difference, "line" | "operation"> | undefined;
}

export function createNapiComparer({ skbs, frags, pages, heap }: SkbMachine): NapiComparer {
  let primed = false;

  /** Lets the CPU keep as many sk_buffs as it did. */
  function prime(count: number): void {
    const cache = heap.cacheCreate("skbuff_head_cache", 0, 0);
    while (skbs.spares.kept() < count) skbs.spares.put(heap.cacheAlloc(cache, skbs.config.receiveGfp));
    while (skbs.spares.kept() > count) heap.cacheFree(cache, skbs.spares.takeInPoll());
    primed = true;
  }

  return {
    compare(row) {
      const kernel = row["napi"] as Row | undefined;
      if (typeof kernel !== "object" || kernel === null) return undefined;
      const count = Number(kernel["skb_count"]);
      if (!primed) prime(count);
      if (skbs.spares.kept() !== count)
        return { kernel: `napi.skb_count = ${count}`, model: `napi.skb_count = ${skbs.spares.kept()}`, reasons: [] };
      const state = frags.state();
      if (state === undefined) return undefined;
      const [pfn, offset, bias, references] = kernel["frag"] as [number, number, number, number];
      const recorded = `${pfn},${offset},${bias},${references}`;
      const page = pages.same(state.pfn, pfn) ? pfn : (pages.nameOf(state.pfn) ?? "another page");
      const mine = `${page},${state.offset},${state.bias},${pages.pageCount(state.pfn)}`;
      if (recorded === mine) return undefined;
      return {
        kernel: `napi.frag pfn, offset, bias, page count = ${recorded}`,
        model: `napi.frag pfn, offset, bias, page count = ${mine}`,
        reasons: [],
      };
    },
  };
}
