// Which caches sk_buffs come from: asked of the kernel's own pointers, because names lie where caches are merged.
import { ifThere } from "../address_space.ts";
import type { Kernel } from "../kernel.ts";

export interface SkbCaches {
  readonly plain: bigint | undefined;
  readonly fclone: bigint | undefined;
}

/** Pointers are variables of their own, since 6.9 members of net_hotdata (include/net/hotdata.h). */
export function skbCaches(kernel: Kernel): SkbCaches {
  const hot = kernel.symbols.address("net_hotdata");
  const struct = kernel.types.find("net_hotdata");
  const pointer = (...names: readonly string[]): bigint | undefined => {
    for (const name of names) {
      const field = struct?.find(name);
      const at = hot !== undefined && field !== undefined ? hot + field.at : kernel.symbols.address(name);
      const value = at === undefined ? undefined : ifThere(() => kernel.space.u64(at));
      if (value !== undefined && value !== 0n) return value;
    }
    return undefined;
  };
  return { plain: pointer("skbuff_cache", "skbuff_head_cache"), fclone: pointer("skbuff_fclone_cache") };
}
